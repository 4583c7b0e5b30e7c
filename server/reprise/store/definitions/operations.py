"""The statements of `store.operations`."""

from __future__ import annotations

from sqlalchemy import delete, exists, insert, literal, select, text, update

from reprise.store.construct import Construct, param
from reprise.store.tables import IS_PENDING, operation_targets, operations

_COLUMNS = (
    operations.c.id,
    operations.c.project,
    operations.c.location,
    operations.c.kind,
    operations.c.party,
    operations.c.is_done,
    operations.c.created_ns,
    operations.c.updated_ns,
    operations.c.error_code,
    operations.c.error_message,
)
_BY_NAME = (
    operations.c.id == param("operation_id"),
    operations.c.project == param("project"),
    operations.c.location == param("location"),
)
_NAME = ("operation_id", "project", "location")
GET = Construct(select(*_COLUMNS).where(*_BY_NAME), *_NAME)
LOCK = Construct(
    select(operations.c.is_done).where(operations.c.id == param("operation_id")).with_for_update(),
    "operation_id",
)
LIST = Construct(
    select(*_COLUMNS)
    .where(
        operations.c.project == param("project"),
        operations.c.location == param("location"),
        operations.c.id < param("before"),
    )
    .order_by(operations.c.id.desc())
    .limit(param("limit")),
    "project",
    "location",
    "before",
    "limit",
)
GET_TARGETS = Construct(
    select(
        operation_targets.c.name,
        operation_targets.c.run_id,
        operation_targets.c.outcome,
        operation_targets.c.state,
        operation_targets.c.snapshot,
    )
    .where(operation_targets.c.operation_id == param("operation_id"))
    .order_by(operation_targets.c.position),
    "operation_id",
)
INSERT = Construct(insert(operations))
INSERT_TARGET = Construct(insert(operation_targets))
DELETE = Construct(delete(operations).where(*_BY_NAME), *_NAME)
WAITING_FOR = Construct(
    select(operation_targets.c.operation_id)
    .where(operation_targets.c.run_id == param("run_id"), text(IS_PENDING))
    .distinct()
    .order_by(operation_targets.c.operation_id),
    "run_id",
)
END_TARGET = Construct(
    update(operation_targets)
    .values(outcome=param("outcome"), state=param("state"), snapshot=param("snapshot"))
    .where(
        operation_targets.c.operation_id == param("operation_id"),
        operation_targets.c.run_id == param("run_id"),
        text(IS_PENDING),
    ),
    "outcome",
    "state",
    "snapshot",
    "operation_id",
    "run_id",
)
HAS_PENDING = Construct(
    select(literal(1)).where(
        exists().where(
            operation_targets.c.operation_id == param("operation_id"),
            text(IS_PENDING),
        )
    ),
    "operation_id",
)
END = Construct(
    update(operations)
    .values(is_done=1, updated_ns=param("now_ns"))
    .where(operations.c.id == param("operation_id")),
    "now_ns",
    "operation_id",
)
