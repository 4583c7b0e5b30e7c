"""Which tasks of a run are asked for: the filter language of lists over the fields of a PipelineTaskDetail."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reprise.domain.filter import And, Comparison, Node, Not, parse, plain_value, problem, time_ns
from reprise.pb.v1 import pipeline_job_pb2, pipeline_state_pb2

Task = pipeline_job_pb2.PipelineTaskDetail
_Test = Callable[[Task], bool]

_TEXTS = frozenset({"task_name", "task_unique_name", "caused_by", "reason_field"})
_NUMBERS = frozenset({"task_id", "parent_task_id", "attempts"})
_TIMES = frozenset({"create_time", "start_time", "end_time"})
_ENUMS: Mapping[str, tuple[Any, str]] = {
    "state": (Task.State, ""),
    "verdict": (pipeline_state_pb2.Verdict, "VERDICT_"),
    "reason": (pipeline_state_pb2.Reason, "REASON_"),
}
_FIELDS = ", ".join(sorted({*_TEXTS, *_NUMBERS, *_TIMES, *_ENUMS}))
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """`test` is None where every task is asked for."""

    test: _Test | None

    @classmethod
    def parse(cls, text: str) -> TaskFilter:
        """Errors: InvalidArgument naming `filter`."""
        node = parse(text)
        return cls(None if node is None else _test(node))


def _test(node: Node) -> _Test:
    if isinstance(node, Comparison):
        return _comparison(node)
    if isinstance(node, Not):
        inner = _test(node.term)
        return lambda task: not inner(task)
    tests = [_test(term) for term in node.terms]
    if isinstance(node, And):
        return lambda task: all(test(task) for test in tests)
    return lambda task: any(test(task) for test in tests)


def _comparison(node: Comparison) -> _Test:
    if node.field in _TEXTS:
        return _text(node)
    if node.field in _NUMBERS:
        return _number(node)
    if node.field in _TIMES:
        return _time(node)
    if node.field in _ENUMS:
        return _enum(node)
    raise problem(f"no field {node.field[:100]!r}; the fields are {_FIELDS}")


def _text(node: Comparison) -> _Test:
    field = node.field
    if node.operator in ("<", "<=", ">", ">="):
        compare, value = _COMPARE[node.operator], plain_value(node)
        return lambda task: compare(getattr(task, field), value)
    if node.operator == ":" and not node.has_wildcard:
        part = node.value
        return lambda task: part in getattr(task, field)
    is_wanted = node.operator != "!="
    return lambda task: node.matches(getattr(task, field)) is is_wanted


def _number(node: Comparison) -> _Test:
    field, text = node.field, plain_value(node)
    if node.operator == ":" or not re.fullmatch(r"[0-9]{1,18}", text):
        raise problem(f"{field} is compared with a whole number by = != < <= > >=, got {text[:100]!r}")
    compare, value = _COMPARE[node.operator], int(text)
    return lambda task: compare(getattr(task, field), value)


def _time(node: Comparison) -> _Test:
    field = node.field
    if node.operator == ":":
        if node.pattern != ("", ""):
            raise problem(f"{field} can be compared with = != < <= > >=, or asked for by :*")
        return lambda task: task.HasField(field)
    compare, value, is_unequal = _COMPARE[node.operator], time_ns(node), node.operator == "!="

    def test(task: Task) -> bool:
        if not task.HasField(field):
            return is_unequal  # a time that has not come is neither before nor after any other
        at = getattr(task, field)
        return compare(at.seconds * 1_000_000_000 + at.nanos, value)

    return test


def _enum(node: Comparison) -> _Test:
    field, text = node.field, plain_value(node)
    if node.operator not in ("=", "!=", ":"):
        raise problem(f"{field} can be compared with = and != only")
    kind, prefix = _ENUMS[field]
    numbers = dict(kind.items())
    value = numbers.get(text, numbers.get(prefix + text))
    if value is None and text.isascii() and text.isdecimal() and len(text) < 10:
        value = int(text)
    if value is None:
        raise problem(f"no {field} {text[:100]!r}; expected one of {', '.join(numbers)}")
    is_wanted = node.operator != "!="
    return lambda task: (getattr(task, field) == value) is is_wanted
