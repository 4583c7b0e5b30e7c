use proptest::collection::vec;
use proptest::prelude::*;

use super::segment::Segment;
use super::*;
use crate::message::Enum;
use crate::records::Moves;
use crate::task_rows::TaskRow;

const FENCE: i64 = 5;
const PENDING: i32 = 1;
const RUNNING: i32 = 2;
const SUCCEEDED: i32 = 3;
const FAILED: i32 = 7;

fn moves() -> Moves {
    Moves::new([(PENDING, RUNNING), (PENDING, SUCCEEDED), (RUNNING, PENDING), (RUNNING, SUCCEEDED), (RUNNING, FAILED)])
}

fn rows(rows: &[(i64, i32)]) -> TaskRows {
    let mut made = TaskRows::default();
    for &(task_id, state) in rows {
        made.push(TaskRow { task_id, path: &format!("t{task_id}"), state, record: b"rec" });
    }
    made
}

fn attempt(task_id: i64, number: u32, state: AttemptState) -> Attempt<'static> {
    Attempt {
        task_id,
        number,
        state,
        executor: "exec",
        handle: b"h\xe9\x00",
        started_ns: 10,
        ended_ns: 0,
        is_counted: true,
        exit: b"{}",
    }
}

/// A store of segments, as the rows that were written say.
#[derive(Default)]
struct Store {
    segments: std::collections::BTreeMap<i64, SegmentRow>,
    known: Known,
}

impl Store {
    fn write(&mut self, write: &TaskWrite<'_>) -> Result<Written, WriteError> {
        let stored: Vec<StoredSegment<'_>> = self.segments.values().map(as_stored).collect();
        let written = Segments::new(write, &stored)?.work_out(write, &moves(), &self.known)?;
        assert!(written.new.iter().all(|row| !self.segments.contains_key(&row.number)));
        assert!(written.changed.iter().all(|row| self.segments.contains_key(&row.number)));
        let all = written.new.iter().chain(&written.changed);
        for SegmentRow { number, entries, states, attempt_states, attempt_numbers, attempt_fences } in all {
            let row = SegmentRow {
                number: *number,
                entries: *entries,
                states: states.clone(),
                attempt_states: attempt_states.clone(),
                attempt_numbers: attempt_numbers.clone(),
                attempt_fences: attempt_fences.clone(),
            };
            self.segments.insert(*number, row);
        }
        Ok(written)
    }

    fn tasks(&mut self, tasks: &[(i64, i32)]) -> Result<Written, WriteError> {
        self.write(&TaskWrite { tasks: &[&rows(tasks)], fence: FENCE, ..TaskWrite::default() })
    }

