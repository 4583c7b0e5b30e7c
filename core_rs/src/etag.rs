//! The digest of all that a plan depends on, so that a rerun can be refused when the world has changed since.
//!
//! Invariant: equal meaning gives an equal digest; what others do to the cross-run cache does not count.

use sha2::{Digest, Sha256};

use crate::canonical::struct_digest;
use crate::messages::{Message, RunRequest};
use crate::value::Value;

/// The digest of a request: spec, parameters, configs, the original's outcomes and the presence of their artifacts.
pub fn digest(request: &RunRequest<'_>) -> [u8; 32] {
    let spec = match &request.original {
        Some(original) if request.spec.is_empty() => &original.spec,
        _ => &request.spec,
    };
    digest_with(request, &spec_digest(spec))
}

/// The digest of a spec: equal for all bytes that mean the same.
pub fn spec_digest(spec: &[u8]) -> [u8; 32] {
    // Every Struct with equal members has the same canonical text, whatever their order in the bytes.
    struct_digest(spec).unwrap_or_else(|_| Sha256::digest(spec).into())
}

/// The same of a request whose spec has that digest; the spec itself and, where their digests are in the request, the
/// original's spec and records are not looked at.
pub fn digest_with(request: &RunRequest<'_>, spec_digest: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        for chunk in [name.as_bytes(), bytes] {
            hasher.update((chunk.len() as u64).to_le_bytes());
            hasher.update(chunk);
        }
    };
    part("domain", b"reprise.etag.v2");
    part("spec", spec_digest);
    let settings = &request.settings;
    let mut parameters = settings.parameters.clone();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    for parameter in &parameters {
        part("parameter", parameter.name.as_bytes());
        part("value", canonical_json(&parameter.json).as_bytes());
    }
    let mut artifacts = settings.input_artifacts.clone();
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    for list in &artifacts {
        part("artifact", &list.encode());
    }
    part("policy", &(settings.failure_policy as i32).to_le_bytes());
    part("salt", settings.salt.as_bytes());
    part("root", settings.pipeline_root.as_bytes());
    for timeout in &settings.timeouts {
        part("timeout", timeout.executor.as_bytes());
        part("ms", &timeout.timeout_ms.to_le_bytes());
    }
    if let Some(original) = &request.original {
        part("original", &original.run_id.to_le_bytes());
        // Stored bytes, the same each time.
        part("original.spec", &given_or_made(&original.spec_digest, &original.spec));
        for parameter in &original.parameters {
            part("original.parameter", parameter.name.as_bytes());
            part("value", canonical_json(&parameter.json).as_bytes());
        }
        part("original.records", &given_or_made(&original.records_digest, &original.records));
        for (place, presence) in lost(&original.records) {
            part("presence", &[place.to_le_bytes(), u64::from(presence).to_le_bytes()].concat());
        }
    }
    // Their order means nothing, nor does the place in the request that errors name.
    let mut configs: Vec<Vec<u8>> = request
        .configs
        .iter()
        .map(|config| {
            let mut config = config.clone();
            config.field.clear();
            config.input_parameters.sort_by(|a, b| a.name.cmp(&b.name));
            config.input_artifacts.sort_by(|a, b| a.name.cmp(&b.name));
            for parameter in &mut config.input_parameters {
                parameter.json = canonical_json(&parameter.json);
            }
            config.encode()
        })
        .collect();
    configs.sort();
    for config in &configs {
        part("config", config);
    }
    hasher.finalize().into()
}

/// The digest that the store has of some bytes, or theirs.
fn given_or_made(given: &[u8], bytes: &[u8]) -> [u8; 32] {
    given.try_into().unwrap_or_else(|_| Sha256::digest(bytes).into())
}

/// Where artifacts are not as they were: (the how-manieth artifact of the records, what became of it). Nothing where all
/// are there, which is also what records say in which nobody has looked.
fn lost(records: &[u8]) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    let mut count = 0;
    // Records that cannot be read are refused elsewhere.
    let _ = look_into(records, Depth::Records, &mut count, &mut found);
    found
}

/// A message on the way from TaskRecords to an Artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Records,
    Record,
    Values,
    List,
    Artifact,
}

fn look_into(bytes: &[u8], depth: Depth, count: &mut u64, found: &mut Vec<(u64, u32)>) -> crate::wire::Result<()> {
    let mut reader = crate::wire::Reader::new(bytes);
    while let Some(field) = reader.next_field()? {
        let inner = match (depth, field.number) {
            (Depth::Records, 1) => Depth::Record,
            // The outputs, and those of a candidate, whose own candidates nobody keeps.
            (Depth::Record, 12) => Depth::Values,
            (Depth::Record, 19) => {
                let mut candidate = field.message()?;
                while let Some(field) = candidate.next_field()? {
                    if field.number == 12 {
                        look_into(field.bytes()?, Depth::Values, count, found)?;
                    }
                }
                continue;
            }
            (Depth::Values, 2) => Depth::List,
            (Depth::List, 2) => {
                *count += 1;
                Depth::Artifact
            }
            (Depth::Artifact, 8) => {
                let presence = field.int()?;
                if presence > PRESENT {
                    found.push((*count, presence as u32));
                }
                continue;
            }
            _ => continue,
        };
        look_into(field.bytes()?, inner, count, found)?;
    }
    Ok(())
}

/// `Presence::Present`; what is higher is not as it was.
const PRESENT: i64 = 1;

fn canonical_json(text: &str) -> String {
    Value::from_json(text).map_or_else(|_| text.to_owned(), |value| value.to_json())
}
