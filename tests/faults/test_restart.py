"""A server that is killed with many active runs, and comes back: what was waiting goes on soon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reprise.client import Client

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
