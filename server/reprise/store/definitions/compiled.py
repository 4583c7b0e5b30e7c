"""The statements of `store.compiled`."""

from __future__ import annotations

from sqlalchemy import insert, select

from reprise.store.construct import Construct, large, param
from reprise.store.definitions.columns import RUN_COLUMNS
from reprise.store.tables import run_compiled, run_payloads, runs

LOCK = Construct(
    select(runs.c.state, run_compiled.c.run_id)
    .select_from(runs.outerjoin(run_compiled, run_compiled.c.run_id == runs.c.id))
    .where(runs.c.id == param("run_id"))
    .with_for_update(of=runs),
    "run_id",
)
INSERT = Construct(insert(run_compiled))
GET = Construct(
    select(*RUN_COLUMNS, run_payloads.c.request, runs.c.records_digest, run_compiled.c.run_id)
    .select_from(
        runs.join(run_payloads).outerjoin(run_compiled, run_compiled.c.run_id == runs.c.id),
    )
    .where(runs.c.id == param("run_id")),
    "run_id",
)
IS_THERE = Construct(select(run_compiled.c.run_id).where(run_compiled.c.run_id == param("run_id")), "run_id")
GRAPH = large(run_compiled.c.graph)
LABELS = large(run_compiled.c.labels)