    fn attempts(&mut self, attempts: &[Attempt<'_>]) -> Result<Written, WriteError> {
        self.write(&TaskWrite { attempts, fence: FENCE, ..TaskWrite::default() })
    }

    /// With the rows of their tasks.
    fn starts(&mut self, starts: &[Attempt<'_>]) -> Result<Written, WriteError> {
        let tasks: Vec<(i64, i32)> = starts.iter().map(|start| (start.task_id, RUNNING)).collect();
        self.write(&TaskWrite { tasks: &[&rows(&tasks)], starts, fence: FENCE, ..TaskWrite::default() })
    }

    /// One whose tasks run, each with its first attempt.
    fn with_started(tasks: &[i64]) -> Self {
        let mut store = Self::default();
        let made: Vec<(i64, i32)> = tasks.iter().map(|task_id| (*task_id, PENDING)).collect();
        store.tasks(&made).unwrap();
        let starts: Vec<_> = tasks.iter().map(|task_id| attempt(*task_id, 1, AttemptState::Starting)).collect();
        store.starts(&starts).unwrap();
        store
    }
}

fn as_stored(row: &SegmentRow) -> StoredSegment<'_> {
    StoredSegment {
        number: row.number,
        entries: row.entries,
        states: &row.states,
        attempt_states: &row.attempt_states,
        attempt_numbers: &row.attempt_numbers,
        attempt_fences: &row.attempt_fences,
    }
}

fn refused(result: Result<Written, WriteError>) -> String {
    match result {
        Err(WriteError::Illegal(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_of_tasks_far_apart_comes_into_one_row_and_one_entry_of_each_segment() {
    let mut store = Store::default();
    let written = store.tasks(&[(1, PENDING), (130, PENDING), (63, PENDING), (1, RUNNING)]).unwrap();
    assert_eq!(written.new.iter().map(|row| (row.number, row.entries)).collect::<Vec<_>>(), [(0, 1), (2, 1)]);
    assert_eq!(
        written.tasks,
        [
            (0, 1, String::from(r#"[[1,1,"t1",3],[63,1,"t63",3],[1,2,"t1",3]]"#), b"recrecrec".to_vec()),
            (2, 1, String::from(r#"[[130,1,"t130",3]]"#), b"rec".to_vec()),
        ]
    );
    assert_eq!((written.changes.as_str(), written.change_count), ("[1,0,0,1],[130,0,0,1],[63,0,0,1],[1,0,1,2]", 4));
    assert_eq!(store.segments[&0].states[1..3], [2, 0]);
    let again = store.tasks(&[(130, RUNNING)]).unwrap();
    assert_eq!((again.new.len(), again.changed[0].number, again.tasks[0].1), (0, 2, 2));
}

#[test]
fn a_segment_is_stored_in_14_bytes_a_place_little_endian() {
    let store = Store::with_started(&[65]);
    let row = &store.segments[&1];
    assert_eq!((row.states.len(), row.attempt_states.len()), (64, 64));
    assert_eq!((row.attempt_numbers.len(), row.attempt_fences.len()), (256, 512));
    assert_eq!((row.states[1], row.attempt_states[1]), (2, 1));
    assert_eq!((&row.attempt_numbers[4..8], &row.attempt_fences[8..16]), (&[1, 0, 0, 0][..], &FENCE.to_le_bytes()[..]));
}

#[test]
fn an_attempt_is_told_with_its_fence_and_at_its_start_with_the_path_of_its_task() {
    let mut store = Store::default();
    store.tasks(&[(1, PENDING)]).unwrap();
    let written = store.starts(&[attempt(1, 1, AttemptState::Starting)]).unwrap();
    let told = |state: i32, path: &str| format!(r#"[[1,1,{state},"exec","h\u00e9\u0000",10,0,1,"{{}}",5,"{path}"]]"#);
    assert_eq!(written.attempts, [(0, 2, told(1, "t1"))]);
    assert_eq!(written.changes, "[1,0,1,2],[1,1,0,1]");
    let ended = Attempt { is_counted: false, ..attempt(1, 1, AttemptState::Failed) };
    let written = store.write(&TaskWrite { attempts: &[ended], fence: FENCE + 1, ..TaskWrite::default() }).unwrap();
    assert_eq!(written.attempts, [(0, 3, told(4, "").replace(",1,\"{}", ",0,\"{}"))]);
}

#[test]
fn texts_are_spelt_as_they_always_were() {
    let mut tasks = TaskRows::default();
    let path = "a\"b\\c/\n\r\t\u{8}\u{c}\u{1f}\u{7f}é→😀~";
    tasks.push(TaskRow { task_id: -1, path, state: PENDING, record: &[] });
    let written = Store::default().write(&TaskWrite { tasks: &[&tasks], ..TaskWrite::default() }).unwrap();
    let spelt = r#"a\"b\\c/\n\r\t\b\f\u001f\u007f\u00e9\u2192\ud83d\ude00~"#;
    assert_eq!(written.tasks, [(-1, 1, format!(r#"[[-1,1,"{spelt}",0]]"#), Vec::new())]);
}

#[test]
fn a_task_moves_only_along_the_moves() {
    let mut store = Store::default();
    assert_eq!(refused(store.tasks(&[(1, FAILED)])), "a task cannot go from PENDING to FAILED");
    store.tasks(&[(1, PENDING), (1, RUNNING)]).unwrap();
    assert_eq!(refused(store.tasks(&[(1, 9)])), "a task cannot go from RUNNING to NOT_TRIGGERED");
    assert_eq!(refused(store.tasks(&[(1, 77)])), "a task cannot go from RUNNING to 77");
    store.tasks(&[(1, SUCCEEDED)]).unwrap();
    assert_eq!(refused(store.tasks(&[(2, PENDING), (1, RUNNING)])), "a task cannot go from SUCCEEDED to RUNNING");
}

#[test]
fn an_outcome_that_is_said_again_changes_nothing_and_a_record_before_it_may_change() {
    let mut store = Store::default();
    store.tasks(&[(1, SUCCEEDED)]).unwrap();
    assert_eq!(store.tasks(&[(1, SUCCEEDED)]), Ok(Written::default()));
    store.tasks(&[(2, PENDING)]).unwrap();
    let again = store.tasks(&[(2, PENDING)]).unwrap();
    assert_eq!((again.tasks.len(), again.change_count), (1, 0));
}

#[test]
fn a_start_that_is_said_again_changes_nothing_unless_another_says_it() {
    let mut store = Store::with_started(&[1]);
    let start = attempt(1, 1, AttemptState::Starting);
    let again = TaskWrite { starts: &[start], fence: FENCE, ..TaskWrite::default() };
    assert_eq!(store.write(&again), Ok(Written::default()));
    let other = TaskWrite { fence: FENCE + 1, ..again };
    assert_eq!(refused(store.write(&other)), "attempt 1 of task 1 was started before");
}

#[test]
fn a_task_starts_again_only_when_its_last_attempt_has_failed() {
    for (state, refusal) in [
        (AttemptState::Starting, Some("task 1 cannot start again: attempt 1 is STARTING")),
        (AttemptState::Running, Some("task 1 cannot start again: attempt 1 is RUNNING")),
        (AttemptState::Succeeded, Some("task 1 cannot start again: attempt 1 is SUCCEEDED")),
        (AttemptState::Failed, None),
        (AttemptState::Cancelled, None),
        (AttemptState::Lost, None),
    ] {
        let mut store = Store::with_started(&[1]);
        store.attempts(&[attempt(1, 1, state)]).unwrap();
        let started = store.starts(&[attempt(1, 2, AttemptState::Running)]);
        assert_eq!(started.map_err(|error| error.to_string()).err().as_deref(), refusal);
    }
    let mut store = Store::with_started(&[1]);
    assert_eq!(
        refused(store.starts(&[attempt(1, 1, AttemptState::Lost)])),
        "attempt 1 of task 1 cannot begin at its end"
    );
    let nameless = TaskWrite { starts: &[attempt(2, 1, AttemptState::Running)], ..TaskWrite::default() };
    assert_eq!(refused(store.write(&nameless)), "task 2, which is to start, does not exist");
}

#[test]
fn an_attempt_has_one_outcome() {
    let mut store = Store::with_started(&[1]);
    assert_eq!(
        refused(store.attempts(&[attempt(1, 2, AttemptState::Failed)])),
        "attempt 2 of task 1 was never started"
    );
    store.attempts(&[attempt(1, 1, AttemptState::Running)]).unwrap();
    assert_eq!(
        refused(store.attempts(&[attempt(1, 1, AttemptState::Starting)])),
        "attempt 1 of task 1 cannot go from RUNNING to STARTING"
    );
    assert_eq!(store.attempts(&[attempt(1, 1, AttemptState::Lost)]).unwrap().changes, "[1,1,2,6]");
    assert_eq!(store.attempts(&[attempt(1, 1, AttemptState::Lost)]), Ok(Written::default()));
    assert_eq!(
        refused(store.attempts(&[attempt(1, 1, AttemptState::Succeeded)])),
        "attempt 1 of task 1 cannot go from LOST to SUCCEEDED"
    );
}

#[test]
fn what_the_segments_do_not_say_is_asked_for() {
    let mut store = Store::with_started(&[1, 2]);
    store.attempts(&[attempt(1, 1, AttemptState::Lost)]).unwrap();
    store.starts(&[attempt(1, 2, AttemptState::Running)]).unwrap();
    let tasks = rows(&[(2, RUNNING)]);
    let write = TaskWrite {
        tasks: &[&tasks],
        attempts: &[attempt(1, 1, AttemptState::Lost), attempt(1, 2, AttemptState::Failed)],
        starts: &[attempt(2, 1, AttemptState::Starting), attempt(1, 3, AttemptState::Running)],
        fence: FENCE,
    };
    let stored: Vec<StoredSegment<'_>> = store.segments.values().map(as_stored).collect();
    let unknown = Segments::new(&write, &stored).unwrap().unknown(&write).unwrap();
    assert_eq!(unknown, Unknown { attempts: vec![(1, 1)], paths: vec![1] });
    assert_eq!(refused(store.write(&write)), "attempt 1 of task 1 was never started");
    store.known.attempts.insert((1, 1), AttemptState::Lost);
    assert_eq!(store.write(&write), Err(WriteError::Broken(0)), "the path was not looked up");
    store.known.paths.insert(1, String::from("found"));
    let written = store.write(&write).unwrap();
    assert_eq!(written.changes, "[1,2,2,4],[1,3,0,2]");
    assert!(written.attempts[0].2.ends_with(r#",5,"found"]]"#));
    store.known.attempts.insert((1, 1), AttemptState::Failed);
    assert_eq!(refused(store.attempts(&write.attempts[..1])), "attempt 1 of task 1 cannot go from FAILED to LOST");
}

#[test]
fn a_segment_that_is_not_as_it_was_written_is_refused() {
    let row = || Segment::new(0).row();
    for broken in [
        SegmentRow { states: vec![0; 63], ..row() },
        SegmentRow { states: vec![99; 64], ..row() },
        SegmentRow { attempt_states: vec![7; 64], ..row() },
        SegmentRow { attempt_numbers: vec![0; 257], ..row() },
        SegmentRow { attempt_fences: Vec::new(), ..row() },
    ] {
        let mut store = Store::default();
        store.segments.insert(0, broken);
        assert_eq!(store.tasks(&[(1, PENDING)]), Err(WriteError::Broken(0)));
    }
}

fn any_state() -> impl Strategy<Value = AttemptState> {
    use AttemptState::{Cancelled, Failed, Lost, Running, Starting, Succeeded, Unspecified};
    prop::sample::select(vec![Unspecified, Starting, Running, Succeeded, Failed, Cancelled, Lost])
}

fn any_attempt() -> impl Strategy<Value = Attempt<'static>> {
    (any_task(), 0..4u32, any_state()).prop_map(|(task_id, number, state)| attempt(task_id, number, state))
}

fn any_task() -> impl Strategy<Value = i64> {
    prop_oneof![0..3i64, 62..66i64, Just(i64::MIN), Just(i64::MAX), Just(-1)]
}

type Said = (Vec<(i64, i32)>, Vec<Attempt<'static>>, Vec<Attempt<'static>>, i64);

fn any_write() -> impl Strategy<Value = Said> {
    (vec((any_task(), -1..11), 0..4), vec(any_attempt(), 0..3), vec(any_attempt(), 0..3), 0..3i64)
}

/// By (task, attempt) what the log says they have come to.
fn follow(changes: &str, states: &mut std::collections::BTreeMap<(i64, i64), i64>) {
    let changes: Vec<(i64, i64, i64, i64)> = serde_json::from_str(&format!("[{changes}]")).unwrap();
    for (task_id, number, before, after) in changes {
        let was = states.insert((task_id, number), after).unwrap_or_default();
        assert_eq!(was, before, "the log of task {task_id} and its attempt {number} has a gap");
    }
}

proptest! {
    /// Whatever is said, in any order: the log has no gaps and says what the segments say, and of each task at most one
    /// attempt lives and at most one has succeeded.
    #[test]
    fn no_writes_lead_past_the_rules(said in vec(any_write(), 1..12)) {
        let mut store = Store::default();
        let mut states = std::collections::BTreeMap::new();
        for (tasks, attempts, starts, fence) in &said {
            let tasks = rows(tasks);
            let write = TaskWrite { tasks: &[&tasks], attempts, starts, fence: *fence };
            let Ok(written) = store.write(&write) else { continue };
            follow(&written.changes, &mut states);
            for ((task_id, number), state) in &states {
                if *number > 0 {
                    let known = AttemptState::from_number(*state as i32).unwrap();
                    store.known.attempts.insert((*task_id, *number as u32), known);
                } else {
                    store.known.paths.insert(*task_id, format!("t{task_id}"));
                }
            }
            prop_assert_eq!(written.change_count == 0, written.changes.is_empty());
        }
        for (&(task_id, number), state) in &states {
            let place = Segment::read(&as_stored(&store.segments[&(task_id >> SEGMENT_BITS)])).unwrap().place(task_id);
            if number == 0 {
                prop_assert_eq!(i64::from(place.state.number()), *state);
            }
            let attempts = states.range((task_id, 1)..=(task_id, i64::MAX));
            let open = attempts.filter(|(_, state)| **state <= 3).count();
            prop_assert!(open <= 1, "an attempt lives or has succeeded, and so does another");
        }
    }

    #[test]
    fn no_stored_bytes_make_it_panic(
        bytes in vec((vec(0..12u8, 60..68), vec(any::<u8>(), 250..260), vec(any::<u8>(), 508..516)), 1..3),
        said in any_write(),
        number in any_task(),
    ) {
        let stored: Vec<StoredSegment<'_>> = bytes.iter().map(|(states, numbers, fences)| StoredSegment {
            number: number >> SEGMENT_BITS,
            entries: i64::MAX,
            states,
            attempt_states: states,
            attempt_numbers: numbers,
            attempt_fences: fences,
        }).collect();
        let tasks = rows(&said.0);
        let write = TaskWrite { tasks: &[&tasks], attempts: &said.1, starts: &said.2, fence: said.3 };
        if let Ok(mut segments) = Segments::new(&write, &stored) {
            let _ = segments.unknown(&write);
            let _ = segments.work_out(&write, &moves(), &Known::default());
        }
    }
}
