//! What is refused before a run is made, and how large a run may be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use _core::messages::*;
use serde_json::{json, Value as Json};
use support::*;

fn found(spec: &Json, parameters: Json) -> Vec<String> {
    problems(&request(spec, parameters))
}

fn assert_found(found: &[String], expected: &[&str]) {
    for expected in expected {
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}\nis not among\n{found:#?}");
    }
}

#[test]
fn what_is_no_pipeline_is_refused() {
    for spec in [json!({}), json!({"a": 1}), json!({"pipelineSpec": {"root": {}}, "runtimeConfig": {}})] {
        let found = found(&spec, json!({}));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("pipeline_job.pipeline_spec: expected a compiled pipeline"), "{found:?}");
    }
    assert!(problems(&request(&json!({"pipelineSpec": {}}), json!({})))[0].contains("whole PipelineJob"));
}

#[test]
fn everything_wrong_in_a_spec_is_told_in_one_answer() {
    let mut spec = pipeline(
        components(&[
            ("comp-a", leaf("a", &[("x", "STRING"), ("y", "NUMBER_INTEGER")])),
            ("comp-lost", leaf("lost", &[])),
        ]),
        json!({
            "a": task("comp-a", json!({"x": "in:nothing"})),
            "b": task("comp-nobody", json!({})),
            "c": task("comp-a", json!({"x": "from:zzz", "y": "from:a.NoOutput"})),
            "d": with(task("comp-a", json!({"x": "1", "y": 1})), json!({"dependentTasks": ["gone"]})),
            "e": {"componentRef": 5, "triggerPolicy": {"strategy": "SOMETIMES"}, "retryPolicy": {"backoffDuration": "soon"}},
            "f": with(task("comp-a", json!({"x": "1", "y": 1})),
                json!({"parameterIterator": {"itemInput": "x", "items": {"raw": "not json"}}})),
        }),
    );
    spec["schemaVersion"] = json!("1.0.0");
    spec["pipelineInfo"] = json!({});
    spec["deploymentSpec"]["executors"].as_object_mut().unwrap().remove("comp-lost");
    let found = found(&spec, json!({}));
    let at = "pipeline_job.pipeline_spec.root.dag.tasks";
    assert_found(
        &found,
        &[
            "pipeline_job.pipeline_spec.pipelineInfo.name: is required",
            "pipeline_job.pipeline_spec.schemaVersion: expected 2.0.0 or 2.1.0",
            "pipeline_job.pipeline_spec.components['comp-lost'].executorLabel: deploymentSpec has no executor",
            &format!("{at}['a'].inputs.parameters['x'].componentInputParameter: \"root\" declares no input parameter"),
            &format!("{at}['a'].inputs.parameters['y']: \"comp-a\" needs this input"),
            &format!("{at}['b'].componentRef.name: the spec has no component \"comp-nobody\""),
            &format!("{at}['c'].inputs.parameters['x'].producerTask: the dag has no task \"zzz\""),
            &format!("{at}['c'].inputs.parameters['y'].taskOutputParameter.outputParameterKey: the task \"a\" has no"),
            &format!("{at}['d'].dependentTasks[0]: the dag has no task \"gone\""),
            &format!("{at}['e'].componentRef: expected a struct, found a number"),
            &format!("{at}['e'].triggerPolicy.strategy: \"SOMETIMES\" is no trigger strategy"),
            &format!("{at}['e'].retryPolicy.backoffDuration: expected a duration"),
            &format!("{at}['f'].parameterIterator.items.raw: is no JSON"),
        ],
    );
}

#[test]
fn tasks_that_wait_for_each_other_are_told_along_the_cycle() {
    let spec = pipeline(
        components(&[("comp-a", leaf("a", &[("x", "STRING?")]))]),
        json!({
            "a": task("comp-a", json!({"x": "from:c"})),
            "b": task("comp-a", json!({"x": "from:a"})),
            "c": task("comp-a", json!({"x": "from:b"})),
        }),
    );
    assert_eq!(
        found(&spec, json!({})),
        ["pipeline_job.pipeline_spec.root.dag.tasks['a'].dependentTasks: the tasks wait for each other: a -> c -> b -> a"]
    );
}

