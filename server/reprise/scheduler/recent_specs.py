"""The compiled pipelines that were read last: a run is mostly one of a pipeline that has run before.

Invariant: together those that are kept are made of no more than so many bytes; a larger one is read for each run.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from reprise.plan import ReadSpec

# What is read takes some times as much.
_MOST_BYTES = 8 * 1024 * 1024


class RecentSpecs:
    """Safe to use from any number of threads."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._specs: OrderedDict[bytes, tuple[ReadSpec, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, digest: bytes, spec: bytes) -> ReadSpec:
        """The pipeline of this digest, which is that of its bytes. Errors: ValueError if anything is wrong with it."""
        with self._lock:
            known = self._specs.get(digest)
            if known is not None:
                self._specs.move_to_end(digest)
                return known[0]
        read = ReadSpec(spec)  # others need not wait for it; two may read the same
        if len(spec) <= self._most_bytes:
            with self._lock:
                self._keep(digest, read, len(spec))
        return read

    def _keep(self, digest: bytes, read: ReadSpec, size: int) -> None:
        if digest in self._specs:
            return
        self._specs[digest] = read, size
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, oldest) = self._specs.popitem(last=False)
            self._bytes -= oldest
