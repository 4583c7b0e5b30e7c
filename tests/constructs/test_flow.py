"""Which tasks run, how often and in which order: loops, collected outputs, branches, exit tasks, retries."""

# ruff: noqa: E402, UP006, UP035 (kfp reads the annotations as objects: List)
# mypy: ignore-errors

from pathlib import Path
from typing import List

import pytest

dsl = pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from . import parts
from .conftest import Run


def test_fields_of_looped_maps_are_read_and_collected_in_order(run: Run) -> None:
    @dsl.pipeline
    def fields(rows: list) -> str:
        with dsl.ParallelFor(rows) as row:
            named = parts.text(value=row.title)
            counted = parts.number(value=row.amount)
            line = parts.text(value=f"{named.output}={counted.output}")
        return parts.joined(texts=dsl.Collected(line.output)).output

    rows = [{"title": f"n{i}", "amount": i} for i in range(12)]
    assert run(fields, {"rows": rows}).outputs == {"Output": "|".join(f"n{i}={i}" for i in range(12))}


def test_nested_loops_over_produced_lists_collect_a_list_a_level(run: Run) -> None:
    @dsl.component(base_image="python:3.12")
    def upto(count: int) -> List[int]:
        return list(range(count))

    @dsl.component(base_image="python:3.12")
    def shown(values: list) -> str:
        return repr(values)

    @dsl.pipeline
    def nested() -> str:
        outer = upto(count=3)
        with dsl.ParallelFor(outer.output) as i:
            inner = upto(count=i)
            with dsl.ParallelFor(inner.output) as j:
                made = parts.number(value=j)
        return shown(values=dsl.Collected(made.output)).output

    assert run(nested).outputs == {"Output": "[[], [0], [0, 1]]"}


def test_an_empty_loop_succeeds_and_collects_nothing(run: Run) -> None:
    @dsl.pipeline
    def empty(items: list = []) -> int:  # noqa: B006
        with dsl.ParallelFor(items) as item:
            made = parts.number(value=item)
        return parts.total(numbers=dsl.Collected(made.output)).output

    assert run(empty).outputs == {"Output": 0}
    assert run(empty, {"items": [4, 5]}).outputs == {"Output": 9}


def test_a_loop_with_a_condition_collects_the_iterations_that_ran(run: Run) -> None:
    @dsl.pipeline
    def odd_ones() -> int:
        with dsl.ParallelFor([1, 2, 3, 4]) as item:
            made = parts.number(value=item)
            with dsl.If(made.output >= 3):
                kept = parts.number(value=made.output)
        return parts.total(numbers=dsl.Collected(kept.output)).output

    ended = run(odd_ones)
    assert ended.outputs == {"Output": 7}
    assert (
        sorted(ended.states.values()).count("SKIPPED") + sorted(ended.states.values()).count("NOT_TRIGGERED")
        >= 2
    )


