"""A parsed filter as a condition in SQL: which fields there are, and what each can be compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Column, ColumnElement, and_, exists, literal, not_, or_

from reprise.domain.filter import And, Comparison, Node, Not, plain_value, problem, time_ns
from reprise.domain.states import RunState
from reprise.store.tables import run_labels, runs

TEXTS: dict[str, Column[str]] = {
    "display_name": runs.c.display_name,
    "pipeline_name": runs.c.pipeline_name,
    "template_uri": runs.c.template_uri,
    "schedule_name": runs.c.schedule_name,
    "pipeline_job_user_id": runs.c.job_id,
}
TIMES: dict[str, Column[int]] = {
    "create_time": runs.c.created_ns,
    "update_time": runs.c.updated_ns,
    "start_time": runs.c.started_ns,
    "end_time": runs.c.ended_ns,
}
FIELDS = ", ".join([*TEXTS, *TIMES, "state", "labels.<key>"])


def to_clause(node: Node | None, aliases: Mapping[str, str]) -> ColumnElement[bool]:
    """Errors: InvalidArgument. `aliases` are other names for fields."""
    if node is None:
        return _always()
    if isinstance(node, Comparison):
        return _comparison(node, aliases)
    if isinstance(node, Not):
        return not_(to_clause(node.term, aliases))
    terms = [to_clause(term, aliases) for term in node.terms]
    return and_(*terms) if isinstance(node, And) else or_(*terms)


def _comparison(node: Comparison, aliases: Mapping[str, str]) -> ColumnElement[bool]:
    field = aliases.get(node.field, node.field)
    if field in TEXTS:
        return _text(node, TEXTS[field])
    if field in TIMES:
        return time_clause(node, TIMES[field])
    if field == "state":
        return _state(node)
    if field == "labels":
        return _has_label(node, node.pattern)
    if field.startswith("labels."):
        return _label(node, field.removeprefix("labels."))
    raise problem(f"no field {node.field[:100]!r}; the fields are {FIELDS}")


def _text(node: Comparison, column: Column[str]) -> ColumnElement[bool]:
    if node.operator == "=":
        return _matches(column, node)
    if node.operator == "!=":
        return not_(_matches(column, node))
    if node.operator == ":":
        return _matches(column, node) if node.has_wildcard else column.contains(node.value, autoescape=True)
    return _ORDER[node.operator](column, plain_value(node))


def _matches(column: Column[str], node: Comparison) -> ColumnElement[bool]:
    if not node.has_wildcard:
        return column == node.value
    pattern = "%".join(part.replace("/", "//").replace("%", "/%").replace("_", "/_") for part in node.pattern)
    return column.like(pattern, escape="/")


def _label(node: Comparison, key: str) -> ColumnElement[bool]:
    if node.operator == ":" and node.pattern == ("", ""):
        return _exists(run_labels.c.key == key)
    if node.operator == "!=":
        # True also where there is no such label, as NOT (labels.k = v) is.
        return not_(_exists(and_(run_labels.c.key == key, _matches(run_labels.c.value, node))))
    return _exists(and_(run_labels.c.key == key, _text(node, run_labels.c.value)))


def _has_label(node: Comparison, pattern: tuple[str, ...]) -> ColumnElement[bool]:
    if node.operator != ":":
        raise problem('labels can be asked for as labels.<key> = "value" or labels:<key>')
    return _always() if pattern == ("", "") else _exists(_matches(run_labels.c.key, node))


def _always() -> ColumnElement[bool]:
    # Not true(): Core would fold what stands beside it away, and with it values that are still to be given.
    return literal(1) == literal(1)


def _exists(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(run_labels.c.run_id == runs.c.id, condition)


def state_of(node: Comparison) -> int | None:
    """The number of the state that a comparison names; None: one that no run has. Errors: InvalidArgument."""
    name = plain_value(node).removeprefix("PIPELINE_STATE_")
    if name in RunState.__members__:
        return int(RunState[name])
    if name in _NO_RUN_HAS:
        return None
    if name.isascii() and name.isdecimal() and len(name) < 10:
        return int(name)
    raise problem(f"no state {node.value[:100]!r}; expected PIPELINE_STATE_RUNNING, for instance")


def _state(node: Comparison) -> ColumnElement[bool]:
    if node.operator not in ("=", "!=", ":"):
        raise problem("a state can be compared with = and != only")
    number = state_of(node)
    condition: ColumnElement[bool] = not_(_always()) if number is None else runs.c.state == number
    return not_(condition) if node.operator == "!=" else condition


_NO_RUN_HAS = ("UNSPECIFIED", "PAUSED")


def time_clause(node: Comparison, column: Column[int]) -> ColumnElement[bool]:
    """A comparison of a time, put to a column. Errors: InvalidArgument."""
    if node.operator == ":":
        if node.pattern == ("", ""):
            return column != 0
        raise problem(f"{node.field} can be compared with = != < <= > >=, or asked for by :*")
    at_ns = time_ns(node)
    if node.operator == "!=":
        return column != at_ns
    # A time that has not come is not before any other.
    return and_(column != 0, _ORDER[node.operator](column, at_ns))


_ORDER: Mapping[str, Callable[..., ColumnElement[bool]]] = {
    "=": lambda column, value: column == value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}
