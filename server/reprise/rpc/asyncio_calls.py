"""Calls that hold a thread for long, for a host's asyncio server: the same synchronous handlers, each step of them in
a thread of the waiting room.

Invariant: nothing here blocks the host's event loop, and none of it takes a thread of the host's own pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from reprise.rpc.call import Call
from reprise.rpc.waiting_room import WaitingRoom

Handler = Callable[[bytes, Call], Any]
MakeCall = Callable[[Any], Call]
Trailers = Callable[[Exception], tuple[Any, str, Any]]


class _Presence:
    """Whether somebody still waits for an answer."""

    def __init__(self, context: Any) -> None:
        self._over = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        context.add_done_callback(self._end)

    def of(self, call: Call) -> Call:
        return call._replace(is_active=self._is_active, when_over=self._callbacks.append)

    def _is_active(self) -> bool:
        return not self._over.is_set()

    def _end(self, _context: Any) -> None:
        self._over.set()
        for callback in list(self._callbacks):
            callback()


class _Pieces:
    """An iterator that is advanced and closed by different threads, one at a time."""

    def __init__(self, begin: Callable[[], Iterator[bytes]]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._pieces: Any = None

    def step(self) -> bytes | None:
        with self._lock:
            if self._pieces is None:
                self._pieces = self._begin()
            return next(self._pieces, None)

    def close(self) -> None:
        with self._lock:
            if self._pieces is not None:
                self._pieces.close()


def waiting_coroutine(
    handler: Handler, make_call: MakeCall, waiting: WaitingRoom, trailers: Trailers
) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def answer(data: bytes, context: Any) -> bytes:
        call = _Presence(context).of(make_call(context))
        try:
            with waiting.seat():
                loop = asyncio.get_running_loop()
                found: bytes = await loop.run_in_executor(waiting.pool, handler, data, call)
                return found
        except Exception as error:
            await _abort(context, trailers(error))
            raise AssertionError("abort raises") from error

    return answer


def streaming_coroutine(
    handler: Handler, make_call: MakeCall, waiting: WaitingRoom, trailers: Trailers
) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
    async def answer(data: bytes, context: Any) -> AsyncIterator[bytes]:
        call = _Presence(context).of(make_call(context))
        pieces = _Pieces(lambda: handler(data, call))
        loop = asyncio.get_running_loop()
        try:
            with waiting.seat():
                while (piece := await loop.run_in_executor(waiting.pool, pieces.step)) is not None:
                    yield piece
        except Exception as error:
            await _abort(context, trailers(error))
        finally:
            # Not awaited: the caller may have gone while a step is still waiting, which notices by itself.
            waiting.pool.submit(pieces.close)

    return answer


class _AsyncioOutlet:
    """The answers of one stream, written on the host's loop for a thread that waits until they are."""

    def __init__(self, context: Any, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        self._context = context
        self._loop = loop
        self._is_active = call.is_active
        self.ended: asyncio.Future[Exception | None] = loop.create_future()

    def send(self, message: bytes) -> None:
        if not self._is_active():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._context.write(message), self._loop).result()
        except Exception:  # the caller has gone, or the host's loop has
            return

    def end(self, error: Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the host's loop has ended
            self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(error)


def telling_coroutine(
    handler: Callable[[bytes, Call, Any], None], make_call: MakeCall, waiting: WaitingRoom, trailers: Trailers
) -> Callable[[bytes, Any], Awaitable[None]]:
    async def answer(data: bytes, context: Any) -> None:
        call = _Presence(context).of(make_call(context))
        loop = asyncio.get_running_loop()
        outlet = _AsyncioOutlet(context, loop, call)
        try:
            with waiting.seat():
                await loop.run_in_executor(waiting.pool, handler, data, call, outlet)
                error = await outlet.ended
        except Exception as raised:
            error = raised
        if error is not None:
            await _abort(context, trailers(error))

    return answer


async def _abort(context: Any, failure: tuple[Any, str, Any]) -> None:
    code, message, trailing = failure
    context.set_trailing_metadata(trailing)
    await context.abort(code, message)
