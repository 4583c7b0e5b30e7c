//! The functions of the core as bytes to bytes; what a binding in any language wraps.

use std::sync::Arc;

use crate::details::DetailPart;
use crate::machine::Machine;
use crate::messages::{
    CompiledRun, Events, LeafEnded, LocalPath, Message, PlanResult, Problem, RunRequest, UnchangedPlan,
};
use crate::pieces::Pieces;
use crate::plan_pages::PlanPages;
use crate::presence;
use crate::recorded::{News, Recorded};
use crate::records::{Moves, Records};
use crate::render::PlacedLaunch;
use crate::spec::problems::Problems;
use crate::spec::{read_spec, Spec};
use crate::wire::WireError;

/// RunRequest to PlanResult. What is wrong with the request is told inside.
pub fn plan(request: &[u8]) -> Vec<u8> {
    match RunRequest::decode(request) {
        Ok(request) => crate::plan::plan_bytes(&request),
        Err(error) => no_request(error),
    }
}

fn no_request(error: WireError) -> Vec<u8> {
    let problems = vec![Problem { field: String::new(), message: format!("not a RunRequest: {error}") }];
    PlanResult { problems, ..PlanResult::default() }.encode()
}

/// RunRequest to PlanResult without tasks, and without the digest unless it is wanted.
pub fn check(request: &[u8], wants_digest: bool) -> Vec<u8> {
    match RunRequest::decode(request) {
        Ok(request) => crate::plan::check(&request, wants_digest).encode(),
        Err(_) => plan(request),
    }
}

/// RunRequest to its plan in the parts that a server answers with.
///
/// # Errors
/// See [`crate::plan::plan_in_parts`].
pub fn plan_in_parts(pieces: &Pieces<'_>) -> Result<PlanPages, String> {
    let pages = match pieces.decode() {
        Ok(request) => crate::plan::plan_in_parts(&request),
        Err(error) => crate::plan_pages::plan_pages(&no_request(error)),
    };
    pages.map_err(|error| format!("not a PlanResult: {error}"))
}

/// RunRequest of a rerun that asks for nothing to the CompiledRun of its original; `None` where it cannot be compiled.
pub fn compile(pieces: &Pieces<'_>) -> Option<CompiledRun> {
    crate::compiled::compile(&pieces.decode().ok()?)
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
pub fn machine(pieces: &Pieces<'_>, spec: Option<Arc<Spec>>) -> Result<Machine, String> {
    let request = pieces.decode().map_err(|error| format!("not a RunRequest: {error}"))?;
    crate::plan::machine(&request, spec).map_err(|problems| in_one_text(&problems))
}

/// A spec, read once for the machines of all runs that have it.
///
/// # Errors
/// What is wrong with it, in one text.
pub fn spec(bytes: &[u8]) -> Result<Spec, String> {
    let mut problems = Problems::default();
    read_spec(bytes, &mut problems).ok_or_else(|| in_one_text(&problems.into_vec()))
}

fn in_one_text(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect::<Vec<_>>().join("; ")
}

/// Events to Decisions.
///
/// # Errors
/// The bytes are no Events.
pub fn advance(machine: &mut Machine, events: &[u8]) -> Result<Vec<u8>, String> {
    let events = Events::decode(events).map_err(|error| format!("not Events: {error}"))?;
    Ok(machine.advance(events).encode())
}

/// The machine of a run, with the records that are stored of its tasks.
///
/// # Errors
/// What is wrong with the request or the records, in one text.
pub fn recorded<'a>(
    pieces: &Pieces<'_>,
    spec: Option<Arc<Spec>>,
    stored: impl IntoIterator<Item = &'a [u8]>,
    moves: impl IntoIterator<Item = (i32, i32)>,
) -> Result<Recorded, String> {
    let records = Records::new(Moves::new(moves), stored).map_err(|error| error.to_string())?;
    Ok(Recorded { machine: machine(pieces, spec)?, records })
}

/// Leaves that have ended (a LeafEnded each) or left nothing, each with how its processes were, to the Decisions that
/// are still to be acted upon.
///
/// # Errors
/// The bytes are no such messages; the news does not fit the run.
pub fn tell(
    run: &mut Recorded,
    ended: &[(&[u8], String)],
    succeeded: Vec<(i64, String)>,
    cancel: bool,
    now_ns: i64,
) -> Result<Vec<u8>, String> {
    let ended = ended
        .iter()
        .map(|(event, kill_method)| Ok((LeafEnded::decode(event)?, kill_method.clone())))
        .collect::<Result<_, WireError>>()
        .map_err(|error| format!("not a LeafEnded: {error}"))?;
    let decisions = run.tell(News { ended, succeeded, cancel }, now_ns).map_err(|error| error.to_string())?;
    Ok(decisions.encode())
}

