"""Every limit, one below, at, and one above; what more calls than a server takes are told; calls nobody waits for."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import REPRISE, V1, V1BETA1, Caller, refusal_of
from google.protobuf import json_format, struct_pb2
from reprise.domain.errors import InvalidArgument
from reprise.domain.run import ListQuery, RunDetails, RunPage
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2
from reprise.rpc.edge import Edge
from reprise.rpc.limits import RequestLimits
from reprise.rpc.server import Limits
from service_double import PARENT, ServiceDouble, make_run

CREATE = f"{V1BETA1}/CreatePipelineJob"
NAME = f"{PARENT}/pipelineJobs/r1"
SMALL = RequestLimits(
    tasks=5,
    task_configs=5,
    parameters=5,
    input_artifacts=5,
    labels=5,
    label_length=5,
    display_name_length=5,
    request_id_length=5,
    nesting=5,
    batch_names=5,
)


def spec(tasks: int = 1) -> struct_pb2.Struct:
    """The tasks are shared out between the root and a component."""
    inside = {f"t{number}": {} for number in range(tasks // 2)}
    return json_format.ParseDict(
        {
            "pipelineInfo": {"name": "p"},
            "components": {"comp": {"dag": {"tasks": inside}}, "leaf": {"executorLabel": "e"}},
            "root": {"dag": {"tasks": {f"t{number}": {} for number in range(tasks - tasks // 2)}}},
        },
        struct_pb2.Struct(),
    )


def create(**job: Any) -> pipeline_service_pb2.CreatePipelineJobRequest:
    request = pipeline_service_pb2.CreatePipelineJobRequest(parent=str(PARENT))
    request.pipeline_job.pipeline_spec.CopyFrom(job.pop("spec", spec()))
    request.pipeline_job.MergeFrom(pipeline_job_pb2.PipelineJob(**job))
    return request


def nested(levels: int) -> struct_pb2.Value:
    value = struct_pb2.Value(number_value=1)
    for _ in range(levels):
        value = struct_pb2.Value(list_value=struct_pb2.ListValue(values=[value]))
    return value


def config(**inputs: Any) -> pipeline_job_pb2.PipelineTaskRerunConfig:
    made = pipeline_job_pb2.PipelineTaskRerunConfig(task_id=1)
    for name, value in inputs.items():
        made.inputs.parameter_values[name].CopyFrom(value)
    return made


def with_request_id(text: str) -> pipeline_service_pb2.CreatePipelineJobRequest:
    request = create()
    request.request_id = text
    return request


def one(number: int) -> struct_pb2.Value:
    return struct_pb2.Value(number_value=number)


CONFIGS = "pipeline_job.pipeline_task_rerun_configs"
RUNTIME = "pipeline_job.runtime_config"
# limit, a request that asks for so many, the field that is named above it
CASES: list[tuple[str, Callable[[int], Any], str]] = [
    ("tasks", lambda n: create(spec=spec(n)), "pipeline_job.pipeline_spec"),
    (
        "task_configs",
        lambda n: create(
            original_pipeline_job_id=1,
            pipeline_task_rerun_configs=[
                pipeline_job_pb2.PipelineTaskRerunConfig(task_id=each + 1) for each in range(n)
            ],
        ),
        CONFIGS,
    ),
    (
        "parameters",
        lambda n: create(runtime_config={"parameter_values": {f"p{each}": one(each) for each in range(n)}}),
        f"{RUNTIME}.parameter_values",
    ),
    (
        "parameters",
        lambda n: create(
            original_pipeline_job_id=1,
            pipeline_task_rerun_configs=[config(**{f"p{each}": one(each) for each in range(n)})],
        ),
        f"{CONFIGS}[0].inputs.parameter_values",
    ),
    (
        "input_artifacts",
        lambda n: create(
            runtime_config={"input_artifacts": {f"a{each}": {"artifact_id": "x"} for each in range(n)}}
        ),
        f"{RUNTIME}.input_artifacts",
    ),
    ("labels", lambda n: create(labels={f"k{each}": "v" for each in range(n)}), "pipeline_job.labels"),
    ("label_length", lambda n: create(labels={"k" * n: "v"}), "pipeline_job.labels['kkkkk']"),
    ("label_length", lambda n: create(labels={"k": "é" * n}), "pipeline_job.labels['k']"),
    ("display_name_length", lambda n: create(display_name="é" * n), "pipeline_job.display_name"),
    ("request_id_length", lambda n: with_request_id("x" * n), "request_id"),
    (
        "nesting",
        lambda n: create(runtime_config={"parameter_values": {"p": nested(n)}}),
        f"{RUNTIME}.parameter_values['p']",
    ),
    (
        "nesting",
        lambda n: create(original_pipeline_job_id=1, pipeline_task_rerun_configs=[config(p=nested(n))]),
        f"{CONFIGS}[0].inputs.parameter_values['p']",
    ),
]


def test_every_limit_has_a_case() -> None:
    cased = {name for name, _, _ in CASES} | {"batch_names"}
    assert cased == {each.name for each in dataclasses.fields(RequestLimits)}


@pytest.mark.parametrize(
    ("limit", "make", "field"), CASES, ids=[f"{limit} {field}" for limit, _, field in CASES]
)
def test_what_is_at_a_limit_is_taken_and_one_more_is_refused_by_the_fields_name(
    service: ServiceDouble,
    make_caller: Callable[..., Caller],
    limit: str,
    make: Callable[[int], Any],
    field: str,
) -> None:
    call = make_caller(service, edge=Edge(limits=SMALL))
    at = getattr(SMALL, limit)
    call(CREATE, make(at - 1))
    call(CREATE, make(at))
    refusal = call.refused(CREATE, make(at + 1))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert any(each.startswith(field) for each in refusal.violations), refusal.violations
    assert len(service.commands) == 2


def test_a_batch_names_as_many_runs_as_the_limit_and_repeats_count_once(
    service: ServiceDouble, make_caller: Callable[..., Caller]
) -> None:
    call = make_caller(service, edge=Edge(limits=SMALL))

    def batch(count: int) -> pipeline_service_pb2.BatchCancelPipelineJobsRequest:
        names = [f"{PARENT}/pipelineJobs/r{number}" for number in range(count)]
        return pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[*names, *names])

    for count in (4, 5):
        call(f"{V1}/BatchCancelPipelineJobs", batch(count))
    refusal = call.refused(f"{V1}/BatchCancelPipelineJobs", batch(6))
    assert list(refusal.violations) == ["names"]


def test_names_are_as_long_as_128_characters(call: Caller, service: ServiceDouble) -> None:
    for length in (127, 128):
        request = create()
        request.pipeline_job_id = "x" * length
        call(CREATE, request)
    request.pipeline_job_id = "x" * 129
    assert "pipeline_job_id" in call.refused(CREATE, request).violations
    get = pipeline_service_pb2.GetPipelineJobRequest(name=f"projects/{'p' * 129}/locations/l/pipelineJobs/r")
    assert "name" in call.refused(f"{V1}/GetPipelineJob", get).violations


def test_a_message_is_as_large_as_the_limit(
    service: ServiceDouble, make_caller: Callable[..., Caller]
) -> None:
    call = make_caller(service, Limits(receive_bytes=1000))
    get = f"{V1}/GetPipelineJob"
    for length in (999, 1000):
        assert call.refused(get, b"x" * length).code is grpc.StatusCode.INVALID_ARGUMENT  # it was looked into
    with pytest.raises(grpc.RpcError) as caught:
        call(get, b"x" * 1001)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_stock_rerun_of_100_000_tasks_passes_by_default(call: Caller, service: ServiceDouble) -> None:
    request = create(original_pipeline_job_id=1)
    for task_id in range(1, 100_001):
        request.pipeline_job.pipeline_task_rerun_configs.add(
            task_id=task_id, task_name=f"for-loop-1[{task_id}].train-the-model", skip_task=True
        )
    assert request.ByteSize() > 4 * 1024 * 1024  # grpc's own limit
    call.channel.unary_unary(f"/{CREATE}")(request.SerializeToString(), timeout=90)
    assert len(service.commands[0].configs) == 100_000


@pytest.mark.parametrize("text", ["nothing=3", "tasks", "tasks=0", "tasks=x", "nesting=31"])
def test_a_limit_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        RequestLimits.read([text])


def test_limits_are_read_by_name() -> None:
    assert RequestLimits.read(["label-length=7", "tasks=9"]) == RequestLimits(label_length=7, tasks=9)


# --- more than the server takes ------------------------------------------------------------------------------------


def test_an_overloaded_server_refuses_and_has_every_run_that_it_acknowledged(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path / "data",
        grpc="127.0.0.1:0",
        environments="host",
        max_tasks=1,
        limits=Limits(workers=2, concurrent_calls=3),
    )
    document = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["true"]}}}},
        "components": {"c": {"executorLabel": "e"}},
        "root": {"dag": {"tasks": {"t": {"taskInfo": {"name": "t"}, "componentRef": {"name": "c"}}}}},
    }
    request = create(spec=json_format.ParseDict(document, struct_pb2.Struct()))
    with Server(settings) as server, grpc.insecure_channel(server.grpc_address) as channel:
        call = Caller(channel)

        def ask(_: int) -> str | grpc.StatusCode:
            try:
                return str(call(CREATE, request, pipeline_job_pb2.PipelineJob).name)
            except grpc.RpcError as error:
                return refusal_of(error).code

        with ThreadPoolExecutor(32) as callers:
            answers = list(callers.map(ask, range(150)))
        acknowledged = {answer for answer in answers if isinstance(answer, str)}
        assert {answer for answer in answers if not isinstance(answer, str)} == {
            grpc.StatusCode.RESOURCE_EXHAUSTED
        }
        listed, token = set(), ""
        while True:
            query = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT), page_token=token)
            page = call(f"{V1}/ListPipelineJobs", query, pipeline_service_pb2.ListPipelineJobsResponse)
            listed |= {job.name for job in page.pipeline_jobs}
            token = page.next_page_token
            if not token:
                break
    assert acknowledged == listed
    assert acknowledged


class _Held(ServiceDouble):
    """Its first List waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.go_on = threading.Event()

    def list(self, query: ListQuery) -> RunPage:
        self.is_asked.set()
        assert self.go_on.wait(20)
        return super().list(query)


