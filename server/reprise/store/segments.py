"""The tasks of a run, by segments of neighbours: what each of them and its last attempt have come to.

Invariant: a segment is read and written in the transaction that holds the run's row, so what it says of a task is what
all entries before have made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reprise.store.database import Transaction
from reprise.store.entries import SEGMENT_BITS
from reprise.store.prepared import segments as sql
from reprise.store.statement import Row

_NUMBER_BYTES = 4
# Of so many neighbours one has to be asked for, for all of them to be read: a text with numbers in it is compiled anew.
_SPARSE = 3


def read_segments(tx: Transaction, run_id: int, numbers: Sequence[int]) -> list[Row]:
    """The rows of these segments, sorted and one at least, and maybe of some that lie between them."""
    first, last = numbers[0], numbers[-1]
    if last - first < _SPARSE * len(numbers):
        return tx.all(sql.GET_BETWEEN, run_id, first, last)
    return tx.all_in(sql.GET, numbers, run_id)


def first_with_attempt(tx: Transaction, run_id: int, states: Collection[int]) -> tuple[int, int] | None:
    """A task, and the number of its last attempt, which is in one of these states."""
    for number, attempt_states, numbers in tx.all(sql.GET_ALL, run_id):
        for state in states:
            place = attempt_states.find(state)
            if place >= 0:
                number_of_attempt = numbers[place * _NUMBER_BYTES : (place + 1) * _NUMBER_BYTES]
                return (number << SEGMENT_BITS) + place, int.from_bytes(number_of_attempt, "little")
    return None


def drop_tasks(tx: Transaction, run_id: int) -> None:
    """The run has ended: its records say what became of its tasks. Its attempts are kept."""
    tx.execute(sql.DROP_TASKS, run_id)
    tx.execute(sql.DROP_SEGMENTS, run_id)
