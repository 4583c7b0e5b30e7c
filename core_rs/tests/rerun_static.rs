//! The plan of a rerun, row by row, for static DAGs and sub-DAGs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use _core::messages::*;
use serde_json::{json, Value as Json};
use support::*;

/// a -> b -> c, and d after a.
fn chain() -> Json {
    chain_with("code b")
}

fn chain_with(code_of_b: &str) -> Json {
    pipeline(
        components(&[
            ("comp-a", leaf("code a", &[])),
            ("comp-b", leaf(code_of_b, &[("x", "STRING")])),
            ("comp-c", leaf("code c", &[("x", "STRING")])),
            ("comp-d", leaf("code d", &[("x", "STRING")])),
        ]),
        json!({
            "a": task("comp-a", json!({})),
            "b": task("comp-b", json!({"x": "from:a"})),
            "c": task("comp-c", json!({"x": "from:b"})),
            "d": task("comp-d", json!({"x": "from:a"})),
        }),
    )
}

fn failing(path: &'static str) -> impl FnMut(&Launch) -> LeafEnded {
    move |launch| if launch.path == path { fail(launch) } else { succeed(launch) }
}

#[test]
fn a_first_run_executes_everything() {
    let request = request(&chain(), json!({}));
    let plan = planned(&request);
    for path in ["a", "b", "c", "d"] {
        assert_eq!(verdict(&plan, path), (Verdict::Execute, Reason::FirstRun));
    }
    let finished = run(&request, succeed);
    assert_eq!(finished.state, State::Succeeded);
    assert_eq!(finished.launched, ["a", "b", "d", "c"]);
    assert_eq!(finished.id("a"), 1);
}

#[test]
fn a_rerun_of_what_succeeded_reuses_everything() {
    let first = run(&request(&chain(), json!({})), succeed);
    let (plan, second) = rerun(&first.rerun(&chain()), fail);
    assert_eq!(second.state, State::Succeeded);
    assert_eq!(second.launched, Vec::<String>::new());
    assert_eq!(verdict(&plan, "c"), (Verdict::Reuse, Reason::Unchanged));
    let source = second.of("c").source.clone().unwrap();
    assert_eq!((source.run_id, source.task_id, source.path.as_str()), (1, first.id("c"), "c"));
    assert_eq!(second.of("c").outputs, first.of("c").outputs);
    assert_eq!(second.state_of("c"), State::Skipped);
    // A rerun of the rerun names the run that really executed.
    let (_, third) = rerun(&second.rerun(&chain()), fail);
    assert_eq!(third.of("c").source.clone().unwrap().run_id, 1);
}

#[test]
fn what_failed_runs_again_and_its_downstream_with_it() {
    let first = run(&request(&chain(), json!({})), failing("b"));
    assert_eq!(first.state, State::Failed);
    assert_eq!(first.state_of("c"), State::NotTriggered);
    assert_eq!(first.of("c").reason, Reason::UpstreamFailed);
    assert_eq!(first.of("c").caused_by, "b");
    let (plan, second) = rerun(&first.rerun(&chain()), succeed);
    assert_eq!(verdict(&plan, "a"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::NotSucceeded));
    assert_eq!(verdict(&plan, "c"), (Verdict::Execute, Reason::NotSucceeded));
    assert_eq!(second.launched, ["b", "c"]);
    assert_eq!(second.state, State::Succeeded);
}

#[test]
fn the_configs_that_the_sdk_fills_in_change_nothing() {
    let first = run(&request(&chain(), json!({})), failing("b"));
    let mut request = first.rerun(&chain());
    request.configs = sdk_configs(&first, &[]);
    let (_, second) = rerun(&request, succeed);
    assert_eq!(second.launched, ["b", "c"]);
    // In the second rerun everything is SKIPPED as reused or SUCCEEDED, and nothing runs.
    let mut request = second.rerun(&chain());
    request.configs = sdk_configs(&second, &[]);
    let (_, third) = rerun(&request, fail);
    assert_eq!(third.launched, Vec::<String>::new());
}

