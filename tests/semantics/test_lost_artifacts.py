"""Artifacts that are lost after the plan was made: noticed when they are to be read, and made anew.

The task that made a lost artifact keeps its end; `NAME~1` is what made it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from building import Dag, Given, Leaf, Of, Task
from parts import FILE, READ
from refinement import check_refines
from served import Served
from stage import AGAIN, RUN, Ask, Ended, Stage, said


class Gate:
    """Holds a run at a task `wait` until it is opened."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._open, self._reached = stage.folder / "open", stage.folder / "reached"
        self.body = Leaf(
            f"touch {self._reached}\nwhile ! test -e {self._open}; do sleep 0.02; done", says="wait"
        )

    def open(self) -> None:
        self._open.touch()

    def close(self) -> None:
        self._open.unlink()
        self._reached.unlink()

    def await_run(self) -> None:
        self._stage.until(self._reached.exists)


def _spec(stage: Stage, gate: Gate, **more: Task) -> dict[str, Any]:
    """`make` is bound at once; `read` reads its file once `wait` has ended."""
    return stage.spec(
        {
            "make": Task(FILE, {"x": Given("x")}),
            "wait": Task(gate.body),
            "read": Task(READ, artifacts={"data": Of("make", "data")}, after=["wait"]),
            **more,
        },
        {"x": ("STRING", "1")},
    )


def _lose(
    stage: Stage,
    gate: Gate,
    spec: dict[str, Any],
    lost: list[tuple[str, str]],
    asks: dict[str, Ask],
    text: str = "",
) -> Ended:
    """A rerun in whose middle the files of some outputs of the original are deleted, or overwritten by `text`."""
    gate.open()
    original = stage.run(spec)
    gate.close()
    before = len(stage.ran())
    plan, name = stage.start(original, asks, spec)
    gate.await_run()
    for task, output in lost:
        file = stage.file(original, task, output)
        file.write_text(text) if text else file.unlink()
    gate.open()
    return stage.finish(name, spec, before, plan)


def test_a_reused_artifact_that_is_deleted_after_it_was_bound_is_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    spec = _spec(stage, gate)
    again = _lose(stage, gate, spec, [("make", "data")], {"wait": RUN, "read": RUN})
    assert again.verdicts["make"] == "REUSE UNCHANGED"
    assert again.ran == ["make", "read", "wait"] and again.state == "SUCCEEDED"
    assert again.states["make"] == "SKIPPED", "its end stands"
    assert (
        said(again.tasks["make~1"]) == "EXECUTE ARTIFACT_MISSING"
        and again.tasks["make~1"].caused_by == "read"
    )
    assert again.outputs("read") == {"out": "1"}
    assert Path(again.artifact("make~1", "data").uri).read_text() == "1"


def test_a_rerun_of_that_run_reuses_what_was_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    spec = _spec(stage, gate)
    again = _lose(stage, gate, spec, [("make", "data")], {"wait": RUN, "read": RUN})
    third = stage.rerun(again)
    assert third.ran == [] and third.dropped == {} and third.verdicts["make"] == "REUSE UNCHANGED"
    assert third.tasks["make"].reused_from.task_unique_name == "make~1"
    assert third.artifact("make", "data").uri == again.artifact("make~1", "data").uri
    fourth = stage.rerun(third, {"read": AGAIN})
    assert fourth.ran == ["read"] and fourth.verdicts["make"] == "REUSE UNCHANGED"
    assert fourth.outputs("read") == {"out": "1"}


def test_an_artifact_that_this_run_has_made_and_lost_is_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    spec = _spec(stage, gate)
    before = len(stage.ran())
    name = stage.submit(spec).name
    gate.await_run()
    stage.until(lambda: "make" in _succeeded(stage, name))
    made = {task.task_unique_name: task for task in stage.client.get(name).job_detail.task_details}["make"]
    Path(made.outputs["data"].artifacts[0].uri).unlink()
    gate.open()
    run = stage.finish(name, spec, before)
    assert run.ran == ["make", "make", "read", "wait"] and run.state == "SUCCEEDED"
    assert run.states["make"] == run.states["make~1"] == "SUCCEEDED"
    assert run.tasks["make"].attempts == run.tasks["make~1"].attempts == 1
    assert run.outputs("read") == {"out": "1"}


