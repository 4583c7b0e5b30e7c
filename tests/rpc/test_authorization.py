"""I-21: one project's credentials cannot tell whether another project's run exists, by whichever call."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from conftest import OPERATIONS, REPRISE, V1, V1BETA1, Caller
from google.longrunning import operations_proto_pb2 as longrunning
from google.protobuf import json_format, message_factory, struct_pb2
from reprise.domain import errors
from reprise.domain.authorization import Caller as Who
from reprise.domain.authorization import Permission
from reprise.domain.names import Parent, Projects, RunName
from reprise.domain.run import RunDetails
from reprise.pb.v1 import pipeline_service_pb2
from reprise.rpc.edge import Edge
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.json_requests import JSON, Request
from reprise.rpc.rest import Gateway
from reprise.rpc.routes import route_table
from reprise.rpc.task_log import LogReader
from service_double import ServiceDouble, make_run

THEIRS = Parent("theirs", "l")
THERE, MISSING = (str(RunName(THEIRS, each)) for each in ("there", "missing"))
SPEC = json_format.ParseDict({"pipelineInfo": {"name": "p"}, "root": {"dag": {}}}, struct_pb2.Struct())
METHODS = [
    (service, method)
    for service, descriptor in (
        (REPRISE, pipeline_service_pb2.DESCRIPTOR.services_by_name["PipelineService"]),
        (OPERATIONS, longrunning.DESCRIPTOR.services_by_name["Operations"]),
    )
    for method in descriptor.methods
]


class OwnProjectOnly:
    """Callers say which project they are of."""

    def __init__(self) -> None:
        self.asked: list[tuple[Permission, Parent]] = []

    def authorize(self, caller: Who, permission: Permission, parent: Parent) -> None:
        self.asked.append((permission, parent))
        if "project" not in caller.metadata:
            raise errors.Unauthenticated()
        if caller.metadata["project"] != parent.project:
            raise errors.PermissionDenied(f"{permission} is not granted in {parent.project}")


class Untouched(ServiceDouble):
    """Fails the test when anything is asked of it: a refusal comes before any look at what is stored."""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and callable(getattr(ServiceDouble, name, None)):
            raise AssertionError(f"{name} was called")
        return super().__getattribute__(name)


@pytest.fixture
def authorizer() -> OwnProjectOnly:
    return OwnProjectOnly()


@pytest.fixture
def edge(authorizer: OwnProjectOnly) -> Edge:
    return Edge(Projects({"123": "theirs", "456": "mine"}), authorizer=authorizer)


def request_of(method: Any, name: str) -> Any:
    """A valid request of the method about a run of that name, or about what is made from it."""
    parent, _, job_id = name.partition("/pipelineJobs/")
    request = message_factory.GetMessageClass(method.input_type)()
    if method.containing_service.full_name == OPERATIONS:
        request.name = parent if method.name == "ListOperations" else f"{parent}/operations/{len(job_id)}"
        return request
    if method.name in ("PlanRerun", "StreamPlanRerun"):
        request.rerun.name = name
    elif method.name == "ListPipelineTasks":
        request.parent = name
    elif "name" in method.input_type.fields_by_name:
        request.name = name
    else:
        request.parent = parent
    if "names" in method.input_type.fields_by_name:
        request.names.append(name)
    if method.name == "CreatePipelineJob":
        request.pipeline_job.pipeline_spec.CopyFrom(SPEC)
        request.pipeline_job_id = job_id
    if method.name.endswith("CacheEntries"):
        request.pipeline_name = job_id
    for field in ("task", "task_id"):
        if field in method.input_type.fields_by_name:
            setattr(request, field, "t" if field == "task" else 1)
    return request


def refused(call: Caller, path: str, method: Any, name: str, project: str) -> tuple[Any, str, str]:
    data = request_of(method, name).SerializeToString()
    kind = call.channel.unary_stream if method.server_streaming else call.channel.unary_unary
    with pytest.raises(grpc.RpcError) as caught:
        answer = kind(f"/{path}/{method.name}")(data, metadata=[("project", project)], timeout=20)
        if method.server_streaming:
            next(answer)
    error: Any = caught.value
    return error.code(), error.details(), repr(error.trailing_metadata())


@pytest.mark.parametrize(("service_name", "method"), METHODS, ids=[method.name for _, method in METHODS])
def test_a_refusal_is_the_same_whether_the_run_exists_or_not(
    service_name: str, method: Any, make_caller: Callable[..., Caller], edge: Edge
) -> None:
    service = Untouched()
    service.runs[RunName(THEIRS, "there")] = RunDetails(make_run("there"), b"")
    call = make_caller(service, edge=edge)
    names = [service_name] if service_name == OPERATIONS else [REPRISE, V1, V1BETA1]
    for path in names:
        there = refused(call, path, method, THERE, "mine")
        if there[0] is grpc.StatusCode.UNIMPLEMENTED:  # ours alone, called by a name of Vertex AI's
            assert path != service_name
            continue
        assert there[0] is grpc.StatusCode.PERMISSION_DENIED
        assert refused(call, path, method, MISSING, "mine") == there
        # Nor by the project's other name.
        alias = THERE.replace("theirs", "123")
        assert refused(call, path, method, alias, "mine") == there
        assert (
            refused(call, path, method, alias, "123") == there
        )  # credentials are for the project, not an alias


def bound_path(route: Any, message: Any) -> str:
    path = route.template
    for field in route.fields:
        target = message
        for part in field.split("."):
            target = getattr(target, part)
        path = path[: path.index("{" + field)] + target + path[path.index("}", path.index("{" + field)) + 1 :]
    return str(path)


ROUTES = route_table().routes


@pytest.mark.parametrize("route", ROUTES, ids=[f"{route.verb} {route.template}" for route in ROUTES])
def test_over_rest_too(route: Any, edge: Edge) -> None:
    service: Any = Untouched()
    gateway = Gateway(
        PipelineHandlers(service, LogReader(), edge=edge),
        OperationHandlers(service, edge),
        authorizer=edge.authorizer,
    )

    def answer(name: str, **metadata: str) -> tuple[int, bytes]:
        message = request_of(route.method, name)
        path = bound_path(route, message)
        body = b""
        if route.body:
            part = message if route.body == "*" else getattr(message, route.body)
            body = json_format.MessageToJson(part).encode()
        elif "task" in message.DESCRIPTOR.fields_by_name:
            given = {"task": message.task}
            if "pipeline_name" in message.DESCRIPTOR.fields_by_name:
                given["pipelineName"] = message.pipeline_name
            path += "?" + urllib.parse.urlencode(given)
        elif "names" in message.DESCRIPTOR.fields_by_name:
            path += "?" + urllib.parse.urlencode({"names": list(message.names)}, doseq=True)
        elif "task_id" in message.DESCRIPTOR.fields_by_name:
            path += "?taskId=1"
        found = gateway.answer(Request(route.verb, path, JSON, body, caller=Who(metadata)))
        return found.status, b"".join(found.pieces)

    there = answer(THERE, project="mine")
    assert there[0] == 403, there
    assert answer(MISSING, project="mine") == there
    assert answer(THERE)[0] == 401


def test_what_is_asked_names_the_project_by_its_own_name(
    service: ServiceDouble, make_caller: Callable[..., Caller], edge: Edge, authorizer: OwnProjectOnly
) -> None:
    mine = Parent("mine", "l")
    service.put(RunDetails(make_run("r", name=RunName(mine, "r")), b""))
    call = make_caller(service, edge=edge)
    request = pipeline_service_pb2.GetPipelineJobRequest(name="projects/456/locations/l/pipelineJobs/r")
    call(f"{V1}/GetPipelineJob", request, metadata=[("project", "mine")])
    batch = pipeline_service_pb2.BatchCancelPipelineJobsRequest(
        parent="projects/456/locations/l", names=["projects/mine/locations/l/pipelineJobs/r"]
    )
    call(f"{V1}/BatchCancelPipelineJobs", batch, metadata=[("project", "mine")])
    assert authorizer.asked == [(Permission.GET, mine), (Permission.CANCEL, mine)]


class NoUris:
    """Everything is granted but what tells whether there is something at a URI."""

    def authorize(self, caller: Who, permission: Permission, parent: Parent) -> None:
        if permission is Permission.USE_ARTIFACT_URI:
            raise errors.PermissionDenied(f"{permission} is not granted in {parent.project}")


@pytest.mark.parametrize("method", ["CreatePipelineJob", "RerunPipelineJob", "PlanRerun", "StreamPlanRerun"])
@pytest.mark.parametrize("reference", [{"uri": "/etc/passwd"}, {"name": "s3://b/k"}, {"name": "/etc/passwd"}])
def test_an_artifact_by_its_uri_needs_a_permission_of_its_own_and_one_by_its_name_does_not(
    make_caller: Callable[..., Caller], method: str, reference: dict[str, str]
) -> None:
    call = make_caller(Untouched(), edge=Edge(authorizer=NoUris()))
    descriptor = next(each for _, each in METHODS if each.name == method)

    def ask(artifact: dict[str, str]) -> tuple[Any, str]:
        request = request_of(descriptor, THERE)
        inner = getattr(request, "rerun", request)
        job = getattr(inner, "pipeline_job", None)
        configs = inner.task_configs if job is None else job.pipeline_task_rerun_configs
        if job is not None:
            job.original_pipeline_job_id = 1
        configs.add(task_id=1).inputs.artifacts["data"].artifacts.add(**artifact)
        kind = call.channel.unary_stream if descriptor.server_streaming else call.channel.unary_unary
        with pytest.raises(grpc.RpcError) as caught:
            answer = kind(f"/{REPRISE}/{method}")(request.SerializeToString(), timeout=20)
            if descriptor.server_streaming:
                next(answer)
        error: Any = caught.value
        return error.code(), error.details()

    code, text = ask(reference)
    assert code is grpc.StatusCode.PERMISSION_DENIED and Permission.USE_ARTIFACT_URI in text
    # It gets as far as the service, which here answers nobody.
    assert ask({"name": "known"})[0] is grpc.StatusCode.INTERNAL
