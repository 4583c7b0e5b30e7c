//! A run of any request, whose tasks end in any order: never a panic, and what its records say brings it back.
//!
//! The first byte says how many of the next are the story: each ends, fails or puts off a task that has been launched, or
//! cancels the run. The rest is the request.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use _core::api::recorded;
use _core::messages::{Decisions, Failure, LeafEnded, State, What};
use _core::pieces::Pieces;
use _core::recorded::{News, Recorded};
use _core::task_rows::TaskRows;
use libfuzzer_sys::fuzz_target;

/// PENDING, RUNNING, and whatever a task may become of these.
const MOVES: [(i32, i32); 13] =
    [(1, 2), (1, 3), (1, 6), (1, 7), (1, 8), (1, 9), (2, 1), (2, 3), (2, 5), (2, 6), (2, 7), (2, 8), (5, 6)];

fn launched(decisions: &Decisions, tasks: &mut BTreeSet<i64>) {
    let launches = decisions.decisions.iter().filter(|decision| matches!(decision.what, Some(What::Launch(_))));
    tasks.extend(launches.map(|decision| decision.task_id));
}

fn store(rows: &TaskRows, stored: &mut BTreeMap<i64, Vec<u8>>) {
    stored.extend(rows.iter().map(|row| (row.task_id, row.record.to_vec())));
}

fn told(run: &mut Recorded, task_id: i64, is_failure: bool) -> Option<Decisions> {
    let failure = || LeafEnded {
        task_id,
        state: State::Failed,
        error: Some(Failure { code: 2, message: String::from("failed") }),
        ..LeafEnded::default()
    };
    let news = match is_failure {
        true => News { ended: vec![(failure(), String::new())], ..News::default() },
        false => News { succeeded: vec![(task_id, String::new())], ..News::default() },
    };
    run.tell(news, 3).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first() else { return };
    let (story, request) = rest.split_at(usize::from(*length).min(rest.len()));
    let pieces = Pieces { request, spec: &[], records: &[], cache: &[] };
    let Ok(mut run) = recorded(&pieces, None, [], MOVES) else { return };
    let mut open = BTreeSet::new();
    let Ok(begun) = run.begin(1) else { return };
    launched(&begun, &mut open);
    let mut stored = BTreeMap::new();
    for step in story {
        let Some(task_id) = open.iter().nth(usize::from(step >> 3) % open.len().max(1)).copied() else { break };
        let Ok(started) = run.records.start_attempts(&[(task_id, 1)], 2) else { return };
        store(&run.records.take_dirty(), &mut stored);
        match step & 7 {
            7 => {
                let _ = run.tell(News { cancel: true, ..News::default() }, 3);
                return;
            }
            4 => run.records.take_back(|_| true).expect("it was just started"),
            how => {
                store(&started, &mut stored);
                let Some(next) = told(&mut run, task_id, how > 4) else { return };
                open.remove(&task_id);
                launched(&next, &mut open);
            }
        }
    }
    store(&run.records.take_dirty(), &mut stored);
    let _ = run.records.encode_all();
    let mut again = recorded(&pieces, None, stored.values().map(Vec::as_slice), MOVES).expect("it was read before");
    let Ok(begun) = again.begin(4) else { return };
    let mut open_again = BTreeSet::new();
    launched(&begun, &mut open_again);
    assert_eq!(open_again, open);
});