def _succeeded(stage: Stage, name: str) -> set[str]:
    return {
        task.task_unique_name
        for task in stage.client.get(name).job_detail.task_details
        if task.state == task.SUCCEEDED
    }


def test_an_artifact_that_is_overwritten_under_the_same_uri_is_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    again = _lose(
        stage, gate, _spec(stage, gate), [("make", "data")], {"wait": RUN, "read": RUN}, text="something else"
    )
    assert said(again.tasks["make~1"]) == "EXECUTE ARTIFACT_CHANGED"
    assert again.outputs("read") == {"out": "1"}


def test_an_artifact_that_is_only_touched_is_read_as_it_is(stage: Stage) -> None:
    gate = Gate(stage)
    again = _lose(stage, gate, _spec(stage, gate), [("make", "data")], {"wait": RUN, "read": RUN}, text="1")
    assert again.ran == ["read", "wait"] and "make~1" not in again.tasks


def test_what_nobody_reads_is_not_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    again = _lose(stage, gate, _spec(stage, gate), [("make", "data")], {"wait": RUN})
    assert again.ran == ["wait"] and again.states["read"] == "SKIPPED" and "make~1" not in again.tasks


def test_a_lost_artifact_whose_own_input_is_lost_too_has_both_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    spec = stage.spec(
        {
            "make": Task(FILE, {"x": "1"}),
            "copy": Task(
                Leaf('cat "$data" > "$copied"', reads=("data",), writes=("copied",)),
                artifacts={"data": Of("make", "data")},
            ),
            "wait": Task(gate.body),
            "read": Task(READ, artifacts={"data": Of("copy", "copied")}, after=["wait"]),
        }
    )
    lost = [("make", "data"), ("copy", "copied")]
    again = _lose(stage, gate, spec, lost, {"wait": RUN, "read": RUN})
    assert again.ran == ["copy", "make", "read", "wait"] and again.outputs("read") == {"out": "1"}
    assert again.tasks["copy~1"].caused_by == "read" and again.tasks["make~2"].caused_by == "copy~1"


def test_readers_in_other_dags_and_iterations_share_what_was_made_anew(stage: Stage) -> None:
    gate = Gate(stage)
    reader = Dag({"read": Task(READ, artifacts={"data": Given("data")})}, reads=("data",))
    spec = stage.spec(
        {
            "make": Task(FILE, {"x": "1"}),
            "wait": Task(gate.body),
            "sub": Task(reader, artifacts={"data": Of("make", "data")}, after=["wait"]),
            "each": Task(
                reader, artifacts={"data": Of("make", "data")}, after=["wait"], each=["a", "b", "c"]
            ),
        }
    )
    asks = {"wait": RUN, "sub": RUN, "each": RUN}
    again = _lose(stage, gate, spec, [("make", "data")], asks)
    assert again.ran == ["make", "read", "read", "read", "read", "wait"] and again.state == "SUCCEEDED"
    remade = [path for path in again.tasks if path.endswith("make~1")]
    assert len(remade) == 1 and again.states[remade[0]] == "SUCCEEDED"
    third = stage.rerun(again)
    assert third.ran == [] and third.dropped == {}


