"""The files by which server, supervisor and later servers know of an attempt.

Invariant: the link `process` is made once, in one step, by whoever comes first: the supervisor, naming itself
in it before it starts the task; or a server that gives the attempt up. `exit.json` is whole or not there at
all; it takes the place of `launch.json`, and says what of that is asked for later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise import crash_point
from reprise.executor.contract import Cause, Exit, Survivor

LAUNCH_FILE = "launch.json"
EXIT_FILE = "exit.json"
PROCESS_LINK = "process"
LOG_FILE = "log"
_GIVEN_UP = "- 0 0"


@dataclass(frozen=True, slots=True)
class Handle:
    """Where an attempt is, and the mark that its processes carry. Made before anything is started."""

    attempt_dir: str
    marker: str

    def encode(self) -> bytes:
        return json.dumps({"attempt_dir": self.attempt_dir, "marker": self.marker}).encode()

    @classmethod
    def decode(cls, handle: bytes) -> Handle:
        return cls(**json.loads(handle))

    def path(self, name: str) -> str:
        return f"{self.attempt_dir}/{name}"


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who looks after an attempt. `pid` 0: nobody does and nobody will, it was given up before its start."""

    boot_id: str
    pid: int
    start_time: int  # clock ticks since the boot


def supervisor_or_give_up(attempt: Handle) -> Supervisor:
    """Who looks after the attempt; if nobody does yet, see to it that nobody ever will."""
    link = attempt.path(PROCESS_LINK)
    while True:
        with suppress(FileNotFoundError):
            boot_id, pid, start_time = os.readlink(link).split(" ")  # noqa: PTH115 (no path is meant)
            return Supervisor(boot_id, int(pid), int(start_time))
        Path(attempt.attempt_dir).mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            Path(link).symlink_to(_GIVEN_UP)


def claim(attempt: Handle, who: str) -> bool:
    """Be the one who starts the attempt; False: another was or will be, or it was given up."""
    Path(attempt.attempt_dir).mkdir(parents=True, exist_ok=True)
    try:
        Path(attempt.path(PROCESS_LINK)).symlink_to(who)
    except FileExistsError:
        return False
    return True


def is_given_up(attempt: Handle) -> bool:
    """Whether the attempt was given up before its start: what nobody has claimed is given up by this call."""
    return claim(attempt, _GIVEN_UP) or os.readlink(attempt.path(PROCESS_LINK)) == _GIVEN_UP  # noqa: PTH115


def open_process(supervisor: Supervisor) -> int | None:
    """The supervisor, held by descriptor; None where it is gone."""
    if supervisor.pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(supervisor.pid)
    except ProcessLookupError:
        return None
    # Looked at after opening: from then on the number cannot come to mean another process.
    if start_time(supervisor.pid) != supervisor.start_time:
        os.close(descriptor)
        return None
    return descriptor


def start_time(pid: int) -> int | None:
    """In clock ticks since the boot; None where there is no such process."""
    stat = _content(f"/proc/{pid}/stat")
    return None if stat is None else int(stat.rpartition(b")")[2].split()[19])


def read_exit(attempt: Handle) -> Exit | None:
    """The spooled end, if there is one."""
    content = _read_json(attempt.path(EXIT_FILE))
    return None if content is None else exit_from(content)


def exit_from(content: Mapping[str, Any]) -> Exit:
    """The end that a supervisor has spooled."""
    return Exit(
        cause=Cause(content["cause"]),
        exit_code=content["exit_code"],
        signal=content["signal"],
        message=content["message"],
        started_ns=content["started_ns"],
        ended_ns=content["ended_ns"],
        survivors=survivors_of(content["survivors"]),
        kill_method=content["kill_method"],
    )


def write_exit(attempt: Handle, ended: Exit) -> None:
    """Spool the end, durable when this returns."""
    content: Mapping[str, Any] = {
        "version": 1,
        "cause": ended.cause.value,
        "exit_code": ended.exit_code,
        "signal": ended.signal,
        "message": ended.message,
        "started_ns": ended.started_ns,
        "ended_ns": ended.ended_ns,
        "survivors": [],
        "kill_method": ended.kill_method,
    }
    unfinished = Path(attempt.path(f"{EXIT_FILE}.{os.urandom(4).hex()}"))
    with unfinished.open("wb") as file:
        file.write(json.dumps(content).encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(attempt.path(EXIT_FILE))
    folder = os.open(attempt.attempt_dir, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def living_survivors(attempt: Handle) -> tuple[Survivor, ...]:
    """Those of the spooled end that are still alive."""
    content = _read_json(attempt.path(EXIT_FILE)) or {}
    return survivors_of(
        entry
        for entry in content.get("survivors", ())
        if (now := start_time(int(entry["pid"]))) is not None and entry["start_time"] in (0, now)
    )


def survivors_of(entries: Any) -> tuple[Survivor, ...]:
    return tuple(Survivor(int(entry["pid"]), str(entry["command"])) for entry in entries)


def read_launch(attempt: Handle) -> Mapping[str, Any]:
    """What the attempt was started with; after its end, what of that its end has kept; empty if it never was."""
    found = _read_json(attempt.path(LAUNCH_FILE)) or _read_json(attempt.path(EXIT_FILE)) or {}
    kept: Mapping[str, Any] = found.get("launch", found)
    return kept


def write_launch(attempt: Handle, content: bytes) -> str:
    """Write launch.json in one step, since the same attempt may be started more than once; gives its path."""
    path = attempt.path(LAUNCH_FILE)
    unfinished = f"{path}.{os.urandom(4).hex()}"
    os.makedirs(attempt.attempt_dir, exist_ok=True)  # noqa: PTH103 (twice as fast, for every attempt)
    # An environment holds secrets of the task's author: for the server's own user only.
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(content):
            written += os.write(descriptor, content[written:])
    finally:
        os.close(descriptor)
    os.replace(unfinished, path)  # noqa: PTH105
    crash_point.reach("spawn.launch_written")
    return path


def log_tail(log: Path, most_bytes: int) -> str:
    """The last thing that an attempt said; "" where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most_bytes))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _read_json(path: str) -> Mapping[str, Any] | None:
    content = _content(path)
    if content is None:
        return None
    try:
        found: Mapping[str, Any] = json.loads(content)
    except ValueError:
        return None
    return found


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file, suppress(OSError):
        return file.read()
    return None
