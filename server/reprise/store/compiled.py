"""What a run that has ended leaves for its reruns, so that they are planned without its spec and its records.

Invariant: a compiled run goes with its run. It only spares work: a run without one is planned from its records.
"""

from __future__ import annotations

from sqlalchemy import insert, select

from reprise.domain.names import Parent
from reprise.domain.run import CompiledOriginal
from reprise.domain.states import RunState
from reprise.store.counters import LARGEST_ID
from reprise.store.database import Transaction
from reprise.store.rows import RUN_COLUMNS, RUN_WIDTH, to_run
from reprise.store.runs import check_has_ended, no_run
from reprise.store.statement import Statement, param
from reprise.store.tables import run_compiled, run_payloads, runs

_LOCK = Statement(
    select(runs.c.state, run_compiled.c.run_id)
    .select_from(runs.outerjoin(run_compiled, run_compiled.c.run_id == runs.c.id))
    .where(runs.c.id == param("run_id"))
    .with_for_update(of=runs),
    "run_id",
)
_INSERT = Statement(insert(run_compiled))
_GET = Statement(
    select(*RUN_COLUMNS, run_payloads.c.request, runs.c.records_digest, run_compiled.c.run_id)
    .select_from(
        runs.join(run_payloads).outerjoin(run_compiled, run_compiled.c.run_id == runs.c.id),
    )
    .where(runs.c.id == param("run_id")),
    "run_id",
)


def keep(tx: Transaction, run_id: int, graph: bytes, labels: bytes) -> None:
    row = tx.one(_LOCK, run_id)
    if row is not None and row[1] is None and RunState(row[0]).is_terminal:
        tx.execute(_INSERT, run_id, graph, labels)


def find_original(tx: Transaction, parent: Parent, run_id: int) -> CompiledOriginal | None:
    """None: nothing is kept. Errors: NotFound; FailedPrecondition when it has not ended."""
    row = tx.one(_GET, run_id) if abs(run_id) <= LARGEST_ID else None
    if row is None or row[1:3] != (parent.project, parent.location):
        raise no_run(f"the original {run_id} under {parent}")
    run = to_run(row)
    check_has_ended(str(run.name), run.state)
    request, records_digest, compiled_id = row[RUN_WIDTH:]
    if compiled_id is None or records_digest is None:
        return None
    return CompiledOriginal(run, request, records_digest, tx.large(run_compiled.c.graph, run_id))


def find_labels(tx: Transaction, run_id: int) -> bytes:
    """b"" where they have gone with their run."""
    row = tx.one(_IS_THERE, run_id)
    return b"" if row is None else tx.large(run_compiled.c.labels, run_id)


_IS_THERE = Statement(select(run_compiled.c.run_id).where(run_compiled.c.run_id == param("run_id")), "run_id")