#[test]
fn a_changed_task_runs_and_equal_results_cut_off_what_follows() {
    let first = run(&request(&chain(), json!({})), |launch| leave(launch, json!("same")));
    let changed = chain_with("new code of b");
    let mut request = first.rerun(&changed);
    request.original.as_mut().unwrap().spec = struct_bytes(&chain()).into();
    let (plan, second) = rerun(&request, |launch| leave(launch, json!("same")));
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::KeyChanged));
    assert_eq!(plan["b"].reason_field, "executor.args");
    assert_eq!(verdict(&plan, "c"), (Verdict::ReEvaluate, Reason::UpstreamChanged));
    assert_eq!(plan["c"].caused_by, "b");
    assert_eq!(second.launched, ["b"]);
    assert_eq!(second.of("c").verdict, Verdict::Reuse);
    let (_, other) = rerun(&request, |launch| leave(launch, json!("other")));
    assert_eq!(other.launched, ["b", "c"]);
    assert_eq!(
        (other.of("c").reason, other.of("c").reason_field.as_str()),
        (Reason::KeyChanged, "inputs.parameters.x")
    );
    assert_eq!(other.of("c").caused_by, "b");
}

#[test]
fn a_task_asked_for_runs_and_is_not_answered_from_the_cache() {
    let first = run(&request(&chain(), json!({})), succeed);
    let mut request = first.rerun(&chain());
    request.configs = sdk_configs(&first, &[config(&first, "b")]);
    let (plan, second) = rerun(&request, |launch| {
        assert!(!launch.may_read_cache);
        succeed(launch)
    });
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::Requested));
    assert_eq!(second.launched, ["b"]);
}

#[test]
fn a_reused_task_runs_only_if_inputs_are_present_though_empty() {
    let first = run(&request(&chain(), json!({})), succeed);
    let (_, second) = rerun(&first.rerun(&chain()), fail);
    let mut request = second.rerun(&chain());
    request.configs = vec![config(&second, "b")];
    let (_, third) = rerun(&request, fail);
    assert_eq!(third.launched, Vec::<String>::new());
    request.configs[0].has_inputs = true;
    let (plan, third) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::Requested));
    assert_eq!(third.launched, ["b"]);
}

#[test]
fn a_failed_task_can_be_left_out_and_stays_so_until_it_is_named_with_inputs() {
    let spec = pipeline(
        components(&[("comp-a", leaf("a", &[])), ("comp-b", leaf("b", &[]))]),
        json!({
            "a": task("comp-a", json!({})),
            "b": with(task("comp-b", json!({})), json!({"dependentTasks": ["a"]})),
        }),
    );
    let first = run(&request(&spec, json!({})), failing("a"));
    let mut request = first.rerun(&spec);
    request.configs = vec![Config { skip_task: true, ..config(&first, "a") }];
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "a"), (Verdict::Skip, Reason::Requested));
    assert_eq!((second.state_of("a"), second.of("a").is_left_out), (State::Skipped, true));
    assert_eq!(second.launched, ["b"]);
    assert_eq!(second.state, State::Succeeded);
    for named in [None, Some(false)] {
        let mut request = second.rerun(&spec);
        request.configs.extend(named.map(|_| config(&second, "a")));
        let (plan, third) = rerun(&request, succeed);
        assert_eq!(verdict(&plan, "a"), (Verdict::Skip, Reason::Inherited));
        assert_eq!(third.launched, Vec::<String>::new());
    }
    let mut request = second.rerun(&spec);
    request.configs = vec![Config { has_inputs: true, ..config(&second, "a") }];
    let (_, third) = rerun(&request, succeed);
    assert_eq!(third.launched[0], "a");
}

#[test]
fn leaving_out_a_task_whose_output_is_needed_is_refused_naming_the_consumers() {
    let first = run(&request(&chain(), json!({})), failing("a"));
    let mut request = first.rerun(&chain());
    request.configs = vec![Config { skip_task: true, ..config(&first, "a") }];
    let found = problems(&request);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|problem| problem.starts_with("configs[0]: ")), "{found:?}");
    assert!(found[0].contains("\"b\"") && found[1].contains("\"d\""), "{found:?}");
    request.configs[0].skip_downstream_tasks = true;
    let (plan, second) = rerun(&request, succeed);
    for path in ["b", "c", "d"] {
        assert_eq!(verdict(&plan, path), (Verdict::Skip, Reason::SkipDownstream));
    }
    assert_eq!(second.state, State::Succeeded);
}

