"""A pipeline that runs again is not read again, and what is kept of pipelines has bounds."""

from __future__ import annotations

import hashlib

import pytest
from google.protobuf import json_format, struct_pb2
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, ReadSpec, RunMachine
from reprise.scheduler.recent_specs import RecentSpecs


def spec(name: str) -> bytes:
    document = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": name},
        "deploymentSpec": {"executors": {"exec": {"container": {"image": "i", "command": ["echo", name]}}}},
        "components": {"comp": {"executorLabel": "exec"}},
        "root": {"dag": {"tasks": {name: {"taskInfo": {"name": name}, "componentRef": {"name": "comp"}}}}},
    }
    return json_format.ParseDict(document, struct_pb2.Struct()).SerializeToString(deterministic=True)


def read(specs: RecentSpecs, content: bytes) -> ReadSpec:
    return specs.read(hashlib.sha256(content).digest(), content)


def test_a_pipeline_is_read_once_for_all_its_runs() -> None:
    specs = RecentSpecs()
    assert read(specs, spec("a")) is read(specs, spec("a"))
    assert read(specs, spec("b")) is not read(specs, spec("a"))


def test_what_was_used_longest_ago_is_forgotten_first_and_what_is_too_large_is_not_kept() -> None:
    specs = RecentSpecs(most_bytes=2 * len(spec("a")))
    a, b = read(specs, spec("a")), read(specs, spec("b"))
    assert read(specs, spec("a")) is a
    read(specs, spec("c"))
    assert read(specs, spec("a")) is a
    assert read(specs, spec("b")) is not b
    large = spec("l" * 400)
    assert read(specs, large) is not read(specs, large)


def test_a_broken_pipeline_says_what_is_wrong_and_is_not_kept() -> None:
    specs = RecentSpecs()
    for _ in range(2):
        with pytest.raises(ValueError, match="pipeline_spec"):
            read(specs, b"\xff")


def test_runs_of_a_pipeline_that_was_read_before_decide_what_others_do() -> None:
    known = read(RecentSpecs(), spec("a"))
    asked = Pieces(engine.RunRequest(), spec("a"))
    first = RunMachine(asked).begin(7)
    assert first.decisions[0].launch.path == "a"
    for _ in range(2):
        run = RunMachine(asked, (), known)
        assert run.begin(7) == first
        ended = run.tell([], [(first.decisions[0].task_id, "")], 8)
        assert ended.run_ended.state == engine.SUCCEEDED
    assert RunMachine(Pieces(engine.RunRequest()), (), known).begin(7) == first
