"""Tells those who wait for a run that it has changed.

Invariant: one listener at the store, whatever the number of those who wait; a commit that concerns a run for which
nobody waits costs one look into a table.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

Listener = Callable[[], None]


class RunListeners:
    """Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of_run: dict[int, tuple[Listener, ...]] = {}

    def tell(self, run_id: int) -> None:
        for listener in self._of_run.get(run_id, ()):
            listener()

    def add(self, run_id: int, listener: Listener) -> Callable[[], None]:
        """Call `listener`, which must not block, after commits that concern the run. Gives what takes it away."""
        with self._lock:
            self._of_run[run_id] = (*self._of_run.get(run_id, ()), listener)

        def remove() -> None:
            with self._lock:
                left = list(self._of_run.get(run_id, ()))
                if listener in left:
                    left.remove(listener)
                if left:
                    self._of_run[run_id] = tuple(left)
                else:
                    self._of_run.pop(run_id, None)

        return remove
