"""What the engine is told to make for an attempt.

Invariant: the container sees of this host its own working and temporary folders, the places its outputs go to, and
its input artifacts read-only; each at the path that it has on the host, so that every path in its executor input is
true inside. Nothing else of the data directory is in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.executor.contract import AttemptSpec

LABEL = "io.reprise"
# What the server decides for every container: another value would lose an end, a log, or the proof of a death.
_OWN_HOST_CONFIG = frozenset(
    {"AutoRemove", "LogConfig", "Mounts", "PidMode", "RestartPolicy", "Cgroup", "ContainerIDFile"}
)
# The engine keeps this much of an output that nobody has read yet.
ENGINE_LOG_BYTES = 64 * 1024 * 1024


class ContainerConfigInvalid(ValueError):
    """What the operator wants of every container cannot be had."""


@dataclass(frozen=True, slots=True)
class ContainerHandle:
    """Finds the container of an attempt, and says how to end it. Made before anything is created."""

    name: str
    attempt_dir: str
    grace_s: float
    timeout_s: float | None
    memory_kills: int = 0  # of this host before the start

    def encode(self) -> bytes:
        return json.dumps(
            {
                "container": self.name,
                "attempt_dir": self.attempt_dir,
                "grace_s": self.grace_s,
                "timeout_s": self.timeout_s,
                "memory_kills": self.memory_kills,
            }
        ).encode()

    @classmethod
    def decode(cls, handle: bytes) -> ContainerHandle:
        content = json.loads(handle)
        return cls(
            content["container"],
            content["attempt_dir"],
            content["grace_s"],
            content["timeout_s"],
            content["memory_kills"],
        )

    def path(self, name: str) -> str:
        return f"{self.attempt_dir}/{name}"


def checked_host_config(text: str) -> Mapping[str, Any]:
    """The operator's part of each container's HostConfig, as JSON. Raises ContainerConfigInvalid."""
    if not text:
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ContainerConfigInvalid(f"container_host_config: not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ContainerConfigInvalid(
            "container_host_config: expected a JSON object, the HostConfig of the Docker Engine API"
        )
    taken = sorted(_OWN_HOST_CONFIG & set(config))
    if taken:
        raise ContainerConfigInvalid(f"container_host_config.{taken[0]} is the server's own to decide")
    return config


def create_body(
    spec: AttemptSpec, data_dir_id: str, working_dir: str, host_config: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The body of `POST /containers/create`. `working_dir`: the image's own, or ""."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "Labels": {
            f"{LABEL}.data-dir": data_dir_id,
            f"{LABEL}.run": str(spec.run_id),
            f"{LABEL}.task": str(spec.task_id),
            f"{LABEL}.attempt": str(spec.number),
        },
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": _host_config(spec, host_config),
    }
    if spec.argv:
        body["Entrypoint"] = list(spec.argv)
        body["Cmd"] = list(spec.args)
    elif spec.args:
        body["Cmd"] = list(spec.args)
    if not working_dir:
        body["WorkingDir"] = spec.cwd
    return body


def _host_config(spec: AttemptSpec, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    config: dict[str, Any] = {
        # The name that both Docker and Podman know, for a file on the engine's disk.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": f"{ENGINE_LOG_BYTES // 1024}k"}},
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Mounts": _mounts(spec),
    }
    if spec.cpu_limit > 0:
        config["NanoCpus"] = math.ceil(spec.cpu_limit * 1e9)
    if spec.cpu_request > 0:
        config["CpuShares"] = max(2, round(spec.cpu_request * 1024))
    if spec.memory_limit_bytes > 0:
        # No more swap than memory: what is over the limit is not to be paid in time either.
        config["Memory"] = config["MemorySwap"] = math.ceil(spec.memory_limit_bytes)
    if spec.memory_request_bytes > 0:
        config["MemoryReservation"] = math.ceil(spec.memory_request_bytes)
    return {**config, **wanted}


def _mounts(spec: AttemptSpec) -> list[Mapping[str, Any]]:
    writable = _outermost((f"{spec.attempt_dir}/work", f"{spec.attempt_dir}/tmp", *spec.write_paths))
    readable = [path for path in _outermost(spec.read_paths) if path.exists()]
    component = Path(spec.attempt_dir) / "component"
    if component.exists():
        readable.append(component)
    return [_bind(path, False) for path in writable] + [
        _bind(path, True) for path in readable if not any(path.is_relative_to(outer) for outer in writable)
    ]


def _bind(path: Path, is_read_only: bool) -> Mapping[str, Any]:
    return {"Type": "bind", "Source": str(path), "Target": str(path), "ReadOnly": is_read_only}


def _outermost(paths: Iterable[str]) -> list[Path]:
    """Those that do not lie below another."""
    found: list[Path] = []
    for path in sorted(set(map(Path, paths))):
        if not any(path.is_relative_to(outer) for outer in found):
            found.append(path)
    return found