#[test]
fn a_component_that_contains_itself_is_refused() {
    let dag = |inner: &str| json!({"dag": {"tasks": {"t": task(inner, json!({}))}}});
    let spec = pipeline(
        components(&[("comp-a", dag("comp-b")), ("comp-b", dag("comp-a"))]),
        json!({"a": task("comp-a", json!({}))}),
    );
    let found = found(&spec, json!({}));
    assert_found(
        &found,
        &["pipeline_job.pipeline_spec.components['comp-a']: the component contains itself: comp-a -> comp-b -> comp-a"],
    );
}

#[test]
fn dags_that_multiply_without_end_are_refused_quickly() {
    let mut list = vec![("comp-00".to_owned(), leaf("a", &[]))];
    for level in 1..40 {
        let inner = format!("comp-{:02}", level - 1);
        let tasks = json!({"l": task(&inner, json!({})), "r": task(&inner, json!({}))});
        list.push((format!("comp-{level:02}"), json!({"dag": {"tasks": tasks}})));
    }
    let list: Vec<(&str, Json)> = list.iter().map(|(name, component)| (name.as_str(), component.clone())).collect();
    let found = found(&pipeline(components(&list), json!({"t": task("comp-39", json!({}))})), json!({}));
    assert_found(&found, &["pipeline_job.pipeline_spec.root: the run would have"]);
}

fn with_parameters(declared: Json) -> Json {
    let mut spec = pipeline(components(&[("comp-a", leaf("a", &[]))]), json!({"a": task("comp-a", json!({}))}));
    spec["root"]["inputDefinitions"] = json!({"parameters": declared});
    spec
}

#[test]
fn run_parameters_are_checked_strictly() {
    let spec = with_parameters(json!({
        "text": {"parameterType": "STRING"},
        "count": {"parameterType": "NUMBER_INTEGER"},
        "ratio": {"parameterType": "NUMBER_DOUBLE"},
        "flag": {"parameterType": "BOOLEAN"},
        "list": {"parameterType": "LIST"},
        "struct": {"parameterType": "STRUCT"},
        "mode": {"parameterType": "STRING", "literals": ["fast", "slow"], "defaultValue": "fast"},
        "needed": {"parameterType": "STRING"},
        "free": {"parameterType": "STRING", "isOptional": true},
    }));
    let at = "pipeline_job.runtime_config.parameter_values";
    let wrong = found(
        &spec,
        json!({"text": 5, "count": 1.5, "ratio": "x", "flag": 0, "list": {}, "struct": [], "mode": "other", "unknown": 1}),
    );
    assert_found(
        &wrong,
        &[
            &format!("{at}['text']: expected a value of type STRING, found an integer"),
            &format!("{at}['count']: expected a value of type NUMBER_INTEGER"),
            &format!("{at}['ratio']: expected"),
            &format!("{at}['flag']: expected"),
            &format!("{at}['list']: expected"),
            &format!("{at}['struct']: expected"),
            &format!("{at}['mode']: expected one of \"fast\", \"slow\", found \"other\""),
            &format!("{at}['unknown']: the pipeline declares no such parameter"),
            &format!("{at}['needed']: is required"),
        ],
    );
    let right = json!({
        "text": "5", "count": 1.0, "ratio": 1, "flag": false, "list": [], "struct": {}, "mode": "slow", "needed": "",
    });
    assert_eq!(found(&spec, right), Vec::<String>::new());
}

#[test]
fn a_final_status_is_no_parameter_of_a_run() {
    let spec = with_parameters(json!({"s": {"parameterType": "TASK_FINAL_STATUS", "isOptional": true}}));
    assert_found(
        &found(&spec, json!({})),
        &["parameter_values['s']: a run cannot have a parameter of type TASK_FINAL_STATUS"],
    );
}

