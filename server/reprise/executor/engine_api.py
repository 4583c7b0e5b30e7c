"""The Docker Engine API over its unix socket, as Docker and Podman speak it.

Invariant: an answer is whole, or EngineUnreachable is raised: then nobody knows whether the engine has done it.

A client of its own, since all that is needed is HTTP/1.1 with one request a connection. `http.client` would block a
thread for each container that is waited for or whose log is followed, and the asynchronous libraries bring a pool, TLS
and redirects, none of which a unix socket has.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

# What this client was written for; an engine that speaks less is spoken to in its own version.
_NEWEST_VERSION = (1, 47)
_CONNECT_S = 10.0
ANSWER_S = 120.0  # the longest that an ordinary request may take: a busy engine, a slow disk
_HEAD_BYTES = 64 * 1024
_ANSWER_BYTES = 64 * 1024 * 1024


class EngineUnreachable(Exception):
    """The container engine does not answer."""


class EngineRefused(Exception):
    """The container engine has answered with an error; `status` is that of HTTP, the text is the engine's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    headers: Mapping[str, str]


class EngineApi:
    """One engine. To be used from one event loop; holds no connection between calls."""

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path
        self._version = ""

    async def version(self) -> Mapping[str, Any]:
        """Name and version of the engine."""
        return dict(await self.call("GET", "/version"))

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        within_s: float | None = ANSWER_S,
    ) -> Any:
        """The answer's JSON; None where it is empty. Raises EngineUnreachable, EngineRefused."""
        try:
            async with asyncio.timeout(within_s), self._answered(method, path, query, body) as chunks:
                content = b""
                async for chunk in chunks:
                    content += chunk
                    if len(content) > _ANSWER_BYTES:
                        raise EngineUnreachable(f"{method} {path}: the answer is too large")
        except TimeoutError as error:
            raise EngineUnreachable(f"{method} {path}: no answer within {within_s} s") from error
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except ValueError:
            # A stream of messages, one a line.
            return [json.loads(line) for line in content.splitlines() if line.strip()]

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, query: Mapping[str, str] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body as it comes. Raises EngineUnreachable, also where the body ends too early."""
        async with self._answered(method, path, query, None) as chunks:
            yield chunks

    @asynccontextmanager
    async def _answered(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        if not self._version:
            self._version = await self._negotiated()
        async with self._exchange(method, self._version + path, query, body) as (head, chunks):
            if head.status >= 400:
                content = b"".join([chunk async for chunk in chunks])
                raise EngineRefused(head.status, _message_of(head.status, content))
            yield chunks

    async def _negotiated(self) -> str:
        """The prefix of the version that both speak."""
        try:
            async with asyncio.timeout(ANSWER_S), self._exchange("GET", "/_ping", None, None) as (head, _):
                said = head.headers.get("api-version", "")
        except TimeoutError as error:
            raise EngineUnreachable(f"{self.socket_path}: no answer within {ANSWER_S} s") from error
        parts = said.split(".")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise EngineUnreachable(f"what answers at {self.socket_path} is no container engine")
        major, minor = min((int(parts[0]), int(parts[1])), _NEWEST_VERSION)
        return f"/v{major}.{minor}"

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object | None
    ) -> AsyncIterator[tuple[_Head, AsyncIterator[bytes]]]:
        target = quote(path, safe="/:@.") + (f"?{urlencode(query)}" if query else "")
        content = b"" if body is None else json.dumps(body).encode()
        request = f"{method} {target} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
        if body is not None or method == "POST":
            request += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            async with asyncio.timeout(_CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(self.socket_path, limit=_HEAD_BYTES)
        except (OSError, TimeoutError) as error:
            raise EngineUnreachable(
                f"no container engine answers at {self.socket_path}: {_words(error)}"
            ) from error
        try:
            writer.write(request.encode("ascii") + b"\r\n" + content)
            await writer.drain()
            head = await _read_head(reader)
            yield head, _read_body(reader, head)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise EngineUnreachable(f"{method} {path}: the connection broke: {_words(error)}") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_head(reader: asyncio.StreamReader) -> _Head:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return _Head(int(lines[0].split(" ")[1]), headers)


async def _read_body(reader: asyncio.StreamReader, head: _Head) -> AsyncIterator[bytes]:
    """Raises EOFError where it ends before its end."""
    if head.status in (204, 304):
        return
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            while size > 0:
                chunk = await reader.read(min(size, 1 << 16))
                if not chunk:
                    raise EOFError("it ended within a chunk")
                size -= len(chunk)
                yield chunk
            await reader.readexactly(2)
        return
    left = int(head.headers["content-length"]) if "content-length" in head.headers else None
    while left is None or left > 0:
        chunk = await reader.read(1 << 16 if left is None else min(left, 1 << 16))
        if not chunk:
            if left is None:
                return
            raise EOFError("it is shorter than it says")
        left = None if left is None else left - len(chunk)
        yield chunk


def _message_of(status: int, content: bytes) -> str:
    """The engine's own words."""
    try:
        message = json.loads(content)["message"]
    except (ValueError, KeyError, TypeError):
        message = content.decode(errors="replace").strip()
    return str(message) or f"HTTP status {status}"


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def default_socket(environ: Mapping[str, str] = os.environ) -> Path:
    """Where an engine listens on this host: DOCKER_HOST, else the first of the usual places that is there."""
    named = environ.get("DOCKER_HOST", "")
    if named.startswith("unix://"):
        return Path(named.removeprefix("unix://"))
    usual = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if environ.get("XDG_RUNTIME_DIR"):
        usual.append(Path(environ["XDG_RUNTIME_DIR"]) / "podman" / "podman.sock")
    return next((place for place in usual if place.exists()), usual[0])
