"""Which index leads to the runs that a filter asks for, without looking at the others.

Invariant: a way in never misses a run to which the filter applies; it may lead to others, so the whole filter is put
to every run that is found. Ways that are equalities lead in the order of creation; those that are ranges are read
whole, and only taken where they hold few runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Select, and_, func, literal, select, text

from reprise.domain.filter import And, Comparison, Node, Or
from reprise.store.clauses import TEXTS, TIMES, state_of, to_clause
from reprise.store.construct import Construct, param
from reprise.store.tables import HAS_SCHEDULE_NAME, HAS_TEMPLATE_URI, run_labels, runs

_PARENT = ("project", "location")
_PARTIAL = {"template_uri": HAS_TEMPLATE_URI, "schedule_name": HAS_SCHEDULE_NAME}
_CREATED = "create_time"
_RANGES = ("<", "<=", ">", ">=", "=")


@dataclass(frozen=True, slots=True)
class Place:
    """Where entries with a run's creation and id are found under a condition."""

    created_ns: Column[int]
    run_id: Column[int]
    condition: ColumnElement[bool]

    def keys(self, *more: ColumnElement[bool]) -> Select[int, int]:
        table = self.created_ns.table
        return select(self.created_ns, self.run_id).where(
            table.c.project == param("project"), table.c.location == param("location"), self.condition, *more
        )


class Way:
    """Some places, all of which are to be looked at. `count` is compiled once, and asked for each query."""

    def __init__(self, places: Sequence[Place], is_ordered: bool) -> None:
        self.places = tuple(places)
        self.is_ordered = is_ordered
        self.counts = tuple(
            Construct(
                select(func.count()).select_from(place.keys().limit(param("limit")).subquery()),
                *_PARENT,
                "limit",
            )
            for place in places
        )

    @property
    def all_keys(self) -> tuple[Construct, ...]:
        return tuple(
            Construct(place.keys().limit(param("limit")), *_PARENT, "limit") for place in self.places
        )


def ways(node: Node | None, aliases: Mapping[str, str]) -> list[Way]:
    """The ways in for a filter; none where it has to be put to every run."""
    terms = node.terms if isinstance(node, And) else () if node is None else (node,)
    found = []
    ranges: dict[str, list[Comparison]] = {}
    for term in terms:
        places = _equal(term, aliases)
        if places:
            found.append(Way(places, is_ordered=True))
        elif isinstance(term, Comparison) and _is_range(term, aliases):
            ranges.setdefault(aliases.get(term.field, term.field), []).append(term)
    for comparisons in ranges.values():
        condition = and_(*(to_clause(each, aliases) for each in comparisons))
        found.append(Way([_of_runs(condition)], is_ordered=False))
    return found


def everything() -> Way:
    return Way([_of_runs(literal(1) == literal(1))], is_ordered=True)


def created_between(node: Node | None, aliases: Mapping[str, str]) -> list[tuple[str, Comparison]]:
    """What the filter as a whole says of the time of creation: it bounds every way."""
    terms = node.terms if isinstance(node, And) else () if node is None else (node,)
    return [
        (term.operator, term)
        for term in terms
        if isinstance(term, Comparison)
        and aliases.get(term.field, term.field) == _CREATED
        and term.operator in _RANGES
    ]


def _equal(node: Node, aliases: Mapping[str, str]) -> list[Place]:
    """Empty: no equality leads to all that this term asks for."""
    if isinstance(node, Or):
        places = [_equal(term, aliases) for term in node.terms]
        return [place for each in places for place in each] if all(places) else []
    if not isinstance(node, Comparison):
        return []
    field = aliases.get(node.field, node.field)
    if field == "state" and node.operator in ("=", ":"):
        number = state_of(node)
        return [_of_runs(runs.c.state == number)] if number is not None else []
    if node.operator != "=" or node.has_wildcard:
        return []
    if field in TEXTS:
        condition = TEXTS[field] == node.value
        if field in _PARTIAL:
            if not node.value:
                return []
            # Said in the words of the index, or it would not be taken.
            condition = and_(condition, text(_PARTIAL[field]))
        return [_of_runs(condition)]
    if field.startswith("labels."):
        key = field.removeprefix("labels.")
        condition = and_(run_labels.c.key == key, run_labels.c.value == node.value)
        return [Place(run_labels.c.created_ns, run_labels.c.run_id, condition)]
    return []


def _is_range(term: Comparison, aliases: Mapping[str, str]) -> bool:
    field = aliases.get(term.field, term.field)
    if field in TIMES:
        return field != _CREATED and term.operator in _RANGES
    if field not in TEXTS or field in _PARTIAL:
        return False
    if term.operator in ("<", "<=", ">", ">="):
        return True
    return term.operator in ("=", ":") and term.has_wildcard and bool(term.pattern[0])


def _of_runs(condition: ColumnElement[bool]) -> Place:
    return Place(runs.c.created_ns, runs.c.id, condition)
