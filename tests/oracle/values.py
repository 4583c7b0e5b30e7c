"""Values as the oracle sees them: plain Python data, or one of two marks.

Invariant: nothing here calls the code under test; two values are equal exactly when `same` says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __bool__(self) -> bool:
        raise TypeError(f"{self._name} is neither true nor false")


UNKNOWN: Any = _Mark("UNKNOWN")
"""Depends on a task that has not run yet."""

ABSENT: Any = _Mark("ABSENT")
"""Not there and never will be: a null, or the output of a task that was left out or not triggered."""


@dataclass(frozen=True)
class ArtifactValue:
    """What the cache key sees of one artifact."""

    schema_title: str
    digest: str
    uri: str
    metadata: str = ""
    is_lost: bool = field(default=False, compare=False)


def same(one: Any, other: Any) -> bool:
    """Whether two values mean the same: 1 is 1.0, true is not 1, the order of a map's keys is nothing."""
    if one is UNKNOWN or other is UNKNOWN:
        raise ValueError("an unknown value cannot be compared")
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def as_text(value: Any) -> str:
    """A value of another type on its way into a STRING input."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
