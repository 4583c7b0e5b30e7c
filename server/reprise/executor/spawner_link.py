"""The server's end of the spawner: requests go out, replies come back, a spawner that died is started again.

Invariant: every request is answered or fails with SpawnerDied; a failed one may or may not have been done.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.executor import native

_MESSAGE_BYTES = 256 * 1024
_MOST_RELEASED = 128  # in one message, which has to hold a launch too
_WANTED_FILES = 65_536
_OWN_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


# Takes the reply to a request; None: there is none.
Tell = Callable[[Mapping[str, Any] | None], None]


class SpawnerDied(Exception):
    """The spawner ended before it answered."""


class SpawnerRefused(Exception):
    """The spawner could not do it."""


def reply_of(reply: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The reply. Raises SpawnerRefused where it is an error, SpawnerDied where there is none."""
    if reply is None:
        raise SpawnerDied("the spawner ended before it answered")
    if "error" in reply:
        raise SpawnerRefused(str(reply["error"]))
    return reply


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that a spawner was asked to start. `ending`: what its supervisor tells at its end, for `reply_of`."""

    link: SpawnerLink
    request_id: int
    ending: asyncio.Future[Mapping[str, Any] | None]

    async def stop(self) -> None:
        """Ask for its end; nothing happens to one that has ended. Raises SpawnerDied."""
        await self.link.request({"stop": self.request_id})


class SpawnerLink:
    """Starts the spawner when it is first needed. To be used from one event loop."""

    def __init__(
        self,
        log_path: Path,
        *,
        python: str = sys.executable,
        module: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """With a `module`, the spawner is a warm interpreter that has imported it, with just this `env`."""
        self._log_path = log_path
        self._python = python
        self._module = module
        self._env = env
        self.has_answered = False  # ever
        self._is_ready = False
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any] | None]] = {}
        self._tells: dict[int, Tell] = {}
        self._released: list[int] = []  # which the spawner has not been told of
        self._last_id = 0
        self._sending = asyncio.Lock()
        self.has_ended = asyncio.Event()  # set while no spawner runs
        self.has_ended.set()

    @property
    def pid(self) -> int | None:
        """The spawner that is running now, if one is."""
        return self._process.pid if self._process is not None and self._socket is not None else None

    @property
    def is_ready(self) -> bool:
        """Whether the spawner that runs now has answered."""
        return self._socket is not None and self._is_ready

    async def make_ready(self) -> None:
        """Returns when the spawner has answered. Raises SpawnerDied."""
        if not self.is_ready:
            await self.request({})

    async def request(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """The spawner's reply. Raises SpawnerDied or SpawnerRefused."""
        return reply_of(await (await self._send(message, b"")).ending)

    async def launch(self, path: str, launch: bytes) -> Begun:
        """Start an attempt; returns when that is asked for. `path`: where the launch is kept; with an empty `launch`
        it is there already. Raises SpawnerDied."""
        return await self._send({"launch": path}, b"\n" + launch if launch else b"")

    def launch_at_once(self, path: str, launch: bytes, tell: Tell) -> Begun | None:
        """As `launch`, where nothing has to be waited for; None: it was not asked for, and `launch` has to do it.

        `tell` is given what `ending` is, without the turn of the loop that a future's callbacks take.
        """
        if self._socket is None:
            return None
        self._last_id += 1
        head = {"launch": path, "id": self._last_id, "released": self._released[:_MOST_RELEASED]}
        try:
            self._socket.send(b"%b\n%b" % (json.dumps(head).encode(), launch))
        except OSError:
            return None
        del self._released[:_MOST_RELEASED]
        self._tells[self._last_id] = tell
        return self._begun(self._last_id)

    def release(self, begun: Begun) -> None:
        """The end of this attempt is on disk without the spawner's care for it."""
        self._released.append(begun.request_id)

    def _begun(self, request_id: int) -> Begun:
        answer: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        return Begun(self, request_id, answer)

    async def _send(self, message: Mapping[str, Any], rest: bytes) -> Begun:
        loop = asyncio.get_running_loop()
        async with self._sending:
            if self._socket is None:
                self._start(loop)
            assert self._socket is not None
            self._last_id += 1
            begun = self._begun(self._last_id)
            try:
                released, self._released = self._released[:_MOST_RELEASED], self._released[_MOST_RELEASED:]
                head = {**message, "id": begun.request_id, "released": released}
                await loop.sock_sendall(self._socket, json.dumps(head).encode() + rest)
            except OSError as error:
                self._waiting.pop(begun.request_id, None)
                self._hang_up()
                raise SpawnerDied(f"the spawner took no request: {error}") from error
        return begun

    @property
    def is_busy(self) -> bool:
        """Whether requests wait for their answers."""
        return bool(self._waiting)

    def hang_up(self) -> None:
        """Let go of the spawner, which ends when its last supervisor has; supervisors live on."""
        self._hang_up()

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < min(hard, _WANTED_FILES):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _WANTED_FILES), hard))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env=self._env
                    or {name: os.environ[name] for name in _OWN_VARIABLES if name in os.environ},
                    cwd="/",
                    start_new_session=True,
                )
                # Tasks get the limit that the server was started with, not the one it needs for itself.
                resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        self.has_ended.clear()
        self._socket = ours
        loop.add_reader(ours.fileno(), self._on_readable)

    def _command(self, descriptor: int) -> list[str]:
        arguments = [str(native.library_path()), str(descriptor)]
        if self._module is None:
            return [self._python, "-I", "-S", str(Path(__file__).with_name("spawner.py")), *arguments]
        script = Path(__file__).with_name("warm_spawner.py")
        # Not by its path, which would put a folder of ours where the task looks for its modules first.
        return [self._python, "-c", script.read_text(encoding="utf-8"), *arguments, self._module]

    def _on_readable(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._hang_up()
                return
            self.has_answered = self._is_ready = True
            reply: Mapping[str, Any] = json.loads(message)
            request_id = int(reply["id"])
            answer = self._waiting.pop(request_id, None)
            if answer is not None and not answer.done():
                answer.set_result(reply)
            tell = self._tells.pop(request_id, None)
            if tell is not None:
                tell(reply)

    def _hang_up(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self._is_ready = False
            self.has_ended.set()
        if self._process is not None:
            self._process.poll()  # one that has not ended yet is reaped by subprocess itself, later
            self._process = None
        self._released = []
        waiting, self._waiting = self._waiting, {}
        tells, self._tells = self._tells, {}
        for answer in waiting.values():
            if not answer.done():
                answer.set_result(None)
        for tell in tells.values():
            asyncio.get_running_loop().call_soon(tell, None)
