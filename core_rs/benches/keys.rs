//! Cache keys from protobuf bytes: canonicalise, put in order, hash. One iteration is one key of about 500 bytes.
//!
//! Prints the fastest of many short rounds, in nanoseconds a key: on a shared machine that is the figure that moves
//! least. `cargo bench --bench keys`.
#![allow(clippy::disallowed_methods)] // A benchmark has a clock.

use std::hint::black_box;
use std::time::Instant;

use _core::key::{ComponentKey, KeyArtifact, KeyBuilder};
use _core::parameter::ParameterType;
use _core::value::Value;
use _core::wire::{Reader, Writer};

/// A google.protobuf.Struct such as a task's parameters are: a few scalars, a list, an object.
fn parameters() -> Vec<u8> {
    let mut writer = Writer::new();
    let mut entry = |name: &str, value: &dyn Fn(&mut Writer)| {
        writer.message(1, |entry| {
            entry.string(1, name);
            entry.message(2, |inner| value(inner));
        });
    };
    entry("learning_rate", &|value| value.double_always(2, 0.05));
    entry("epochs", &|value| value.double_always(2, 20.0));
    entry("dataset", &|value| value.bytes_always(3, b"gs://bucket/datasets/2026-01-02/train.csv"));
    entry("is_verbose", &|value| value.int_always(4, 1));
    entry("columns", &|value| {
        value.message(6, |list| {
            for name in ["age", "income", "region", "target"] {
                list.message(1, |item| item.bytes_always(3, name.as_bytes()));
            }
        });
    });
    entry("options", &|value| {
        value.message(5, |object| {
            for (name, number) in [("seed", 7.0), ("depth", 6.0), ("gamma", 0.5)] {
                object.message(1, |entry| {
                    entry.string(1, name);
                    entry.message(2, |inner| inner.double_always(2, number));
                });
            }
        });
    });
    writer.into_bytes()
}

/// What all tasks of a component share, prepared once.
fn component() -> ComponentKey {
    let mut key = KeyBuilder::new();
    let command = ["sh", "-c", "python3 -m train"];
    key.container("python:3.11", &command, &["--executor_input", "{{$}}"]);
    key.output_artifact("model", "system.Model", false);
    key.output_parameter("Output", ParameterType::NumberDouble);
    key.component_key()
}

fn fill(key: &mut KeyBuilder, component: &ComponentKey, parameters: &[u8]) {
    key.component(component);
    let artifact = KeyArtifact {
        schema_title: "system.Dataset",
        digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ..Default::default()
    };
    key.artifacts("data", false, &[artifact]);
    let mut reader = Reader::new(parameters);
    while let Ok(Some(field)) = reader.next_field() {
        let Ok(mut entry) = field.message() else { continue };
        let (mut name, mut value) = ("", &[][..]);
        while let Ok(Some(part)) = entry.next_field() {
            match part.number {
                1 => name = part.str().unwrap_or(""),
                _ => value = part.bytes().unwrap_or(&[]),
            }
        }
        let _ = key.parameter_from_protobuf(name, Some(ParameterType::Struct), value);
    }
}

fn measure(name: &str, mut round: impl FnMut()) {
    const KEYS: usize = 200;
    let mut best = f64::MAX;
    for _ in 0..2_000 {
        let start = Instant::now();
        for _ in 0..KEYS {
            round();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / KEYS as f64);
    }
    println!("{name:<24}{best:8.0} ns");
}

/// Digests of the canonical text of every google.protobuf.Value in a file, each behind its length (`u32`, least byte
/// first): the nanoseconds of one round over all, and a digest of the digests. `bench/cache_keys.py` asks for this.
fn digest_file(path: &str) -> std::io::Result<()> {
    let bytes = std::fs::read(path)?;
    let mut values = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((value, after)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        values.push(value);
        rest = after;
    }
    let mut digests = Vec::with_capacity(values.len() * 32);
    let mut text = Vec::new();
    let start = Instant::now();
    for value in &values {
        text.clear();
        let _ = _core::canonical::write_protobuf(black_box(value), &mut text);
        digests.extend_from_slice(&_core::key::digest(&text));
    }
    let nanoseconds = start.elapsed().as_nanos();
    println!("{nanoseconds} {}", _core::value::hex(&_core::key::digest(&digests)));
    Ok(())
}

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--values");
    if let Some(path) = arguments.nth(1) {
        return digest_file(&path);
    }
    let (component, parameters) = (component(), parameters());
    let mut key = KeyBuilder::new();
    fill(&mut key, &component, &parameters);
    let preimage = key.preimage();
    println!("a preimage of {} bytes, parameters of {}", preimage.len(), parameters.len());
    measure("canonicalise and hash", || {
        key.clear();
        fill(&mut key, &component, black_box(&parameters));
        black_box(key.digest());
    });
    measure("canonicalise only", || {
        key.clear();
        fill(&mut key, &component, black_box(&parameters));
        black_box(key.is_complete());
    });
    measure("hash only", || {
        black_box(_core::key::digest(black_box(&preimage)));
    });
    measure("parse into a value", || {
        black_box(Value::from_protobuf_struct(black_box(&parameters)).is_ok());
    });
    Ok(())
}
