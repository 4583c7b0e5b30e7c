"""The statements of `store.pruning`."""

from __future__ import annotations

from sqlalchemy import delete, select

from reprise.store.construct import Construct, param
from reprise.store.tables import operations, request_ids

OLD_OPERATIONS = Construct(
    select(operations.c.id)
    .where(operations.c.is_done == 1, operations.c.updated_ns < param("before_ns"))
    .limit(param("limit")),
    "before_ns",
    "limit",
)
DROP_OPERATION = Construct(delete(operations).where(operations.c.id == param("operation_id")), "operation_id")
_KEY = (request_ids.c.project, request_ids.c.location, request_ids.c.request_id)
OLD_REQUESTS = Construct(
    select(*_KEY).where(request_ids.c.created_ns < param("before_ns")).limit(param("limit")),
    "before_ns",
    "limit",
)
DROP_REQUEST = Construct(
    delete(request_ids).where(*(column == param(column.name) for column in _KEY)),
    *(column.name for column in _KEY),
)
