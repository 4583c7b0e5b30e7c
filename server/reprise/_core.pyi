"""The Rust core: a pure function of its bytes. Only reprise.plan imports it."""

from collections.abc import Iterator, Sequence
from typing import Any

def plan(request: bytes) -> bytes:
    """engine.RunRequest to engine.PlanResult. What is wrong with the request is told inside, never raised."""

def check(request: bytes, wants_digest: bool) -> bytes:
    """The same without `tasks`, and without `digest` unless wanted; reads little where a rerun changes nothing."""

def etag(request: bytes, spec: bytes | None = None, records: bytes | None = None) -> bytes:
    """engine.RunRequest to the digest of all that its plan depends on, without planning; b"" for other bytes.

    Here and below: `spec` and `records` are those of the request and of its original, where they are not inside it.
    """

def struct_digest(data: bytes) -> bytes:
    """A google.protobuf.Struct to the SHA-256 of its canonical text (sorted keys); b"" where it has none."""

def outline(spec: bytes) -> tuple[int, str, bool]:
    """A compiled pipeline (google.protobuf.Struct) to its declared tasks, its `defaultPipelineRoot`, whether it is a
    whole PipelineJob around a `pipelineSpec`. Errors: ValueError for bytes that are no Struct.
    """

def is_plain(data: bytes, deepest: int) -> bool:
    """Whether every client can read these bytes back as a google.protobuf.Struct: at most `deepest` levels, all numbers
    finite, all strings UTF-8.
    """

def explain(old: bytes, new: bytes) -> bytes:
    """Two preimages of keys to engine.KeyDifferences: the fields in which they differ, with both values."""

def find_task(records: bytes, task: str) -> bytes | None:
    """The engine.TaskRecord, in engine.TaskRecords, of the task with this path or decimal id.

    Errors: ValueError if the bytes are no such message.
    """

def same_task(records: bytes, task_id: int, others: bytes) -> bytes | None:
    """The record in `others` of what is task `task_id` in `records`: by names, iterations by their items.

    Errors: ValueError if the bytes are no engine.TaskRecords.
    """

def plan_pages(result: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes, list[str]]:
    """engine.PlanResult in the parts that are answered with, as core_rs/src/plan_pages.rs has them.

    The result without tasks; entries of PlanRerunResponse.counts; entries of its `tasks`; where each of those ends, as
    native 64 bit integers; the 32 byte keys under which the cross-run cache may answer; URIs of artifacts that are
    reused although nobody could look at them. Errors: ValueError.
    """

def plan_in_parts(
    request: bytes, spec: bytes, records: bytes, cache: list[bytes]
) -> tuple[bytes, bytes, bytes, bytes, bytes, list[str]]:
    """The plan of an engine.RunRequest in the parts of `plan_pages`.

    `cache`: engine.RunRequests that hold more of the request's `cache`, and nothing else.
    """

def recorded_artifacts(records: bytes, start: int, most: int) -> tuple[list[tuple[str, str, str]], int]:
    """Artifacts of engine.TaskRecords from a byte on, about `most`: (URI, digest, fingerprint); and where to go on.

    Those of a task come before those of its candidate. Errors: ValueError.
    """

def with_presence(records: bytes, presences: bytes) -> tuple[bytes, bytes]:
    """The records with one engine.Presence for each of those artifacts; and the records among them that lost some.

    Errors: ValueError, also for another number of artifacts.
    """

def replaced_records(records: bytes, others: bytes) -> bytes:
    """engine.TaskRecords in which others stand in the place of those with their ids. Errors: ValueError."""

def compile(
    request: bytes, spec: bytes | None = None, records: bytes | None = None
) -> tuple[bytes, bytes] | None:
    """engine.RunRequest of a rerun that asks for nothing to graph and labels of its original's engine.CompiledRun."""

def plan_unchanged(graph: bytes, labels: bytes, asked: bytes) -> bytes:
    """The parts of an engine.CompiledRun and an engine.RunRequest to engine.UnchangedPlan; raises for no bytes."""

def are_artifacts_unchanged(labels: bytes, plan: bytes, all: bool) -> bool:
    """Whether the artifacts that an engine.UnchangedPlan rests on are local and as they were; ValueError: no labels."""

def render(launch: bytes, context: bytes) -> bytes:
    """engine.Launch and engine.RenderContext to engine.Rendered; ValueError if the bytes are no such messages."""

def job_detail_in_parts(
    records: bytes, outputs: bytes, run_name: str, run_id: int, tasks_in_a_part: int
) -> list[tuple[int, bytes]]:
    """engine.TaskRecords and engine.Values to the fields of the public API's PipelineJobDetail, in parts of so many
    tasks, at least one: the id of each one's first task, and its bytes.

    Errors: ValueError if the bytes are no such messages.
    """

