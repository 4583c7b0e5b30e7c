"""Cancel, Delete and the failure policy, row by row."""

from __future__ import annotations

import os
from typing import Any

import pytest
from building import EXIT, Dag, Given, Leaf, Of, Task
from parts import ECHO, FILE, NOTHING, READ, broken_while, chain
from reprise.client import FailedPreconditionError, InvalidArgumentError, NotFoundError
from reprise.pb.v1 import operations_pb2 as operations
from reprise.pb.v1 import pipeline_state_pb2 as states
from stage import RUN, Ended, Stage

FAST = states.PIPELINE_FAILURE_POLICY_FAIL_FAST


class Held:
    """A run whose first task waits at a gate."""

    def __init__(self, stage: Stage, script: str = "", **tasks: Task) -> None:
        self._stage = stage
        self.gate, self._started = stage.folder / "gate", stage.folder / "started"
        self._started.unlink(missing_ok=True)
        wait = Leaf(f"{script}\ntouch {self._started}\nwhile ! test -e {self.gate}; do sleep 0.02; done")
        self.spec = stage.spec({"held": Task(wait), "later": Task(NOTHING, after=["held"]), **tasks})
        self._before = len(stage.ran())
        self.name = stage.submit(self.spec).name
        stage.until(self._started.exists)

    def ended(self) -> Ended:
        return self._stage.finish(self.name, self.spec, self._before)


# Cancel.


def test_a_running_run_is_cancelled_and_nothing_starts_after_that_exit_tasks_included(stage: Stage) -> None:
    held = Held(stage, exit=Task(NOTHING, after=["held"], strategy=EXIT))
    stage.client.cancel(held.name)
    assert stage.client.get(held.name).state in (
        states.PIPELINE_STATE_CANCELLING,
        states.PIPELINE_STATE_CANCELLED,
    )
    stage.client.cancel(held.name)  # again: nothing changes
    ended = held.ended()
    assert ended.state == "CANCELLED" and ended.ran == ["held"]
    assert ended.states == {"held": "CANCELLED", "later": "CANCELLED", "exit": "CANCELLED"}
    assert ended.job.error.code == 1
    stage.client.cancel(held.name)
    assert stage.client.get(held.name).state == states.PIPELINE_STATE_CANCELLED


@pytest.mark.parametrize("is_broken", [False, True], ids=["succeeded", "failed"])
def test_cancelling_what_has_ended_changes_nothing(stage: Stage, is_broken: bool) -> None:
    flag = stage.folder / "broken"
    if is_broken:
        flag.touch()
    ended = stage.run(stage.spec({"a": Task(broken_while(flag, NOTHING))}))
    stage.client.cancel(ended.name)
    assert stage.client.get(ended.name) == ended.job


def test_a_run_that_does_not_exist_cannot_be_cancelled(stage: Stage) -> None:
    with pytest.raises(NotFoundError):
        stage.client.cancel("missing")


def test_cancelled_is_shown_only_when_every_descendant_is_dead(stage: Stage) -> None:
    pids = stage.folder / "pids"
    stubborn = (
        f"(trap '' TERM; echo $$ >> {pids}; exec sh -c 'trap \"\" TERM; echo $$ >> {pids}; sleep 600') &"
    )
    orphan = f"setsid sh -c 'echo $$ >> {pids}; sleep 600' < /dev/null > /dev/null 2>&1 &"
    waits = f"while test $(wc -l < {pids}) -lt 3; do sleep 0.02; done"
    held = Held(stage, f"touch {pids}\n{stubborn}\n{orphan}\n{waits}")
    assert all(_is_alive(int(pid)) for pid in pids.read_text().split())
    stage.client.cancel(held.name)
    assert held.ended().state == "CANCELLED"
    assert not any(_is_alive(int(pid)) for pid in pids.read_text().split())


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_task_that_ends_well_after_the_sigterm_is_cancelled_whatever_its_exit_code(stage: Stage) -> None:
    held = Held(stage, "trap 'exit 0' TERM")
    stage.client.cancel(held.name)
    ended = held.ended()
    assert ended.states["held"] == "CANCELLED" and ended.state == "CANCELLED"


