use super::*;
use crate::messages::{Decision, RunEnded};
use crate::task_rows::TaskRow;

const TASK: i64 = 7;

fn moves() -> Moves {
    let (pending, running, succeeded, cancelling) = (1, 2, 3, 5);
    Moves::new([
        (pending, running),
        (running, pending),
        (running, succeeded),
        (running, cancelling),
        (cancelling, succeeded),
        (-1, 2),
        (1, 99),
    ])
}

fn created(task_id: i64) -> Decision {
    let task =
        Some(TaskRecord { task_id, path: format!("t{task_id}"), kind: Kind::Container, ..TaskRecord::default() });
    Decision { task_id, what: Some(What::Created(Box::new(NodeCreated { task }))) }
}

fn launched(task_id: i64) -> Decision {
    Decision { task_id, what: Some(What::Launch(Box::new(Launch { task_id, ..Launch::default() }))) }
}

fn with_launched(stored: &[&[u8]]) -> (Records, Decisions) {
    let mut records = Records::new(moves(), stored.iter().copied()).unwrap();
    let decisions = Decisions { decisions: vec![created(TASK), launched(TASK)], run_ended: Some(RunEnded::default()) };
    let to_do = records.apply(decisions, 1).unwrap();
    (records, to_do)
}

fn states(row: TaskRow<'_>) -> Vec<(i64, State)> {
    TaskRecord::decode(row.record).unwrap().history.iter().map(|change| (change.at_ns, change.state)).collect()
}

#[test]
fn a_task_that_is_created_launched_started_and_ended_is_stored_once_a_take() {
    let (mut records, to_do) = with_launched(&[]);
    assert_eq!(to_do, Decisions { decisions: vec![launched(TASK)], run_ended: Some(RunEnded::default()) });
    let rows = records.take_dirty();
    assert_eq!(rows.iter().map(|row| (row.task_id, row.path, row.state)).collect::<Vec<_>>(), [(TASK, "t7", 1)]);
    let started = records.start_attempts(&[(TASK, 1)], 2).unwrap();
    assert!(records.take_dirty().is_empty(), "the rows of starts are stored with the starts alone");
    records.end_leaf(&plain_success(TASK), "", 3).unwrap();
    let ended = records.take_dirty();
    let (started, ended) = (started.get(0).unwrap(), ended.get(0).unwrap());
    assert_eq!((started.state, ended.state), (2, 3));
    assert_eq!(states(ended), [(1, State::Pending), (2, State::Running), (3, State::Succeeded)]);
    assert!(records.take_dirty().is_empty());
}

#[test]
fn a_start_that_was_refused_leaves_the_record_as_it_was() {
    let (mut records, _) = with_launched(&[]);
    let before = records.take_dirty();
    records.start_attempts(&[(TASK, 1)], 2).unwrap();
    records.take_back(|task_id| task_id != TASK).unwrap();
    assert_eq!(records.get(TASK).unwrap().state, State::Running);
    records.start_attempts(&[(TASK, 2)], 3).unwrap();
    records.take_back(|_| true).unwrap();
    assert_eq!(records.get(TASK).unwrap().attempts, 1, "only the last start is taken back");
    let (mut records, _) = with_launched(&[]);
    records.start_attempts(&[(TASK, 1)], 2).unwrap();
    records.take_back(|_| true).unwrap();
    assert_eq!(records.take_dirty(), before);
}

#[test]
fn a_move_that_the_table_does_not_have_is_refused() {
    let (mut records, _) = with_launched(&[]);
    let refused = records.end_leaf(&plain_success(TASK), "", 3);
    assert_eq!(refused, Err(RecordError::IllegalMove(State::Pending, State::Succeeded)));
    assert_eq!(records.end_leaf(&plain_success(8), "", 3), Err(RecordError::Unknown(8)));
}

#[test]
fn what_was_told_is_told_again_in_the_order_in_which_it_happened() {
    let (mut records, _) = with_launched(&[]);
    records.apply(Decisions { decisions: vec![created(8), launched(8)], run_ended: None }, 1).unwrap();
    let lost = LeafEnded { task_id: TASK, state: State::Pending, ..LeafEnded::default() };
    records.end_leaf(&lost, "", 2).unwrap();
    records.start_attempts(&[(TASK, 1), (8, 1)], 3).unwrap();
    records.end_leaf(&plain_success(8), "", 4).unwrap();
    records.end_leaf(&plain_success(TASK), "cgroup", 5).unwrap();
    let stored = records.encode_all();
    let stored: Vec<Vec<u8>> =
        crate::messages::TaskRecords::decode(&stored).unwrap().tasks.iter().map(Message::encode).collect();
    let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
    let (again, to_do) = with_launched(&stored);
    let told: Vec<(i64, State)> = again.replayable().iter().map(|event| (event.task_id, event.state)).collect();
    assert_eq!(told, [(TASK, State::Pending), (8, State::Succeeded), (TASK, State::Succeeded)]);
    assert_eq!(to_do.decisions, [], "the launch that came to nothing has been made before");
    assert_eq!(again.get(TASK).unwrap().kill_method, "cgroup");
    assert_eq!(again.event_count, 3);
}

#[test]
fn a_leaf_that_runs_is_marked_when_the_run_is_cancelled_and_a_dag_is_not() {
    let (mut records, _) = with_launched(&[]);
    records.start_attempts(&[(TASK, 1)], 2).unwrap();
    records.mark_cancelling(3).unwrap();
    assert_eq!(records.get(TASK).unwrap().state, State::Cancelling);
    assert_eq!(records.any_running(), None);
}
