//! Conditions and loops: run, planned, and run again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use _core::messages::*;
use serde_json::{json, Value as Json};
use support::*;

fn output_string() -> Json {
    json!({"parameters": {"Output": {"parameterType": "STRING"}}})
}

/// flip -> if heads: win, else: lose; OneOf of both -> tell.
fn coin() -> Json {
    let branch = |leaf: &str| {
        json!({
            "dag": {
                "tasks": {leaf: task(&format!("comp-{leaf}"), json!({"x": "in:side"}))},
                "outputs": {"parameters": {"Output": {"valueFromParameter":
                    {"producerSubtask": leaf, "outputParameterKey": "Output"}}}},
            },
            "inputDefinitions": {"parameters": declared(&[("side", "STRING")])},
            "outputDefinitions": output_string(),
        })
    };
    let is_heads = "inputs.parameter_values['side'] == 'heads'";
    pipeline(
        components(&[
            ("comp-flip", leaf("flip", &[])),
            ("comp-win", leaf("win", &[("x", "STRING")])),
            ("comp-lose", leaf("lose", &[("x", "STRING")])),
            ("comp-tell", leaf("tell", &[("x", "STRING")])),
            ("comp-condition-2", branch("win")),
            ("comp-condition-3", branch("lose")),
            (
                "comp-condition-branches-1",
                json!({
                    "dag": {
                        "tasks": {
                            "condition-2": with(task("comp-condition-2", json!({"side": "in:side"})),
                                json!({"triggerPolicy": {"condition": is_heads}})),
                            "condition-3": with(task("comp-condition-3", json!({"side": "in:side"})),
                                json!({"triggerPolicy": {"condition": format!("!({is_heads})")}})),
                        },
                        "outputs": {"parameters": {"Output": {"valueFromOneof": {"parameterSelectors": [
                            {"producerSubtask": "condition-2", "outputParameterKey": "Output"},
                            {"producerSubtask": "condition-3", "outputParameterKey": "Output"},
                        ]}}}},
                    },
                    "inputDefinitions": {"parameters": declared(&[("side", "STRING")])},
                    "outputDefinitions": output_string(),
                }),
            ),
        ]),
        json!({
            "flip": task("comp-flip", json!({})),
            "condition-branches-1": task("comp-condition-branches-1", json!({"side": "from:flip"})),
            "tell": task("comp-tell", json!({"x": "from:condition-branches-1"})),
        }),
    )
}

const WIN: &str = "condition-branches-1.condition-2.win";
const LOSE: &str = "condition-branches-1.condition-3.lose";

fn side(side: &'static str) -> impl FnMut(&Launch) -> LeafEnded {
    move |launch| if launch.path == "flip" { leave(launch, json!(side)) } else { succeed(launch) }
}

#[test]
fn one_branch_runs_and_its_output_stands_for_both() {
    let first = run(&request(&coin(), json!({})), side("tails"));
    assert_eq!(first.state, State::Succeeded);
    assert_eq!(first.launched, ["flip", LOSE, "tell"]);
    assert_eq!((first.state_of(WIN), first.of(WIN).reason), (State::NotTriggered, Reason::ConditionFalse));
    assert_eq!(first.output("condition-branches-1"), json!("lose x=\"tails\""));
}

#[test]
fn a_condition_is_evaluated_again_when_what_it_reads_has_run() {
    let first = run(&request(&coin(), json!({})), side("heads"));
    let mut request = first.rerun(&coin());
    let (_, second) = rerun(&request, fail);
    assert_eq!(second.launched, Vec::<String>::new());
    request.configs = vec![config(&first, "flip")];
    let (plan, second) = rerun(&request, side("tails"));
    assert_eq!(verdict(&plan, WIN), (Verdict::ReEvaluate, Reason::ConditionUnknown));
    assert_eq!(plan[WIN].caused_by, "flip");
    assert_eq!(verdict(&plan, LOSE), (Verdict::ReEvaluate, Reason::ConditionUnknown));
    assert_eq!(verdict(&plan, "tell"), (Verdict::ReEvaluate, Reason::UpstreamChanged));
    assert_eq!(second.launched, ["flip", LOSE, "tell"]);
    assert_eq!(second.state_of(WIN), State::NotTriggered);
    assert_eq!(second.of(WIN).outputs, None);
    let (_, same) = rerun(&request, side("heads"));
    assert_eq!(same.launched, ["flip"]);
    assert_eq!(same.of(WIN).verdict, Verdict::Reuse);
}