#[test]
fn skip_downstream_on_a_task_that_runs_means_up_to_here() {
    let first = run(&request(&chain(), json!({})), succeed);
    let mut request = first.rerun(&chain());
    request.configs = vec![Config { skip_downstream_tasks: true, ..config(&first, "b") }];
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "c"), (Verdict::Skip, Reason::SkipDownstream));
    assert_eq!(verdict(&plan, "d"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(second.launched, ["b"]);
}

#[test]
fn an_ancestors_outcome_is_reused_where_the_original_has_none() {
    let first = run(&request(&chain(), json!({})), succeed);
    // b is asked for and fails, so c is not triggered; its outcome of the first run is kept.
    let mut request = first.rerun(&chain());
    request.configs = vec![config(&first, "b")];
    let (_, second) = rerun(&request, failing("b"));
    assert_eq!(second.state_of("c"), State::NotTriggered);
    assert!(second.of("c").candidate.is_some());
    let (plan, third) = rerun(&second.rerun(&chain()), succeed);
    assert_eq!(verdict(&plan, "c"), (Verdict::ReEvaluate, Reason::UpstreamChanged));
    assert_eq!(third.launched, ["b"]);
    assert_eq!(third.of("c").source.clone().unwrap().run_id, 1);
}

#[test]
fn equal_inputs_do_not_dirty_a_task_and_others_do() {
    let first = run(&request(&chain(), json!({})), succeed);
    let old = first.output("a");
    let mut request = first.rerun(&chain());
    let named = Config { has_inputs: true, input_parameters: given(json!({"x": old})), ..config(&first, "b") };
    request.configs = sdk_configs(&first, &[named]);
    let (plan, second) = rerun(&request, fail);
    assert_eq!(verdict(&plan, "b"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(second.launched, Vec::<String>::new());
    let named = Config { has_inputs: true, input_parameters: given(json!({"x": "new"})), ..config(&first, "b") };
    request.configs = sdk_configs(&first, &[named]);
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::InputOverridden));
    assert_eq!(plan["b"].reason_field, "inputs.parameters.x");
    assert_eq!(second.launched, ["b", "c"]);
    assert_eq!(second.output("b"), json!("code b x=\"new\""));
    // The override is inherited, and may be given up.
    let (plan, third) = rerun(&second.rerun(&chain()), fail);
    assert_eq!(verdict(&plan, "b"), (Verdict::Reuse, Reason::Unchanged));
    assert!(third.of("b").override_inputs.is_some());
    let mut request = second.rerun(&chain());
    request.configs = vec![Config { drop_overrides: vec!["x".into()], ..config(&second, "b") }];
    request.configs[0].has_inputs = true;
    let (_, fourth) = rerun(&request, succeed);
    assert_eq!(fourth.output("b"), first.output("b"));
}

#[test]
fn an_overridden_input_no_longer_needs_its_producer() {
    let first = run(&request(&chain(), json!({})), failing("a"));
    let mut request = first.rerun(&chain());
    request.configs =
        vec![Config { has_inputs: true, input_parameters: given(json!({"x": "given"})), ..config(&first, "b") }];
    let (_, second) = rerun(&request, failing("a"));
    assert_eq!(second.launched, ["a", "b", "c"]);
    assert_eq!(second.state_of("d"), State::NotTriggered);
    assert_eq!(second.state, State::Failed);
}

#[test]
fn configs_are_checked_strictly_and_all_at_once() {
    let first = run(&request(&chain(), json!({})), succeed);
    let mut request = first.rerun(&chain());
    let b = config(&first, "b");
    request.configs = vec![
        Config { field: "c[0]".into(), task_id: 99, ..Config::default() },
        Config { field: "c[1]".into(), task_name: "nobody".into(), ..Config::default() },
        Config { field: "c[2]".into(), task_name: "a".into(), ..b.clone() },
        Config { field: "c[3]".into(), ..b.clone() },
        Config { field: "c[4]".into(), task_name: "b".into(), task_id: 0, ..Config::default() },
        Config { field: "c[5]".into(), skip_task: true, has_inputs: true, ..config(&first, "c") },
        Config {
            field: "c[6]".into(),
            has_inputs: true,
            input_parameters: given(json!({"x": 1, "y": 1})),
            ..config(&first, "d")
        },
    ];
    let found = problems(&request).join("\n");
    for expected in [
        "c[0].task_id: the original has no task 99",
        "c[1].task_name: neither the original nor the new spec has a task \"nobody\"",
        "c[2].task_name: task 2 of the original is \"b\"",
        "c[4]: is the second config for the task of c[3]",
        "c[5]: skip_task and inputs exclude each other",
        "c[6].inputs.parameter_values['x']: expected a value of type STRING, found an integer",
        "c[6].inputs.parameter_values['y']: the task declares no such input",
    ] {
        assert!(found.contains(expected), "{expected}\n\n{found}");
    }
    let mut first_run = support::request(&chain(), json!({}));
    first_run.configs = vec![Config { field: "c[0]".into(), task_name: "a".into(), ..Config::default() }];
    assert_eq!(problems(&first_run), ["c[0]: a rerun config needs an original run"]);
}

#[test]
fn a_removed_task_is_dropped_and_a_config_for_it_only_warned_about() {
    let first = run(&request(&chain(), json!({})), succeed);
    let mut smaller = chain();
    smaller["root"]["dag"]["tasks"].as_object_mut().unwrap().remove("d");
    let mut request = first.rerun(&smaller);
    request.configs = sdk_configs(&first, &[]);
    let result = _core::plan::plan(&request);
    assert_eq!(result.problems, vec![]);
    assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
    let last = result.tasks.last().unwrap();
    assert_eq!((last.path.as_str(), last.verdict, last.reason), ("d", Verdict::Dropped, Reason::Removed));
    request.configs =
        vec![Config { has_inputs: true, input_parameters: given(json!({"x": "1"})), ..config(&first, "d") }];
    assert_eq!(problems(&request).len(), 1);
}

#[test]
fn a_new_task_runs_and_a_renamed_one_is_found_by_its_key() {
    let first = run(&request(&chain(), json!({})), succeed);
    let mut renamed = chain();
    let tasks = renamed["root"]["dag"]["tasks"].as_object_mut().unwrap();
    let d = tasks.remove("d").unwrap();
    tasks.insert("d-2".into(), d.clone());
    tasks.insert("e".into(), task("comp-b", json!({"x": "hello"})));
    let (plan, second) = rerun(&first.rerun(&renamed), succeed);
    assert_eq!(verdict(&plan, "d-2"), (Verdict::Reuse, Reason::Renamed));
    assert_eq!(verdict(&plan, "e"), (Verdict::Execute, Reason::NotInOriginal));
    assert!(!plan.contains_key("d"));
    assert_eq!(second.of("d-2").source.clone().unwrap().path, "d");
    assert_eq!(second.launched, ["e"]);
}

#[test]
fn run_parameters_of_the_original_persist_and_only_what_they_change_runs() {
    let spec = with(
        pipeline(
            components(&[("comp-a", leaf("a", &[("x", "STRING")])), ("comp-b", leaf("b", &[("x", "NUMBER_INTEGER")]))]),
            json!({"a": task("comp-a", json!({"x": "in:p"})), "b": task("comp-b", json!({"x": "in:q"}))}),
        ),
        json!({}),
    );
    let mut spec = spec;
    spec["root"]["inputDefinitions"] = json!({"parameters": declared(&[("p", "STRING"), ("q", "NUMBER_INTEGER")])});
    let original = json!({"p": "one", "q": 9_007_199_254_740_993_i64});
    let first = run(&request(&spec, original.clone()), succeed);
    assert_eq!(first.output("b"), json!("b x=9007199254740993"));
    let mut request = first.rerun(&spec);
    request.original.as_mut().unwrap().parameters = given(original);
    request.settings.parameters = given(json!({"p": "two"}));
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "a"), (Verdict::Execute, Reason::KeyChanged));
    assert_eq!(plan["a"].reason_field, "inputs.parameters.x");
    assert_eq!(verdict(&plan, "b"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(second.launched, ["a"]);
}

#[test]
fn lost_artifacts_are_made_anew_only_if_somebody_reads_them() {
    let spec = |code: &str| {
        pipeline(
            components(&[
                ("comp-a", artifact_leaf("a", &[])),
                ("comp-b", artifact_leaf("b", &["x"])),
                ("comp-c", artifact_leaf(code, &["x"])),
            ]),
            json!({
                "a": artifact_task("comp-a", &[]),
                "b": artifact_task("comp-b", &[("x", "a")]),
                "c": artifact_task("comp-c", &[("x", "b")]),
            }),
        )
    };
    let mut first = run(&request(&spec("c"), json!({})), succeed);
    for record in first.records.values_mut() {
        for list in record.outputs.iter_mut().flat_map(|outputs| &mut outputs.artifacts) {
            list.artifacts[0].presence = if record.path == "b" { Presence::Changed } else { Presence::Missing };
        }
    }
    let (_, second) = rerun(&first.rerun(&spec("c")), fail);
    assert_eq!(second.launched, Vec::<String>::new());
    let (plan, second) = rerun(&first.rerun(&spec("new c")), succeed);
    assert_eq!(verdict(&plan, "c"), (Verdict::Execute, Reason::KeyChanged));
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::ArtifactChanged));
    assert_eq!(verdict(&plan, "a"), (Verdict::Execute, Reason::ArtifactMissing));
    assert_eq!(second.launched, ["a", "b", "c"]);
}

