"""Runs that have ended, as the oracle knows them, and the outcomes that stand for their tasks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from values import ABSENT, same

Slot = tuple[str, str]
"""An input or output: ("parameters" or "artifacts", name)."""


class Unjudgeable(Exception):
    """The records or the guide do not say enough to decide this case."""


@dataclass
class Task:
    """What a run kept of one task."""

    task_id: int
    path: str
    kind: str
    state: str
    is_left_out: bool = False
    was_started: bool = False
    inputs: dict[Slot, Any] = field(default_factory=dict)
    outputs: dict[Slot, Any] = field(default_factory=dict)
    overrides: dict[Slot, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def is_reused(self) -> bool:
        return self.state == "SKIPPED" and not self.is_left_out

    @property
    def has_outcome(self) -> bool:
        return self.state == "SUCCEEDED" or self.is_reused


@dataclass
class Past:
    """A run that has ended."""

    spec: dict[str, Any]
    parameters: dict[str, Any]
    tasks: dict[str, Task]
    parent: Past | None = None
    items: dict[str, list[Any]] = field(
        default_factory=dict
    )  # of loops that were expanded before they started


@dataclass
class Config:
    """One PipelineTaskRerunConfig, addressed by a path of the original or of the new specification."""

    path: str
    skip_task: bool = False
    inputs: dict[Slot, Any] | None = None
    skip_downstream: bool = False
    drop_overrides: tuple[str, ...] = ()


def outcome_of(past: Past, path: str) -> tuple[dict[str, Any], Task] | None:
    """The outcome that stands for a task: its run's, or, if it was never started there, an ancestor's."""
    run: Past | None = past
    while run is not None:
        task = run.tasks.get(path)
        if task is None:
            return None
        if task.has_outcome:
            return run.spec, task
        if task.state == "FAILED" or task.was_started or task.is_left_out or task.reason == "CONDITION_FALSE":
            return None
        above = path_in_parent(run, path)
        if above is None:
            return None
        path, run = above, run.parent
    return None


def path_in_parent(run: Past, path: str) -> str | None:
    """Where a task of a run was in the run's original: the same names, iterations by their items."""
    if run.parent is None:
        return None
    here, there = "", ""
    for segment in path.split("."):
        name = re.sub(r"\[\d+\]$", "", segment)
        here, there = f"{here}.{name}".lstrip("."), f"{there}.{name}".lstrip(".")
        if name != segment:
            index = int(segment[len(name) + 1 : -1])
            items, before = old_items(run, here), old_items(run.parent, there)
            ordinal = sum(1 for other in items[:index] if same(other, items[index]))
            twins = [number for number, item in enumerate(before) if same(item, items[index])]
            if ordinal >= len(twins):
                return None
            here, there = f"{here}[{index}]", f"{there}[{twins[ordinal]}]"
    return there


def old_items(past: Past, loop: str) -> list[Any]:
    """The items of a loop of a run that has ended."""
    if loop not in past.tasks or f"{loop}[0]" not in past.tasks:
        return []
    task, _ = definition_at(past.spec, loop)
    items = items_of(task["parameterIterator"], past.tasks[loop].inputs)
    if items is ABSENT:
        items = past.items.get(loop, ABSENT)
    if items is ABSENT:
        raise Unjudgeable(f"what {loop} looped over is not on record, because it never started")
    return items


def items_of(iterator: dict[str, Any], inputs: dict[Slot, Any]) -> Any:
    items = iterator["items"]
    if "raw" in items:
        return json.loads(items["raw"])
    value = inputs.get(("parameters", items["inputParameter"]), ABSENT)
    return json.loads(value) if isinstance(value, str) else value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def definition_at(spec: dict[str, Any], path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The task at a path of a specification, and its component."""
    component = spec["root"]
    task: dict[str, Any] = {}
    for segment in path.split("."):
        task = component["dag"]["tasks"][re.sub(r"\[\d+\]$", "", segment)]
        component = spec["components"][task["componentRef"]["name"]]
    return task, component
