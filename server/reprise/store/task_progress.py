"""The tasks and attempts of one write of the scheduler.

Invariants: a task's state moves only along the edges of the domain's table; at most one of its attempts
lives, and at most one has succeeded; an outcome, once said, stays. What is read is read in the transaction;
what follows from it is worked out by the core (`core_rs/src/segments`), so that rows of tasks need not leave it.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise import _core
from reprise.domain.errors import IllegalMove
from reprise.domain.run import AttemptRow, Progress, TaskRow
from reprise.domain.states import TASK_MOVES_BY_NUMBER
from reprise.store.database import Transaction
from reprise.store.entries import read_attempts_of_task, read_tasks_from
from reprise.store.prepared import entries as entries_sql
from reprise.store.prepared import segments as segments_sql
from reprise.store.runs import change_of_run
from reprise.store.segments import read_segments
from reprise.task_rows import TaskRows

_RULES = _core.TaskRules(TASK_MOVES_BY_NUMBER)


class ChangeLog:
    """The changes of states in one transaction, numbered after those that the run has had."""

    __slots__ = ("changes", "run_id", "seq")

    def __init__(self, run_id: int, seq: int) -> None:
        self.run_id = run_id
        self.seq = seq
        self.changes: list[str] = []

    def add(self, before: int, after: int) -> None:
        """The run itself has changed."""
        self.extend(change_of_run(before, after), 1)

    def extend(self, changes: str, count: int) -> None:
        """`changes`: so many of them, items of a JSON list."""
        if count:
            self.seq += count
            self.changes.append(changes)


def write_tasks_and_attempts(
    tx: Transaction,
    log: ChangeLog,
    progress: Progress,
    starting: Sequence[TaskRow],
    starts: Sequence[AttemptRow],
) -> None:
    """`starting` and `starts`: those of the progress that nothing speaks against."""
    groups = [_in_core(progress.tasks), _in_core(starting)]
    write = _core.TaskWrite(groups, progress.attempts, starts, progress.fence)
    concerned = write.segments()
    if not concerned:
        return
    run_id = log.run_id
    segments = read_segments(tx, run_id, concerned)
    try:
        rows = write.rows(_RULES, run_id, segments)
        while isinstance(rows, _core.Unknown):  # once
            rows = write.rows(_RULES, run_id, segments, _found(tx, run_id, rows))
    except ValueError as refusal:
        raise IllegalMove(str(refusal)) from None
    new, changed, task_entries, attempt_entries, changes, count = rows
    tx.execute_many(segments_sql.INSERT, new)
    tx.execute_many(segments_sql.UPDATE, changed)
    tx.execute_many(entries_sql.INSERT_TASKS, task_entries)
    tx.execute_many(entries_sql.INSERT_ATTEMPTS, attempt_entries)
    log.extend(changes, count)


def _in_core(rows: Sequence[TaskRow]) -> _core.TaskRows | Sequence[TaskRow]:
    return rows.batch if isinstance(rows, TaskRows) else rows


def _found(
    tx: Transaction, run_id: int, unknown: _core.Unknown
) -> tuple[list[tuple[int, int, int]], list[tuple[int, str]]]:
    """The states of attempts that are not the last of their tasks, and the paths of tasks, if there are such."""
    states = [
        (task_id, number, entry[2])
        for task_id, number in unknown.attempts
        for entry in read_attempts_of_task(tx, run_id, task_id)
        if entry[1] == number
    ]
    paths = [
        (task_id, row.path)
        for task_id in unknown.paths
        for row in read_tasks_from(tx, run_id, task_id, 1)
        if row.task_id == task_id
    ]
    return states, paths
