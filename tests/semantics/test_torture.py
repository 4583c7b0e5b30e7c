"""The cases that rerun engines get wrong: each plans, executes, and reads in the ledger what really ran."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from building import Dag, Given, Leaf, Of, Task
from parts import CONSTANT, COUNT, ECHO, NOTHING, WORK, broken_while, chain, loop
from stage import AGAIN, RUN, SKIP, SKIP_ON, Ask, Stage

REUSED = "REUSE UNCHANGED"
HUNDRED = [f"item-{number:03}" for number in range(100)]


def _fan_out(stage: Stage, body: Leaf = WORK, collect: Leaf = COUNT) -> dict[str, Any]:
    return stage.spec(
        {
            "each": loop(Given("items"), body),
            "collect": Task(replace(collect, says="collect"), {"list": Of("each")}),
        },
        {"items": "LIST"},
        {"out": Of("each")},
    )


def test_inserting_an_item_at_the_front_of_100_executes_1_and_reuses_100(stage: Stage) -> None:
    """apache/airflow#72725: matched by index, all 100 would run."""
    original = stage.run(_fan_out(stage), {"items": HUNDRED})
    assert len(original.ran) == 101
    again = stage.rerun(original, parameters={"items": ["new", *HUNDRED]})
    leaves = [said for path, said in again.verdicts.items() if path.endswith(".work")]
    assert leaves.count(REUSED) == 100 and leaves.count("EXECUTE NOT_IN_ORIGINAL") == 1
    assert again.ran == ["collect", "work new"]
    assert again.root == {"out": ["new", *HUNDRED]}
    assert again.tasks["each[1].work"].reused_from.task_unique_name == "each[0].work"
    back = stage.rerun(again, parameters={"items": HUNDRED})
    assert back.ran == ["collect"] and back.dropped["each[0].work"] == "DROPPED ITEM_REMOVED"


