"""Reprise's own Python client against a real server: what only it can ask for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from reprise.client import (
    AbortedError,
    AlreadyExistsError,
    Client,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    create_request,
    load_pipeline,
)
from reprise.client.requests import to_value
from reprise.pb.v1 import operations_pb2 as operations
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from served import Served

_PIPELINES = Path(__file__).parents[1] / "clients" / "pipelines"


class Runs:
    """Makes runs of the test pipelines, in a project of the test's own."""

    def __init__(self, client: Client, ledger: Path) -> None:
        self.client = client
        self._ledger = ledger

    def submit(self, pipeline: str, run_id: str = "", **parameters: object) -> str:
        request = create_request(
            load_pipeline(_PIPELINES / f"{pipeline}.yaml"),
            {"ledger": str(self._ledger)} | parameters,
            run_id=run_id,
        )
        return self.client.create(request).name

    def ran(self) -> list[str]:
        return self._ledger.read_text().split() if self._ledger.exists() else []


@pytest.fixture
def runs(server: Served, tmp_path: Path) -> Iterator[Runs]:
    with Client(server.grpc, project=f"p-{uuid.uuid4().hex[:8]}") as client:
        yield Runs(client, tmp_path / "ledger")


def test_the_same_request_id_makes_one_run_and_another_request_with_it_is_refused(runs: Runs) -> None:
    pipeline = load_pipeline(_PIPELINES / "steps.yaml")
    made = []
    for _ in range(2):
        request = create_request(pipeline, {"ledger": "/dev/null", "limit": 20})
        request.request_id = "once"
        made.append(runs.client.create(request).name)
    assert made[0] == made[1]
    request = create_request(pipeline, {"ledger": "/dev/null", "limit": 21})
    request.request_id = "once"
    with pytest.raises(InvalidArgumentError):
        runs.client.create(request)
    assert len(list(runs.client.list())) == 1


def test_a_taken_run_id_is_refused(runs: Runs) -> None:
    runs.submit("steps", "mine")
    with pytest.raises(AlreadyExistsError):
        runs.submit("steps", "mine")


def test_a_rerun_with_the_etag_of_an_outdated_plan_is_aborted(runs: Runs) -> None:
    name = runs.submit("steps")
    runs.client.wait(name, 60)
    request = reruns.RerunPipelineJobRequest(name=name)
    request.parameter_values["limit"].CopyFrom(to_value("limit", 20))
    request.etag = runs.client.plan(request).etag
    request.parameter_values["limit"].CopyFrom(to_value("limit", 30))
    with pytest.raises(AbortedError):
        runs.client.rerun(request)
    request.parameter_values["limit"].CopyFrom(to_value("limit", 20))
    assert runs.client.wait(runs.client.rerun(request).name, 60).state == states.PIPELINE_STATE_SUCCEEDED


def test_parameters_given_once_persist_over_a_chain_of_reruns(runs: Runs) -> None:
    name = runs.submit("steps")
    for limit in (11, 20, 30):
        runs.client.wait(name, 60)
        request = reruns.RerunPipelineJobRequest(name=name)
        request.parameter_values["limit"].CopyFrom(to_value("limit", limit))
        name = runs.client.rerun(request).name
    assert runs.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert runs.ran() == ["prepare", "multiply", "check", "check", "check", "publish", "check"]


def test_a_batch_cancel_is_done_when_all_runs_have_ended_and_says_what_became_of_each(runs: Runs) -> None:
    names = [runs.submit("waiting") for _ in range(2)]
    ended = runs.submit("steps")
    runs.client.wait(ended, 60)
    operation = runs.client.wait_operation(runs.client.batch_cancel([*names, ended]).name, 60)
    assert operation.done
    response = operations.BatchCancelPipelineJobsResponse()
    assert operation.response.Unpack(response)
    assert [job.name for job in response.pipeline_jobs] == names
    metadata = operations.BatchCancelPipelineJobsOperationMetadata()
    assert operation.metadata.Unpack(metadata)
    assert [(target.name, target.outcome) for target in metadata.targets] == [
        (names[0], operations.OperationTarget.CANCELLED),
        (names[1], operations.OperationTarget.CANCELLED),
        (ended, operations.OperationTarget.ALREADY_ENDED),
    ]


def test_a_batch_with_a_missing_name_cancels_nothing(runs: Runs) -> None:
    name = runs.submit("waiting")
    with pytest.raises(NotFoundError):
        runs.client.batch_cancel([name, "missing"])
    assert runs.client.get(name).state in (states.PIPELINE_STATE_PENDING, states.PIPELINE_STATE_RUNNING)
    with pytest.raises(FailedPreconditionError):
        runs.client.delete(name)
    runs.client.cancel(name)
    assert runs.client.wait(name, 60).state == states.PIPELINE_STATE_CANCELLED


def test_runs_of_one_project_are_not_seen_in_another(runs: Runs, server: Served) -> None:
    name = runs.submit("steps")
    with Client(server.grpc, project="somewhere-else") as other:
        assert name not in {job.name for job in other.list()}
        with pytest.raises(NotFoundError):
            other.get(name.rpartition("/")[2])
