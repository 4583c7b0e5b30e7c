"""Streams of the changes of runs.

Invariants: over one watch, and over those resumed from its tokens, every change is told once, in the order of its
number; the stream ends by itself only when the run has ended and all has been told. A notification is a hint: without
any, the store is asked every few seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
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
_PAUSE_FOR_EACH_WATCHER_S = 0.002


class Watches:
    """The watches of one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: set[threading.Event] = set()
        self._is_closing = False

    def close(self) -> None:
        """Every watch ends with UNAVAILABLE: its caller goes on from the last token on another server."""
        self._is_closing = True
        with self._lock:
            bells = list(self._bells)
        for bell in bells:
            bell.set()

    def stream(self, query: WatchQuery, service: PipelineService, call: Call) -> Iterator[bytes]:
        """The WatchPipelineJobResponses. Errors: NotFound; Aborted where the run is another now; Unavailable."""
        bell = threading.Event()
        sequence = query.after_sequence
        found = service.changes(query.name, sequence, _CHANGES_AT_ONCE)
        run_id = _checked_run_id(query, found)
        remove = service.listen(run_id, bell.set)
        with self._lock:
            self._bells.add(bell)
        call.when_over(bell.set)
        try:
            # What was stored before the bell was hung up is not announced.
            found = service.changes(query.name, sequence, _CHANGES_AT_ONCE)
            while True:
                _checked_run_id(query, found, run_id)
                sequence = found.last_sequence
                is_last = found.run.state.is_terminal and not found.has_more
                yield self._response(found, service, is_last)
                if is_last:
                    return
                if not found.has_more:
                    self._await_changes(bell, query, service, sequence, call)
                    if not call.is_active():
                        return
                if self._is_closing:
                    raise Unavailable("the server is stopping; go on from the last resume_token")
                found = service.changes(query.name, sequence, _CHANGES_AT_ONCE)
        finally:
            remove()
            with self._lock:
                self._bells.discard(bell)

    def _await_changes(
        self, bell: threading.Event, query: WatchQuery, service: PipelineService, sequence: int, call: Call
    ) -> None:
        """Return when there is something to tell, a heartbeat is due, or nobody listens any more."""
        now = time.monotonic()
        heartbeat_at = now + query.heartbeat_s
        rested_at = now + max(_SHORTEST_PAUSE_S, len(self._bells) * _PAUSE_FOR_EACH_WATCHER_S)
        while not self._is_closing:
            left_s = min(heartbeat_at - time.monotonic(), _LONGEST_UNASKED_S)
            if left_s <= 0:
                return
            is_rung = bell.wait(left_s)
            if self._is_closing or not call.is_active():
                return
            if is_rung:
                rest_s = rested_at - time.monotonic()
                if rest_s > 0:
                    time.sleep(rest_s)
                bell.clear()
            if service.changes(query.name, sequence, 1).changes:
                return

    def _response(self, found: ChangeSlice, service: PipelineService, is_last: bool) -> bytes:
        run = found.run
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
            told = response.changes.add(
                sequence=change.sequence, task_id=change.task_id, attempt=change.attempt
            )
            set_time(told.update_time, change.at_ns)
            if not change.task_id:
                told.job_state = change.after  # type: ignore[assignment]
                continue
            told.task_unique_name = paths.get(change.task_id, "")
            if change.attempt:
                told.attempt_state = change.after  # type: ignore[assignment]
            else:
                told.task_state = change.after  # type: ignore[assignment]
        return response.SerializeToString()


def _checked_run_id(query: WatchQuery, found: ChangeSlice, run_id: int = 0) -> int:
    """The id of the run that is watched: one that was deleted and made again is another."""
    expected = run_id or query.run_id
    if expected and found.run.id != expected:
        raise Aborted(f"{query.name} is another run now; watch it from the beginning")
    return found.run.id
