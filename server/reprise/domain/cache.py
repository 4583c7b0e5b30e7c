"""The cross-run cache: outcomes that other runs of the same pipeline may use, and who makes one just now.

Invariant: its scope is a project and a pipeline's name; a key has one entry at most, that of its newest outcome.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ITERATION = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class CacheScope:
    project: str
    pipeline_name: str


@dataclass(frozen=True, slots=True)
class CacheRow:
    """An outcome that SUCCEEDED: `record` is an engine.TaskRecord with outputs, key, preimage and source."""

    key: bytes
    run_id: int
    task_id: int
    record: bytes
    created_ns: int
    task: str = ""  # path without the indices of iterations
    component: str = ""

    @property
    def mark(self) -> tuple[int, int]:
        """What tells this entry from one that replaces it."""
        return self.run_id, self.task_id


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An entry as it is listed. `is_expired`: too old for this server, it answers nobody."""

    pipeline_name: str
    row: CacheRow
    run_name: str
    is_expired: bool = False


@dataclass(frozen=True, slots=True)
class CacheQuery:
    """Which entries of a project. `task`: a path; the indices of iterations in it do not count."""

    project: str
    pipeline_name: str = ""  # "": of every pipeline
    task: str = ""
    older_than_s: float = 0.0  # kept at least so long ago; 0: whenever

    @property
    def task_path(self) -> str:
        return without_iterations(self.task)


@dataclass(frozen=True, slots=True)
class CachePage:
    entries: Sequence[CacheEntry]
    next_token: str


@dataclass(frozen=True, slots=True)
class Leader:
    """The task that executes a key now, in a run that goes on and has an owner."""

    run_id: int
    task_id: int


@dataclass(frozen=True, slots=True)
class CacheLook:
    """What other tasks have to say of a key, from one snapshot."""

    row: CacheRow | None
    leader: Leader | None


@dataclass(frozen=True, slots=True)
class Lead:
    """What the start of a task says of its key: it wants to lead; where `may_wait`, it does not start at all while
    another run leads, or when the cache has another entry than the one `seen` (its mark)."""

    key: bytes
    may_wait: bool
    seen: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CacheAge:
    """How old an outcome may be that answers; 0: of any age."""

    max_age_s: float = 0.0

    def is_expired(self, created_ns: int, now_ns: int) -> bool:
        return self.max_age_s > 0 and now_ns - created_ns > self.max_age_s * 1e9


OF_ANY_AGE = CacheAge()


def without_iterations(path: str) -> str:
    """`for-loop-1.train` of `for-loop-1[2].train`: what a task is called in every run, whatever its items."""
    return _ITERATION.sub("", path)
