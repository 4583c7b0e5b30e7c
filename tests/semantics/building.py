"""Pipelines as Python values, for tests: what they compile to is a PipelineSpec as a dict.

Invariant: equal values compile to equal specs, and components are named by the task that uses them, numbered where
two different ones claim a name, as the KFP compiler does it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

EXIT = "ALL_UPSTREAM_TASKS_COMPLETED"
_ARTIFACT = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}


@dataclass(frozen=True)
class Of:
    """An output of a sibling; `field` takes one field of its JSON."""

    task: str
    output: str = "out"
    field: str = ""


@dataclass(frozen=True)
class Given:
    """An input of the DAG that the task is in."""

    name: str


@dataclass(frozen=True)
class Status:
    """The final status of a sibling."""

    task: str


@dataclass(frozen=True)
class Leaf:
    """A shell script. It sees its inputs as variables, and the files for its outputs likewise.

    `says`: what it appends to the ledger when it starts, its name in the pipeline by default. Input artifacts
    are read by the path in the executor input, so that their URIs are in no key.
    """

    script: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    says: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    image: str = "python:3.12"
    extra_args: Sequence[Any] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Importer:
    uri: str
    reimport: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dag:
    tasks: Mapping[str, Task]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Of | Sequence[Of]] = field(default_factory=dict)
    output_types: Mapping[str, str] = field(default_factory=dict)
    reads: Sequence[str] = ()
    artifact_outputs: Mapping[str, Of] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """`each`: a loop over a list or a source of one; its body sees the item as the input `item`."""

    body: Leaf | Dag | Importer
    inputs: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Of | Given] = field(default_factory=dict)
    after: Sequence[str] = ()
    condition: str = ""
    strategy: str = ""
    each: Any = None
    at_once: int = 0
    cache: bool = False
    cache_key: str = ""
    retries: int = 0
    label: str = ""


def pipeline(
    ledger: str,
    tasks: Mapping[str, Task],
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Of | Sequence[Of]] | None = None,
    name: str = "semantics",
) -> dict[str, Any]:
    """The PipelineSpec. `inputs`: type, or (type, default), by name."""
    return _Compiler(ledger).compile(name, Dag(tasks, inputs or {}, outputs or {}))


class _Compiler:
    def __init__(self, ledger: str) -> None:
        self._ledger = ledger
        self._components: dict[str, Any] = {}
        self._executors: dict[str, Any] = {}

    def compile(self, name: str, root: Dag) -> dict[str, Any]:
        spec = {
            "root": self._dag(root),
            "pipelineInfo": {"name": name},
            "components": self._components,
            "deploymentSpec": {"executors": self._executors},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.14.3",
        }
        return copy.deepcopy(spec)  # so that a test may edit it

    def _dag(self, dag: Dag) -> dict[str, Any]:
        outputs = {}
        for name, source in dag.outputs.items():
            if isinstance(source, Of):
                outputs[name] = {"valueFromParameter": _selector(source)}
            else:
                outputs[name] = {
                    "valueFromOneof": {"parameterSelectors": [_selector(each) for each in source]}
                }
        component = {
            "dag": {"tasks": {name: self._task(name, task) for name, task in dag.tasks.items()}},
            **_definitions(
                dag.inputs,
                {name: dag.output_types.get(name, "STRING") for name in dag.outputs},
                dag.reads,
                tuple(dag.artifact_outputs),
            ),
        }
        if outputs or dag.artifact_outputs:
            component["dag"]["outputs"] = {
                "parameters": outputs,
                "artifacts": {
                    name: {
                        "artifactSelectors": [
                            {"producerSubtask": source.task, "outputArtifactKey": source.output}
                        ]
                    }
                    for name, source in dag.artifact_outputs.items()
                },
            }
        return component

    def _task(self, name: str, task: Task) -> dict[str, Any]:
        parameters = {key: _parameter(value) for key, value in task.inputs.items()}
        made: dict[str, Any] = {
            "taskInfo": {"name": task.label or name},
            "cachingOptions": {"enableCache": task.cache},
        }
        if task.cache_key:
            made["cachingOptions"]["cacheKey"] = task.cache_key
        after = {*task.after}
        for value in [*task.inputs.values(), *task.artifacts.values(), task.each]:
            if isinstance(value, Of | Status):
                after.add(value.task)
        if after:
            made["dependentTasks"] = sorted(after)
        trigger = {}
        if task.condition:
            trigger["condition"] = task.condition
        if task.strategy:
            trigger["strategy"] = task.strategy
        if trigger:
            made["triggerPolicy"] = trigger
        if task.each is not None:
            if isinstance(task.each, Of | Given):
                parameters["items"] = _parameter(task.each)
                items = {"inputParameter": "items"}
            else:
                items = {"raw": json.dumps(task.each)}
            made["parameterIterator"] = {"items": items, "itemInput": "item"}
            if task.at_once:
                made["iteratorPolicy"] = {"parallelismLimit": task.at_once}
        if task.retries:
            made["retryPolicy"] = {"maxRetryCount": task.retries, "backoffDuration": "0s"}
        if parameters or task.artifacts:
            made["inputs"] = {
                "parameters": parameters,
                "artifacts": {key: _artifact(value) for key, value in task.artifacts.items()},
            }
        made["componentRef"] = {"name": self._component(name, task)}
        return made

    def _component(self, name: str, task: Task) -> str:
        match task.body:
            case Dag():
                body = task.body
                if task.each is not None and "items" not in body.inputs:
                    inputs = {**body.inputs, "item": body.inputs.get("item", "STRING")}
                    if isinstance(task.each, Of | Given):
                        inputs["items"] = "LIST"
                    body = Dag(
                        body.tasks, inputs, body.outputs, body.output_types, body.reads, body.artifact_outputs
                    )
                component = self._dag(body)
            case Leaf():
                component, executor = self._leaf(name, task.body)
                component["executorLabel"] = _claim(self._executors, f"exec-{name}", executor)
            case Importer():
                component = {"outputDefinitions": {"artifacts": {"artifact": _ARTIFACT}}}
                importer: dict[str, Any] = {
                    "artifactUri": {"constant": task.body.uri},
                    "typeSchema": _ARTIFACT["artifactType"],
                    "reimport": task.body.reimport,
                }
                if task.body.metadata:
                    importer["metadata"] = dict(task.body.metadata)
                component["executorLabel"] = _claim(self._executors, f"exec-{name}", {"importer": importer})
        return _claim(self._components, f"comp-{name}", component)

    def _leaf(self, name: str, leaf: Leaf) -> tuple[dict[str, Any], dict[str, Any]]:
        variables, args = [], []
        for key in leaf.inputs:
            variables.append(key)
            args.append(f"{{{{$.inputs.parameters['{key}']}}}}")
        for key in leaf.outputs:
            variables.append(key)
            args.append(f"{{{{$.outputs.parameters['{key}'].output_file}}}}")
        for key in leaf.writes:
            variables.append(key)
            args.append(f"{{{{$.outputs.artifacts['{key}'].path}}}}")
        if leaf.reads:
            variables.append("given")
            args.append("{{$}}")
        lines = [f'{key}="${{{number}}}"' for number, key in enumerate(variables, start=1)]
        for key in leaf.reads:
            # One artifact an input: its URI is the first after its name.
            lines.append(
                f'{key}=$(expr "$given" : \'.*"{key}":{{"artifacts":\\[{{[^]]*"uri":"\\([^"]*\\)"\')'
            )
        lines += [f'echo "{leaf.says or name}" >> {self._ledger}', leaf.script]
        container: dict[str, Any] = {
            "image": leaf.image,
            "command": ["sh", "-ec", "\n".join(lines), "sh"],
            "args": [*args, *leaf.extra_args],
        }
        if leaf.env:
            container["env"] = [{"name": key, "value": value} for key, value in leaf.env.items()]
        if leaf.resources:
            container["resources"] = dict(leaf.resources)
        return _definitions(leaf.inputs, leaf.outputs, leaf.reads, leaf.writes), {"container": container}


def _definitions(
    inputs: Mapping[str, Any], outputs: Mapping[str, str], reads: Sequence[str], writes: Sequence[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if inputs or reads:
        made["inputDefinitions"] = {
            "parameters": {name: _declared(kind) for name, kind in inputs.items()},
            "artifacts": dict.fromkeys(reads, _ARTIFACT),
        }
    if outputs or writes:
        made["outputDefinitions"] = {
            "parameters": {name: {"parameterType": kind} for name, kind in outputs.items()},
            "artifacts": dict.fromkeys(writes, _ARTIFACT),
        }
    return made


def _declared(kind: Any) -> dict[str, Any]:
    if isinstance(kind, str):
        return {"parameterType": kind}
    return {"parameterType": kind[0], "defaultValue": kind[1], "isOptional": True}


def _parameter(value: Any) -> dict[str, Any]:
    match value:
        case Of():
            made: dict[str, Any] = {
                "taskOutputParameter": {"producerTask": value.task, "outputParameterKey": value.output}
            }
            if value.field:
                made["parameterExpressionSelector"] = f'parseJson(string_value)["{value.field}"]'
            return made
        case Given():
            return {"componentInputParameter": value.name}
        case Status():
            return {"taskFinalStatus": {"producerTask": value.task}}
        case _:
            return {"runtimeValue": {"constant": value}}


def _artifact(value: Of | Given) -> dict[str, Any]:
    if isinstance(value, Given):
        return {"componentInputArtifact": value.name}
    return {"taskOutputArtifact": {"producerTask": value.task, "outputArtifactKey": value.output}}


def _selector(source: Of) -> dict[str, str]:
    return {"producerSubtask": source.task, "outputParameterKey": source.output}


def _claim(holder: dict[str, Any], name: str, value: Any) -> str:
    number = 1
    while holder.setdefault(key := name if number == 1 else f"{name}-{number}", value) != value:
        number += 1
    return key
