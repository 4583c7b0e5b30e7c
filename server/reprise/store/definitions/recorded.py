"""The statements of `store.recorded`."""

from __future__ import annotations

from sqlalchemy import select

from reprise.store.construct import Construct, param
from reprise.store.definitions.columns import RUN_COLUMNS
from reprise.store.tables import run_payloads, runs

GET = Construct(
    select(
        *RUN_COLUMNS,
        runs.c.records_digest,
        runs.c.original_spec_digest,
        runs.c.original_records_digest,
        runs.c.original_records_name,
    )
    .select_from(runs.join(run_payloads))
    .where(
        runs.c.project == param("project"),
        runs.c.location == param("location"),
        runs.c.job_id == param("job_id"),
    ),
    "project",
    "location",
    "job_id",
)
