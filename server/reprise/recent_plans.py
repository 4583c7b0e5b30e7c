"""The plans that were made last, so that the next page of one costs no new plan.

Invariant: together they hold no more than a fixed number of bytes; one that is larger is not kept at all. What is kept
says nothing of the world: whoever takes a plan out sees for himself whether it still holds.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from reprise.plan import PlanParts

_MOST_BYTES = 128 * 1024 * 1024
_BYTES_BESIDE = 4096


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as a caller sees it; `etag` stands for everything that it depends on."""

    etag: str
    plan: PlanParts

    @property
    def size(self) -> int:
        """The number of tasks."""
        return len(self.plan.ends)


@dataclass(frozen=True, slots=True)
class RecentPlan:
    """`seen_ns`: when it was last known to hold."""

    view: PlanView
    original_id: int
    seen_ns: int


class RecentPlans:
    """Safe to use from any number of threads."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._plans: OrderedDict[tuple[bytes, str], RecentPlan] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, request: bytes, recent: RecentPlan) -> None:
        """Keep the plan of a request, which is given by its digest; what was used longest ago goes."""
        with self._lock:
            self._take(request, recent.view.etag)
            size = _size(recent)
            if not request or size > self._most_bytes:
                return
            self._plans[request, recent.view.etag] = recent
            self._bytes += size
            while self._bytes > self._most_bytes:
                _, oldest = self._plans.popitem(last=False)
                self._bytes -= _size(oldest)

    def find(self, request: bytes, etag: str) -> RecentPlan | None:
        with self._lock:
            found = self._plans.get((request, etag))
            if found is not None:
                self._plans.move_to_end((request, etag))
            return found

    def _take(self, request: bytes, etag: str) -> None:
        earlier = self._plans.pop((request, etag), None)
        if earlier is not None:
            self._bytes -= _size(earlier)


def _size(recent: RecentPlan) -> int:
    plan = recent.view.plan
    kept = len(plan.tasks_wire) + plan.ends.nbytes + len(plan.cache_keys) + plan.head.ByteSize()
    return kept + _BYTES_BESIDE
