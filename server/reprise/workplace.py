"""Where tasks run: the executor that starts attempts, what makes them ready, and who looks after earlier ones.

Invariant: an attempt that was started by one of the server's own executors is looked after by it, whichever starts the
new ones.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprise.domain.errors import FieldProblem, InvalidArgument, Unavailable
from reprise.executor.container import ContainerExecutor
from reprise.executor.container_launch import ContainerMaker
from reprise.executor.container_spec import ContainerConfigInvalid, checked_host_config
from reprise.executor.contract import Capability, Executor
from reprise.executor.engine_api import EngineApi, default_socket
from reprise.executor.environment import HostEnvironment, ManagedEnvironments
from reprise.executor.images import Images
from reprise.executor.launch import AttemptMaker, HostMaker, Limits
from reprise.executor.subprocess import SubprocessExecutor
from reprise.plugins import ExecutorMaker, ExecutorPlace, make_executor
from reprise.scheduler.admission import HostCapacity


@dataclass(frozen=True, slots=True)
class WantedWorkplace:
    """What the settings of a server say of it; see there."""

    data_dir: Path
    executor: str = "subprocess"
    container_socket: str = ""
    container_host_config: str = ""
    environments: str = "managed"
    task_python: str = sys.executable
    task_env: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 10.0
    task_timeout_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Workplace:
    executor: Executor
    maker: AttemptMaker
    earlier: Sequence[Executor]


def make_workplace(
    wanted: WantedWorkplace, executor: Executor | ExecutorMaker | str | None = None
) -> Workplace:
    """`executor`: instead of the one that is wanted by name.

    Errors: InvalidArgument for a setting that is no such thing, Unavailable where the engine does not answer.
    """
    data_dir = wanted.data_dir
    subprocesses = SubprocessExecutor(data_dir)
    api = _engine(wanted.container_socket)
    images = Images(api)
    try:
        host_config = checked_host_config(wanted.container_host_config)
    except ContainerConfigInvalid as error:
        raise InvalidArgument(FieldProblem("container_host_config", str(error))) from error
    containers = ContainerExecutor(data_dir, api, images, host_config=host_config)
    limits = Limits(grace_s=wanted.grace_s, timeout_s=wanted.task_timeout_s)
    chosen = executor or wanted.executor
    if chosen == "container":
        engine = containers.capabilities()[0]
        if not engine.is_available:
            raise Unavailable(f"the executor 'container' cannot be used: {engine.detail}")
        devices = not {"DeviceRequests", "Devices"}.isdisjoint(host_config)
        return Workplace(
            containers, ContainerMaker(images, limits, wanted.task_env, devices), (subprocesses,)
        )
    own: Executor = subprocesses
    if chosen != "subprocess":
        own = make_executor(chosen, ExecutorPlace(data_dir))
    folder = data_dir / "environments"
    is_host = wanted.environments == "host"
    maker = HostMaker(
        environments=(
            HostEnvironment(Path(wanted.task_python), folder) if is_host else ManagedEnvironments(own, folder)
        ),
        limits=limits,
        task_env=wanted.task_env,
        are_devices_vouched=is_host,
    )
    earlier = [one for one in (subprocesses, containers) if one.name != own.name]
    return Workplace(own, maker, earlier)


def capabilities(container_socket: str = "") -> list[Capability]:
    """What this host can do for tasks, tried. Blocks for some milliseconds, as long as an engine takes to answer."""
    with tempfile.TemporaryDirectory(prefix="reprise-doctor-") as name:
        folder = Path(name)
        subprocesses = SubprocessExecutor(folder).capabilities()
        api = _engine(container_socket)
        containers = ContainerExecutor(folder, api, Images(api)).capabilities()
    native_library = subprocesses[0]
    capacity = HostCapacity.of_this_host()
    has_pip = all(importlib.util.find_spec(module) is not None for module in ("venv", "ensurepip"))
    managed = (
        "what a component installs with pip goes into an environment made once (needs a package index)"
        if has_pip
        else "the modules venv and ensurepip are missing; install python3-venv, or use --environments host"
    )
    host = (
        "components run in --task-python as it is: their pip install lines are left undone, so what they ask for "
        "has to be there"
    )
    together = (
        f"{capacity.cpus:g} CPUs, {capacity.memory_bytes / 2**30:.1f} GiB: what tasks may request together"
    )
    return [
        Capability(
            "executor subprocess", native_library.is_available, "commands run on this host, without images"
        ),
        *containers,
        Capability("environments managed", has_pip, managed),
        Capability("environments host", True, host),
        *subprocesses,
        Capability("room for tasks", True, together),
    ]


def _engine(socket: str) -> EngineApi:
    return EngineApi(Path(socket) if socket else default_socket())
