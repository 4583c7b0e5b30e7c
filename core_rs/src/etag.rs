//! The digest of all that a plan depends on, so that a rerun can be refused when the world has changed since.
//!
//! Invariant: equal meaning gives an equal digest; what others do to the cross-run cache does not count.

use sha2::{Digest, Sha256};

use crate::canonical::write_protobuf;
use crate::messages::{Message, RunRequest};
use crate::value::Value;
use crate::wire::Writer;

/// The digest of a request: spec, parameters, configs, the original's outcomes and the presence of their artifacts.
pub fn digest(request: &RunRequest<'_>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        for chunk in [name.as_bytes(), bytes] {
            hasher.update((chunk.len() as u64).to_le_bytes());
            hasher.update(chunk);
        }
    };
    part("domain", b"reprise.etag.v1");
    part("spec", &canonical_spec(&request.spec));
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
    if let Some(original) = &request.original {
        part("original", &original.run_id.to_le_bytes());
        // Stored bytes, the same each time.
        part("original.spec", &original.spec);
        for parameter in &original.parameters {
            part("original.parameter", parameter.name.as_bytes());
            part("value", canonical_json(&parameter.json).as_bytes());
        }
        part("original.records", &original.records);
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

/// Every Struct with equal members has the same canonical text, whatever their order in the bytes.
fn canonical_spec(bytes: &[u8]) -> Vec<u8> {
    let mut value = Writer::with_capacity(bytes.len() + 12);
    value.bytes_always(STRUCT_VALUE, bytes);
    let mut canonical = Vec::with_capacity(bytes.len());
    match write_protobuf(value.as_bytes(), &mut canonical) {
        Ok(()) => canonical,
        Err(_) => bytes.to_vec(),
    }
}

/// The field of a google.protobuf.Value that holds a Struct.
const STRUCT_VALUE: u32 = 5;

fn canonical_json(text: &str) -> String {
    Value::from_json(text).map_or_else(|_| text.to_owned(), |value| value.to_json())
}
