"""What an executor guarantees. Subprocess, container and Ray stand behind this.

Invariants: `start` returns a handle that, stored, is enough to find the attempt after a restart of the server;
`wait` returns only when every process of the attempt is dead, or says which is not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable


class Cause(StrEnum):
    EXITED = "exited"
    CANCELLED = "cancelled"  # ended after it had been asked to stop
    TIMED_OUT = "timed_out"
    NOT_STARTED = "not_started"  # no such program, or the host refused
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"  # neither alive nor spooled


class AttemptSpec(NamedTuple):
    """One attempt, ready to start. Paths are absolute; argv, args, env and cwd are what the process sees.

    An empty `argv` is the entrypoint of the image, where the executor has images; `args` follow it. `read_paths` and
    `write_paths` are all that the attempt may see of this host beside folders of its own: its input artifacts, and
    where its outputs go. They are the same paths on both sides. The executor makes `folders` before the start.
    Paths are texts: to make a `Path` takes longer than all the rest of it, and they are made for every attempt.
    """

    run_id: int
    task_id: int
    number: int
    attempt_dir: str  # the executor's own files: launch.json or exit.json, log
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    image: str
    grace_s: float
    timeout_s: float | None = None
    cpu_limit: float = 0.0
    memory_limit_bytes: float = 0.0
    args: tuple[str, ...] = ()
    cpu_request: float = 0.0
    memory_request_bytes: float = 0.0
    read_paths: tuple[str, ...] = ()
    write_paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survivor:
    pid: int
    command: str


class Exit(NamedTuple):
    cause: Cause
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""  # for a person: why it did not start, what was killed
    started_ns: int = 0
    ended_ns: int = 0
    survivors: tuple[Survivor, ...] = ()
    kill_method: str = ""

    @property
    def is_success(self) -> bool:
        return self.cause is Cause.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Capability:
    """A line of `reprise doctor`."""

    name: str
    is_available: bool
    detail: str


class Starting(Protocol):
    """One of the attempts of a batch."""

    @property
    def spec(self) -> AttemptSpec: ...

    @property
    def handle(self) -> bytes: ...

    def ended(self, how: Exit | None) -> None:
        """Take what `wait` would give; None: it is to be asked. To be called once, on the loop of the executor."""
        ...


class Executor(Protocol):
    name: str

    async def open(self) -> None: ...

    def handle(self, spec: AttemptSpec) -> bytes:
        """What finds the attempt, now and after a restart. Made before the start, to be committed with it."""
        ...

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        """Start the attempt, once for each handle. Does not raise for what cannot be started: `wait` says so."""
        ...

    async def wait(self, handle: bytes) -> Exit:
        """The end of the attempt, started by this server or an earlier one. Idempotent."""
        ...

    async def cancel(self, handle: bytes) -> None:
        """Ask for SIGTERM, the grace of the attempt, SIGKILL, all over the process tree. Returns at once."""
        ...

    def release(self, handles: Sequence[bytes]) -> None:
        """The ends of these attempts are committed: what was kept for `wait` may go. Returns at once; a loss of it
        costs room until the next `sweep`, never an outcome."""
        ...

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None:
        """End and remove what earlier servers of this data directory have left behind. `living` gives the handles of
        all attempts that have no end yet, as they are when it is called."""
        ...

    def capabilities(self) -> list[Capability]: ...

    async def close(self) -> None:
        """Let go of the attempts without ending them."""
        ...


@runtime_checkable
class BatchExecutor(Executor, Protocol):
    """An executor that starts many attempts with one call, which spares each a coroutine of its own.

    A choice: where there is no `start_batch`, every attempt goes by `start` and `wait`.
    """

    def start_batch(self, attempts: Sequence[Starting]) -> None:
        """As `start` for each, and then as `wait`: each is told of its end. Returns at once, before any is told."""
        ...
