"""A platform's own backend with Reprise inside: one process, one gRPC server, and Google's SDK beside it.

    python examples/backend/backend.py --data-dir ./data --listen 127.0.0.1:0 --token s3cret=team-a [--asyncio]

What a host brings along: an authorizer (`Tokens`: each team has a token for its own project) and an executor
(`AuditedExecutor`: the one that comes with Reprise, with a line in the platform's books for every start). Prints where
it listens, then `ready`; ends with SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import reprise
from google.cloud import aiplatform_v1  # defines google.cloud.aiplatform.v1.PipelineJob in this very process
from google.cloud.aiplatform_v1.services.pipeline_service import transports
from reprise.executor.subprocess import SubprocessExecutor


class Tokens:
    """Each token is for one project. See `reprise.Authorizer`."""

    def __init__(self, project_of: Mapping[str, str]) -> None:
        self._project_of = project_of

    def authorize(
        self, caller: reprise.Caller, permission: reprise.Permission, parent: reprise.Parent
    ) -> None:
        token = caller.metadata.get("authorization", "").removeprefix("Bearer ")
        project = self._project_of.get(token)
        if project is None:
            raise reprise.Unauthenticated("expected `authorization: Bearer TOKEN`")
        if project != parent.project:
            raise reprise.PermissionDenied(f"{permission} is not granted in project {parent.project}")


class AuditedExecutor(SubprocessExecutor):
    """See `reprise.Executor` for what each method guarantees."""

    name = "audited"

    def __init__(self, place: reprise.ExecutorPlace) -> None:
        super().__init__(place.data_dir)
        self._book = place.data_dir / "starts.log"

    async def start(self, spec: reprise.AttemptSpec, handle: bytes) -> None:
        with self._book.open("a") as book:
            book.write(f"run {spec.run_id} task {spec.task_id} attempt {spec.number}: {spec.image}\n")
        await super().start(spec, handle)


def serve(service: reprise.PipelineService, address: str, token: str, project: str) -> None:
    """In a synchronous server."""
    server = grpc.server(ThreadPoolExecutor(8))
    service.mount(server)
    port = server.add_insecure_port(address)
    server.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with service:
        announce(port, token, project)
        stop.wait()
        stopped = server.stop(grace=2)
        service.end_streams()
        stopped.wait()


async def serve_asyncio(service: reprise.PipelineService, address: str, token: str, project: str) -> None:
    """The same in an asyncio server."""
    server = grpc.aio.server()
    service.mount(server)
    port = server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    service.start()
    try:
        await asyncio.to_thread(announce, port, token, project)
        await stop.wait()
        stopping = asyncio.create_task(server.stop(grace=2))
        service.end_streams()
        await stopping
    finally:
        await asyncio.to_thread(service.stop)


def announce(port: int, token: str, project: str) -> None:
    """Ask ourselves, by Google's client: its messages and ours in one process, on two sides of one call."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        client = aiplatform_v1.PipelineServiceClient(
            transport=transports.PipelineServiceGrpcTransport(channel=channel)
        )
        runs = client.list_pipeline_jobs(
            parent=f"projects/{project}/locations/local", metadata=[("authorization", f"Bearer {token}")]
        )
        print(f"runs {len(list(runs))}", flush=True)
    print(f"grpc 127.0.0.1:{port}\nready", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--token", action="append", required=True, metavar="TOKEN=PROJECT")
    parser.add_argument("--asyncio", action="store_true")
    arguments = parser.parse_args()
    project_of = dict(text.split("=", 1) for text in arguments.token)
    token, project = next(iter(project_of.items()))

    settings = reprise.Settings(arguments.data_dir, environments="host")
    service = reprise.PipelineService(settings, executor=AuditedExecutor, authorizer=Tokens(project_of))
    if arguments.asyncio:
        asyncio.run(serve_asyncio(service, arguments.listen, token, project))
    else:
        serve(service, arguments.listen, token, project)


if __name__ == "__main__":
    main()
