"""The plan of a rerun, whole, and as a graph.

Invariant: `tasks` are in the server's order: by id, dropped ones last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

_FILL = {
    "REUSE": "#c8e6c9",
    "RE_EVALUATE": "#e1bee7",
    "EXECUTE": "#bbdefb",
    "SKIP": "#b2ebf2",
    "NOT_TRIGGERED": "#eeeeee",
    "DROPPED": "#eeeeee",
}
_GROUPS = (reruns.PlannedTask.DAG, reruns.PlannedTask.LOOP, reruns.PlannedTask.ITERATION)


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
    return [task for task in tasks if task.kind not in _GROUPS]


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


def to_dot(plan: Plan) -> str:
    """The plan for Graphviz: tasks in the boxes of what holds them, an arrow from what caused a verdict."""
    lines = [
        "digraph plan {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
    ]
    children: dict[int, list[reruns.PlannedTask]] = {}
    for task in plan.tasks:
        if verdict_name(task.verdict) != "DROPPED":
            children.setdefault(task.parent_task_id, []).append(task)

    def put(parent: int, indent: str) -> None:
        for task in children.get(parent, ()):
            if task.kind in _GROUPS:
                lines.append(f"{indent}subgraph cluster_{task.task_id} {{")
                lines.append(f"{indent}  label={_quote(task.task_name)};")
                put(task.task_id, indent + "  ")
                lines.append(f"{indent}}}")
            else:
                verdict = verdict_name(task.verdict)
                label = f"{task.task_name}\n{verdict} {reason_name(task.reason)}"
                fill = _quote(_FILL.get(verdict, "#ffffff"))
                lines.append(f"{indent}t{task.task_id} [label={_quote(label)}, fillcolor={fill}];")

    put(0, "  ")
    lines += [f"  t{cause} -> t{task};" for cause, task in _arrows(plan)]
    lines.append("}")
    return "\n".join(lines)


def to_mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    for task in plan.leaves:
        verdict = verdict_name(task.verdict)
        label = f"{task.task_unique_name}<br/>{verdict} {reason_name(task.reason)}".replace('"', "#quot;")
        lines.append(f'  t{_node(task)}["{label}"]:::{verdict or "none"}')
    lines += [f"  t{cause} --> t{task}" for cause, task in _arrows(plan)]
    lines += [f"  classDef {verdict} fill:{fill},stroke:#666" for verdict, fill in _FILL.items()]
    return "\n".join(lines)


def _node(task: reruns.PlannedTask) -> str:
    # A dropped task's id is of another run, and may be that of another task here.
    return f"d{task.task_id}" if verdict_name(task.verdict) == "DROPPED" else str(task.task_id)


def _arrows(plan: Plan) -> list[tuple[int, int]]:
    ids = {
        task.task_unique_name: task.task_id for task in plan.leaves if verdict_name(task.verdict) != "DROPPED"
    }
    return [
        (ids[task.caused_by], task.task_id)
        for task in plan.leaves
        if task.caused_by in ids and verdict_name(task.verdict) != "DROPPED"
    ]


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