#[test]
fn a_condition_that_is_an_error_fails_its_task() {
    let mut spec = coin();
    let tasks = &mut spec["components"]["comp-condition-branches-1"]["dag"]["tasks"];
    tasks["condition-2"]["triggerPolicy"]["condition"] = json!("int(inputs.parameter_values['side']) > 3");
    let first = run(&request(&spec, json!({})), side("heads"));
    assert_eq!(first.state, State::Failed);
    assert_eq!(first.state_of("condition-branches-1.condition-2"), State::Failed);
    assert_eq!(first.state_of(WIN), State::NotTriggered);
    assert_eq!(first.state_of("tell"), State::NotTriggered);
}

/// list -> for item in list: work; collected -> join.
fn looped(items: Json) -> Json {
    let mut spec = pipeline(
        components(&[
            (
                "comp-list",
                with(
                    leaf("list", &[]),
                    json!({"outputDefinitions": {"parameters": {"Output": {"parameterType": "LIST"}}}}),
                ),
            ),
            ("comp-work", leaf("work", &[("x", "STRING")])),
            ("comp-more", leaf("more", &[("x", "STRING")])),
            ("comp-join", leaf("join", &[("x", "LIST")])),
            (
                "comp-for-loop-1",
                json!({
                    "dag": {
                        "tasks": {
                            "work": task("comp-work", json!({"x": "in:item"})),
                            "more": task("comp-more", json!({"x": "from:work"})),
                        },
                        "outputs": {"parameters": {"Output": {"valueFromParameter":
                            {"producerSubtask": "more", "outputParameterKey": "Output"}}}},
                    },
                    "inputDefinitions": {"parameters": declared(&[("item", "STRING"), ("items", "LIST?")])},
                    "outputDefinitions": {"parameters": {"Output": {"parameterType": "LIST"}}},
                }),
            ),
        ]),
        json!({"join": task("comp-join", json!({"x": "from:for-loop-1"}))}),
    );
    let tasks = &mut spec["root"]["dag"]["tasks"];
    if items.is_null() {
        tasks["list"] = task("comp-list", json!({}));
        tasks["for-loop-1"] = with(
            task("comp-for-loop-1", json!({"items": "from:list"})),
            json!({"parameterIterator": {"itemInput": "item", "items": {"inputParameter": "items"}}}),
        );
    } else {
        tasks["for-loop-1"] = with(
            task("comp-for-loop-1", json!({})),
            json!({"parameterIterator": {"itemInput": "item", "items": {"raw": items.to_string()}}}),
        );
    }
    spec
}

fn listing(items: Json) -> impl FnMut(&Launch) -> LeafEnded {
    move |launch| if launch.path == "list" { leave(launch, items.clone()) } else { succeed(launch) }
}

#[test]
fn a_loop_over_constants_is_there_from_the_start_and_collects_in_order() {
    let first = run(&request(&looped(json!(["a", "b"])), json!({})), succeed);
    let paths: Vec<&str> = first.records.values().map(|record| record.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "for-loop-1",
            "for-loop-1[0]",
            "for-loop-1[0].work",
            "for-loop-1[0].more",
            "for-loop-1[1]",
            "for-loop-1[1].work",
            "for-loop-1[1].more",
            "join",
        ]
    );
    assert_eq!(first.output("for-loop-1").as_array().unwrap().len(), 2);
    assert_eq!(first.output("for-loop-1")[1], first.output("for-loop-1[1].more"));
    assert_eq!(first.of("for-loop-1[1]").name, "for-loop-1[1]");
}

#[test]
fn an_empty_loop_succeeds_with_empty_outputs() {
    let first = run(&request(&looped(json!(null)), json!({})), listing(json!([])));
    assert_eq!(first.state, State::Succeeded);
    assert_eq!(first.output("for-loop-1"), json!([]));
    assert_eq!(first.output("join"), json!("join x=[]"));
}

