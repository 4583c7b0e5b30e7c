"""The statements of `store.deletion`."""

from __future__ import annotations

from sqlalchemy import delete, select

from reprise.store.construct import Construct, param
from reprise.store.tables import runs

LOCK = Construct(
    select(
        runs.c.state,
        runs.c.spec_digest,
        runs.c.original_spec_digest,
        runs.c.original_records_digest,
        runs.c.records_digest,
    )
    .where(runs.c.id == param("run_id"))
    .with_for_update(),
    "run_id",
)
DELETE = Construct(delete(runs).where(runs.c.id == param("run_id")), "run_id")
