"""Attempts as containers, by the Docker Engine API (Docker, or Podman behind it).

Invariants: the engine is the witness. A container outlives the server and keeps its end and its output until that end
is committed (`release`), so an attempt is found again by its name after any restart, of the server or the engine. It is
started at most once: only who made the link `process` may create it, and what was created and never started is removed.
`wait` gives an end only when the engine says that the container has ended, with it every process in it.

The engine keeps the log while no server is there: its own log loses nothing up to its limit, is bounded by it, and
needs no process of ours that could be killed. While a server is there, it is copied as it grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reprise.executor.attempt_files import LOG_FILE, Handle, claim, is_given_up, read_exit, write_exit
from reprise.executor.container_end import (
    exit_of,
    forget_stop,
    memory_kills,
    moment_ns,
    note_stop,
    stop_cause,
    survived,
)
from reprise.executor.container_log import copy_log
from reprise.executor.container_spec import LABEL, ContainerHandle, create_body
from reprise.executor.contract import AttemptSpec, Capability, Cause, Exit
from reprise.executor.engine_api import EngineApi, EngineRefused, EngineUnreachable
from reprise.executor.images import Images, ImageUnavailable
from reprise.executor.subprocess import LOG_LIMIT_BYTES

_log = logging.getLogger(__name__)

_HAS_ENDED = frozenset({"exited", "stopped", "dead"})
_HAS_NOT_BEGUN = frozenset({"created", "configured", "initialized"})
_SUPERUSERS = frozenset({"", "0", "root", "0:0", "root:root"})
_ENGINE_PAUSE_S = 0.5
_KILL_BOUND_S = 30.0
# Shorter ones are not worth a stream of their own: their log is read when they have ended.
_FOLLOWED_AFTER_S = 0.3
_REMOVALS_AT_ONCE = 4


class ContainerExecutor:
    """Runs attempts in containers. Use it from one event loop; `open` before anything else."""

    name = "container"

    def __init__(
        self,
        data_dir: Path,
        api: EngineApi,
        images: Images,
        *,
        host_config: Mapping[str, Any] | None = None,
        log_limit_bytes: int = LOG_LIMIT_BYTES,
    ) -> None:
        """`host_config`: what the operator wants of every container, as the engine's HostConfig."""
        self._data_dir = data_dir
        self._data_dir_id = ""
        self._api = api
        self._images = images
        self._host_config = host_config or {}
        self._log_limit_bytes = log_limit_bytes
        self._refused: dict[str, Exit] = {}
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._stuck: dict[str, asyncio.Event] = {}
        self._removing: set[asyncio.Task[None]] = set()
        self._removals = asyncio.Semaphore(_REMOVALS_AT_ONCE)

    async def open(self) -> None:
        """Does not need the engine; `capabilities` says whether it is there."""
        self._data_dir_id = await asyncio.to_thread(_data_dir_id, self._data_dir)

    def handle(self, spec: AttemptSpec) -> bytes:
        name = f"reprise-{spec.run_id}-{spec.task_id}-{spec.number}-{os.urandom(6).hex()}"
        return ContainerHandle(name, spec.attempt_dir, spec.grace_s, spec.timeout_s, memory_kills()).encode()

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        """Start the attempt, at most once for a handle. What the engine refuses is told by `wait`, as NOT_STARTED."""
        attempt = ContainerHandle.decode(handle)
        if not claim(_files(attempt), f"container {attempt.name}"):
            return
        try:
            await asyncio.to_thread(_make_folders, spec)
            image = await self._images.get(spec.image)
            if image.user not in _SUPERUSERS:
                await asyncio.to_thread(_open_to_all, spec)
            body = create_body(spec, self._data_dir_id, image.working_dir, self._host_config)
            await self._api.call("POST", "/containers/create", {"name": attempt.name}, body)
            await self._api.call("POST", f"/containers/{attempt.name}/start")
        except (ImageUnavailable, EngineRefused, OSError) as error:
            await self._remove(attempt.name, is_forced=False)
            if stop_cause(attempt) is None:
                now_ns = time.time_ns()
                message = (
                    str(error)
                    if isinstance(error, ImageUnavailable)
                    else f"the container of image {spec.image!r} could not be started: {error}"
                )
                self._refused[attempt.name] = Exit(
                    Cause.NOT_STARTED, message=message, started_ns=now_ns, ended_ns=now_ns
                )
        except EngineUnreachable:
            # Whether it was started is not known here; `wait` finds out, and forbids it if it was not.
            return

    async def wait(self, handle: bytes) -> Exit:
        """The end of the attempt. Idempotent until its release; one at a time for a handle."""
        attempt = ContainerHandle.decode(handle)
        if attempt.name in self._refused:
            return self._refused[attempt.name]
        spooled = read_exit(_files(attempt))
        if spooled is not None:
            return spooled
        if is_given_up(_files(attempt)):
            return Exit(Cause.LOST, message="the server ended before the attempt was started")
        stuck = self._stuck.setdefault(attempt.name, asyncio.Event())
        follower: asyncio.Task[bool] | None = None
        try:
            while True:
                found = await self._inspect(attempt.name)
                if found is None:
                    return Exit(Cause.LOST, message="the container of the attempt is gone")
                state = found["State"]
                if state["Status"] in _HAS_NOT_BEGUN:
                    await self._remove(attempt.name, is_forced=False)
                    await asyncio.sleep(_ENGINE_PAUSE_S / 10)
                    continue
                if state["Status"] in _HAS_ENDED:
                    break
                if stuck.is_set():
                    stuck.clear()
                    return survived(attempt, state)
                follower = await self._watch(attempt, state, stuck, follower)
        finally:
            if follower is not None:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)
        ended = await self._harvest(attempt, found)
        self._stuck.pop(attempt.name, None)
        return ended

    async def cancel(self, handle: bytes) -> None:
        """Ask for SIGTERM, the attempt's grace, SIGKILL; an attempt that has not begun never will."""
        self._begin_stop(ContainerHandle.decode(handle), Cause.CANCELLED)

    def release(self, handles: Sequence[bytes]) -> None:
        """Remove the containers: their ends are committed."""
        for handle in handles:
            name = ContainerHandle.decode(handle).name
            self._refused.pop(name, None)
            self._in_background(self._remove(name, is_forced=True))

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        """Remove the containers of this data directory whose attempts have ended or are not known."""
        label = {"label": [f"{LABEL}.data-dir={self._data_dir_id}"]}
        query = {"all": "1", "filters": json.dumps(label)}
        try:
            found = await self._api.call("GET", "/containers/json", query)
        except (EngineUnreachable, EngineRefused) as error:
            _log.warning("leftover containers could not be looked for: %s", error)
            return
        # Asked after the look: no container that was seen belongs to an attempt that is only now being made.
        wanted = {ContainerHandle.decode(handle).name for handle in await living()}
        for container in found or ():
            names = {str(name).lstrip("/") for name in container.get("Names") or ()}
            if not names & wanted:
                _log.info("removing the leftover container %s", ", ".join(sorted(names)))
                await self._remove(str(container["Id"]), is_forced=True)

    def capabilities(self) -> list[Capability]:
        """Whether an engine answers. Blocks."""
        try:
            with ThreadPoolExecutor(1) as thread:  # the caller's may have an event loop
                version = thread.submit(lambda: asyncio.run(self._api.version())).result()
        except (EngineUnreachable, EngineRefused) as error:
            return [Capability("executor container", False, str(error))]
        components = version.get("Components") or [{}]
        what = f"{components[0].get('Name', 'engine')} {version.get('Version', '')}"
        return [Capability("executor container", True, f"{what} at {self._api.socket_path}")]

    async def close(self) -> None:
        """Let go of the attempts without ending them."""
        left = [*self._stopping.values(), *self._removing]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # Watching.

    async def _watch(
        self,
        attempt: ContainerHandle,
        state: Mapping[str, Any],
        stuck: asyncio.Event,
        follower: asyncio.Task[bool] | None,
    ) -> asyncio.Task[bool] | None:
        """Returns when the container may have ended, could not be stopped, or has to be looked at again."""
        waiting = asyncio.create_task(self._until_ended(attempt.name))
        stopped = asyncio.create_task(stuck.wait())
        try:
            done, _ = await asyncio.wait({waiting, stopped}, timeout=_FOLLOWED_AFTER_S)
            if not done and (follower is None or follower.done()):
                path = attempt.path(LOG_FILE)
                copying = copy_log(self._api, attempt.name, path, self._log_limit_bytes, is_followed=True)
                follower = asyncio.create_task(copying)
            left_s = None
            if attempt.timeout_s is not None and stop_cause(attempt) is None:
                left_s = max(0.0, moment_ns(state["StartedAt"]) / 1e9 + attempt.timeout_s - time.time())
            done, _ = await asyncio.wait({waiting, stopped}, timeout=left_s, return_when="FIRST_COMPLETED")
            if not done:
                self._begin_stop(attempt, Cause.TIMED_OUT)
                await asyncio.wait({self._stopping[attempt.name], waiting}, return_when="FIRST_COMPLETED")
        finally:
            waiting.cancel()
            stopped.cancel()
            await asyncio.gather(waiting, stopped, return_exceptions=True)
        return follower

    async def _until_ended(self, name: str) -> None:
        """Returns when the engine says that it has ended, or cannot be asked for a while."""
        try:
            await self._api.call("POST", f"/containers/{name}/wait", within_s=None)
        except (EngineUnreachable, EngineRefused):
            await asyncio.sleep(_ENGINE_PAUSE_S)
        # Podman answers a moment before its own books say so.
        await asyncio.sleep(0)

    async def _inspect(self, name: str) -> Mapping[str, Any] | None:
        """The container; None where there is none. Waits for an engine that is away."""
        while True:
            try:
                found: Mapping[str, Any] = await self._api.call("GET", f"/containers/{name}/json")
                return found
            except EngineRefused as error:
                if error.status == 404:
                    return None
                _log.warning("container %s: %s", name, error)
            except EngineUnreachable as error:
                _log.warning("container %s: %s", name, error)
            # No other way to know when an engine is back.
            await asyncio.sleep(_ENGINE_PAUSE_S)

    async def _harvest(self, attempt: ContainerHandle, found: Mapping[str, Any]) -> Exit:
        """What is left of a container that has ended, spooled: from here on the container is not needed."""
        path = attempt.path(LOG_FILE)
        is_whole = await copy_log(self._api, attempt.name, path, self._log_limit_bytes, is_followed=False)
        ended = exit_of(attempt, found)
        if not is_whole:
            ended = ended._replace(message=f"{ended.message}; the log is incomplete".lstrip("; "))
        await asyncio.to_thread(write_exit, _files(attempt), ended)
        return ended

    # Ending.

    def _begin_stop(self, attempt: ContainerHandle, cause: Cause) -> None:
        earlier = self._stopping.get(attempt.name)
        if earlier is None or earlier.done():
            task = asyncio.create_task(self._stop(attempt, cause))
            self._stopping[attempt.name] = task
            task.add_done_callback(lambda _: self._stopping.pop(attempt.name, None))

    async def _stop(self, attempt: ContainerHandle, cause: Cause) -> None:
        """SIGTERM, grace, SIGKILL. Nothing happens to an attempt that has ended by itself."""
        if read_exit(_files(attempt)) is not None or is_given_up(_files(attempt)):
            return
        while True:
            found = await self._inspect(attempt.name)
            if found is None or found["State"]["Status"] in _HAS_ENDED:
                return
            if found["State"]["Status"] in _HAS_NOT_BEGUN:
                await self._remove(attempt.name, is_forced=False)
                continue
            break
        is_first = note_stop(attempt, cause)
        if found["State"].get("Paused"):
            await self._told(attempt.name, "unpause", {})
        if not await self._told(attempt.name, "kill", {"signal": "SIGTERM"}) and is_first:
            # It has ended before it was asked.
            forget_stop(attempt)
            return
        for bound_s in (attempt.grace_s, _KILL_BOUND_S):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(bound_s):
                    while not await self._is_over(attempt.name):
                        await self._until_ended(attempt.name)
                    return
            await self._told(attempt.name, "kill", {"signal": "SIGKILL"})
        self._stuck.setdefault(attempt.name, asyncio.Event()).set()

    async def _is_over(self, name: str) -> bool:
        found = await self._inspect(name)
        return found is None or found["State"]["Status"] in _HAS_ENDED

    async def _told(self, name: str, what: str, query: Mapping[str, str]) -> bool:
        """Whether the container was there to be told. Asks again until the engine has answered."""
        while True:
            try:
                await self._api.call("POST", f"/containers/{name}/{what}", query)
                return True
            except EngineRefused as error:
                if error.status in (404, 409):
                    return False
                if await self._is_over(name):
                    return True  # in the very moment: nobody can say which came first
                _log.warning("container %s: %s: %s", name, what, error)
            except EngineUnreachable as error:
                _log.warning("container %s: %s: %s", name, what, error)
            await asyncio.sleep(_ENGINE_PAUSE_S)

    async def _remove(self, name: str, *, is_forced: bool) -> None:
        """Without force, one that runs stays. A failure is left to the next sweep."""
        query = {"force": "true" if is_forced else "false", "v": "true"}
        async with self._removals:
            try:
                await self._api.call("DELETE", f"/containers/{name}", query)
            except EngineRefused as error:
                if error.status not in (404, 409):
                    _log.warning("container %s could not be removed: %s", name, error)
            except EngineUnreachable as error:
                _log.warning("container %s could not be removed: %s", name, error)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)


def _files(attempt: ContainerHandle) -> Handle:
    return Handle(attempt.attempt_dir, attempt.name)


def _data_dir_id(data_dir: Path) -> str:
    """What tells the containers of this data directory from those of others."""
    path = data_dir / "containers-id"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # In one step: a server that dies in the middle must not leave an empty one, which others would have too.
        unfinished = data_dir / f"containers-id.{os.urandom(4).hex()}"
        with unfinished.open("x", encoding="ascii") as file:
            file.write(os.urandom(8).hex())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(unfinished)
        unfinished.unlink()
    return path.read_text(encoding="ascii")


def _make_folders(spec: AttemptSpec) -> None:
    for folder in spec.folders:
        Path(folder).mkdir(parents=True, exist_ok=True)


def _open_to_all(spec: AttemptSpec) -> None:
    """The image runs as another user, who has to write where the attempt's outputs go."""
    for folder in map(Path, (f"{spec.attempt_dir}/work", f"{spec.attempt_dir}/tmp", *spec.write_paths)):
        for one in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            one.chmod(0o777)
