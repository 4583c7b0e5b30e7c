"""The typed face of the Rust core: plan a request, drive a run, render a launch.

Invariant: the only importer of `reprise._core`, beside the digests of `artifact` and what stores rows of tasks. The
same request and the same events in the same order give the same decisions and task ids, so a run can be taken up again
by feeding its recorded ends to a new machine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reprise import _core
from reprise.domain.run import AttemptRow, DetailsPart, TaskRow
from reprise.domain.states import TASK_MOVES_BY_NUMBER
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.task_rows import TaskRows

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pieces:
    """A request whose large parts stay the bytes that they are: nothing copies, parses or writes them in Python.

    `request` has neither its spec nor its original's records, or `spec` and `records` are empty. `cache`:
    engine.RunRequests that hold more of the request's `cache`, and of which nothing else is read.
    """

    request: engine.RunRequest
    spec: bytes = b""
    records: bytes = b""
    cache: Sequence[bytes] = ()


def plan(request: engine.RunRequest) -> engine.PlanResult:
    """What a run of `request` would do. Whatever is wrong with the request is in `problems`; never raised."""
    return engine.PlanResult.FromString(_core.plan(request.SerializeToString()))


@dataclass(frozen=True, slots=True)
class PlanParts:
    """A plan whose tasks stay bytes, however many they are.

    `head` is the PlanResult without tasks. `counts_wire` and `tasks_wire` are entries of PlanRerunResponse as the
    public API has them; `ends` says where each task ends. `cache_keys`: what the cross-run cache may be asked, 32 bytes
    for each.
    `unchecked`: URIs of artifacts that are reused although nobody could look at them.
    """

    head: engine.PlanResult
    counts_wire: bytes
    tasks_wire: bytes
    ends: memoryview[int]
    cache_keys: bytes
    unchecked: Sequence[str]

    def cache_keys_at_once(self, most: int) -> Iterator[list[bytes]]:
        """The keys, so many at a time."""
        keys = self.cache_keys
        for first in range(0, len(keys), most * _KEY_BYTES):
            last = min(first + most * _KEY_BYTES, len(keys))
            yield [keys[start : start + _KEY_BYTES] for start in range(first, last, _KEY_BYTES)]

    def tasks(self, start: int, end: int) -> bytes:
        """The tasks from `start` to before `end`, both within their number."""
        first = self.ends[start - 1] if start else 0
        return self.tasks_wire[first : self.ends[end - 1]] if end > start else b""


def plan_in_parts(asked: Pieces) -> PlanParts:
    """As `plan`, for an answer that is sent in parts."""
    request = asked.request.SerializeToString()
    return _in_parts(_core.plan_in_parts(request, asked.spec, asked.records, list(asked.cache)))


def in_parts(plan: engine.PlanResult) -> PlanParts:
    """A plan that was made before."""
    return _in_parts(_core.plan_pages(plan.SerializeToString()))


def _in_parts(pages: tuple[bytes, bytes, bytes, bytes, bytes, list[str]]) -> PlanParts:
    head, counts, tasks, ends, keys, unchecked = pages
    return PlanParts(
        head=engine.PlanResult.FromString(head),
        counts_wire=counts,
        tasks_wire=tasks,
        ends=memoryview(ends).cast("Q"),
        cache_keys=keys,
        unchecked=unchecked,
    )


def etag(asked: Pieces) -> str:
    """What `digest` of a plan of `asked` would be, in hex, without making the plan."""
    return _core.etag(asked.request.SerializeToString(), asked.spec, asked.records).hex()


def struct_digest(data: bytes) -> bytes:
    """Of a google.protobuf.Struct, in whatever order its maps were written. The interpreter is free to go on meanwhile.

    b"" where it has no canonical form: the bytes are no Struct, or hold what JSON does not have.
    """
    return _core.struct_digest(data)


class Outline(NamedTuple):
    """Of a compiled pipeline. `is_whole_job`: the pipeline is its `pipelineSpec`, as older compilers write it."""

    declared_tasks: int
    default_root: str
    is_whole_job: bool


def outline(spec: bytes) -> Outline:
    """Of a compiled pipeline, a google.protobuf.Struct. The interpreter is free to go on meanwhile.

    Errors: ValueError for bytes that are no such message.
    """
    return Outline(*_core.outline(spec))


def is_plain(data: bytes, deepest: int) -> bool:
    """Whether every client can read these bytes back as a google.protobuf.Struct: at most `deepest` levels of lists and
    structs, all numbers finite, all strings UTF-8, nothing else in it. The interpreter is free to go on meanwhile.
    """
    return _core.is_plain(data, deepest)


def recorded_artifacts(records: bytes, at_once: int) -> Iterator[list[tuple[str, str, str]]]:
    """(URI, digest, fingerprint) of the artifacts in engine.TaskRecords, some at a time, none of them empty.

    Errors: ValueError for bytes that are no such message.
    """
    start = 0
    while start < len(records):
        found, start = _core.recorded_artifacts(records, start, at_once)
        if found:
            yield found


def with_presence(records: bytes, presences: bytes) -> tuple[bytes, bytes]:
    """The records with an engine.Presence for each of those artifacts; and the records that lost some of theirs."""
    return _core.with_presence(records, presences)


def replaced_records(records: bytes, others: bytes) -> bytes:
    """engine.TaskRecords in which others stand in the place of those with their ids."""
    return _core.replaced_records(records, others)


def check(request: engine.RunRequest, *, wants_digest: bool = False) -> engine.PlanResult:
    """What `plan` says but for `tasks`, and for `digest` unless wanted: whether a run can be made.

    Cheaper than `plan`, and for a rerun that changes nothing and has no configs independent of the number of tasks.
    """
    return engine.PlanResult.FromString(_core.check(request.SerializeToString(), wants_digest))


def differences(old: bytes, new: bytes) -> engine.KeyDifferences:
    """The fields in which two preimages of keys differ, and both values, in the order of the fields."""
    return engine.KeyDifferences.FromString(_core.explain(old, new))


def find_task(records: bytes, task: str) -> engine.TaskRecord | None:
    """The task with this path or id in engine.TaskRecords. Errors: ValueError for bytes that are no such message."""
    found = _core.find_task(records, task)
    return None if found is None else engine.TaskRecord.FromString(found)


def same_task(records: bytes, task_id: int, others: bytes) -> engine.TaskRecord | None:
    """What is in `others` what task `task_id` is in `records`; iterations are the same by their items.

    Errors: ValueError for bytes that are no engine.TaskRecords.
    """
    found = _core.same_task(records, task_id, others)
    return None if found is None else engine.TaskRecord.FromString(found)


@dataclass(frozen=True, slots=True)
class CompiledRun:
    """The parts of an engine.CompiledRun."""

    graph: bytes
    labels: bytes


def compile_run(asked: Pieces) -> CompiledRun | None:
    """What the original in `asked`, the request of a rerun that asks for nothing, leaves for its reruns.

    None where only the general planner can plan them.
    """
    compiled = _core.compile(asked.request.SerializeToString(), asked.spec, asked.records)
    return CompiledRun(*compiled) if compiled else None


def plan_unchanged(graph: bytes, labels: bytes, asked: engine.RunRequest) -> bytes:
    """The engine.UnchangedPlan of a rerun: what `plan` decides, for a request without spec and records.

    `graph` and `labels` are of the original's compiled run; the labels may be b"" where no config names a task by more
    than its id. Where the plan takes more than that, `refusal` says so, and `plan` has to be asked.
    """
    return _core.plan_unchanged(graph, labels, asked.SerializeToString())


ReadSpec = _core.Spec
"""A compiled pipeline that has been read and checked. Made of its bytes; raises ValueError if anything is wrong."""


class RunMachine:
    """The state machine of one run, with the records of its tasks. Safe to call from any thread; calls are taken one
    after the other. Times are given, in nanoseconds since the epoch.

    Invariant: a record changes only along the moves of `domain.states`, and is in step with what the machine has said.
    """

    def __init__(self, asked: Pieces, stored: Sequence[bytes] = (), spec: ReadSpec | None = None) -> None:
        """`stored`: the engine.TaskRecords that an earlier server has left. `spec`: that of `asked`, read before.

        Errors: ValueError if anything is wrong with the request, which `plan` would have told, or with the records."""
        request = asked.request.SerializeToString()
        self._run = _core.Run(request, asked.spec, asked.records, stored, TASK_MOVES_BY_NUMBER, spec)

    def advance(self, events: engine.Events) -> engine.Decisions:
        """What follows from these events, past the records; the first call starts the run, with whatever events.

        An end of a task that was not launched, or has ended before, changes nothing. After `cancel` nothing is
        launched any more.
        """
        return engine.Decisions.FromString(self._run.advance(events.SerializeToString()))

    def begin(self, now_ns: int) -> engine.Decisions:
        """Start the run, or take it up again where the stored records left it. Gives, as `tell` does, what is still to
        be done: the launches, and the end of the run."""
        return engine.Decisions.FromString(self._run.begin(now_ns))

    def tell(
        self,
        ended: Sequence[tuple[engine.LeafEnded, str]],
        succeeded: Sequence[tuple[int, str]],
        now_ns: int,
        *,
        cancel: bool = False,
    ) -> engine.Decisions:
        """What follows from these ends of leaves, each with how its processes were killed.

        `succeeded`: the ids of those that have left nothing, told after the others. PENDING is the state of one that
        has not started, for its inputs are lost. Errors: ValueError for what does not fit the run."""
        told = [(event.SerializeToString(), kill_method) for event, kill_method in ended]
        return engine.Decisions.FromString(self._run.tell(told, succeeded, cancel, now_ns))

    @property
    def has_failed(self) -> bool:
        """Whether a task has failed."""
        return self._run.has_failed()

    def record(self, task_id: int) -> engine.TaskRecord:
        return engine.TaskRecord.FromString(self._run.record(task_id))

    def all_records(self) -> bytes:
        """engine.TaskRecords, in the order of their ids."""
        return self._run.all_records()

    def any_running(self) -> str | None:
        """The path of a task that is RUNNING."""
        return self._run.any_running()

    def note_cache(self, task_id: int, use: engine.CacheUse, *, is_shown: bool) -> None:
        """`is_shown`: stored with the next write, else with the next change of the task."""
        self._run.note_cache(task_id, use.SerializeToString(), is_shown)

    def start_attempts(self, starts: Sequence[AttemptRow], now_ns: int) -> Sequence[TaskRow]:
        """Move the tasks of `starts` to RUNNING: the rows to store with them, or else to `take_back`."""
        if not starts:
            return ()
        rows = self._run.start_attempts([(start.task_id, start.number) for start in starts], now_ns)
        return TaskRows(rows)

    def take_back(self, task_ids: Collection[int] | None = None) -> None:
        """Of the last starts these were refused, or all: their records are again what they were before."""
        self._run.take_back(None if task_ids is None else set(task_ids))

    def await_retry(self, task_id: int, failure: engine.Failure, now_ns: int) -> None:
        """An attempt has failed so, and the task will be tried again."""
        self._run.await_retry(task_id, failure.SerializeToString(), now_ns)

    def take_dirty(self) -> Sequence[TaskRow]:
        """The rows to store. They count as stored: a write that fails ends this server's hold of the run."""
        return TaskRows(self._run.take_dirty())


