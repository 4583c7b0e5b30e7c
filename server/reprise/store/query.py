"""The statements of one list of runs, for its filter and its order.

Loaded when the first list is asked for that is not the plain one (see `definitions.listing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, bindparam, select, text, tuple_

from reprise.domain.filter import Node
from reprise.store.clauses import time_clause, to_clause
from reprise.store.construct import Construct, ids, param
from reprise.store.definitions.columns import SELECT_RUN
from reprise.store.narrowing import Place, Way, created_between, everything, ways
from reprise.store.order import Order
from reprise.store.tables import IS_ACTIVE, runs

_ORDERS: dict[str, Column[Any]] = {
    "create_time": runs.c.created_ns,
    "display_name": runs.c.display_name,
    "update_time": runs.c.updated_ns,
    "end_time": runs.c.ended_ns,
}
# What places equal ones: an index that other things need goes on so.
_THEN: dict[str, tuple[Column[Any], ...]] = {"display_name": (runs.c.created_ns,)}
_PARENT = ("project", "location")


class Query:
    """Compiled when first needed. Errors: InvalidArgument for a filter that no run can be asked by."""

    def __init__(self, node: Node | None, order: Order, aliases: Mapping[str, str]) -> None:
        self._node = node
        self._order = order
        self._aliases = aliases
        self._condition = to_clause(node, aliases)
        self._field, self._is_descending = order[0]

    @cached_property
    def all_ids(self) -> Construct:
        order = [(_ORDERS[field], is_descending) for field, is_descending in self._order]
        order.append((runs.c.id, self._order[-1][1]))
        statement = select(runs.c.id).where(*_of_parent(), self._condition).order_by(*_directed(order))
        return Construct(statement, *_PARENT)

    @cached_property
    def by_ids(self) -> Construct:
        """Those of some runs of the parent to which the filter applies.

        Without a word of the parent: it would lure the database into an index of all the parent's runs.
        """
        return Construct(SELECT_RUN.where(self._condition, runs.c.id.in_(ids())))

    @cached_property
    def active(self) -> Construct:
        """The keys of the runs that have not ended: those that may change."""
        return Construct(select(*self._key_columns).where(*_of_parent(), text(IS_ACTIVE)), *_PARENT)

    @cached_property
    def whole(self) -> tuple[Construct, Construct]:
        """Every run of the parent in the order: the first ones, and those beyond a key."""
        if self._field == "create_time":
            return self._at(everything().places[0])
        statement = select(*self._key_columns).where(*_of_parent())
        return in_order(statement, self._key_columns, self._is_descending)

    @cached_property
    def ways(self) -> list[Way]:
        return (
            ways(self._node, self._aliases) if [field for field, _ in self._order] == ["create_time"] else []
        )

    @cached_property
    def _statements(self) -> dict[int, list[tuple[Construct, Construct]]]:
        return {}

    def statements(self, way: Way) -> list[tuple[Construct, Construct]]:
        """For each place of an ordered way: the first keys in the order, and those beyond a key."""
        known = self._statements.get(id(way))
        if known is None:
            known = self._statements[id(way)] = [self._at(place) for place in way.places]
        return known

    @property
    def _key_columns(self) -> list[Column[Any]]:
        return [_ORDERS[self._field], *_THEN.get(self._field, ()), runs.c.id]

    def _at(self, place: Place) -> tuple[Construct, Construct]:
        bounds = [
            time_clause(term, place.created_ns) for _, term in created_between(self._node, self._aliases)
        ]
        return in_order(place.keys(*bounds), [place.created_ns, place.run_id], self._is_descending)


def in_order(
    keys: Select[*tuple[Any, ...]], columns: Sequence[Column[Any]], is_descending: bool
) -> tuple[Construct, Construct]:
    """Some keys of a parent in the order of these columns: the first ones, and those beyond a key."""
    ordered = keys.order_by(*_directed([(column, is_descending) for column in columns]))
    names = [f"key_{index}" for index in range(len(columns))]
    here = tuple_(*columns)
    there = tuple_(
        *(bindparam(f"p_{name}", type_=column.type) for name, column in zip(names, columns, strict=True))
    )
    is_beyond = here < there if is_descending else here > there
    return (
        Construct(ordered.limit(param("limit")), *_PARENT, "limit"),
        Construct(ordered.where(is_beyond).limit(param("limit")), *_PARENT, *names, "limit"),
    )


def _directed(order: Sequence[tuple[Column[Any], bool]]) -> list[ColumnElement[Any]]:
    return [column.desc() if is_descending else column.asc() for column, is_descending in order]


def _of_parent() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return runs.c.project == param("project"), runs.c.location == param("location")
