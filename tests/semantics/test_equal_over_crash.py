"""Who leads and who follows is still so after the server was killed: a real server, in a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import Task
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served
from stage import Stage
from test_equal_at_once import ends, follows, gated, lead_and_follow, open_gate, task


@pytest.fixture
def crashing(serve: Callable[..., Served], tmp_path: Path) -> Iterator[tuple[Served, Stage]]:
    server = serve()
    stage = Stage(server.grpc, tmp_path)
    yield server, stage
    stage.client.close()


def test_a_follower_gets_the_outcome_of_a_leader_that_ran_on_while_no_server_was_there(
    crashing: tuple[Served, Stage],
) -> None:
    server, stage = crashing
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    leader, (one, two) = lead_and_follow(stage, spec, followers=2)
    server.kill()
    server.restart()
    assert follows(stage, one) and follows(stage, two)
    open_gate(stage)
    assert ends(stage, leader) == {"a": "SUCCEEDED"}
    assert ends(stage, one) == ends(stage, two) == {"a": "SKIPPED"}
    assert task(stage, one).reused_from.pipeline_job == leader
    assert stage.ran() == ["a"], "nothing ran twice"


def test_a_follower_runs_itself_when_its_leader_died_while_no_server_was_there(
    crashing: tuple[Served, Stage],
) -> None:
    server, stage = crashing
    body = gated(stage)
    pid = stage.folder / "pid"
    spec = stage.spec(
        {"a": Task(type(body)(f"echo $$ > {pid}\n{body.script}", outputs=body.outputs), cache=True)}
    )
    leader, (follower,) = lead_and_follow(stage, spec)
    server.kill()
    os.kill(int(pid.read_text()), signal.SIGKILL)
    open_gate(stage)
    server.restart()
    assert ends(stage, leader) == {"a": "FAILED"}
    assert ends(stage, follower) == {"a": "SUCCEEDED"}
    assert stage.ran() == ["a", "a"]


def test_a_leader_that_is_cancelled_while_no_server_looks_lets_its_follower_go(
    crashing: tuple[Served, Stage],
) -> None:
    server, stage = crashing
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    leader, (follower,) = lead_and_follow(stage, spec)
    stage.client.cancel(leader)
    server.kill()
    server.restart()
    stage.until(lambda: len(stage.ran()) == 2)
    open_gate(stage)
    assert ends(stage, follower) == {"a": "SUCCEEDED"}
    assert stage.client.wait(leader, 60).state == states.PIPELINE_STATE_CANCELLED
