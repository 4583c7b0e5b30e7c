"""The statements of `store.segments`."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from reprise.store.construct import Construct, ids, param
from reprise.store.tables import task_entries, task_segments

_COLUMNS = (
    task_segments.c.segment,
    task_segments.c.entries,
    task_segments.c.states,
    task_segments.c.attempt_states,
    task_segments.c.attempt_numbers,
    task_segments.c.attempt_fences,
)
GET = Construct(
    select(*_COLUMNS).where(task_segments.c.run_id == param("run_id"), task_segments.c.segment.in_(ids())),
    "run_id",
)
GET_BETWEEN = Construct(
    select(*_COLUMNS).where(
        task_segments.c.run_id == param("run_id"),
        task_segments.c.segment >= param("first"),
        task_segments.c.segment <= param("last"),
    ),
    "run_id",
    "first",
    "last",
)
GET_ALL = Construct(
    select(task_segments.c.segment, task_segments.c.attempt_states, task_segments.c.attempt_numbers)
    .where(task_segments.c.run_id == param("run_id"))
    .order_by(task_segments.c.segment),
    "run_id",
)
INSERT = Construct(insert(task_segments))
UPDATE = Construct(
    update(task_segments)
    .values(
        entries=param("entries"),
        states=param("states"),
        attempt_states=param("attempt_states"),
        attempt_numbers=param("attempt_numbers"),
        attempt_fences=param("attempt_fences"),
    )
    .where(task_segments.c.run_id == param("run_id"), task_segments.c.segment == param("segment")),
    "entries",
    "states",
    "attempt_states",
    "attempt_numbers",
    "attempt_fences",
    "run_id",
    "segment",
)
DROP_SEGMENTS = Construct(delete(task_segments).where(task_segments.c.run_id == param("run_id")), "run_id")
DROP_TASKS = Construct(delete(task_entries).where(task_entries.c.run_id == param("run_id")), "run_id")
