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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprise import crash_point
from reprise.executor import native
from reprise.executor.attempt_files import (
    EXIT_FILE,
    LAUNCH_FILE,
    LOG_FILE,
    PROCESS_LINK,
    Handle,
    Supervisor,
    exit_from,
    living_survivors,
    open_process,
    read_exit,
    read_launch,
    supervisor_or_give_up,
    survivors_of,
    write_launch,
)
from reprise.executor.contract import AttemptSpec, Capability, Cause, Exit, Starting, Survivor
from reprise.executor.spawner_link import Begun, SpawnerDied, SpawnerLink, SpawnerRefused, reply_of
from reprise.executor.warm import WarmInterpreters

LOG_LIMIT_BYTES = 64 * 1024 * 1024
_LOST_KILL_BOUND_S = 10.0
_LAUNCH_VERSION = 1
_LARGEST_INLINE_BYTES = 60_000  # of the spawner's messages, which have 64 KiB
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PROBE = (
    "import ctypes, sys; library = ctypes.PyDLL(sys.argv[1]); answer = ctypes.create_string_buffer(65536); "
    "library.reprise_probe(answer, ctypes.c_size_t(65536)); print(answer.value.decode())"
)


class SubprocessExecutor:
    """Runs attempts on this host. Use it from one event loop; `open` before anything else."""

    name = "subprocess"

    def __init__(
        self,
        data_dir: Path,
        *,
        use_cgroup: bool = True,
        use_warm_interpreters: bool = True,
        log_limit_bytes: int = LOG_LIMIT_BYTES,
    ) -> None:
        self._data_dir = data_dir
        self._use_cgroup = use_cgroup
        self._log_limit_bytes = log_limit_bytes
        self._link = SpawnerLink(data_dir / "spawner.log")
        self._warm = WarmInterpreters(data_dir / "spawner.log") if use_warm_interpreters else None
        self._boot_id = ""
        self._cgroup_root: str | None = None
        self._probing: asyncio.Task[None] | None = None
        self._refused: dict[str, Exit] = {}
        self._later: dict[bytes, asyncio.Task[None]] = {}  # by handle, of a batch: being started
        # By marker, of the attempts that this server has started and whose end is not committed.
        self._begun: dict[str, Begun] = {}

    async def open(self) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        native.library_path()
        self._boot_id = _boot_id()

    def handle(self, spec: AttemptSpec) -> bytes:
        marker = f"{spec.run_id}.{spec.task_id}.{spec.number}.{os.urandom(8).hex()}"
        return Handle(spec.attempt_dir, marker).encode()

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        """Start the attempt, at most once for a handle, whoever asks and however often.

        What the host refuses is told by `wait`, as NOT_STARTED.
        """
        attempt = Handle.decode(handle)
        if self._use_cgroup and (self._probing is None or not self._probing.done()):
            self._probing = self._probing or asyncio.create_task(self._probe_cgroup())
            await asyncio.shield(self._probing)
        try:
            await self._start(spec, attempt)
        except SpawnerDied:
            # Whether it was started is not known here; `wait` finds out, and forbids it if it was not.
            return
        except (SpawnerRefused, OSError, ValueError) as error:
            self._refuse(attempt, error)

    async def _start(self, spec: AttemptSpec, attempt: Handle) -> None:
        link = self._link
        launch = self._launch(spec, attempt)
        warm = self._warm.find(spec.argv, spec.env) if self._warm is not None else None
        if self._warm is not None and warm is not None:
            try:
                await warm.make_ready()
            except (SpawnerDied, OSError):
                self._warm.give_up(warm)  # in a new process then
            else:
                link, launch = warm, {**launch, "warm": {}}
        content = _encoded(launch)
        path = attempt.path(LAUNCH_FILE)
        if len(content) > _LARGEST_INLINE_BYTES:
            path, content = write_launch(attempt, content), b""
        self._begun.setdefault(attempt.marker, await link.launch(path, content))

    def start_batch(self, attempts: Sequence[Starting]) -> None:
        """As `start` for each; what their supervisors tell in time is told on."""
        for attempt in attempts:
            if not self._start_at_once(attempt):
                self._later[attempt.handle] = asyncio.create_task(self._start_later(attempt))

    def _start_at_once(self, starting: Starting) -> bool:
        """Whether the spawner took it. What is not told by its supervisor is left to `wait`."""
        spec = starting.spec
        if self._use_cgroup and (self._probing is None or not self._probing.done()):
            return False
        link, attempt = self._link, Handle.decode(starting.handle)
        launch = self._launch(spec, attempt)
        warm = self._warm.find(spec.argv, spec.env) if self._warm is not None else None
        if warm is not None:
            if not warm.is_ready:
                return False
            link, launch = warm, {**launch, "warm": {}}
        content = _encoded(launch)
        if len(content) > _LARGEST_INLINE_BYTES:
            return False
        begun = link.launch_at_once(
            attempt.path(LAUNCH_FILE), content, lambda reply: starting.ended(_clean_exit(reply))
        )
        if begun is None:
            return False
        self._begun[attempt.marker] = begun
        return True

    async def _start_later(self, starting: Starting) -> None:
        try:
            await self.start(starting.spec, starting.handle)
        finally:
            self._later.pop(starting.handle, None)
        starting.ended(None)

    async def wait(self, handle: bytes) -> Exit:
        """The end of the attempt. Idempotent; an end with survivors is looked at again by each call."""
        attempt = Handle.decode(handle)
        if attempt.marker in self._refused:
            return self._refused[attempt.marker]
        spooled = await self._told(attempt)
        if attempt.marker in self._refused:
            return self._refused[attempt.marker]
        if spooled is None:
            spooled = read_exit(attempt)
        if spooled is None:
            supervisor = supervisor_or_give_up(attempt)
            if supervisor.boot_id == self._boot_id:
                await _ended(supervisor)
            spooled = read_exit(attempt)
            if spooled is None:
                return await self._settle_lost(attempt, supervisor)
        if spooled.cause is Cause.NOT_STARTED:
            return spooled._replace(message=_with_image(attempt, spooled.message))
        if spooled.survivors:
            result = await asyncio.to_thread(_kill_tree, attempt, supervisor_or_give_up(attempt), 1.0)
            left = (*living_survivors(attempt), *survivors_of(result["survivors"]))
            return spooled._replace(survivors=tuple({one.pid: one for one in left}.values()))
        return spooled

    async def _told(self, attempt: Handle) -> Exit | None:
        """The end as the spawner tells it; None where it has none to tell, and the files are to be looked at."""
        begun = self._begun.get(attempt.marker)
        if begun is None:
            return None
        try:
            reply = reply_of(await asyncio.shield(begun.ending))
        except SpawnerDied:
            return None
        except SpawnerRefused as error:
            self._refuse(attempt, error)
            return None
        return exit_from(reply["exit"]) if "exit" in reply else None

    def _refuse(self, attempt: Handle, error: Exception) -> None:
        """Note that the host could not start the attempt, unless somebody has."""
        with suppress(OSError):
            if supervisor_or_give_up(attempt).pid != 0:
                return
        now_ns = time.time_ns()
        self._refused[attempt.marker] = Exit(
            cause=Cause.NOT_STARTED,
            message=f"this host could not start the task: {error}",
            started_ns=now_ns,
            ended_ns=now_ns,
        )

    async def cancel(self, handle: bytes) -> None:
        """Ask the supervisor for SIGTERM, grace, SIGKILL; an attempt that has not begun never will.

        Nothing happens to an attempt that has ended.
        """
        attempt = Handle.decode(handle)
        if handle in self._later:
            await asyncio.wait({self._later[handle]})
        begun = self._begun.get(attempt.marker)
        if begun is not None and not begun.ending.done():
            # By the spawner: before a signal arrived, the supervisor could have another attempt.
            with suppress(SpawnerDied):
                await begun.stop()
                return
        if read_exit(attempt) is not None:
            return
        supervisor = supervisor_or_give_up(attempt)
        descriptor = open_process(supervisor) if supervisor.boot_id == self._boot_id else None
        if descriptor is not None:
            try:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            finally:
                os.close(descriptor)

    def release(self, handles: Sequence[bytes]) -> None:
        """Forget them; the files of the run go with it."""
        for handle in handles:
            marker = Handle.decode(handle).marker
            self._refused.pop(marker, None)
            begun = self._begun.pop(marker, None)
            if begun is not None:
                begun.link.release(begun)

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        """Nothing is left behind: supervisors end with their attempts."""

    def capabilities(self) -> list[Capability]:
        """What this host allows, tried in a process of its own. Blocks for some milliseconds."""
        try:
            library = str(native.library_path())
            command = [sys.executable, "-I", "-S", "-c", _PROBE, library]
            answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return [Capability("native library", False, str(error))]
        root = answer["cgroup_root"]
        controllers = [] if root is None else _controllers(Path(root))
        limits = [
            Capability(
                f"{what} limits",
                controller in controllers,
                "by cgroup"
                if controller in controllers
                else f"not enforced: there is no {controller} controller",
            )
            for what, controller in (("memory", "memory"), ("CPU", "cpu"))
        ]
        return [
            Capability("native library", True, library),
            Capability("kill by subreaper", True, "stops and kills every descendant; always used"),
            Capability("kill by cgroup", root is not None, root or str(answer["cgroup_detail"])),
            *limits,
        ]

    async def close(self) -> None:
        """Let go of the attempts without ending them."""
        if self._warm is not None:
            self._warm.close()
        self._link.hang_up()

    async def _probe_cgroup(self) -> None:
        """Find the folder for the attempts' cgroups."""
        with suppress(SpawnerDied, SpawnerRefused):
            root = (await self._link.request({"probe": True})).get("cgroup_root")
            self._cgroup_root = None if root is None else str(root)

    def _launch(self, spec: AttemptSpec, attempt: Handle) -> Mapping[str, Any]:
        return {
            "version": _LAUNCH_VERSION,
            "argv": [*spec.argv, *spec.args],
            "env": dict(spec.env),
            "cwd": spec.cwd,
            "log_path": attempt.path(LOG_FILE),
            "exit_path": attempt.path(EXIT_FILE),
            "process_path": attempt.path(PROCESS_LINK),
            "grace_s": spec.grace_s,
            "timeout_s": spec.timeout_s,
            "log_limit_bytes": self._log_limit_bytes,
            "cgroup_root": self._cgroup_root,
            "memory_limit_bytes": int(spec.memory_limit_bytes) or None,
            "cpu_limit": spec.cpu_limit or None,
            "folders": spec.folders,
            "marker": attempt.marker,
            "image": spec.image,
            "crash_at": crash_point.next_supervisor(),
        }

    async def _settle_lost(self, attempt: Handle, supervisor: Supervisor) -> Exit:
        """The supervisor is gone without a word: kill what is left of its tree, then say so."""
        if supervisor.pid == 0:
            return Exit(cause=Cause.LOST, message="the server ended before the attempt was started")
        if supervisor.boot_id != self._boot_id:
            return Exit(cause=Cause.LOST, message="the host was restarted while the attempt ran")
        orphans: list[Survivor] = []
        for link in (self._link, *(self._warm.links() if self._warm is not None else ())):
            if link.pid is not None:
                with suppress(SpawnerDied, SpawnerRefused):
                    orphans += survivors_of((await link.request({"settle": True})).get("survivors") or ())
        result = await asyncio.to_thread(_kill_tree, attempt, supervisor, _LOST_KILL_BOUND_S)
        # It may have ended by itself between the two looks.
        spooled = read_exit(attempt)
        if spooled is not None:
            return spooled
        left = {one.pid: one for one in (*orphans, *survivors_of(result["survivors"]))}
        return Exit(
            cause=Cause.LOST,
            message="the supervisor of the attempt was killed",
            survivors=tuple(left.values()),
            kill_method=str(result["kill_method"]),
        )


def _clean_exit(reply: Mapping[str, Any] | None) -> Exit | None:
    """What the spawner tells of an end that there is nothing more to say of."""
    if reply is None or "exit" not in reply:
        return None
    how = exit_from(reply["exit"])
    return None if how.survivors or how.cause is Cause.NOT_STARTED else how


def _encoded(launch: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(launch).encode()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _kill_tree(attempt: Handle, supervisor: Supervisor, bound_s: float) -> Mapping[str, Any]:
    root = read_launch(attempt).get("cgroup_root")
    # As the supervisor names the cgroup that its attempts run in (core_rs/host, cgroup).
    cgroup_dir = None if root is None else f"{root}/reprise-{supervisor.pid}-{supervisor.start_time}"
    return native.kill_tree(attempt.marker, cgroup_dir, bound_s)


async def _ended(supervisor: Supervisor) -> None:
    """Returns when the supervisor has ended, at once if it has."""
    descriptor = open_process(supervisor)
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


def _with_image(attempt: Handle, message: str) -> str:
    """Why a program was not found: it may well lie in the component's image, which is not used here."""
    image = read_launch(attempt).get("image")
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
