"""The plan of a rerun: configs on sub-pipelines, loops, iterations and conditions, row by row."""

from __future__ import annotations

from typing import Any

import pytest
from building import Dag, Given, Leaf, Of, Task
from parts import ECHO, NOTHING, broken_while, loop
from reprise.client import InvalidArgumentError
from stage import RUN, SKIP, SKIP_ON, Ask, Stage

REUSED = "REUSE UNCHANGED"
DAGS = {
    "sub-pipeline": ("sub", {"p", "q"}),
    "loop": ("each", {"work a", "work b"}),
    "iteration": ("each[1]", {"work b"}),
    "condition": ("if", {"then"}),
}


def _spec(stage: Stage, broken: Leaf = ECHO) -> dict[str, Any]:
    """A sub-pipeline p -> q with its output read by `after`, a loop, a condition."""
    sub = Dag(
        {"p": Task(broken, {"x": Given("x")}), "q": Task(ECHO, {"x": Of("p")})},
        {"x": "STRING"},
        {"out": Of("q")},
    )
    return stage.spec(
        {
            "sub": Task(sub, {"x": Given("x")}),
            "after": Task(ECHO, {"x": Of("sub")}),
            "each": loop(["a", "b"]),
            "if": Task(
                Dag({"then": Task(NOTHING)}, {"x": "STRING"}),
                {"x": Given("x")},
                condition="inputs.parameter_values['x'] != 'no'",
            ),
        },
        {"x": ("STRING", "1")},
    )


@pytest.mark.parametrize("kind", DAGS)
def test_the_filler_on_a_succeeded_dag_says_nothing_about_its_children(stage: Stage, kind: str) -> None:
    original = stage.run(_spec(stage))
    dag, _ = DAGS[kind]
    again = stage.rerun(original, {dag: SKIP}, is_filled=False)
    assert set(again.verdicts.values()) <= {REUSED, "REUSE CHILDREN"} and again.ran == []
    assert again.states[dag] == "SUCCEEDED", "a DAG whose children are all reused"
    child = next(path for path in again.tasks if path.startswith((f"{dag}.", f"{dag}[")) and "." in path)
    leaf = stage.rerun(original, {dag: SKIP, child: RUN}, is_filled=False)
    assert leaf.verdicts[child].startswith("EXECUTE REQUESTED")


@pytest.mark.parametrize("kind", DAGS)
def test_a_succeeded_dag_that_is_asked_for_runs_every_leaf_inside_over_the_filler(
    stage: Stage, kind: str
) -> None:
    original = stage.run(_spec(stage))
    dag, leaves = DAGS[kind]
    again = stage.rerun(original, {dag: RUN})
    assert set(again.ran) == leaves
    inside = {path: said for path, said in again.verdicts.items() if path.startswith((f"{dag}.", f"{dag}["))}
    asked = {said for path, said in inside.items() if path in again.tasks and again.tasks[path].attempts}
    assert asked == {"EXECUTE REQUESTED_BY_PARENT"}
    assert again.state == "SUCCEEDED"


def test_the_filler_on_a_failed_dag_says_nothing_about_its_children(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(_spec(stage, broken_while(flag)))
    assert original.states["sub"] == "FAILED"
    flag.unlink()
    again = stage.rerun(original, {"sub": RUN})
    assert again.verdicts["sub.p"] == "EXECUTE NOT_SUCCEEDED" and again.ran == ["after", "p", "q"]
    assert again.verdicts["each[0].work"] == REUSED


def test_skip_of_a_failed_dag_leaves_out_everything_inside_over_the_filler(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    sub = Dag({"fine": Task(NOTHING), "bad": Task(broken_while(flag, NOTHING))})
    spec = stage.spec({"sub": Task(sub), "after": Task(NOTHING, after=["sub"])})
    original = stage.run(spec)
    assert original.states == {
        "sub": "FAILED",
        "sub.fine": "SUCCEEDED",
        "sub.bad": "FAILED",
        "after": "NOT_TRIGGERED",
    }
    again = stage.rerun(original, {"sub": SKIP})
    assert again.verdicts["sub"] == "SKIP REQUESTED"
    assert again.verdicts["sub.fine"] == again.verdicts["sub.bad"] == "SKIP REQUESTED_BY_PARENT"
    assert again.ran == ["after"] and again.state == "SUCCEEDED"
    assert again.states["sub"] == "SKIPPED" and again.tasks["sub.fine"].is_left_out


def test_skip_of_a_failed_iteration_leaves_out_that_iteration(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    picky = Leaf(
        f'test "$item" != b || test ! -e {flag}\nprintf %s "$item" > "$out"',
        {"item": "STRING"},
        {"out": "STRING"},
        says="work $item",
    )
    spec = stage.spec({"each": loop(["a", "b", "c"], picky)}, outputs={"out": Of("each")})
    original = stage.run(spec)
    assert original.states["each[1]"] == "FAILED"
    again = stage.rerun(original, {"each[1]": SKIP})
    assert again.verdicts["each[1].work"] == "SKIP REQUESTED_BY_PARENT"
    assert again.ran == [] and again.state == "SUCCEEDED" and again.root == {"out": ["a", "c"]}


def test_skip_of_a_failed_dag_whose_outputs_are_needed_is_refused_naming_the_consumer(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(_spec(stage, broken_while(flag)))
    with pytest.raises(InvalidArgumentError) as refused:
        stage.plan(original, {"sub": SKIP})
    assert "after" in str([violation.message for violation in refused.value.violations])
    again = stage.rerun(original, {"sub": SKIP_ON})
    assert again.verdicts["after"] == "SKIP SKIP_DOWNSTREAM"
    assert again.ran == [] and again.state == "SUCCEEDED"


def test_inputs_of_a_dag_flow_to_its_children_and_dirty_those_whose_values_change(stage: Stage) -> None:
    sub = Dag(
        {"p": Task(ECHO, {"x": Given("x")}), "q": Task(ECHO, {"x": Given("y")})},
        {"x": "STRING", "y": "STRING"},
        {"out": Of("p")},
    )
    spec = stage.spec({"sub": Task(sub, {"x": "1", "y": "2"}), "after": Task(ECHO, {"x": Of("sub")})})
    original = stage.run(spec)
    again = stage.rerun(original, {"sub": Ask(inputs={"x": "other", "y": "2"})})
    assert again.ran == ["after", "p"] and again.verdicts["sub.q"] == REUSED
    assert again.outputs("after") == {"out": "other"}
    assert again.tasks["sub"].overridden_inputs == ["x", "y"] or again.tasks["sub"].overridden_inputs == ["x"]


def test_inputs_of_a_loop_reach_every_iteration(stage: Stage) -> None:
    body = Leaf(
        'printf %s "$item$x" > "$out"',
        {"item": "STRING", "x": "STRING"},
        {"out": "STRING"},
        says="work $item",
    )
    spec = stage.spec({"each": loop(["a", "b"], body, {"x": "1"})}, outputs={"out": Of("each")})
    original = stage.run(spec)
    again = stage.rerun(original, {"each": Ask(inputs={"x": "2"})})
    assert again.ran == ["work a", "work b"] and again.root == {"out": ["a2", "b2"]}


def test_a_config_on_the_root_is_ignored(stage: Stage) -> None:
    original = stage.run(_spec(stage))
    again = stage.rerun(original, {"root": RUN})
    assert again.ran == [] and any("root" in warning for warning in again.plan.warnings)
