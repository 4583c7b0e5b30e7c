"""Where attempts of either executor run, with the same shell on both sides; for the suite that all executors pass."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from containers import HOST_CONFIG, IMAGE, Podman
from reprise.executor.container import ContainerExecutor
from reprise.executor.contract import AttemptSpec, Executor, Exit
from reprise.executor.engine_api import EngineApi
from reprise.executor.images import Images
from reprise.executor.subprocess import SubprocessExecutor

LOG_LIMIT_BYTES = 1 << 20
# A server: starts one attempt, writes its handle, and waits to be killed.
_SERVER = """
import asyncio, json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from executor.place import executor_at, spec_of
async def main():
    executor = executor_at(pathlib.Path(sys.argv[2]), sys.argv[3])
    await executor.open()
    spec = spec_of(json.loads(sys.argv[4]))
    handle = executor.handle(spec)
    await executor.start(spec, handle)
    print(handle.decode(), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def executor_at(data_dir: Path, socket: str) -> Executor:
    """An executor with its files at `data_dir`; containers where there is a socket."""
    if not socket:
        return SubprocessExecutor(data_dir, log_limit_bytes=LOG_LIMIT_BYTES)
    api = EngineApi(Path(socket))
    return ContainerExecutor(
        data_dir, api, Images(api), host_config=HOST_CONFIG, log_limit_bytes=LOG_LIMIT_BYTES
    )


def spec_of(fields: dict[str, object]) -> AttemptSpec:
    """The attempt that `Place.fields` wrote down."""
    several = ("argv", "args", "read_paths", "write_paths", "folders")
    return AttemptSpec(**{**fields, **{name: tuple(fields[name]) for name in several}})  # type: ignore[arg-type]


class Place:
    """Makes attempts in a folder, which they may write to, and knows which of their processes are alive."""

    def __init__(self, folder: Path, engine: Podman | None) -> None:
        self.folder = folder
        self.engine = engine
        self.data_dir = folder / "data"
        self.shared = folder / "shared"
        self.shared.mkdir()
        self.fifo = self.shared / "fifo"
        os.mkfifo(self.fifo)
        self._numbers = itertools.count(1)

    @property
    def is_container(self) -> bool:
        return self.engine is not None

    @property
    def _socket(self) -> str:
        return "" if self.engine is None else str(self.engine.socket)

    def executor(self) -> Executor:
        return executor_at(self.data_dir, self._socket)

    def spec(self, script: str, *, grace_s: float = 0.2, timeout_s: float | None = None) -> AttemptSpec:
        """An attempt of the shell. It finds `$FIFO`, and `$SHARED` to write to."""
        number = next(self._numbers)
        attempt_dir = self.folder / "attempts" / str(number)
        for folder in ("work", "tmp"):
            (attempt_dir / folder).mkdir(parents=True)
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "FIFO": str(self.fifo),
            "SHARED": str(self.shared),
            "PLACE": str(self.folder),
        }
        return AttemptSpec(
            run_id=1,
            task_id=1,
            number=number,
            attempt_dir=str(attempt_dir),
            argv=("sh", "-c"),
            args=(script,),
            env=env,
            cwd=str(attempt_dir / "work"),
            image=IMAGE,
            grace_s=grace_s,
            timeout_s=timeout_s,
            write_paths=(str(self.shared),),
        )

    async def told(self) -> str:
        """What the task tells by `echo word > $FIFO`; waits for it."""
        return (await asyncio.wait_for(asyncio.to_thread(self.fifo.read_text), 30)).strip()

    async def begin(self, executor: Executor, spec: AttemptSpec) -> bytes:
        """Start an attempt; its handle."""
        handle = executor.handle(spec)
        await executor.start(spec, handle)
        return handle

    def end_of(self, spec: AttemptSpec) -> Exit:
        """Run it to its end."""

        async def main() -> Exit:
            executor = self.executor()
            await executor.open()
            try:
                return await asyncio.wait_for(executor.wait(await self.begin(executor, spec)), 60)
            finally:
                await executor.close()

        return asyncio.run(main())

    def adopted_end(self, handle: bytes, *, is_cancelled: bool = False) -> Exit:
        """The end as a new server finds it."""

        async def main() -> Exit:
            executor = self.executor()
            await executor.open()
            try:
                if is_cancelled:
                    await executor.cancel(handle)
                return await asyncio.wait_for(executor.wait(handle), 60)
            finally:
                await executor.close()

        return asyncio.run(main())

    def killed_server(self, spec: AttemptSpec) -> bytes:
        """The handle of an attempt that was started by a server which was then killed with -9."""
        fields = json.dumps(spec._asdict())
        tests = str(Path(__file__).parent.parent)
        command = [sys.executable, "-c", _SERVER, tests, str(self.data_dir), self._socket, fields]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            handle = server.stdout.readline().strip()
            server.kill()
        return handle

    def log(self, spec: AttemptSpec) -> bytes:
        return (Path(spec.attempt_dir) / "log").read_bytes()

    def survivors(self) -> list[str]:
        """Processes of this place's attempts that are not dead, inside containers or not."""
        mark = os.fsencode(f"PLACE={self.folder}")
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                is_ours = mark in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
                if is_ours and state not in (b"Z", b"X"):
                    found.append(entry.name)
        return found

    def end_all(self) -> None:
        """Leave nothing behind: no process where a test has failed; no container, which the executor keeps for the
        next server until the end of its attempt is committed, and nothing here commits."""
        while left := self.survivors():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        if self.engine is not None:
            self.engine.remove_containers(self.data_dir)