def test_succeeded_wins_over_cancelling_where_the_last_task_had_ended_before(stage: Stage) -> None:
    """Its process has ended; that its output is large, and still being digested, is what Cancel comes in between."""
    pid, done = stage.folder / "pid", stage.folder / "done"
    large = Leaf(f'truncate -s 1G "$data"\necho $$ > {pid}\ntouch {done}', writes=("data",))
    spec = stage.spec({"large": Task(large)})
    name = stage.submit(spec).name
    stage.until(lambda: done.exists() and not _is_alive(int(pid.read_text())))
    stage.client.cancel(name)
    assert stage.client.get(name).state == states.PIPELINE_STATE_CANCELLING
    ended = stage.finish(name, spec)
    assert ended.state == "SUCCEEDED" and ended.states == {"large": "SUCCEEDED"}
    assert not ended.job.error.message
    assert stage.rerun(ended).verdicts == {"large": "REUSE UNCHANGED"}


def test_a_task_that_ended_well_before_the_cancel_succeeded_and_is_reused(stage: Stage) -> None:
    gate, started = stage.folder / "gate", stage.folder / "started"
    wait = Leaf(f"touch {started}\nwhile ! test -e {gate}; do sleep 0.02; done")
    spec = stage.spec({"a": Task(ECHO, {"x": "1"}), "held": Task(wait, after=["a"])})
    name = stage.submit(spec).name
    stage.until(started.exists)
    stage.client.cancel(name)
    original = stage.finish(name, spec)
    assert original.states == {"a": "SUCCEEDED", "held": "CANCELLED"}
    gate.touch()
    again = stage.rerun(original)
    assert again.ran == ["held"] and again.verdicts["a"] == "REUSE UNCHANGED"


def test_a_rerun_that_is_cancelled_keeps_the_outcomes_of_its_original_for_the_next(stage: Stage) -> None:
    gate, started = stage.folder / "gate", stage.folder / "started"
    wait = Leaf(f"touch {started}\nwhile ! test -e {gate}; do sleep 0.02; done")
    spec = stage.spec({"held": Task(wait), "b": Task(ECHO, {"x": "1"}, after=["held"])})
    gate.touch()
    original = stage.run(spec)
    gate.unlink()
    started.unlink()
    _, name = stage.start(original, {"held": RUN})
    stage.until(started.exists)
    before = len(stage.ran())
    stage.client.cancel(name)
    cancelled = stage.finish(name, spec, before - 1)
    assert cancelled.states == {"held": "CANCELLED", "b": "CANCELLED"}
    gate.touch()
    again = stage.rerun(cancelled)
    assert again.ran == ["held"] and again.tasks["b"].reused_from.pipeline_job == original.name


def test_a_batch_is_validated_whole_and_cancels_all_or_nothing(stage: Stage) -> None:
    first, ended = Held(stage), stage.run(chain(stage))
    for names in (
        [first.name, "missing"],
        [first.name, "projects/other/locations/local/pipelineJobs/x"],
        [first.name, "not a name at all/"],
    ):
        with pytest.raises((NotFoundError, InvalidArgumentError)):
            stage.client.batch_cancel(names)
    assert stage.client.get(first.name).state == states.PIPELINE_STATE_RUNNING
    operation = stage.client.batch_cancel([first.name, ended.name, first.name])
    operation = stage.client.wait_operation(operation.name, 60)
    response, metadata = (
        operations.BatchCancelPipelineJobsResponse(),
        operations.BatchCancelPipelineJobsOperationMetadata(),
    )
    assert operation.done and operation.response.Unpack(response) and operation.metadata.Unpack(metadata)
    assert [job.name for job in response.pipeline_jobs] == [first.name]
    assert [(target.name, target.outcome) for target in metadata.targets] == [
        (first.name, operations.OperationTarget.CANCELLED),
        (ended.name, operations.OperationTarget.ALREADY_ENDED),
    ]
    assert stage.client.get(first.name).state == states.PIPELINE_STATE_CANCELLED


