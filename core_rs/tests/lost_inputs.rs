//! Leaves that do not start because what they read is lost: what made it goes back to work, as a task of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use _core::messages::*;
use serde_json::{json, Value as Json};
use support::*;

/// `a` makes an artifact, `b` reads it, `c` reads what `b` makes.
fn chain() -> Json {
    pipeline(
        components(&[
            ("comp-a", artifact_leaf("a", &[])),
            ("comp-b", artifact_leaf("b", &["x"])),
            ("comp-c", artifact_leaf("c", &["x"])),
        ]),
        json!({
            "a": artifact_task("comp-a", &[]),
            "b": artifact_task("comp-b", &[("x", "a")]),
            "c": artifact_task("comp-c", &[("x", "b")]),
        }),
    )
}

/// It did not start: everything that it reads is gone.
fn lost(launch: &Launch) -> LeafEnded {
    let mut inputs = launch.inputs.clone().unwrap();
    for list in &mut inputs.artifacts {
        list.artifacts.iter_mut().for_each(|artifact| artifact.presence = Presence::Missing);
    }
    LeafEnded { task_id: launch.task_id, state: State::Pending, outputs: Some(inputs), ..LeafEnded::default() }
}

fn read_uri(launch: &Launch) -> String {
    launch.inputs.as_ref().unwrap().artifacts[0].artifacts[0].uri.clone()
}

#[test]
fn the_reader_is_launched_again_with_what_was_made_anew() {
    let mut read = Vec::new();
    let finished = run(&request(&chain(), json!({})), |launch| match &*launch.path {
        "b" => {
            read.push(read_uri(launch));
            if read.len() == 1 {
                lost(launch)
            } else {
                succeed(launch)
            }
        }
        _ => succeed(launch),
    });
    assert_eq!(finished.launched, ["a", "b", "a~1", "b", "c"]);
    assert_eq!(finished.state, State::Succeeded);
    assert_eq!((finished.state_of("a"), finished.state_of("a~1")), (State::Succeeded, State::Succeeded));
    let remake = finished.of("a~1");
    assert_eq!((remake.remakes, remake.reason, &*remake.caused_by), (finished.id("a"), Reason::ArtifactMissing, "b"));
    assert_eq!(remake.key, finished.of("a").key, "what it does is what the other did");
    assert_eq!(read, [format!("/root/{}/data", finished.id("a")), format!("/root/{}/data", finished.id("a~1"))]);
}

#[test]
fn what_is_lost_again_and_again_is_made_anew_three_times_and_then_fails_its_reader() {
    let finished = run(&request(&chain(), json!({})), |launch| match &*launch.path {
        "b" => lost(launch),
        _ => succeed(launch),
    });
    assert_eq!(finished.launched, ["a", "b", "a~1", "b", "a~2", "b", "a~3", "b"]);
    assert_eq!((finished.state, finished.state_of("b")), (State::Failed, State::Failed));
    assert_eq!(finished.state_of("c"), State::NotTriggered);
    let message = finished.of("b").error.clone().unwrap().message;
    assert!(message.contains("\"x\"") && message.contains("3 times") && message.contains("\"a\""), "{message}");
}

#[test]
fn what_was_made_anew_and_differs_gives_its_reader_another_key() {
    let mut keys = Vec::new();
    run(&request(&chain(), json!({})), |launch| match &*launch.path {
        "a~1" => leave(launch, json!("other bytes")),
        "b" => {
            keys.push(launch.key.clone());
            if keys.len() == 1 {
                lost(launch)
            } else {
                succeed(launch)
            }
        }
        _ => succeed(launch),
    });
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_chain_that_is_lost_is_made_anew_from_its_beginning() {
    let mut seen = std::collections::BTreeSet::new();
    let finished = run(&request(&chain(), json!({})), |launch| match &*launch.path {
        "c" | "b~1" if seen.insert(launch.path.clone()) => lost(launch),
        _ => succeed(launch),
    });
    assert_eq!(finished.launched, ["a", "b", "c", "b~1", "a~2", "b~1", "c"]);
    assert_eq!(finished.state, State::Succeeded);
}

#[test]
fn the_same_events_told_again_give_the_same_decisions_and_ids() {
    let request = request(&chain(), json!({}));
    let mut events = Vec::new();
    let mut is_first = true;
    run(&request, |launch| {
        let event = if launch.path == "c" && std::mem::take(&mut is_first) { lost(launch) } else { succeed(launch) };
        events.push(event.clone());
        event
    });
    let decisions = |batches: Vec<Vec<LeafEnded>>| {
        let mut machine = machine(&request);
        let mut made = machine.advance(Events::default()).decisions;
        let mut ended = None;
        for batch in batches {
            let step = machine.advance(Events { ended: batch, cancel: false });
            made.extend(step.decisions);
            ended = ended.or(step.run_ended);
        }
        (made, ended.map(|ended| ended.state))
    };
    let one_by_one = decisions(events.iter().map(|event| vec![event.clone()]).collect());
    assert_eq!(one_by_one.1, Some(State::Succeeded));
    assert_eq!(decisions(vec![events.clone()]), one_by_one);
}

#[test]
fn a_loss_that_is_told_after_a_cancel_cancels_the_reader() {
    let mut machine = machine(&request(&chain(), json!({})));
    let first = machine.advance(Events::default()).decisions;
    let launch = |decisions: &[Decision]| {
        decisions.iter().find_map(|d| match &d.what {
            Some(What::Launch(launch)) => Some(launch.clone()),
            _ => None,
        })
    };
    let second = machine.advance(Events { ended: vec![succeed(&launch(&first).unwrap())], cancel: false }).decisions;
    machine.advance(Events { ended: vec![], cancel: true });
    let last = machine.advance(Events { ended: vec![lost(&launch(&second).unwrap())], cancel: false });
    assert!(launch(&last.decisions).is_none());
    assert_eq!(last.run_ended.unwrap().state, State::Cancelled);
}
