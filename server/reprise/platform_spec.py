"""The second document of a compiled pipeline: what it asks of Kubernetes.

Invariant: what would change the meaning of a task (volumes, secrets, pod metadata that a cluster acts on) is refused;
what only says how a cluster places or pulls a pod is accepted, and so is what is marked as optional. The deadline of a
pod is that of an attempt here: each attempt is a pod of its own there, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format, struct_pb2

from reprise.domain.errors import FieldProblem

# Of an executor's config: how a cluster places or pulls a pod, not what the task does.
_COSMETIC = frozenset(
    {"imagePullSecret", "imagePullPolicy", "nodeSelector", "tolerations", "nodeAffinity", "podAffinity"}
)
# Names of variables that come from outside: an operator can vouch for them.
_ENVIRONMENT = frozenset({"secretAsEnv", "configMapAsEnv"})


_DEADLINES = ("activeDeadlineSeconds", "active_deadline_seconds")
_LONGEST_DEADLINE_S = 1_000_000_000  # some thirty years


@dataclass(slots=True)
class PlatformCheck:
    problems: list[FieldProblem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    needs_workspace: bool = False
    timeouts_s: dict[str, int] = field(default_factory=dict)  # of each attempt, by the label of the executor


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
                place_of_it = f"{at}.deploymentSpec.executors[{label!r}].{feature}"
                if feature in _DEADLINES:
                    _take_deadline(check, place_of_it, label, value)
                else:
                    _check_feature(check, place_of_it, feature, value, is_environment_vouched)
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


def _take_deadline(check: PlatformCheck, at: str, label: str, value: Any) -> None:
    # An int64, which protobuf's JSON writes as text. 0: none, as KFP has it.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = f"{value:.17g}" if is_number else str(value)
    if not (text.isascii() and text.isdigit()) or int(text) > _LONGEST_DEADLINE_S:
        check.problems.append(
            FieldProblem(at, f"expected whole seconds, {_LONGEST_DEADLINE_S} at most; got {text[:40]!r}")
        )
    elif int(text) > 0:
        check.timeouts_s[label] = int(text)


def _is_optional(value: Any) -> bool:
    entries = value if isinstance(value, list) else [value]
    return all(isinstance(entry, dict) and entry.get("optional") is True for entry in entries)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
