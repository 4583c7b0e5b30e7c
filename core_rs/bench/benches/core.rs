//! The core by itself, without Python: plans against a changed spec, the compiled graph and its sweep, cache keys.
//!
//! Plans are of the DAGs that `bench/plan.py` writes, a folder for each, below the folder that `REPRISE_BENCH_DATA` names:
//!
//! ```sh
//! for shape in layered block shuffled; do
//!     python bench/plan.py --write DIR/$shape-10000 --shapes $shape --tasks 10000
//! done
//! cd core_rs/bench && REPRISE_BENCH_DATA=DIR cargo bench
//! ```
//!
//! Without it, only keys are measured.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use _core::key::{KeyArtifact, KeyBuilder};
use _core::parameter::ParameterType;
use _core::pieces::Pieces;
use _core::value::Value;
use criterion::{criterion_group, criterion_main, Criterion, Throughput};

/// A request in pieces, as `bench/plan.py --write` leaves it.
struct Case {
    name: String,
    request: Vec<u8>,
    spec: Vec<u8>,
    records: Vec<u8>,
}

impl Case {
    fn read(folder: &Path) -> std::io::Result<Case> {
        let read = |name: &str| std::fs::read(folder.join(name));
        Ok(Case {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            request: read("request")?,
            spec: read("spec")?,
            records: read("records")?,
        })
    }

    fn pieces(&self) -> Pieces<'_> {
        Pieces { request: &self.request, spec: &self.spec, records: &self.records, cache: &[] }
    }
}

fn cases() -> Vec<Case> {
    let Some(folder) = std::env::var_os("REPRISE_BENCH_DATA") else {
        eprintln!("REPRISE_BENCH_DATA names no folder: see the head of benches/core.rs");
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).expect("REPRISE_BENCH_DATA is a folder");
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.iter().map(|folder| Case::read(folder).expect("a folder that bench/plan.py has written")).collect()
}

fn plans(criterion: &mut Criterion) {
    for case in cases() {
        let mut group = criterion.benchmark_group(&case.name);
        group.sample_size(10);
        group.throughput(Throughput::Bytes((case.spec.len() + case.records.len()) as u64));
        group.bench_function("plan", |bench| {
            bench.iter(|| _core::api::plan_in_parts(&case.pieces()).expect("a plan"));
        });
        group.bench_function("etag", |bench| bench.iter(|| _core::api::etag(&case.pieces())));
        group.bench_function("compile", |bench| {
            bench.iter(|| _core::api::compile(&case.pieces()).expect("a plain DAG can be compiled"));
        });
        let compiled = _core::api::compile(&case.pieces()).expect("a plain DAG can be compiled");
        group.bench_function("sweep", |bench| {
            bench.iter(|| _core::api::plan_unchanged(&compiled.graph, &compiled.labels, black_box(&case.request)));
        });
        group.finish();
    }
}

fn keys(criterion: &mut Criterion) {
    let value = Value::from_json(r#"{"columns":["age","income"],"depth":6,"rate":0.05}"#).expect("JSON");
    let artifact = KeyArtifact {
        schema_title: "system.Dataset",
        digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        ..KeyArtifact::default()
    };
    let mut key = KeyBuilder::new();
    criterion.bench_function("key of a task", |bench| {
        bench.iter(|| {
            key.clear();
            key.container("python:3.11", &["sh", "-c", "python3 -m train"], &["--executor_input", "{{$}}"]);
            key.artifacts("data", false, &[artifact]);
            key.parameter("options", Some(ParameterType::Struct), black_box(&value));
            key.output_artifact("model", "system.Model", false);
            key.digest()
        });
    });
}

criterion_group!(benches, keys, plans);
criterion_main!(benches);
