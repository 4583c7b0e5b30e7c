"""A host whose tasks end when the test says so, and servers on it: what the scheduler makes of an end, without chance.

The executor behind it keeps its contract: a start for a handle counts once, an attempt outlives its server, an end is
the same for everybody who asks.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from reprise.client import Client
from reprise.domain.authorization import Authorizer
from reprise.executor.contract import AttemptSpec, Capability, Cause, Exit
from reprise.main import PipelineService, Settings

_WITHIN_S = 30.0


class ScriptedHost:
    """Where attempts live, over the lives of any number of servers. For any thread."""

    def __init__(self, *, are_obedient: bool = True) -> None:
        """`are_obedient`: whether tasks end by themselves when they are asked to stop."""
        self.are_obedient = are_obedient
        self._changed = threading.Condition()
        self._started: dict[bytes, AttemptSpec] = {}
        self._asked_to_stop: set[bytes] = set()
        self._ends: dict[bytes, Exit] = {}

    def start(self, handle: bytes, spec: AttemptSpec) -> None:
        with self._changed:
            self._started.setdefault(handle, spec)
            self._changed.notify_all()

    def stop(self, handle: bytes) -> None:
        with self._changed:
            self._asked_to_stop.add(handle)
            if self.are_obedient:
                self._ends.setdefault(handle, Exit(cause=Cause.CANCELLED, signal=15))
            self._changed.notify_all()

    def end_of(self, handle: bytes) -> Exit | None:
        with self._changed:
            if handle not in self._started:
                return Exit(cause=Cause.LOST)
            return self._ends.get(handle)

    def living(self, run_id: int) -> list[str]:
        """Names of the tasks of a run that are running. A task's name is the last word of its command."""
        with self._changed:
            return [spec.argv[-1] for handle, spec in self._of(run_id) if handle not in self._ends]

    def begun(self, run_id: int) -> list[str]:
        """Names of the tasks of a run in the order of their starts, once for each attempt."""
        with self._changed:
            return [spec.argv[-1] for _, spec in self._of(run_id)]

    def await_start(self, run_id: int, task: str) -> None:
        self._await(lambda: task in self.living(run_id), f"{task} of {run_id} starts")

    def await_asked_to_stop(self, run_id: int, task: str) -> None:
        def is_asked() -> bool:
            return any(
                handle in self._asked_to_stop for handle, spec in self._of(run_id) if spec.argv[-1] == task
            )

        self._await(is_asked, f"{task} of {run_id} is asked to stop")

    def end(self, run_id: int, task: str, exit_code: int = 0, cause: Cause = Cause.EXITED) -> None:
        """End the attempt of the task that lives, if one does."""
        with self._changed:
            for handle, spec in self._of(run_id):
                if spec.argv[-1] == task:
                    self._ends.setdefault(handle, Exit(cause=cause, exit_code=exit_code))
            self._changed.notify_all()

    def _of(self, run_id: int) -> Iterator[tuple[bytes, AttemptSpec]]:
        return ((handle, spec) for handle, spec in self._started.items() if spec.run_id == run_id)

    def _await(self, is_so: Callable[[], bool], what: str) -> None:
        # The condition's lock is re-entrant.
        with self._changed:
            assert self._changed.wait_for(is_so, _WITHIN_S), f"not in time: {what}"

    def await_end(self, handle: bytes, is_over: threading.Event) -> None:
        with self._changed:
            self._changed.wait_for(lambda: is_over.is_set() or self.end_of(handle) is not None)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class ScriptedExecutor:
    """What one server sees of the host."""

    name = "scripted"

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self._is_over = threading.Event()
        # One for each attempt that is waited for at once.
        self._waiters = ThreadPoolExecutor(64, thread_name_prefix="scripted")

    async def open(self) -> None: ...

    def handle(self, spec: AttemptSpec) -> bytes:
        return json.dumps([spec.run_id, spec.task_id, spec.number]).encode()

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        self._host.start(handle, spec)

    async def wait(self, handle: bytes) -> Exit:
        waiting = asyncio.get_running_loop().run_in_executor
        await waiting(self._waiters, self._host.await_end, handle, self._is_over)
        ended = self._host.end_of(handle)
        if ended is None:  # the server lets go of it
            await asyncio.Event().wait()
        assert ended is not None
        return ended

    async def cancel(self, handle: bytes) -> None:
        self._host.stop(handle)

    def release(self, handles: Sequence[bytes]) -> None: ...

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None: ...

    def capabilities(self) -> list[Capability]:
        return []

    async def close(self) -> None:
        self._is_over.set()
        self._host.wake()
        self._waiters.shutdown(wait=False)


@contextmanager
def address_on(
    host: ScriptedHost,
    data_dir: Path,
    authorizer: Authorizer | None = None,
    are_runs_claimed: bool = True,
    **settings: Any,
) -> Iterator[str]:
    """One life of a server, as far as it can be had inside this process: where it listens."""
    wanted = Settings(data_dir, environments="host", max_tasks=64, **settings)
    service = PipelineService(wanted, executor=ScriptedExecutor(host), authorizer=authorizer)
    server = grpc.server(
        ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", wanted.limits.receive_bytes)]
    )
    try:
        service.mount(server)
        port = server.add_insecure_port("127.0.0.1:0")
        if are_runs_claimed:
            service.start()
        server.start()
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(5).wait()
        service.stop()


@contextmanager
def server_on(host: ScriptedHost, data_dir: Path, **settings: Any) -> Iterator[Client]:
    """As `address_on`, with a client that looks often."""
    with (
        address_on(host, data_dir, **settings) as address,
        Client(address, outage_s=0.0, sleep=lambda s: time.sleep(min(s, 0.005))) as client,
    ):
        yield client
