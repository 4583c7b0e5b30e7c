"""The messages about explanations and the cross-run cache, read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from google.protobuf import duration_pb2

from reprise.domain.cache import CacheQuery
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import Parent, Projects, RunName
from reprise.pb.v1 import cache_pb2, explain_pb2
from reprise.rpc.requests import page_size
from reprise.rpc.times import seconds
from reprise.rpc.wire import parse

_PROJECTS = Projects()


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """`against`: the run to compare with, if one is given."""

    name: RunName
    task: str
    against: RunName | None


@dataclass(frozen=True, slots=True)
class CacheCall:
    """`parent`: under which the call was made; what is kept belongs to its project."""

    parent: Parent
    query: CacheQuery
    page_size: int = 0
    page_token: str = ""


def explain_task(data: bytes, projects: Projects = _PROJECTS) -> ExplainQuery:
    """`against` may be a full name, or the last segment of one beside the run."""
    request = parse(explain_pb2.ExplainTaskRequest, data)
    if not request.task:
        raise InvalidArgument(FieldProblem("task", "expected the path or the id of a task"))
    name = projects.run(request.name)
    against = request.against
    if not against:
        return ExplainQuery(name, request.task, None)
    if "/" not in against:
        against = f"{name.parent}/pipelineJobs/{against}"
    other = projects.run(against, "against")
    if other.parent.project != name.parent.project:
        raise InvalidArgument(FieldProblem("against", f"expected a run of project {name.parent.project}"))
    return ExplainQuery(name, request.task, other)


def list_cache(data: bytes, projects: Projects = _PROJECTS) -> CacheCall:
    request = parse(cache_pb2.ListCacheEntriesRequest, data)
    parent = projects.parent(request.parent)
    size = page_size(request.page_size, default=100, most=1000)
    return CacheCall(parent, _query(request, parent), size, request.page_token)


def drop_cache(data: bytes, projects: Projects = _PROJECTS) -> CacheCall:
    request = parse(cache_pb2.DropCacheEntriesRequest, data)
    if not request.pipeline_name and not request.all:
        raise InvalidArgument(FieldProblem("pipeline_name", "is required unless `all` is set"))
    if request.pipeline_name and request.all:
        raise InvalidArgument(FieldProblem("all", "means every pipeline: give no pipeline_name beside it"))
    parent = projects.parent(request.parent)
    return CacheCall(parent, _query(request, parent))


class _Which(Protocol):
    """What both requests say of the entries that are meant."""

    pipeline_name: str
    task: str

    @property
    def older_than(self) -> duration_pb2.Duration: ...


def _query(request: _Which, parent: Parent) -> CacheQuery:
    if request.task and not request.pipeline_name:
        raise InvalidArgument(FieldProblem("pipeline_name", "is required where a task is given"))
    return CacheQuery(
        project=parent.project,
        pipeline_name=request.pipeline_name,
        task=request.task,
        older_than_s=seconds(request.older_than, "older_than"),
    )
