"""The statements of `store.progress`."""

from __future__ import annotations

from sqlalchemy import select, update

from reprise.store.construct import Construct, param
from reprise.store.tables import runs

LOCK = Construct(
    select(
        runs.c.state,
        runs.c.fence,
        runs.c.event_seq,
        runs.c.started_ns,
        runs.c.error_code,
        runs.c.error_message,
        runs.c.project,
        runs.c.pipeline_name,
    )
    .where(runs.c.id == param("run_id"))
    .with_for_update(),
    "run_id",
)
UPDATE_RUN = Construct(
    update(runs)
    .values(
        state=param("state"),
        updated_ns=param("updated_ns"),
        started_ns=param("started_ns"),
        error_code=param("error_code"),
        error_message=param("error_message"),
        event_seq=param("event_seq"),
    )
    .where(runs.c.id == param("run_id"), runs.c.fence == param("fence")),
    "state",
    "updated_ns",
    "started_ns",
    "error_code",
    "error_message",
    "event_seq",
    "run_id",
    "fence",
)
END_RUN = Construct(
    update(runs)
    .values(ended_ns=param("ended_ns"), records_digest=param("digest"), owner="", lease_until_ns=0)
    .where(runs.c.id == param("run_id"), runs.c.fence == param("fence")),
    "ended_ns",
    "digest",
    "run_id",
    "fence",
)
