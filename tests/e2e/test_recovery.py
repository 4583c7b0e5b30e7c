"""A server that is killed in the middle of a run, and one that is started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from reprise.client import Client, create_request, load_pipeline
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served

_PIPELINES = Path(__file__).parents[1] / "clients" / "pipelines"


def _ran(ledger: Path) -> list[str]:
    return ledger.read_text().split() if ledger.exists() else []


def _until(is_so: Callable[[], bool], text: str) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, f"not within 30 s: {text}"
        time.sleep(0.02)


def _submit(client: Client, ledger: Path, seconds: float) -> str:
    pipeline = load_pipeline(_PIPELINES / "waiting.yaml")
    return client.create(create_request(pipeline, {"ledger": str(ledger), "seconds": seconds})).name


def test_a_run_goes_on_and_ends_right_when_its_server_is_killed_in_the_middle_and_started_again(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve()
    ledger = tmp_path / "ledger"
    with Client(server.grpc) as client:
        name = _submit(client, ledger, 2.0)
        _until(lambda: "wait" in _ran(ledger), "the waiting task has begun")
        server.kill()
        server.restart()
        job = client.wait(name, 60)
    assert job.state == states.PIPELINE_STATE_SUCCEEDED, job.error
    assert _ran(ledger) == ["prepare", "wait", "multiply"], "no task ran twice"


def test_a_task_that_ends_while_no_server_is_there_is_not_run_again(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve()
    ledger = tmp_path / "ledger"
    with Client(server.grpc) as client:
        name = _submit(client, ledger, 1.0)
        _until(lambda: "wait" in _ran(ledger), "the waiting task has begun")
        server.kill()
        time.sleep(1.5)  # the point is that the task ends meanwhile; nothing tells from outside that it has
        server.restart()
        job = client.wait(name, 60)
    assert job.state == states.PIPELINE_STATE_SUCCEEDED, job.error
    assert _ran(ledger) == ["prepare", "wait", "multiply"]


def test_a_run_that_was_being_cancelled_when_its_server_was_killed_ends_cancelled(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve()
    ledger = tmp_path / "ledger"
    with Client(server.grpc) as client:
        name = _submit(client, ledger, 600.0)
        _until(lambda: "wait" in _ran(ledger), "the waiting task has begun")
        client.cancel(name)
        server.kill()
        server.restart()
        job = client.wait(name, 60)
    assert job.state == states.PIPELINE_STATE_CANCELLED, job.error
    assert _ran(ledger) == ["prepare", "wait"]


def test_a_second_server_on_one_data_directory_is_refused_and_sigterm_ends_the_first_cleanly(
    serve: Callable[..., Served],
) -> None:
    server = serve()
    try:
        second = Served(server.data_dir)
    except AssertionError as error:
        assert "data dir" in str(error).lower(), error
    else:
        second.stop()
        raise AssertionError("the second server should have been refused")
    assert server.stop() == 0
