"""The statements of `store.runs`."""

from __future__ import annotations

from sqlalchemy import case, func, insert, select

from reprise.store.construct import Construct, param
from reprise.store.definitions.columns import RUN_COLUMNS, SELECT_RUN, by_name
from reprise.store.tables import (
    events,
    request_ids,
    run_labels,
    run_payloads,
    runs,
)

GET_RUN = by_name(SELECT_RUN)
GET_RUN_BY_ID = Construct(SELECT_RUN.where(runs.c.id == param("run_id")), "run_id")
GET_ID = by_name(select(runs.c.id))
# The records are those of a run, or, where it ended before anything started, those that it was to begin with.
_RECORDS = (
    func.coalesce(runs.c.records_digest, runs.c.original_records_digest),
    case((runs.c.records_digest.is_(None), runs.c.original_records_id), else_=0),
    case((runs.c.records_digest.is_(None), runs.c.original_records_name), else_=""),
)
GET_ORIGINAL = Construct(
    select(*RUN_COLUMNS, run_payloads.c.request, *_RECORDS)
    .select_from(runs.join(run_payloads))
    .where(runs.c.id == param("run_id")),
    "run_id",
)
LOCK_ORIGINAL = Construct(
    select(
        runs.c.project,
        runs.c.location,
        runs.c.job_id,
        runs.c.state,
        runs.c.spec_digest,
        *_RECORDS,
    )
    .where(runs.c.id == param("run_id"))
    .with_for_update(),
    "run_id",
)
LOCK_SOURCE = Construct(select(runs.c.id).where(runs.c.id == param("run_id")).with_for_update(), "run_id")
GET_FINGERPRINT = by_name(select(runs.c.fingerprint))
GET_REQUEST_ID = Construct(
    select(request_ids.c.fingerprint, request_ids.c.run_id).where(
        request_ids.c.project == param("project"),
        request_ids.c.location == param("location"),
        request_ids.c.request_id == param("request_id"),
    ),
    "project",
    "location",
    "request_id",
)
INSERT_RUN = Construct(insert(runs))
INSERT_PAYLOAD = Construct(insert(run_payloads))
INSERT_LABEL = Construct(insert(run_labels))
INSERT_REQUEST_ID = Construct(insert(request_ids))
INSERT_EVENT = Construct(insert(events))
