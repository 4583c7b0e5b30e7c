"""Places at which a server can be told to die, for the tests that prove what survives it.

`REPRISE_CRASH_AT=NAME:N` kills the process (SIGKILL, nothing is flushed or handed over) when it comes by the place
NAME for the N-th time. `supervisor.*` are places in the supervisor of an attempt: that of the N-th one to start dies.
Unset, `reach` is a function that does nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

VARIABLE = "REPRISE_CRASH_AT"

# Every place there is. The tests go through them all, and find out when one is not come by any more.
SERVER_POINTS = (
    "commit.before",
    "commit.after",
    "claim.after",
    "spawn.before",
    "spawn.launch_written",
    "spawn.after",
    "exit.seen",
    "operation.added",
    "operation.target_ended",
    "operation.done",
    "garbage.before_removal",
    "garbage.removed",
)
SUPERVISOR_POINTS = (
    "supervisor.before_claim",
    "supervisor.claimed",
    "supervisor.started",
    "supervisor.tree_dead",
    "supervisor.spool_written",
    "supervisor.spooled",
    "supervisor.told",
)
_OF_SUPERVISORS = "supervisor."


class _Countdown:
    """Which place it is, and how often it has still to be come by."""

    def __init__(self, wanted: str) -> None:
        self.name, _, count = wanted.partition(":")
        self._left = int(count or 1)
        self._lock = threading.Lock()

    def is_now(self, name: str, times: int = 1) -> bool:
        if name != self.name:
            return False
        with self._lock:
            before = self._left
            self._left -= times
            return self._left <= 0 < before

    def reach(self, name: str, times: int = 1) -> None:
        if self.is_now(name, times):
            os.kill(os.getpid(), signal.SIGKILL)

    def next_supervisor(self) -> str | None:
        if self.name.startswith(_OF_SUPERVISORS) and self.is_now(self.name):
            return self.name.removeprefix(_OF_SUPERVISORS)
        return None


def _never(name: str, times: int = 1) -> None:
    return None


def _none() -> str | None:
    return None


class _Reach(Protocol):
    def __call__(self, name: str, times: int = 1) -> None: ...


# `reach(name, times)`: this place has been come by, so often. `next_supervisor()`: where the supervisor that starts now
# is to die.
reach: _Reach = _never
next_supervisor: Callable[[], str | None] = _none


def arm(environment: Mapping[str, str]) -> None:
    """Take the place from these variables; without the variable nothing is reached any more."""
    global reach, next_supervisor
    reach, next_supervisor = _never, _none
    if VARIABLE in environment:
        countdown = _Countdown(environment[VARIABLE])
        reach, next_supervisor = countdown.reach, countdown.next_supervisor


arm(os.environ)
