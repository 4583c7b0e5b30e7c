"""What is told to those who watch a run: read and encoded once for all that are at the same place.

Invariant: over the answers that follow each other every change is told once, in the order of its number.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reprise.domain.errors import Aborted
from reprise.domain.names import RunName
from reprise.domain.run import ChangeSlice
from reprise.pb.v1 import watch_pb2
from reprise.rpc.encode import status
from reprise.rpc.task_pages import paths_of
from reprise.rpc.times import set_time

if TYPE_CHECKING:
    from reprise.service import PipelineService

_CHANGES_AT_ONCE = 1000
_MOST_KEPT_BYTES = 8 * 1024 * 1024
_BEYOND_ALL = 2**62


@dataclass(frozen=True, slots=True)
class WatchAnswer:
    """What is told after one place. `is_news`: it has changes; without any it only says that somebody is here."""

    message: bytes
    last_sequence: int
    is_news: bool
    has_more: bool
    is_last: bool


class WatchAnswers:
    """The answers of one server, as far as they are kept. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], WatchAnswer] = OrderedDict()
        self._kept_bytes = 0
        self._reading: dict[int, threading.Lock] = {}

    def after(self, service: PipelineService, name: RunName, run_id: int, sequence: int) -> WatchAnswer:
        """What follows a place: read from the store, or what somebody else was told there, however long ago.

        So watches of one run go from place to place together. Errors: NotFound; Aborted where the name is another
        run's now.
        """
        with self._lock:
            reading = self._reading.setdefault(run_id, threading.Lock())
        with reading:
            known = self._kept.get((run_id, sequence))
            if known is not None:
                return known
            found = service.changes(name, sequence, _CHANGES_AT_ONCE)
            check_same_run(name, found.run.id, run_id)
            answer = _answer_of(found, service)
            if answer.is_news:
                self._keep(run_id, sequence, answer)
        return answer

    def forget(self, run_id: int) -> None:
        """Nobody watches this run any more. What is kept of it stays until its room is wanted."""
        with self._lock:
            self._reading.pop(run_id, None)

    def _keep(self, run_id: int, sequence: int, answer: WatchAnswer) -> None:
        with self._lock:
            self._kept[run_id, sequence] = answer
            self._kept_bytes += len(answer.message)
            while self._kept_bytes > _MOST_KEPT_BYTES:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped.message)


def id_of(service: PipelineService, name: RunName, expected_id: int) -> int:
    """The run's id; `expected_id` 0: whichever it is. Errors: NotFound; Aborted where it is another run now."""
    found = service.changes(name, _BEYOND_ALL, 1).run.id
    check_same_run(name, found, expected_id or found)
    return found


def check_same_run(name: RunName, run_id: int, expected_id: int) -> None:
    """Errors: Aborted for a run that was deleted and made again."""
    if run_id != expected_id:
        raise Aborted(f"{name} is another run now; watch it from the beginning")


def _answer_of(found: ChangeSlice, service: PipelineService) -> WatchAnswer:
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
    return WatchAnswer(
        response.SerializeToString(), found.last_sequence, bool(found.changes), found.has_more, is_last
    )
