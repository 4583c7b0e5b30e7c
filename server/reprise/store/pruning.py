"""What is forgotten in time: operations that are done, and request ids.

Invariant: an operation that still waits for a run is kept, however old it is.
"""

from __future__ import annotations

from reprise.store.database import Database, Transaction
from reprise.store.prepared import pruning as sql
from reprise.store.statement import Row


def prune(database: Database, before_ns: int, limit: int) -> int:
    """Forget up to `limit` operations and as many request ids from before `before_ns`; gives how many it was."""
    # Looked for on a snapshot: a long look must not keep writes waiting.
    old_operations, old_requests = database.read(lambda tx: _find(tx, before_ns, limit))
    if not old_operations and not old_requests:
        return 0

    def drop(tx: Transaction) -> int:
        tx.execute_many(sql.DROP_OPERATION, old_operations)
        tx.execute_many(sql.DROP_REQUEST, old_requests)
        return len(old_operations) + len(old_requests)

    return database.mutate(drop)


def _find(tx: Transaction, before_ns: int, limit: int) -> tuple[list[Row], list[Row]]:
    return tx.all(sql.OLD_OPERATIONS, before_ns, limit), tx.all(sql.OLD_REQUESTS, before_ns, limit)
