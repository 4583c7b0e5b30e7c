"""The statements of `store.entries`."""

from __future__ import annotations

from sqlalchemy import insert, select

from reprise.store.construct import Construct, param
from reprise.store.tables import attempt_entries, task_entries, task_segments

INSERT_TASKS = Construct(insert(task_entries))
INSERT_ATTEMPTS = Construct(insert(attempt_entries))
TASKS = Construct(
    select(task_entries.c.tasks, task_entries.c.records)
    .where(task_entries.c.run_id == param("run_id"))
    .order_by(task_entries.c.segment, task_entries.c.number),
    "run_id",
)
TASKS_OF_SEGMENT = Construct(
    select(task_entries.c.tasks, task_entries.c.records)
    .where(task_entries.c.run_id == param("run_id"), task_entries.c.segment == param("segment"))
    .order_by(task_entries.c.number),
    "run_id",
    "segment",
)
SEGMENTS_FROM = Construct(
    select(task_segments.c.segment)
    .where(task_segments.c.run_id == param("run_id"), task_segments.c.segment >= param("segment"))
    .order_by(task_segments.c.segment)
    .limit(param("limit")),
    "run_id",
    "segment",
    "limit",
)
ATTEMPTS = Construct(
    select(attempt_entries.c.attempts)
    .where(attempt_entries.c.run_id == param("run_id"))
    .order_by(attempt_entries.c.segment, attempt_entries.c.number),
    "run_id",
)
ATTEMPTS_OF_SEGMENT = Construct(
    select(attempt_entries.c.attempts)
    .where(attempt_entries.c.run_id == param("run_id"), attempt_entries.c.segment == param("segment"))
    .order_by(attempt_entries.c.number),
    "run_id",
    "segment",
)