/// TaskRecords, and the Values that the run gave, to the fields of a PipelineJobDetail of the public API, in parts of
/// so many tasks.
///
/// # Errors
/// The bytes are no such messages.
pub fn job_detail_in_parts(
    records: &[u8],
    outputs: &[u8],
    run_name: &str,
    run_id: i64,
    tasks_in_a_part: usize,
) -> Result<Vec<DetailPart>, String> {
    crate::details::job_detail_in_parts(records, outputs, run_name, run_id, tasks_in_a_part)
        .map_err(|error| format!("not TaskRecords: {error}"))
}

/// RunRequest to the digest of all that its plan depends on; empty where the bytes are no RunRequest.
pub fn etag(pieces: &Pieces<'_>) -> Vec<u8> {
    pieces.decode().map(|request| crate::etag::digest(&request).to_vec()).unwrap_or_default()
}

/// A google.protobuf.Struct to the SHA-256 of its canonical text, which knows no order of keys; empty where the bytes
/// have none: they are no Struct, or hold what JSON does not have.
pub fn struct_digest(data: &[u8]) -> Vec<u8> {
    crate::canonical::struct_digest(data).map(|digest| digest.to_vec()).unwrap_or_default()
}

/// A compiled pipeline (a google.protobuf.Struct) to its declared tasks, its default root, and whether it is a whole
/// PipelineJob.
///
/// # Errors
/// The bytes are no Struct.
pub fn outline(spec: &[u8]) -> Result<(usize, String, bool), String> {
    let found = crate::outline::outline(spec).map_err(|error| format!("not a Struct: {error}"))?;
    Ok((found.declared_tasks, found.default_root, found.is_whole_job))
}

/// Whether every client can read these bytes back as a google.protobuf.Struct of at most `deepest` levels.
pub fn is_plain(data: &[u8], deepest: usize) -> bool {
    crate::outline::is_plain(data, deepest)
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

/// Some artifacts of TaskRecords: see [`presence::recorded`].
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn recorded_artifacts(
    records: &[u8],
    start: usize,
    most: usize,
) -> Result<(Vec<presence::Recorded<'_>>, usize), String> {
    presence::recorded(records, start, most).map_err(|error| format!("not TaskRecords: {error}"))
}

/// TaskRecords with what became of their artifacts, and those that lost some: see [`presence::with_presence`].
///
/// # Errors
/// The bytes are no TaskRecords, or have another number of artifacts.
pub fn with_presence(records: &[u8], presences: &[u8]) -> Result<(Vec<u8>, Vec<u8>), String> {
    presence::with_presence(records, presences)
        .map_err(|error| format!("not TaskRecords with those artifacts: {error}"))
}

/// TaskRecords in which others stand in the place of those with their ids.
///
/// # Errors
/// The bytes are no TaskRecords.
pub fn replaced_records(records: &[u8], others: &[u8]) -> Result<Vec<u8>, String> {
    presence::replaced(records, others).map_err(|error| format!("not TaskRecords: {error}"))
}

/// Launch and RenderContext to Rendered. A placeholder that cannot be resolved is told inside.
///
/// # Errors
/// The bytes are no such messages.
pub fn render(launch: &[u8], context: &[u8]) -> Result<Vec<u8>, String> {
    crate::render::render_bytes(launch, context).map_err(|error| format!("not a Launch and a RenderContext: {error}"))
}

/// What renders the launches of the run with these RunSettings.
///
/// # Errors
/// The bytes are no such message.
pub fn renderer(settings: &[u8]) -> Result<crate::render::Renderer, String> {
    crate::render::Renderer::new(settings).map_err(|error| format!("not RunSettings: {error}"))
}

/// Launches in their places to Rendered, in their order. `staged`: URIs of input artifacts and their local paths.
///
/// # Errors
/// The bytes are no such messages.
pub fn render_all(
    renderer: &crate::render::Renderer,
    attempts: &[PlacedLaunch<'_>],
    staged: Vec<(String, String)>,
) -> Result<Vec<Vec<u8>>, String> {
    let staged = staged.into_iter().map(|(uri, path)| LocalPath { uri, path }).collect();
    renderer.render(attempts, staged).map_err(|error| format!("not a Launch: {error}"))
}
