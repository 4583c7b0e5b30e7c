"""Finding a task by what a person types, and what the pipeline declares of it.

Invariant: a name is never guessed: what fits several tasks is an error that lists them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reprise.client.pipeline_file import parameter_types
from reprise.pb.v1 import pipeline_job_pb2 as jobs

_INDEX = re.compile(r"\[\d+\]$")


class TaskNameError(ValueError):
    """The name fits no task."""


class AmbiguousTaskError(TaskNameError):
    """The name fits several tasks."""


def find_task(tasks: Sequence[jobs.PipelineTaskDetail], text: str) -> jobs.PipelineTaskDetail:
    """The task whose path is `text` or, if there is only one such, ends with it. Errors: TaskNameError."""
    exact = [task for task in tasks if path_of(task) == text]
    if exact:
        return exact[0]
    found = [task for task in tasks if path_of(task).endswith(f".{text}")]
    if len(found) == 1:
        return found[0]
    if found:
        paths = ", ".join(path_of(task) for task in found[:8]) + (", ..." if len(found) > 8 else "")
        raise AmbiguousTaskError(f"{text!r} fits {len(found)} tasks, give more of the path: {paths}")
    near = difflib.get_close_matches(
        text, [path_of(task) for task in tasks] + [t.task_name for t in tasks], 3
    )
    raise TaskNameError(
        f"no task {text!r}" + (f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else "")
    )


def path_of(task: jobs.PipelineTaskDetail) -> str:
    return task.task_unique_name or task.task_name


def component_of(spec: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The component of the task at `path`, in a PipelineSpec's JSON form; empty where there is none."""
    components = spec.get("components") or {}
    component: Any = spec.get("root") or {}
    for segment in path.split("."):
        tasks = ((component.get("dag") or {}).get("tasks")) or {}
        name = _INDEX.sub("", segment)
        if name not in tasks:
            return {}
        component = components.get((tasks[name].get("componentRef") or {}).get("name"), {})
    return component if isinstance(component, Mapping) else {}


def input_types(spec: Mapping[str, Any], path: str) -> dict[str, str]:
    """The declared types of a task's input parameters."""
    return parameter_types({"root": component_of(spec, path)})


def input_artifacts(spec: Mapping[str, Any], path: str) -> frozenset[str]:
    """The names of a task's input artifacts."""
    definitions = component_of(spec, path).get("inputDefinitions") or {}
    return frozenset(definitions.get("artifacts") or {})
