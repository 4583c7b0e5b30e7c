"""The clock of the host is set forward and back by hours: runs, leases, waits and lists do not mind."""

from __future__ import annotations

import time
from pathlib import Path

from reprise.client import Client
from reprise.main import Server, Settings
from reprise.pb.v1 import pipeline_state_pb2 as states

from . import workload
from .embedded import until

_HOUR_NS = 3600 * 10**9


class Clock:
    def __init__(self) -> None:
        self.shift_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self.shift_ns


def test_runs_cancels_and_waits_do_not_mind_a_clock_that_is_set(tmp_path: Path) -> None:
    clock, ledger, gate = Clock(), tmp_path / "ledger", tmp_path / "gate"
    settings = Settings(
        tmp_path / "data",
        grpc="127.0.0.1:0",
        environments="host",
        grace_s=0.3,
        task_env={"LEDGER": str(ledger)},
    )
    with Server(settings, clock) as server, Client(server.grpc_address, outage_s=0.0) as client:

        def submit(job_id: str, script: str) -> None:
            pipeline = workload.spec({"a": (script, ()), "b": ("", ("a",))})
            client.create(workload.create_request(client.parent, job_id, pipeline))

        def begun() -> list[str]:
            return [line.task for line in workload.read_ledger(ledger) if line.word == "begin"]

        submit("held", f"while ! test -e {gate}; do sleep 0.02; done")
        submit("endless", "sleep 300")
        until(lambda: len(begun()) == 2)
        for jump, shift_ns in enumerate((5 * _HOUR_NS, -5 * _HOUR_NS, 0)):
            clock.shift_ns = shift_ns
            submit(f"after-{jump}", "")
            assert client.wait(f"after-{jump}", 60).state == states.PIPELINE_STATE_SUCCEEDED
        clock.shift_ns = -5 * _HOUR_NS
        operation = client.batch_cancel(["endless"])
        assert client.wait_operation(operation.name, 60).done
        assert client.get("endless").state == states.PIPELINE_STATE_CANCELLED
        gate.touch()
        assert client.wait("held", 60).state == states.PIPELINE_STATE_SUCCEEDED
        marks = [line.mark for line in workload.read_ledger(ledger) if line.word == "begin"]
        assert len(marks) == len(set(marks)) == 2 + 3 * 2 + 1, "nothing ran twice"
        assert len(list(client.list())) == 5
