"""The small messages: names, pages, masks. Problems are told with the field's path."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from google.longrunning import operations_proto_pb2 as operations_pb2

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import OperationName, Parent, Projects, RunName
from reprise.domain.run import ListQuery
from reprise.pb.v1 import pipeline_service_pb2, rerun_pb2, watch_pb2
from reprise.rpc.limits import RequestLimits
from reprise.rpc.masks import ReadMask, TaskMask
from reprise.rpc.task_filter import TaskFilter
from reprise.rpc.wire import parse

_PROJECTS = Projects()
_MOST_NAMES = RequestLimits().batch_names
_MOST_WITH_INSIDES = 20
_LONGEST_WAIT_S = 3600.0
_MOST_REMEMBERED = 1000
_LONGEST_REMEMBERED = 1000  # bytes
_HEARTBEAT_S = 15.0
_SHORTEST_HEARTBEAT_S = 1.0
_LONGEST_HEARTBEAT_S = 300.0
# At most 18 digits: smaller than what a database takes.
_RESUME_TOKEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
_TASK_TOKEN = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})")


def page_size(asked: int, default: int, most: int) -> int:
    """What is too large is cut down, as AIP-158 has it. Errors: InvalidArgument below 0."""
    if asked < 0:
        raise InvalidArgument(FieldProblem("page_size", f"expected 0 or more, got {asked}"))
    return min(asked or default, most)


class GetRequests:
    """Reads what asks for a run. Who waits for a run sends the same bytes again and again: those are read once."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._read = lru_cache(_MOST_REMEMBERED)(partial(get_run, projects=projects))

    def read(self, data: bytes) -> tuple[RunName, ReadMask]:
        """Errors: InvalidArgument."""
        return self._read(data) if len(data) <= _LONGEST_REMEMBERED else get_run(data, self._projects)


def get_run(data: bytes, projects: Projects = _PROJECTS) -> tuple[RunName, ReadMask]:
    request = parse(pipeline_service_pb2.GetPipelineJobRequest, data)
    return projects.run(request.name), ReadMask.read(request.read_mask, "read_mask")


def list_runs(data: bytes, projects: Projects = _PROJECTS) -> tuple[ListQuery, ReadMask]:
    request = parse(pipeline_service_pb2.ListPipelineJobsRequest, data)
    mask = ReadMask.read(request.read_mask, "read_mask", default=ReadMask.without_insides())
    # A run's inside can be megabytes; fewer than asked for is what AIP-158 allows.
    most = _MOST_WITH_INSIDES if mask.wants_spec or mask.wants_tasks else 1000
    query = ListQuery(
        parent=projects.parent(request.parent),
        filter=request.filter,
        order_by=request.order_by,
        page_size=page_size(request.page_size, default=min(100, most), most=most),
        page_token=request.page_token,
    )
    return query, mask


def delete_run(data: bytes, projects: Projects = _PROJECTS) -> RunName:
    return projects.run(parse(pipeline_service_pb2.DeletePipelineJobRequest, data).name)


def cancel_run(data: bytes, projects: Projects = _PROJECTS) -> RunName:
    return projects.run(parse(pipeline_service_pb2.CancelPipelineJobRequest, data).name)


def batch_delete(
    data: bytes, projects: Projects = _PROJECTS, most_names: int = _MOST_NAMES
) -> tuple[Parent, Sequence[RunName]]:
    request = parse(pipeline_service_pb2.BatchDeletePipelineJobsRequest, data)
    return _batch(request.parent, request.names, projects, most_names)


def batch_cancel(
    data: bytes, projects: Projects = _PROJECTS, most_names: int = _MOST_NAMES
) -> tuple[Parent, Sequence[RunName]]:
    request = parse(pipeline_service_pb2.BatchCancelPipelineJobsRequest, data)
    return _batch(request.parent, request.names, projects, most_names)


def _batch(
    parent_text: str, texts: Sequence[str], projects: Projects, most_names: int
) -> tuple[Parent, Sequence[RunName]]:
    parent = projects.parent(parent_text)
    problems: list[FieldProblem] = []
    names: list[RunName] = []
    if not texts:
        problems.append(FieldProblem("names", "expected at least one name"))
    if len(set(texts)) > most_names:
        problems.append(FieldProblem("names", f"expected at most {most_names} names, got {len(set(texts))}"))
    for index, text in enumerate(texts):
        field = f"names[{index}]"
        try:
            name = projects.run(text, field)
        except InvalidArgument as error:
            problems += error.problems
            continue
        if name.parent != parent:
            problems.append(FieldProblem(field, f"expected a run of {parent}, got {text!r}"))
        names.append(name)
    if problems:
        raise InvalidArgument(problems)
    return parent, list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class LogQuery:
    name: RunName
    task: str
    attempt: int
    offset: int
    limit: int
    is_followed: bool


