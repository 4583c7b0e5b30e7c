"""The tasks of a run, by segments of neighbours: what each of them and its last attempt have come to.

Invariant: a segment is read and written in the transaction that holds the run's row, so what it says of a task is what
all entries before have made of it.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from reprise.store.database import Transaction
from reprise.store.entries import SEGMENT_BITS, AttemptEntry, TaskEntry, add_attempts, add_tasks
from reprise.store.prepared import segments as sql
from reprise.store.statement import Row

SIZE = 1 << SEGMENT_BITS
LAST_PLACE = SIZE - 1
# Of so many neighbours one has to be asked for, for all of them to be read: a text with numbers in it is compiled anew.
_SPARSE = 3


class Segment:
    """As it is after what has been written so far; by place, which is what a task's id leaves over."""

    __slots__ = (
        "attempt_fences",
        "attempt_numbers",
        "attempt_states",
        "attempts",
        "entries",
        "number",
        "records",
        "states",
        "tasks",
    )

    def __init__(self, number: int, row: Row | None) -> None:
        self.number = number
        # What this transaction adds.
        self.tasks: list[TaskEntry] = []
        self.records: list[bytes] = []
        self.attempts: list[AttemptEntry] = []
        if row is None:
            self.entries = 0
            self.states, self.attempt_states = bytearray(SIZE), bytearray(SIZE)
            self.attempt_numbers, self.attempt_fences = _numbers("I"), _numbers("q")
        else:
            _, self.entries, states, attempt_states, numbers, fences = row
            self.states, self.attempt_states = bytearray(states), bytearray(attempt_states)
            self.attempt_numbers, self.attempt_fences = _numbers("I", numbers), _numbers("q", fences)

    def values(self) -> Row:
        return (
            self.entries + 1,
            self.states,
            self.attempt_states,
            _stored(self.attempt_numbers),
            _stored(self.attempt_fences),
        )


class Segments:
    """Those of a run that a transaction changes."""

    def __init__(self, tx: Transaction, run_id: int, task_ids: Iterable[int]) -> None:
        """`task_ids`: of all tasks that it concerns, one at least."""
        self._tx = tx
        self.run_id = run_id
        numbers = sorted({task_id >> SEGMENT_BITS for task_id in task_ids})
        found = {row[0]: row for row in _rows_of(tx, run_id, numbers)}
        self._known = found.keys()
        self._segments = {number: Segment(number, found.get(number)) for number in numbers}

    def of(self, task_id: int) -> Segment:
        return self._segments[task_id >> SEGMENT_BITS]

    def write(self) -> None:
        """What has been added, and what has become of those to which it was."""
        changed = [segment for segment in self._segments.values() if segment.tasks or segment.attempts]
        run_id = self.run_id
        values = [(segment, segment.values()) for segment in changed]
        new = [(run_id, one.number, *row) for one, row in values if one.number not in self._known]
        self._tx.execute_many(sql.INSERT, new)
        old = [(*row, run_id, one.number) for one, row in values if one.number in self._known]
        self._tx.execute_many(sql.UPDATE, old)
        told = [segment for segment in changed if segment.tasks]
        add_tasks(self._tx, run_id, [(one.number, one.entries + 1, one.tasks, one.records) for one in told])
        told = [segment for segment in changed if segment.attempts]
        add_attempts(self._tx, run_id, [(one.number, one.entries + 1, one.attempts) for one in told])


def first_with_attempt(tx: Transaction, run_id: int, states: Collection[int]) -> tuple[int, int] | None:
    """A task, and the number of its last attempt, which is in one of these states."""
    for number, attempt_states, numbers in tx.all(sql.GET_ALL, run_id):
        for state in states:
            place = attempt_states.find(state)
            if place >= 0:
                return (number << SEGMENT_BITS) + place, _numbers("I", numbers)[place]
    return None


def drop_tasks(tx: Transaction, run_id: int) -> None:
    """The run has ended: its records say what became of its tasks. Its attempts are kept."""
    tx.execute(sql.DROP_TASKS, run_id)
    tx.execute(sql.DROP_SEGMENTS, run_id)


def _rows_of(tx: Transaction, run_id: int, numbers: Sequence[int]) -> list[Row]:
    """Of these segments, and maybe of some that lie between them."""
    first, last = numbers[0], numbers[-1]
    if last - first < _SPARSE * len(numbers):
        return tx.all(sql.GET_BETWEEN, run_id, first, last)
    return tx.all_in(sql.GET, numbers, run_id)


def _numbers(kind: str, stored: bytes | None = None) -> array[Any]:
    numbers: array[Any] = array(kind)
    numbers.frombytes(bytes(SIZE * numbers.itemsize) if stored is None else stored)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _stored(numbers: array[Any]) -> bytes:
    """Little endian, wherever the store was written."""
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()
