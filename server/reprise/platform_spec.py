"""The second document of a compiled pipeline: what it asks of Kubernetes.

Invariant: what would change the meaning of a task (volumes, secrets, pod metadata that a cluster acts on) is refused;
what only says how a cluster places, pulls or times a pod is accepted, and so is what is marked as optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2

from reprise.domain.errors import FieldProblem

# Of an executor's config: how a cluster places, pulls or times a pod, not what the task does.
_COSMETIC = frozenset(
    {"imagePullSecret", "imagePullPolicy", "nodeSelector", "tolerations", "nodeAffinity", "podAffinity"}
)
# Names of variables that come from outside: an operator can vouch for them.
_ENVIRONMENT = frozenset({"secretAsEnv", "configMapAsEnv"})


@dataclass(slots=True)
class PlatformCheck:
    problems: list[FieldProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    needs_workspace: bool = False


def check_platform_spec(platform_spec: bytes, place: str, is_environment_vouched: bool) -> PlatformCheck:
    """What stands in the way of running this here. `platform_spec`: Struct bytes, or b"".

    `is_environment_vouched`: the operator answers for the tasks' environment, so variables that a cluster would fill
    from secrets or config maps are left as the host has them, with a warning.
    """
    check = PlatformCheck()
    if not platform_spec:
        return check
    document = json_format.MessageToDict(struct_pb2.Struct.FromString(platform_spec))
    for platform, held in _mapping(document.get("platforms")).items():
        at = f"{place}.platforms[{platform!r}]"
        if platform != "kubernetes":
            check.problems.append(FieldProblem(at, "expected 'kubernetes': no other platform is known"))
            continue
        content = _mapping(held)
        check.needs_workspace |= "workspace" in _mapping(content.get("pipelineConfig"))
        executors = _mapping(_mapping(content.get("deploymentSpec")).get("executors"))
        for label, config in executors.items():
            for feature, value in _mapping(config).items():
                _check_feature(
                    check,
                    f"{at}.deploymentSpec.executors[{label!r}].{feature}",
                    feature,
                    value,
                    is_environment_vouched,
                )
    return check


def _check_feature(
    check: PlatformCheck, at: str, feature: str, value: Any, is_environment_vouched: bool
) -> None:
    if feature in _COSMETIC or not value or _is_optional(value):
        return
    if feature in _ENVIRONMENT and is_environment_vouched:
        check.warnings.append(f"{at}: the variables are left as the host has them")
        return
    check.problems.append(
        FieldProblem(at, "needs Kubernetes: this server cannot give the task what it asks for")
    )


def _is_optional(value: Any) -> bool:
    entries = value if isinstance(value, list) else [value]
    return all(isinstance(entry, dict) and entry.get("optional") is True for entry in entries)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
