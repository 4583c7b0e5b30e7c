//! What the tests of the machine and the plan share: pipelines from JSON, and a server that answers at once.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use _core::machine::Machine;
use _core::messages::*;
use _core::plan;
use _core::wire::Writer;
use serde_json::{json, Value as Json};

/// The bytes of a google.protobuf.Struct.
pub fn struct_bytes(json: &Json) -> Vec<u8> {
    let mut writer = Writer::new();
    write_struct(json, &mut writer);
    writer.into_bytes()
}

fn write_struct(json: &Json, writer: &mut Writer) {
    for (key, value) in json.as_object().unwrap() {
        writer.message(1, |entry| {
            entry.string(1, key);
            entry.message(2, |body| write_value(value, body));
        });
    }
}

fn write_value(json: &Json, writer: &mut Writer) {
    match json {
        Json::Null => writer.int_always(1, 0),
        Json::Bool(flag) => writer.int_always(4, i64::from(*flag)),
        Json::Number(number) => writer.double_always(2, number.as_f64().unwrap()),
        Json::String(text) => writer.bytes_always(3, text.as_bytes()),
        Json::Object(_) => writer.message(5, |body| write_struct(json, body)),
        Json::Array(items) => writer.message(6, |body| {
            for item in items {
                body.message(1, |value| write_value(item, value));
            }
        }),
    }
}

/// A pipeline: components by name, and the tasks of the root.
pub fn pipeline(components: Json, root: Json) -> Json {
    let mut executors = serde_json::Map::new();
    for (name, component) in components.as_object().unwrap() {
        if component.get("executorLabel").is_some() {
            let args = component["code"].as_str().unwrap_or(name).to_owned();
            executors.insert(
                name.clone(),
                json!({"container": {"image": "python:3.11", "command": ["run"], "args": [args]}}),
            );
        }
        if let Some(importer) = component.get("importer") {
            executors.insert(name.clone(), json!({"importer": importer}));
        }
    }
    let root = if root.get("dag").is_some() { root } else { json!({"dag": {"tasks": root}}) };
    json!({
        "pipelineInfo": {"name": "test"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": executors},
        "components": components,
        "root": root,
    })
}

/// A leaf component: inputs `name: TYPE` (a question mark behind the type: optional), one output parameter `Output`.
pub fn leaf(code: &str, inputs: &[(&str, &str)]) -> Json {
    json!({
        "executorLabel": "",
        "code": code,
        "inputDefinitions": {"parameters": declared(inputs)},
        "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
    })
}

/// A leaf component that makes an artifact `data`, and takes one under each of the given names.
pub fn artifact_leaf(code: &str, inputs: &[&str]) -> Json {
    let kind = json!({"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}});
    let inputs: serde_json::Map<String, Json> = inputs.iter().map(|name| ((*name).to_owned(), kind.clone())).collect();
    json!({
        "executorLabel": "",
        "code": code,
        "inputDefinitions": {"artifacts": inputs},
        "outputDefinitions": {"artifacts": {"data": kind}},
    })
}

/// Declared parameters.
pub fn declared(inputs: &[(&str, &str)]) -> Json {
    let mut map = serde_json::Map::new();
    for (name, kind) in inputs {
        let plain = kind.trim_end_matches('?');
        map.insert((*name).to_owned(), json!({"parameterType": plain, "isOptional": plain != *kind}));
    }
    Json::Object(map)
}

/// Labels executors by the name of their component.
pub fn components(list: &[(&str, Json)]) -> Json {
    let mut map = serde_json::Map::new();
    for (name, component) in list {
        let mut component = component.clone();
        if component.get("executorLabel").is_some() || component.get("importer").is_some() {
            component["executorLabel"] = json!(name);
        }
        map.insert((*name).to_owned(), component);
    }
    Json::Object(map)
}

/// A task of that component with parameters given as sources.
pub fn task(component: &str, parameters: Json) -> Json {
    let mut map = serde_json::Map::new();
    let mut dependent: Vec<Json> = Vec::new();
    for (name, source) in parameters.as_object().unwrap() {
        if let Some(text) = source.as_str().and_then(|text| text.strip_prefix("from:")) {
            let (producer, output) = text.split_once('.').unwrap_or((text, "Output"));
            dependent.push(json!(producer));
            map.insert(
                name.clone(),
                json!({"taskOutputParameter": {"producerTask": producer, "outputParameterKey": output}}),
            );
        } else if let Some(text) = source.as_str().and_then(|text| text.strip_prefix("in:")) {
            map.insert(name.clone(), json!({"componentInputParameter": text}));
        } else {
            map.insert(name.clone(), json!({"runtimeValue": {"constant": source}}));
        }
    }
    json!({"componentRef": {"name": component}, "inputs": {"parameters": map}, "dependentTasks": dependent})
}

/// A task with one artifact input bound to another task's `data`.
pub fn artifact_task(component: &str, inputs: &[(&str, &str)]) -> Json {
    let mut map = serde_json::Map::new();
    for (name, producer) in inputs {
        let source = json!({"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": "data"}});
        map.insert((*name).to_owned(), source);
    }
    let dependent: Vec<&str> = inputs.iter().map(|(_, producer)| *producer).collect();
    json!({"componentRef": {"name": component}, "inputs": {"artifacts": map}, "dependentTasks": dependent})
}

/// Adds fields to a task or a component.
pub fn with(mut base: Json, more: Json) -> Json {
    for (key, value) in more.as_object().unwrap() {
        match (base.get_mut(key), value) {
            (Some(Json::Array(items)), Json::Array(new)) => items.extend(new.iter().cloned()),
            _ => base[key] = value.clone(),
        }
    }
    base
}

/// A request for a first run.
pub fn request(spec: &Json, parameters: Json) -> RunRequest<'static> {
    RunRequest {
        spec: struct_bytes(spec).into(),
        settings: RunSettings {
            job_id: "job-1".into(),
            resource_name: "projects/p/locations/l/pipelineJobs/job-1".into(),
            run_id: 1,
            pipeline_root: "/root".into(),
            parameters: given(parameters),
            ..RunSettings::default()
        },
        ..RunRequest::default()
    }
}

/// Parameters as a request gives them.
pub fn given(parameters: Json) -> Vec<Parameter> {
    let map = parameters.as_object().unwrap();
    map.iter().map(|(name, value)| Parameter { name: name.clone(), json: value.to_string() }).collect()
}

/// A run that has ended.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    pub state: State,
    pub outputs: Values,
    pub records: BTreeMap<i64, TaskRecord>,
    /// Paths in the order of their launches.
    pub launched: Vec<String>,
    pub number: i64,
}

