"""The policy FAIL_FAST, where tasks wait for a place: what was launched and has not started never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from building import Leaf, Task
from parts import NOTHING
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served
from stage import Stage

FAST = states.PIPELINE_FAILURE_POLICY_FAIL_FAST


def _crowd(stage: Stage) -> tuple[dict[str, Any], Path, Path]:
    """Four tasks take all places of the server; eight more wait in its queue. The first fails when it is told to."""
    fail, gate = stage.folder / "fail", stage.folder / "gate"
    bad = Leaf(f"while ! test -e {fail}; do sleep 0.02; done\nfalse", says="a-bad")
    holding = Leaf(f"while ! test -e {gate}; do sleep 0.02; done")
    tasks = {"a-bad": Task(bad), **{f"b{n}": Task(holding) for n in range(3)}}
    return stage.spec({**tasks, **{f"c{n}": Task(NOTHING) for n in range(8)}}), fail, gate


def _not_triggered(stage: Stage, name: str) -> int:
    details = stage.client.get(name).job_detail.task_details
    return sum(task.reason == states.REASON_FAIL_FAST for task in details)


def test_fail_fast_starts_nothing_that_waits_in_the_queue(stage: Stage) -> None:
    spec, fail, gate = _crowd(stage)
    name = stage.submit(spec, failure_policy=FAST).name
    stage.until(lambda: len(stage.ran()) == 4)
    fail.touch()
    stage.until(lambda: _not_triggered(stage, name) == 8)
    gate.touch()
    ended = stage.finish(name, spec)
    assert ended.state == "FAILED" and ended.ran == ["a-bad", "b0", "b1", "b2"]
    assert all(ended.states[f"b{n}"] == "SUCCEEDED" for n in range(3)), "what ran may end"
    assert all(ended.states[f"c{n}"] == "NOT_TRIGGERED" for n in range(8))
    again = stage.rerun(ended)
    assert set(again.ran) == {"a-bad", *(f"c{n}" for n in range(8))}


def test_what_fail_fast_kept_from_starting_stays_so_when_the_server_is_killed(tmp_path: Path) -> None:
    server = Served(tmp_path / "data", "--environments=host", "--max-tasks=4")
    stage = Stage(server.grpc, tmp_path)
    spec, fail, gate = _crowd(stage)
    name = stage.submit(spec, failure_policy=FAST).name
    stage.until(lambda: len(stage.ran()) == 4)
    fail.touch()
    stage.until(lambda: _not_triggered(stage, name) == 8)
    server.kill()
    gate.touch()
    server.restart()
    ended = stage.finish(name, spec)
    assert ended.state == "FAILED" and ended.ran == ["a-bad", "b0", "b1", "b2"]
    assert all(ended.states[f"c{n}"] == "NOT_TRIGGERED" for n in range(8))
    stage.client.close()
    server.stop()