#[test]
fn a_list_that_is_none_fails_the_loop() {
    for items in [json!("no list"), json!({"a": 1}), json!(3)] {
        let first = run(&request(&looped(json!(null)), json!({})), listing(items));
        assert_eq!(first.state_of("for-loop-1"), State::Failed);
        assert_eq!(first.state, State::Failed);
    }
    let first = run(&request(&looped(json!(null)), json!({})), listing(json!("[\"a\"]")));
    assert_eq!(first.state, State::Succeeded);
}

#[test]
fn no_more_iterations_run_at_once_than_the_limit() {
    let mut spec = looped(json!(["a", "b", "c", "d", "e"]));
    spec["root"]["dag"]["tasks"]["for-loop-1"]["iteratorPolicy"] = json!({"parallelismLimit": 2});
    let mut machine = machine(&request(&spec, json!({})));
    let mut running: Vec<Launch> = Vec::new();
    let mut decisions = machine.advance(Events::default());
    let mut most = 0;
    loop {
        for decision in decisions.decisions {
            if let Some(What::Launch(launch)) = decision.what {
                running.push(*launch);
            }
        }
        most = most.max(running.len());
        if decisions.run_ended.is_some() {
            break;
        }
        let launch = running.pop().unwrap();
        decisions = machine.advance(Events { ended: vec![succeed(&launch)], cancel: false });
    }
    assert_eq!(most, 2);
}

#[test]
fn iterations_are_matched_by_item_and_not_by_index() {
    let first = run(&request(&looped(json!(["a", "b", "c", "c"])), json!({})), succeed);
    let other = looped(json!(["c", "x", "a", "c", "c"]));
    let (plan, second) = rerun(&first.rerun(&other), succeed);
    assert_eq!(verdict(&plan, "for-loop-1[0].work"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(second.of("for-loop-1[0].work").source.clone().unwrap().path, "for-loop-1[2].work");
    assert_eq!(second.of("for-loop-1[3].work").source.clone().unwrap().path, "for-loop-1[3].work");
    assert_eq!(verdict(&plan, "for-loop-1[1].work"), (Verdict::Execute, Reason::NotInOriginal));
    assert_eq!(verdict(&plan, "for-loop-1[4].work"), (Verdict::Execute, Reason::NotInOriginal));
    let dropped = _core::plan::plan(&first.rerun(&other)).tasks;
    let dropped: Vec<(&str, Reason)> =
        dropped.iter().filter(|t| t.verdict == Verdict::Dropped).map(|t| (t.path.as_str(), t.reason)).collect();
    assert_eq!(dropped.len(), 3, "{dropped:?}");
    assert!(dropped.iter().all(|(path, reason)| path.starts_with("for-loop-1[1]") && *reason == Reason::ItemRemoved));
    assert_eq!(second.launched.len(), 5, "{:?}", second.launched);
}

#[test]
fn a_produced_list_is_known_when_its_producer_is_reused_and_waits_when_it_runs() {
    let first = run(&request(&looped(json!(null)), json!({})), listing(json!(["a", "b", "c"])));
    let mut request = first.rerun(&looped(json!(null)));
    let (plan, second) = rerun(&request, fail);
    assert_eq!(verdict(&plan, "for-loop-1[2].more"), (Verdict::Reuse, Reason::Unchanged));
    assert_eq!(second.launched, Vec::<String>::new());
    request.configs = vec![config(&first, "list")];
    let (plan, second) = rerun(&request, listing(json!(["b", "new"])));
    assert_eq!(verdict(&plan, "for-loop-1"), (Verdict::ReEvaluate, Reason::ConditionUnknown));
    assert_eq!(verdict(&plan, "join"), (Verdict::ReEvaluate, Reason::UpstreamChanged));
    assert!(!plan.contains_key("for-loop-1[0]") && plan.values().all(|task| task.verdict != Verdict::Dropped));
    assert_eq!(second.of("for-loop-1[0].work").verdict, Verdict::Reuse);
    assert_eq!(second.launched, ["list", "for-loop-1[1].work", "for-loop-1[1].more", "join"]);
}

#[test]
fn one_of_many_iterations_can_be_left_out_and_the_rest_keeps_its_order() {
    let spec = looped(json!(["a", "b", "c"]));
    let first = run(&request(&spec, json!({})), |launch| {
        if launch.path.starts_with("for-loop-1[1]") {
            fail(launch)
        } else {
            succeed(launch)
        }
    });
    assert_eq!(first.state, State::Failed);
    let mut request = first.rerun(&spec);
    let named = Config { skip_task: true, ..config(&first, "for-loop-1[1]") };
    request.configs = sdk_configs(&first, &[named]);
    let (plan, second) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "for-loop-1[1]"), (Verdict::Skip, Reason::Requested));
    assert_eq!(verdict(&plan, "for-loop-1[1].work"), (Verdict::Skip, Reason::RequestedByParent));
    assert_eq!(second.state, State::Succeeded);
    let collected = second.output("for-loop-1");
    assert_eq!(collected, json!([first.output("for-loop-1[0].more"), first.output("for-loop-1[2].more")]));
    // One task inside an iteration follows the same rule inside it.
    request.configs = vec![Config { skip_task: true, ..config(&first, "for-loop-1[1].work") }];
    let found = problems(&request);
    assert!(found.iter().any(|problem| problem.contains("\"for-loop-1[1].more\"")), "{found:?}");
}

