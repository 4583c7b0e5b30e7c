"""A server that is killed with many active runs, and comes back: what was waiting goes on soon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reprise.client import Client
from reprise.pb.v1 import operations_pb2 as messages
from reprise.pb.v1 import pipeline_state_pb2 as states

from . import workload
from .conftest import Scale
from .embedded import until
from .lives import Lives

_GOAL_S = 3.0


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_kill_9_with_many_active_runs_a_task_starts_soon_and_none_runs_twice(
    tmp_path: Path, scale: Scale
) -> None:
    """By the processor's time of the server, which a busy host does not change; `bench/restart.py` has the clock's."""
    gate = tmp_path / "gate"
    waits = f"while ! test -e {gate}; do sleep 0.1; done"
    lives = Lives(tmp_path, "--max-parallel-tasks=6", "--grace=0.3")

    def begun() -> dict[str, int]:
        return {line.mark: line.pid for line in workload.read_ledger(lives.ledger) if line.word == "begin"}

    runs = 1000 if scale.is_long else 200
    try:
        assert lives.start()
        with Client(lives.grpc) as client:
            for index in range(runs):
                pipeline = workload.spec({"a": (waits, ()), "b": ("", ("a",))})
                client.create(workload.create_request(client.parent, f"run-{index}", pipeline))
            until(lambda: len(begun()) == 6)
            lives.kill()
            gate.touch()
            assert lives.start()
            until(lambda: len(begun()) > 6)
            assert _processor_s(lives.pid) < _GOAL_S
            if scale.is_long:
                for index in range(runs):
                    client.wait(f"run-{index}", 300)
        lines = workload.read_ledger(lives.ledger)
        marks = [line.mark for line in lines if line.word == "begin"]
        assert len(marks) == len(set(marks))
        tasks = [(line.run_id, line.task) for line in lines if line.word == "begin"]
        assert len(tasks) == len(set(tasks)), "what had begun was looked after, not begun again"
    finally:
        lives.stop()
        lives.close()


@pytest.mark.timeout(120)
def test_a_batch_cancel_that_a_kill_9_interrupts_goes_on_and_tells_of_each_name_once(tmp_path: Path) -> None:
    """One of its runs had ended before the kill; the other ignores SIGTERM, and holds the operation open over it."""
    gate, is_deaf = tmp_path / "gate", tmp_path / "is_deaf"
    tasks = {
        "obedient": "sleep 60",
        "stubborn": f"trap '' TERM\n: > {is_deaf}\nwhile ! test -e {gate}; do sleep 0.02; done",
    }
    names = list(tasks)
    lives = Lives(tmp_path, "--grace=60")

    def is_cancelled(client: Client, name: str) -> bool:
        return bool(client.get(name).state == states.PIPELINE_STATE_CANCELLED)

    def begun() -> int:
        return sum(line.word == "begin" for line in workload.read_ledger(lives.ledger))

    try:
        assert lives.start()
        with Client(lives.grpc) as client:
            for name, script in tasks.items():
                pipeline = workload.spec({"a": (script, ()), "b": ("", ("a",))})
                client.create(workload.create_request(client.parent, name, pipeline))
            until(lambda: begun() == 2 and is_deaf.exists())
            operation = client.batch_cancel(names)
            until(lambda: is_cancelled(client, "obedient"))
            assert not client.get_operation(operation.name).done
            lives.kill()
            assert lives.start()
            assert not client.get_operation(operation.name).done
            assert is_cancelled(client, "obedient")
            assert client.get("stubborn").state == states.PIPELINE_STATE_CANCELLING
            gate.touch()
            ended = client.wait_operation(operation.name, 60)
            assert ended.done and is_cancelled(client, "stubborn")
            metadata = messages.BatchCancelPipelineJobsOperationMetadata()
            assert ended.metadata.Unpack(metadata)
            assert [one.name.rpartition("/")[2] for one in metadata.targets] == names
            answer = messages.BatchCancelPipelineJobsResponse()
            assert ended.response.Unpack(answer)
            assert [job.name.rpartition("/")[2] for job in answer.pipeline_jobs] == names
        assert begun() == 2, "nothing started after the cancel"
    finally:
        gate.touch()
        lives.stop()
        lives.close()
