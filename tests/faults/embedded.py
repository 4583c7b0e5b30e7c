"""A whole server in the test's process, with runs whose tasks keep a ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reprise.client import Client
from reprise.main import Server, Settings

from . import workload

WITHIN_S = 60.0


class Embedded:
    def __init__(self, server: Server, data_dir: Path, ledger: Path) -> None:
        self.server = server
        self.data_dir = data_dir
        self.ledger = ledger
        self.client = Client(server.grpc_address, outage_s=0.0, sleep=lambda s: time.sleep(min(s, 0.02)))

    def submit(
        self,
        job_id: str,
        tasks: dict[str, Any],
        failure_policy: int = 0,
        memory_limit_gb: float = 0.0,
    ) -> None:
        """`memory_limit_gb`: of each task; 0: none."""
        pipeline = workload.spec(tasks)
        if memory_limit_gb:
            for executor in pipeline["deploymentSpec"]["executors"].values():
                executor["container"]["resources"] = {"memoryLimit": memory_limit_gb}
        request = workload.create_request(self.client.parent, job_id, pipeline)
        request.pipeline_job.runtime_config.failure_policy = failure_policy  # type: ignore[assignment]
        self.client.create(request)

    def state(self, job_id: str) -> int:
        return self.client.get(job_id, ("state",)).state

    def begun(self) -> list[str]:
        return [line.task for line in workload.read_ledger(self.ledger) if line.word == "begin"]


@contextmanager
def embedded(data_dir: Path, ledger: Path, **settings: Any) -> Iterator[Embedded]:
    wanted = Settings(
        data_dir,
        grpc="127.0.0.1:0",
        environments="host",
        grace_s=0.3,
        task_env={"LEDGER": str(ledger)},
        **settings,
    )
    with Server(wanted) as server:
        stage = Embedded(server, data_dir, ledger)
        try:
            yield stage
        finally:
            stage.client.close()


def until(is_so: Callable[[], bool]) -> None:
    """For what only another process can tell."""
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