#[test]
fn a_skip_in_a_loop_whose_list_is_not_known_is_bound_by_item() {
    let first = run(&request(&looped(json!(null)), json!({})), |launch| {
        if launch.path == "for-loop-1[1].work" {
            fail(launch)
        } else {
            listing(json!(["a", "b", "c"]))(launch)
        }
    });
    let mut request = first.rerun(&looped(json!(null)));
    request.configs = vec![config(&first, "list"), Config { skip_task: true, ..config(&first, "for-loop-1[1]") }];
    let (_, second) = rerun(&request, listing(json!(["b", "a"])));
    assert_eq!(second.state_of("for-loop-1[0]"), State::Skipped);
    assert_eq!(second.of("for-loop-1[1].work").verdict, Verdict::Reuse);
    assert_eq!(second.state, State::Succeeded);
}

/// for i in [1, 2]: for j in [i...]: work(i, j)
#[test]
fn nested_loops_are_matched_by_both_items_and_collected_in_lists_of_lists() {
    let spec = |outer: Json, inner: Json| {
        pipeline(
            components(&[
                ("comp-work", leaf("work", &[("i", "NUMBER_INTEGER"), ("j", "STRING")])),
                (
                    "comp-for-loop-2",
                    json!({
                        "dag": {
                            "tasks": {"work": task("comp-work", json!({"i": "in:i", "j": "in:j"}))},
                            "outputs": {"parameters": {"Output": {"valueFromParameter":
                                {"producerSubtask": "work", "outputParameterKey": "Output"}}}},
                        },
                        "inputDefinitions": {"parameters": declared(&[("i", "NUMBER_INTEGER"), ("j", "STRING")])},
                        "outputDefinitions": {"parameters": {"Output": {"parameterType": "LIST"}}},
                    }),
                ),
                (
                    "comp-for-loop-1",
                    json!({
                        "dag": {
                            "tasks": {"for-loop-2": with(task("comp-for-loop-2", json!({"i": "in:i"})),
                                json!({"parameterIterator": {"itemInput": "j", "items": {"raw": inner.to_string()}}}))},
                            "outputs": {"parameters": {"Output": {"valueFromParameter":
                                {"producerSubtask": "for-loop-2", "outputParameterKey": "Output"}}}},
                        },
                        "inputDefinitions": {"parameters": declared(&[("i", "NUMBER_INTEGER")])},
                        "outputDefinitions": {"parameters": {"Output": {"parameterType": "LIST"}}},
                    }),
                ),
            ]),
            json!({
                "dag": {
                    "tasks": {"for-loop-1": with(task("comp-for-loop-1", json!({})),
                        json!({"parameterIterator": {"itemInput": "i", "items": {"raw": outer.to_string()}}}))},
                    "outputs": {"parameters": {"all": {"valueFromParameter":
                        {"producerSubtask": "for-loop-1", "outputParameterKey": "Output"}}}},
                },
                "outputDefinitions": {"parameters": {"all": {"parameterType": "LIST"}}},
            }),
        )
    };
    let first = run(&request(&spec(json!([1, 2]), json!(["x", "y"])), json!({})), succeed);
    assert_eq!(first.run_output("all")[1][0], json!("work i=2 j=\"x\""));
    let changed = spec(json!([2, 3]), json!(["y", "x"]));
    let (_, second) = rerun(&first.rerun(&changed), succeed);
    let source = second.of("for-loop-1[0].for-loop-2[0].work").source.clone().unwrap();
    assert_eq!(source.path, "for-loop-1[1].for-loop-2[1].work");
    assert_eq!(second.launched, ["for-loop-1[1].for-loop-2[0].work", "for-loop-1[1].for-loop-2[1].work"]);
    assert_eq!(second.run_output("all")[0], json!(["work i=2 j=\"y\"", "work i=2 j=\"x\""]));
}

