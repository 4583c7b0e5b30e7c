"""Why a task ran again, and why the cache did not answer."""

from __future__ import annotations

import pytest
from building import EXIT, Dag, Given, Leaf, Of, Task
from parts import ECHO, FILE, NOTHING, READ, broken_while, chain, loop
from reprise.client import FailedPreconditionError, InvalidArgumentError, NotFoundError
from reprise.pb.v1 import explain_pb2 as explain
from reprise.pb.v1 import pipeline_state_pb2 as states
from stage import RUN, SKIP, Ended, Stage

Comparison = explain.TaskComparison


def ask(stage: Stage, run: Ended | str, task: str, against: str = "") -> explain.ExplainTaskResponse:
    return stage.client.explain(run if isinstance(run, str) else run.name, task, against)


def told(found: explain.TaskComparison) -> list[tuple[str, str, str]]:
    return [(each.field, each.old_value, each.new_value) for each in found.differences]


def answer(found: explain.ExplainTaskResponse) -> str:
    return states.CacheAnswer.Name(found.cache.answer).removeprefix("CACHE_ANSWER_")


def test_a_changed_parameter_is_told_with_its_old_value_and_its_new(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, parameters={"x": "2"})
    found = ask(stage, again, "a")
    assert told(found.comparison) == [("inputs.parameters.x", '"1"', '"2"')]
    assert found.comparison.finding == Comparison.DIFFERENT
    assert found.comparison.pipeline_job == original.name
    assert (found.verdict, found.reason) == (states.VERDICT_EXECUTE, states.REASON_KEY_CHANGED)
    assert 'inputs.parameters.x was "1", is "2"' in found.summary
    later = ask(stage, again, "b")
    assert later.comparison.differences[0].caused_by == "a"
    assert ask(stage, again, str(found.task_id)) == found


def test_the_smallest_difference_comes_first(stage: Stage) -> None:
    def spec(script: str) -> dict[str, object]:
        body = Leaf(f'printf %s "$x$y" > "$out"\n{script}', {"x": "STRING", "y": "STRING"}, {"out": "STRING"})
        return stage.spec(
            {"a": Task(body, {"x": Given("x"), "y": Given("y")})}, {"x": "STRING", "y": "STRING"}
        )

    original = stage.run(spec("true"), {"x": "a long text of some kind", "y": "1"})
    again = stage.rerun(
        original, spec=spec("echo quite another thing"), parameters={"x": "and this is no such", "y": "2"}
    )
    fields = [each.field for each in ask(stage, again, "a").comparison.differences]
    assert fields[0] == "inputs.parameters.y" and set(fields[1:]) >= {"inputs.parameters.x"}
    assert any(field.startswith("executor.") for field in fields)


def test_a_long_value_is_shown_around_the_first_difference(stage: Stage) -> None:
    original = stage.run(chain(stage), {"x": "a" * 5000 + "1" + "b" * 5000})
    again = stage.rerun(original, parameters={"x": "a" * 5000 + "2" + "b" * 5000})
    (found,) = ask(stage, again, "a").comparison.differences
    assert found.is_cut and found.field == "inputs.parameters.x"
    for value, digit in ((found.old_value, "1"), (found.new_value, "2")):
        assert len(value) == 1002 and value[0] == value[-1] == "…" and f"a{digit}b" in value


def test_code_that_changed_is_shown_although_keys_hold_only_its_digest(stage: Stage) -> None:
    long = Leaf(ECHO.script + "\n# " + "x" * 400, ECHO.inputs, ECHO.outputs)
    original = stage.run(chain(stage))
    again = stage.rerun(original, spec=chain(stage, a=long))
    (found,) = ask(stage, again, "a").comparison.differences
    assert (
        found.field.startswith("executor.") and "xxxxx" in found.new_value and "xxxxx" not in found.old_value
    )
    assert "printf" in found.old_value


def test_an_artifact_with_other_bytes_is_told_by_its_digests_and_its_producer(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(FILE, {"x": Given("x")}), "b": Task(READ, artifacts={"data": Of("a", "data")})},
        {"x": "STRING"},
    )
    original = stage.run(spec, {"x": "1"})
    (found,) = ask(stage, stage.rerun(original, parameters={"x": "2"}), "b").comparison.differences
    assert found.field == "inputs.artifacts.data" and found.caused_by == "a"
    assert '"digest":"sha256:' in found.old_value and found.old_value != found.new_value


def test_an_iteration_is_compared_with_that_of_its_item(stage: Stage) -> None:
    spec = stage.spec({"each": loop(Given("items"))}, {"items": "LIST"})
    original = stage.run(spec, {"items": ["a", "b"]})
    first = next(path for path in original.tasks if path.endswith("[0].work"))
    again = stage.rerun(original, {first: RUN}, parameters={"items": ["z", "a", "b"]})
    new = ask(stage, again, first)
    assert new.comparison.finding == Comparison.NO_SUCH_TASK
    asked = ask(stage, again, first.replace("[0]", "[1]"))
    assert asked.comparison.finding == Comparison.EQUAL
    assert asked.comparison.task_unique_name == first, "the item a was the first"
    assert asked.reason == states.REASON_REQUESTED and "asked for" in asked.summary


