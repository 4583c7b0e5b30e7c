"""The task records of one run in memory, and how decisions of the core change them.

Invariant: a record changes only along the moves of `domain.states`; what has changed since the last write is `dirty`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reprise.domain.run import AttemptRow, TaskRow
from reprise.domain.states import TaskState, move_task
from reprise.pb.engine.v1 import engine_pb2 as engine

# Looked up by number: calling an enum takes five times as long.
_STATES = {int(state): state for state in TaskState}
_ENDED = frozenset(int(state) for state in TaskState if state.is_terminal)


class BeforeStart(NamedTuple):
    """Of a record, what the start of an attempt changes."""

    task_id: int
    state: engine.State
    attempts: int
    started_ns: int
    changes: int


class RunRecords:
    def __init__(self, stored: Iterable[TaskRow]) -> None:
        self._records: dict[int, engine.TaskRecord] = {
            row.task_id: engine.TaskRecord.FromString(row.record) for row in stored
        }
        self._dirty: dict[int, None] = {}
        self._event_count = max((order for order, _ in self._told()), default=0)

    def __getitem__(self, task_id: int) -> engine.TaskRecord:
        return self._records[task_id]

    def is_ended(self, task_id: int) -> bool:
        return self._records[task_id].state in _ENDED

    def all_in_order(self) -> list[engine.TaskRecord]:
        return [self._records[task_id] for task_id in sorted(self._records)]

    def replayable(self) -> list[engine.LeafEnded]:
        """The events that the core was told before, in the order in which it was."""
        return [event for _, event in sorted(self._told(), key=lambda told: told[0])]

    def as_event(self, task_id: int) -> engine.LeafEnded:
        return _as_event(self._records[task_id])

    def times_sent_back(self) -> dict[int, int]:
        """How many launches of each task came to nothing because its inputs were lost."""
        return {
            record.task_id: len(record.lost_inputs) for record in self._records.values() if record.lost_inputs
        }

    def _told(self) -> Iterator[tuple[int, engine.LeafEnded]]:
        for record in self._records.values():
            for lost in record.lost_inputs:
                event = engine.LeafEnded(task_id=record.task_id, state=engine.PENDING, outputs=lost.inputs)
                yield lost.order, event
            if record.end_order:
                yield record.end_order, _as_event(record)

    def create(self, created: engine.NodeCreated, now_ns: int) -> None:
        task = created.task
        if task.task_id in self._records:
            return
        record = engine.TaskRecord()
        record.CopyFrom(task)
        record.created_ns = now_ns
        record.state = engine.PENDING
        self._records[task.task_id] = record
        self._touch(record, now_ns)

    def start_dag(self, task_id: int, started: engine.NodeStarted, now_ns: int) -> None:
        record = self._records[task_id]
        if record.state != engine.PENDING:
            return
        record.inputs.CopyFrom(started.inputs)
        record.verdict, record.reason = started.verdict, started.reason
        record.started_ns = now_ns
        self._move(record, engine.RUNNING, now_ns)

    def end_node(self, task_id: int, ended: engine.NodeEnded, now_ns: int) -> None:
        record = self._records[task_id]
        if self.is_ended(task_id):
            return
        if ended.verdict:
            record.verdict, record.reason = ended.verdict, ended.reason
            record.reason_field, record.caused_by = ended.reason_field, ended.caused_by
        for field in ("inputs", "outputs", "error", "source", "override_inputs", "candidate"):
            if ended.HasField(field):
                getattr(record, field).CopyFrom(getattr(ended, field))
        if ended.key:
            record.key, record.preimage = ended.key, ended.preimage
        record.is_left_out = ended.is_left_out
        record.ended_ns = now_ns
        self._move(record, ended.state, now_ns)

    def launch(self, launch: engine.Launch, now_ns: int) -> None:
        """Keep what was resolved for a leaf that will run; its state changes when its first attempt starts."""
        record = self._records[launch.task_id]
        if self.is_ended(launch.task_id):
            return
        record.inputs.CopyFrom(launch.inputs)
        record.key, record.preimage = launch.key, launch.preimage
        record.verdict, record.reason = launch.verdict, launch.reason
        record.reason_field, record.caused_by = launch.reason_field, launch.caused_by
        record.image = launch.image
        if launch.HasField("override_inputs"):
            record.override_inputs.CopyFrom(launch.override_inputs)
        if launch.HasField("candidate"):
            record.candidate.CopyFrom(launch.candidate)
        self._dirty[launch.task_id] = None

    def note_cache(self, task_id: int, use: engine.CacheUse, *, is_shown: bool) -> None:
        """`is_shown`: written with the next write, else with the next change of the task."""
        self._records[task_id].cache_use.CopyFrom(use)
        if is_shown:
            self._dirty[task_id] = None

    def start_attempts(self, starts: Iterable[AttemptRow], now_ns: int) -> list[tuple[TaskRow, BeforeStart]]:
        """Move the tasks of `starts` to RUNNING: the rows to write, each with what `take_back` needs."""
        moved = []
        for start in starts:
            task_id = start.task_id
            record = self._records[task_id]
            before = BeforeStart(
                task_id, record.state, record.attempts, record.started_ns, len(record.history)
            )
            record.attempts = start.number
            if not before.started_ns:
                record.started_ns = now_ns
            if before.state != engine.RUNNING:
                self._move(record, engine.RUNNING, now_ns)
            self._dirty.pop(task_id, None)
            moved.append((_as_row(record), before))
        return moved

    def take_back(self, earlier: Iterable[BeforeStart]) -> None:
        """The starts were refused: the records are again what they were before `start_attempts`."""
        for before in earlier:
            record = self._records[before.task_id]
            record.state, record.attempts = before.state, before.attempts
            record.started_ns = before.started_ns
            del record.history[before.changes :]
            self._dirty[before.task_id] = None

    def await_retry(self, task_id: int, failure: engine.Failure, now_ns: int) -> None:
        record = self._records[task_id]
        change = record.history.add(at_ns=now_ns, state=engine.FAILED)
        change.error.CopyFrom(failure)
        if record.state == engine.RUNNING:
            self._move(record, engine.PENDING, now_ns)

    def mark_cancelling(self, now_ns: int) -> None:
        for record in self._records.values():
            if record.state == engine.RUNNING and record.kind in (engine.CONTAINER, engine.IMPORTER):
                self._move(record, engine.CANCELLING, now_ns)

    def send_back(self, event: engine.LeafEnded) -> None:
        """A launched task has not started, for its inputs are lost: it waits until they are there again."""
        record = self._records[event.task_id]
        self._event_count += 1
        record.lost_inputs.add(order=self._event_count, inputs=event.outputs)
        self._dirty[event.task_id] = None

    def end_leaf(self, event: engine.LeafEnded, now_ns: int, kill_method: str = "") -> None:
        record = self._records[event.task_id]
        if event.HasField("outputs"):
            record.outputs.CopyFrom(event.outputs)
        if event.HasField("error"):
            record.error.CopyFrom(event.error)
        if event.HasField("source"):
            record.source.CopyFrom(event.source)
            record.verdict, record.reason = engine.REUSE, engine.CACHE_HIT
        if event.state == engine.NOT_TRIGGERED:
            record.verdict, record.reason = engine.VERDICT_NOT_TRIGGERED, engine.FAIL_FAST
        if event.state == engine.SUCCEEDED or record.attempts:
            record.ClearField("candidate")  # an earlier outcome stands in only for a task that never started
        self._event_count += 1
        record.end_order = self._event_count
        record.ended_ns = now_ns
        record.kill_method = kill_method
        self._move(record, event.state, now_ns)

    def take_dirty(self) -> list[TaskRow]:
        """The rows to write. They count as written: a write that fails ends this server's hold of the run."""
        rows = [_as_row(self._records[task_id]) for task_id in self._dirty]
        self._dirty.clear()
        return rows

    def _move(self, record: engine.TaskRecord, target: engine.State, now_ns: int) -> None:
        move_task(record.state, target)
        record.state = target
        self._touch(record, now_ns)

    def _touch(self, record: engine.TaskRecord, now_ns: int) -> None:
        state = record.state
        change = record.history.add(at_ns=now_ns, state=state)
        if state in _ENDED and record.HasField("error"):
            change.error.CopyFrom(record.error)
        self._dirty[record.task_id] = None


def _as_row(record: engine.TaskRecord) -> TaskRow:
    return TaskRow(record.task_id, record.path, _STATES[record.state], record.SerializeToString())


def _as_event(record: engine.TaskRecord) -> engine.LeafEnded:
    event = engine.LeafEnded(task_id=record.task_id, state=record.state)
    event.outputs.CopyFrom(record.outputs)
    if record.HasField("error"):
        event.error.CopyFrom(record.error)
    if record.HasField("source"):
        event.source.CopyFrom(record.source)
    return event
