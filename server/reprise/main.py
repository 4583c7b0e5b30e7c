"""The composition root: with `running`, all that knows every class. Builds a server, starts it, ends it in order.

Invariant: what `start` has opened is closed by `stop`, in the opposite order, also when `start` fails half
way; runs and attempts are let go of, never ended.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import grpc

from reprise.artifact.places import COPIES_AT_MOST_BYTES, ArtifactPlaces
from reprise.domain.authorization import Authorizer
from reprise.domain.cache import CacheAge
from reprise.domain.names import Parent, Projects
from reprise.executor.contract import Executor
from reprise.plugins import ExecutorMaker, make_authorizer
from reprise.rpc.edge import Edge
from reprise.rpc.encode import effective_header
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.limits import RequestLimits
from reprise.rpc.registration import generic_handlers
from reprise.rpc.server import Connections, GrpcServer, Limits
from reprise.rpc.task_log import LogReader
from reprise.rpc.waiting_room import WaitingRoom
from reprise.rpc.watch import Watches
from reprise.service import PipelineService as UseCases
from reprise.store.contract import Store
from reprise.store.open import open_store

if TYPE_CHECKING:
    from reprise.scheduler.scheduler import Scheduler

_log = logging.getLogger("reprise")

_DEFAULT_PARENT = Parent("default", "local")
_YOUNG_OBJECTS = 20_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses are HOST:PORT, port 0 for any free one, or unix:PATH for gRPC; an empty one is not served.

    `max_tasks`, `max_tasks_per_project`, `max_tasks_per_run`: tasks at once, over all runs, of one project, of one
    run; 0: as many as the wider limit allows. `container_socket`: where the engine of the executor `container`
    listens, empty: where one usually does; `container_host_config`: JSON for every container's HostConfig. `grace_s`:
    between SIGTERM and SIGKILL of a task that is cancelled. `task_timeout_s`: what an attempt may take, 0: any time.
    `drain_s`: for calls under way when the server stops.
    `task_env`: environment of the tasks, beside what they need. `project_aliases`: other names of projects, by the
    name. `http_hosts`: names by which the HTTP port may be called beside its own. `store`: the URL of a database;
    empty: SQLite in the data directory. `executor`: subprocess, container, or the name of a plug-in; `authorizer`: of
    a plug-in, without which everybody may do everything (see `reprise.plugins`).
    `salts`: of projects, by name; a task's key holds that of its project, so another one makes all tasks run again.
    `retention_s`: how long an operation that is done can still be asked for, and a request id is known.
    `cache_max_age_s`: older outcomes of other runs answer no task; 0: no limit.
    `storage_options`: by scheme, what the driver of an object store is made with. `most_copied_bytes`: for copies of
    what lies in object stores, beyond those in use.
    """

    data_dir: Path
    grpc: str = "127.0.0.1:50051"
    grpc_tls: str = ""
    http: str = ""
    max_tasks: int = 8
    max_tasks_per_project: int = 0
    max_tasks_per_run: int = 0
    container_socket: str = ""
    container_host_config: str = ""
    grace_s: float = 10.0
    task_timeout_s: float = 0.0
    drain_s: float = 5.0
    retention_s: float = 7 * 86_400.0
    environments: str = "managed"
    task_python: str = sys.executable
    task_env: Mapping[str, str] = field(default_factory=dict)
    storage_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    most_copied_bytes: int = COPIES_AT_MOST_BYTES
    default_parent: Parent = _DEFAULT_PARENT
    limits: Limits = field(default_factory=Limits)
    request_limits: RequestLimits = field(default_factory=RequestLimits)
    connections: Connections = field(default_factory=Connections)
    project_aliases: Mapping[str, str] = field(default_factory=dict)
    http_hosts: Sequence[str] = ()
    store: str = ""
    executor: str = "subprocess"
    authorizer: str = ""
    cache_max_age_s: float = 0.0
    salts: Mapping[str, str] = field(default_factory=dict)