def test_a_run_is_compared_with_any_other(stage: Stage) -> None:
    one = stage.run(chain(stage))
    two = stage.run(chain(stage), {"x": "2"})
    found = ask(stage, two, "a", one.name.rpartition("/")[2])
    assert told(found.comparison) == [("inputs.parameters.x", '"1"', '"2"')]
    assert found.comparison.pipeline_job == one.name
    three = stage.run(stage.spec({"other": Task(NOTHING)}))
    assert ask(stage, two, "a", three.name).comparison.finding == Comparison.NO_SUCH_TASK
    assert ask(stage, two, "a").comparison.finding == 0, "it has no original"


def test_a_deleted_original_can_still_be_compared_with(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, parameters={"x": "2"})
    stage.client.delete(original.name)
    assert told(ask(stage, again, "a").comparison) == [("inputs.parameters.x", '"1"', '"2"')]


def test_what_did_not_run_is_told_too(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"d": SKIP})
    reused = ask(stage, again, "a")
    assert reused.comparison.finding == Comparison.EQUAL and reused.reused_from.pipeline_job == original.name
    flag = stage.folder / "broken"
    flag.touch()
    failed = stage.run(chain(stage, a=broken_while(flag)))
    found = ask(stage, failed, "b")
    assert "a task before it failed" in found.summary and not found.comparison.differences


def test_why_the_cache_was_not_asked(stage: Stage) -> None:
    spec = stage.spec(
        {
            "exit-handler-1": Task(Dag({"on": Task(ECHO, {"x": "1"}, cache=True), "off": Task(NOTHING)})),
            "clean": Task(NOTHING, after=["exit-handler-1"], strategy=EXIT, cache=True),
        }
    )
    run = stage.run(spec)
    assert answer(ask(stage, run, "exit-handler-1.off")) == "OFF"
    assert answer(ask(stage, run, "clean")) == "EXIT_TASK"
    again = stage.rerun(run, {"exit-handler-1.on": RUN})
    assert answer(ask(stage, again, "exit-handler-1.on")) == "REQUESTED"
    assert ask(stage, run, "exit-handler-1").task_unique_name == "exit-handler-1"


def test_a_miss_is_told_with_the_nearest_outcome_that_is_kept(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": Given("x")}, cache=True), "b": Task(ECHO, {"x": Of("a")}, cache=True)},
        {"x": "STRING"},
    )
    first = stage.run(spec, {"x": "1"})
    nothing = ask(stage, first, "a")
    assert answer(nothing) == "NO_ENTRY" and "keeps no outcome" in nothing.cache.note
    second = stage.run(spec, {"x": "2"})
    found = ask(stage, second, "a")
    assert answer(found) == "NO_ENTRY" and found.cache.entry.pipeline_job == first.name
    assert told(found.cache.nearest) == [("inputs.parameters.x", '"1"', '"2"')]
    assert found.cache.entry_time.seconds > 0 and '"1"' in found.summary
    hit = ask(stage, stage.run(spec, {"x": "1"}), "b")
    assert answer(hit) == "ANSWERED" and hit.cache.entry.pipeline_job == first.name


def test_an_outcome_whose_artifacts_are_gone_is_named(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}, cache=True)})
    first = stage.run(spec)
    stage.file(first, "a", "data").unlink()
    second = stage.run(spec)
    found = ask(stage, second, "a")
    assert answer(found) == "ARTIFACTS_GONE" and found.cache.entry.pipeline_job == first.name
    assert "is missing" in found.cache.note and first.name in found.cache.note
    assert second.tasks["a"].cache_answer == states.CACHE_ANSWER_ARTIFACTS_GONE
    assert "is missing" in second.tasks["a"].cache_note
    assert any("artifacts are gone" in warning for warning in second.job.warnings)


def test_equal_tasks_of_one_run_are_told_to_be_so(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": "1"}, cache=True), "b": Task(ECHO, {"x": "1"}, cache=True, after=["a"])}
    )
    spec["root"]["dag"]["tasks"]["b"]["componentRef"] = spec["root"]["dag"]["tasks"]["a"]["componentRef"]
    assert answer(ask(stage, stage.run(spec), "b")) == "SAME_RUN"


def test_what_does_not_exist_or_waits_cannot_be_explained(stage: Stage) -> None:
    gate = stage.folder / "gate"
    waiting = Leaf(f"while ! test -e {gate}; do sleep 0.02; done\n{ECHO.script}", ECHO.inputs, ECHO.outputs)
    spec = chain(stage, a=waiting)
    name = stage.submit(spec).name
    stage.until(lambda: stage.ran() == ["a"])
    with pytest.raises(FailedPreconditionError, match="no cache key yet"):
        ask(stage, name, "b")
    assert ask(stage, name, "a").task_id == 1, "it runs, and has a key"
    for run, task, against in (
        (name + "x", "a", ""),
        (name, "nothing", ""),
        (name, "99", ""),
        (name, "a", "nil"),
    ):
        with pytest.raises(NotFoundError):
            ask(stage, run, task, against)
    for task, against, field in (("", "", "task"), ("a", "projects/x", "against")):
        with pytest.raises(InvalidArgumentError) as refused:
            stage.client.explain(name, task, against)
        assert [violation.field for violation in refused.value.violations] == [field]
    gate.touch()
    stage.client.wait(name, 60)