impl Finished {
    pub fn of(&self, path: &str) -> &TaskRecord {
        self.records.values().find(|record| record.path == path).unwrap_or_else(|| panic!("no task {path}"))
    }

    pub fn state_of(&self, path: &str) -> State {
        self.of(path).state
    }

    pub fn output(&self, path: &str) -> Json {
        let outputs = self.of(path).outputs.clone().unwrap_or_default();
        let parameter = outputs.parameters.iter().find(|p| p.name == "Output");
        parameter.map_or(Json::Null, |p| serde_json::from_str(&p.json).unwrap())
    }

    pub fn run_output(&self, name: &str) -> Json {
        let parameter = self.outputs.parameters.iter().find(|p| p.name == name);
        parameter.map_or(Json::Null, |p| serde_json::from_str(&p.json).unwrap())
    }

    pub fn id(&self, path: &str) -> i64 {
        self.of(path).task_id
    }

    /// The request of a rerun of this one.
    pub fn rerun(&self, spec: &Json) -> RunRequest<'static> {
        let records = TaskRecords { tasks: self.records.values().cloned().collect() };
        let number = self.number + 1;
        let mut request = request(spec, json!({}));
        request.settings.job_id = format!("job-{number}");
        request.settings.run_id = number;
        request.original = Some(Original {
            run_id: self.number,
            resource_name: format!("projects/p/locations/l/pipelineJobs/job-{}", self.number),
            spec: struct_bytes(spec).into(),
            records: records.encode().into(),
            ..Original::default()
        });
        request
    }
}

