"""Batches of 32 large runs: all or nothing, and answers that stay small (I-13)."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.longrunning import operations_proto_pb2 as operations
from reprise.client import Client, NotFoundError
from reprise.pb.v1 import operations_pb2 as messages
from reprise.pb.v1 import pipeline_state_pb2 as states

from . import workload
from .conftest import Scale
from .scripted import ScriptedHost, address_on

_RUNS = 32
_BYTES_A_RUN = 4096


def _small(operation: operations.Operation) -> operations.Operation:
    assert operation.done and operation.ByteSize() < _RUNS * _BYTES_A_RUN
    return operation


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_batches_of_32_large_runs_are_all_or_nothing_and_answer_without_task_details(
    tmp_path: Path, scale: Scale
) -> None:
    tasks = 100_000 if scale.is_long else 400
    names = [f"run-{index}" for index in range(_RUNS)]
    pipeline = workload.commands({"t0": ()})
    first = pipeline["root"]["dag"]["tasks"]["t0"]
    pipeline["root"]["dag"]["tasks"] = {
        f"t{index}": {**first, "taskInfo": {"name": f"t{index}"}} for index in range(tasks)
    }
    # The runs are not begun: what a batch does to them is what is looked at.
    with (
        address_on(ScriptedHost(), tmp_path / "data", are_runs_claimed=False) as address,
        Client(address, outage_s=0.0) as client,
    ):
        # The client gives a call a minute, which a busy host may not have for 100,000 tasks.
        with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel:
            create = channel.unary_unary("/reprise.v1.PipelineService/CreatePipelineJob")
            request = workload.create_request(client.parent, "", pipeline)
            for name in names:
                request.pipeline_job_id, request.request_id = name, f"id-{name}"
                create(request.SerializeToString(), timeout=600)
        with pytest.raises(NotFoundError, match="missing"):
            client.batch_cancel([*names, "missing"])
        assert {job.state for job in client.list()} == {states.PIPELINE_STATE_PENDING}
        cancelled = _small(client.batch_cancel(names))
        answer = messages.BatchCancelPipelineJobsResponse()
        assert cancelled.response.Unpack(answer)
        assert [job.name.rpartition("/")[2] for job in answer.pipeline_jobs] == names
        assert {job.state for job in answer.pipeline_jobs} == {states.PIPELINE_STATE_CANCELLED}
        assert not any(job.job_detail.task_details for job in answer.pipeline_jobs)
        metadata = messages.BatchCancelPipelineJobsOperationMetadata()
        assert cancelled.metadata.Unpack(metadata)
        assert [one.name.rpartition("/")[2] for one in metadata.targets] == names
        with pytest.raises(NotFoundError, match="missing"):
            client.batch_delete([*names, "missing"])
        assert len(list(client.list())) == _RUNS
        deleted = _small(client.batch_delete(names))
        gone = messages.BatchDeletePipelineJobsResponse()
        assert deleted.response.Unpack(gone)
        assert [job.name.rpartition("/")[2] for job in gone.pipeline_jobs] == names
        assert not any(job.job_detail.task_details for job in gone.pipeline_jobs)
        assert list(client.list()) == []
        assert client.get_operation(cancelled.name) == cancelled, "it outlives its runs"
