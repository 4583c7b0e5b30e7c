"""What a run that has ended leaves for its reruns, so that they are planned without its spec and its records.

Invariant: a compiled run goes with its run. It only spares work: a run without one is planned from its records.
"""

from __future__ import annotations

from reprise.domain.names import Parent
from reprise.domain.run import CompiledOriginal
from reprise.domain.states import RunState
from reprise.store.counters import LARGEST_ID
from reprise.store.database import Transaction
from reprise.store.prepared import compiled as sql
from reprise.store.rows import RUN_WIDTH, to_run
from reprise.store.runs import check_has_ended, no_run


def keep(tx: Transaction, run_id: int, graph: bytes, labels: bytes) -> None:
    row = tx.one(sql.LOCK, run_id)
    if row is not None and row[1] is None and RunState(row[0]).is_terminal:
        tx.execute(sql.INSERT, run_id, graph, labels)


def find_original(tx: Transaction, parent: Parent, run_id: int) -> CompiledOriginal | None:
    """None: nothing is kept. Errors: NotFound; FailedPrecondition when it has not ended."""
    row = tx.one(sql.GET, run_id) if abs(run_id) <= LARGEST_ID else None
    if row is None or row[1:3] != (parent.project, parent.location):
        raise no_run(f"the original {run_id} under {parent}")
    run = to_run(row)
    check_has_ended(str(run.name), run.state)
    request, records_digest, compiled_id = row[RUN_WIDTH:]
    if compiled_id is None or records_digest is None:
        return None
    return CompiledOriginal(run, request, records_digest, tx.large(sql.GRAPH, run_id))


def find_labels(tx: Transaction, run_id: int) -> bytes:
    """b"" where they have gone with their run."""
    row = tx.one(sql.IS_THERE, run_id)
    return b"" if row is None else tx.large(sql.LABELS, run_id)