class Renderer:
    """Renders the launches of one run."""

    def __new__(cls, settings: bytes) -> Renderer:
        """Of the run with these engine.RunSettings; ValueError if the bytes are no such message."""

    def render(
        self, attempts: Sequence[tuple[bytes, str, str]], staged: Sequence[tuple[str, str]]
    ) -> list[bytes]:
        """engine.Launch with outputs_uri and outputs_dir of engine.RenderContext, and pairs of its local_paths for all,
        to engine.Rendered, in their order.

        Errors: ValueError if the bytes are no such messages.
        """

_Row = tuple[int, str, int, bytes]
_Attempt = tuple[int, int, int, str, bytes, int, int, bool, bytes]
_Segment = tuple[int, int, bytes, bytes, bytes, bytes]

class TaskRows:
    """Rows of tasks (task id, path, state, record), each made when it is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int) -> _Row:
        """From 0. Errors: IndexError."""

    def __iter__(self) -> Iterator[_Row]: ...

class TaskRules:
    """The moves that tasks may make."""

    def __new__(cls, moves: Sequence[tuple[int, int]]) -> TaskRules: ...

class Unknown:
    """What is not in the rows of segments: attempts (task, number), whose states, and tasks, whose paths are needed."""

    @property
    def attempts(self) -> list[tuple[int, int]]: ...
    @property
    def paths(self) -> list[int]: ...

class TaskWrite:
    """What one write of a run says of its tasks and their attempts.

    Errors of the methods: RuntimeError for segments that are not as they were written."""

    def __new__(
        cls,
        tasks: Sequence[TaskRows | Sequence[_Row]],
        attempts: Sequence[_Attempt],
        starts: Sequence[_Attempt],
        fence: int,
    ) -> TaskWrite:
        """Rows of tasks, group after group; after them attempts (task, number, state, executor, handle, started_ns,
        ended_ns, is_counted, exit) that were started before, and after these those that begin.

        Errors: TypeError, ValueError and OverflowError for other values."""

    def segments(self) -> list[int]:
        """The numbers of the segments that it concerns, sorted."""

    def rows(
        self,
        rules: TaskRules,
        run_id: int,
        segments: Sequence[_Segment],
        found: tuple[Sequence[tuple[int, int, int]], Sequence[tuple[int, str]]] | None = None,
    ) -> tuple[list[Any], list[Any], list[Any], list[Any], str, int] | Unknown:
        """New segments, changed ones, entries of tasks, entries of attempts, each as its statement takes it; what has
        changed, as items of a JSON list, and how many these are. `segments`: the rows that there are.

        Unknown, where more has to be looked up: asked again with what there is of it, attempts (task, number, state)
        and (task, path), it answers. Errors: ValueError, in words for the caller, where a rule speaks against it."""

class Spec:
    """A compiled pipeline that has been read and checked, for any number of runs."""

    def __new__(cls, spec: bytes) -> Spec:
        """Of a google.protobuf.Struct; ValueError, with all that is wrong with it."""

class Run:
    """The deterministic state machine of one run, and the records of its tasks. Atomic; safe from any thread.

    Errors of every method: ValueError for bytes that are not what they should be, and for what does not fit the run.
    """

    def __new__(
        cls,
        request: bytes,
        spec: bytes | None = None,
        records: bytes | None = None,
        stored: Sequence[bytes] = [],
        moves: Sequence[tuple[int, int]] = [],
        read_spec: Spec | None = None,
    ) -> Run:
        """The machine of an engine.RunRequest; its engine.TaskRecords as stored; the allowed moves of their states.

        With a `read_spec` no other spec is looked at."""

    def advance(self, events: bytes) -> bytes:
        """engine.Events to engine.Decisions, past the records; the first call starts the run."""

    def begin(self, now_ns: int) -> bytes:
        """Start the run or take it up again, to the engine.Decisions that are still to be acted upon."""

    def tell(
        self,
        ended: Sequence[tuple[bytes, str]],
        succeeded: Sequence[tuple[int, str]],
        cancel: bool,
        now_ns: int,
    ) -> bytes:
        """engine.LeafEnded, and ids of leaves that left nothing, each with how it was killed, to engine.Decisions."""

    def has_failed(self) -> bool: ...
    def any_running(self) -> str | None: ...
    def record(self, task_id: int) -> bytes: ...
    def all_records(self) -> bytes:
        """engine.TaskRecords."""

    def note_cache(self, task_id: int, cache_use: bytes, is_shown: bool) -> None: ...
    def start_attempts(self, starts: Sequence[tuple[int, int]], now_ns: int) -> TaskRows:
        """(task, number) of attempts to the rows of their tasks."""

    def take_back(self, task_ids: set[int] | None) -> None: ...
    def await_retry(self, task_id: int, failure: bytes, now_ns: int) -> None: ...
    def take_dirty(self) -> TaskRows: ...

def digest_paths(paths: list[str]) -> list[tuple[str, str] | None]:
    """Per path (file or folder): (digest, fingerprint) of its content; None where nothing is there.

    Errors: OSError.
    """

def fingerprint_paths(paths: list[str]) -> list[str | None]:
    """Per path: a mark that changes when it is written to; None where nothing is there. Errors: OSError."""
