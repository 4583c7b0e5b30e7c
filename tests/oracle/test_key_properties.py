"""The cache key over random specifications: equal for equal meaning, different for each single semantic edit."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from execution import request_for
from generate import ALL, SpecMaker, run_parameters
from google.protobuf import struct_pb2
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import plan

_CASES = 60


def specs() -> Iterator[tuple[random.Random, dict[str, Any], dict[str, Any]]]:
    for seed in range(_CASES):
        chance = random.Random(seed)
        spec = SpecMaker(chance, ALL).make()
        yield chance, spec, run_parameters(chance, spec)


def keys(request: engine.RunRequest) -> dict[str, bytes]:
    """The key of every leaf whose inputs are known before anything runs."""
    result = plan(request)
    assert not result.problems, result.problems
    return {task.path: task.key for task in result.tasks if task.key}


def shuffled(chance: random.Random, value: Any) -> Any:
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: shuffled(chance, value[name]) for name in names}
    return [shuffled(chance, one) for one in value] if isinstance(value, list) else value


def test_the_order_of_maps_in_the_specification_is_not_in_the_key() -> None:
    compared = 0
    for chance, spec, given in specs():
        request = request_for(1, spec, given)
        other = request_for(1, spec, given)
        struct = struct_pb2.Struct()
        struct.update(shuffled(chance, spec))
        other.spec = struct.SerializeToString()
        found = keys(request)
        assert keys(other) == found
        compared += len(found)
    assert compared > _CASES


def test_the_formatting_of_json_is_not_in_the_key() -> None:
    for chance, spec, given in specs():
        request = request_for(1, spec, given)
        other = copy.deepcopy(request)
        for parameter in other.settings.parameters:
            value = json.loads(parameter.json)
            indented = json.dumps(shuffled(chance, value), indent=3, ensure_ascii=chance.random() < 0.5)
            if isinstance(value, int) and chance.random() < 0.5:
                indented = f"{value}.0"
            parameter.json = f" {indented}\n"
        assert keys(other) == keys(request)


def test_the_identity_of_a_run_and_what_is_around_a_task_are_not_in_the_key() -> None:
    for _, spec, given in specs():
        request = request_for(1, spec, given)
        other = request_for(77, spec, given)
        other.settings.pipeline_root = "/elsewhere"
        other.settings.create_time_utc = "2027-01-01T00:00:00Z"
        changed = copy.deepcopy(spec)
        for component in [changed["root"], *changed["components"].values()]:
            for task in component.get("dag", {}).get("tasks", {}).values():
                task["taskInfo"]["name"] += " shown"
                task["retryPolicy"] = {"maxRetryCount": 3}
                task["cachingOptions"] = {}
        for executor in changed["deploymentSpec"]["executors"].values():
            executor["container"]["resources"] = {"cpuLimit": 2.0, "memoryLimit": 1.0}
        struct = struct_pb2.Struct()
        struct.update(changed)
        other.spec = struct.SerializeToString()
        assert list(keys(other).values()) == list(keys(request).values())


Edit = Callable[[dict[str, Any], dict[str, Any]], object]


def _image(container: dict[str, Any], component: dict[str, Any]) -> bool:
    container["image"] += "-slim"
    return True


def _argument(container: dict[str, Any], component: dict[str, Any]) -> bool:
    container["args"][0] += " "
    return True


def _split_of_arguments(container: dict[str, Any], component: dict[str, Any]) -> bool:
    first, *rest = container["args"]
    container["args"] = [first[:3], first[3:], *rest]
    return True


def _argument_to_command(container: dict[str, Any], component: dict[str, Any]) -> bool:
    container["command"].append(container["args"].pop(0))
    return True


def _variable(container: dict[str, Any], component: dict[str, Any]) -> bool:
    container["env"] = [*container.get("env", []), {"name": "ADDED", "value": ""}]
    return True


def _output(container: dict[str, Any], component: dict[str, Any]) -> bool:
    outputs = component.setdefault("outputDefinitions", {}).setdefault("parameters", {})
    outputs["added"] = {"parameterType": "STRING"}
    return True


def _default(container: dict[str, Any], component: dict[str, Any]) -> bool:
    inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
    inputs["added"] = {"parameterType": "STRING", "isOptional": True, "defaultValue": ""}
    return True


@pytest.mark.parametrize(
    "edit", [_image, _argument, _split_of_arguments, _argument_to_command, _variable, _output, _default]
)
def test_a_single_edit_changes_the_keys_of_its_component_and_no_others(
    edit: Callable[[dict[str, Any], dict[str, Any]], bool],
) -> None:
    changed_keys = 0
    for chance, spec, given in specs():
        found = keys(request_for(1, spec, given))
        label = chance.choice(list(spec["deploymentSpec"]["executors"]))
        changed = copy.deepcopy(spec)
        component = changed["components"][label.replace("exec-", "comp-")]
        edit(changed["deploymentSpec"]["executors"][label]["container"], component)
        after = keys(request_for(1, changed, given))
        name = label.removeprefix("exec-")
        assert after.keys() == found.keys()
        for path, key in found.items():
            is_edited = path.split(".")[-1] == name
            assert (after[path] != key) == is_edited, path
            changed_keys += is_edited
    assert changed_keys > 10


def _declared(section: str, kind: str, declared: dict[str, Any]) -> Edit:
    def edit(container: dict[str, Any], component: dict[str, Any]) -> None:
        component.setdefault(section, {}).setdefault(kind, {})["added"] = dict(declared)

    return edit


def _variable_of(value: str) -> Edit:
    def edit(container: dict[str, Any], component: dict[str, Any]) -> None:
        container["env"] = [*container.get("env", []), {"name": "ADDED", "value": value}]

    return edit


def _default_of(kind: str, value: Any) -> Edit:
    declared = {"parameterType": kind, "isOptional": True, "defaultValue": value}
    return _declared("inputDefinitions", "parameters", declared)


def _output_of(kind: str) -> Edit:
    return _declared("outputDefinitions", "parameters", {"parameterType": kind})


def _artifact_of(title: str, **more: Any) -> Edit:
    declared = {"artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"}, **more}
    return _declared("outputDefinitions", "artifacts", declared)


_PAIRS: dict[str, tuple[Edit, Edit]] = {
    "a variable's value": (_variable_of(""), _variable_of(" ")),
    "an input's value": (_default_of("STRING", ""), _default_of("STRING", "x")),
    "an input's type": (_default_of("NUMBER_INTEGER", 1.0), _default_of("NUMBER_DOUBLE", 1.0)),
    "the order of a list": (_default_of("LIST", [1.0, 2.0]), _default_of("LIST", [2.0, 1.0])),
    "the type of a member": (_default_of("STRUCT", {"a": 1.0}), _default_of("STRUCT", {"a": "1"})),
    "an output's type": (_output_of("STRING"), _output_of("LIST")),
    "an output artifact's schema": (_artifact_of("system.Model"), _artifact_of("system.Dataset")),
    "an output that is a list": (
        _artifact_of("system.Model"),
        _artifact_of("system.Model", isArtifactList=True),
    ),
}


@pytest.mark.parametrize("row", _PAIRS)
def test_two_values_of_one_field_give_two_keys_and_neither_is_the_key_without_it(row: str) -> None:
    compared = 0
    for chance, spec, given in specs():
        label = chance.choice(list(spec["deploymentSpec"]["executors"]))
        found = [keys(request_for(1, spec, given))]
        for edit in _PAIRS[row]:
            changed = copy.deepcopy(spec)
            component = changed["components"][label.replace("exec-", "comp-")]
            edit(changed["deploymentSpec"]["executors"][label]["container"], component)
            found.append(keys(request_for(1, changed, given)))
        for path in found[0]:
            different = len({each[path] for each in found})
            is_edited = path.split(".")[-1] == label.removeprefix("exec-")
            assert different == (3 if is_edited else 1), path
            compared += is_edited
    assert compared > 10


def test_the_salt_and_an_authors_key_change_the_keys_of_generated_specs() -> None:
    compared = 0
    for _, spec, given in specs():
        request = request_for(1, spec, given)
        found = [keys(request)]
        for salt in ("a", "b"):
            request.settings.salt = salt
            found.append(keys(request))
        for number in (1, 2):
            changed = copy.deepcopy(spec)
            for component in (changed["root"], *changed["components"].values()):
                for task in component.get("dag", {}).get("tasks", {}).values():
                    task.setdefault("cachingOptions", {})["cacheKey"] = f"mine-{number}"
            found.append(keys(request_for(1, changed, given)))
        for path in found[0]:
            assert len({each[path] for each in found}) == len(found), path
            compared += 1
    assert compared > 10


def test_a_changed_value_of_a_run_parameter_changes_exactly_the_keys_that_read_it() -> None:
    for _, spec, given in specs():
        first = keys(request_for(1, spec, given))
        other = {**given, "seed": given["seed"] + 1}
        second = plan(request_for(1, spec, other))
        before = {task.path: task for task in plan(request_for(1, spec, given)).tasks}
        for task in second.tasks:
            if task.key and task.path in first:
                is_equal = task.inputs == before[task.path].inputs
                assert (task.key == first[task.path]) == is_equal, task.path


@pytest.mark.parametrize(
    ("kind", "one", "other", "is_equal"),
    [
        ("NUMBER_INTEGER", "9007199254740993", "9007199254740992", False),
        ("NUMBER_INTEGER", "1", "1.0", True),
        ("NUMBER_DOUBLE", "1", "1.0", True),
        ("NUMBER_DOUBLE", "0.1", "0.10000000000000001", True),
        ("NUMBER_DOUBLE", "0.1", "0.2", False),
        ("STRUCT", '{"a": 1, "b": [2]}', '{ "b":[2], "a":1 }', True),
        ("STRUCT", '{"a": 1}', '{"a": "1"}', False),
        ("STRUCT", '{"a": null}', "{}", False),
        ("LIST", "[1, 2]", "[2, 1]", False),
        ("LIST", "[true]", "[1]", False),
        ("STRING", '"\\u00e9"', '"é"', True),
        ("STRING", '"\\u00e9"', '"e\\u0301"', False),
        ("STRING", '""', '" "', False),
    ],
)
def test_values_are_equal_in_the_key_exactly_when_they_mean_the_same(
    kind: str, one: str, other: str, is_equal: bool
) -> None:
    def key(text: str) -> bytes:
        spec = {
            "pipelineInfo": {"name": "one"},
            "schemaVersion": "2.1.0",
            "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["c"]}}}},
            "components": {
                "c": {
                    "executorLabel": "e",
                    "inputDefinitions": {"parameters": {"x": {"parameterType": kind}}},
                }
            },
            "root": {
                "inputDefinitions": {"parameters": {"p": {"parameterType": kind}}},
                "dag": {
                    "tasks": {
                        "t": {
                            "taskInfo": {"name": "t"},
                            "componentRef": {"name": "c"},
                            "inputs": {"parameters": {"x": {"componentInputParameter": "p"}}},
                        }
                    }
                },
            },
        }
        request = request_for(1, spec, {})
        request.settings.parameters.add(name="p", json=text)
        return keys(request)["t"]

    assert (key(one) == key(other)) == is_equal