/// exit-handler-1 { body }, then notify whatever became of it.
fn with_exit_task() -> Json {
    let mut notify = leaf("notify", &[("status", "TASK_FINAL_STATUS"), ("word", "STRING?")]);
    notify["outputDefinitions"] = json!({});
    pipeline(
        components(&[
            ("comp-body", leaf("body", &[])),
            ("comp-notify", notify),
            ("comp-exit-handler-1", json!({"dag": {"tasks": {"body": task("comp-body", json!({}))}}})),
        ]),
        json!({
            "exit-handler-1": task("comp-exit-handler-1", json!({})),
            "notify": {
                "componentRef": {"name": "comp-notify"},
                "dependentTasks": ["exit-handler-1"],
                "inputs": {"parameters": {"status": {"taskFinalStatus": {"producerTask": "exit-handler-1"}}}},
                "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            },
        }),
    )
}

fn status(finished: &Finished) -> Json {
    let inputs = finished.of("notify").inputs.clone().unwrap();
    serde_json::from_str(&inputs.parameters.iter().find(|p| p.name == "status").unwrap().json).unwrap()
}

#[test]
fn an_exit_task_runs_whatever_happened_and_is_never_reused() {
    let failing = |path: &'static str| move |l: &Launch| if l.path == path { fail(l) } else { succeed(l) };
    let first = run(&request(&with_exit_task(), json!({})), failing("exit-handler-1.body"));
    assert_eq!((first.state, first.state_of("notify")), (State::Failed, State::Succeeded));
    assert_eq!(status(&first)["state"], json!("FAILED"));
    assert_eq!(status(&first)["pipelineTaskName"], json!("exit-handler-1"));
    assert_eq!(status(&first)["error"]["code"], json!(9));
    assert!(first.of("notify").is_exit_task);
    let (_, second) = rerun(&first.rerun(&with_exit_task()), succeed);
    assert_eq!(second.launched, ["exit-handler-1.body", "notify"]);
    assert_eq!(status(&second)["error"], json!({}));
    let mut request = second.rerun(&with_exit_task());
    request.configs = sdk_configs(&second, &[]);
    let (plan, third) = rerun(&request, succeed);
    assert_eq!(verdict(&plan, "notify"), (Verdict::Execute, Reason::ExitTask));
    assert_eq!(third.launched, ["notify"]);
    // One that failed can be left out.
    let fourth = run(&second.rerun(&with_exit_task()), failing("notify"));
    assert_eq!(fourth.state, State::Failed);
    let mut request = fourth.rerun(&with_exit_task());
    request.configs = vec![Config { skip_task: true, ..config(&fourth, "notify") }];
    let (plan, _) = rerun(&request, fail);
    assert_eq!(verdict(&plan, "notify"), (Verdict::Skip, Reason::Requested));
}

#[test]
fn fail_fast_starts_nothing_new_but_exit_tasks() {
    let spec = pipeline(
        components(&[("comp-a", leaf("a", &[])), ("comp-b", leaf("b", &[("x", "STRING")]))]),
        json!({
            "a": task("comp-a", json!({})),
            "b": task("comp-a", json!({})),
            "c": task("comp-b", json!({"x": "from:b"})),
        }),
    );
    let mut fast = request(&spec, json!({}));
    fast.settings.failure_policy = FailurePolicy::FailFast;
    let first = run(&fast, |launch| if launch.path == "a" { fail(launch) } else { succeed(launch) });
    assert_eq!(first.launched, ["a", "b"]);
    assert_eq!((first.state_of("c"), first.of("c").reason), (State::NotTriggered, Reason::FailFast));
    let slow = run(&request(&spec, json!({})), |l| if l.path == "a" { fail(l) } else { succeed(l) });
    assert_eq!((slow.launched.len(), slow.state), (3, State::Failed));
    let mut fast = request(&with_exit_task(), json!({}));
    fast.settings.failure_policy = FailurePolicy::FailFast;
    let first = run(&fast, |l| if l.path == "exit-handler-1.body" { fail(l) } else { succeed(l) });
    assert_eq!(first.state_of("notify"), State::Succeeded);
}

#[test]
fn after_a_cancel_nothing_starts_and_what_runs_is_awaited() {
    let mut machine = machine(&request(&with_exit_task(), json!({})));
    let mut records = std::collections::BTreeMap::new();
    let mut launched = Vec::new();
    let take = |decisions: Decisions, records: &mut _, launched: &mut Vec<Launch>| {
        for decision in &decisions.decisions {
            keep(records, decision);
            if let Some(What::Launch(launch)) = &decision.what {
                launched.push(*launch.clone());
            }
        }
        decisions.run_ended
    };
    let decisions = machine.advance(Events::default());
    assert_eq!(take(decisions, &mut records, &mut launched), None);
    let decisions = machine.advance(Events { ended: vec![], cancel: true });
    assert_eq!(take(decisions, &mut records, &mut launched), None);
    assert_eq!(records[&3].state, State::Cancelled);
    let mut event = fail(&launched[0]);
    event.state = State::Cancelled;
    let decisions = machine.advance(Events { ended: vec![event], cancel: false });
    let ended = take(decisions, &mut records, &mut launched).unwrap();
    assert_eq!((ended.state, ended.error.unwrap().code), (State::Cancelled, 1));
    assert_eq!(launched.len(), 1);
    assert_eq!(records[&1].state, State::Cancelled);
}

#[test]
fn a_run_whose_last_task_ended_well_may_succeed_though_it_was_cancelled() {
    let spec = pipeline(components(&[("comp-a", leaf("a", &[]))]), json!({"a": task("comp-a", json!({}))}));
    let mut machine = machine(&request(&spec, json!({})));
    let launch = machine.advance(Events::default()).decisions.pop().unwrap();
    let Some(What::Launch(launch)) = launch.what else { panic!("no launch") };
    machine.advance(Events { ended: vec![], cancel: true });
    let ended = machine.advance(Events { ended: vec![succeed(&launch)], cancel: false }).run_ended.unwrap();
    assert_eq!(ended.state, State::Succeeded);
}

#[test]
fn the_same_events_give_the_same_decisions_however_they_are_batched() {
    let spec = looped(json!(null));
    let mut events = Vec::new();
    let first = run(&request(&spec, json!({})), |launch| {
        let event = listing(json!(["a", "b", "c"]))(launch);
        events.push(event.clone());
        event
    });
    let mut whole = machine(&request(&spec, json!({})));
    let mut decisions = whole.advance(Events::default()).decisions;
    decisions.extend(whole.advance(Events { ended: events.clone(), cancel: false }).decisions);
    let mut single = machine(&request(&spec, json!({})));
    let mut others = single.advance(Events::default()).decisions;
    for event in events {
        others.extend(single.advance(Events { ended: vec![event], cancel: false }).decisions);
    }
    assert_eq!(decisions, others);
    let ids: Vec<i64> =
        decisions.iter().filter(|d| matches!(d.what, Some(What::Created(_)))).map(|d| d.task_id).collect();
    assert_eq!(ids, first.records.keys().copied().collect::<Vec<_>>());
}

#[test]
fn a_renamed_condition_does_not_run_its_tasks_again() {
    let first = run(&request(&coin(), json!({})), side("heads"));
    let mut text = coin().to_string();
    for (old, new) in [
        ("condition-branches-1", "condition-branches-4"),
        ("condition-2", "condition-5"),
        ("condition-3", "condition-6"),
    ] {
        text = text.replace(old, new);
    }
    let renamed: Json = serde_json::from_str(&text).unwrap();
    let (plan, second) = rerun(&first.rerun(&renamed), fail);
    let path = "condition-branches-4.condition-5.win";
    assert_eq!(verdict(&plan, path), (Verdict::Reuse, Reason::Renamed));
    assert_eq!(second.of(path).source.clone().unwrap().path, WIN);
}