#[test]
fn the_cache_answers_what_would_run_unless_it_was_asked_for() {
    let mut spec = chain();
    for name in ["a", "b", "c", "d"] {
        spec["root"]["dag"]["tasks"][name]["cachingOptions"] = json!({"enableCache": true});
    }
    let elsewhere = run(&request(&spec, json!({})), succeed);
    let hits: Vec<CachedOutcome> = elsewhere
        .records
        .values()
        .map(|record| CachedOutcome {
            key: record.key.clone(),
            record: Some(record.clone()),
            source: Some(Source { run_id: 77, ..Source::default() }),
        })
        .collect();
    let mut request = support::request(&spec, json!({}));
    request.cache = hits.clone();
    let (plan, first) = rerun(&request, fail);
    assert_eq!(verdict(&plan, "c"), (Verdict::Reuse, Reason::CacheHit));
    assert_eq!(first.launched, Vec::<String>::new());
    assert_eq!(first.of("a").source.clone().unwrap().run_id, 77);
    let first = run(&support::request(&spec, json!({})), succeed);
    let mut request = first.rerun(&spec);
    request.cache = hits;
    request.configs = vec![config(&first, "b")];
    let (plan, _) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "b"), (Verdict::Execute, Reason::Requested));
}

/// s { p -> q }, then z after s.
fn nested() -> Json {
    pipeline(
        components(&[
            ("comp-p", leaf("p", &[("x", "STRING")])),
            ("comp-q", leaf("q", &[("x", "STRING")])),
            (
                "comp-s",
                json!({
                    "dag": {
                        "tasks": {"p": task("comp-p", json!({"x": "in:x"})), "q": task("comp-q", json!({"x": "from:p"}))},
                        "outputs": {"parameters": {"Output": {"valueFromParameter":
                            {"producerSubtask": "q", "outputParameterKey": "Output"}}}},
                    },
                    "inputDefinitions": {"parameters": declared(&[("x", "STRING")])},
                    "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
                }),
            ),
        ]),
        json!({"s": task("comp-s", json!({"x": "hello"})), "z": task("comp-p", json!({"x": "from:s"}))}),
    )
}

