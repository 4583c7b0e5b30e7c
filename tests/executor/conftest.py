"""Real attempts for the tests of the subprocess executor: nothing is mocked, nobody sleeps to wait."""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import signal
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from reprise.executor.attempt_files import Handle
from reprise.executor.contract import AttemptSpec, Exit
from reprise.executor.subprocess import SubprocessExecutor

from .place import Place

# What every Python task of these tests can use: `tell` wakes the test, `note_pid` lets it look for survivors.
_PRELUDE = """
import os, signal, sys, time
def tell(word):
    with open(os.environ["FIFO"], "w") as fifo:
        fifo.write(word)
def note_pid():
    with open("/proc/self/stat", "rb") as stat:
        started = stat.read().rpartition(b")")[2].split()[19]
    descriptor = os.open(os.environ["PIDS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"%d %s\\n" % (os.getpid(), started))
    os.close(descriptor)
note_pid()
"""

# The code of a task that says when it is up, and ends when it is told to, by the same pipe.
UNTIL_TOLD = "tell('up')\nopen(os.environ['FIFO']).read()"
_GONE_WITHIN_MS = 20_000


class Workbench:
    """Makes attempts in a folder, and knows which of their processes are alive."""

    def __init__(self, folder: Path, use_cgroup: bool) -> None:
        self.folder = folder
        self.use_cgroup = use_cgroup
        self.fifo = folder / "fifo"
        self.pids = folder / "pids"
        os.mkfifo(self.fifo)
        self._numbers = itertools.count(1)

    def executor(self) -> SubprocessExecutor:
        return SubprocessExecutor(self.folder / "data", use_cgroup=self.use_cgroup, log_limit_bytes=8 << 20)

    def spec(self, *argv: str, grace_s: float = 0.2, timeout_s: float | None = None) -> AttemptSpec:
        number = next(self._numbers)
        env = {"PATH": os.environ["PATH"], "FIFO": str(self.fifo), "PIDS": str(self.pids)}
        attempt_dir = self.folder / "attempts" / str(number)
        return AttemptSpec(
            1, 1, number, str(attempt_dir), argv, env, str(self.folder), "image", grace_s, timeout_s
        )

    def python(self, code: str, grace_s: float = 0.2, timeout_s: float | None = None) -> AttemptSpec:
        program = _PRELUDE + textwrap.dedent(code)
        return self.spec(sys.executable, "-S", "-c", program, grace_s=grace_s, timeout_s=timeout_s)

    async def told(self) -> str:
        """What the task tells; waits for it."""
        return await asyncio.wait_for(asyncio.to_thread(self.fifo.read_text), 20)

    async def begin(self, executor: SubprocessExecutor, spec: AttemptSpec) -> bytes:
        """Start an attempt; its handle."""
        handle = executor.handle(spec)
        await executor.start(spec, handle)
        return handle

    async def end_alone(self, executor: SubprocessExecutor) -> tuple[bytes, bool]:
        """An attempt that ends after its server has gone: its handle, and whether its supervisor has ended too."""
        handle = await self.begin(executor, self.python(UNTIL_TOLD))
        assert await self.told() == "up"
        descriptor = os.pidfd_open(self.supervisor(handle))
        await executor.close()
        await asyncio.to_thread(self.fifo.write_text, "go")
        is_gone = await asyncio.to_thread(is_gone_in_time, descriptor)
        os.close(descriptor)
        return handle, is_gone

    def supervisor(self, handle: bytes) -> int:
        return int((Path(Handle.decode(handle).attempt_dir) / "process").readlink().name.split(" ")[1])

    def log(self, handle: bytes) -> bytes:
        """A task that has said nothing has none."""
        log = Path(Handle.decode(handle).attempt_dir) / "log"
        return log.read_bytes() if log.exists() else b""

    def noted(self) -> list[tuple[int, str]]:
        """(number, start time) of the processes that have noted themselves: chains of forks make numbers come again."""
        lines = self.pids.read_text().splitlines() if self.pids.exists() else []
        return [(int(pid), started) for pid, _, started in (line.partition(" ") for line in lines)]

    def survivors(self) -> list[str]:
        """Processes of this folder's attempts that are not dead, by number or by their environment."""
        noted = set(self.noted())
        mark = os.fsencode(f"PIDS={self.pids}")
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                is_noted = (int(entry.name), fields[19].decode()) in noted
                is_ours = is_noted or mark in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if is_ours and fields[0] not in (b"Z", b"X"):
                found.append(entry.name)
        return found


async def ended_of(bench: Workbench, executor: SubprocessExecutor, *argv: str) -> tuple[Exit, bytes]:
    """A whole attempt: its end, and its handle."""
    handle = await bench.begin(executor, bench.spec(*argv))
    return await executor.wait(handle), handle


def is_gone_in_time(descriptor: int) -> bool:
    """Of a process that is held by descriptor."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_GONE_WITHIN_MS))


@pytest.fixture(params=[True, False], ids=["cgroup", "subreaper"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(tmp_path, use_cgroup=request.param)
    yield workbench
    survivors = workbench.survivors()
    # A test that fails leaves nothing behind that disturbs others.
    while left := workbench.survivors():
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    assert survivors == []


@pytest.fixture(params=["subprocess", "container"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where the tests that every executor must pass run their attempts."""
    engine = request.getfixturevalue("engine") if request.param == "container" else None
    place = Place(tmp_path, engine)
    yield place
    survivors = place.survivors()
    place.end_all()
    assert survivors == []
