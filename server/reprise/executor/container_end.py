"""How the end of a container is told: why it was asked to stop, and what the engine says of it.

Invariant: the wish to stop is on disk before the container is told, so that every later server tells a cancelled end
from one that came by itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from reprise.executor.container_spec import ContainerHandle
from reprise.executor.contract import Cause, Exit, Survivor

_STOP_LINK = "stop"  # its target is the cause
_KILLED = 128 + 9


def note_stop(attempt: ContainerHandle, cause: Cause) -> bool:
    """Write down why it is asked to stop; False: it was before, for whatever cause."""
    try:
        Path(attempt.path(_STOP_LINK)).symlink_to(cause.value)
    except FileExistsError:
        return False
    return True


def stop_cause(attempt: ContainerHandle) -> Cause | None:
    """Why it was asked to stop; None: it was not."""
    try:
        return Cause(os.readlink(attempt.path(_STOP_LINK)))  # noqa: PTH115 (no path is meant)
    except OSError:
        return None


def forget_stop(attempt: ContainerHandle) -> None:
    """It had ended before it was asked."""
    Path(attempt.path(_STOP_LINK)).unlink(missing_ok=True)


def memory_kills() -> int:
    """How many processes the kernel of this host has killed for want of memory."""
    with suppress(OSError), open("/proc/vmstat", encoding="ascii") as file:  # noqa: PTH123
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def exit_of(attempt: ContainerHandle, found: Mapping[str, Any]) -> Exit:
    """The end of an attempt whose container `found` has ended."""
    state = found["State"]
    code = int(state["ExitCode"])
    started_ns = moment_ns(state["StartedAt"])
    ended = Exit(
        cause=stop_cause(attempt) or Cause.EXITED,
        exit_code=code,
        started_ns=started_ns,
        # Podman takes it from a file's time, whose clock is a few milliseconds behind.
        ended_ns=max(started_ns, moment_ns(state["FinishedAt"])),
        kill_method="container engine",
    )
    if ended.cause is Cause.CANCELLED:
        return ended._replace(message="stopped because the run was cancelled")
    if ended.cause is Cause.TIMED_OUT:
        return ended._replace(
            message=f"stopped because it ran longer than its limit of {attempt.timeout_s} s"
        )
    limit = int((found.get("HostConfig") or {}).get("Memory") or 0)
    # Not every engine sees it: killed, under a limit, while the kernel killed for want of memory, says the same.
    is_likely = code == _KILLED and limit > 0 and memory_kills() > attempt.memory_kills
    if (state.get("OOMKilled") and code != 0) or is_likely:
        words = f"its limit of {limit} bytes" if limit else "what this host has"
        return ended._replace(cause=Cause.OUT_OF_MEMORY, message=f"killed for using more memory than {words}")
    words = f"the container ended with exit code {code}" if code else ""
    if code > 128 and code - 128 <= 64:
        words += f" (as after signal {code - 128})"
    return ended._replace(message="; ".join(part for part in (words, str(state.get("Error") or "")) if part))


def survived(attempt: ContainerHandle, state: Mapping[str, Any]) -> Exit:
    """What is told of a container that SIGKILL did not end."""
    survivor = Survivor(int(state.get("Pid") or 0), f"container {attempt.name}")
    return Exit(stop_cause(attempt) or Cause.CANCELLED, survivors=(survivor,))


def moment_ns(moment: str) -> int:
    """Nanoseconds since the epoch of an engine's timestamp; 0 for none, which engines write as the year 1."""
    try:
        whole, _, rest = moment.partition(".")
        fraction = rest.rstrip("Z").partition("+")[0].partition("-")[0] if rest else ""
        zone = rest[len(fraction) :] if rest else ""
        seconds = datetime.fromisoformat((whole + zone).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0
    return max(0, int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0")[:9]))
