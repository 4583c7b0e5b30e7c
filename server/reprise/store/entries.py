"""What the writes of a run have said of its tasks and of their attempts, each write in an entry of its own.

Invariant: entries are only added; of what they say of a task, or of an attempt, the last one holds. So they are read in
the order of their numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from reprise.domain.run import AttemptRow, TaskRow
from reprise.domain.states import AttemptState, TaskState
from reprise.store.database import Transaction
from reprise.store.prepared import entries as sql
from reprise.store.statement import Row

SEGMENT_BITS = 6
"""Tasks are of one segment if their ids differ in these last bits alone. So few that what is written of a segment each
time, 14 bytes for each place, fits into a page beside others: a chain writes it for one task."""

TaskEntry = tuple[int, int, str, int]
"""Task id, state, path, bytes of the record."""

AttemptEntry = tuple[int, int, int, str, str, int, int, int, str, int, str]
"""Task id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit, fence, path of the task ("": as the
entry of its start says). Bytes are text in Latin-1, which has a letter for each."""


_SEGMENTS_AT_ONCE = 16

# Looked up by number: calling an enum takes five times as long, and these are made for every row.
_TASK_STATES = {int(state): state for state in TaskState}
_ATTEMPT_STATES = {int(state): state for state in AttemptState}
# Without spaces, and made once.
to_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def read_tasks_of_run(tx: Transaction, run_id: int) -> tuple[TaskRow, ...]:
    """All of them, in the order of their ids."""
    return tuple(_last_of_tasks(tx.all(sql.TASKS, run_id)))


def read_tasks_from(tx: Transaction, run_id: int, first: int, limit: int) -> tuple[TaskRow, ...]:
    """Up to `limit` tasks from this id on, in the order of their ids."""
    rows: list[TaskRow] = []
    for segment in _segments_from(tx, run_id, first >> SEGMENT_BITS):
        found = _last_of_tasks(tx.all(sql.TASKS_OF_SEGMENT, run_id, segment))
        rows += [row for row in found if row.task_id >= first]
        if len(rows) >= limit:
            break
    return tuple(rows[:limit])


def read_attempts_of_run(tx: Transaction, run_id: int) -> tuple[AttemptRow, ...]:
    """All of them, in the order of their tasks and numbers."""
    last = last_of_attempts(tx.all(sql.ATTEMPTS, run_id))
    return tuple(_to_attempt(last[place]) for place in sorted(last))


def read_attempts_of_task(tx: Transaction, run_id: int, task_id: int) -> list[AttemptEntry]:
    """All attempts of one task, in their order, each as it is now."""
    last = last_of_attempts(tx.all(sql.ATTEMPTS_OF_SEGMENT, run_id, task_id >> SEGMENT_BITS))
    return [last[place] for place in sorted(last) if place[0] == task_id]


def last_of_attempts(entries: Iterable[Row]) -> dict[tuple[int, int], AttemptEntry]:
    """By task and number."""
    last: dict[tuple[int, int], AttemptEntry] = {}
    for (text,) in entries:
        for attempt in json.loads(text):
            last[attempt[0], attempt[1]] = attempt
    return last


def as_bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _last_of_tasks(entries: Iterable[Row]) -> list[TaskRow]:
    last: dict[int, TaskRow] = {}
    for text, records in entries:
        end = 0
        for task_id, state, path, size in json.loads(text):
            start, end = end, end + size
            last[task_id] = TaskRow(task_id, path, _TASK_STATES[state], records[start:end])
    return [last[task_id] for task_id in sorted(last)]


def _segments_from(tx: Transaction, run_id: int, first: int) -> Iterator[int]:
    while True:
        found = [number for (number,) in tx.all(sql.SEGMENTS_FROM, run_id, first, _SEGMENTS_AT_ONCE)]
        yield from found
        if len(found) < _SEGMENTS_AT_ONCE:
            return
        first = found[-1] + 1


def _to_attempt(entry: AttemptEntry) -> AttemptRow:
    task_id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit_, _, _ = entry
    return AttemptRow(
        task_id=task_id,
        number=number,
        state=_ATTEMPT_STATES[state],
        executor=executor,
        handle=as_bytes(handle),
        started_ns=started_ns,
        ended_ns=ended_ns,
        is_counted=bool(is_counted),
        exit=as_bytes(exit_),
    )
