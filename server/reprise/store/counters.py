"""Numbers that are never given twice, not even after what bore them is gone."""

from __future__ import annotations

from reprise.store.database import Transaction
from reprise.store.prepared import counters as sql
from reprise.store.statement import Statement

LARGEST_ID = 2**63 - 1


def next_id(tx: Transaction, now_ns: int) -> int:
    """An id for a run or an operation: rising, about the microseconds since the epoch, exact in a double."""
    return _take(tx, "id", sql.NEXT, max(1, now_ns // 1000))


def reserve_ids(tx: Transaction, kind: str, count: int) -> int:
    """The first of `count` ids in a row; each kind has its own."""
    return _take(tx, kind, sql.RESERVE, count) - count + 1


def _take(tx: Transaction, name: str, statement: Statement, value: int) -> int:
    row = tx.one(statement, name, value)
    if row is None:
        tx.execute(sql.INSERT, name, value)
        return value
    taken: int = row[0]
    return taken
