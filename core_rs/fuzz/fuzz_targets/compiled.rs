//! A compiled run of any bytes: a plan, or a refusal.
#![no_main]

use _core::compiled::{read_artifacts, Labels};
use _core::messages::{Message, UnchangedPlan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: (&[u8], &[u8], &[u8])| {
    let (graph, labels, asked) = bytes;
    let plan = _core::api::plan_unchanged(graph, labels, asked);
    let count = UnchangedPlan::decode(&plan).map(|plan| (plan.verdicts.len(), plan.causes.len()));
    assert!(count.is_ok_and(|(tasks, causes)| causes == tasks * 4));
    if let Ok(labels) = Labels::read(labels) {
        for plan in [plan.as_slice(), asked] {
            let _ = read_artifacts(&labels, plan, true);
            let _ = read_artifacts(&labels, plan, false);
        }
    }
    let _ = _core::api::compile(&_core::pieces::Pieces::whole(asked));
});