def test_what_cannot_be_made_anew_leaves_its_readers_untriggered_and_the_run_failed(stage: Stage) -> None:
    gate = Gate(stage)
    flag = stage.folder / "broken"
    body = Leaf(f"test ! -e {flag}\n{FILE.script}", FILE.inputs, writes=FILE.writes)
    spec = _spec(stage, gate, make=Task(body, {"x": "1"}), free=Task(Leaf(), after=["wait"]))
    gate.open()
    original = stage.run(spec)
    gate.close()
    flag.touch()
    before = len(stage.ran())
    plan, name = stage.start(original, {"wait": RUN, "read": RUN}, spec)
    gate.await_run()
    stage.file(original, "make", "data").unlink()
    gate.open()
    again = stage.finish(name, spec, before, plan)
    assert (
        again.state == "FAILED" and again.states["make"] == "SKIPPED" and again.states["make~1"] == "FAILED"
    )
    assert (
        said(again.tasks["read"]) == "NOT_TRIGGERED UPSTREAM_FAILED"
        and again.tasks["read"].caused_by == "make~1"
    )
    assert 'task "make~1" failed' in again.job.error.message
    flag.unlink()
    third = stage.rerun(again, {"read": AGAIN})
    assert third.verdicts["make"] == "EXECUTE ARTIFACT_MISSING"
    assert third.ran == ["make", "read"] and third.state == "SUCCEEDED"


def test_an_artifact_that_was_given_and_is_lost_fails_its_reader_and_says_which(stage: Stage) -> None:
    gate = Gate(stage)
    given = stage.folder / "given"
    given.write_text("2")
    spec = _spec(stage, gate)
    gate.open()
    original = stage.run(spec)
    gate.close()
    before = len(stage.ran())
    _, name = stage.start(original, {"wait": RUN, "read": Ask(artifacts={"data": str(given)})}, spec)
    gate.await_run()
    given.unlink()
    gate.open()
    again = stage.finish(name, spec, before)
    assert again.state == "FAILED" and again.ran == ["wait"]
    error = again.tasks["read"].error.message
    assert str(given) in error and '"data"' in error and "is gone" in error


def test_a_cancel_while_a_lost_artifact_is_made_anew_ends_both(stage: Stage) -> None:
    gate = Gate(stage)
    slow = stage.folder / "slow"
    body = Leaf(f"{FILE.script}\nwhile test -e {slow}; do sleep 0.02; done", FILE.inputs, writes=FILE.writes)
    spec = _spec(stage, gate, make=Task(body, {"x": "1"}))
    gate.open()
    original = stage.run(spec)
    gate.close()
    slow.touch()
    before = len(stage.ran())
    _, name = stage.start(original, {"wait": RUN, "read": RUN}, spec)
    gate.await_run()
    stage.file(original, "make", "data").unlink()
    gate.open()
    stage.until(lambda: len(stage.ran()) == before + 2)
    stage.client.cancel(name)
    again = stage.finish(name, spec, before)
    assert again.state == "CANCELLED"
    assert again.states["make~1"] == again.states["read"] == "CANCELLED" and again.states["make"] == "SKIPPED"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path / "data", "--environments=host", "--max-tasks=4")
    yield server
    server.stop()


def test_a_server_that_dies_while_a_lost_artifact_is_made_anew_goes_on_where_it_was(
    served: Served, tmp_path: Path
) -> None:
    stage = Stage(served.grpc, tmp_path)
    gate = Gate(stage)
    slow = stage.folder / "slow"
    body = Leaf(f"{FILE.script}\nwhile test -e {slow}; do sleep 0.02; done", FILE.inputs, writes=FILE.writes)
    spec = _spec(stage, gate, make=Task(body, {"x": "1"}), after=Task(Leaf(), after=["read"]))
    gate.open()
    original = stage.run(spec)
    gate.close()
    slow.touch()
    before = len(stage.ran())
    plan, name = stage.start(original, {"wait": RUN, "read": RUN}, spec)
    gate.await_run()
    stage.file(original, "make", "data").unlink()
    gate.open()
    stage.until(lambda: len(stage.ran()) == before + 2)
    served.kill()
    slow.unlink()
    served.restart()
    again = stage.finish(name, spec, before, plan)
    check_refines(plan, again.job, {})
    assert again.ran == ["make", "read", "wait"] and again.state == "SUCCEEDED"
    assert again.states["make"] == "SKIPPED" and again.states["make~1"] == "SUCCEEDED"
    third = stage.rerun(again)
    assert third.ran == []
    stage.client.close()
