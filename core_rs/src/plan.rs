//! What a run or a rerun would do, and everything that is wrong with asking for it.
//!
//! Invariant: the run's machine and the plan's are the same; only in a plan a leaf that runs ends in an unknown way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::halves::in_halves;
use crate::machine::stored::Stored;
use crate::machine::{Machine, Mode, Planned, Prior};
use crate::messages::{Message, PlanResult, Problem, RunRequest, TaskRecord};
use crate::plan_pages::{PageWriter, PlanPages};
use crate::spec::problems::Problems;
use crate::spec::{parameters, read_head, read_spec, requirements, Spec};
use crate::wire::{WireError, Writer};

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
    let (Swept { mut result, planned, dropped, rest }, digest) =
        beside(request, |records| sweep_checked(request, records));
    result.digest = digest.to_vec();
    while_dropping(rest, is_large(request), || {
        let mut writer = Writer::with_capacity(planned.size() + TAGS_AND_LENGTHS * planned.len());
        result.encode_into(&mut writer);
        for place in planned.places() {
            writer.bytes_always(TASKS, planned.at(*place));
        }
        for record in dropped {
            writer.message(TASKS, |body| record.encode_into(body));
        }
        writer.into_bytes()
    })
}

/// The plan of a request in the parts that a server answers with; the records are cut up where the machine wrote them.
///
/// # Errors
/// Some record that the machine wrote cannot be read, which would be a defect.
pub fn plan_in_parts(request: &RunRequest<'_>) -> Result<PlanPages, WireError> {
    let (Swept { mut result, planned, dropped, rest }, digest) =
        beside(request, |records| sweep_checked(request, records));
    result.digest = digest.to_vec();
    while_dropping(rest, is_large(request), || {
        let (first, second) = in_halves(planned.places(), |part| {
            let mut pages = PageWriter::default();
            part.iter().try_for_each(|place| pages.task(planned.at(*place))).map(|()| pages)
        });
        let mut pages = first?;
        if let Some(second) = second {
            pages.append(second?);
        }
        for record in dropped {
            pages.task(&record.encode())?;
        }
        Ok(pages.finish(&result))
    })
}

/// What a plan says but for its tasks: whether a run can be made. The digest costs reading everything and is made only
/// where it is wanted. A rerun that changes nothing and asks for nothing is not swept at all: its original was.
pub fn check(request: &RunRequest<'_>, wants_digest: bool) -> PlanResult {
    let sweep =
        |records: &mut Records<'_>| unchanged(request).unwrap_or_else(|| sweep_checked(request, records).result);
    if !wants_digest {
        return sweep(&mut || read_records(request));
    }
    let (mut result, digest) = beside(request, sweep);
    result.digest = digest.to_vec();
    result
}

/// Gives the original's records.
type Records<'r> = dyn FnMut() -> Result<Stored, WireError> + 'r;

fn read_records(request: &RunRequest<'_>) -> Result<Stored, WireError> {
    request.original.as_ref().map_or(Ok(Stored::default()), |original| Stored::read(&original.records))
}

/// Requests from this size on are worth a second thread: below, starting one costs more than it saves.
const LARGE: usize = 1 << 20;

fn is_large(request: &RunRequest<'_>) -> bool {
    let records = request.original.as_ref().map_or(0, |original| original.records.len());
    request.spec.len() + records >= LARGE
}

/// What `work` gives, and the digest of the request. Neither depends on the other, so of a large request the records are
/// read on another thread while `work` reads the spec, and when that is done and the machine has its turn, which only one
/// thread can work on, the request is digested; the results are the same either way.
fn beside<T>(request: &RunRequest<'_>, work: impl FnOnce(&mut Records<'_>) -> T) -> (T, [u8; 32]) {
    if !is_large(request) {
        return (work(&mut || read_records(request)), crate::etag::digest(request));
    }
    std::thread::scope(|scope| {
        let (give, take) = std::sync::mpsc::sync_channel(1);
        let (has_spec, spec_is_read) = std::sync::mpsc::sync_channel::<()>(1);
        let digesting = std::thread::Builder::new().spawn_scoped(scope, move || {
            // Nobody takes them where the spec turns out to be wrong.
            let _ = give.send(read_records(request));
            // The other end is dropped where nobody asks for them.
            let _ = spec_is_read.recv();
            crate::etag::digest(request)
        });
        // Asked for again, or without that thread, they are read here.
        let done = {
            let mut has_spec = Some(has_spec);
            work(&mut || {
                has_spec.take();
                take.recv().unwrap_or_else(|_| read_records(request))
            })
        };
        let digest = match digesting.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(digest)) => digest,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread is to be had.
            Err(_) => crate::etag::digest(request),
        };
        (done, digest)
    })
}