/// A leaf that succeeds with what `Output` or `data` says of its code and inputs.
pub fn succeed(launch: &Launch) -> LeafEnded {
    let mut text = launch.args.join(" ");
    let inputs = launch.inputs.clone().unwrap_or_default();
    for parameter in &inputs.parameters {
        text.push_str(&format!(" {}={}", parameter.name, parameter.json));
    }
    for list in &inputs.artifacts {
        let digests: Vec<&str> = list.artifacts.iter().map(|artifact| artifact.digest.as_str()).collect();
        text.push_str(&format!(" {}={}", list.name, digests.join(",")));
    }
    leave(launch, json!(text))
}

/// A leaf that succeeds with that output.
pub fn leave(launch: &Launch, output: Json) -> LeafEnded {
    let mut outputs = Values::default();
    for declared in &launch.output_parameters {
        outputs.parameters.push(Parameter { name: declared.name.clone(), json: output.to_string() });
    }
    for declared in &launch.output_artifacts {
        outputs.artifacts.push(ArtifactList {
            name: declared.name.clone(),
            is_list: declared.is_list,
            artifacts: vec![Artifact {
                name: format!("{}-{}", launch.task_id, declared.name),
                uri: format!("/root/{}/{}", launch.task_id, declared.name),
                schema_title: declared.schema_title.clone(),
                digest: format!("sha256:{output}"),
                ..Artifact::default()
            }],
        });
    }
    LeafEnded { task_id: launch.task_id, state: State::Succeeded, outputs: Some(outputs), ..LeafEnded::default() }
}

/// A leaf that fails.
pub fn fail(launch: &Launch) -> LeafEnded {
    LeafEnded {
        task_id: launch.task_id,
        state: State::Failed,
        error: Some(Failure { code: 9, message: "failed".into() }),
        ..LeafEnded::default()
    }
}

/// Keeps records as the server does.
pub fn keep(records: &mut BTreeMap<i64, TaskRecord>, decision: &Decision) {
    let id = decision.task_id;
    match decision.what.as_ref().unwrap() {
        What::Created(created) => {
            assert!(records.insert(id, created.task.clone().unwrap()).is_none(), "task {id} is made twice");
        }
        What::Started(started) => {
            let record = records.get_mut(&id).unwrap();
            assert_eq!(record.state, State::Pending);
            record.state = State::Running;
            record.inputs = started.inputs.clone();
        }
        What::Launch(launch) => {
            let record = records.get_mut(&id).unwrap();
            assert_eq!(record.state, State::Pending, "{} starts twice", record.path);
            record.state = State::Running;
            record.inputs = launch.inputs.clone();
            record.key = launch.key.clone();
            record.preimage = launch.preimage.clone();
            record.verdict = launch.verdict;
            record.reason = launch.reason;
            record.reason_field = launch.reason_field.clone();
            record.caused_by = launch.caused_by.clone();
            record.override_inputs = launch.override_inputs.clone();
        }
        What::Ended(ended) => {
            let record = records.get_mut(&id).unwrap();
            assert!(matches!(record.state, State::Pending | State::Running), "{} ends twice", record.path);
            let ended = ended.as_ref().clone();
            record.state = ended.state;
            record.verdict = ended.verdict;
            record.reason = ended.reason;
            record.reason_field = ended.reason_field;
            record.caused_by = ended.caused_by;
            record.inputs = ended.inputs.or(record.inputs.take());
            record.outputs = ended.outputs;
            record.error = ended.error;
            record.source = ended.source;
            if !ended.key.is_empty() {
                record.key = ended.key;
                record.preimage = ended.preimage;
            }
            record.is_left_out = ended.is_left_out;
            record.override_inputs = ended.override_inputs;
            record.candidate = ended.candidate;
        }
    }
}

