"""The policy FAIL_FAST, where tasks wait for a place: what was launched and has not started never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from building import Leaf, Task
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served
from stage import Ended, Stage

FAST = states.PIPELINE_FAILURE_POLICY_FAIL_FAST


def _crowd(stage: Stage) -> tuple[dict[str, Any], Path, Path]:
    """Four tasks take all places of the server; when `first` has ended, one of eight others gets its place.

    The rest of the eight wait in the queue while `bad` fails, which it does when it is told to.
    """
    fail, gate = stage.folder / "fail", stage.folder / "gate"
    bad = Leaf(f"while ! test -e {fail}; do sleep 0.02; done\nfalse", says="bad")
    holding = Leaf(f"while ! test -e {gate}; do sleep 0.02; done", says="held")
    tasks = {"bad": Task(bad), "b0": Task(holding), "b1": Task(holding), "first": Task(Leaf())}
    return stage.spec({**tasks, **{f"c{n}": Task(holding, after=["first"]) for n in range(8)}}), fail, gate


def _kept_back(stage: Stage, name: str) -> int:
    details = stage.client.get(name).job_detail.task_details
    return sum(task.reason == states.REASON_FAIL_FAST for task in details)


def _check(ended: Ended) -> None:
    assert ended.state == "FAILED" and ended.ran == ["bad", "first", "held", "held", "held"]
    assert sorted(ended.states[f"c{n}"] for n in range(8)) == ["NOT_TRIGGERED"] * 7 + ["SUCCEEDED"]


def test_fail_fast_starts_nothing_that_waits_in_the_queue(stage: Stage) -> None:
    spec, fail, gate = _crowd(stage)
    name = stage.submit(spec, failure_policy=FAST).name
    stage.until(lambda: len(stage.ran()) == 5)
    fail.touch()
    stage.until(lambda: _kept_back(stage, name) == 7)
    gate.touch()
    ended = stage.finish(name, spec)
    _check(ended)
    again = stage.rerun(ended)
    assert again.ran == ["bad"] + ["held"] * 7, "what ran may end, and what did not start is run by a rerun"


def test_what_fail_fast_kept_from_starting_stays_so_when_the_server_is_killed(tmp_path: Path) -> None:
    server = Served(tmp_path / "data", "--environments=host", "--max-tasks=4")
    stage = Stage(server.grpc, tmp_path)
    spec, fail, gate = _crowd(stage)
    name = stage.submit(spec, failure_policy=FAST).name
    stage.until(lambda: len(stage.ran()) == 5)
    fail.touch()
    stage.until(lambda: _kept_back(stage, name) == 7)
    server.kill()
    gate.touch()
    server.restart()
    _check(stage.finish(name, spec))
    stage.client.close()
    server.stop()