def test_a_batch_takes_32_names(stage: Stage) -> None:
    ended = [stage.run(stage.spec({"a": Task(NOTHING)})).name for _ in range(2)]
    with pytest.raises(NotFoundError):
        stage.client.batch_cancel([*ended, *(f"missing-{n}" for n in range(30))])
    operation = stage.client.wait_operation(stage.client.batch_cancel(ended * 16).name, 60)
    assert operation.done


# Delete.


def test_a_run_that_has_not_ended_is_not_deleted(stage: Stage) -> None:
    held = Held(stage)
    with pytest.raises(FailedPreconditionError):
        stage.client.delete(held.name)
    held.gate.touch()
    assert held.ended().state == "SUCCEEDED"
    assert stage.client.wait_operation(stage.client.delete(held.name).name, 60).done
    with pytest.raises(NotFoundError):
        stage.client.get(held.name)


def _filed(stage: Stage) -> dict[str, Any]:
    return stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})


def test_files_under_the_data_dir_go_with_the_last_run_that_refers_to_them(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    rerun = stage.rerun(original)
    path = stage.file(original, "a", "data")
    stage.client.delete(original.name)
    assert path.exists() and stage.rerun(rerun, {"b": RUN}).state == "SUCCEEDED"
    for job in stage.client.list():
        stage.client.delete(job.name)
    stage.until(lambda: not path.exists())


def test_an_output_directory_that_the_user_named_is_never_touched(stage: Stage) -> None:
    folder = stage.folder / "mine"
    ended = stage.run(_filed(stage), output_directory=str(folder))
    path = stage.file(ended, "a", "data")
    assert path.is_relative_to(folder)
    stage.client.wait_operation(stage.client.delete(ended.name).name, 60)
    other = stage.run(_filed(stage))
    stage.client.delete(other.name)
    stage.until(lambda: not stage.file(other, "a", "data").exists())
    assert path.read_text() == "1"


def test_a_batch_delete_is_all_or_nothing(stage: Stage) -> None:
    ended, held = stage.run(chain(stage)), Held(stage)
    with pytest.raises(FailedPreconditionError):
        stage.client.batch_delete([ended.name, held.name])
    with pytest.raises(NotFoundError):
        stage.client.batch_delete([ended.name, "missing"])
    assert stage.client.get(ended.name).name == ended.name
    held.gate.touch()
    held.ended()
    assert stage.client.wait_operation(stage.client.batch_delete([ended.name, held.name]).name, 60).done
    assert list(stage.client.list()) == []


# Failure policy.


def _failing(stage: Stage) -> dict[str, Any]:
    """`bad` fails; `slow` goes on until it has, and `after-slow` follows it."""
    flag = stage.folder / "failed"
    bad = Leaf(f"touch {flag}\nexit 1")
    body = Dag(
        {
            "bad": Task(bad, after=["first"]),
            "after-bad": Task(NOTHING, after=["bad"]),
            "first": Task(NOTHING),
            "slow": Task(Leaf(f"while ! test -e {flag}; do sleep 0.02; done\nsleep 0.4")),
            "after-slow": Task(NOTHING, after=["slow"]),
        }
    )
    return stage.spec(
        {
            "exit-handler-1": Task(body),
            "clean": Task(NOTHING, after=["exit-handler-1"], strategy=EXIT),
        }
    )


def test_fail_slow_runs_all_that_can_still_run(stage: Stage) -> None:
    ended = stage.run(_failing(stage))
    assert ended.state == "FAILED" and ended.ran == ["after-slow", "bad", "clean", "first", "slow"]
    assert ended.states["exit-handler-1.after-bad"] == "NOT_TRIGGERED"
    assert ended.states["exit-handler-1"] == "FAILED" and ended.states["clean"] == "SUCCEEDED"


def test_fail_fast_starts_nothing_new_lets_end_what_runs_and_runs_exit_tasks(stage: Stage) -> None:
    ended = stage.run(_failing(stage), failure_policy=FAST)
    assert ended.state == "FAILED" and ended.ran == ["bad", "clean", "first", "slow"]
    assert ended.states["exit-handler-1.slow"] == "SUCCEEDED"
    assert ended.states["exit-handler-1.after-slow"] == "NOT_TRIGGERED"
    assert ended.states["clean"] == "SUCCEEDED"
    again = stage.rerun(ended)
    assert "after-slow" in again.ran, "what failing fast kept from starting has no outcome"


def test_a_failed_exit_task_fails_the_run(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    spec = stage.spec(
        {
            "exit-handler-1": Task(Dag({"work": Task(NOTHING)})),
            "clean": Task(broken_while(flag, NOTHING), after=["exit-handler-1"], strategy=EXIT),
        }
    )
    assert stage.run(spec).state == "FAILED"


def test_a_task_that_ignores_the_failure_of_its_upstream_runs_and_the_run_still_fails(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    lenient = Leaf('printf %s "$x" > "$out"', {"x": ("STRING", "default")}, {"out": "STRING"})
    spec = stage.spec(
        {"bad": Task(broken_while(flag), {"x": "1"}), "next": Task(lenient, {"x": Of("bad")}, strategy=EXIT)}
    )
    original = stage.run(spec)
    assert original.state == "FAILED" and original.outputs("next") == {"out": "default"}
    flag.unlink()
    again = stage.rerun(original)
    assert again.ran == ["bad", "next"] and again.outputs("next") == {"out": "1"}


def test_an_ordinary_task_with_the_strategy_of_an_exit_task_is_reused(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": Given("x")}), "b": Task(NOTHING, after=["a"], strategy=EXIT)},
        {"x": ("STRING", "1")},
    )
    again = stage.rerun(stage.run(spec))
    assert again.ran == [] and again.verdicts["b"] == "REUSE UNCHANGED"


def test_a_failed_task_is_tried_as_often_as_its_retry_policy_says(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    ended = stage.run(stage.spec({"a": Task(broken_while(flag, NOTHING), retries=2)}))
    assert ended.ran == ["a"] * 3 and ended.tasks["a"].attempts == 3 and ended.state == "FAILED"


def test_a_run_of_which_nothing_has_started_is_cancelled_at_once(stage: Stage) -> None:
    """All places for tasks are taken, so that the second run waits."""
    places = {f"held-{n}": Task(_holding(stage, n)) for n in range(4)}
    spec = stage.spec(places)
    holder = stage.submit(spec).name
    stage.until(lambda: len(stage.ran()) == 4)
    waiting = [stage.submit(stage.spec({"a": Task(NOTHING)})).name for _ in range(2)]
    stage.client.cancel(waiting[0])
    job = stage.client.get(waiting[0])
    assert job.state == states.PIPELINE_STATE_CANCELLED and job.error.code == 1
    assert stage.client.wait_operation(stage.client.batch_cancel(waiting).name, 60).done
    assert stage.client.get(waiting[1]).state == states.PIPELINE_STATE_CANCELLED
    (stage.folder / "gate").touch()
    assert stage.finish(holder, spec).state == "SUCCEEDED"
    assert len(stage.ran()) == 4
    original = Ended(stage.client.get(waiting[0]), stage.spec({"a": Task(NOTHING)}), [])
    assert stage.rerun(original).ran == ["a"], "it can be rerun"


def _holding(stage: Stage, number: int) -> Leaf:
    return Leaf(f": {number}\nwhile ! test -e {stage.folder}/gate; do sleep 0.02; done")