#[test]
fn a_spec_of_schema_2_0_0_takes_its_parameters_as_text() {
    let mut component = leaf("a", &[("x", "INT"), ("y", "STRING"), ("z", "STRING")]);
    component["inputDefinitions"]["parameters"] =
        json!({"x": {"type": "INT"}, "y": {"type": "STRING"}, "z": {"type": "STRING"}});
    component["outputDefinitions"]["parameters"] = json!({"Output": {"type": "STRING"}});
    let mut spec = pipeline(
        components(&[("comp-a", component)]),
        json!({"a": {
            "componentRef": {"name": "comp-a"},
            "inputs": {"parameters": {
                "x": {"componentInputParameter": "n"},
                "y": {"runtimeValue": {"constantValue": {"stringValue": "text"}}},
                "z": {"componentInputParameter": "l"},
            }},
        }}),
    );
    spec["schemaVersion"] = json!("2.0.0");
    spec["root"]["inputDefinitions"] = json!({"parameters": {"n": {"type": "INT"}, "l": {"type": "STRING"}}});
    let first = run(&request(&spec, json!({"n": "7", "l": "[1, 2]"})), succeed);
    assert_eq!(first.output("a"), json!("a x=7 y=\"text\" z=\"[1, 2]\""));
}

#[test]
fn what_needs_google_cloud_is_told_for_every_task() {
    let mut spec = pipeline(
        components(&[
            ("comp-a", leaf("a", &[])),
            ("comp-b", leaf("b", &[])),
            ("comp-c", leaf("c", &[])),
            ("comp-d", leaf("d", &[])),
        ]),
        json!({
            "a": task("comp-a", json!({})),
            "b": task("comp-b", json!({})),
            "c": task("comp-c", json!({})),
            "d": task("comp-d", json!({})),
        }),
    );
    spec["deploymentSpec"]["executors"] = json!({
        "comp-a": {"customJob": {"customJob": {}}},
        "comp-b": {"container": {"image": "gcr.io/ml-pipeline/google-cloud-pipeline-components:2.0",
            "command": ["python3", "-u", "-m", "google_cloud_pipeline_components.container.v1.custom_job.launcher"],
            "args": ["--project", "{{$.pipeline_google_cloud_project_id}}"]}},
        "comp-c": {"container": {"image": "python", "resources": {"accelerator": {"type": "NVIDIA", "count": "1"}}}},
        "comp-d": {"container": {"image": "python"}},
    });
    let result = _core::plan::plan(&request(&spec, json!({})));
    let found: Vec<String> =
        result.requirements.iter().map(|r| format!("{} {} {}", r.path, r.executor, r.construct)).collect();
    assert_eq!(
        found,
        [
            "a comp-a customJob",
            "b comp-b image under gcr.io/ml-pipeline/",
            "b comp-b command of google_cloud_pipeline_components",
            "b comp-b placeholder {{$.pipeline_google_cloud_project_id}}",
            "c comp-c accelerator",
        ]
    );
}

#[test]
fn a_chain_of_ten_thousand_tasks_runs() {
    let mut tasks = serde_json::Map::new();
    for index in 0..10_000 {
        let parameters = if index == 0 { json!({}) } else { json!({"x": format!("from:t{:05}", 10_000 - index)}) };
        tasks.insert(format!("t{:05}", 9_999 - index), task("comp-a", parameters));
    }
    let spec = pipeline(components(&[("comp-a", leaf("a", &[("x", "STRING?")]))]), Json::Object(tasks));
    let request = request(&spec, json!({}));
    let first = run(&request, |launch| leave(launch, json!("x")));
    assert_eq!((first.state, first.launched.len()), (State::Succeeded, 10_000));
    assert_eq!(first.launched[0], "t09999");
    let (_, second) = rerun(&first.rerun(&spec), fail);
    assert_eq!(second.launched.len(), 0);
}