LIST = f"{REPRISE}/ListPipelineJobs"


def test_a_call_whose_deadline_has_passed_in_the_queue_does_nothing(
    make_caller: Callable[..., Caller],
) -> None:
    service = _Held()
    call = make_caller(service, Limits(workers=1))
    listing = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT))
    first = call.channel.unary_unary(f"/{LIST}").future(listing.SerializeToString(), timeout=20)
    assert service.is_asked.wait(20)
    late = call.channel.unary_unary(f"/{CREATE}").future(create().SerializeToString(), timeout=0.2)
    assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    service.go_on.set()
    assert first.result()
    # The one worker comes to the late call before this one.
    call(LIST, listing)
    assert service.commands == []


def test_a_run_can_be_read_while_every_worker_has_a_call(make_caller: Callable[..., Caller]) -> None:
    service = _Held()
    service.put(RunDetails(make_run(), b""))
    call = make_caller(service, Limits(workers=1))
    listing = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT)).SerializeToString()
    held = call.channel.unary_unary(f"/{LIST}").future(listing, timeout=20)
    try:
        assert service.is_asked.wait(20)
        get = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
        found = call(f"{REPRISE}/GetPipelineJob", get, pipeline_job_pb2.PipelineJob)
        assert found.name == NAME
        assert not held.done()
    finally:
        service.go_on.set()
    assert held.result()
