"""The statements of `store.listing`."""

from __future__ import annotations

from sqlalchemy import (
    delete,
    insert,
    or_,
    select,
)

from reprise.store.construct import Construct, ids, param
from reprise.store.definitions.columns import SELECT_RUN
from reprise.store.query import in_order
from reprise.store.tables import listings, runs

INSERT_LISTING = Construct(insert(listings))
_newest = listings.alias()
DROP_OLD = Construct(
    delete(listings).where(
        or_(
            listings.c.created_ns < param("before_ns"),
            listings.c.id
            <= select(_newest.c.id)
            .order_by(_newest.c.id.desc())
            .limit(1)
            .offset(param("kept"))
            .scalar_subquery(),
        )
    ),
    "before_ns",
    "kept",
)
GET_LISTING = Construct(
    select(listings.c.arguments, listings.c.run_ids).where(listings.c.id == param("listing_id")), "listing_id"
)

# The plain list: of all runs of a parent, by their creation. What else is asked for is made by `store.query`.
_keys = select(runs.c.created_ns, runs.c.id).where(
    runs.c.project == param("project"), runs.c.location == param("location")
)
NEWEST, OLDER = in_order(_keys, [runs.c.created_ns, runs.c.id], is_descending=True)
OLDEST, NEWER = in_order(_keys, [runs.c.created_ns, runs.c.id], is_descending=False)
# As `Query.by_ids`.
BY_IDS = Construct(SELECT_RUN.where(runs.c.id.in_(ids())))
