"""The statements of `store.counters`."""

from __future__ import annotations

from sqlalchemy import case, insert, update

from reprise.store.construct import Construct, param
from reprise.store.tables import counters

NEXT = Construct(
    update(counters)
    .where(counters.c.name == param("name"))
    .values(value=case((counters.c.value < param("floor"), param("floor")), else_=counters.c.value + 1))
    .returning(counters.c.value),
    "name",
    "floor",
)
RESERVE = Construct(
    update(counters)
    .where(counters.c.name == param("name"))
    .values(value=counters.c.value + param("count"))
    .returning(counters.c.value),
    "name",
    "count",
)
INSERT = Construct(insert(counters))