/// What `work` gives. Meanwhile, where there is much of it, what is not needed any more is given back on another thread.
fn while_dropping<T>(rest: impl Send, is_large: bool, work: impl FnOnce() -> T) -> T {
    if !is_large {
        return work();
    }
    std::thread::scope(|scope| {
        // Without a thread it goes at once.
        let _ = std::thread::Builder::new().spawn_scoped(scope, move || drop(rest));
        work()
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
    let records = &mut || read_records(request);
    let (machine, _) = sweep(request, &checked, records, &mut problems, &mut result.warnings);
    let is_quiet = problems.is_empty() && machine.problems.is_empty() && result.warnings.is_empty();
    (is_quiet && result.requirements.is_empty() && machine.dropped().is_empty()).then_some((result, machine))
}

/// A plan: nothing is planned where there are problems.
#[derive(Default)]
struct Swept {
    result: PlanResult,
    /// Records as they were planned.
    planned: Planned,
    /// Those of tasks that the new run has not.
    dropped: Vec<TaskRecord>,
    /// What it took.
    rest: Option<(Machine, Checked)>,
}

fn sweep_checked(request: &RunRequest<'_>, records: &mut Records<'_>) -> Swept {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    let mut swept = Swept::default();
    if let Some(checked) = read_and_check(request, &mut problems, &mut result) {
        let (mut machine, _) = sweep(request, &checked, records, &mut problems, &mut result.warnings);
        let dropped = machine.dropped();
        let (unbound, warnings) = machine.unbound_configs(&dropped);
        for problem in machine.problems.iter().chain(&unbound) {
            problems.add(&problem.field, problem.message.clone());
        }
        result.warnings.extend(warnings);
        if problems.is_empty() {
            (swept.planned, swept.dropped) = (std::mem::take(&mut machine.planned), dropped);
        }
        swept.rest = Some((machine, checked));
    }
    result.problems = problems.into_vec();
    Swept { result, ..swept }
}

/// How much room a record takes beside itself, at most.
const TAGS_AND_LENGTHS: usize = 8;

/// The field of a PlanResult that holds its tasks.
const TASKS: u32 = 3;

/// The machine of a run that may be made. With a `spec` that has been read before, the request's is not looked at.
///
/// # Errors
/// What is wrong with the request.
pub fn machine(request: &RunRequest<'_>, spec: Option<Arc<Spec>>) -> Result<Machine, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    let checked = match spec {
        Some(spec) => check_inputs(spec, request, &mut problems, &mut result),
        None => read_and_check(request, &mut problems, &mut result),
    };
    if let Some(checked) = checked {
        let mut warnings = Vec::new();
        let records = &mut || read_records(request);
        let mut prior = prior(request, &checked, records(), &mut problems, &mut warnings);
        if prior.has_lost_artifacts() {
            let (_, remake) = sweep(request, &checked, records, &mut problems, &mut warnings);
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
    records: &mut Records<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> (Machine, BTreeSet<String>) {
    let mut remake = BTreeSet::new();
    let mut is_first = true;
    loop {
        let (mut unheard, mut unread) = (Problems::default(), Vec::new());
        let mut prior = match is_first {
            true => prior(request, checked, records(), problems, warnings),
            false => prior(request, checked, records(), &mut unheard, &mut unread),
        };
        prior.make_anew(remake.clone());
        is_first = false;
        let spec = Arc::clone(&checked.spec);
        let mut machine = Machine::new(spec, request.settings.clone(), checked.inputs.clone(), prior, Mode::Plan);
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
    records: Result<Stored, WireError>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) -> Prior {
    let (original, configs) = (request.original.as_ref().map(|original| (original, records)), &request.configs);
    Prior::new(original, configs, &request.cache, &checked.spec, problems, warnings)
}

fn read_and_check(request: &RunRequest<'_>, problems: &mut Problems, result: &mut PlanResult) -> Option<Checked> {
    let bytes: &[u8] = match &request.original {
        Some(original) if request.spec.is_empty() => &original.spec,
        _ => &request.spec,
    };
    check_inputs(Arc::new(read_spec(bytes, problems)?), request, problems, result)
}

fn check_inputs(
    spec: Arc<Spec>,
    request: &RunRequest<'_>,
    problems: &mut Problems,
    result: &mut PlanResult,
) -> Option<Checked> {
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
