"""What several statements have in common: the columns that `store.rows` takes, in its order, and a run's name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from reprise.store.construct import Construct, param
from reprise.store.tables import run_payloads, runs

RUN_COLUMNS = (
    runs.c.id,
    runs.c.project,
    runs.c.location,
    runs.c.job_id,
    runs.c.display_name,
    runs.c.state,
    runs.c.pipeline_name,
    runs.c.labels,
    runs.c.spec_digest,
    runs.c.created_ns,
    runs.c.updated_ns,
    runs.c.started_ns,
    runs.c.ended_ns,
    runs.c.error_code,
    runs.c.error_message,
    runs.c.original_id,
    runs.c.original_name,
    runs.c.template_uri,
    runs.c.schedule_name,
    runs.c.fence,
    runs.c.owner,
    runs.c.warnings,
    run_payloads.c.header_wire,
)
SELECT_RUN = select(*RUN_COLUMNS).select_from(runs.join(run_payloads))


def by_name(query: Select[Any]) -> Construct:
    """Of the run with this project, location and id."""
    named = query.where(
        runs.c.project == param("project"),
        runs.c.location == param("location"),
        runs.c.job_id == param("job_id"),
    )
    return Construct(named, "project", "location", "job_id")
