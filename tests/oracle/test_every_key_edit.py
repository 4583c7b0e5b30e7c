"""What is in a cache key and what is not, row by row: single edits of one request that has everything in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from execution import request_for
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import plan
from struct_bytes import spec_bytes

_MODEL = {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}}
_ANY = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
Spec = dict[str, Any]
Edit = Callable[[Spec, engine.RunRequest], None]


def _spec() -> Spec:
    """`work` reads every kind of input; `bring` is an importer."""
    kinds = {
        "i": "NUMBER_INTEGER",
        "d": "NUMBER_DOUBLE",
        "s": "STRING",
        "b": "BOOLEAN",
        "l": "LIST",
        "m": "STRUCT",
    }
    inputs = {
        "parameters": {name: {"parameterType": kind} for name, kind in kinds.items()},
        "artifacts": {"one": dict(_ANY), "many": {**_ANY, "isArtifactList": True}},
    }
    work = {
        "executorLabel": "exec-work",
        "inputDefinitions": inputs,
        "outputDefinitions": {
            "parameters": {"o": {"parameterType": "STRING"}},
            "artifacts": {"a": dict(_MODEL)},
        },
    }
    container = {
        "image": "image:1",
        "command": ["sh", "-c"],
        "args": ["run", "--executor_input", "{{$}}"],
        "env": [{"name": "MODE", "value": "fast"}],
    }
    importer = {
        "artifactUri": {"constant": "/data/x"},
        "typeSchema": _MODEL["artifactType"],
        "metadata": {"k": "v"},
    }
    constants = {"i": 1, "d": 0.5, "s": "text", "b": True, "l": [1, 2], "m": {"x": 1, "y": [2]}}
    task = {
        "taskInfo": {"name": "work"},
        "componentRef": {"name": "comp-work"},
        "cachingOptions": {"enableCache": True},
        "inputs": {
            "parameters": {name: {"runtimeValue": {"constant": value}} for name, value in constants.items()},
            "artifacts": {name: {"componentInputArtifact": name} for name in ("one", "many")},
        },
    }
    bring = {"executorLabel": "exec-bring", "outputDefinitions": {"artifacts": {"artifact": dict(_MODEL)}}}
    return {
        "pipelineInfo": {"name": "rows"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {
            "executors": {"exec-work": {"container": container}, "exec-bring": {"importer": importer}}
        },
        "components": {"comp-work": work, "comp-bring": bring},
        "root": {
            "inputDefinitions": {"artifacts": copy.deepcopy(inputs["artifacts"])},
            "dag": {
                "tasks": {
                    "work": task,
                    "bring": {"taskInfo": {"name": "bring"}, "componentRef": {"name": "comp-bring"}},
                }
            },
        },
    }


def _artifact(number: int) -> engine.Artifact:
    return engine.Artifact(
        name=f"artifact-{number}",
        uri=f"/given/{number}",
        schema_title="system.Model",
        schema_version="0.0.1",
        digest=f"sha256:{number:064x}",
        metadata_json='{"accuracy": 1, "by": "me"}',
        author_metadata=True,
    )


def _request() -> engine.RunRequest:
    request = request_for(1, {}, {})
    request.settings.input_artifacts.add(name="many", artifacts=[_artifact(2), _artifact(3)], is_list=True)
    request.settings.input_artifacts.add(name="one", artifacts=[_artifact(1)])
    return request


def _keys(edit: Edit | None = None) -> dict[str, bytes]:
    spec, request = _spec(), _request()
    if edit is not None:
        edit(spec, request)
    request.spec = spec_bytes(spec)
    result = plan(request)
    assert not result.problems, result.problems
    return {task.path: task.key for task in result.tasks}


def _at(path: str, value: Any) -> Edit:
    """Set what lies at a path of the specification, `/` between its steps; a value may be made of the old one."""

    def edit(spec: Spec, _request: engine.RunRequest) -> None:
        *steps, last = path.split("/")
        at: Any = spec
        for step in steps:
            at = at[int(step) if isinstance(at, list) else step]
        key: Any = int(last) if isinstance(at, list) else last
        at[key] = value(copy.deepcopy(at[key])) if callable(value) else value

    return edit


def _given(change: Callable[[engine.RunRequest], Any]) -> Edit:
    return lambda _spec, request: change(request)


_WORK = "deploymentSpec/executors/exec-work/container"
_BRING = "deploymentSpec/executors/exec-bring/importer"
_TASK = "root/dag/tasks/work"
_VALUE = f"{_TASK}/inputs/parameters"
_OUT = "components/comp-work/outputDefinitions"


def _first(request: engine.RunRequest) -> engine.Artifact:
    return request.settings.input_artifacts[1].artifacts[0]


def _without_digest(request: engine.RunRequest) -> None:
    _first(request).digest = ""


def _elsewhere_without_digest(request: engine.RunRequest) -> None:
    _without_digest(request)
    _first(request).uri = "/elsewhere"


IN: dict[str, tuple[str, Edit]] = {
    "image": ("work", _at(f"{_WORK}/image", "image:2")),
    "command": ("work", _at(f"{_WORK}/command", lambda old: [*old, "x"])),
    "argument": ("work", _at(f"{_WORK}/args/0", "walk")),
    "an argument cut in two": ("work", _at(f"{_WORK}/args", lambda old: ["ru", "n", *old[1:]])),
    "an argument that becomes a part of the command": ("work", _at(f"{_WORK}/args", lambda old: old[1:])),
    "a variable's value": ("work", _at(f"{_WORK}/env/0/value", "slow")),
    "a variable's name": ("work", _at(f"{_WORK}/env/0/name", "MOOD")),
    "the importer's URI": ("bring", _at(f"{_BRING}/artifactUri/constant", "/data/y")),
    "the importer's metadata": ("bring", _at(f"{_BRING}/metadata/k", "w")),
    "an integer": ("work", _at(f"{_VALUE}/i/runtimeValue/constant", 2)),
    "a double": ("work", _at(f"{_VALUE}/d/runtimeValue/constant", 0.25)),
    "a text": ("work", _at(f"{_VALUE}/s/runtimeValue/constant", "text ")),
    "a boolean": ("work", _at(f"{_VALUE}/b/runtimeValue/constant", False)),
    "the order of a list": ("work", _at(f"{_VALUE}/l/runtimeValue/constant", [2, 1])),
    "a member of a struct": ("work", _at(f"{_VALUE}/m/runtimeValue/constant/x", 2)),
    "the type of a member": ("work", _at(f"{_VALUE}/m/runtimeValue/constant/x", "1")),
    "an artifact's schema": ("work", _given(lambda r: setattr(_first(r), "schema_title", "system.Dataset"))),
    "an artifact's content": ("work", _given(lambda r: setattr(_first(r), "digest", "sha256:" + "f" * 64))),
    "an author's metadata": (
        "work",
        _given(lambda r: setattr(_first(r), "metadata_json", '{"accuracy": 2}')),
    ),
    "whether the author set it": ("work", _given(lambda r: setattr(_first(r), "author_metadata", False))),
    "the order of artifacts": (
        "work",
        _given(
            lambda r: r.settings.input_artifacts[0].artifacts.sort(key=lambda one: one.name, reverse=True)
        ),
    ),
    "whether content is known": ("work", _given(_without_digest)),
    "an output's name": ("work", _at(f"{_OUT}/parameters", {"p": {"parameterType": "STRING"}})),
    "an output's type": ("work", _at(f"{_OUT}/parameters/o/parameterType", "LIST")),
    "an output artifact's type": ("work", _at(f"{_OUT}/artifacts/a", dict(_ANY))),
    "the author's cacheKey": (
        "work",
        _at(f"{_TASK}/cachingOptions", {"enableCache": True, "cacheKey": "mine"}),
    ),
}

OUT: dict[str, Edit] = {
    "the run": _given(lambda r: setattr(r.settings, "run_id", 7)),
    "the run's name": _given(lambda r: setattr(r.settings, "job_id", "other")),
    "times": _given(lambda r: setattr(r.settings, "create_time_utc", "2030-01-01T00:00:00Z")),
    "the output directory": _given(lambda r: setattr(r.settings, "pipeline_root", "/elsewhere")),
    "the failure policy": _given(lambda r: setattr(r.settings, "failure_policy", engine.FAIL_FAST_POLICY)),
    "the display name": _at(f"{_TASK}/taskInfo/name", "Work!"),
    "the pipeline's name": _at("pipelineInfo/name", "other"),
    "the retry policy": _at(_TASK, lambda old: {**old, "retryPolicy": {"maxRetryCount": 4}}),
    "resources": _at(_WORK, lambda old: {**old, "resources": {"cpuLimit": 2.0}}),
    "where known content lies": _given(lambda r: setattr(_first(r), "uri", "/elsewhere")),
    "an artifact's resource name": _given(lambda r: setattr(_first(r), "name", "other")),
    "its fingerprint": _given(lambda r: setattr(_first(r), "fingerprint", "other")),
    "the formatting of metadata": _given(
        lambda r: setattr(_first(r), "metadata_json", '{ "by":"me","accuracy" : 1.0 }')
    ),
    "a whole number written as a double": _at(f"{_VALUE}/i/runtimeValue/constant", 1.0),
    "whether it may be cached": _at(f"{_TASK}/cachingOptions/enableCache", False),
}


@pytest.mark.parametrize("row", IN)
def test_what_decides_an_outcome_is_in_the_key_of_its_task_and_of_no_other(row: str) -> None:
    task, edit = IN[row]
    before, after = _keys(), _keys(edit)
    assert {path for path in before if before[path] != after[path]} == {task}


@pytest.mark.parametrize("row", OUT)
def test_what_decides_no_outcome_is_in_no_key(row: str) -> None:
    assert _keys(OUT[row]) == _keys()


def test_the_salt_of_the_project_is_in_every_key() -> None:
    before, after = _keys(), _keys(_given(lambda r: setattr(r.settings, "salt", "2026")))
    assert all(before[path] != after[path] for path in before)


def test_without_a_digest_the_uri_counts() -> None:
    assert _keys(_given(_without_digest))["work"] != _keys(_given(_elsewhere_without_digest))["work"]


def test_where_known_content_lies_counts_for_a_command_that_names_the_place() -> None:
    naming = _at(f"{_WORK}/args", lambda old: [*old, "{{$.inputs.artifacts['one'].path}}"])

    def moved(spec: Spec, request: engine.RunRequest) -> None:
        naming(spec, request)
        _first(request).uri = "/elsewhere"

    assert _keys(naming)["work"] != _keys(moved)["work"]


def test_the_authors_cache_key_replaces_the_inputs_and_the_code() -> None:
    keyed = _at(f"{_TASK}/cachingOptions", {"enableCache": True, "cacheKey": "mine"})
    other = _at(f"{_TASK}/cachingOptions", {"enableCache": True, "cacheKey": "yours"})

    def edited(spec: Spec, request: engine.RunRequest) -> None:
        keyed(spec, request)
        spec["root"]["dag"]["tasks"]["work"]["inputs"]["parameters"]["i"]["runtimeValue"]["constant"] = 5
        spec["deploymentSpec"]["executors"]["exec-work"]["container"]["image"] = "image:2"
        _first(request).digest = "sha256:" + "e" * 64

    assert _keys(keyed) == _keys(edited)
    assert _keys(keyed) != _keys(other)
