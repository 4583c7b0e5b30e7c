"""The limits that no setting changes, and those of the transports: one below, at, and one above."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import V1BETA1, Caller
from google.longrunning import operations_proto_pb2 as longrunning
from grpc import RpcError, StatusCode
from reprise.domain import filter as run_filter
from reprise.domain.errors import InvalidArgument
from reprise.domain.run import RunDetails
from reprise.pb.v1 import pipeline_service_pb2, watch_pb2
from reprise.rpc import requests
from reprise.rpc.http import HttpServer
from reprise.rpc.server import Limits
from reprise.rpc.task_filter import TaskFilter
from service_double import PARENT, ServiceDouble, make_run
from test_rest import RUNS, Rest

NAME = f"{PARENT}/pipelineJobs/r1"
GET = f"{V1BETA1}/GetPipelineJob"


def of_length(length: int) -> str:
    head, tail = 'state="', '"'
    return head + "x" * (length - len(head) - len(tail)) + tail


def nested(levels: int) -> str:
    return "(" * levels + 'state="FAILED"' + ")" * levels


@pytest.mark.parametrize(("make", "limit"), [(of_length, 10_000), (nested, 50)])
def test_a_filter_is_as_long_and_as_deep_as_its_limits(make: Callable[[int], str], limit: int) -> None:
    for size in (limit - 1, limit):
        assert run_filter.parse(make(size)) is not None
    with pytest.raises(InvalidArgument) as caught:
        run_filter.parse(make(limit + 1))
    assert [each.field for each in caught.value.problems] == ["filter"]


def test_a_filter_of_tasks_is_as_long_as_one_of_runs() -> None:
    for length in (9_999, 10_000):
        TaskFilter.parse('task_name="' + "x" * (length - 12) + '"')
    with pytest.raises(InvalidArgument) as caught:
        TaskFilter.parse('task_name="' + "x" * (10_001 - 12) + '"')
    assert [each.field for each in caught.value.problems] == ["filter"]


def runs_asked(size: int, *fields: str) -> int:
    request = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT), page_size=size)
    request.read_mask.paths.extend(fields)
    return requests.list_runs(request.SerializeToString())[0].page_size


def runs_with_insides_asked(size: int) -> int:
    return runs_asked(size, "name", "job_detail")


def tasks_asked(size: int) -> int:
    request = watch_pb2.ListPipelineTasksRequest(parent=NAME, page_size=size)
    return requests.list_tasks(request.SerializeToString()).page_size


def operations_asked(size: int) -> int:
    request = longrunning.ListOperationsRequest(name=str(PARENT), page_size=size)
    return requests.list_operations(request.SerializeToString())[1]


@pytest.mark.parametrize(
    ("asked", "limit"),
    [
        (runs_asked, 1000),
        (runs_with_insides_asked, 20),
        (tasks_asked, 1000),
        (operations_asked, 1000),
    ],
)
def test_a_larger_page_than_the_limit_is_cut_down_to_it(asked: Callable[[int], int], limit: int) -> None:
    assert [asked(size) for size in (limit - 1, limit, limit + 1)] == [limit - 1, limit, limit]


@pytest.mark.parametrize(
    "name", ["projects/{}/locations/l/pipelineJobs/r", "projects/p/locations/{}/pipelineJobs/r"]
)
def test_a_project_and_a_location_have_names_of_128_characters(name: str) -> None:
    def read(length: int) -> str:
        request = pipeline_service_pb2.GetPipelineJobRequest(name=name.format("x" * length))
        return str(requests.get_run(request.SerializeToString())[0])

    assert [len(read(length)) - len(read(1)) for length in (127, 128)] == [126, 127]
    with pytest.raises(InvalidArgument) as caught:
        read(129)
    assert [each.field for each in caught.value.problems] == ["name"]


def test_a_body_over_http_is_as_large_as_the_limit(service: ServiceDouble) -> None:
    server = HttpServer(service, "127.0.0.1:0", PARENT, 100)  # type: ignore[arg-type]
    server.start()
    try:
        rest = Rest(server.address)
        statuses = [rest.refused("POST", RUNS, b"x" * size)["status"] for size in (99, 100, 101)]
    finally:
        server.stop()
    # The first two were read, and are no JSON.
    assert statuses == ["INVALID_ARGUMENT", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]


def test_metadata_within_its_limit_is_taken_and_twice_as_much_is_refused(
    service: ServiceDouble, make_caller: Callable[..., Caller]
) -> None:
    """Between the two grpc refuses some calls and takes others."""
    service.put(RunDetails(make_run(), b""))
    call = make_caller(service, Limits(metadata_bytes=4096))
    request = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
    call(GET, request, metadata=[("x-note", "n" * 3000)])
    with pytest.raises(RpcError) as caught:
        call(GET, request, metadata=[("x-note", "n" * 9000)])
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]
    assert call(GET, request)
