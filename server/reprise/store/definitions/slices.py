"""The statements of `store.slices`."""

from __future__ import annotations

from sqlalchemy import select

from reprise.store.construct import Construct, param
from reprise.store.tables import events

CHANGES_AFTER = Construct(
    select(events.c.seq, events.c.at_ns, events.c.changes)
    .where(events.c.run_id == param("run_id"), events.c.seq > param("seq"))
    .order_by(events.c.seq)
    .limit(param("limit")),
    "run_id",
    "seq",
    "limit",
)