#[test]
fn the_tasks_of_a_sub_dag_come_after_it_and_before_its_consumers() {
    let first = run(&request(&nested(), json!({})), succeed);
    let ids: Vec<i64> = ["s", "s.p", "s.q", "z"].iter().map(|path| first.id(path)).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(first.of("s.q").parent_task_id, 1);
    assert_eq!(first.of("z").upstream, [1]);
    assert_eq!(first.output("s"), first.output("s.q"));
    let (plan, second) = rerun(&first.rerun(&nested()), fail);
    assert_eq!(verdict(&plan, "s"), (Verdict::Reuse, Reason::Children));
    assert_eq!(second.state_of("s"), State::Succeeded);
}

#[test]
fn a_config_on_a_dag_reaches_its_leaves_over_the_filler() {
    let first = run(&request(&nested(), json!({})), succeed);
    let mut request = first.rerun(&nested());
    request.configs = sdk_configs(&first, &[config(&first, "s")]);
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "s.p"), (Verdict::Execute, Reason::RequestedByParent));
    assert_eq!(verdict(&plan, "s.q"), (Verdict::Execute, Reason::RequestedByParent));
    assert_eq!(verdict(&plan, "s"), (Verdict::Execute, Reason::Children));
    assert_eq!(second.launched, ["s.p", "s.q"]);
    assert_eq!(second.of("z").verdict, Verdict::Reuse);
}

