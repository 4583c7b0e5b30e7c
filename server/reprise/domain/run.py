"""The values that pass between the layers: a run, what was asked for, a page of runs, an operation.

Invariant: values are frozen; those that are made for every task are named tuples, which take a fifth of the time.
Bytes named `*_wire` or `spec` are protobuf of the public API that no layer but `rpc` looks into; bytes named
`record(s)` are reprise.engine.v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from reprise.domain.cache import CacheRow, Lead
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.states import AttemptState, RunState


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` is a google.rpc.Code."""

    code: int
    message: str


class FailurePolicy(IntEnum):
    FAIL_SLOW = 1
    FAIL_FAST = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One PipelineJob. Times are nanoseconds since the epoch, 0: not yet."""

    id: int
    name: RunName
    display_name: str
    state: RunState
    pipeline_name: str
    labels: Mapping[str, str]
    header_wire: bytes  # PipelineJob fields that never change, without spec and task details
    spec_digest: bytes
    created_ns: int
    updated_ns: int
    started_ns: int = 0
    ended_ns: int = 0
    error: Failure | None = None
    original_id: int = 0
    original_name: str = ""
    template_uri: str = ""
    schedule_name: str = ""
    fence: int = 0
    owner: str = ""
    warnings: Sequence[str] = ()
    # What has been made of this value, so that it is made once; no part of the value, and no copy takes it along.
    made: dict[str, bytes] = field(init=False, default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be stored; its id is given by the store, which also sees that the name is new."""

    name: RunName
    display_name: str
    pipeline_name: str
    labels: Mapping[str, str]
    header_wire: bytes
    spec: bytes
    request: bytes  # engine.RunRequest without `spec` and `original.spec`/`original.records` (kept once, by digest)
    created_ns: int
    original: OriginalRef | None = None
    template_uri: str = ""
    schedule_name: str = ""
    warnings: Sequence[str] = ()
    # Folders below the data directory that go with the last run that refers to them; "{run_id}" becomes the id.
    files: Sequence[str] = ("runs/{run_id}",)
    # Runs, beside the original, whose outcomes the plan reuses: their folders are referred to as well.
    reuses: Sequence[int] = ()
    # `spec` is empty and means that of the original, which is bound with it.
    is_spec_of_original: bool = False


@dataclass(frozen=True, slots=True)
class OriginalRef:
    """The original of a rerun: bound in the transaction that stores the rerun."""

    run_id: int
    name: str


@dataclass(frozen=True, slots=True)
class OriginalRun:
    """What a rerun needs of its original.

    Where the original ended before anything started, `records` are those of the run it was itself a rerun of:
    `records_run_id` and `records_run_name` say whose they are.
    """

    run: Run
    spec: bytes
    request: bytes
    records: bytes
    records_run_id: int = 0
    records_run_name: str = ""
    records_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class CompiledOriginal:
    """What a rerun that changes no spec needs of its original: no bytes that grow with it but the compiled graph."""

    run: Run
    request: bytes
    records_digest: bytes
    graph: bytes


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run with what is recorded of its tasks: `records` are engine.TaskRecords. `original_*`: what it holds itself of
    its original, kept by digest; where that ended before anything started, the records are those of an ancestor."""

    run: Run
    records: bytes
    original_spec_digest: bytes | None
    original_records_digest: bytes | None
    original_records_name: str


class Party(StrEnum):
    """Under which service name a call came in: the payloads of its operation carry that package's type URLs."""

    REPRISE = "reprise.v1"
    VERTEX_V1 = "google.cloud.aiplatform.v1"
    VERTEX_V1BETA1 = "google.cloud.aiplatform.v1beta1"


class OperationKind(StrEnum):
    DELETE = "delete"
    BATCH_DELETE = "batch_delete"
    BATCH_CANCEL = "batch_cancel"


@dataclass(frozen=True, slots=True)
class OperationTarget:
    """What became of one name of a batch. `outcome`: pending, cancelled, already_ended, deleted."""

    name: str
    run_id: int
    outcome: str
    state: RunState | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    name: OperationName
    kind: OperationKind
    party: Party
    is_done: bool
    created_ns: int
    updated_ns: int
    targets: Sequence[OperationTarget]
    runs: Sequence[Run] = ()  # what a finished batch cancel answers with, in the order asked
    error: Failure | None = None


class TaskRow(NamedTuple):
    """A task as the store keeps it: `record` is an engine.TaskRecord."""

    task_id: int
    path: str
    state: int  # a number of TaskState: to make an enum of it takes longer than all the rest
    record: bytes


