"""The Python client against a server that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from reprise.client import Client, InvalidArgumentError, NotFoundError, UnavailableError, Violation
from reprise.client.tasks import AmbiguousTaskError, TaskNameError, component_of, find_task
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

Answer = Callable[[bytes, grpc.ServicerContext], bytes]


class Scripted(grpc.GenericRpcHandler):
    """Answers every call with the next of a list of answers, and keeps the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[bytes] = []

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        if handler_call_details.method.endswith("StreamPlanRerun"):
            return grpc.unary_stream_rpc_method_handler(self._stream)
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        self.requests.append(request)
        while self.answers:
            yield self.answers.pop(0)(request, context)

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.requests.append(request)
        return self.answers.pop(0)(request, context)


@pytest.fixture
def scripted() -> Iterator[tuple[Scripted, Client]]:
    handler = Scripted()
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with Client(f"127.0.0.1:{port}", sleep=lambda _s: None) as client:
        yield handler, client
    server.stop(None)


def _job(state: int, *tasks: tuple[int, str]) -> Answer:
    job = jobs.PipelineJob(
        name="projects/p/locations/l/pipelineJobs/r", state=states.PipelineState.ValueType(state)
    )
    for number, path in tasks:
        job.job_detail.task_details.add(task_id=number, task_name=path, task_unique_name=path)
    return lambda _request, _context: job.SerializeToString()


def _unavailable(_request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "away")
    raise AssertionError


def test_a_create_is_repeated_with_the_same_request_id_when_its_answer_is_lost(
    scripted: tuple[Scripted, Client],
) -> None:
    handler, client = scripted
    handler.answers = [_unavailable, _job(states.PIPELINE_STATE_PENDING)]
    client.create(service.CreatePipelineJobRequest())
    sent = [service.CreatePipelineJobRequest.FromString(request) for request in handler.requests]
    assert sent[0].request_id and sent[0] == sent[1]
    assert sent[0].parent == "projects/default/locations/local"


def test_a_delete_is_not_repeated(scripted: tuple[Scripted, Client]) -> None:
    handler, client = scripted
    handler.answers = [_unavailable]
    with pytest.raises(UnavailableError):
        client.delete("r")
    assert len(handler.requests) == 1


def test_watching_shows_each_change_once_and_ends_with_the_run(scripted: tuple[Scripted, Client]) -> None:
    handler, client = scripted
    running, done = _job(states.PIPELINE_STATE_RUNNING), _job(states.PIPELINE_STATE_SUCCEEDED)
    handler.answers = [running, running, _unavailable, running, done]
    assert [job.state for job in client.watch("r")] == [
        states.PIPELINE_STATE_RUNNING,
        states.PIPELINE_STATE_SUCCEEDED,
    ]


def test_waiting_ends_with_an_error_when_the_time_is_over(scripted: tuple[Scripted, Client]) -> None:
    handler, client = scripted
    handler.answers = [_job(states.PIPELINE_STATE_RUNNING)] * 3
    with pytest.raises(TimeoutError):
        client.wait("r", timeout_s=0.0)


def test_an_error_carries_the_reason_and_the_wrong_fields(scripted: tuple[Scripted, Client]) -> None:
    handler, client = scripted
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="pipeline_job.x", description="expected y")
    info = error_details_pb2.ErrorInfo(reason="BAD", metadata={"k": "v"})
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="no")
    for detail in (bad, info):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)

    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
        raise AssertionError

    handler.answers = [refuse]
    with pytest.raises(InvalidArgumentError) as caught:
        client.get("r")
    assert caught.value.reason == "BAD" and caught.value.metadata == {"k": "v"}
    assert caught.value.violations == (Violation("pipeline_job.x", "expected y"),)


def test_an_error_without_details_is_known_by_its_code(scripted: tuple[Scripted, Client]) -> None:
    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        raise AssertionError

    handler, client = scripted
    handler.answers = [refuse]
    with pytest.raises(NotFoundError, match="gone"):
        client.get("r")


def test_a_listing_takes_as_many_pages_as_it_needs(scripted: tuple[Scripted, Client]) -> None:
    def page(count: int, token: str) -> Answer:
        answer = service.ListPipelineJobsResponse(next_page_token=token)
        for _ in range(count):
            answer.pipeline_jobs.add()
        return lambda _request, _context: answer.SerializeToString()

    handler, client = scripted
    handler.answers = [page(100, "a"), page(50, "b")]
    assert len(list(client.list(limit=150))) == 150
    sent = [service.ListPipelineJobsRequest.FromString(request) for request in handler.requests]
    assert [(each.page_size, each.page_token) for each in sent] == [(100, ""), (50, "a")]


def test_a_plan_is_put_together_from_its_pieces_and_asked_for_again_before_the_first(
    scripted: tuple[Scripted, Client],
) -> None:
    def piece(etag: str, *numbers: int) -> Answer:
        answer = reruns.PlanRerunResponse(etag=etag)
        for number in numbers:
            answer.tasks.add(task_id=number)
        return lambda _request, _context: answer.SerializeToString()

    handler, client = scripted
    handler.answers = [_unavailable, piece("e"), piece("", 1), piece("", 2)]
    plan = client.plan(reruns.RerunPipelineJobRequest(name="n"))
    assert [task.task_id for task in plan.tasks] == [1, 2] and plan.etag == "e"
    assert len(handler.requests) == 2


def test_a_plan_that_breaks_off_is_an_error(scripted: tuple[Scripted, Client]) -> None:
    handler, client = scripted
    handler.answers = [lambda _request, _context: b"", _unavailable, lambda _request, _context: b""]
    with pytest.raises(UnavailableError):
        client.plan(reruns.RerunPipelineJobRequest(name="n"))
    assert len(handler.requests) == 1


def _tasks(*paths: str) -> Sequence[jobs.PipelineTaskDetail]:
    return [
        jobs.PipelineTaskDetail(task_id=i + 1, task_unique_name=path, task_name=path.rpartition(".")[2])
        for i, path in enumerate(paths)
    ]


def test_a_task_is_found_by_its_path_or_a_unique_end_of_it_and_never_guessed() -> None:
    tasks = _tasks("train", "loop[0].train", "loop[1].train", "loop[0].test")
    assert find_task(tasks, "train").task_id == 1
    assert find_task(tasks, "test").task_id == 4
    with pytest.raises(TaskNameError, match="did you mean train"):
        find_task(tasks, "trian")
    with pytest.raises(AmbiguousTaskError, match=r"loop\[0\].train, loop\[1\].train"):
        find_task(_tasks("loop[0].train", "loop[1].train"), "train")


def test_the_component_of_a_task_in_a_loop_is_found() -> None:
    spec = {
        "root": {"dag": {"tasks": {"loop": {"componentRef": {"name": "c-loop"}}}}},
        "components": {
            "c-loop": {"dag": {"tasks": {"train": {"componentRef": {"name": "c-train"}}}}},
            "c-train": {"executorLabel": "e"},
        },
    }
    assert component_of(spec, "loop[3].train") == {"executorLabel": "e"}
    assert component_of(spec, "loop[3].other") == {}
