"""The statements of `store.slices`."""

from __future__ import annotations

from sqlalchemy import select

from reprise.store.construct import Construct, param
from reprise.store.definitions.columns import TASK_COLUMNS
from reprise.store.tables import events, tasks

TASKS_AFTER = Construct(
    select(*TASK_COLUMNS)
    .where(tasks.c.run_id == param("run_id"), tasks.c.task_id > param("task_id"))
    .order_by(tasks.c.task_id)
    .limit(param("limit")),
    "run_id",
    "task_id",
    "limit",
)
CHANGES_AFTER = Construct(
    select(events.c.seq, events.c.at_ns, events.c.changes)
    .where(events.c.run_id == param("run_id"), events.c.seq > param("seq"))
    .order_by(events.c.seq)
    .limit(param("limit")),
    "run_id",
    "seq",
    "limit",
)
