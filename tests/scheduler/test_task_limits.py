"""Limits on the tasks of a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reprise.client import Client, create_request, load_pipeline
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served


def _create(client: Client, folder: Path, container: Mapping[str, Any], tasks: int) -> str:
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "limited"},
        "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "none", **container}}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "root": {
            "dag": {
                "tasks": {
                    f"task-{number}": {
                        "taskInfo": {"name": f"task-{number}"},
                        "componentRef": {"name": "comp-a"},
                    }
                    for number in range(tasks)
                }
            }
        },
    }
    path = folder / f"pipeline-{tasks}.json"
    path.write_text(json.dumps(spec))
    return client.create(create_request(load_pipeline(path), {})).name


def test_a_task_that_requests_more_than_the_host_has_fails_and_says_what_there_is(
    server: Served, tmp_path: Path
) -> None:
    container = {"command": ["true"], "resources": {"cpuRequest": 1000.0}}
    with Client(server.grpc) as client:
        job = client.wait(_create(client, tmp_path, container, 1), 30)
    assert job.state == states.PIPELINE_STATE_FAILED
    words = " ".join(task.error.message for task in job.job_detail.task_details) + job.error.message
    assert "requests 1000 CPUs, and this host has" in words


def test_no_more_tasks_of_a_run_are_there_at_once_than_its_limit_and_a_cancel_ends_those_that_wait_at_once(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve("--max-parallel-tasks=6", "--max-parallel-tasks-per-run=2", "--grace=0.2")
    ledger = tmp_path / "ledger"
    script = f"echo start >> {ledger}; sleep 0.05; echo end >> {ledger}"
    forever = f"echo $$ >> {ledger}.forever; sleep 1000"
    with Client(server.grpc) as client:
        job = client.wait(_create(client, tmp_path, {"command": ["sh", "-c", script]}, 8), 60)
        assert job.state == states.PIPELINE_STATE_SUCCEEDED
        running = most = 0
        for line in ledger.read_text().split():
            running += 1 if line == "start" else -1
            most = max(most, running)
        assert (running, most) == (0, 2)
        name = _create(client, tmp_path, {"command": ["sh", "-c", forever]}, 200)
        deadline = time.monotonic() + 30
        begun = Path(f"{ledger}.forever")
        while not begun.exists() or len(begun.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        client.cancel(name)
        job = client.wait(name, 30)
    assert job.state == states.PIPELINE_STATE_CANCELLED
    assert len(begun.read_text().split()) == 2, "of those that waited none has begun"
