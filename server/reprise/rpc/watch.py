"""Streams of the changes of runs.

Invariants: over one watch, and over those resumed from its tokens, every change is told once, in the order of its
number; the stream ends by itself only when the run has ended and all has been told. A notification is a hint: without
any, the store is asked every few seconds. No watch holds a thread while there is nothing to tell: one thread goes
round, and a reader who is slow holds one only for as long as a message to it is under way.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from reprise.domain.errors import Unavailable
from reprise.rpc.call import Call
from reprise.rpc.pulled_stream import PulledStream
from reprise.rpc.requests import WatchQuery
from reprise.rpc.waiting_room import Threads
from reprise.rpc.watch_answers import WatchAnswers, id_of

if TYPE_CHECKING:
    from reprise.service import PipelineService

_LONGEST_UNASKED_S = 5.0
# The changes of a busy run are told together: each watch this often at most, more rarely the more there are, so that
# all of them together take no more than part of a processor.
_SHORTEST_PAUSE_S = 0.02
_PAUSE_FOR_EACH_WATCH_S = 0.004
# A reader who takes no message within this is left to a thread of its own, and the next one has its turn.
_LONGEST_TURN_S = 0.02
# Between two turns other calls get the interpreter: for as long as the turn took, so that a busy machine slows down
# those who watch, not those who ask.
_SHORTEST_GAP_S = 0.001
_LONGEST_GAP_S = 0.02
_MOST_SLOW_READERS = 600
_STOPPING = "the server is stopping; go on from the last resume_token"

_log = logging.getLogger("reprise.rpc")


class Outlet(Protocol):
    """Where the answers of one watch go. Neither method raises, whatever has become of the reader."""

    def send(self, message: bytes) -> None:
        """Returns when the next one may be sent."""
        ...

    def end(self, error: Exception | None) -> None: ...


@dataclass(slots=True, eq=False)
class _Watch:
    """`run` is None until the store has been asked for it. `due_at`: infinity while a message is under way."""

    query: WatchQuery
    service: PipelineService
    call: Call
    outlet: Outlet
    sequence: int
    heartbeat_at: float
    due_at: float = 0.0
    run: _WatchedRun | None = None
    is_over: bool = False


@dataclass(slots=True, eq=False)
class _WatchedRun:
    """`known_sequence`: of the last change that has been seen. `round_at`: when its watches have their turns."""

    id: int
    known_sequence: int = 0
    told_at: float = 0.0
    round_at: float = 0.0
    watches: set[_Watch] = field(default_factory=set)
    remove_listener: Callable[[], None] = lambda: None


class Watches:
    """The watches of one server."""

    def __init__(self) -> None:
        self._answers = WatchAnswers()
        self._lock = threading.Condition()
        self._runs: dict[int, _WatchedRun] = {}
        self._all: set[_Watch] = set()
        # Watches, and rounds of runs. An entry whose time is not that of its owner any more is passed over.
        self._due: list[tuple[float, int, _Watch | _WatchedRun]] = []
        self._order = itertools.count()
        self._senders = Threads(_MOST_SLOW_READERS)
        self._teller: threading.Thread | None = None
        self._is_closing = False

    def close(self) -> None:
        """Every watch ends with UNAVAILABLE: its caller goes on from the last token on another server."""
        with self._lock:
            if self._is_closing:
                return
            self._is_closing = True
            idle = [watch for watch in self._all if watch.due_at != _UNDER_WAY]
            self._lock.notify_all()
        for watch in idle:
            self._finish(watch, Unavailable(_STOPPING))
        if self._teller is not None:
            self._teller.join()
        self._senders.shutdown(wait=False)

    def begin(self, query: WatchQuery, service: PipelineService, call: Call, outlet: Outlet) -> None:
        """Tell `outlet` what there is and what comes, until it is all told or the caller has gone. Returns at once.

        It ends with NotFound; with Aborted where the run is another now; with Unavailable.
        """
        now = time.monotonic()
        watch = _Watch(query, service, call, outlet, query.after_sequence, now)
        with self._lock:
            is_closing = self._is_closing
            if not is_closing:
                self._all.add(watch)
                self._schedule(watch, now)
                if self._teller is None:
                    self._teller = threading.Thread(target=self._tell, name="reprise-watches", daemon=True)
                    self._teller.start()
        if is_closing:
            outlet.end(Unavailable(_STOPPING))
            return
        call.when_over(lambda: self._forget(watch))

    def pull(self, query: WatchQuery, service: PipelineService, call: Call) -> Iterator[bytes]:
        """The same answers, for a thread that waits for each."""
        pulled = PulledStream(call.is_active)
        self.begin(query, service, call, pulled)
        return pulled.messages()

    def _schedule(self, owner: _Watch | _WatchedRun, at: float) -> None:
        """With the lock held."""
        if isinstance(owner, _Watch):
            owner.due_at = at
        else:
            owner.round_at = at
        heapq.heappush(self._due, (at, next(self._order), owner))
        if self._due[0][2] is owner:
            self._lock.notify_all()

    def _ring(self, run: _WatchedRun) -> None:
        """The run has changed: it has a round soon, if it has not been given one already."""
        with self._lock:
            if self._is_closing:
                return
            pause_s = max(_SHORTEST_PAUSE_S, len(run.watches) * _PAUSE_FOR_EACH_WATCH_S)
            at = max(time.monotonic(), run.told_at + pause_s)
            if at < run.round_at:
                self._schedule(run, at)

    def _tell(self) -> None:
        """Give everybody a turn when it is due, one after the other."""
        while True:
            with self._lock:
                owner = self._next_due()
            if owner is None:
                return
            try:
                if isinstance(owner, _Watch):
                    self._turn(owner)
                else:
                    self._round(owner)
            except Exception:
                _log.exception("a watch was not told")

    def _next_due(self) -> _Watch | _WatchedRun | None:
        """With the lock held. Waits; None: the server closes."""
        while not self._is_closing:
            if not self._due:
                self._lock.wait()
                continue
            at, _, owner = self._due[0]
            wait_s = at - time.monotonic()
            if wait_s > 0:
                self._lock.wait(wait_s)
                continue
            heapq.heappop(self._due)
            if isinstance(owner, _Watch):
                if owner.due_at == at and not owner.is_over:
                    owner.due_at = _UNDER_WAY
                    return owner
            elif owner.round_at == at and owner.watches:
                return owner
        return None

    def _round(self, run: _WatchedRun) -> None:
        """See whether the run has something to tell; if so, those who have heard all so far have their turns."""
        now = time.monotonic()
        with self._lock:
            # What comes from here on rings again; without a ring the store is asked after a while.
            run.told_at = now
            self._schedule(run, now + _LONGEST_UNASKED_S)
            one = next(iter(run.watches), None)
        if one is None:
            return
        try:
            answer = self._answers.after(one.service, one.query.name, run.id, run.known_sequence)
            if not answer.is_news:
                return
            last_sequence = answer.last_sequence
        except Exception:
            last_sequence = 0  # each of them finds out for itself, and ends with it
        with self._lock:
            # Those whose message is under way see by this that there is more.
            run.known_sequence = max(run.known_sequence, last_sequence)
            for watch in run.watches:
                if now < watch.due_at < _UNDER_WAY:
                    self._schedule(watch, now)

    def _turn(self, watch: _Watch) -> None:
        begun = time.monotonic()
        wait([self._senders.submit(self._advance, watch)], _LONGEST_TURN_S)
        took_s = time.monotonic() - begun
        time.sleep(min(max(took_s, _SHORTEST_GAP_S), _LONGEST_GAP_S))

    def _advance(self, watch: _Watch) -> None:
        """Tell one watch what it has not heard. Never twice at once for one watch."""
        try:
            if watch.is_over or not watch.call.is_active():
                self._forget(watch)
                return
            is_first = watch.run is None
            run = self._run_of(watch)
            answer = self._answers.after(watch.service, watch.query.name, run.id, watch.sequence)
            if is_first or answer.is_news or time.monotonic() >= watch.heartbeat_at:
                watch.sequence = answer.last_sequence
                watch.outlet.send(answer.message)
                watch.heartbeat_at = time.monotonic() + watch.query.heartbeat_s
                if answer.is_last:
                    self._finish(watch, None)
                    return
        except Exception as error:
            self._finish(watch, error)
            return
        with self._lock:
            is_closing = self._is_closing
            if not is_closing:
                # Who is told first what nobody knew looks whether more follows: the answer may be one that is kept.
                has_next = answer.has_more or watch.sequence != run.known_sequence
                run.known_sequence = max(run.known_sequence, watch.sequence)
                self._schedule(watch, time.monotonic() if has_next else watch.heartbeat_at)
        if is_closing:
            self._finish(watch, Unavailable(_STOPPING))

    def _run_of(self, watch: _Watch) -> _WatchedRun:
        if watch.run is not None:
            return watch.run
        run_id = id_of(watch.service, watch.query.name, watch.query.run_id)
        with self._lock:
            run = self._runs.get(run_id)
            if run is None:
                # Before anything is read: what comes after the reading rings.
                new = run = self._runs[run_id] = _WatchedRun(run_id)
                new.remove_listener = watch.service.listen(run_id, lambda: self._ring(new))
                self._schedule(new, time.monotonic() + _LONGEST_UNASKED_S)
            watch.run = run
            run.watches.add(watch)
            is_over = watch.is_over
        if is_over:
            self._forget(watch)
        return run

    def _finish(self, watch: _Watch, error: Exception | None) -> None:
        self._forget(watch)
        watch.outlet.end(error)

    def _forget(self, watch: _Watch) -> None:
        with self._lock:
            watch.is_over = True
            self._all.discard(watch)
            run = watch.run
            if run is None:
                return
            run.watches.discard(watch)
            is_last = not run.watches and self._runs.get(run.id) is run
            if is_last:
                del self._runs[run.id]
                self._answers.forget(run.id)
        if is_last:
            run.remove_listener()


_UNDER_WAY = float("inf")
