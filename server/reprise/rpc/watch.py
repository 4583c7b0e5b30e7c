"""Streams of the changes of runs.

Invariants: over one watch, and over those resumed from its tokens, every change is told once, in the order of its
number; the stream ends by itself only when the run has ended and all has been told. A notification is a hint: without
any, the store is asked every few seconds.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.domain.errors import Aborted, Unavailable
from reprise.domain.run import ChangeSlice
from reprise.pb.v1 import watch_pb2
from reprise.rpc.call import Call
from reprise.rpc.encode import status
from reprise.rpc.requests import WatchQuery
from reprise.rpc.task_pages import paths_of
from reprise.rpc.times import set_time

if TYPE_CHECKING:
    from reprise.service import PipelineService

_CHANGES_AT_ONCE = 1000
_LONGEST_UNASKED_S = 5.0
# Changes of a busy run are told together: each watcher this often at most, more rarely the more there are, so that
# all of them together take no more than part of a processor.
_SHORTEST_PAUSE_S = 0.02
_PAUSE_FOR_EACH_WATCHER_S = 0.004
_BETWEEN_TURNS_S = 0.002
_MOST_KEPT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is told after one place: the same bytes to everybody who is there."""

    message: bytes
    last_sequence: int
    has_more: bool
    is_last: bool


class Watches:
    """The watches of one server. Those of one run that are at the same place share one reading of the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: dict[threading.Event, int] = {}  # of each watch, with its run
        self._closing = threading.Event()
        self._answers: OrderedDict[tuple[int, int], _Answer] = OrderedDict()
        self._kept_bytes = 0
        self._told_at: dict[int, float] = {}
        self._next_turn_at = 0.0
        self._reading: dict[int, threading.Lock] = {}

    def close(self) -> None:
        """Every watch ends with UNAVAILABLE: its caller goes on from the last token on another server."""
        self._closing.set()
        with self._lock:
            bells = list(self._bells)
        for bell in bells:
            bell.set()

    def stream(self, query: WatchQuery, service: PipelineService, call: Call) -> Iterator[bytes]:
        """The WatchPipelineJobResponses. Errors: NotFound; Aborted where the run is another now; Unavailable."""
        bell = threading.Event()
        phase = random.random()
        sequence = query.after_sequence
        self._await_turn()
        run_id = _checked_run_id(query, service.changes(query.name, sequence, 1))
        with self._lock:
            self._bells[bell] = run_id
        remove = service.listen(run_id, bell.set)
        call.when_over(bell.set)
        try:
            while True:
                answer = self._answer(query, service, run_id, sequence)
                sequence = answer.last_sequence
                self._await_turn()
                yield answer.message
                if answer.is_last:
                    return
                if not answer.has_more:
                    self._await_changes(bell, phase, query, service, run_id, sequence, call)
                if not call.is_active():
                    return
                if self._closing.is_set():
                    raise Unavailable("the server is stopping; go on from the last resume_token")
        finally:
            remove()
            with self._lock:
                del self._bells[bell]
                if run_id not in self._bells.values():
                    self._reading.pop(run_id, None)
                    self._told_at.pop(run_id, None)

    def _await_turn(self) -> None:
        """Answers of all watches go out one after the other: many that begin at once must not starve other calls."""
        with self._lock:
            now = time.monotonic()
            turn_at = max(now, self._next_turn_at)
            self._next_turn_at = turn_at + _BETWEEN_TURNS_S
        if turn_at > now:
            self._closing.wait(turn_at - now)

    def _await_changes(
        self,
        bell: threading.Event,
        phase: float,
        query: WatchQuery,
        service: PipelineService,
        run_id: int,
        sequence: int,
        call: Call,
    ) -> None:
        """Return when there is something to tell, a heartbeat is due, or nobody listens any more."""
        heartbeat_at = time.monotonic() + query.heartbeat_s
        while True:
            # However often the run changes: it is read again after a pause, and those who watch it are told one after
            # the other over such a time, or all of them together would keep other calls waiting.
            pause_s = max(_SHORTEST_PAUSE_S, len(self._bells) * _PAUSE_FOR_EACH_WATCHER_S)
            told_at = self._told_at.get(run_id, 0.0)
            if (run_id, sequence) not in self._answers:
                self._closing.wait(max(0.0, told_at + pause_s * (1 + phase) - time.monotonic()))
            bell.clear()
            # Asked after the bell is quiet: what comes later rings again.
            if (run_id, sequence) in self._answers or service.changes(query.name, sequence, 1).changes:
                return
            left_s = min(heartbeat_at - time.monotonic(), _LONGEST_UNASKED_S)
            if left_s <= 0:
                return
            if bell.wait(left_s):
                self._closing.wait(phase * pause_s)
            if self._closing.is_set() or not call.is_active():
                return

    def _answer(self, query: WatchQuery, service: PipelineService, run_id: int, sequence: int) -> _Answer:
        """What follows a place: read from the store, or what another watch was told there.

        However long ago that was: so watches of one run go from place to place together.
        """
        with self._lock:
            reading = self._reading.setdefault(run_id, threading.Lock())
        with reading:
            known = self._answers.get((run_id, sequence))
            if known is not None:
                return known
            found = service.changes(query.name, sequence, _CHANGES_AT_ONCE)
            _checked_run_id(query, found, run_id)
            answer = _answer_of(found, service)
            if found.changes:
                self._keep(run_id, sequence, answer)
        return answer

    def _keep(self, run_id: int, sequence: int, answer: _Answer) -> None:
        with self._lock:
            self._answers[run_id, sequence] = answer
            self._told_at[run_id] = time.monotonic()
            self._kept_bytes += len(answer.message)
            while self._kept_bytes > _MOST_KEPT_BYTES:
                _, dropped = self._answers.popitem(last=False)
                self._kept_bytes -= len(dropped.message)


def _answer_of(found: ChangeSlice, service: PipelineService) -> _Answer:
    run = found.run
    is_last = run.state.is_terminal and not found.has_more
    response = watch_pb2.WatchPipelineJobResponse(
        resume_token=f"{run.id}.{found.last_sequence}",
        state=int(run.state),  # type: ignore[arg-type]  # the numbers are the wire's
        is_last=is_last,
    )
    if run.error is not None:
        response.error.CopyFrom(status(run.error))
    task_ids = {change.task_id for change in found.changes if change.task_id}
    paths = paths_of(run.name, task_ids, service.tasks) if task_ids else {}
    for change in found.changes:
        told = response.changes.add(sequence=change.sequence, task_id=change.task_id, attempt=change.attempt)
        set_time(told.update_time, change.at_ns)
        if not change.task_id:
            told.job_state = change.after  # type: ignore[assignment]
            continue
        told.task_unique_name = paths.get(change.task_id, "")
        if change.attempt:
            told.attempt_state = change.after  # type: ignore[assignment]
        else:
            told.task_state = change.after  # type: ignore[assignment]
    return _Answer(response.SerializeToString(), found.last_sequence, found.has_more, is_last)


def _checked_run_id(query: WatchQuery, found: ChangeSlice, run_id: int = 0) -> int:
    """The id of the run that is watched: one that was deleted and made again is another."""
    expected = run_id or query.run_id
    if expected and found.run.id != expected:
        raise Aborted(f"{query.name} is another run now; watch it from the beginning")
    return found.run.id
