"""The tasks and attempts of one write of the scheduler.

Invariants: a task's state moves only along the edges of the domain's table; at most one of its attempts
lives, and at most one has succeeded; an outcome, once said, stays. What is read is read in the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.errors import IllegalMove
from reprise.domain.run import AttemptRow, Progress, TaskRow
from reprise.domain.states import AttemptState, TaskState, move_task
from reprise.store.database import Transaction
from reprise.store.prepared import task_progress as sql
from reprise.store.statement import Row, Statement

# Compared as numbers: these lines run for every task, and an enum's call costs more than the comparison.
_PENDING = int(TaskState.PENDING)
# Of so many neighbours one has to be asked for, for all of them to be read.
_SPARSE = 3
_LAST_LIVING = int(AttemptState.RUNNING)
_SUCCEEDED = int(AttemptState.SUCCEEDED)
_FINAL = frozenset(int(state) for state in TaskState if state.is_terminal)


class ChangeLog:
    """The changes of states in one transaction, numbered after those that the run has had."""

    __slots__ = ("changes", "run_id", "seq")

    def __init__(self, run_id: int, seq: int) -> None:
        self.run_id = run_id
        self.seq = seq
        self.changes: list[tuple[int, int, int, int]] = []

    def add(self, task_id: int, attempt: int, before: int, after: int) -> None:
        self.seq += 1
        self.changes.append((task_id, attempt, before, after))


def write_tasks(tx: Transaction, log: ChangeLog, rows: Sequence[TaskRow]) -> None:
    # Bytes are given as bytearrays: for them alone the driver of SQLite looks for no adapter, a third of a row's time.
    if not rows:
        return
    run_id = log.run_id
    states: dict[int, int] = dict(
        _rows_of(tx, sql.GET_STATES, sql.GET_STATES_BETWEEN, [task.task_id for task in rows], run_id)
    )
    inserts: list[Row] = []
    updates: list[Row] = []
    for task in rows:
        task_id, after = task.task_id, int(task.state)
        before = states.get(task_id)
        if before is None:
            if after != _PENDING:
                move_task(_PENDING, after)
            inserts.append((run_id, task_id, task.path, after, bytearray(task.record)))
            log.add(task_id, 0, 0, after)
        else:
            if before != after:
                move_task(before, after)
                log.add(task_id, 0, before, after)
            elif before in _FINAL:
                continue  # said before; an outcome does not change
            updates.append((after, bytearray(task.record), run_id, task_id))
        states[task_id] = after
    tx.execute_many(sql.INSERT_TASK, inserts)
    tx.execute_many(sql.UPDATE_TASK, updates)


def _rows_of(
    tx: Transaction, by_number: Statement, between: Statement, task_ids: Sequence[int], run_id: int
) -> list[Row]:
    """The rows of these tasks, and maybe of some that lie between them.

    The tasks of a fan-out are neighbours: a range is read in a third of the time that naming each of them takes.
    """
    first, last = min(task_ids), max(task_ids)
    if last - first < _SPARSE * len(task_ids):
        return tx.all(between, run_id, first, last)
    return tx.all_in(by_number, task_ids, run_id)


# Of one task: number -> (state, fence), as they are after what has been written so far.
_Siblings = dict[int, tuple[int, int]]


def write_attempts(tx: Transaction, log: ChangeLog, progress: Progress, starts: Sequence[AttemptRow]) -> None:
    """First what became of those that ran, then `starts`: those of the progress that nothing speaks against."""
    concerned = {attempt.task_id for rows in (progress.attempts, starts) for attempt in rows}
    if not concerned:
        return
    known: dict[int, _Siblings] = {task_id: {} for task_id in concerned}
    found = _rows_of(tx, sql.GET_ATTEMPTS, sql.GET_ATTEMPTS_BETWEEN, sorted(concerned), log.run_id)
    for task_id, number, state, fence in found:
        if task_id in known:
            known[task_id][number] = (state, fence)
    _write_changes(tx, log, progress.attempts, known)
    if starts:
        _write_starts(tx, log, progress, starts, known)


def _write_changes(
    tx: Transaction, log: ChangeLog, rows: Sequence[AttemptRow], known: dict[int, _Siblings]
) -> None:
    updates: list[Row] = []
    for attempt in rows:
        siblings = known[attempt.task_id]
        if attempt.number not in siblings:
            raise IllegalMove(f"attempt {attempt.number} of task {attempt.task_id} was never started")
        after = int(attempt.state)
        before, fence = siblings[attempt.number]
        if before > _LAST_LIVING and before == after:
            continue  # said before; an outcome does not change
        if before > _LAST_LIVING or after < before:
            raise IllegalMove(
                f"attempt {attempt.number} of task {attempt.task_id} cannot go from "
                f"{AttemptState(before).name} to {attempt.state.name}"
            )
        if after == _SUCCEEDED and any(state == _SUCCEEDED for state, _ in siblings.values()):
            raise IllegalMove(f"task {attempt.task_id} has succeeded already")
        if before != after:
            log.add(attempt.task_id, attempt.number, before, after)
        siblings[attempt.number] = (after, fence)
        updates.append((*_values(attempt), log.run_id, attempt.task_id, attempt.number))
    tx.execute_many(sql.UPDATE_ATTEMPT, updates)


def _write_starts(
    tx: Transaction,
    log: ChangeLog,
    progress: Progress,
    starts: Sequence[AttemptRow],
    known: dict[int, _Siblings],
) -> None:
    paths = {row.task_id: row.path for row in (*progress.tasks, *progress.starting)}
    fence = progress.fence
    inserts: list[Row] = []
    for start in starts:
        task_id, number, state = start.task_id, start.number, int(start.state)
        siblings = known[task_id]
        if siblings.get(number) == (state, fence):
            continue  # this very start, said before
        _check_may_start(start, siblings)
        siblings[number] = (state, fence)
        path = paths.get(task_id)
        if path is None:
            path = paths[task_id] = _path(tx, log.run_id, task_id)
        inserts.append((log.run_id, task_id, number, *_values(start), fence, path))
        log.add(task_id, number, 0, state)
    tx.execute_many(sql.INSERT_ATTEMPT, inserts)


def _check_may_start(start: AttemptRow, siblings: _Siblings) -> None:
    if start.state > _LAST_LIVING:
        raise IllegalMove(f"attempt {start.number} of task {start.task_id} cannot begin at its end")
    for number, (state, _) in siblings.items():
        if number >= start.number:
            raise IllegalMove(f"attempt {start.number} of task {start.task_id} was started before")
        if state == _SUCCEEDED or state <= _LAST_LIVING:
            raise IllegalMove(
                f"task {start.task_id} cannot start again: attempt {number} is {AttemptState(state).name}"
            )


def _path(tx: Transaction, run_id: int, task_id: int) -> str:
    row = tx.one(sql.GET_PATH, run_id, task_id)
    if row is None:
        raise IllegalMove(f"task {task_id}, which is to start, does not exist")
    path: str = row[0]
    return path


def _values(attempt: AttemptRow) -> Row:
    return (
        int(attempt.state),
        attempt.executor,
        attempt.handle,
        attempt.started_ns,
        attempt.ended_ns,
        int(attempt.is_counted),
        attempt.exit,
    )
