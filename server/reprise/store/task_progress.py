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
from reprise.store.entries import SEGMENT_BITS, as_text, read_attempts_of_task, read_tasks_from
from reprise.store.segments import LAST_PLACE, Segment, Segments

# Compared as numbers: these lines run for every task, and an enum's call costs more than the comparison.
_PENDING = int(TaskState.PENDING)
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


def write_tasks_and_attempts(
    tx: Transaction,
    log: ChangeLog,
    progress: Progress,
    tasks: Sequence[TaskRow],
    starts: Sequence[AttemptRow],
) -> None:
    """`tasks` and `starts`: those of the progress that nothing speaks against."""
    concerned = {row.task_id for row in tasks}
    concerned.update([row.task_id for row in progress.attempts], [row.task_id for row in starts])
    if not concerned:
        return
    segments = Segments(tx, log.run_id, concerned)
    _change_tasks(segments, log, tasks)
    # What became of those that ran comes before what starts.
    for attempt in progress.attempts:
        _change_attempt(tx, segments, log, attempt)
    paths = {row.task_id: row.path for row in tasks}
    for start in starts:
        _start_attempt(tx, segments, log, start, progress.fence, paths)
    segments.write()


def _change_tasks(segments: Segments, log: ChangeLog, rows: Sequence[TaskRow]) -> None:
    number = -1
    for task_id, path, state, record in rows:
        if task_id >> SEGMENT_BITS != number:
            number, segment = task_id >> SEGMENT_BITS, segments.of(task_id)
            states, entries, records = segment.states, segment.tasks, segment.records
        place, after = task_id & LAST_PLACE, int(state)
        before = states[place]
        if before == 0:
            if after != _PENDING:
                move_task(_PENDING, after)
            log.add(task_id, 0, 0, after)
        elif before != after:
            move_task(before, after)
            log.add(task_id, 0, before, after)
        elif before in _FINAL:
            continue  # said before; an outcome does not change
        states[place] = after
        entries.append((task_id, after, path, len(record)))
        records.append(record)


def _change_attempt(tx: Transaction, segments: Segments, log: ChangeLog, attempt: AttemptRow) -> None:
    task_id, number, after = attempt.task_id, attempt.number, int(attempt.state)
    segment, place = segments.of(task_id), task_id & LAST_PLACE
    last = segment.attempt_numbers[place]
    before = segment.attempt_states[place] if number == last else _earlier(tx, log.run_id, task_id, number)
    if not before:
        raise IllegalMove(f"attempt {number} of task {task_id} was never started")
    if before > _LAST_LIVING and before == after:
        return  # said before; an outcome does not change
    if before > _LAST_LIVING or after < before:
        raise IllegalMove(
            f"attempt {number} of task {task_id} cannot go from "
            f"{AttemptState(before).name} to {attempt.state.name}"
        )
    if before != after:
        log.add(task_id, number, before, after)
    segment.attempt_states[place] = after
    _add(segment, attempt, segment.attempt_fences[place], "")


def _earlier(tx: Transaction, run_id: int, task_id: int, number: int) -> int:
    """The state of an attempt that is not the task's last; 0: there was none. It has ended, or no other had started."""
    found = read_attempts_of_task(tx, run_id, task_id)
    return next((entry[2] for entry in found if entry[1] == number), 0)


def _start_attempt(
    tx: Transaction, segments: Segments, log: ChangeLog, start: AttemptRow, fence: int, paths: dict[int, str]
) -> None:
    task_id, number, state = start.task_id, start.number, int(start.state)
    segment, place = segments.of(task_id), task_id & LAST_PLACE
    last, last_state = segment.attempt_numbers[place], segment.attempt_states[place]
    if last == number and last_state == state and segment.attempt_fences[place] == fence:
        return  # this very start, said before
    _check_may_start(start, last, last_state)
    if not segment.states[place]:
        raise IllegalMove(f"task {task_id}, which is to start, does not exist")
    path = paths.get(task_id)
    if path is None:
        path = paths[task_id] = _path(tx, log.run_id, task_id)
    segment.attempt_states[place] = state
    segment.attempt_numbers[place], segment.attempt_fences[place] = number, fence
    _add(segment, start, fence, path)
    log.add(task_id, number, 0, state)


def _path(tx: Transaction, run_id: int, task_id: int) -> str:
    (row,) = read_tasks_from(tx, run_id, task_id, 1)
    return row.path


def _check_may_start(start: AttemptRow, last: int, last_state: int) -> None:
    """`last`: the task's last attempt, 0: there was none. No attempt before it lives or has succeeded."""
    if start.state > _LAST_LIVING:
        raise IllegalMove(f"attempt {start.number} of task {start.task_id} cannot begin at its end")
    if last >= start.number:
        raise IllegalMove(f"attempt {start.number} of task {start.task_id} was started before")
    if last and (last_state == _SUCCEEDED or last_state <= _LAST_LIVING):
        raise IllegalMove(
            f"task {start.task_id} cannot start again: attempt {last} is {AttemptState(last_state).name}"
        )


def _add(segment: Segment, attempt: AttemptRow, fence: int, path: str) -> None:
    segment.attempts.append(
        (
            attempt.task_id,
            attempt.number,
            int(attempt.state),
            attempt.executor,
            as_text(attempt.handle),
            attempt.started_ns,
            attempt.ended_ns,
            int(attempt.is_counted),
            as_text(attempt.exit),
            fence,
            path,
        )
    )
