"""What a server does beside its runs: files that nobody refers to go, and so do old operations and request ids.

Invariant: a folder is forgotten only after it has been removed; a crash between the two removes it once more.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import ParamSpec, TypeVar

from reprise import crash_point
from reprise.store.contract import Store

P = ParamSpec("P")
T = TypeVar("T")
_FOLDERS_AT_ONCE = 16
_ROWS_AT_ONCE = 500
_PRUNE_EVERY_S = 3600.0


class Housekeeping:
    """`look_around` is for one event loop; it blocks no more than one of the `threads`."""

    def __init__(
        self, store: Store, data_dir: Path, retention_s: float, now_ns: Callable[[], int], threads: Executor
    ) -> None:
        """`retention_s`: how long an operation that is done, and a request id, can still be asked for."""
        self._store = store
        self._data_dir = data_dir
        self._retention_s = retention_s
        self._now_ns = now_ns
        self._threads = threads
        self._prune_at_s = 0.0  # on the loop's clock: a clock that is set makes nothing old at once

    async def look_around(self) -> None:
        """Errors: Unavailable, ResourceExhausted; it is all tried again by the next call."""
        for garbage_id, folder in await self._in_thread(self._store.take_garbage, _FOLDERS_AT_ONCE):
            crash_point.reach("garbage.before_removal")
            await self._in_thread(shutil.rmtree, self._data_dir / folder, True)
            crash_point.reach("garbage.removed")
            await self._in_thread(self._store.drop_garbage, [garbage_id])
        loop_s = asyncio.get_running_loop().time()
        if loop_s >= self._prune_at_s:
            before_ns = self._now_ns() - int(self._retention_s * 1e9)
            # Little by little: calls are answered in between.
            while await self._in_thread(self._store.prune, before_ns, _ROWS_AT_ONCE):
                pass
            self._prune_at_s = loop_s + _PRUNE_EVERY_S

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: call(*args, **kwargs))
