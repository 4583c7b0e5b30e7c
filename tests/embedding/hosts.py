"""A host's own process, as far as a test needs one: its server, synchronous or asyncio, with Reprise mounted in it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from reprise import PipelineService
from reprise.pb.v1 import pipeline_service_pb2 as service

KINDS = ("sync", "asyncio")


@contextmanager
def hosted(reprise: PipelineService, kind: str, threads: int = 4) -> Iterator[str]:
    """The address of a host's server. Stopped in the order that the example shows."""
    with _serving(reprise, kind, threads) as address:
        reprise.start()
        yield address


@contextmanager
def _serving(reprise: PipelineService, kind: str, threads: int) -> Iterator[str]:
    if kind == "sync":
        server = grpc.server(ThreadPoolExecutor(threads))
        reprise.mount(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stopped = server.stop(5)
            reprise.end_streams()
            stopped.wait()
            reprise.stop()
        return
    host = _AsyncioHost(reprise, threads)
    try:
        yield f"127.0.0.1:{host.port}"
    finally:
        host.stop()
        reprise.stop()


class _AsyncioHost:
    def __init__(self, reprise: PipelineService, threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._reprise = reprise
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._run(self._start(threads))

    async def _start(self, threads: int) -> int:
        self._server = grpc.aio.server(migration_thread_pool=ThreadPoolExecutor(threads))
        self._reprise.mount(self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return port

    async def _stop(self) -> None:
        stopping = asyncio.ensure_future(self._server.stop(5))
        await asyncio.sleep(0)
        self._reprise.end_streams()
        await stopping

    def stop(self) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


def create_request(parent: str, *scripts: str, job_id: str = "") -> service.CreatePipelineJobRequest:
    """A run of shell scripts, one after the other."""
    return service.CreatePipelineJobRequest(
        parent=parent,
        pipeline_job_id=job_id,
        pipeline_job={"pipeline_spec": json_format.ParseDict(_spec(scripts), struct_pb2.Struct())},
    )


def _spec(scripts: Sequence[str]) -> dict[str, Any]:
    names = [f"step-{number}" for number in range(1, len(scripts) + 1)]
    tasks = {
        name: {
            "taskInfo": {"name": name},
            "componentRef": {"name": f"comp-{name}"},
            **({"dependentTasks": [before]} if before else {}),
        }
        for name, before in zip(names, ["", *names], strict=False)
    }
    return {
        "pipelineInfo": {"name": "scripts"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.13.0",
        "deploymentSpec": {
            "executors": {
                f"exec-{name}": {"container": {"image": "none", "command": ["sh", "-c", script]}}
                for name, script in zip(names, scripts, strict=True)
            }
        },
        "components": {f"comp-{name}": {"executorLabel": f"exec-{name}"} for name in names},
        "root": {"dag": {"tasks": tasks}},
    }
