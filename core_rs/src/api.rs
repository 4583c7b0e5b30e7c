//! The functions of the core as bytes to bytes; what a binding in any language wraps.

use crate::machine::Machine;
use crate::messages::{Events, Message, PlanResult, Problem, RunRequest, UnchangedPlan};

/// RunRequest to PlanResult. What is wrong with the request is told inside.
pub fn plan(request: &[u8]) -> Vec<u8> {
    match RunRequest::decode(request) {
        Ok(request) => crate::plan::plan_bytes(&request),
        Err(error) => PlanResult {
            problems: vec![Problem { field: String::new(), message: format!("not a RunRequest: {error}") }],
            ..PlanResult::default()
        }
        .encode(),
    }
}

/// RunRequest to PlanResult without tasks, and without the digest unless it is wanted.
pub fn check(request: &[u8], wants_digest: bool) -> Vec<u8> {
    match RunRequest::decode(request) {
        Ok(request) => crate::plan::check(&request, wants_digest).encode(),
        Err(_) => plan(request),
    }
}

/// RunRequest of a rerun that asks for nothing to the CompiledRun of its original; empty where it cannot be compiled.
pub fn compile(request: &[u8]) -> Vec<u8> {
    let compiled = RunRequest::decode(request).ok().and_then(|request| crate::compiled::compile(&request));
    compiled.map(|compiled| compiled.encode()).unwrap_or_default()
}

/// A compiled run (its graph and, where configs name tasks, its labels) and a RunRequest without spec and records to an
/// UnchangedPlan, which may be a refusal.
pub fn plan_unchanged(graph: &[u8], labels: &[u8], asked: &[u8]) -> Vec<u8> {
    match RunRequest::decode(asked) {
        Ok(asked) => crate::compiled::plan(graph, labels, &asked),
        Err(error) => UnchangedPlan { refusal: format!("not a RunRequest: {error}"), ..UnchangedPlan::default() },
    }
    .encode()
}

/// The machine of a run.
///
/// # Errors
/// What is wrong with the request, in one text.
pub fn machine(request: &[u8]) -> Result<Machine, String> {
    let request = RunRequest::decode(request).map_err(|error| format!("not a RunRequest: {error}"))?;
    crate::plan::machine(&request).map_err(|problems| {
        problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect::<Vec<_>>().join("; ")
    })
}

/// Events to Decisions.
///
/// # Errors
/// The bytes are no Events.
pub fn advance(machine: &mut Machine, events: &[u8]) -> Result<Vec<u8>, String> {
    let events = Events::decode(events).map_err(|error| format!("not Events: {error}"))?;
    Ok(machine.advance(events).encode())
}

/// TaskRecords, and the Values that the run gave, to the fields of a PipelineJobDetail of the public API.
///
/// # Errors
/// The bytes are no such messages.
pub fn job_detail(records: &[u8], outputs: &[u8], run_name: &str, run_id: i64) -> Result<Vec<u8>, String> {
    crate::details::job_detail(records, outputs, run_name, run_id).map_err(|error| format!("not TaskRecords: {error}"))
}

/// RunRequest to the digest of all that its plan depends on; empty where the bytes are no RunRequest.
pub fn etag(request: &[u8]) -> Vec<u8> {
    RunRequest::decode(request).map(|request| crate::etag::digest(&request).to_vec()).unwrap_or_default()
}

/// Two preimages of keys to KeyDifferences.
pub fn explain(old: &[u8], new: &[u8]) -> Vec<u8> {
    crate::key::differences(old, new).encode()
}

/// The record, in TaskRecords, of the task with this path or id.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn find_task(records: &[u8], task: &str) -> Result<Option<Vec<u8>>, String> {
    crate::record_lookup::find(records, task).map_err(|error| format!("not TaskRecords: {error}"))
}

/// The record in `others` of what is task `task_id` in `records`, both TaskRecords.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn same_task(records: &[u8], task_id: i64, others: &[u8]) -> Result<Option<Vec<u8>>, String> {
    crate::record_lookup::same_task(records, task_id, others).map_err(|error| format!("not TaskRecords: {error}"))
}

/// A PlanResult in the parts that are answered with.
///
/// # Errors
/// The bytes are no PlanResult.
pub fn plan_pages(result: &[u8]) -> Result<crate::plan_pages::PlanPages, String> {
    crate::plan_pages::plan_pages(result).map_err(|error| format!("not a PlanResult: {error}"))
}

/// Launch and RenderContext to Rendered. A placeholder that cannot be resolved is told inside.
///
/// # Errors
/// The bytes are no such messages.
pub fn render(launch: &[u8], context: &[u8]) -> Result<Vec<u8>, String> {
    crate::render::render_bytes(launch, context).map_err(|error| format!("not a Launch and a RenderContext: {error}"))
}