#[test]
fn a_fan_of_thirty_thousand_tasks_is_planned_and_joined() {
    let mut tasks = serde_json::Map::new();
    for index in 0..30_000 {
        tasks.insert(format!("t{index:06}"), task("comp-a", json!({"x": "in:p"})));
    }
    let mut join = task("comp-b", json!({}));
    join["dependentTasks"] = (0..30_000).map(|index| format!("t{index:06}")).collect();
    tasks.insert("join".into(), join);
    let mut spec = pipeline(
        components(&[("comp-a", leaf("a", &[("x", "STRING")])), ("comp-b", leaf("b", &[]))]),
        Json::Object(tasks),
    );
    spec["root"]["inputDefinitions"] = json!({"parameters": {"p": {"parameterType": "STRING"}}});
    let request = request(&spec, json!({"p": "1"}));
    assert_eq!(planned(&request).len(), 30_001);
    let first = run(&request, |launch| leave(launch, json!("x")));
    assert_eq!((first.state, first.launched.len()), (State::Succeeded, 30_001));
    assert_eq!(first.launched.last().unwrap(), "join");
}

#[test]
fn many_tasks_tell_their_problems_in_the_order_of_few() {
    let mut tasks = serde_json::Map::new();
    for index in 0..6_000 {
        tasks.insert(
            format!("t{index:06}"),
            task("comp-a", json!({"x": "in:p", "note": "so that the spec is large ".repeat(9)})),
        );
    }
    for (name, wrong) in [("t000010", "cachingOptions"), ("t005990", "triggerPolicy")] {
        tasks[name][wrong] = json!(7);
    }
    let spec = |tasks: &serde_json::Map<String, Json>| {
        let leaf = leaf("a", &[("x", "STRING"), ("note", "STRING")]);
        let mut spec = pipeline(components(&[("comp-a", leaf)]), Json::Object(tasks.clone()));
        spec["root"]["inputDefinitions"] = json!({"parameters": {"p": {"parameterType": "STRING"}}});
        request(&spec, json!({"p": "1"}))
    };
    let wrong = ["t000010'].cachingOptions", "t005990'].triggerPolicy"];
    let found = problems(&spec(&tasks));
    assert!(found.len() == 2 && found.iter().zip(wrong).all(|(found, wrong)| found.contains(wrong)), "{found:?}");
    for name in ["t000010", "t005990"] {
        tasks.insert(name.into(), task("comp-gone", json!({"x": "from:nobody"})));
    }
    let needs =
        |name: &str| [format!("{name}'].dependentTasks[0]"), format!("{name}'].inputs.parameters['x'].producerTask")];
    let components = ["t000010", "t005990"].map(|name| format!("{name}'].componentRef.name"));
    let expected = [needs("t000010"), needs("t005990"), components].concat();
    let found = problems(&spec(&tasks));
    assert!(found.len() == 6 && found.iter().zip(&expected).all(|(found, wrong)| found.contains(wrong)), "{found:?}");
}

#[test]
fn no_bytes_make_the_core_panic() {
    let mut good = request(&with_parameters(json!({"p": {"parameterType": "STRING"}})), json!({"p": "1"})).encode();
    // A small generator, so that the test is the same each time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..3_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + next() % 4 {
            let at = (next() % bytes.len() as u64) as usize;
            bytes[at] = next() as u8;
        }
        let _ = _core::api::plan(&bytes);
        if let Ok(mut machine) = _core::api::machine(&_core::pieces::Pieces::whole(&bytes), None) {
            let _ = _core::api::advance(&mut machine, &[]);
            let _ = _core::api::advance(&mut machine, &bytes);
        }
    }
    good.truncate(good.len() / 2);
    let result = PlanResult::decode(&_core::api::plan(&good)).unwrap();
    assert!(!result.problems.is_empty());
}
