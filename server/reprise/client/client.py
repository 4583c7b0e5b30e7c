"""The Python client: one method for each thing the server does.

Invariants: a call either gives its answer or raises a CallError. What makes a run carries a request id, so it
can be repeated after a lost answer without making a second one. Calls are repeated while the server is away
for less than `outage_s`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import grpc
from google.longrunning import operations_proto_pb2 as operations
from google.protobuf import duration_pb2, empty_pb2
from google.protobuf.message import Message

from reprise.client.errors import CallError, UnavailableError, from_rpc_error
from reprise.client.plan import Plan
from reprise.pb.v1 import cache_pb2 as cache
from reprise.pb.v1 import explain_pb2 as explain
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from reprise.pb.v1 import watch_pb2 as watching

DEFAULT_SERVER = "127.0.0.1:50051"
DEFAULT_PROJECT = "default"
DEFAULT_LOCATION = "local"

ENDED = frozenset(
    {states.PIPELINE_STATE_SUCCEEDED, states.PIPELINE_STATE_FAILED, states.PIPELINE_STATE_CANCELLED}
)
# What one looks at while a run goes on: all but the spec and what was given at the start.
_PROGRESS = (
    "name",
    "display_name",
    "state",
    "error",
    "create_time",
    "start_time",
    "end_time",
    "update_time",
    "job_detail",
)
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_CALL_S = 60.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PLAN_PIECE = 5_000  # tasks in a message of a plan
_Answer = TypeVar("_Answer", bound=Message)


class Client:
    """A connection to one server, for one project and location. Safe to use from several threads."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        project: str = DEFAULT_PROJECT,
        location: str = DEFAULT_LOCATION,
        *,
        channel: grpc.Channel | None = None,
        outage_s: float = 2.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`channel`: one that the caller owns, e.g. with TLS; else a plaintext one to `server`."""
        self.server = server
        self.parent = f"projects/{project}/locations/{location}"
        self._outage_s = outage_s
        self._sleep = sleep
        self._owned = grpc.insecure_channel(server, options=_OPTIONS) if channel is None else None
        self._channel = channel if channel is not None else self._owned

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._owned is not None:
            self._owned.close()

    def run_name(self, run: str) -> str:
        """The full resource name of a run that is given by its id or its full name."""
        return run if "/" in run else f"{self.parent}/pipelineJobs/{run}"

    def create(self, request: service.CreatePipelineJobRequest) -> jobs.PipelineJob:
        """Store a run and start it; durable when this returns. The parent and a request id are filled in."""
        request.parent = request.parent or self.parent
        request.request_id = request.request_id or str(uuid.uuid4())
        return self._call("CreatePipelineJob", request, jobs.PipelineJob)

    def get(self, run: str, fields: Sequence[str] = ()) -> jobs.PipelineJob:
        """The run with its tasks; only `fields` of it where given."""
        request = service.GetPipelineJobRequest(name=self.run_name(run))
        request.read_mask.paths.extend(fields)
        return self._call("GetPipelineJob", request, jobs.PipelineJob)

    def list(
        self, filter: str = "", order_by: str = "", limit: int | None = None, fields: Sequence[str] = ()
    ) -> Iterator[jobs.PipelineJob]:
        """Runs of the parent, newest first unless ordered otherwise; pages are fetched as they are needed."""
        request = service.ListPipelineJobsRequest(parent=self.parent, filter=filter, order_by=order_by)
        request.read_mask.paths.extend(fields)
        left = limit
        while left is None or left > 0:
            request.page_size = 100 if left is None else min(left, 100)
            page = self._call("ListPipelineJobs", request, service.ListPipelineJobsResponse)
            yield from page.pipeline_jobs
            left = None if left is None else left - len(page.pipeline_jobs)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def rerun(self, request: reruns.RerunPipelineJobRequest) -> jobs.PipelineJob:
        """Make a new run from one that has ended. A request id is filled in."""
        request.request_id = request.request_id or str(uuid.uuid4())
        return self._call("RerunPipelineJob", request, jobs.PipelineJob)

    def plan(self, request: reruns.RerunPipelineJobRequest) -> Plan:
        """What `rerun` with this request would do, whole. Nothing is stored."""
        pieces = self.plan_pieces(request)
        head = next(pieces)
        tasks = [task for piece in pieces for task in piece.tasks]
        return Plan(head.etag, head.pipeline_name, tuple(head.counts), tuple(head.warnings), tasks)

    def plan_pieces(self, request: reruns.RerunPipelineJobRequest) -> Iterator[reruns.PlanRerunResponse]:
        """The same as it comes: first all but the tasks, then the tasks, some thousands at a time."""
        plan = reruns.PlanRerunRequest(rerun=request, page_size=_PLAN_PIECE)
        return self._stream("StreamPlanRerun", plan, reruns.PlanRerunResponse)

    def explain(self, run: str, task: str, against: str = "") -> explain.ExplainTaskResponse:
        """Why a task ran again or did not, and why the cache did not answer. `task`: a path or an id.

        `against`: a run to compare with; else the original, or without one the cache.
        """
        request = explain.ExplainTaskRequest(
            name=self.run_name(run), task=task, against=self.run_name(against) if against else ""
        )
        return self._call("ExplainTask", request, explain.ExplainTaskResponse)

    def cache_entries(
        self, pipeline_name: str = "", task: str = "", older_than_s: float = 0.0, limit: int | None = None
    ) -> Iterator[cache.CacheEntry]:
        """What the cross-run cache of the project keeps, by pipeline and task; pages are fetched as needed."""
        request = cache.ListCacheEntriesRequest(parent=self.parent, pipeline_name=pipeline_name, task=task)
        _set_duration(request.older_than, older_than_s)
        left = limit
        while left is None or left > 0:
            request.page_size = 1000 if left is None else min(left, 1000)
            page = self._call("ListCacheEntries", request, cache.ListCacheEntriesResponse)
            yield from page.cache_entries
            left = None if left is None else left - len(page.cache_entries)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def drop_cache(
        self, pipeline_name: str = "", task: str = "", older_than_s: float = 0.0, *, is_all: bool = False
    ) -> int:
        """Forget outcomes, so that they answer no task any more; gives their number.

        `is_all`: of every pipeline of the project; else `pipeline_name` is needed.
        """
        request = cache.DropCacheEntriesRequest(
            parent=self.parent, pipeline_name=pipeline_name, task=task, all=is_all
        )
        _set_duration(request.older_than, older_than_s)
        return self._call("DropCacheEntries", request, cache.DropCacheEntriesResponse).dropped_count

    def cancel(self, run: str) -> None:
        """Once this returns, no task of the run starts any more."""
        self._call(
            "CancelPipelineJob", service.CancelPipelineJobRequest(name=self.run_name(run)), empty_pb2.Empty
        )

    def batch_cancel(self, runs: Sequence[str]) -> operations.Operation:
        """Cancel all of the runs or none; the operation is done when each has ended."""
        request = service.BatchCancelPipelineJobsRequest(
            parent=self.parent, names=[self.run_name(run) for run in runs]
        )
        return self._call("BatchCancelPipelineJobs", request, operations.Operation)

    def delete(self, run: str) -> operations.Operation:
        """Delete a run that has ended."""
        request = service.DeletePipelineJobRequest(name=self.run_name(run))
        return self._call("DeletePipelineJob", request, operations.Operation)

    def batch_delete(self, runs: Sequence[str]) -> operations.Operation:
        """Delete all of the runs, each of which has ended, or none."""
        request = service.BatchDeletePipelineJobsRequest(
            parent=self.parent, names=[self.run_name(run) for run in runs]
        )
        return self._call("BatchDeletePipelineJobs", request, operations.Operation)

    def get_operation(self, name: str) -> operations.Operation:
        return self._operation("GetOperation", operations.GetOperationRequest(name=name), _CALL_S)

    def wait_operation(self, name: str, timeout_s: float) -> operations.Operation:
        """The operation when it is done, or as it is after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(0.0, min(deadline - time.monotonic(), 30.0))
            request = operations.WaitOperationRequest(name=name)
            request.timeout.SetInParent()
            _set_duration(request.timeout, left_s)
            operation = self._operation("WaitOperation", request, left_s + _CALL_S)
            if operation.done or time.monotonic() >= deadline:
                return operation

    def watch(
        self,
        run: str,
        timeout_s: float | None = None,
        outage_s: float = 60.0,
        fields: Sequence[str] = _PROGRESS,
    ) -> Iterator[jobs.PipelineJob]:
        """The run, or these fields of it and its state, at once and whenever they have changed, until it has ended.

        Goes on over an outage of the server that is shorter than `outage_s`. Errors: TimeoutError.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        request = service.GetPipelineJobRequest(name=self.run_name(run))
        request.read_mask.paths.extend({*fields, "state"})
        last: jobs.PipelineJob | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            job = self._call("GetPipelineJob", request, jobs.PipelineJob, outage_s)
            if job != last:
                last, pause_s = job, _FIRST_PAUSE_S
                yield job
            if job.state in ENDED:
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{run} has not ended within {timeout_s:g} s")
            self._sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def tasks(
        self, run: str, filter: str = "", limit: int | None = None, fields: Sequence[str] = ()
    ) -> Iterator[jobs.PipelineTaskDetail]:
        """The tasks of a run by their ids, fetched in pages as they are needed: for runs too large for `get`."""
        request = watching.ListPipelineTasksRequest(parent=self.run_name(run), filter=filter)
        request.read_mask.paths.extend(fields)
        left = limit
        while left is None or left > 0:
            request.page_size = 1000 if left is None else min(left, 1000)
            page = self._call("ListPipelineTasks", request, watching.ListPipelineTasksResponse)
            yield from page.tasks
            left = None if left is None else left - len(page.tasks)
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def changes(
        self, run: str, resume_token: str = "", outage_s: float = 60.0
    ) -> Iterator[watching.WatchPipelineJobResponse]:
        """Every change of a state from the first, or since the answer with that token, until the run has ended.

        Goes on over an outage of the server that is shorter than `outage_s`. Heartbeats are passed over.
        """
        request = watching.WatchPipelineJobRequest(name=self.run_name(run), resume_token=resume_token)
        until = None
        while True:
            try:
                for answer in self._stream("WatchPipelineJob", request, watching.WatchPipelineJobResponse):
                    request.resume_token, until = answer.resume_token, None
                    if answer.changes or answer.is_last:
                        yield answer
                return
            except UnavailableError:
                until = time.monotonic() + outage_s if until is None else until
                if time.monotonic() + _LONGEST_PAUSE_S > until:
                    raise
            self._sleep(_LONGEST_PAUSE_S)

    def wait(self, run: str, timeout_s: float | None = None) -> jobs.PipelineJob:
        """The run when it has ended, without its spec. Errors: TimeoutError."""
        # Of a run that goes on, its tasks would be read and sent each time.
        for _ in self.watch(run, timeout_s, fields=("state", "update_time")):
            pass
        return next(self.watch(run))

    def logs(
        self, run: str, task: str, attempt: int = 0, offset: int = 0, follow: bool = False
    ) -> Iterator[reruns.GetTaskLogResponse]:
        """What a task printed, piece by piece; `task` is a path or an id, attempt 0 the last one.

        Following, it goes on until the attempt has ended.
        """
        request = reruns.GetTaskLogRequest(
            name=self.run_name(run), task=task, attempt=attempt, offset=offset, follow=follow
        )
        return self._stream("GetTaskLog", request, reruns.GetTaskLogResponse)

    def check(self) -> None:
        """Return if the server answers. Errors: CallError."""
        request = service.ListPipelineJobsRequest(parent=self.parent, page_size=1)
        self._call("ListPipelineJobs", request, service.ListPipelineJobsResponse, 0.0)

    def _stream(self, method: str, request: Any, answer: type[_Answer]) -> Iterator[_Answer]:
        call = self._channel.unary_stream(  # type: ignore[union-attr]
            f"/reprise.v1.PipelineService/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        until = time.monotonic() + self._outage_s
        has_begun = False
        while True:
            try:
                for piece in call(request):
                    has_begun = True
                    yield piece
                return
            except grpc.RpcError as error:
                failure: CallError = from_rpc_error(error)
                # What has been given cannot be taken back: only a stream that has not begun is asked for again.
                is_away = isinstance(failure, UnavailableError) and not has_begun
                if not is_away or time.monotonic() + _FIRST_PAUSE_S > until:
                    raise failure from error
            self._sleep(_FIRST_PAUSE_S)

    def _operation(self, method: str, request: Any, timeout_s: float) -> operations.Operation:
        return self._invoke(
            f"/google.longrunning.Operations/{method}",
            request,
            operations.Operation,
            self._outage_s,
            timeout_s,
        )

    def _call(
        self, method: str, request: Any, answer: type[_Answer], outage_s: float | None = None
    ) -> _Answer:
        return self._invoke(
            f"/reprise.v1.PipelineService/{method}",
            request,
            answer,
            self._outage_s if outage_s is None else outage_s,
            _CALL_S,
        )

    def _invoke(
        self, path: str, request: Any, answer: type[_Answer], outage_s: float, timeout_s: float
    ) -> _Answer:
        call = self._channel.unary_unary(  # type: ignore[union-attr]
            path, request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        until = time.monotonic() + outage_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return cast(_Answer, call(request, timeout=timeout_s))
            except grpc.RpcError as error:
                failure: CallError = from_rpc_error(error)
                # A call may be repeated: it reads, carries a request id, or twice is the same as once. Only a
                # delete may not: its second try would not find what the first has deleted.
                is_repeatable = isinstance(failure, UnavailableError) and "Delete" not in path
                if not is_repeatable or time.monotonic() + pause_s > until:
                    raise failure from error
            self._sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _set_duration(target: duration_pb2.Duration, duration_s: float) -> None:
    """Nothing is set for nothing."""
    if duration_s:
        target.seconds, target.nanos = int(duration_s), int(duration_s % 1 * 1e9)