/// Runs to the end. Leaves are answered one at a time, first launched first.
pub fn run(request: &RunRequest<'_>, mut answer: impl FnMut(&Launch) -> LeafEnded) -> Finished {
    let mut machine = machine(request);
    let mut finished = Finished { number: request.settings.run_id, ..Finished::default() };
    let mut pending = std::collections::VecDeque::new();
    let mut decisions = machine.advance(Events::default());
    loop {
        for decision in &decisions.decisions {
            keep(&mut finished.records, decision);
            if let Some(What::Launch(launch)) = &decision.what {
                finished.launched.push(launch.path.clone());
                pending.push_back(launch.clone());
            }
        }
        if let Some(ended) = decisions.run_ended {
            assert!(pending.is_empty(), "the run ended before its tasks");
            finished.state = ended.state;
            finished.outputs = ended.outputs.unwrap_or_default();
            break;
        }
        let launch = pending.pop_front().expect("nothing runs and the run has not ended");
        let event = answer(&launch);
        let record = finished.records.get_mut(&launch.task_id).unwrap();
        record.state = event.state;
        record.outputs = event.outputs.clone().filter(|_| event.state != State::Pending);
        record.error = event.error.clone();
        if event.state == State::Skipped {
            record.source = event.source.clone();
        }
        decisions = machine.advance(Events { ended: vec![event], cancel: false });
    }
    for record in finished.records.values() {
        let is_final = !matches!(record.state, State::Pending | State::Running | State::Unspecified);
        assert!(is_final, "{} is {:?} after the end", record.path, record.state);
    }
    finished
}

pub fn machine(request: &RunRequest<'_>) -> Machine {
    plan::machine(request, None).unwrap_or_else(|problems| panic!("problems: {problems:?}"))
}

/// A plan without problems, by path.
pub fn planned(request: &RunRequest<'_>) -> BTreeMap<String, TaskRecord> {
    let result = plan::plan(request);
    assert_eq!(result.problems, vec![], "the plan has problems");
    // The path of a dropped task may be another one's now; those come last.
    let mut plan = BTreeMap::new();
    for task in result.tasks {
        plan.entry(task.path.clone()).or_insert(task);
    }
    plan
}

/// Verdict and reason of a planned task.
pub fn verdict(plan: &BTreeMap<String, TaskRecord>, path: &str) -> (Verdict, Reason) {
    let task = plan.get(path).unwrap_or_else(|| panic!("{path} is not planned: {:?}", plan.keys()));
    (task.verdict, task.reason)
}

/// The problems of a request, as `field: message`.
pub fn problems(request: &RunRequest<'_>) -> Vec<String> {
    let problems = plan::plan(request).problems;
    problems.into_iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect()
}

/// A config for the task of that path in the original.
pub fn config(finished: &Finished, path: &str) -> Config {
    Config { field: "configs[0]".into(), task_id: finished.id(path), task_name: path.to_owned(), ..Config::default() }
}

/// What the SDK sends: a config for every task, `skip_task` where it succeeded; those given take the places of theirs.
pub fn sdk_configs(finished: &Finished, named: &[Config]) -> Vec<Config> {
    finished
        .records
        .values()
        .enumerate()
        .map(|(index, record)| {
            let own = named.iter().find(|config| config.task_id == record.task_id).cloned();
            let mut config = own.unwrap_or(Config {
                task_id: record.task_id,
                task_name: record.path.clone(),
                skip_task: record.state == State::Succeeded,
                ..Config::default()
            });
            config.field = format!("configs[{index}]");
            config
        })
        .collect()
}

/// Plans and runs a rerun, checks that the run refines the plan, and gives both.
pub fn rerun(
    request: &RunRequest<'_>,
    answer: impl FnMut(&Launch) -> LeafEnded,
) -> (BTreeMap<String, TaskRecord>, Finished) {
    let plan = planned(request);
    let finished = run(request, answer);
    for record in finished.records.values() {
        let Some(planned) = plan.get(&record.path) else { continue };
        let is_leaf = matches!(record.kind, Kind::Container | Kind::Importer);
        if !is_leaf {
            continue;
        }
        let refines = match planned.verdict {
            Verdict::ReEvaluate => true,
            // A task that was to run may be stopped by what came before it.
            Verdict::Execute => {
                matches!(record.verdict, Verdict::Execute)
                    || matches!(record.state, State::NotTriggered | State::Cancelled)
            }
            // Nothing inside a dag that does not come to its turn does.
            Verdict::Skip => {
                let parent = finished.records.get(&record.parent_task_id).map(|parent| parent.state);
                record.verdict == Verdict::Skip
                    || (parent == Some(record.state) && matches!(record.state, State::NotTriggered | State::Cancelled))
            }
            other => record.verdict == other,
        };
        assert!(
            refines,
            "{}: planned {:?} {:?}, became {:?} {:?}",
            record.path, planned.verdict, planned.reason, record.verdict, record.reason
        );
    }
    (plan, finished)
}
