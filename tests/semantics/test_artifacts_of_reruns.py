"""Artifacts that were lost, changed or only touched between a run and its rerun."""

from __future__ import annotations

from typing import Any

import pytest
from building import Given, Leaf, Of, Task
from parts import FILE, READ
from stage import AGAIN, RUN, Ask, Stage

REUSED = "REUSE UNCHANGED"


def _filed(stage: Stage) -> dict[str, Any]:
    return stage.spec(
        {
            "make": Task(FILE, {"x": Given("x")}),
            "copy": Task(
                Leaf('cat "$data" > "$copied"', reads=("data",), writes=("copied",)),
                artifacts={"data": Of("make", "data")},
            ),
            "read": Task(READ, artifacts={"data": Of("copy", "copied")}),
        },
        {"x": ("STRING", "1")},
    )


def test_a_lost_artifact_is_made_again_with_as_little_as_that_needs(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    stage.file(original, "copy", "copied").unlink()
    again = stage.rerun(original, {"read": RUN})
    assert again.verdicts["make"] == REUSED and again.verdicts["copy"] == "EXECUTE ARTIFACT_MISSING"
    assert again.ran == ["copy", "read"] and again.outputs("read") == {"out": "1"}


def test_two_lost_artifacts_in_a_row_are_both_made_again(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    stage.file(original, "copy", "copied").unlink()
    stage.file(original, "make", "data").unlink()
    again = stage.rerun(original, {"read": RUN})
    assert again.ran == ["copy", "make", "read"] and again.outputs("read") == {"out": "1"}


def test_a_lost_artifact_of_an_ancestor_is_noticed_in_a_rerun_of_a_rerun(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    second = stage.rerun(original)
    stage.file(original, "copy", "copied").write_text("overwritten")
    again = stage.rerun(second, {"read": AGAIN})
    assert again.verdicts["copy"] == "EXECUTE ARTIFACT_CHANGED"
    assert again.ran == ["copy", "read"] and again.outputs("read") == {"out": "1"}


def test_an_artifact_that_was_touched_but_not_changed_is_reused(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    stage.file(original, "copy", "copied").write_text("1")
    assert stage.rerun(original, {"read": RUN}).ran == ["read"]


def test_an_artifact_that_is_lost_while_the_run_goes_on_sends_its_producer_back_to_work(stage: Stage) -> None:
    gate, started = stage.folder / "gate", stage.folder / "started"
    wait = Leaf(f"touch {started}\nwhile ! test -e {gate}; do sleep 0.02; done")
    spec = stage.spec(
        {
            "wait": Task(wait),
            "make": Task(FILE, {"x": "1"}, after=["wait"]),
            "read": Task(READ, artifacts={"data": Of("make", "data")}),
        }
    )
    gate.touch()
    original = stage.run(spec)
    gate.unlink()
    started.unlink()
    before = len(stage.ran())
    plan, name = stage.start(original, {"wait": RUN, "read": RUN})
    stage.until(started.exists)
    stage.file(original, "make", "data").unlink()
    gate.touch()
    again = stage.finish(name, spec, before, plan)
    assert again.ran == ["make", "read", "wait"] and again.state == "SUCCEEDED"


@pytest.mark.parametrize("text", ["2", "1"], ids=["other", "equal"])
def test_a_file_made_again_runs_its_readers_only_where_its_bytes_differ(stage: Stage, text: str) -> None:
    spec = _filed(stage)
    original = stage.run(spec)
    again = stage.rerun(original, {"make": Ask(inputs={"x": text})} if text == "2" else {"make": RUN})
    assert again.ran == (["copy", "make", "read"] if text == "2" else ["make"])
