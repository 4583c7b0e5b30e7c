"""Attempts as processes of this host, each under a supervisor that outlives the server.

Invariant: a handle is enough to find the attempt again, after any number of restarts of the server and after
the process number has been given to somebody else. An attempt is started at most once. `wait` says LOST only
when it can no longer start, and whatever was left of it has been killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reprise.executor import native
from reprise.executor.contract import AttemptSpec, Capability, Cause, Exit, Survivor
from reprise.executor.spawner_link import SpawnerDied, SpawnerLink, SpawnerRefused

LOG_LIMIT_BYTES = 64 * 1024 * 1024
_LAUNCH_FILE = "launch.json"
_EXIT_FILE = "exit.json"
_PROCESS_LINK = "process"
_LOG_FILE = "log"
_LOST_KILL_BOUND_S = 10.0
_VERSION = 1


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

    def path(self, name: str) -> Path:
        return Path(self.attempt_dir, name)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who looks after an attempt. `pid` 0: nobody does and nobody will, it was given up before its start."""

    boot_id: str
    pid: int
    start_time: int  # clock ticks since the boot


class SubprocessExecutor:
    """Runs attempts on this host. Use it from one event loop; `open` before anything else."""

    name = "subprocess"

    def __init__(
        self, data_dir: Path, *, use_cgroup: bool = True, log_limit_bytes: int = LOG_LIMIT_BYTES
    ) -> None:
        self._data_dir = data_dir
        self._use_cgroup = use_cgroup
        self._log_limit_bytes = log_limit_bytes
        self._link = SpawnerLink(data_dir / "spawner.log")
        self._boot_id = ""
        self._cgroup_root: asyncio.Future[str | None] | None = None

    async def open(self) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        native.library_path()
        self._boot_id = _boot_id()

    def handle(self, spec: AttemptSpec) -> bytes:
        marker = f"{spec.run_id}.{spec.task_id}.{spec.number}.{os.urandom(8).hex()}"
        return Handle(str(spec.attempt_dir), marker).encode()

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        """Start the attempt, at most once for a handle, whoever asks and however often.

        What the host refuses is told by `wait`, as NOT_STARTED.
        """
        attempt = Handle.decode(handle)
        cgroup_root = await self._find_cgroup_root()
        await asyncio.to_thread(self._write_launch, spec, attempt, cgroup_root)
        try:
            await self._link.request({"launch": str(attempt.path(_LAUNCH_FILE))})
        except SpawnerRefused as error:
            await asyncio.to_thread(_spool_refusal, attempt, str(error))
        except SpawnerDied:
            # Whether it was started is not known here; `wait` finds out, and forbids it if it was not.
            return

    async def wait(self, handle: bytes) -> Exit:
        """The end of the attempt. Idempotent; an end with survivors is looked at again by each call."""
        attempt = Handle.decode(handle)
        spooled = _read_exit(attempt)
        if spooled is None:
            supervisor = _supervisor_or_give_up(attempt)
            if supervisor.boot_id == self._boot_id:
                await _ended(supervisor)
            spooled = _read_exit(attempt)
            if spooled is None:
                return await self._settle_lost(attempt, supervisor)
        if spooled.cause is Cause.NOT_STARTED:
            return replace(spooled, message=_with_image(attempt, spooled.message))
        if spooled.survivors:
            return await asyncio.to_thread(_without_dead, attempt, spooled)
        return spooled

    async def cancel(self, handle: bytes) -> None:
        """Ask the supervisor for SIGTERM, grace, SIGKILL; an attempt that has not begun never will.

        Nothing happens to an attempt that has ended.
        """
        attempt = Handle.decode(handle)
        if attempt.path(_EXIT_FILE).exists():
            return
        supervisor = _supervisor_or_give_up(attempt)
        descriptor = _open_process(supervisor) if supervisor.boot_id == self._boot_id else None
        if descriptor is not None:
            try:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            finally:
                os.close(descriptor)

    def capabilities(self) -> list[Capability]:
        """What this host allows, tried in a process of its own. Blocks for some milliseconds."""
        try:
            code = "import ctypes,sys;l=ctypes.PyDLL(sys.argv[1]);b=ctypes.create_string_buffer(65536);"
            code += "l.reprise_probe(b,ctypes.c_size_t(65536));print(b.value.decode())"
            command = [sys.executable, "-I", "-S", "-c", code, str(native.library_path())]
            answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return [Capability("native library", False, str(error))]
        root = answer["cgroup_root"]
        has_memory = root is not None and "memory" in _controllers(Path(root))
        return [
            Capability("native library", True, str(native.library_path())),
            Capability("kill by subreaper", True, "stops and kills every descendant; always used"),
            Capability("kill by cgroup", root is not None, root or str(answer["cgroup_detail"])),
            Capability(
                "memory limits", has_memory, "cgroup memory.max" if has_memory else "no memory controller"
            ),
        ]

    async def close(self) -> None:
        """Let go of the attempts without ending them."""
        await self._link.close()

    async def _find_cgroup_root(self) -> str | None:
        """The folder for the attempts' cgroups, found out once."""
        if not self._use_cgroup:
            return None
        if self._cgroup_root is None:
            self._cgroup_root = asyncio.ensure_future(self._probe_cgroup())
        return await asyncio.shield(self._cgroup_root)

    async def _probe_cgroup(self) -> str | None:
        try:
            root = (await self._link.request({"probe": True})).get("cgroup_root")
        except (SpawnerDied, SpawnerRefused):
            return None
        return None if root is None else str(root)

    def _write_launch(self, spec: AttemptSpec, attempt: Handle, cgroup_root: str | None) -> None:
        launch = {
            "version": _VERSION,
            "argv": list(spec.argv),
            "env": dict(spec.env),
            "cwd": str(spec.cwd),
            "log_path": str(spec.attempt_dir / _LOG_FILE),
            "exit_path": str(spec.attempt_dir / _EXIT_FILE),
            "process_path": str(spec.attempt_dir / _PROCESS_LINK),
            "grace_s": spec.grace_s,
            "timeout_s": spec.timeout_s,
            "log_limit_bytes": self._log_limit_bytes,
            "cgroup_dir": f"{cgroup_root}/reprise-{attempt.marker}" if cgroup_root else None,
            "memory_limit_bytes": int(spec.memory_limit_bytes) or None,
            "marker": attempt.marker,
            "image": spec.image,
        }
        spec.attempt_dir.mkdir(parents=True, exist_ok=True)
        # In one step, since the same attempt may be started more than once. An environment holds secrets of the
        # task's author: for the server's own user only.
        path = attempt.path(_LAUNCH_FILE)
        unfinished = path.with_name(f".{_LAUNCH_FILE}.{os.urandom(4).hex()}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(launch, ensure_ascii=False))
        unfinished.replace(path)

    async def _settle_lost(self, attempt: Handle, supervisor: Supervisor) -> Exit:
        """The supervisor is gone without a word: kill what is left of its tree, then say so."""
        if supervisor.pid == 0:
            return Exit(cause=Cause.LOST, message="the server ended before the attempt was started")
        if supervisor.boot_id != self._boot_id:
            return Exit(cause=Cause.LOST, message="the host was restarted while the attempt ran")
        orphans: tuple[Survivor, ...] = ()
        if self._link.pid is not None:
            with suppress(SpawnerDied, SpawnerRefused):
                orphans = _survivors((await self._link.request({"settle": True})).get("survivors") or ())
        result = await asyncio.to_thread(_kill_tree, attempt, _LOST_KILL_BOUND_S)
        # It may have ended by itself between the two looks.
        spooled = _read_exit(attempt)
        if spooled is not None:
            return spooled
        left = {one.pid: one for one in (*orphans, *_survivors(result["survivors"]))}
        return Exit(
            cause=Cause.LOST,
            message="the supervisor of the attempt was killed",
            survivors=tuple(left.values()),
            kill_method=str(result["kill_method"]),
        )


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _supervisor_or_give_up(attempt: Handle) -> Supervisor:
    """Who looks after the attempt; if nobody does yet, see to it that nobody ever will."""
    link = attempt.path(_PROCESS_LINK)
    while True:
        with suppress(FileNotFoundError):
            boot_id, pid, start_time = link.readlink().name.split(" ")
            return Supervisor(boot_id, int(pid), int(start_time))
        link.parent.mkdir(parents=True, exist_ok=True)
        # In the supervisor's place: a link is made in one step, and only once.
        with suppress(FileExistsError):
            link.symlink_to("- 0 0")


def _spool_refusal(attempt: Handle, message: str) -> None:
    """The end of an attempt for which the host gave no process."""
    if _supervisor_or_give_up(attempt).pid != 0:
        return
    now_ns = time.time_ns()
    end = {
        "version": _VERSION,
        "cause": Cause.NOT_STARTED.value,
        "exit_code": None,
        "signal": None,
        "message": message,
        "started_ns": now_ns,
        "ended_ns": now_ns,
        "survivors": [],
        "kill_method": "",
    }
    temporary = attempt.path(f"{_EXIT_FILE}.tmp")
    temporary.write_text(json.dumps(end), encoding="utf-8")
    temporary.replace(attempt.path(_EXIT_FILE))


def _read_launch(attempt: Handle) -> Mapping[str, Any]:
    try:
        launch: Mapping[str, Any] = json.loads(attempt.path(_LAUNCH_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return launch


def _kill_tree(attempt: Handle, bound_s: float) -> Mapping[str, Any]:
    return native.kill_tree(attempt.marker, _read_launch(attempt).get("cgroup_dir"), bound_s)


def _open_process(supervisor: Supervisor) -> int | None:
    """The supervisor, held by descriptor; None where it is gone."""
    if supervisor.pid <= 0:
        return None
    try:
        descriptor = os.pidfd_open(supervisor.pid)
    except ProcessLookupError:
        return None
    # Looked at after opening: from then on the number cannot come to mean another process.
    if _start_time(supervisor.pid) != supervisor.start_time:
        os.close(descriptor)
        return None
    return descriptor


def _start_time(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


async def _ended(supervisor: Supervisor) -> None:
    """Returns when the supervisor has ended, at once if it has."""
    descriptor = _open_process(supervisor)
    if descriptor is None:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    try:
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)
    _reap(supervisor.pid)


def _reap(pid: int) -> None:
    """Where this server is the host's first process, it inherits the supervisors of a spawner that died."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _read_exit(attempt: Handle) -> Exit | None:
    try:
        content: Mapping[str, Any] = json.loads(attempt.path(_EXIT_FILE).read_bytes())
    except FileNotFoundError:
        return None
    return Exit(
        cause=Cause(content["cause"]),
        exit_code=content["exit_code"],
        signal=content["signal"],
        message=content["message"],
        started_ns=content["started_ns"],
        ended_ns=content["ended_ns"],
        survivors=_survivors(content["survivors"]),
        kill_method=content["kill_method"],
    )


def _survivors(entries: Any) -> tuple[Survivor, ...]:
    return tuple(Survivor(int(entry["pid"]), str(entry["command"])) for entry in entries)


def _without_dead(attempt: Handle, spooled: Exit) -> Exit:
    """The same end, with the survivors that are still alive after one more attempt to kill them."""
    _kill_tree(attempt, 1.0)
    entries = json.loads(attempt.path(_EXIT_FILE).read_bytes())["survivors"]
    alive = [
        entry
        for entry in entries
        if (now := _start_time(int(entry["pid"]))) is not None and entry["start_time"] in (0, now)
    ]
    return replace(spooled, survivors=_survivors(alive))


def _with_image(attempt: Handle, message: str) -> str:
    """Why a program was not found: it may well lie in the component's image, which is not used here."""
    image = _read_launch(attempt).get("image")
    if not image:
        return message
    return (
        f"{message}; this server runs commands on its own host and not in the image {image!r}, "
        "which the container executor would do"
    )


def _controllers(root: Path) -> list[str]:
    with suppress(OSError):
        return (root / "cgroup.subtree_control").read_text(encoding="ascii").split()
    return []
