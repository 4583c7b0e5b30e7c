//! What a run or a rerun would do, and everything that is wrong with asking for it.
//!
//! Invariant: the run's machine and the plan's are the same; only in a plan a leaf that runs ends in an unknown way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::machine::{Machine, Mode, Planned, Prior};
use crate::messages::{Message, PlanResult, Problem, RunRequest, TaskRecord};
use crate::spec::problems::Problems;
use crate::spec::{parameters, read_head, read_spec, requirements, Spec};
use crate::wire::Writer;

/// A request whose spec and parameters have been read and checked.
struct Checked {
    spec: Arc<Spec>,
    inputs: crate::machine::Slots,
}

/// The plan of a request.
pub fn plan(request: &RunRequest<'_>) -> PlanResult {
    PlanResult::decode(&plan_bytes(request)).unwrap_or_default()
}

/// The plan of a request, encoded: the tasks' records are written once and never taken apart.
pub fn plan_bytes(request: &RunRequest<'_>) -> Vec<u8> {
    let ((mut result, planned), digest) = beside(request, || sweep_checked(request));
    result.digest = digest.to_vec();
    let mut writer = Writer::new();
    result.encode_into(&mut writer);
    if let Some((planned, dropped)) = planned.filter(|_| result.problems.is_empty()) {
        for record in planned.iter() {
            writer.bytes_always(TASKS, record);
        }
        for record in dropped {
            writer.message(TASKS, |body| record.encode_into(body));
        }
    }
    writer.into_bytes()
}

/// What a plan says but for its tasks: whether a run can be made. The digest costs reading everything and is made only
/// where it is wanted. A rerun that changes nothing and asks for nothing is not swept at all: its original was.
pub fn check(request: &RunRequest<'_>, wants_digest: bool) -> PlanResult {
    let sweep = || unchanged(request).unwrap_or_else(|| sweep_checked(request).0);
    if !wants_digest {
        return sweep();
    }
    let (mut result, digest) = beside(request, sweep);
    result.digest = digest.to_vec();
    result
}

/// Requests from this size on are digested on a thread of their own: below, starting one costs more than it saves.
const DIGESTED_BESIDE: usize = 1 << 20;

/// What `work` gives, and the digest of the request. Neither depends on the other, so a large request is digested while
/// `work` goes on; the results are the same either way.
fn beside<T>(request: &RunRequest<'_>, work: impl FnOnce() -> T) -> (T, [u8; 32]) {
    let records = request.original.as_ref().map_or(0, |original| original.records.len());
    if request.spec.len() + records < DIGESTED_BESIDE {
        return (work(), crate::etag::digest(request));
    }
    std::thread::scope(|scope| {
        let digesting = std::thread::Builder::new().spawn_scoped(scope, || crate::etag::digest(request));
        let done = work();
        let digest = match digesting.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(digest)) => digest,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread is to be had.
            Err(_) => crate::etag::digest(request),
        };
        (done, digest)
    })
}

/// The answer to a rerun with the spec and the parameters of its original, and no configs.
fn unchanged(request: &RunRequest<'_>) -> Option<PlanResult> {
    let original = request.original.as_ref()?;
    let settings = &request.settings;
    let is_same_spec = request.spec.is_empty() || request.spec == original.spec;
    let are_same_parameters = settings.parameters.iter().all(|given| original.parameters.contains(given));
    if !is_same_spec || !are_same_parameters || !request.configs.is_empty() || !settings.input_artifacts.is_empty() {
        return None;
    }
    let head = read_head(&original.spec).filter(|head| !requirements::any(&head.executors))?;
    Some(PlanResult {
        pipeline_name: head.pipeline_name,
        schema_version: head.schema_version,
        parameters: original.parameters.clone(),
        ..PlanResult::default()
    })
}

/// The plan of a rerun that nothing disturbs: no problem, no warning, no task that comes or goes.
pub(crate) fn undisturbed(request: &RunRequest<'_>) -> Option<(PlanResult, Machine)> {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    request.original.as_ref()?;
    let checked = read_and_check(request, &mut problems, &mut result)?;
    let (machine, _) = sweep(request, &checked, &mut problems, &mut result.warnings);
    let is_quiet = problems.is_empty() && machine.problems.is_empty() && result.warnings.is_empty();
    (is_quiet && result.requirements.is_empty() && machine.dropped().is_empty()).then_some((result, machine))
}

