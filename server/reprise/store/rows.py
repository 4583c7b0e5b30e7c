"""Rows to values. Invariant: the values have the order of the columns in `store.definitions.columns`."""

from __future__ import annotations

import base64
import json
from typing import Any

from reprise.domain.names import Parent, RunName
from reprise.domain.run import Failure, Run
from reprise.domain.states import RunState
from reprise.store.statement import Row

RUN_WIDTH = 23  # columns of a run

# Looked up by number: calling an enum takes five times as long, and these are made for every row.
_RUN_STATES = {int(state): state for state in RunState}


def to_run(row: Row) -> Run:
    (
        id_,
        project,
        location,
        job_id,
        display_name,
        state,
        pipeline_name,
        labels,
        spec_digest,
        created_ns,
        updated_ns,
        started_ns,
        ended_ns,
        error_code,
        error_message,
        original_id,
        original_name,
        template_uri,
        schedule_name,
        fence,
        owner,
        warnings,
        header_wire,
    ) = row[:RUN_WIDTH]
    return Run(
        id=id_,
        name=RunName(Parent(project, location), job_id),
        display_name=display_name,
        state=_RUN_STATES[state],
        pipeline_name=pipeline_name,
        labels={} if labels == "{}" else json.loads(labels),
        header_wire=header_wire,
        spec_digest=spec_digest,
        created_ns=created_ns,
        updated_ns=updated_ns,
        started_ns=started_ns,
        ended_ns=ended_ns,
        error=to_failure(error_code, error_message),
        original_id=original_id,
        original_name=original_name,
        template_uri=template_uri,
        schedule_name=schedule_name,
        fence=fence,
        owner=owner,
        warnings=() if warnings == "[]" else tuple(json.loads(warnings)),
    )


def to_failure(code: int | None, message: str | None) -> Failure | None:
    return None if code is None else Failure(code, message or "")


def from_failure(failure: Failure | None) -> tuple[int | None, str | None]:
    return (None, None) if failure is None else (failure.code, failure.message)


def freeze_run(row: Row) -> bytes:
    """A row of RUN_COLUMNS as bytes: what an operation answers with, whatever becomes of the run."""
    return json.dumps(row, default=_bytes_to_json, separators=(",", ":")).encode()


def thaw_run(snapshot: bytes) -> Run:
    return to_run(json.loads(snapshot, object_hook=_bytes_from_json))


def _bytes_to_json(value: Any) -> dict[str, str]:
    return {"base64": base64.b64encode(value).decode()}


def _bytes_from_json(value: dict[str, str]) -> bytes:
    return base64.b64decode(value["base64"])
