"""The plan of a rerun, whole.

Invariant: `tasks` are in the server's order: by id, dropped ones last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

GROUPS = (reruns.PlannedTask.DAG, reruns.PlannedTask.LOOP, reruns.PlannedTask.ITERATION)


@dataclass(frozen=True, slots=True)
class Plan:
    etag: str
    pipeline_name: str
    counts: Sequence[reruns.VerdictCount]
    warnings: Sequence[str]
    tasks: Sequence[reruns.PlannedTask]

    @property
    def leaves(self) -> list[reruns.PlannedTask]:
        """The tasks that run something, as against those that hold tasks."""
        return leaves_of(self.tasks)


def leaves_of(tasks: Iterable[reruns.PlannedTask]) -> list[reruns.PlannedTask]:
    """Those that run something."""
    return [task for task in tasks if task.kind not in GROUPS]


def verdict_name(verdict: int) -> str:
    """REUSE, EXECUTE, ...; "" where there is none."""
    return _short(states.Verdict.Name, verdict, "VERDICT_") if verdict else ""


def reason_name(reason: int) -> str:
    """UNCHANGED, KEY_CHANGED, ...; "" where there is none."""
    return _short(states.Reason.Name, reason, "REASON_") if reason else ""


def _short(name_of: Callable[[Any], str], number: int, prefix: str) -> str:
    try:
        return name_of(number).removeprefix(prefix)
    except ValueError:  # a newer server's
        return str(number)