class AttemptRow(NamedTuple):
    """One execution of a task. `handle` is the executor's own, enough to find the process again after a restart."""

    task_id: int
    number: int  # from 1
    state: AttemptState
    executor: str
    handle: bytes
    started_ns: int
    ended_ns: int = 0
    is_counted: bool = True  # False: lost or never begun, so it uses up none of the user's retries
    exit: bytes = b""  # JSON of the spooled exit


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """Names one attempt; its folder below the data dir is runs/<run_id>/<task_id>/<number>."""

    run_id: int
    task_id: int
    number: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class DetailsPart:
    """Some of the tasks of a finished run, as Get shows them: those from `first_task_id` to the next part's."""

    first_task_id: int
    wire: bytes


@dataclass(frozen=True, slots=True)
class DetailsParts:
    """The tasks of a long run that has ended: bytes that are read part by part while an answer is put together, so
    that no more than one part lies in memory beside it.

    `read` gives `length` bytes in all. Errors of `read`: NotFound where the run has been deleted meanwhile.
    """

    length: int
    read: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with what Get shows of its tasks: of a finished run `details_wire` (of a long one `details_parts`), of
    one that is not `tasks`.
    """

    run: Run
    spec: bytes
    tasks: Sequence[TaskRow] = ()
    details_wire: bytes | None = None
    details_parts: DetailsParts | None = None


@dataclass(frozen=True, slots=True)
class TaskSlice:
    """Some tasks of a run, in the order of their ids: rows while it goes on, `details_wire` once it has ended.

    `details_wire` may begin with tasks that were not asked for. `next_task_id`: where the next slice begins at the
    earliest; 0: there is none.
    """

    run: Run
    rows: Sequence[TaskRow] = ()
    details_wire: bytes = b""
    next_task_id: int = 0


@dataclass(frozen=True, slots=True)
class StateChange:
    """The `sequence`-th change of a state in its run. Task 0 is the run, attempt 0 the task itself."""

    sequence: int
    at_ns: int
    task_id: int
    attempt: int
    after: int


@dataclass(frozen=True, slots=True)
class ChangeSlice:
    """The changes after some place, with the run as it was when they were read.

    `last_sequence`: of the last change here, or the place itself; `has_more`: whether others follow by now.
    """

    run: Run
    changes: Sequence[StateChange]
    last_sequence: int
    has_more: bool


@dataclass(frozen=True, slots=True)
class RunPage:
    runs: Sequence[Run]
    next_token: str


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that this server now owns, with all that is needed to go on with it."""

    run: Run
    spec: bytes
    request: bytes
    original_records: bytes
    tasks: Sequence[TaskRow]
    attempts: Sequence[AttemptRow]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a run: its state, and the records that outlive its rows."""

    state: RunState
    error: Failure | None
    records: bytes
    details_wire: bytes
    details_parts: Sequence[DetailsPart] = ()  # those of a long run; `details_wire` is empty then


@dataclass(frozen=True, slots=True)
class Progress:
    """What the scheduler writes in one transaction, under its fence.

    `starts` are refused, all of them, when the run is being cancelled (the second look before a start).
    """

    run_id: int
    fence: int
    now_ns: int
    tasks: Sequence[TaskRow] = ()
    starts: Sequence[AttemptRow] = ()
    starting: Sequence[TaskRow] = ()  # the tasks of `starts`, RUNNING: written if and only if the starts are
    attempts: Sequence[AttemptRow] = ()
    state: RunState | None = None  # PENDING -> RUNNING; ends go by `finish`
    finish: Finish | None = None
    cache: Sequence[CacheRow] = ()
    # Of tasks in `starts` that the cache concerns, by id: those held back by it are not started.
    leads: Mapping[int, Lead] = field(default_factory=dict)
    ended_leads: Sequence[
        int
    ] = ()  # tasks that have ended, and may have led: equal tasks need not wait any more
    error: Failure | None = None  # shown while the run cannot end
    # Runs whose outcomes these rows reuse (cache hits): their folders are referred to from now on.
    # NotFound, and nothing is written, when one of them has been deleted.
    reuses: Sequence[int] = ()
    is_urgent: bool = False  # goes through on a full disk too: the run is being cancelled


@dataclass(frozen=True, slots=True)
class ProgressResult:
    state: RunState
    were_starts_refused: bool = False
    held_back: frozenset[int] = frozenset()  # tasks not started, for another run has or makes their outcome


@dataclass(frozen=True, slots=True)
class ListQuery:
    parent: Parent
    filter: str = ""
    order_by: str = ""
    page_size: int = 100
    page_token: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
