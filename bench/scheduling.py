"""What scheduling costs: a fan-out of tasks, run by an executor that does nothing, everything durable in SQLite.

    python bench/scheduling.py [--tasks 10000] [--at-once 256] [--rounds 7]

Prints microseconds a task from Create to SUCCEEDED, median with min and max over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2
from reprise.artifact.local import LocalArtifacts
from reprise.domain.commands import CreateRun
from reprise.domain.names import Parent
from reprise.domain.run import FailurePolicy
from reprise.domain.states import RunState
from reprise.executor.contract import AttemptSpec, Capability, Cause, Exit, Starting
from reprise.executor.launch import NO_VIEWS, Views
from reprise.main import settle_collector
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.rpc.task_details import task_details
from reprise.scheduler.admission import TaskLimits
from reprise.scheduler.scheduler import Scheduler, SchedulerSettings
from reprise.service import PipelineService
from reprise.store.open import open_store


class NothingExecutor:
    """Every attempt has ended as soon as it has started."""

    name = "nothing"

    async def open(self) -> None: ...

    def handle(self, spec: AttemptSpec) -> bytes:
        return b"nothing"

    async def start(self, spec: AttemptSpec, handle: bytes) -> None: ...

    async def wait(self, handle: bytes) -> Exit:
        await asyncio.sleep(0)
        return _SUCCESS

    def start_batch(self, attempts: Sequence[Starting]) -> None:
        asyncio.get_running_loop().call_soon(_end, attempts)

    async def cancel(self, handle: bytes) -> None: ...

    def release(self, handles: Sequence[bytes]) -> None: ...

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None: ...

    def capabilities(self) -> list[Capability]:
        return []

    async def close(self) -> None: ...


_SUCCESS = Exit(cause=Cause.EXITED, exit_code=0)


def _end(attempts: Sequence[Starting]) -> None:
    for attempt in attempts:
        attempt.ended(_SUCCESS)


class NothingMaker:
    """No environment, no files."""

    async def make(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec:
        return self.make_at_once(
            launch, rendered, run_id=run_id, number=number, attempt_dir=attempt_dir, views=views
        )

    def make_at_once(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec:
        return AttemptSpec(run_id, launch.task_id, number, attempt_dir, ("true",), {}, attempt_dir, "", 1.0)


def fan_out(tasks: int) -> bytes:
    """A spec of one component, run by `tasks` tasks that depend on nothing."""
    spec: Mapping[str, Any] = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "fan-out"},
        "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "none", "command": ["true"]}}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "root": {
            "dag": {
                "tasks": {
                    f"task-{i}": {"taskInfo": {"name": f"task-{i}"}, "componentRef": {"name": "comp-a"}}
                    for i in range(tasks)
                }
            }
        },
    }
    return json_format.ParseDict(spec, struct_pb2.Struct()).SerializeToString()


def one_round(spec: bytes, tasks: int, at_once: int) -> float:
    """Seconds from Create to SUCCEEDED."""
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        store = open_store(data_dir)
        artifacts = LocalArtifacts()
        executor = NothingExecutor()
        scheduler = Scheduler(
            store=store,
            executor=executor,
            maker=NothingMaker(),
            artifacts=artifacts,
            encode_details=task_details,
            now_ns=time.time_ns,
            settings=SchedulerSettings(data_dir=data_dir, owner="bench", limits=TaskLimits(at_once)),
        )
        service = PipelineService(
            store, artifacts, data_dir, time.time_ns, lambda: str(time.time_ns()), scheduler.wake
        )
        scheduler.start()
        parent = Parent("bench", "local")
        command = CreateRun(parent, "", "", {}, spec, b"", {}, False, {}, "", FailurePolicy.FAIL_SLOW, b"")
        began = time.perf_counter()
        # Told after each commit: to ask again and again would take the interpreter from what is measured.
        has_changed = threading.Event()
        store.add_listener(lambda _run_id: has_changed.set())
        run = service.create(command)
        created = time.perf_counter()
        while not store.get_run(run.name).state.is_terminal:
            has_changed.wait()
            has_changed.clear()
        seconds = time.perf_counter() - created
        state = store.get_run(run.name).state
        scheduler.stop()
        store.close()
        assert state is RunState.SUCCEEDED, state
        print(f"  create {created - began:.3f} s, run {seconds:.3f} s, {seconds / tasks * 1e6:.0f} us a task")
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    spec = fan_out(options.tasks)
    settle_collector()  # as `reprise serve` does
    rounds = [
        one_round(spec, options.tasks, options.at_once) / options.tasks * 1e6 for _ in range(options.rounds)
    ]
    print(
        f"{options.tasks} tasks, {options.at_once} at once: {statistics.median(rounds):.0f} us a task "
        f"(min {min(rounds):.0f}, max {max(rounds):.0f})"
    )


if __name__ == "__main__":
    main()