class PipelineService:
    """Reprise inside a host's own process: mounted in the host's gRPC server, with the host's parts where it has them.

        service = PipelineService("./data")
        service.mount(server)        # a grpc.Server or a grpc.aio.Server, before it is started
        service.start()

    `start` and `stop` once each; usable as a context manager.
    """

    def __init__(
        self,
        settings: Settings | str | os.PathLike[str],
        *,
        executor: Executor | ExecutorMaker | str | None = None,
        authorizer: Authorizer | str | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`settings`: or a data directory alone. `executor`, `authorizer`: instead of those that the settings name.

        Opens the store; what is not started after that is to be stopped all the same.
        Errors: DataDirInUse, Unavailable; InvalidArgument for a setting, or for a plug-in that is not installed.
        """
        if not isinstance(settings, Settings):
            settings = Settings(Path(settings))
        self.settings = settings
        self._now_ns = now_ns
        self._executor = executor
        self._scheduler: Scheduler | None = None
        self._opened = ExitStack()
        self._logs = LogReader()
        self._watches = Watches()
        self._waiting = WaitingRoom(settings.limits.waiting_calls)
        self._readers = ThreadPoolExecutor(settings.limits.readers, thread_name_prefix="reprise-read")
        self.edge = Edge(
            Projects(settings.project_aliases),
            settings.request_limits,
            make_authorizer(authorizer if authorizer is not None else settings.authorizer),
        )
        data_dir = settings.data_dir.absolute()
        store = open_store(settings.store or data_dir, now_ns=now_ns)
        self._opened.callback(store.close)
        try:
            self._compose(store)
            if executor is not None or settings.executor != "subprocess" or settings.container_host_config:
                self._make_scheduler()  # what may be wrong with it is told at once
        except BaseException:
            self._opened.close()
            raise

    def mount(self, server: grpc.Server | grpc.aio.Server) -> None:
        """Serve the API, under its three names, and operations in the host's server. Before that is started."""
        server.add_generic_rpc_handlers(
            generic_handlers(
                PipelineHandlers(self.use_cases, self._logs, self._watches, self.edge),
                OperationHandlers(self.use_cases, self.edge),
                self._waiting,
                self.edge,
                readers=self._readers,
                is_asyncio=isinstance(server, grpc.aio.Server),
            )
        )

    def start(self) -> None:
        """Return when runs are claimed. Errors: whatever kept the executor from starting."""
        (self._scheduler or self._make_scheduler()).start()

    def end_streams(self) -> None:
        """End the watches and followed logs: to be called once the host's server takes no more calls."""
        self._logs.close()
        self._watches.close()

    def stop(self) -> None:
        """Let go of the runs, which go on, and close the store. After the host's server has stopped."""
        self.end_streams()
        self._waiting.pool.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._opened.close()

    def __enter__(self) -> PipelineService:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _compose(self, store: Store) -> None:
        settings = self.settings
        data_dir = settings.data_dir.absolute()
        self._store = store
        self._artifacts = ArtifactPlaces(
            data_dir / "copies", settings.storage_options, settings.most_copied_bytes
        )
        self._opened.callback(self._artifacts.close)
        self.use_cases = UseCases(
            store=store,
            artifacts=self._artifacts,
            data_dir=data_dir,
            now_ns=self._now_ns,
            unique=self._unique,
            wake=self._wake,
            is_environment_vouched=settings.environments == "host",
            effective_header=effective_header,
            cache_age=CacheAge(settings.cache_max_age_s),
            salts=settings.salts,
        )

    def _make_scheduler(self) -> Scheduler:
        # Loaded here: whoever only looks at runs has no use for it.
        from reprise.running import make_scheduler

        scheduler = make_scheduler(self.settings, self._store, self._artifacts, self._now_ns, self._executor)
        self._opened.callback(scheduler.stop)
        self._scheduler = scheduler
        return scheduler

    def _wake(self) -> None:
        if self._scheduler is not None:  # else it finds what there is when it starts
            self._scheduler.wake()

    def _unique(self) -> str:
        at = datetime.fromtimestamp(self._now_ns() / 1e9, UTC)
        return f"{at:%Y%m%d%H%M%S}-{secrets.token_hex(2)}"


class Server:
    """A whole server inside this process. `start` and `stop` once each; usable as a context manager."""

    def __init__(self, settings: Settings, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._settings = settings
        self._now_ns = now_ns
        self._opened = ExitStack()
        self.grpc_address = ""
        self.grpc_tls_address = ""
        self.http_address = ""
        self.ca_path: Path | None = None

    def start(self) -> None:
        """Return when calls are answered and runs are claimed.

        Errors: DataDirInUse, OSError for an address that is taken, Unavailable, InvalidArgument.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take no more calls, let those under way end, let go of the runs, close the store."""
        self._opened.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def _start(self) -> None:
        settings, opened = self._settings, self._opened
        service = PipelineService(settings, now_ns=self._now_ns)
        # Closed in the opposite order: first the calls, then the scheduler, then the store.
        opened.callback(service.stop)
        grpc_server = GrpcServer(service.use_cases, settings.limits, service.edge, settings.connections)
        opened.callback(grpc_server.stop, settings.drain_s)
        if settings.grpc:
            self.grpc_address = grpc_server.listen(settings.grpc)
        if settings.grpc_tls:
            # Loaded where it is used: cryptography takes a twentieth of the time that a server takes to be up.
            from reprise.rpc.tls import development_certificate

            certificate = development_certificate(settings.data_dir.absolute() / "tls", datetime.now(UTC))
            self.ca_path = certificate.ca_path
            self.grpc_tls_address = grpc_server.listen_tls(settings.grpc_tls, certificate)
        # Whoever only looks is answered while the rest is loaded, and what others submit is kept.
        grpc_server.start()
        http_server = None
        if settings.http:
            from reprise.rpc.http import HttpServer

            http_server = HttpServer(
                service.use_cases,
                settings.http,
                settings.default_parent,
                settings.limits.receive_bytes,
                edge=service.edge,
                more_hosts=settings.http_hosts,
            )
            opened.callback(http_server.stop, settings.drain_s)
            self.http_address = http_server.address
        # Every address is bound before the first run is touched.
        service.start()
        if http_server is not None:
            http_server.start()


def settle_collector() -> None:
    """Tell Python's garbage collector what a process is that does nothing but serve; a host's own is left alone.

    What is there when the server is up stays, so it is never looked through again. A call leaves some dozens of objects
    that refer to each other: looking for garbage every 700, as is usual, takes a tenth of the time of all calls.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
    gc.enable()


def serve(settings: Settings, started: Callable[[Server], None] = lambda _server: None) -> None:
    """Run a server until SIGTERM or SIGINT; a second signal ends the process at once. For the main thread.

    The process is taken to be the server's alone: see `settle_collector`.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    server = Server(settings)

    def let_the_next_one_kill(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    earlier = {
        number: signal.signal(number, let_the_next_one_kill) for number in (signal.SIGTERM, signal.SIGINT)
    }
    # Written to by whichever thread the signal reaches: a handler is for the main thread alone, which one that reaches
    # another does not wake.
    earlier_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        with server:
            settle_collector()
            started(server)
            os.read(reading, 1)
            _log.info("stopping")
    finally:
        signal.set_wakeup_fd(earlier_fd)
        for number, handler in earlier.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)
