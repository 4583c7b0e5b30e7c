"""Reprise inside a host's server, of both kinds: runs, watches, pages of tasks, and how it all ends."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2, empty_pb2
from hosts import KINDS, create_request, hosted
from reprise import PipelineService, Settings
from reprise.domain.errors import InvalidArgument
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import watch_pb2 as watching

PARENT = "projects/p/locations/l"
Attempt = watching.StateChange.AttemptState


class Host:
    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)

    def call(self, method: str, request: Any, answer: Any) -> Any:
        path = f"/reprise.v1.PipelineService/{method}"
        return answer.FromString(self.channel.unary_unary(path)(request.SerializeToString(), timeout=30))

    def create(self, *scripts: str) -> str:
        return str(self.call("CreatePipelineJob", create_request(PARENT, *scripts), jobs.PipelineJob).name)

    def watch(self, name: str, token: str = "", heartbeat_s: int = 15) -> Any:
        request = watching.WatchPipelineJobRequest(
            name=name, resume_token=token, heartbeat=duration_pb2.Duration(seconds=heartbeat_s)
        )
        path = "/reprise.v1.PipelineService/WatchPipelineJob"
        return self.channel.unary_stream(
            path, response_deserializer=watching.WatchPipelineJobResponse.FromString
        )(request.SerializeToString(), timeout=60)

    def wait(self, name: str) -> watching.WatchPipelineJobResponse:
        last: watching.WatchPipelineJobResponse = list(self.watch(name))[-1]
        return last

    def tasks(self, name: str, **fields: Any) -> watching.ListPipelineTasksResponse:
        request = watching.ListPipelineTasksRequest(parent=name, **fields)
        found: watching.ListPipelineTasksResponse = self.call(
            "ListPipelineTasks", request, watching.ListPipelineTasksResponse
        )
        return found


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    reprise = PipelineService(Settings(tmp_path / "data", environments="host", grace_s=0.2))
    with hosted(reprise, request.param) as address:
        made = Host(address)
        yield made
        made.channel.close()


def test_a_watch_tells_every_change_once_in_order_and_ends_with_the_run(host: Host) -> None:
    name = host.create("true", "true")
    answers = list(host.watch(name))
    changes = [change for answer in answers for change in answer.changes]
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert answers[-1].is_last and not any(answer.is_last for answer in answers[:-1])
    assert answers[-1].state == states.PIPELINE_STATE_SUCCEEDED
    of_run = [change.job_state for change in changes if not change.task_id]
    assert of_run[0] == states.PIPELINE_STATE_PENDING and of_run[-1] == states.PIPELINE_STATE_SUCCEEDED
    for path in ("step-1", "step-2"):
        own = [change for change in changes if change.task_unique_name == path]
        assert [change.task_state for change in own if not change.attempt][
            -1
        ] == jobs.PipelineTaskDetail.SUCCEEDED
        assert Attempt.SUCCEEDED in [change.attempt_state for change in own if change.attempt == 1]
    # After the end, and from any place in between, the same is told.
    assert [change for answer in host.watch(name) for change in answer.changes] == changes
    middle = answers[len(answers) // 2 - 1]
    told = middle.changes[-1].sequence
    again = [change for answer in host.watch(name, middle.resume_token) for change in answer.changes]
    assert again == changes[told:]


def test_a_silent_run_gives_heartbeats_and_a_cancel_is_told(host: Host, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    name = host.create(f"exec cat {tmp_path}/never")
    is_cancelled = False
    for answer in host.watch(name, heartbeat_s=1):
        if not answer.changes and not is_cancelled:
            is_cancelled = True  # the first heartbeat
            host.call("CancelPipelineJob", service.CancelPipelineJobRequest(name=name), empty_pb2.Empty)
    assert is_cancelled
    assert answer.is_last and answer.state == states.PIPELINE_STATE_CANCELLED


def test_more_watches_than_threads_of_the_host_starve_nobody(host: Host, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    name = host.create(f"exec cat {tmp_path}/never")
    watches = [host.watch(name) for _ in range(20)]
    for watch in watches:
        next(watch)  # each is being served
    got = host.call("GetPipelineJob", service.GetPipelineJobRequest(name=name), jobs.PipelineJob)
    assert got.name == name
    host.call("CancelPipelineJob", service.CancelPipelineJobRequest(name=name), empty_pb2.Empty)
    for watch in watches:
        assert list(watch)[-1].is_last


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_stops_ends_its_watches_and_they_go_on_where_they_were(kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    settings = Settings(tmp_path / "data", environments="host")
    with hosted(PipelineService(settings), kind) as address:
        first = Host(address)
        name = first.create(f"cat {tmp_path}/gate")
        watch = first.watch(name)
        seen = [next(watch)]
    with pytest.raises(grpc.RpcError) as caught:
        seen.extend(watch)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    first.channel.close()
    with hosted(PipelineService(settings), kind) as address:
        second = Host(address)
        rest = second.watch(name, seen[-1].resume_token)
        (tmp_path / "gate").write_bytes(b"open")
        seen.extend(rest)
        second.channel.close()
    numbers = [change.sequence for answer in seen for change in answer.changes]
    assert numbers == list(range(1, len(numbers) + 1))
    assert seen[-1].state == states.PIPELINE_STATE_SUCCEEDED


def test_tasks_are_paged_filtered_and_masked_while_a_run_goes_on_and_after(
    host: Host, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "gate")
    name = host.create("true", "true", f"cat {tmp_path}/gate", "exit 3", "true")
    for answer in host.watch(name):
        if any(c.task_unique_name == "step-3" and c.attempt_state == Attempt.RUNNING for c in answer.changes):
            break
    first = host.tasks(name, page_size=2)
    assert [task.task_unique_name for task in first.tasks] == ["step-1", "step-2"]
    (tmp_path / "gate").write_bytes(b"open")
    assert host.wait(name).state == states.PIPELINE_STATE_FAILED
    # The page after comes from what the run has left behind.
    second = host.tasks(name, page_size=2, page_token=first.next_page_token)
    third = host.tasks(name, page_size=2, page_token=second.next_page_token)
    paged = [task.task_unique_name for page in (first, second, third) for task in page.tasks]
    assert paged == [f"step-{number}" for number in range(1, 6)]
    assert not third.next_page_token
    failed = host.tasks(
        name, filter='state="FAILED" OR task_name:"*-5"', read_mask={"paths": ["task_id", "state"]}
    )
    assert [(task.task_name, task.state) for task in failed.tasks] == [
        ("", jobs.PipelineTaskDetail.FAILED),
        ("", jobs.PipelineTaskDetail.NOT_TRIGGERED),
    ]
    with pytest.raises(grpc.RpcError) as caught:
        host.tasks(name, page_token=first.next_page_token, filter="state=FAILED")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_plug_in_that_is_not_installed_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"executor: no executor is named 'ray'.*subprocess"):
        PipelineService(tmp_path / "data", executor="ray")
    PipelineService(tmp_path / "data").stop()  # what was opened before has been closed


def test_the_garbage_collector_of_a_host_is_left_alone(tmp_path: Path) -> None:
    before = (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count())
    with PipelineService(tmp_path / "data"):
        assert (gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()) == before