def task_log(data: bytes, projects: Projects = _PROJECTS) -> LogQuery:
    request = parse(rerun_pb2.GetTaskLogRequest, data)
    problems = []
    if not request.task:
        problems.append(FieldProblem("task", "expected the path or the id of a task"))
    if request.attempt < 0:
        problems.append(FieldProblem("attempt", f"expected 0 or more, got {request.attempt}"))
    if request.limit < 0:
        problems.append(FieldProblem("limit", f"expected 0 or more, got {request.limit}"))
    if problems:
        raise InvalidArgument(problems)
    return LogQuery(
        name=projects.run(request.name),
        task=request.task,
        attempt=request.attempt,
        offset=request.offset,
        limit=request.limit,
        is_followed=request.follow,
    )


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """`run_id` 0: from the beginning. `after_sequence`: of a run with that id."""

    name: RunName
    run_id: int
    after_sequence: int
    heartbeat_s: float


def watch_run(data: bytes, projects: Projects = _PROJECTS) -> WatchQuery:
    request = parse(watch_pb2.WatchPipelineJobRequest, data)
    heartbeat_s = _HEARTBEAT_S
    if request.HasField("heartbeat"):
        heartbeat_s = request.heartbeat.seconds + request.heartbeat.nanos / 1e9
        if not _SHORTEST_HEARTBEAT_S <= heartbeat_s <= _LONGEST_HEARTBEAT_S:
            raise InvalidArgument(
                FieldProblem(
                    "heartbeat",
                    f"expected {_SHORTEST_HEARTBEAT_S:g} s to {_LONGEST_HEARTBEAT_S:g} s, got {heartbeat_s:g} s",
                )
            )
    run_id, sequence = 0, 0
    if request.resume_token:
        match = _RESUME_TOKEN.fullmatch(request.resume_token)
        if match is None:
            raise InvalidArgument(FieldProblem("resume_token", "expected the token of an earlier answer"))
        run_id, sequence = int(match[1]), int(match[2])
    return WatchQuery(projects.run(request.name), run_id, sequence, heartbeat_s)


@dataclass(frozen=True, slots=True)
class TasksQuery:
    """`arguments`: what a page token is bound to. `after_task_id`: of the last task that has been looked at."""

    name: RunName
    page_size: int
    after_task_id: int
    filter: TaskFilter
    mask: TaskMask
    arguments: str


def list_tasks(data: bytes, projects: Projects = _PROJECTS) -> TasksQuery:
    request = parse(watch_pb2.ListPipelineTasksRequest, data)
    name = projects.run(request.parent, "parent")
    arguments = hashlib.sha256(json.dumps([str(name), request.filter]).encode()).hexdigest()[:16]
    after = 0
    if request.page_token:
        match = _TASK_TOKEN.fullmatch(request.page_token)
        if match is None:
            raise InvalidArgument(FieldProblem("page_token", "expected the token of an earlier page"))
        if match[1] != arguments:
            raise InvalidArgument(FieldProblem("page_token", "is that of a list of another run, or filter"))
        after = int(match[2])
    return TasksQuery(
        name=name,
        page_size=page_size(request.page_size, default=100, most=1000),
        after_task_id=after,
        filter=TaskFilter.parse(request.filter),
        mask=TaskMask.read(request.read_mask, "read_mask"),
        arguments=arguments,
    )


def get_operation(data: bytes, projects: Projects = _PROJECTS) -> OperationName:
    return projects.operation(parse(operations_pb2.GetOperationRequest, data).name)


def delete_operation(data: bytes, projects: Projects = _PROJECTS) -> OperationName:
    return projects.operation(parse(operations_pb2.DeleteOperationRequest, data).name)


def cancel_operation(data: bytes, projects: Projects = _PROJECTS) -> OperationName:
    return projects.operation(parse(operations_pb2.CancelOperationRequest, data).name)


def wait_operation(data: bytes, projects: Projects = _PROJECTS) -> tuple[OperationName, float]:
    """The timeout in seconds; without one the longest."""
    request = parse(operations_pb2.WaitOperationRequest, data)
    if not request.HasField("timeout"):
        return projects.operation(request.name), _LONGEST_WAIT_S
    timeout_s = request.timeout.seconds + request.timeout.nanos / 1e9
    if timeout_s < 0:
        raise InvalidArgument(FieldProblem("timeout", f"expected no less than 0 s, got {timeout_s} s"))
    return projects.operation(request.name), min(timeout_s, _LONGEST_WAIT_S)


def list_operations(data: bytes, projects: Projects = _PROJECTS) -> tuple[Parent, int, str]:
    request = parse(operations_pb2.ListOperationsRequest, data)
    if request.filter:
        raise InvalidArgument(FieldProblem("filter", "operations cannot be filtered here"))
    name = request.name.removesuffix("/operations")
    return (
        projects.parent(name, "name"),
        page_size(request.page_size, default=100, most=1000),
        request.page_token,
    )
