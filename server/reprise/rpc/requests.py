"""The small messages: names, pages, masks. Problems are told with the field's path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.longrunning import operations_proto_pb2 as operations_pb2

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.run import ListQuery
from reprise.pb.v1 import pipeline_service_pb2, rerun_pb2
from reprise.rpc.masks import ReadMask
from reprise.rpc.wire import parse

MOST_NAMES = 1000
_MOST_WITH_INSIDES = 20
_LONGEST_WAIT_S = 3600.0


def page_size(asked: int, default: int, most: int) -> int:
    """What is too large is cut down, as AIP-158 has it. Errors: InvalidArgument below 0."""
    if asked < 0:
        raise InvalidArgument(FieldProblem("page_size", f"expected 0 or more, got {asked}"))
    return min(asked or default, most)


def get_run(data: bytes) -> tuple[RunName, ReadMask]:
    request = parse(pipeline_service_pb2.GetPipelineJobRequest, data)
    return RunName.parse(request.name), ReadMask.read(request.read_mask, "read_mask")


def list_runs(data: bytes) -> tuple[ListQuery, ReadMask]:
    request = parse(pipeline_service_pb2.ListPipelineJobsRequest, data)
    mask = ReadMask.read(request.read_mask, "read_mask", default=ReadMask.without_insides())
    # A run's inside can be megabytes; fewer than asked for is what AIP-158 allows.
    most = _MOST_WITH_INSIDES if mask.wants_spec or mask.wants_tasks else 1000
    query = ListQuery(
        parent=Parent.parse(request.parent),
        filter=request.filter,
        order_by=request.order_by,
        page_size=page_size(request.page_size, default=min(100, most), most=most),
        page_token=request.page_token,
    )
    return query, mask


def delete_run(data: bytes) -> RunName:
    return RunName.parse(parse(pipeline_service_pb2.DeletePipelineJobRequest, data).name)


def cancel_run(data: bytes) -> RunName:
    return RunName.parse(parse(pipeline_service_pb2.CancelPipelineJobRequest, data).name)


def batch_delete(data: bytes) -> tuple[Parent, Sequence[RunName]]:
    request = parse(pipeline_service_pb2.BatchDeletePipelineJobsRequest, data)
    return _batch(request.parent, request.names)


def batch_cancel(data: bytes) -> tuple[Parent, Sequence[RunName]]:
    request = parse(pipeline_service_pb2.BatchCancelPipelineJobsRequest, data)
    return _batch(request.parent, request.names)


def _batch(parent_text: str, texts: Sequence[str]) -> tuple[Parent, Sequence[RunName]]:
    parent = Parent.parse(parent_text)
    problems: list[FieldProblem] = []
    names: list[RunName] = []
    if not texts:
        problems.append(FieldProblem("names", "expected at least one name"))
    if len(set(texts)) > MOST_NAMES:
        problems.append(FieldProblem("names", f"expected at most {MOST_NAMES} names, got {len(set(texts))}"))
    for index, text in enumerate(texts):
        field = f"names[{index}]"
        try:
            name = RunName.parse(text, field)
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
    is_followed: bool


def task_log(data: bytes) -> LogQuery:
    request = parse(rerun_pb2.GetTaskLogRequest, data)
    problems = []
    if not request.task:
        problems.append(FieldProblem("task", "expected the path or the id of a task"))
    if request.attempt < 0:
        problems.append(FieldProblem("attempt", f"expected 0 or more, got {request.attempt}"))
    if problems:
        raise InvalidArgument(problems)
    return LogQuery(
        RunName.parse(request.name), request.task, request.attempt, request.offset, request.follow
    )


def get_operation(data: bytes) -> OperationName:
    return OperationName.parse(parse(operations_pb2.GetOperationRequest, data).name)


def delete_operation(data: bytes) -> OperationName:
    return OperationName.parse(parse(operations_pb2.DeleteOperationRequest, data).name)


def cancel_operation(data: bytes) -> OperationName:
    return OperationName.parse(parse(operations_pb2.CancelOperationRequest, data).name)


def wait_operation(data: bytes) -> tuple[OperationName, float]:
    """The timeout in seconds; without one the longest."""
    request = parse(operations_pb2.WaitOperationRequest, data)
    if not request.HasField("timeout"):
        return OperationName.parse(request.name), _LONGEST_WAIT_S
    timeout_s = request.timeout.seconds + request.timeout.nanos / 1e9
    if timeout_s < 0:
        raise InvalidArgument(FieldProblem("timeout", f"expected no less than 0 s, got {timeout_s} s"))
    return OperationName.parse(request.name), min(timeout_s, _LONGEST_WAIT_S)


def list_operations(data: bytes) -> tuple[Parent, int, str]:
    request = parse(operations_pb2.ListOperationsRequest, data)
    if request.filter:
        raise InvalidArgument(FieldProblem("filter", "operations cannot be filtered here"))
    name = request.name.removesuffix("/operations")
    return (
        Parent.parse(name, "name"),
        page_size(request.page_size, default=100, most=1000),
        request.page_token,
    )