#[test]
fn a_failed_dag_can_be_left_out_with_all_that_is_inside() {
    let mut spec = nested();
    spec["components"]["comp-z"] = with(leaf("z", &[("x", "STRING?")]), json!({"executorLabel": "comp-p"}));
    spec["root"]["dag"]["tasks"]["z"]["componentRef"]["name"] = json!("comp-z");
    let first = run(&request(&spec, json!({})), failing("s.q"));
    assert_eq!(first.state_of("s"), State::Failed);
    let mut request = first.rerun(&spec);
    request.configs = sdk_configs(&first, &[Config { skip_task: true, ..config(&first, "s") }]);
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "s"), (Verdict::Skip, Reason::Requested));
    assert_eq!(verdict(&plan, "s.p"), (Verdict::Skip, Reason::RequestedByParent));
    assert_eq!(second.launched, ["z"]);
    assert_eq!(second.state_of("s"), State::Skipped);
    // Not succeeded and skip_task=false is what the SDK fills in: it changes nothing.
    request.configs = sdk_configs(&first, &[]);
    let (_, second) = rerun(&request, succeed);
    assert_eq!(second.launched, ["s.q", "z"]);
}

#[test]
fn inputs_of_a_dag_flow_to_its_children() {
    let first = run(&request(&nested(), json!({})), succeed);
    let mut request = first.rerun(&nested());
    let named = Config { has_inputs: true, input_parameters: given(json!({"x": "other"})), ..config(&first, "s") };
    request.configs = sdk_configs(&first, &[named]);
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "s.p"), (Verdict::Execute, Reason::KeyChanged));
    assert_eq!(second.launched, ["s.p", "s.q", "z"]);
    assert_eq!(second.output("s.p"), json!("p x=\"other\""));
    let named = Config { has_inputs: true, input_parameters: given(json!({"x": "hello"})), ..config(&first, "s") };
    request.configs = sdk_configs(&first, &[named]);
    let (_, second) = rerun(&request, fail);
    assert_eq!(second.launched, Vec::<String>::new());
}

#[test]
fn an_outcome_without_a_comparable_key_is_not_reused() {
    let mut first = run(&request(&chain(), json!({})), succeed);
    for record in first.records.values_mut() {
        record.preimage = b"reprise.key.v0".to_vec();
    }
    let plan = planned(&first.rerun(&chain()));
    assert_eq!(verdict(&plan, "a"), (Verdict::Execute, Reason::NotComparable));
}

#[test]
fn the_digest_of_a_plan_changes_with_everything_but_the_cache() {
    let first = run(&request(&chain(), json!({})), succeed);
    let base = first.rerun(&chain());
    let digest = |request: &RunRequest<'_>| _core::plan::plan(request).digest;
    assert_eq!(digest(&base), digest(&base.clone()));
    let mut cached = base.clone();
    cached.cache = vec![CachedOutcome { key: vec![1; 32], ..CachedOutcome::default() }];
    assert_eq!(digest(&base), digest(&cached));
    let mut configured = base.clone();
    configured.configs = vec![config(&first, "b")];
    assert_ne!(digest(&base), digest(&configured));
    let mut moved = configured.clone();
    moved.configs[0].field = "configs[7]".into();
    assert_eq!(digest(&moved), digest(&configured));
    let mut other = first.clone();
    other.records.get_mut(&1).unwrap().state = State::Failed;
    assert_ne!(digest(&base), digest(&other.rerun(&chain())));
}

#[test]
fn a_check_says_what_the_plan_says_but_for_the_tasks() {
    let first = run(&request(&chain(), json!({})), failing("a"));
    let unchanged = first.rerun(&chain());
    let mut configured = unchanged.clone();
    configured.configs = vec![Config { skip_task: true, ..config(&first, "a") }];
    let mut changed = first.rerun(&chain_with("new"));
    changed.original.as_mut().unwrap().spec = struct_bytes(&chain()).into();
    for request in [&unchanged, &configured, &changed] {
        let plan = _core::plan::plan(request);
        let check = _core::plan::check(request, true);
        assert_eq!(check, PlanResult { tasks: vec![], ..plan });
        assert_eq!(_core::plan::check(request, false).digest, Vec::<u8>::new());
    }
}
