"""Threads for calls that hold one for long (watches, followed logs, waits): their own, so that however many there are
they cannot starve the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from reprise.domain.errors import ResourceExhausted

# Threads beyond the limit, which only say that the limit is reached.
_SPARE_THREADS = 4


class WaitingRoom:
    """`limit` seats. A thread is made when it is first needed."""

    def __init__(self, limit: int) -> None:
        self.pool = ThreadPoolExecutor(limit + _SPARE_THREADS, thread_name_prefix="reprise-waiting")
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Errors: ResourceExhausted when all are taken."""
        if not self._free.acquire(blocking=False):
            raise ResourceExhausted(f"{self._limit} calls are waiting, watching or following a log already")
        try:
            yield
        finally:
            self._free.release()
