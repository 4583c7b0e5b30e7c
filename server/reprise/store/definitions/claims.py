"""The statements of `store.claims`."""

from __future__ import annotations

from sqlalchemy import select, text, update

from reprise.store.construct import Construct, param
from reprise.store.definitions.columns import (
    RUN_COLUMNS,
)
from reprise.store.tables import IS_ACTIVE, run_payloads, runs

FREE = Construct(
    select(runs.c.id)
    .where(text(IS_ACTIVE), runs.c.lease_until_ns <= param("now_ns"))
    .order_by(runs.c.id)
    .limit(param("limit"))
    .with_for_update(skip_locked=True),
    "now_ns",
    "limit",
)
IS_ANY_FREE = Construct(
    select(runs.c.id).where(text(IS_ACTIVE), runs.c.lease_until_ns <= param("now_ns")).limit(1), "now_ns"
)
CLAIM = Construct(
    update(runs)
    .values(owner=param("owner"), lease_until_ns=param("until_ns"), fence=runs.c.fence + 1)
    .where(runs.c.id == param("run_id")),
    "owner",
    "until_ns",
    "run_id",
)
GET_CLAIMED = Construct(
    select(*RUN_COLUMNS, run_payloads.c.request, runs.c.original_records_digest)
    .select_from(runs.join(run_payloads))
    .where(runs.c.id == param("run_id")),
    "run_id",
)
RENEW = Construct(
    update(runs)
    .values(lease_until_ns=param("until_ns"))
    .where(text(IS_ACTIVE), runs.c.owner == param("owner")),
    "until_ns",
    "owner",
)
OWNED = Construct(
    select(runs.c.id, runs.c.state)
    .where(text(IS_ACTIVE), runs.c.owner == param("owner"))
    .order_by(runs.c.id),
    "owner",
)
RELEASE = Construct(
    update(runs)
    .values(owner="", lease_until_ns=0)
    .where(text(IS_ACTIVE), runs.c.id == param("run_id"), runs.c.fence == param("fence")),
    "run_id",
    "fence",
)
HAS_LEASES = Construct(select(runs.c.id).where(text(IS_ACTIVE), runs.c.lease_until_ns > 0).limit(1))
FREE_ALL = Construct(update(runs).values(lease_until_ns=0).where(text(IS_ACTIVE)))
