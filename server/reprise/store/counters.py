"""Numbers that are never given twice, not even after what bore them is gone."""

from __future__ import annotations

from sqlalchemy import case, insert, update

from reprise.store.database import Transaction
from reprise.store.statement import Statement, param
from reprise.store.tables import counters

LARGEST_ID = 2**63 - 1

_NEXT = Statement(
    update(counters)
    .where(counters.c.name == param("name"))
    .values(value=case((counters.c.value < param("floor"), param("floor")), else_=counters.c.value + 1))
    .returning(counters.c.value),
    "name",
    "floor",
)
_RESERVE = Statement(
    update(counters)
    .where(counters.c.name == param("name"))
    .values(value=counters.c.value + param("count"))
    .returning(counters.c.value),
    "name",
    "count",
)
_INSERT = Statement(insert(counters))


def next_id(tx: Transaction, now_ns: int) -> int:
    """An id for a run or an operation: rising, about the microseconds since the epoch, exact in a double."""
    return _take(tx, "id", _NEXT, max(1, now_ns // 1000))


def reserve_ids(tx: Transaction, kind: str, count: int) -> int:
    """The first of `count` ids in a row; each kind has its own."""
    return _take(tx, kind, _RESERVE, count) - count + 1


def _take(tx: Transaction, name: str, statement: Statement, value: int) -> int:
    row = tx.one(statement, name, value)
    if row is None:
        tx.execute(_INSERT, name, value)
        return value
    taken: int = row[0]
    return taken
