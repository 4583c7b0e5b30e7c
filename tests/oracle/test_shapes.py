"""Pipelines of awkward shapes and spellings: planned, run by the machine with simulated tasks, and rerun.

`REPRISE_FAN=1000000` widens the fan to a million tasks: some minutes, and a few GiB.
"""

from __future__ import annotations

import math
import os
import random
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from execution import Run, World, execute, request_for
from google.protobuf import struct_pb2
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import plan
from struct_bytes import spec_bytes

_FAN = int(os.environ.get("REPRISE_FAN", "4000"))
_INT = {"parameterType": "NUMBER_INTEGER"}


def _spec(tasks: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """Tasks of the one component `leaf`, which may read an integer `x` and gives an integer `o`."""
    leaf = {
        "executorLabel": "exec",
        "inputDefinitions": {"parameters": {"x": {**_INT, "isOptional": True}}},
        "outputDefinitions": {"parameters": {"o": _INT}},
    }
    container = {"image": "i", "command": ["run"], "args": ["--code"]}
    return {
        "pipelineInfo": {"name": "shape"},
        "schemaVersion": "2.1.0",
        "deploymentSpec": {"executors": {"exec": {"container": container}}},
        "components": {"leaf": leaf},
        "root": {"inputDefinitions": {"parameters": inputs}, "dag": {"tasks": tasks}},
    }


def _task(name: str, *upstream: str, x: Any = None) -> dict[str, Any]:
    task: dict[str, Any] = {"taskInfo": {"name": name}, "componentRef": {"name": "leaf"}}
    if upstream:
        task["dependentTasks"] = list(upstream)
    if x is not None:
        task["inputs"] = {"parameters": {"x": x}}
    return task


def _of(producer: str) -> dict[str, Any]:
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": "o"}}


def _run(spec: dict[str, Any], is_wide: bool = False) -> Run:
    world = World(random.Random(0), is_wide=is_wide)
    return execute(1, request_for(1, spec, {}), spec, world, {}, {}, None)


def _verdicts(result: engine.PlanResult) -> dict[str, str]:
    assert not result.problems, result.problems
    return {task.path: engine.Verdict.Name(task.verdict) for task in result.tasks}


def _problems(spec: bytes) -> list[str]:
    request = request_for(1, _spec({"a": _task("a")}), {})
    request.spec = spec
    return [f"{problem.field}: {problem.message}" for problem in plan(request).problems]


def test_a_cycle_is_refused_and_told_along_its_tasks() -> None:
    tasks = {"a": _task("a", "c"), "b": _task("b", "a"), "c": _task("c", "b"), "free": _task("free")}
    (problem,) = _problems(spec_bytes(_spec(tasks)))
    assert "a -> c -> b -> a" in problem


def test_a_chain_of_10_000_tasks_is_planned_run_and_reused() -> None:
    names = [f"t{number:05}" for number in range(10_000)]
    tasks = {names[0]: _task(names[0])}
    for before, name in pairwise(names):
        tasks[name] = _task(name, before, x=_of(before))
    run = _run(_spec(tasks))
    assert run.state == "SUCCEEDED" and len(run.ended) == 10_000
    assert set(_verdicts(plan(request_for(2, run.spec, {}, run))).values()) == {"REUSE"}


@pytest.mark.timeout(0 if _FAN > 4000 else 180)
def test_a_fan_that_is_joined_is_planned_run_and_reused() -> None:
    names = [f"t{number:07}" for number in range(_FAN)]
    tasks = {name: _task(name) for name in names} | {"join": _task("join", *names)}
    run = _run(_spec(tasks), is_wide=True)
    assert run.state == "SUCCEEDED" and run.ended[-1].task_id == _FAN + 1
    assert set(_verdicts(plan(request_for(2, run.spec, {}, run))).values()) == {"REUSE"}


def test_names_that_differ_only_in_their_unicode_form_are_two_tasks() -> None:
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    run = _run(_spec({composed: _task(composed), decomposed: _task(decomposed, composed)}))
    assert {record.path for record in run.records.tasks} == {composed, decomposed}
    changed = _spec({composed: _task(composed)})
    verdicts = _verdicts(plan(request_for(2, changed, {}, run)))
    assert verdicts == {composed: "REUSE", decomposed: "DROPPED"}


def test_a_text_in_another_unicode_form_is_another_value() -> None:
    def key(text: str) -> bytes:
        spec = _spec({"a": _task("a")})
        spec["deploymentSpec"]["executors"]["exec"]["container"]["args"] = [text]
        return plan(request_for(1, spec, {})).tasks[0].key

    assert key(unicodedata.normalize("NFC", "é")) != key(unicodedata.normalize("NFD", "é"))


def test_of_a_key_that_a_map_has_twice_the_last_counts_as_in_any_protobuf_parser() -> None:
    def entry(name: bytes, value: bytes) -> bytes:
        body = b"\x0a" + bytes([len(name)]) + name + b"\x12" + bytes([len(value)]) + value
        return b"\x0a" + bytes([len(body)]) + body

    once = spec_bytes(_spec({"a": _task("a")}))
    twice = once + entry(b"schemaVersion", b"\x1a\x051.0.0") + entry(b"schemaVersion", b"\x1a\x052.1.0")
    parsed = struct_pb2.Struct.FromString(twice)
    assert parsed["schemaVersion"] == "2.1.0"
    request = request_for(1, _spec({"a": _task("a")}), {})
    expected = plan(request)
    request.spec = twice
    assert plan(request).tasks == expected.tasks
    assert plan(request).schema_version == "2.1.0"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
def test_a_number_that_is_none_is_refused_where_it_stands(value: float) -> None:
    spec = _spec({"a": _task("a", x={"runtimeValue": {"constant": value}})})
    problems = _problems(spec_bytes(spec))
    assert problems and "tasks['a']" in problems[0], problems


def test_integers_beyond_doubles_are_told_apart_and_come_through_exactly() -> None:
    spec = _spec({"a": _task("a", x={"componentInputParameter": "p"})}, p=_INT)

    def planned(number: int) -> engine.TaskRecord:
        return plan(request_for(1, spec, {"p": number})).tasks[0]

    even, odd = planned(2**53), planned(2**53 + 1)
    assert even.key != odd.key
    assert odd.inputs.parameters[0].json == "9007199254740993"


def test_specs_are_encoded_here_as_protobuf_encodes_them() -> None:
    spec = _spec({"a": _task("a", x={"runtimeValue": {"constant": 1.5}})})
    spec["odd"] = {
        "": None,
        "yes": True,
        "no": False,
        "list": [[], {}, "é" * 200, -0.0],
        "long": "x" * 20_000,
    }
    struct = struct_pb2.Struct()
    struct.update(spec)
    assert struct_pb2.Struct.FromString(spec_bytes(spec)) == struct