class Renderer:
    """Renders the launches of one run, whose settings it holds."""

    def __init__(self, settings: engine.RunSettings) -> None:
        self._renderer = _core.Renderer(settings.SerializeToString())

    def render(
        self, attempts: Sequence[tuple[bytes, str, str]], staged: Mapping[str, str]
    ) -> list[engine.Rendered]:
        """The command line, files and executor input of each attempt, in their order.

        Each is an engine.Launch, what the URIs of its outputs begin with, and the local view of that. `staged`: the
        path on this host of input artifacts, by URI. Unresolvable placeholders are in `problems`.
        """
        return list(map(engine.Rendered.FromString, self._renderer.render(attempts, list(staged.items()))))


def job_detail_in_parts(
    records: bytes, outputs: bytes, run_name: str, run_id: int, tasks_in_a_part: int
) -> tuple[DetailsPart, ...]:
    """The fields of the public API's PipelineJobDetail, encoded, from engine.TaskRecords and engine.Values.

    In parts of so many tasks, at least one; the last has what the run as a whole gave. Equal records give equal bytes.
    Errors: ValueError for bytes that are no such messages.
    """
    parts = _core.job_detail_in_parts(records, outputs, run_name, run_id, tasks_in_a_part)
    return tuple(DetailsPart(first_task_id, detail) for first_task_id, detail in parts)
