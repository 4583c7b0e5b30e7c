"""The tasks of a finished run as Get shows them, kept whole or, of a long run, in parts.

Invariant: the parts in the order of their first tasks, joined, are the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from reprise.domain.errors import NotFound
from reprise.domain.run import DetailsParts, Finish
from reprise.store.counters import reserve_ids
from reprise.store.database import Database, Transaction
from reprise.store.prepared import details as sql


def insert_details(tx: Transaction, run_id: int, finish: Finish) -> None:
    tx.execute(sql.INSERT, run_id, finish.details_wire)
    if finish.details_parts:
        first_id = reserve_ids(tx, "run_details_parts", len(finish.details_parts))
        tx.execute_many(
            sql.INSERT_PART,
            [
                (first_id + index, run_id, part.first_task_id, part.wire)
                for index, part in enumerate(finish.details_parts)
            ],
        )


def find_parts(
    tx: Transaction, database: Database, run_id: int, no_run: Callable[[], NotFound]
) -> DetailsParts | None:
    """Where the tasks of a run that has ended lie in parts. They are read later, each in a transaction of its own:
    they never change, and no snapshot is held while an answer is put together. `no_run`: the run has been deleted.
    """
    parts = tx.all(sql.PARTS, run_id)
    if not parts:
        return None

    def read(part_id: int, tx: Transaction) -> bytes:
        if tx.one(sql.IS_PART, part_id, run_id) is None:
            raise no_run()
        return tx.large(sql.PART_WIRE, part_id)

    def each() -> Iterator[bytes]:
        return (database.read(partial(read, part_id)) for part_id, _ in parts)

    return DetailsParts(sum(length for _, length in parts), each)


def read_part(tx: Transaction, run_id: int, after_task_id: int) -> tuple[bytes, int] | None:
    """The bytes in which the task after `after_task_id` is found, and the first task of the part behind them (0: none).

    None: the run has not ended. The tasks up to `after_task_id` may stand in front.
    """
    if tx.one(sql.WHOLE, run_id) is None:
        return None
    whole = tx.large(sql.WHOLE_WIRE, run_id)
    if whole:
        return whole, 0
    here = tx.one(sql.PART_OF, run_id, after_task_id + 1)
    later = tx.all(sql.PARTS_FROM, run_id, after_task_id + 1)
    rows = [*([here] if here is not None else []), *later]
    if not rows:
        return b"", 0
    return tx.large(sql.PART_WIRE, rows[0][0]), rows[1][1] if len(rows) > 1 else 0