def test_a_loop_with_limit_one_runs_one_iteration_after_the_other(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"

    @dsl.pipeline
    def limited(ledger: str):
        with dsl.ParallelFor(list(range(5)), parallelism=1) as item:
            begun = parts.note(ledger=ledger, line=f"begin {item}")
            parts.note(ledger=ledger, line=f"end {item}").after(begun)

    run(limited, {"ledger": str(ledger)})
    lines = ledger.read_text().split("\n")[:-1]
    assert sorted(lines) == sorted(f"{what} {i}" for i in range(5) for what in ("begin", "end"))
    assert [line.split()[0] for line in lines] == ["begin", "end"] * 5


def test_artifacts_of_nested_loops_are_collected_flat(run: Run) -> None:
    @dsl.pipeline
    def flat() -> str:
        starts = parts.listing(value=["a", "b"])
        with dsl.ParallelFor(starts.output) as first:
            ends = parts.listing(value=["x", "y"])
            begun = parts.text(value=first)
            with dsl.ParallelFor(ends.output) as second:
                made = parts.write(content=parts.joined(texts=[begun.output, second]).output)
        return parts.read_all(data=dsl.Collected(made.outputs["data"])).output

    assert run(flat).outputs == {"Output": "a|x|a|y|b|x|b|y"}


def test_a_loop_inside_a_pipeline_inside_a_loop(run: Run) -> None:
    @dsl.pipeline
    def inner(base: int) -> int:
        with dsl.ParallelFor([1, 2]) as item:
            made = parts.total(numbers=[item, base])
        return parts.total(numbers=dsl.Collected(made.output)).output

    @dsl.pipeline
    def outer() -> int:
        with dsl.ParallelFor([10, 20]) as base:
            each = inner(base=base)
        return parts.total(numbers=dsl.Collected(each.output)).output

    assert run(outer).outputs == {"Output": (11 + 12) + (21 + 22)}


@pytest.mark.parametrize(
    ("given", "expected"), [("a && b", "first"), ('say "no"', "second"), ("", "third"), ("a", "third")]
)
def test_one_of_the_branches_gives_the_output(run: Run, given: str, expected: str) -> None:
    @dsl.pipeline
    def branches(given: str) -> str:
        asked = parts.text(value=given)
        with dsl.If(asked.output == "a && b"):
            first = parts.text(value="first")
        with dsl.Elif(asked.output == 'say "no"'):
            second = parts.text(value="second")
        with dsl.Else():
            third = parts.text(value="third")
        return dsl.OneOf(first.output, second.output, third.output)

    assert run(branches, {"given": given}).outputs == {"Output": expected}


@pytest.mark.parametrize("count", [-1, 0, 5, 100])
def test_comparisons_of_numbers_floats_and_booleans(run: Run, count: int) -> None:
    @dsl.pipeline
    def compared(count: int, limit: float = 4.5):
        whole = parts.number(value=count)
        share = parts.real(value=limit)
        yes = parts.flag(value=True)
        with dsl.If(whole.output > 4), dsl.If(yes.output == True), dsl.If(share.output != 4.0):  # noqa: E712
            parts.text(value="large")
        with dsl.If(whole.output <= 4):
            parts.text(value="small")
        with dsl.If(whole.output == 0):
            parts.text(value="zero")

    states = run(compared, {"count": count}).states
    ran = {name.rpartition(".")[2] for name, state in states.items() if state == "SUCCEEDED"}
    assert ("text" in ran) == (count > 4)
    assert ("text-2" in ran) == (count <= 4)
    assert ("text-3" in ran) == (count == 0)


def test_one_of_two_artifacts_is_passed_on(run: Run) -> None:
    @dsl.pipeline
    def chosen(which: str) -> dsl.Dataset:
        asked = parts.text(value=which)
        with dsl.If(asked.output == "left"):
            left = parts.write(content="from the left")
        with dsl.Else():
            right = parts.write(content="from the right")
        return dsl.OneOf(left.outputs["data"], right.outputs["data"])

    @dsl.pipeline
    def outer(which: str) -> str:
        made = chosen(which=which)
        return parts.read(data=made.output).output

    assert run(outer, {"which": "left"}).outputs == {"Output": "from the left"}
    assert run(outer, {"which": "?"}).outputs == {"Output": "from the right"}


def test_an_exit_task_reads_the_status_of_a_body_that_failed(run: Run) -> None:
    @dsl.pipeline
    def guarded(is_bad: bool):
        last = parts.status_of()
        with dsl.ExitHandler(last, name="body"):
            asked = parts.flag(value=is_bad)
            with dsl.If(asked.output == True):  # noqa: E712
                parts.fail(message="on purpose")
            parts.text(value="other")

    ended = run(guarded, {"is_bad": True}, expected="FAILED")
    assert ended.output("status-of").split()[0::2] == ["FAILED", "True"]
    assert ended.states["status-of"] == "SUCCEEDED"
    ended = run(guarded, {"is_bad": False})
    assert ended.output("status-of").split()[0::2] == ["SUCCEEDED", "False"]


def test_an_exit_task_that_fails_fails_the_run(run: Run) -> None:
    @dsl.pipeline
    def guarded():
        last = parts.fail(message="the exit task")
        with dsl.ExitHandler(last):
            parts.text(value="x")

    ended = run(guarded, expected="FAILED")
    assert ended.states["fail"] == "FAILED" and ended.states["exit-handler-1"] == "SUCCEEDED"


def test_a_condition_that_is_no_expression_is_an_error_of_its_task_and_not_false(run: Run) -> None:
    @dsl.pipeline
    def unescaped():
        asked = parts.text(value="it's")
        with dsl.If(asked.output == "it's"):  # the compiler puts it between quotes as it is
            parts.text(value="x")

    ended = run(unescaped, expected="FAILED")
    assert ended.states["condition-1"] == "FAILED"
    assert "condition" in ended.job.error.message and "it's" in ended.job.error.message


def test_two_exit_handlers_one_after_the_other_and_a_pipeline_as_exit_task(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"

    @dsl.pipeline
    def closing(ledger: str):
        parts.note(ledger=ledger, line="closed by a pipeline")

    @dsl.pipeline
    def guarded(ledger: str):
        first = parts.note(ledger=ledger, line="closed by a task")
        with dsl.ExitHandler(first):
            parts.note(ledger=ledger, line="first body")
        second = closing(ledger=ledger)
        with dsl.ExitHandler(second):
            parts.fail(message="second body")

    ended = run(guarded, {"ledger": str(ledger)}, expected="FAILED")
    lines = ledger.read_text().split("\n")
    assert {"closed by a task", "first body", "closed by a pipeline"} <= set(lines), ended.states


def test_a_task_that_ignores_upstream_failure_gets_its_default(run: Run) -> None:
    @dsl.pipeline
    def lenient():
        bad = parts.fail(message="no")
        parts.told(value=bad.output).ignore_upstream_failure()
        parts.text(value=bad.output)

    ended = run(lenient, expected="FAILED")
    assert ended.output("told") == "nothing"
    assert ended.states.get("text", "NOT_TRIGGERED") == "NOT_TRIGGERED"


def test_a_task_is_retried_as_often_as_it_says(run: Run, tmp_path: Path) -> None:
    @dsl.pipeline
    def retried(ledger: str, times: int) -> int:
        task = parts.fail_at_first(ledger=ledger, times=times)
        task.set_retry(num_retries=2, backoff_duration="0s", backoff_factor=1.0)
        return task.output

    assert run(retried, {"ledger": str(tmp_path / "a"), "times": 2}).outputs == {"Output": 3}
    run(retried, {"ledger": str(tmp_path / "b"), "times": 3}, expected="FAILED")
    assert (tmp_path / "b").read_text() == "xxx"


def test_order_alone_between_loops_branches_and_tasks(run: Run, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"

    @dsl.pipeline
    def ordered(ledger: str):
        first = parts.note(ledger=ledger, line="first")
        second = parts.note(ledger=ledger, line="second").after(first)
        with dsl.ParallelFor(["c", "d"]) as item:
            parts.note(ledger=ledger, line=f"loop {item}").after(second)
        with dsl.If(second.output == "second"):
            parts.note(ledger=ledger, line="branch")

    run(ordered, {"ledger": str(ledger)})
    lines = ledger.read_text().split("\n")
    at = {line: number for number, line in enumerate(lines)}
    assert at["first"] < at["second"] < min(at["loop c"], at["loop d"], at["branch"])


def test_one_pipeline_is_used_thrice_with_other_inputs(run: Run) -> None:
    @dsl.pipeline
    def inner(value: str, suffix: str = "!") -> str:
        return parts.text(value=f"{value}{suffix}").output

    @dsl.pipeline
    def outer() -> str:
        one = inner(value="a")
        two = inner(value=one.output, suffix="?")
        three = inner(value=two.output)
        return parts.joined(texts=[one.output, two.output, three.output]).output

    assert run(outer).outputs == {"Output": "a!|a!?|a!?!"}
