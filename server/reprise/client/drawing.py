"""The plan of a rerun as a drawing of the DAG: for Graphviz, and as a Mermaid flowchart.

Invariant: tasks stand in the boxes of what holds them; a plain arrow goes from a task to what comes after it, a broken
one from what caused a verdict. Tasks that the new run has not are drawn apart, without arrows.
"""

from __future__ import annotations

from collections.abc import Iterator

from reprise.client.plan import GROUPS, Plan, reason_name, verdict_name
from reprise.pb.v1 import rerun_pb2 as reruns

_FILL = {
    "REUSE": "#c8e6c9",
    "RE_EVALUATE": "#e1bee7",
    "EXECUTE": "#bbdefb",
    "SKIP": "#b2ebf2",
    "NOT_TRIGGERED": "#eeeeee",
    "DROPPED": "#f5f5f5",
}


def to_dot(plan: Plan) -> str:
    """The plan for Graphviz."""
    lines = [
        "digraph plan {",
        "  rankdir=LR; compound=true;",
        '  node [shape=box, style="rounded,filled", fontname="sans-serif"];',
    ]
    shape = _Shape(plan)

    def put(parent: int, indent: str) -> None:
        for task in shape.children.get(parent, ()):
            if task.kind not in GROUPS:
                lines.append(f"{indent}{_dot_node(f't{task.task_id}', task, task.task_name)}")
                continue
            lines.append(f"{indent}subgraph cluster_{task.task_id} {{")
            lines.append(f"{indent}  label={_quote(_label(task, task.task_name))};")
            # Arrows end at nodes, so each box has one that is not seen.
            lines.append(f"{indent}  t{task.task_id} [shape=point, style=invis];")
            put(task.task_id, indent + "  ")
            lines.append(f"{indent}}}")

    put(0, "  ")
    lines += [f"  {_dot_node(f'd{task.task_id}', task, task.task_unique_name)}" for task in shape.dropped]
    for before, after in shape.arrows():
        ends = [
            f"{name}=cluster_{task.task_id}"
            for name, task in (("ltail", before), ("lhead", after))
            if task.kind in GROUPS
        ]
        attributes = f" [{', '.join(ends)}]" if ends else ""
        lines.append(f"  t{before.task_id} -> t{after.task_id}{attributes};")
    for cause, task in shape.causes():
        lines.append(f"  t{cause} -> t{task} [style=dashed, color=gray, constraint=false];")
    lines.append("}")
    return "\n".join(lines)


def to_mermaid(plan: Plan) -> str:
    """The plan as a Mermaid flowchart."""
    lines = ["flowchart LR"]
    shape = _Shape(plan)

    def put(parent: int, indent: str) -> None:
        for task in shape.children.get(parent, ()):
            if task.kind not in GROUPS:
                lines.append(f"{indent}{_mermaid_node(f't{task.task_id}', task, task.task_name)}")
                continue
            label = _mermaid_text(_label(task, task.task_name))
            lines.append(f'{indent}subgraph t{task.task_id}["{label}"]')
            put(task.task_id, indent + "  ")
            lines.append(f"{indent}end")

    put(0, "  ")
    lines += [f"  {_mermaid_node(f'd{task.task_id}', task, task.task_unique_name)}" for task in shape.dropped]
    lines += [f"  t{before.task_id} --> t{after.task_id}" for before, after in shape.arrows()]
    lines += [f"  t{cause} -.-> t{task}" for cause, task in shape.causes()]
    lines += [f"  classDef {verdict} fill:{fill},stroke:#666" for verdict, fill in _FILL.items()]
    return "\n".join(lines)


class _Shape:
    """The tasks of the new run by what holds them, and those that it has not."""

    def __init__(self, plan: Plan) -> None:
        # A dropped task's id is of another run, and may be that of another task here.
        self.dropped = [task for task in plan.leaves if verdict_name(task.verdict) == "DROPPED"]
        tasks = [task for task in plan.tasks if verdict_name(task.verdict) != "DROPPED"]
        self._by_id = {task.task_id: task for task in tasks}
        self.children: dict[int, list[reruns.PlannedTask]] = {}
        for task in tasks:
            self.children.setdefault(task.parent_task_id, []).append(task)

    def arrows(self) -> Iterator[tuple[reruns.PlannedTask, reruns.PlannedTask]]:
        for task in self._by_id.values():
            for upstream in task.upstream_task_ids:
                if upstream in self._by_id:
                    yield self._by_id[upstream], task

    def causes(self) -> Iterator[tuple[int, int]]:
        """Those that no arrow shows: what caused the verdict stands further away."""
        ids = {task.task_unique_name: task.task_id for task in self._by_id.values()}
        for task in self._by_id.values():
            cause = ids.get(task.caused_by)
            is_shown = cause in task.upstream_task_ids or cause == task.task_id
            if cause is not None and task.kind not in GROUPS and not is_shown:
                yield cause, task.task_id


def _label(task: reruns.PlannedTask, name: str) -> str:
    verdict = " ".join(word for word in (verdict_name(task.verdict), reason_name(task.reason)) if word)
    return f"{name}\n{verdict}" if verdict else name


def _dot_node(node: str, task: reruns.PlannedTask, name: str) -> str:
    fill = _quote(_FILL.get(verdict_name(task.verdict), "#ffffff"))
    return f"{node} [label={_quote(_label(task, name))}, fillcolor={fill}];"


def _mermaid_node(node: str, task: reruns.PlannedTask, name: str) -> str:
    return f'{node}["{_mermaid_text(_label(task, name))}"]:::{verdict_name(task.verdict) or "none"}'


def _mermaid_text(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("\n", "<br/>")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
