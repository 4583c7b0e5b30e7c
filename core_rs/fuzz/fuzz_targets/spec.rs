//! A pipeline spec of any bytes: a spec in which every index leads somewhere, or problems that say what is wrong.
#![no_main]

use _core::messages::RunRequest;
use _core::outline::{is_plain, outline};
use _core::spec::problems::Problems;
use _core::spec::{read_head, read_spec, requirements};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut problems = Problems::default();
    let spec = read_spec(bytes, &mut problems);
    assert_eq!(spec.is_some(), problems.is_empty());
    let _ = read_head(bytes);
    let _ = _core::api::struct_digest(bytes);
    let outlined = outline(bytes);
    assert!(outlined.is_ok() || !is_plain(bytes, 20), "what is plain is a Struct");
    let Some(spec) = spec else { return };
    for component in &spec.components {
        let Some(dag) = component.dag() else { continue };
        for (index, task) in dag.tasks.iter().enumerate() {
            assert!((task.component as usize) < spec.components.len());
            assert!(task.upstream.iter().all(|before| (*before as usize) < index), "topological order");
        }
    }
    let _ = requirements::requirements(&spec);
    // And a plan of it, which is an answer in any case.
    let _ = _core::plan::plan(&RunRequest { spec: bytes.into(), ..RunRequest::default() });
});
