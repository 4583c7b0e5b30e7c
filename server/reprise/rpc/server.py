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

from reprise.rpc.edge import Edge
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.registration import OPERATIONS, SERVICES, VERTEX_METHODS, generic_handlers
from reprise.rpc.standard import StandardServices
from reprise.rpc.task_log import LogReader
from reprise.rpc.waiting_room import WaitingRoom
from reprise.rpc.watch import Watches

if TYPE_CHECKING:
    from reprise.rpc.tls import ServerCertificate
    from reprise.service import PipelineService


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes on at once; what is more is refused with RESOURCE_EXHAUSTED.

    `workers`: calls answered at once. Beside them, `readers`: those that read one run or operation; `waiting_calls`:
    watches, followed logs and waits for operations.
    `concurrent_calls`: all calls, those that wait for a worker included.
    """

    receive_bytes: int = 64 * 1024 * 1024
    send_bytes: int = 2**31 - 1
    workers: int = 16
    readers: int = 4
    waiting_calls: int = 600
    concurrent_calls: int = 2000
    metadata_bytes: int = 16 * 1024


@dataclass(frozen=True, slots=True)
class Connections:
    """How long connections are kept. 0: for ever, or never.

    `keepalive_s`: a connection on which nothing has come for so long is asked whether it lives, and closed without an
    answer within `keepalive_timeout_s`. `idle_s`, `age_s`: closed when nothing has been called for so long, or at that
    age (calls under way have `age_grace_s` to end), so that callers spread over new servers.
    """

    keepalive_s: float = 60.0
    keepalive_timeout_s: float = 20.0
    idle_s: float = 0.0
    age_s: float = 0.0
    age_grace_s: float = 60.0

    def options(self) -> tuple[tuple[str, int], ...]:
        given = (
            ("grpc.keepalive_time_ms", self.keepalive_s),
            ("grpc.keepalive_timeout_ms", self.keepalive_timeout_s),
            # grpc waits for the longer of the two, and has a minute for this one.
            ("grpc.http2.ping_timeout_ms", self.keepalive_timeout_s),
            ("grpc.max_connection_idle_ms", self.idle_s),
            ("grpc.max_connection_age_ms", self.age_s),
            ("grpc.max_connection_age_grace_ms", self.age_grace_s),
        )
        return tuple((name, int(seconds * 1000) if seconds > 0 else _NEVER_MS) for name, seconds in given)


_NEVER_MS = 2**31 - 1


class GrpcServer:
    """Ports are bound before `start`, so that whoever asks for port 0 knows the address first."""

    def __init__(
        self,
        service: PipelineService,
        limits: Limits | None = None,
        edge: Edge | None = None,
        connections: Connections | None = None,
    ) -> None:
        limits = limits or Limits()
        self._logs = LogReader()
        self._watches = Watches()
        self._waiting = WaitingRoom(limits.waiting_calls)
        self._workers = ThreadPoolExecutor(limits.workers, thread_name_prefix="reprise-rpc")
        self._readers = ThreadPoolExecutor(limits.readers, thread_name_prefix="reprise-read")
        self._standard = StandardServices(
            (OPERATIONS, *SERVICES.values()), frozenset(VERTEX_METHODS), self._waiting
        )
        self._server = grpc.server(
            self._workers,
            handlers=(
                *generic_handlers(
                    PipelineHandlers(service, self._logs, self._watches, edge),
                    OperationHandlers(service, edge),
                    self._waiting,
                    edge,
                    readers=self._readers,
                ),
                *self._standard.handlers(),
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
                # It would tell everybody who calls, and from where.
                ("grpc.enable_channelz", 0),
                *(connections or Connections()).options(),
            ),
        )

    def listen(self, address: str) -> str:
        """Bind without TLS; gives the address with the port really bound. Errors: OSError."""
        return _bound(address, _bind(lambda: self._server.add_insecure_port(address), address))

    def listen_tls(self, address: str, certificate: ServerCertificate) -> str:
        """Bind with TLS; gives the address with the port really bound. Errors: OSError."""
        credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.chain_pem)])
        return _bound(address, _bind(lambda: self._server.add_secure_port(address, credentials), address))

    def start(self) -> None:
        self._server.start()
        self._standard.start()

    def stop(self, grace_s: float) -> None:
        """Take no more calls, give those that are there `grace_s` to end, then cut them off.

        Watches and followed logs are ended at once: their callers go on elsewhere from where they were. Blocks.
        """
        self._standard.stop()
        stopped: threading.Event = self._server.stop(grace_s)
        self._logs.close()
        self._watches.close()
        stopped.wait()
        self._workers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
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
