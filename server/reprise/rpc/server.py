"""The gRPC server: ports, limits, health. Every limit of grpc's is set here, none is left to its default.

Invariant: after `stop` no handler runs any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.registration import OPERATIONS, SERVICES, WaitingRoom, generic_handlers
from reprise.rpc.task_log import LogReader
from reprise.rpc.tls import ServerCertificate

if TYPE_CHECKING:
    from reprise.service import PipelineService

_SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes on at once; what is more is refused with RESOURCE_EXHAUSTED.

    `workers`: calls answered at once. `waiting_calls`: followed logs and waits for operations, beside them.
    `concurrent_calls`: all calls, those that wait for a worker included.
    """

    receive_bytes: int = 64 * 1024 * 1024
    send_bytes: int = 2**31 - 1
    workers: int = 16
    waiting_calls: int = 64
    concurrent_calls: int = 1000
    metadata_bytes: int = 16 * 1024


class GrpcServer:
    """Ports are bound before `start`, so that whoever asks for port 0 knows the address first."""

    def __init__(self, service: PipelineService, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._logs = LogReader()
        self._waiting = WaitingRoom(limits.waiting_calls)
        self._workers = ThreadPoolExecutor(limits.workers, thread_name_prefix="reprise-rpc")
        self._server = grpc.server(
            self._workers,
            handlers=generic_handlers(
                PipelineHandlers(service, self._logs), OperationHandlers(service), self._waiting
            ),
            maximum_concurrent_rpcs=limits.concurrent_calls,
            options=(
                ("grpc.max_receive_message_length", limits.receive_bytes),
                ("grpc.max_send_message_length", limits.send_bytes),
                ("grpc.max_metadata_size", limits.metadata_bytes),
                ("grpc.absolute_max_metadata_size", 2 * limits.metadata_bytes),
                # Two servers on one port would each answer some of the calls.
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ),
        )
        self._health = health.HealthServicer(experimental_thread_pool=self._waiting.pool)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def listen(self, address: str) -> str:
        """Bind without TLS; gives the address with the port really bound. Errors: OSError."""
        return _bound(address, _bind(lambda: self._server.add_insecure_port(address), address))

    def listen_tls(self, address: str, certificate: ServerCertificate) -> str:
        """Bind with TLS; gives the address with the port really bound. Errors: OSError."""
        credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.chain_pem)])
        return _bound(address, _bind(lambda: self._server.add_secure_port(address, credentials), address))

    def start(self) -> None:
        self._server.start()
        for name in ("", OPERATIONS, *SERVICES.values()):
            self._health.set(name, _SERVING)

    def stop(self, grace_s: float) -> None:
        """Take no more calls, give those that are there `grace_s` to end, then cut them off.

        Blocks until then.
        """
        self._health.enter_graceful_shutdown()
        self._logs.close()
        stopped: threading.Event = self._server.stop(grace_s)
        stopped.wait()
        self._workers.shutdown(wait=True)
        self._waiting.pool.shutdown(wait=True)


def _bind(bind: Callable[[], int], address: str) -> int:
    try:
        port = bind()
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from None
    if port == 0:
        raise OSError(f"cannot listen on {address}")
    return port


def _bound(address: str, port: int) -> str:
    if address.startswith(("unix:", "unix-abstract:")):
        return address
    host, _, _ = address.rpartition(":")
    return f"{host}:{port}"
