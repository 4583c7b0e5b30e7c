//! What a run or a rerun would do, and everything that is wrong with asking for it.
//!
//! Invariant: the run's machine and the plan's are the same; only in a plan a leaf that runs ends in an unknown way.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::machine::{Machine, Mode, Prior, ROOT};
use crate::messages::{Parameter, PlanResult, RunRequest, TaskRecord};
use crate::spec::problems::Problems;
use crate::spec::{parameters, read_spec, requirements, Spec};

/// A request whose spec and parameters have been read and checked.
struct Checked {
    spec: Arc<Spec>,
    parameters: Vec<Parameter>,
    inputs: crate::machine::Slots,
}

/// The plan of a request.
pub fn plan(request: &RunRequest<'_>) -> PlanResult {
    let mut problems = Problems::default();
    let mut result = PlanResult::default();
    if let Some(checked) = check(request, &mut problems, &mut result.warnings) {
        result.pipeline_name = checked.spec.pipeline_name.clone();
        result.schema_version = checked.spec.schema_version.clone();
        result.requirements = requirements::requirements(&checked.spec);
        result.parameters = checked.parameters.clone();
        let (mut machine, _) = sweep(request, &checked, &mut problems, &mut result.warnings);
        let dropped = machine.dropped();
        let (unbound, warnings) = machine.unbound_configs(&dropped);
        for problem in machine.problems.iter().chain(&unbound) {
            problems.add(&problem.field, problem.message.clone());
        }
        result.warnings.extend(warnings);
        result.tasks = tasks(&mut machine);
        result.tasks.extend(dropped);
    }
    if !problems.is_empty() {
        result.tasks.clear();
    }
    result.problems = problems.into_vec();
    result.digest = crate::etag::digest(request).to_vec();
    result
}

/// The machine of a run that may be made.
///
/// # Errors
/// What is wrong with the request.
pub fn machine(request: &RunRequest<'_>) -> Result<Machine, PlanResult> {
    let mut problems = Problems::default();
    let mut warnings = Vec::new();
    if let Some(checked) = check(request, &mut problems, &mut warnings) {
        let mut prior = prior(request, &checked, &mut problems, &mut warnings);
        if prior.has_lost_artifacts() {
            let (_, remake) = sweep(request, &checked, &mut problems, &mut warnings);
            prior.make_anew(remake);
        }
        if problems.is_empty() {
            return Ok(Machine::new(checked.spec, request.settings.clone(), checked.inputs, prior, Mode::Run));
        }
    }
    Err(PlanResult { problems: problems.into_vec(), ..PlanResult::default() })
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

fn check(request: &RunRequest<'_>, problems: &mut Problems, warnings: &mut Vec<String>) -> Option<Checked> {
    let bytes: &[u8] = match &request.original {
        Some(original) if request.spec.is_empty() => &original.spec,
        _ => &request.spec,
    };
    let spec = Arc::new(read_spec(bytes, problems)?);
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
            warnings.push(format!(
                "the parameter {:?} of the original is dropped: the new spec does not declare it",
                inherited.name
            ));
        }
    }
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    let inputs = parameters::root_inputs(
        &spec,
        &parameters,
        &settings.input_artifacts,
        settings.are_legacy_parameters,
        problems,
    );
    problems.is_empty().then_some(Checked { spec, parameters, inputs })
}

/// The records of all tasks, in id order. What the machine kept of them goes over into the records.
fn tasks(machine: &mut Machine) -> Vec<TaskRecord> {
    let mut records = Vec::with_capacity(machine.nodes.len());
    for id in ROOT + 1..machine.nodes.len() as u32 {
        let ended = machine.take_ended(id);
        let node = machine.node(id);
        let identity = machine.identity(id, machine.task_of(node));
        records.push(TaskRecord {
            state: ended.state,
            verdict: ended.verdict,
            reason: ended.reason,
            reason_field: ended.reason_field,
            caused_by: ended.caused_by,
            inputs: if node.is_leaf() { ended.inputs } else { Some(machine.dag_input_values(id)) },
            outputs: ended.outputs,
            error: ended.error,
            key: ended.key,
            source: ended.source,
            is_left_out: ended.is_left_out,
            override_inputs: ended.override_inputs,
            ..identity
        });
    }
    records
}