/// Records as they were planned, and those of tasks that the new run has not.
type PlannedTasks = (Planned, Vec<TaskRecord>);

fn sweep_checked(request: &RunRequest<'_>) -> (PlanResult, Option<PlannedTasks>) {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    let mut planned = None;
    if let Some(checked) = read_and_check(request, &mut problems, &mut result) {
        let (machine, _) = sweep(request, &checked, &mut problems, &mut result.warnings);
        let dropped = machine.dropped();
        let (unbound, warnings) = machine.unbound_configs(&dropped);
        for problem in machine.problems.iter().chain(&unbound) {
            problems.add(&problem.field, problem.message.clone());
        }
        result.warnings.extend(warnings);
        planned = Some((machine.planned, dropped));
    }
    result.problems = problems.into_vec();
    (result, planned)
}

/// The field of a PlanResult that holds its tasks.
const TASKS: u32 = 3;

/// The machine of a run that may be made.
///
/// # Errors
/// What is wrong with the request.
pub fn machine(request: &RunRequest<'_>) -> Result<Machine, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    if let Some(checked) = read_and_check(request, &mut problems, &mut result) {
        let mut warnings = Vec::new();
        let mut prior = prior(request, &checked, &mut problems, &mut warnings);
        if prior.has_lost_artifacts() {
            let (_, remake) = sweep(request, &checked, &mut problems, &mut warnings);
            prior.make_anew(remake);
        }
        if problems.is_empty() {
            return Ok(Machine::new(checked.spec, request.settings.clone(), checked.inputs, prior, Mode::Run));
        }
    }
    Err(problems.into_vec())
}

/// Plans until every lost artifact that will be read is made anew; each round can only add some.
fn sweep(
    request: &RunRequest<'_>,
    checked: &Checked,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> (Machine, BTreeSet<String>) {
    let mut remake = BTreeSet::new();
    let mut is_first = true;
    loop {
        let (mut unheard, mut unread) = (Problems::default(), Vec::new());
        let mut prior = match is_first {
            true => prior(request, checked, problems, warnings),
            false => prior(request, checked, &mut unheard, &mut unread),
        };
        prior.make_anew(remake.clone());
        is_first = false;
        let spec = Arc::clone(&checked.spec);
        let mut machine =
            Machine::new(spec, request.settings.clone(), checked.inputs.clone(), prior, Mode::Plan);
        machine.begin();
        let before = remake.len();
        remake.extend(machine.lost_reads.iter().cloned());
        if remake.len() == before {
            return (machine, remake);
        }
    }
}

fn prior(
    request: &RunRequest<'_>,
    checked: &Checked,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Prior {
    let (original, configs) = (request.original.as_ref(), &request.configs);
    Prior::new(original, configs, &request.cache, &checked.spec, problems, warnings)
}

fn read_and_check(
    request: &RunRequest<'_>,
    problems: &mut Problems,
    result: &mut PlanResult,
) -> Option<Checked> {
    let bytes: &[u8] = match &request.original {
        Some(original) if request.spec.is_empty() => &original.spec,
        _ => &request.spec,
    };
    let spec = Arc::new(read_spec(bytes, problems)?);
    result.pipeline_name.clone_from(&spec.pipeline_name);
    result.schema_version.clone_from(&spec.schema_version);
    result.requirements = requirements::requirements(&spec);
    let settings = &request.settings;
    let mut parameters = settings.parameters.clone();
    // A parameter given to the original persists unless it is given again.
    for inherited in request.original.iter().flat_map(|original| &original.parameters) {
        if settings.parameters.iter().any(|given| given.name == inherited.name) {
            continue;
        }
        if spec.component(spec.root).input(&inherited.name).is_some() {
            parameters.push(inherited.clone());
        } else {
            result.warnings.push(format!(
                "the parameter {:?} of the original is dropped: the new spec does not declare it",
                inherited.name
            ));
        }
    }
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    result.parameters.clone_from(&parameters);
    let inputs = parameters::root_inputs(
        &spec,
        &parameters,
        &settings.input_artifacts,
        settings.are_legacy_parameters,
        problems,
    );
    problems.is_empty().then_some(Checked { spec, inputs })
}
