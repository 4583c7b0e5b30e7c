"""Equal tasks of different runs at the same time run once: one leads, the others wait for it and hold nothing."""

from __future__ import annotations

from typing import Any

from building import Leaf, Task
from parts import ECHO, NOTHING
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from stage import RUN, Stage

State = jobs.PipelineTaskDetail.State


def gated(stage: Stage, gate: str = "gate") -> Leaf:
    """Runs until the gate is there, and fails while something is broken."""
    place = stage.folder / gate
    return Leaf(
        f'while ! test -e {place}; do sleep 0.02; done\ntest ! -e {stage.folder}/broken\necho done > "$out"',
        outputs={"out": "STRING"},
    )


def task(stage: Stage, name: str, path: str = "a") -> jobs.PipelineTaskDetail:
    found = {each.task_unique_name: each for each in stage.client.get(name).job_detail.task_details}
    return found.get(path, jobs.PipelineTaskDetail())


def ends(stage: Stage, name: str) -> dict[str, str]:
    """How the tasks of a run end."""
    stage.client.wait(name, 60)
    tasks = stage.client.get(name).job_detail.task_details
    return {each.task_unique_name: State.Name(each.state) for each in tasks}


def follows(stage: Stage, name: str, path: str = "a") -> bool:
    return task(stage, name, path).cache_answer == states.CACHE_ANSWER_FOLLOWS


def lead_and_follow(stage: Stage, spec: dict[str, Any], followers: int = 1) -> tuple[str, list[str]]:
    """A run whose task runs, and others that are seen to wait for it."""
    leader = stage.submit(spec).name
    stage.until(lambda: len(stage.ran()) == 1)
    names = [stage.submit(spec).name for _ in range(followers)]
    for name in names:
        stage.until(lambda name=name: follows(stage, name))  # type: ignore[misc]
    return leader, names


def open_gate(stage: Stage, gate: str = "gate") -> None:
    (stage.folder / gate).touch()


def test_a_follower_is_shown_whom_it_waits_for_and_takes_over_the_outcome(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    leader, (follower,) = lead_and_follow(stage, spec)
    waiting = task(stage, follower)
    assert waiting.state == State.PENDING and "which is equal and runs now" in waiting.cache_note
    open_gate(stage)
    assert ends(stage, follower) == {"a": "SKIPPED"} and ends(stage, leader) == {"a": "SUCCEEDED"}
    ended = task(stage, follower)
    assert ended.cache_answer == states.CACHE_ANSWER_ANSWERED and ended.reused_from.pipeline_job == leader
    assert stage.ran() == ["a"]


def test_followers_hold_no_place_that_others_could_run_in(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    leader, followers = lead_and_follow(stage, spec, followers=6)  # the server runs four tasks at once
    assert (
        stage.run(stage.spec({f"n{n}": Task(NOTHING) for n in range(6)}, name="other")).state == "SUCCEEDED"
    )
    open_gate(stage)
    for name in (leader, *followers):
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert stage.ran().count("a") == 1


def test_a_follower_runs_itself_when_its_leader_is_cancelled(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    leader, followers = lead_and_follow(stage, spec, followers=2)
    stage.client.cancel(leader)
    stage.until(lambda: len(stage.ran()) == 2)
    open_gate(stage)
    for name in followers:
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert stage.client.wait(leader, 60).state == states.PIPELINE_STATE_CANCELLED
    assert stage.ran() == ["a", "a"], "of the two that waited one leads and one follows"


def test_a_follower_that_is_cancelled_waits_no_longer_and_leaves_its_leader_alone(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True), "b": Task(gated(stage, "other"))})
    leader = stage.submit(spec).name
    stage.until(lambda: sorted(stage.ran()) == ["a", "b"])
    follower = stage.submit(spec).name
    stage.until(lambda: follows(stage, follower) and len(stage.ran()) == 3)
    stage.client.cancel(follower)
    ended = stage.client.wait(follower, 60)
    assert ended.state == states.PIPELINE_STATE_CANCELLED, "its own task was killed, the other never began"
    assert task(stage, follower).state == State.CANCELLED and not task(stage, follower).attempts
    assert task(stage, leader).state == State.RUNNING
    open_gate(stage)
    open_gate(stage, "other")
    assert stage.client.wait(leader, 60).state == states.PIPELINE_STATE_SUCCEEDED


def test_followers_of_a_leader_that_fails_run_one_after_the_other_until_one_succeeds(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    open_broken = stage.folder / "broken"
    open_broken.touch()
    leader, followers = lead_and_follow(stage, spec, followers=2)
    open_gate(stage)
    for name in (leader, *followers):
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_FAILED
    assert stage.ran() == ["a", "a", "a"], "nobody's failure is another's"


def test_two_runs_that_each_lead_one_task_and_follow_the_other_both_end(stage: Stage) -> None:
    x, y, w = gated(stage, "x"), gated(stage, "y"), gated(stage, "w")
    second = stage.spec({"w": Task(w), "x": Task(x, cache=True, after=["w"]), "y": Task(y, cache=True)})
    two = stage.submit(second).name
    stage.until(lambda: sorted(stage.ran()) == ["w", "y"])
    first = stage.spec({"x": Task(x, cache=True), "y": Task(y, cache=True)})
    one = stage.submit(first).name
    stage.until(lambda: follows(stage, one, "y") and "x" in stage.ran())
    open_gate(stage, "w")
    stage.until(lambda: follows(stage, two, "x"))
    open_gate(stage, "x")
    open_gate(stage, "y")
    assert ends(stage, one) == {"x": "SUCCEEDED", "y": "SKIPPED"}
    assert ends(stage, two) == {"w": "SUCCEEDED", "x": "SKIPPED", "y": "SUCCEEDED"}
    assert sorted(stage.ran()) == ["w", "x", "y"]


def test_what_is_asked_for_waits_for_nobody_and_others_wait_for_it(stage: Stage) -> None:
    spec = stage.spec({"a": Task(gated(stage), cache=True)})
    open_gate(stage)
    original = stage.run(spec)
    (stage.folder / "gate").unlink()
    stage.client.drop_cache("semantics")
    _, one = stage.start(original, {"a": RUN})
    stage.until(lambda: len(stage.ran()) == 2)
    _, two = stage.start(original, {"a": RUN})
    stage.until(lambda: len(stage.ran()) == 3)
    follower = stage.submit(spec).name
    stage.until(lambda: follows(stage, follower))
    open_gate(stage)
    for name in (one, two, follower):
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert len(stage.ran()) == 3


def test_a_task_that_is_tried_again_leads_until_it_has_succeeded(stage: Stage) -> None:
    flag = stage.folder / "second"
    body = Leaf(
        f"test -e {flag} || {{ touch {flag}; exit 1; }}\n{gated(stage).script}", outputs={"out": "STRING"}
    )
    spec = stage.spec({"a": Task(body, cache=True, retries=2)})
    leader = stage.submit(spec).name
    stage.until(lambda: len(stage.ran()) == 2)
    follower = stage.submit(spec).name
    stage.until(lambda: follows(stage, follower))
    open_gate(stage)
    for name in (leader, follower):
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert stage.ran() == ["a", "a"] and task(stage, follower).state == State.SKIPPED


def test_many_equal_runs_at_once_do_each_task_once(stage: Stage) -> None:
    spec = stage.spec({f"t{n}": Task(ECHO, {"x": str(n)}, cache=True) for n in range(12)})
    names = [stage.submit(spec).name for _ in range(6)]
    for name in names:
        assert stage.client.wait(name, 60).state == states.PIPELINE_STATE_SUCCEEDED
    assert len(stage.ran()) == 12
