"""The statements of `store.details`."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from reprise.store.construct import Construct, large, param
from reprise.store.tables import run_details, run_details_parts

INSERT = Construct(insert(run_details))
INSERT_PART = Construct(insert(run_details_parts))
PARTS = Construct(
    select(run_details_parts.c.id, func.length(run_details_parts.c.details_wire))
    .where(run_details_parts.c.run_id == param("run_id"))
    .order_by(run_details_parts.c.first_task_id),
    "run_id",
)
IS_PART = Construct(
    select(run_details_parts.c.id).where(
        run_details_parts.c.id == param("id"), run_details_parts.c.run_id == param("run_id")
    ),
    "id",
    "run_id",
)
PART_OF = Construct(
    select(run_details_parts.c.id, run_details_parts.c.first_task_id)
    .where(
        run_details_parts.c.run_id == param("run_id"),
        run_details_parts.c.first_task_id <= param("task_id"),
    )
    .order_by(run_details_parts.c.first_task_id.desc())
    .limit(1),
    "run_id",
    "task_id",
)
PARTS_FROM = Construct(
    select(run_details_parts.c.id, run_details_parts.c.first_task_id)
    .where(
        run_details_parts.c.run_id == param("run_id"),
        run_details_parts.c.first_task_id > param("task_id"),
    )
    .order_by(run_details_parts.c.first_task_id)
    .limit(2),
    "run_id",
    "task_id",
)
WHOLE = Construct(select(run_details.c.run_id).where(run_details.c.run_id == param("run_id")), "run_id")
WHOLE_WIRE = large(run_details.c.details_wire)
PART_WIRE = large(run_details_parts.c.details_wire)
