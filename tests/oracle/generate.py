"""Random specifications, and random edits of them. Equal seeds give equal cases."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

from planner import dependencies

INT, TEXT, LIST = "NUMBER_INTEGER", "STRING", "LIST"
_MODEL = {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}
_WORDS = ["heads", "tails"]


@dataclass(frozen=True)
class Constructs:
    """What a case may hold. A construct with a known defect is left out by its own switch, until it is mended."""

    loops: bool = True
    produced_loops: bool = True
    conditions: bool = True
    branches: bool = True
    exit_handlers: bool = True
    ignoring_failures: bool = True
    optional_inputs: bool = True
    artifacts: bool = True
    overrides: bool = True
    skips: bool = True
    skip_downstream: bool = True
    requests_on_dags: bool = True
    cancels: bool = True
    coercions: bool = True
    max_tasks: int = 30


ALL = Constructs()


@dataclass
class _Source:
    """Something that an input can be bound to."""

    binding: dict[str, Any]
    kind: str  # INT, TEXT, LIST, or ARTIFACT
    producer: str | None = None


ARTIFACT = "ARTIFACT"


@dataclass
class SpecMaker:
    random: random.Random
    constructs: Constructs
    components: dict[str, Any] = field(default_factory=dict)
    executors: dict[str, Any] = field(default_factory=dict)
    budget: int = 0
    number: int = 0

    def make(self) -> dict[str, Any]:
        self.budget = self.random.randint(1, self.random.choice([3, 4, 5, 6, 8, self.constructs.max_tasks]))
        declared: dict[str, Any] = {"seed": {"parameterType": INT}}
        for index in range(self.random.randint(1, 3)):
            kind = self.random.choice([INT, INT, TEXT, LIST])
            declared[f"p{index}"] = {"parameterType": kind}
            if self.random.random() < 0.5:
                declared[f"p{index}"] |= {"defaultValue": constant(self.random, kind), "isOptional": True}
        scope = [_Source({"componentInputParameter": n}, d["parameterType"]) for n, d in declared.items()]
        tasks = self.tasks(scope, depth=0, at_root=True)
        return {
            "pipelineInfo": {"name": "random"},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.14.3",
            "deploymentSpec": {"executors": self.executors},
            "components": self.components,
            "root": {"inputDefinitions": {"parameters": declared}, "dag": {"tasks": tasks}},
        }

    def tasks(self, scope: list[_Source], depth: int, at_root: bool = False) -> dict[str, Any]:
        """The tasks of one DAG. `scope` is what they may read; it grows by what they produce."""
        tasks: dict[str, Any] = {}
        count = self.random.randint(1, max(1, min(self.budget, 8 if depth else 30)))
        while count > 0 and (self.budget > 0 or not tasks):
            count -= 1
            self.task(tasks, scope, depth)
        if at_root and self.constructs.exit_handlers and self.random.random() < 0.25:
            self.exit_handler(tasks, scope)
        return tasks

    def task(self, tasks: dict[str, Any], scope: list[_Source], depth: int) -> None:
        draw = self.random.random()
        if depth < 3 and self.budget > 1:
            if draw < 0.10:
                return self.sub_dag(tasks, scope, depth)
            if draw < 0.20 and self.constructs.conditions:
                return self.condition(tasks, scope, depth)
            if draw < 0.26 and self.constructs.branches:
                return self.branches(tasks, scope, depth)
            if draw < 0.36 and self.constructs.loops:
                return self.loop(tasks, scope, depth)
        return self.leaf(tasks, scope)

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}-{self.number}"

    # Leaves.

    def leaf(self, tasks: dict[str, Any], scope: list[_Source], is_exit_of: str | None = None) -> None:
        self.budget -= 1
        name = self.name("task")
        parameters: dict[str, Any] = {}
        artifacts: dict[str, Any] = {}
        bound: dict[str, Any] = {}
        bound_artifacts: dict[str, Any] = {}
        for index in range(self.random.choice([0, 1, 1, 2, 3])):
            key = f"i{index}"
            source = self.random.choice(scope) if scope and self.random.random() < 0.8 else None
            if source is not None and source.kind == ARTIFACT:
                artifacts[key] = {"artifactType": dict(_MODEL)}
                if self.constructs.optional_inputs and self.random.random() < 0.2:
                    artifacts[key]["isOptional"] = True
                bound_artifacts[key] = copy.deepcopy(source.binding)
                continue
            kind = source.kind if source else self.random.choice([INT, TEXT, LIST])
            if source is not None and self.constructs.coercions and self.random.random() < 0.1:
                kind = TEXT
            parameters[key] = {"parameterType": kind}
            is_optional = self.constructs.optional_inputs and self.random.random() < 0.3
            if is_optional:
                parameters[key]["isOptional"] = True
                if self.random.random() < 0.6:
                    parameters[key]["defaultValue"] = constant(self.random, kind)
            if source is not None:
                bound[key] = copy.deepcopy(source.binding)
            elif not is_optional or self.random.random() < 0.5:
                bound[key] = {"runtimeValue": {"constant": constant(self.random, kind)}}
        outputs = {"o": INT, "s": TEXT, "l": LIST}
        made = [key for key in outputs if self.random.random() < 0.6]
        component: dict[str, Any] = {"executorLabel": "exec-" + name}
        inputs: dict[str, Any] = {}
        if parameters:
            inputs["parameters"] = parameters
        if artifacts:
            inputs["artifacts"] = artifacts
        if inputs:
            component["inputDefinitions"] = inputs
        declared: dict[str, Any] = {}
        if made:
            declared["parameters"] = {key: {"parameterType": outputs[key]} for key in made}
        if self.constructs.artifacts and self.random.random() < 0.4:
            declared["artifacts"] = {"m": {"artifactType": dict(_MODEL)}}
        if declared:
            component["outputDefinitions"] = declared
        self.components["comp-" + name] = component
        container: dict[str, Any] = {
            "image": "python:3.11",
            "command": ["run", name],
            "args": [f"--code={self.random.randint(0, 10**6)}", "--executor_input", "{{$}}"],
        }
        if self.random.random() < 0.1:
            container["env"] = [{"name": "MODE", "value": "a"}]
        self.executors["exec-" + name] = {"container": container}
        task = self.bind(name, bound, bound_artifacts, tasks)
        if is_exit_of is not None:
            task["dependentTasks"] = [is_exit_of]
            task["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        elif (
            self.constructs.ignoring_failures
            and dependencies(task)
            and not bound_artifacts
            and not any("taskOutputParameter" in binding for binding in bound.values())
            and self.random.random() < 0.3
        ):
            task["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        tasks[name] = task
        if is_exit_of is None:
            self.offer(scope, name, component)

    def bind(
        self, name: str, bound: dict[str, Any], artifacts: dict[str, Any], siblings: dict[str, Any]
    ) -> dict[str, Any]:
        """A task as the compiler writes it: every producer is a dependent task as well."""
        task: dict[str, Any] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": "comp-" + name},
            "cachingOptions": {"enableCache": True},
        }
        inputs = {}
        if bound:
            inputs["parameters"] = bound
        if artifacts:
            inputs["artifacts"] = artifacts
        if inputs:
            task["inputs"] = inputs
        upstream = set(dependencies(task))
        for sibling in siblings:
            if self.random.random() < 0.8 / (len(siblings) + 3):
                upstream.add(sibling)
        if upstream:
            task["dependentTasks"] = sorted(upstream)
        return task

    def offer(self, scope: list[_Source], name: str, component: dict[str, Any]) -> None:
        declared = component.get("outputDefinitions", {})
        for key, output in declared.get("parameters", {}).items():
            binding = {"taskOutputParameter": {"producerTask": name, "outputParameterKey": key}}
            scope.append(_Source(binding, output["parameterType"], name))
        for key, output in declared.get("artifacts", {}).items():
            if not output.get("isArtifactList"):
                binding = {"taskOutputArtifact": {"producerTask": name, "outputArtifactKey": key}}
                scope.append(_Source(binding, ARTIFACT, name))

    # DAGs.

    def composite(
        self,
        tasks: dict[str, Any],
        scope: list[_Source],
        depth: int,
        name: str,
        must: list[_Source] | None = None,
        extra: dict[str, str] | None = None,
        exports: bool = True,
    ) -> dict[str, Any]:
        """A DAG with some inputs from `scope`. The first inputs, c0, c1, …, are those of `must`."""
        wanted = list(must or [])
        wanted += self.random.sample(scope, min(len(scope), self.random.randint(0, 3)))
        parameters: dict[str, Any] = {}
        artifacts: dict[str, Any] = {}
        bound: dict[str, Any] = {}
        bound_artifacts: dict[str, Any] = {}
        inner: list[_Source] = []
        for index, source in enumerate(wanted):
            key = f"c{index}"
            if source.kind == ARTIFACT:
                artifacts[key] = {"artifactType": dict(_MODEL)}
                bound_artifacts[key] = copy.deepcopy(source.binding)
                inner.append(_Source({"componentInputArtifact": key}, ARTIFACT))
            else:
                parameters[key] = {"parameterType": source.kind}
                bound[key] = copy.deepcopy(source.binding)
                inner.append(_Source({"componentInputParameter": key}, source.kind))
        for key, kind in (extra or {}).items():
            parameters[key] = {"parameterType": kind}
            inner.append(_Source({"componentInputParameter": key}, kind))
        children = self.tasks(inner, depth + 1)
        component: dict[str, Any] = {"dag": {"tasks": children}}
        inputs: dict[str, Any] = {}
        if parameters:
            inputs["parameters"] = parameters
        if artifacts:
            inputs["artifacts"] = artifacts
        if inputs:
            component["inputDefinitions"] = inputs
        produced = [source for source in inner if source.producer is not None]
        if exports and produced:
            self.export(
                component, self.random.sample(produced, min(len(produced), self.random.randint(0, 3)))
            )
        self.components["comp-" + name] = component
        task = self.bind(name, bound, bound_artifacts, tasks)
        del task["cachingOptions"]
        tasks[name] = task
        return component

    def export(self, component: dict[str, Any], sources: list[_Source]) -> None:
        for index, source in enumerate(sources):
            key = f"e{index}"
            if source.kind == ARTIFACT:
                origin = source.binding["taskOutputArtifact"]
                selector = {
                    "producerSubtask": origin["producerTask"],
                    "outputArtifactKey": origin["outputArtifactKey"],
                }
                outputs = component["dag"].setdefault("outputs", {}).setdefault("artifacts", {})
                outputs[key] = {"artifactSelectors": [selector]}
                declared = component.setdefault("outputDefinitions", {}).setdefault("artifacts", {})
                declared[key] = {"artifactType": dict(_MODEL)}
            else:
                origin = source.binding["taskOutputParameter"]
                selector = {
                    "producerSubtask": origin["producerTask"],
                    "outputParameterKey": origin["outputParameterKey"],
                }
                outputs = component["dag"].setdefault("outputs", {}).setdefault("parameters", {})
                outputs[key] = {"valueFromParameter": selector}
                declared = component.setdefault("outputDefinitions", {}).setdefault("parameters", {})
                declared[key] = {"parameterType": source.kind}

    def sub_dag(self, tasks: dict[str, Any], scope: list[_Source], depth: int) -> None:
        name = self.name("dag")
        component = self.composite(tasks, scope, depth, name)
        self.offer(scope, name, component)

    def condition(self, tasks: dict[str, Any], scope: list[_Source], depth: int) -> None:
        operand = self.operand(scope)
        if operand is None:
            return self.leaf(tasks, scope)
        name = self.name("condition")
        self.composite(tasks, scope, depth, name, must=[operand], exports=False)
        tasks[name]["triggerPolicy"] = {"condition": self.comparison("c0", operand.kind)}
        return None

    def operand(self, scope: list[_Source]) -> _Source | None:
        fitting = [source for source in scope if source.kind in (INT, TEXT)]
        return self.random.choice(fitting) if fitting else None

    def comparison(self, key: str, kind: str) -> str:
        value = f"inputs.parameter_values['{key}']"
        if kind == TEXT:
            return f"{value} == '{self.random.choice(_WORDS)}'"
        return f"int({value}) {self.random.choice(['==', '>', '<', '!='])} {self.random.randint(0, 2)}"

    def branches(self, tasks: dict[str, Any], scope: list[_Source], depth: int) -> None:
        """An if and an else, and what the one of them that runs has produced."""
        operand = self.operand(scope)
        if operand is None:
            return self.leaf(tasks, scope)
        name = self.name("condition-branches")
        inner = [_Source({"componentInputParameter": "c0"}, operand.kind)]
        condition = self.comparison("c0", operand.kind)
        children: dict[str, Any] = {}
        selectors = []
        for text in (condition, f"!({condition})"):
            child = self.name("condition")
            component = self.composite(children, inner, depth + 1, child, must=inner[:1], exports=False)
            children[child].pop("dependentTasks", None)
            children[child]["triggerPolicy"] = {"condition": text}
            leaves = [
                (task, self.components["comp-" + task])
                for task in component["dag"]["tasks"]
                if task.startswith("task-")
            ]
            kinds = [
                task
                for task, leaf in leaves
                if "o" in leaf.get("outputDefinitions", {}).get("parameters", {})
            ]
            if kinds:
                origin = {"taskOutputParameter": {"producerTask": kinds[0], "outputParameterKey": "o"}}
                self.export(component, [_Source(origin, INT, kinds[0])])
                selectors.append({"producerSubtask": child, "outputParameterKey": "e0"})
        group: dict[str, Any] = {
            "dag": {"tasks": children},
            "inputDefinitions": {"parameters": {"c0": {"parameterType": operand.kind}}},
        }
        if len(selectors) == 2:
            group["dag"]["outputs"] = {
                "parameters": {"one": {"valueFromOneof": {"parameterSelectors": selectors}}}
            }
            group["outputDefinitions"] = {"parameters": {"one": {"parameterType": INT}}}
        self.components["comp-" + name] = group
        tasks[name] = self.bind(name, {"c0": copy.deepcopy(operand.binding)}, {}, tasks)
        del tasks[name]["cachingOptions"]
        self.offer(scope, name, group)
        return None

    def loop(self, tasks: dict[str, Any], scope: list[_Source], depth: int) -> None:
        lists = [
            source
            for source in scope
            if source.kind == LIST and (source.producer is None or self.constructs.produced_loops)
        ]
        name = self.name("for-loop")
        if lists and self.random.random() < 0.6:
            component = self.composite(
                tasks, scope, depth, name, must=[self.random.choice(lists)], extra={"item": INT}
            )
            items: dict[str, Any] = {"inputParameter": "c0"}
        else:
            component = self.composite(tasks, scope, depth, name, extra={"item": INT})
            items = {"raw": json.dumps([self.random.randint(0, 3) for _ in range(self.random.randint(0, 4))])}
        tasks[name]["parameterIterator"] = {"itemInput": "item", "items": items}
        for key, declared in component.get("outputDefinitions", {}).get("parameters", {}).items():
            declared["parameterType"] = LIST
            assert key
        for declared in component.get("outputDefinitions", {}).get("artifacts", {}).values():
            declared["isArtifactList"] = True
        # A list of lists is not offered as something to loop over: items are integers here.
        inner = component["dag"].get("outputs", {}).get("parameters", {})
        for key, output in inner.items():
            selector = output["valueFromParameter"]
            child = component["dag"]["tasks"][selector["producerSubtask"]]["componentRef"]["name"]
            kind = self.components[child]["outputDefinitions"]["parameters"][selector["outputParameterKey"]]
            if kind["parameterType"] == INT:
                binding = {"taskOutputParameter": {"producerTask": name, "outputParameterKey": key}}
                scope.append(_Source(binding, LIST, name))

    def exit_handler(self, tasks: dict[str, Any], scope: list[_Source]) -> None:
        name = "exit-handler-1"
        outer = [source for source in scope if source.producer is None]
        self.composite(tasks, outer, 2, name, exports=False)
        tasks[name].pop("dependentTasks", None)
        self.leaf(tasks, outer, is_exit_of=name)


def constant(chance: random.Random, kind: str) -> Any:
    if kind == INT:
        return chance.randint(0, 3)
    if kind == TEXT:
        return chance.choice(_WORDS)
    return [chance.randint(0, 3) for _ in range(chance.randint(0, 4))]


def run_parameters(chance: random.Random, spec: dict[str, Any]) -> dict[str, Any]:
    """Values for a first run: every required parameter, and some of the others."""
    declared = spec["root"]["inputDefinitions"]["parameters"]
    return {
        name: constant(chance, one["parameterType"])
        for name, one in declared.items()
        if "defaultValue" not in one or chance.random() < 0.5
    }


def edited(
    chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int
) -> dict[str, Any]:
    """The specification after some semantic edits, or the same one."""
    spec = json.loads(json.dumps(spec))
    for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
        chance.choice(
            [_edit_code, _edit_code, _remove_task, _add_task, _edit_order, _edit_constant, _edit_default]
        )(chance, spec, constructs, number)
    return spec


def all_dags(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [spec["root"], *(one for one in spec["components"].values() if "dag" in one)]


def _edit_code(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    executors = list(spec["deploymentSpec"]["executors"].values())
    container = chance.choice(executors)["container"]
    field_name = chance.choice(["args", "args", "image", "env"])
    if field_name == "args":
        container["args"][0] = f"--code={chance.randint(0, 10**6)}"
    elif field_name == "image":
        container["image"] = f"python:3.{chance.randint(12, 99)}"
    else:
        container["env"] = [{"name": "MODE", "value": str(chance.randint(0, 99))}]


def _remove_task(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    dag = chance.choice(all_dags(spec))["dag"]
    name = chance.choice(list(dag["tasks"]))
    remove(dag, name)


def is_read(dag: dict[str, Any], name: str) -> bool:
    if f'"producerSubtask": "{name}"' in json.dumps(dag.get("outputs", {})):
        return True
    return any(dependencies(task).get(name) for task in dag["tasks"].values())


def remove(dag: dict[str, Any], name: str) -> bool:
    """Take a task out of a DAG, if nothing reads its outputs."""
    if len(dag["tasks"]) < 2 or is_read(dag, name):
        return False
    if name.startswith("exit-handler"):
        return False
    del dag["tasks"][name]
    for task in dag["tasks"].values():
        task["dependentTasks"] = [u for u in task.get("dependentTasks", []) if u != name]
        if not dependencies(task) and "strategy" in task.get("triggerPolicy", {}):
            del task["triggerPolicy"]
    return True


def _add_task(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    dag = chance.choice(all_dags(spec))["dag"]
    maker = SpecMaker(
        chance,
        constructs,
        spec["components"],
        spec["deploymentSpec"]["executors"],
        1,
        1000 * number + len(dag["tasks"]),
    )
    while f"comp-task-{maker.number + 1}" in spec["components"]:
        maker.number += 1
    scope: list[_Source] = []
    for name, task in dag["tasks"].items():
        if name.startswith("task-"):
            maker.offer(scope, name, spec["components"][task["componentRef"]["name"]])
    maker.leaf(dag["tasks"], scope)
    added = list(dag["tasks"])[-1]
    if chance.random() < 0.5:  # in the middle: something comes after it now
        _after(chance, dag, added)


def _after(chance: random.Random, dag: dict[str, Any], upstream: str) -> None:
    later = [name for name in dag["tasks"] if name != upstream and name not in _above(dag["tasks"], upstream)]
    if later:
        task = dag["tasks"][chance.choice(later)]
        task["dependentTasks"] = sorted({*task.get("dependentTasks", []), upstream})


def _above(tasks: dict[str, Any], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for upstream in dependencies(tasks[waiting.pop()]):
            if upstream not in found:
                found.add(upstream)
                waiting.append(upstream)
    return found


def _edit_order(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    dag = chance.choice(all_dags(spec))["dag"]
    if "condition-branches" in " ".join(dag["tasks"]) and chance.random() < 0.5:
        return
    _after(chance, dag, chance.choice(list(dag["tasks"])))


def _edit_constant(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    dag = chance.choice(all_dags(spec))["dag"]
    task = chance.choice(list(dag["tasks"].values()))
    declared = (
        spec["components"][task["componentRef"]["name"]].get("inputDefinitions", {}).get("parameters", {})
    )
    for name, binding in task.get("inputs", {}).get("parameters", {}).items():
        if "runtimeValue" in binding:
            binding["runtimeValue"]["constant"] = constant(chance, declared[name]["parameterType"])
            return
    iterator = task.get("parameterIterator", {}).get("items", {})
    if "raw" in iterator:
        items = json.loads(iterator["raw"])
        items.insert(0, chance.randint(0, 3))
        if chance.random() < 0.5:
            items.pop(chance.randrange(len(items)))
        iterator["raw"] = json.dumps(items)


def _edit_default(chance: random.Random, spec: dict[str, Any], constructs: Constructs, number: int) -> None:
    declared = spec["root"]["inputDefinitions"]["parameters"]
    one = declared[chance.choice(list(declared))]
    if "defaultValue" in one:
        one["defaultValue"] = constant(chance, one["parameterType"])
