"""What is forgotten in time: operations that are done, and request ids.

Invariant: an operation that still waits for a run is kept, however old it is.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from reprise.store.database import Database, Transaction
from reprise.store.statement import Row, Statement, param
from reprise.store.tables import operations, request_ids

_OLD_OPERATIONS = Statement(
    select(operations.c.id)
    .where(operations.c.is_done == 1, operations.c.updated_ns < param("before_ns"))
    .limit(param("limit")),
    "before_ns",
    "limit",
)
_DROP_OPERATION = Statement(
    delete(operations).where(operations.c.id == param("operation_id")), "operation_id"
)
_KEY = (request_ids.c.project, request_ids.c.location, request_ids.c.request_id)
_OLD_REQUESTS = Statement(
    select(*_KEY).where(request_ids.c.created_ns < param("before_ns")).limit(param("limit")),
    "before_ns",
    "limit",
)
_DROP_REQUEST = Statement(
    delete(request_ids).where(*(column == param(column.name) for column in _KEY)),
    *(column.name for column in _KEY),
)


def prune(database: Database, before_ns: int, limit: int) -> int:
    """Forget up to `limit` operations and as many request ids from before `before_ns`; gives how many it was."""
    # Looked for on a snapshot: a long look must not keep writes waiting.
    old_operations, old_requests = database.read(lambda tx: _find(tx, before_ns, limit))
    if not old_operations and not old_requests:
        return 0

    def drop(tx: Transaction) -> int:
        tx.execute_many(_DROP_OPERATION, old_operations)
        tx.execute_many(_DROP_REQUEST, old_requests)
        return len(old_operations) + len(old_requests)

    return database.mutate(drop)


def _find(tx: Transaction, before_ns: int, limit: int) -> tuple[list[Row], list[Row]]:
    return tx.all(_OLD_OPERATIONS, before_ns, limit), tx.all(_OLD_REQUESTS, before_ns, limit)