def test_skipping_1_of_100_collects_the_other_99_in_order(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    picky = replace(WORK, script=f'test "$item" != item-050 || test ! -e {flag}\n{WORK.script}')
    original = stage.run(_fan_out(stage, picky), {"items": HUNDRED})
    assert original.state == "FAILED" and original.states["each[50].work"] == "FAILED"
    again = stage.rerun(original, {"each[50]": SKIP})
    rest = [item for item in HUNDRED if item != "item-050"]
    assert again.ran == ["collect"] and again.root == {"out": rest}
    assert again.state == "SUCCEEDED"
    flag.unlink()
    more = stage.rerun(again, {"each[50].work": AGAIN, "each[50]": AGAIN})
    assert more.root == {"out": HUNDRED} and more.ran == ["collect", "work item-050"]


def test_an_override_that_changes_nothing_does_not_run_a_fan_out_again(stage: Stage) -> None:
    """argoproj/argo-workflows#16879."""
    body = Leaf(
        'printf %s "$x$item" > "$out"',
        {"item": "STRING", "x": "STRING"},
        {"out": "STRING"},
        says="work $item",
    )
    spec = stage.spec(
        {"first": Task(ECHO, {"x": "1"}), "each": loop(HUNDRED[:20], body, {"x": Of("first")})},
        outputs={"out": Of("each")},
    )
    original = stage.run(spec)
    for asks in ({"first": Ask(inputs={"x": "1"})}, {"each": Ask(inputs={"x": "1"})}):
        again = stage.rerun(original, asks)
        assert again.ran == [] and set(again.verdicts.values()) <= {REUSED, "REUSE CHILDREN"}
    requested = stage.rerun(original, {"first": RUN})
    assert requested.ran == ["first"], "equal output: the fan-out stands"


def test_a_list_that_is_known_only_at_run_time_keeps_what_did_not_change(stage: Stage) -> None:
    make = Leaf('printf %s "$x" > "$list"', {"x": "STRING"}, {"list": "LIST"})
    spec = stage.spec(
        {"make": Task(make, {"x": Given("x")}), "each": loop(Of("make", "list"))},
        {"x": "STRING"},
        {"out": Of("each")},
    )
    original = stage.run(spec, {"x": '["a", "b", "c"]'})
    assert original.root == {"out": ["a", "b", "c"]}
    again = stage.rerun(original, parameters={"x": '["new", "c", "a"]'})
    assert again.verdicts["each"].startswith("RE_EVALUATE")
    assert again.ran == ["make", "work new"] and again.root == {"out": ["new", "c", "a"]}
    assert again.tasks["each[1].work"].reused_from.task_unique_name == "each[2].work"
    same = stage.rerun(again, {"make": RUN})
    assert same.ran == ["make"] and same.root == again.root
    empty = stage.rerun(same, parameters={"x": "[]"})
    assert empty.ran == ["make"] and empty.root == {"out": []}
    grown = stage.rerun(empty, parameters={"x": '["a"]'})
    assert grown.ran == ["make", "work a"]


def test_a_skip_in_a_loop_whose_list_is_not_known_yet_is_bound_by_the_item(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    make = Leaf('printf %s "$x" > "$list"', {"x": "STRING"}, {"list": "LIST"})
    picky = replace(WORK, script=f'test "$item" != b || test ! -e {flag}\n{WORK.script}')
    spec = stage.spec(
        {"make": Task(make, {"x": Given("x")}), "each": loop(Of("make", "list"), picky)},
        {"x": "STRING"},
        {"out": Of("each")},
    )
    original = stage.run(spec, {"x": '["a", "b"]'})
    again = stage.rerun(original, {"each[1]": SKIP}, parameters={"x": '["b", "new", "a"]'})
    assert again.ran == ["make", "work new"] and again.root == {"out": ["new", "a"]}
    assert again.states["each[0].work"] == "SKIPPED" and again.tasks["each[0].work"].is_left_out
    assert again.state == "SUCCEEDED"


def test_a_loop_in_a_sub_pipeline_in_a_loop_is_matched_by_both_items(stage: Stage) -> None:
    inner = loop(
        Given("inner"),
        Leaf(
            'printf %s "$outer$item" > "$out"',
            {"item": "STRING", "outer": "STRING"},
            {"out": "STRING"},
            says="$outer$item",
        ),
        {"outer": Given("item")},
    )
    sub = Dag(
        {"deep": inner},
        {"item": "STRING", "inner": "LIST"},
        {"out": Of("deep")},
        {"out": "LIST"},
    )
    outer = Dag(
        {"sub": Task(sub, {"item": Given("item"), "inner": Given("inner")})},
        {"inner": "LIST"},
        {"out": Of("sub")},
        {"out": "LIST"},
    )
    spec = stage.spec(
        {"top": Task(outer, {"inner": Given("inner")}, each=Given("outer"))},
        {"outer": "LIST", "inner": "LIST"},
        {"out": Of("top")},
    )
    original = stage.run(spec, {"outer": ["A", "B"], "inner": ["1", "2"]})
    assert original.ran == ["A1", "A2", "B1", "B2"]
    assert original.root == {"out": [["A1", "A2"], ["B1", "B2"]]}
    again = stage.rerun(original, parameters={"outer": ["C", "B", "A"], "inner": ["2", "3", "1"]})
    assert again.ran == ["A3", "B3", "C1", "C2", "C3"]
    assert again.root == {"out": [["C2", "C3", "C1"], ["B2", "B3", "B1"], ["A2", "A3", "A1"]]}
    one = stage.rerun(again, {"top[1].sub.deep[0].work": AGAIN})
    assert one.ran == ["B2"] and one.root == again.root


def test_equal_items_are_told_apart_by_their_ordinal(stage: Stage) -> None:
    original = stage.run(_fan_out(stage), {"items": ["x", "x", "y"]})
    assert original.ran == ["collect", "work x", "work x", "work y"], "within one run equal tasks all run"
    again = stage.rerun(original, parameters={"items": ["x", "y", "x", "x"]})
    assert again.ran == ["collect", "work x"]
    froms = [again.tasks[f"each[{n}].work"].reused_from.task_unique_name for n in (0, 2)]
    assert froms == ["each[0].work", "each[1].work"]


def _branches(stage: Stage) -> dict[str, Any]:
    def branch(name: str, condition: str) -> Task:
        body = Dag({name: Task(ECHO, {"x": Given("x")})}, {"x": "STRING"}, {"out": Of(name)})
        return Task(body, {"x": Given("x")}, condition=condition)

    is_big = "int(inputs.parameter_values['x']) > 10"
    body = Dag(
        {"condition-2": branch("big", is_big), "condition-3": branch("small", f"!({is_big})")},
        {"x": "STRING"},
        {"out": [Of("condition-2"), Of("condition-3")]},
    )
    return stage.spec(
        {
            "make": Task(ECHO, {"x": Given("x")}),
            "condition-branches-1": Task(body, {"x": Of("make")}),
            "read": Task(ECHO, {"x": Of("condition-branches-1")}),
        },
        {"x": "STRING"},
        {"out": Of("read")},
    )


def test_conditions_on_produced_values_flip_either_way_and_back(stage: Stage) -> None:
    first = stage.run(_branches(stage), {"x": "20"})
    assert first.ran == ["big", "make", "read"]
    second = stage.rerun(first, parameters={"x": "5"})
    assert second.verdicts["condition-branches-1.condition-2"].startswith("RE_EVALUATE")
    assert second.ran == ["make", "read", "small"] and second.root == {"out": "5"}
    assert second.states["condition-branches-1.condition-2"] == "NOT_TRIGGERED"
    third = stage.rerun(second, parameters={"x": "20"})
    assert "big" in third.ran and "small" not in third.ran, "the outputs of a branch not taken were dropped"
    assert third.root == {"out": "20"}
    same = stage.rerun(third, {"make": RUN})
    assert same.ran == ["make"] and same.root == {"out": "20"}


def test_a_rerun_of_a_rerun_of_a_rerun_reuses_what_the_first_run_made(stage: Stage) -> None:
    first = stage.run(chain(stage))
    last = first
    for _ in range(3):
        last = stage.rerun(last, {"c": AGAIN})
        assert last.ran == ["c"]
    assert last.tasks["a"].reused_from.pipeline_job == first.name
    assert stage.rerun(last).ran == []


def test_an_outcome_two_ancestors_back_stands_again(stage: Stage) -> None:
    """It never started in two runs, because what comes before it failed."""
    flag = stage.folder / "broken"
    first = stage.run(chain(stage, a=broken_while(flag)))
    flag.touch()
    second = stage.rerun(first, {"a": RUN})
    third = stage.rerun(second)
    assert second.state == third.state == "FAILED" and third.ran == ["a"]
    flag.unlink()
    fourth = stage.rerun(third)
    assert fourth.ran == ["a"] and fourth.root == {"out": "1"}
    assert fourth.tasks["d"].reused_from.pipeline_job == first.name


def test_tasks_that_the_compiler_renamed_because_an_if_was_added_are_reused(stage: Stage) -> None:
    def condition(body: Dag) -> Task:
        return Task(body, {"x": Given("x")}, condition="inputs.parameter_values['x'] == '1'")

    work = Dag({"work": Task(ECHO, {"x": Given("x")})}, {"x": "STRING"})
    new = Dag({"new": Task(NOTHING)}, {"x": "STRING"})
    inputs = {"x": ("STRING", "1")}
    original = stage.run(stage.spec({"condition-1": condition(work)}, inputs))
    again = stage.rerun(
        original, spec=stage.spec({"condition-1": condition(new), "condition-2": condition(work)}, inputs)
    )
    assert again.verdicts["condition-2.work"] == "REUSE RENAMED"
    assert again.planned("condition-2.work").reused_from.task_unique_name == "condition-1.work"
    assert again.ran == ["new"] and "condition-1.work" not in again.dropped


def test_loops_that_the_compiler_renumbered_keep_their_iterations(stage: Stage) -> None:
    original = stage.run(stage.spec({"for-loop-1": loop(["a", "b"])}))
    new = loop(["p"], replace(WORK, says="new $item"))
    again = stage.rerun(original, spec=stage.spec({"for-loop-1": new, "for-loop-2": loop(["a", "b"])}))
    assert again.ran == ["new p"]


def test_a_renamed_task_whose_inputs_wait_for_another_is_found_when_they_are_known(stage: Stage) -> None:
    body = replace(ECHO, says="work")
    original = stage.run(
        stage.spec(
            {"a": Task(CONSTANT, {"x": Given("x")}), "old": Task(body, {"x": Of("a")})}, {"x": "STRING"}
        ),
        {"x": "1"},
    )
    renamed = stage.spec(
        {"a": Task(CONSTANT, {"x": Given("x")}), "new": Task(body, {"x": Of("a")})}, {"x": "STRING"}
    )
    again = stage.rerun(original, spec=renamed, parameters={"x": "2"})
    assert again.verdicts["new"].startswith("RE_EVALUATE")
    assert again.ran == ["a"] and again.tasks["new"].reused_from.task_unique_name == "old"


def test_a_task_added_in_the_middle_runs_and_cuts_off_where_its_output_is_equal(stage: Stage) -> None:
    original = stage.run(chain(stage))
    longer = stage.spec(
        {
            "a": Task(ECHO, {"x": Given("x")}),
            "middle": Task(ECHO, {"x": Of("a")}),
            "b": Task(ECHO, {"x": Of("middle")}),
            "c": Task(ECHO, {"x": Of("b")}),
            "d": Task(NOTHING, after=["c"]),
        },
        {"x": ("STRING", "1")},
        {"out": Of("c")},
    )
    again = stage.rerun(original, spec=longer)
    assert again.verdicts["middle"] == "EXECUTE NOT_IN_ORIGINAL"
    assert again.verdicts["b"] == "RE_EVALUATE UPSTREAM_CHANGED" and again.planned("b").caused_by == "middle"
    assert again.ran == ["middle"] and again.root == {"out": "1"}


def test_changed_code_of_a_component_runs_where_it_is_used_and_only_there(stage: Stage) -> None:
    original = stage.run(chain(stage))
    changed = replace(ECHO, script=f"true\n{ECHO.script}")
    again = stage.rerun(original, spec=chain(stage, b=changed))
    assert again.verdicts["b"] == "EXECUTE KEY_CHANGED executor.command"
    assert again.ran == ["b"], "its output is equal, so what follows stands"


def test_a_run_parameter_that_one_branch_reads_runs_that_branch_alone(stage: Stage) -> None:
    spec = stage.spec(
        {
            "left": Task(ECHO, {"x": Given("p")}),
            "left-2": Task(ECHO, {"x": Of("left")}),
            "right": Task(ECHO, {"x": Given("q")}),
            "each": loop(["a", "b"]),
        },
        {"p": "STRING", "q": "STRING"},
    )
    original = stage.run(spec, {"p": "1", "q": "1"})
    again = stage.rerun(original, parameters={"p": "2", "q": "1"})
    assert again.ran == ["left", "left-2"]
    assert again.verdicts["right"] == REUSED == again.verdicts["each[0].work"]


def test_a_cleared_task_in_a_sub_pipeline_does_not_pull_its_siblings_along(stage: Stage) -> None:
    """flyteorg/flyte#3121: recovery ran whole sub-workflows again."""
    sub = Dag(
        {"p": Task(ECHO, {"x": Given("x")}), "q": Task(ECHO, {"x": "2"}), "r": Task(ECHO, {"x": Of("p")})},
        {"x": "STRING"},
        {"out": Of("r")},
    )
    spec = stage.spec({"sub": Task(sub, {"x": "1"}), "read": Task(ECHO, {"x": Of("sub")})})
    again = stage.rerun(stage.run(spec), {"sub.p": RUN})
    assert again.ran == ["p"] and again.states["sub"] == "SUCCEEDED"
    assert again.states["sub.q"] == again.states["sub.r"] == again.states["read"] == "SKIPPED"


def test_a_failed_iteration_runs_again_alone_and_the_collected_list_is_whole(stage: Stage) -> None:
    """dagster-io/dagster#20925, #30248: retries of mapped steps lost or repeated their siblings."""
    flag = stage.folder / "broken"
    flag.touch()
    picky = replace(WORK, script=f'test "$item" != b || test ! -e {flag}\n{WORK.script}')
    make = Leaf('printf \'["a", "b", "c"]\' > "$list"', outputs={"list": "LIST"})
    spec = stage.spec(
        {
            "make": Task(make),
            "each": loop(Of("make", "list"), picky),
            "collect": Task(replace(COUNT, says="collect"), {"list": Of("each")}),
        },
        outputs={"out": Of("each")},
    )
    original = stage.run(spec)
    assert original.states["each[1]"] == "FAILED" and original.states["collect"] == "NOT_TRIGGERED"
    flag.unlink()
    again = stage.rerun(original)
    assert again.ran == ["collect", "work b"] and again.root == {"out": ["a", "b", "c"]}


def test_up_to_here_in_a_fan_out_leaves_out_what_collects(stage: Stage) -> None:
    original = stage.run(_fan_out(stage), {"items": ["a", "b"]})
    again = stage.rerun(original, {"each": SKIP_ON})
    assert again.ran == [] and again.verdicts["collect"] == "SKIP SKIP_DOWNSTREAM"
    assert again.root == {"out": ["a", "b"]}
