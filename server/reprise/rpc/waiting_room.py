"""Threads for calls that hold one for long (watches, followed logs, waits): their own, so that however many there are
they cannot starve the others.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from reprise.domain.errors import ResourceExhausted

P = ParamSpec("P")
T = TypeVar("T")

# Threads beyond the limit, which only say that the limit is reached.
_SPARE_THREADS = 4


class WaitingRoom:
    """`limit` seats. A thread is made when it is first needed."""

    def __init__(self, limit: int) -> None:
        self.pool = Threads(limit + _SPARE_THREADS)
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> Callable[[], None]:
        """Take a seat; gives what leaves it, once however often it is called.

        Errors: ResourceExhausted when all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise ResourceExhausted(f"{self._limit} calls are waiting, watching or following a log already")
        taken = [self._free]

        def leave() -> None:
            try:
                seat = taken.pop()
            except IndexError:
                return
            seat.release()

        return leave

    @contextmanager
    def seat(self) -> Iterator[None]:
        """As `take`, left at the end."""
        leave = self.take()
        try:
            yield
        finally:
            leave()


class _Work:
    __slots__ = ("future", "work")

    def __init__(self, future: Future[Any], work: Callable[[], Any]) -> None:
        self.future = future
        self.work = work

    def do(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as error:
            self.future.set_exception(error)


class Threads(ThreadPoolExecutor):
    """As a ThreadPoolExecutor, but that `submit` never waits until a thread has started.

    gRPC submits from the one thread that takes in every call: 500 streams that begin at once would hold it for seconds.
    It takes nothing but a ThreadPoolExecutor; of that, only the face is used.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._most = most
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._wanted = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._idle_count = 0
        self._started: list[threading.Thread] = []
        self._maker: threading.Thread | None = None
        self._is_closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the waiting room is closed")
            self._queue.put(_Work(future, lambda: fn(*args, **kwargs)))
            self._idle_count -= 1
            if self._idle_count < 0 and len(self._started) < self._most:
                self._wanted.release()
                if self._maker is None:
                    self._maker = threading.Thread(target=self._make, name="reprise-waiting", daemon=True)
                    self._maker.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """What was submitted is still done, unless it is to be cancelled."""
        with self._lock:
            self._is_closed = True
            if cancel_futures:
                while not self._queue.empty():
                    work = self._queue.get()
                    if work is not None:
                        work.future.cancel()
            self._wanted.release()
        if self._maker is not None:
            self._maker.join()
        for _ in self._started:
            self._queue.put(None)
        if wait:
            for thread in self._started:
                thread.join()

    def _make(self) -> None:
        """Make threads as they are wanted, the last one when the room is closed."""
        while True:
            self._wanted.acquire()
            with self._lock:
                is_enough = self._idle_count >= 0 or len(self._started) >= self._most
                if is_enough and self._is_closed:
                    return
                if is_enough:
                    continue
                self._idle_count += 1
                name = f"reprise-waiting-{len(self._started)}"
                thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._started.append(thread)
                if self._is_closed:
                    self._wanted.release()
            thread.start()

    def _serve(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            work.do()
            del work
            with self._lock:
                self._idle_count += 1
