"""The plan of a rerun: one test for each row of the table of leaves, planned and executed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from building import EXIT, Dag, Given, Importer, Leaf, Of, Status, Task
from parts import CONSTANT, ECHO, FILE, NOTHING, READ, broken_while, chain, loop
from stage import AGAIN, RUN, SKIP, Ask, Stage

REUSED = "REUSE UNCHANGED"


def test_a_succeeded_task_whose_key_is_unchanged_is_reused_with_its_outputs_and_nothing_runs(
    stage: Stage,
) -> None:
    original = stage.run(chain(stage))
    for asks in ({}, {"b": SKIP}):
        again = stage.rerun(original, asks)
        assert set(again.verdicts.values()) == {REUSED}
        assert again.ran == [] and set(again.states.values()) == {"SKIPPED"}
        assert again.state == "SUCCEEDED" and again.root == {"out": "1"}
        assert again.outputs("b") == {"out": "1"}
        assert again.tasks["b"].reused_from.pipeline_job == original.name


def test_without_any_config_a_rerun_reuses_as_well(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, is_filled=False)
    assert again.ran == [] and set(again.verdicts.values()) == {REUSED}


def test_a_task_whose_known_key_differs_runs_at_once_and_the_field_is_named(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, parameters={"x": "2"})
    assert again.verdicts == {
        "a": "EXECUTE KEY_CHANGED inputs.parameters.x",
        "b": "RE_EVALUATE UPSTREAM_CHANGED",
        "c": "RE_EVALUATE UPSTREAM_CHANGED",
        "d": "RE_EVALUATE UPSTREAM_CHANGED",
    }
    assert again.planned("b").caused_by == "a"
    assert again.ran == ["a", "b", "c"], "d has no data from c, so its key is what it was"
    assert again.states == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "SUCCEEDED", "d": "SKIPPED"}
    assert again.root == {"out": "2"}


def test_a_task_downstream_by_order_alone_is_evaluated_again_and_reused(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"c": RUN})
    assert again.verdicts["d"] == "RE_EVALUATE UPSTREAM_CHANGED" and again.planned("d").caused_by == "c"
    assert again.ran == ["c"] and again.states["d"] == "SKIPPED"


def test_equal_outputs_of_what_ran_again_stop_the_wave(stage: Stage) -> None:
    original = stage.run(chain(stage, a=CONSTANT))
    again = stage.rerun(original, parameters={"x": "2"})
    assert again.verdicts["b"] == "RE_EVALUATE UPSTREAM_CHANGED"
    assert again.ran == ["a"]
    assert again.states == {"a": "SUCCEEDED", "b": "SKIPPED", "c": "SKIPPED", "d": "SKIPPED"}
    assert again.root == {"out": "same"}


def test_what_is_known_of_the_key_decides_even_while_an_upstream_is_not_known(stage: Stage) -> None:
    two = Leaf('printf %s "$x$y" > "$out"', {"x": "STRING", "y": "STRING"}, {"out": "STRING"})
    spec = stage.spec(
        {"a": Task(ECHO, {"x": Given("x")}), "b": Task(two, {"x": Of("a"), "y": Given("y")})},
        {"x": "STRING", "y": "STRING"},
    )
    original = stage.run(spec, {"x": "1", "y": "1"})
    again = stage.rerun(original, parameters={"x": "2", "y": "2"})
    assert again.verdicts["b"] == "EXECUTE KEY_CHANGED inputs.parameters.y"
    assert again.ran == ["a", "b"] and again.outputs("b") == {"out": "22"}


def test_an_upstream_that_fails_leaves_what_waits_for_it_not_triggered(stage: Stage) -> None:
    flag = stage.folder / "broken"
    original = stage.run(chain(stage, a=broken_while(flag)))
    flag.touch()
    again = stage.rerun(original, {"a": RUN})
    assert again.verdicts["b"] == "RE_EVALUATE UPSTREAM_CHANGED"
    assert again.states == {"a": "FAILED", "b": "NOT_TRIGGERED", "c": "NOT_TRIGGERED", "d": "NOT_TRIGGERED"}
    assert again.state == "FAILED"


def test_a_succeeded_task_that_is_asked_for_runs(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"b": RUN})
    assert again.verdicts == {
        "a": REUSED,
        "b": "EXECUTE REQUESTED",
        "c": "RE_EVALUATE UPSTREAM_CHANGED",
        "d": "RE_EVALUATE UPSTREAM_CHANGED",
    }
    assert again.ran == ["b"]


def test_a_requested_task_is_never_answered_from_the_cache_and_its_result_replaces_the_entry(
    stage: Stage,
) -> None:
    counter = stage.folder / "count"
    count = Leaf(f'echo >> {counter}; wc -l < {counter} > "$out"', outputs={"out": "NUMBER_INTEGER"})
    spec = stage.spec({"a": Task(count, cache=True)})
    original = stage.run(spec)
    assert stage.run(spec).ran == [], "the cache answers another run"
    again = stage.rerun(original, {"a": RUN})
    assert again.verdicts == {"a": "EXECUTE REQUESTED"} and again.ran == ["a"]
    assert again.outputs("a") == {"out": 2}
    other = stage.run(spec)
    assert other.ran == [] and other.outputs("a") == {"out": 2}
    assert other.tasks["a"].reused_from.pipeline_job == again.name


def test_the_filler_on_a_task_that_was_reused_asks_for_nothing(stage: Stage) -> None:
    reused = stage.rerun(stage.run(chain(stage)))
    assert set(reused.states.values()) == {"SKIPPED"}
    again = stage.rerun(reused, {"b": RUN})
    assert set(again.verdicts.values()) == {REUSED} and again.ran == []


def test_inputs_present_but_empty_run_a_task_that_was_reused(stage: Stage) -> None:
    reused = stage.rerun(stage.run(chain(stage)))
    again = stage.rerun(reused, {"b": AGAIN})
    assert again.verdicts["b"] == "EXECUTE REQUESTED" and again.ran == ["b"]


def test_a_task_that_was_left_out_stays_left_out_until_it_is_named_with_inputs(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    spec = stage.spec({"a": Task(broken_while(flag, NOTHING)), "b": Task(NOTHING, after=["a"])})
    left_out = stage.rerun(stage.run(spec), {"a": SKIP})
    assert left_out.verdicts == {"a": "SKIP REQUESTED", "b": "EXECUTE NOT_SUCCEEDED"}
    assert left_out.states == {"a": "SKIPPED", "b": "SUCCEEDED"} and left_out.ran == ["b"]
    flag.unlink()
    for ask in ({}, {"a": RUN}):
        again = stage.rerun(left_out, ask)
        assert again.verdicts == {"a": "SKIP INHERITED", "b": REUSED} and again.ran == []
        assert again.tasks["a"].is_left_out
    named = stage.rerun(again, {"a": AGAIN})
    assert named.verdicts["a"].startswith("EXECUTE") and named.ran == ["a"]
    assert named.states == {"a": "SUCCEEDED", "b": "SKIPPED"}


@pytest.mark.parametrize("asks", [{}, {"b": RUN}], ids=["nothing", "skip_task_false"])
def test_failed_and_never_started_tasks_run(stage: Stage, asks: dict[str, Ask]) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(chain(stage, b=broken_while(flag)))
    assert original.states == {"a": "SUCCEEDED", "b": "FAILED", "c": "NOT_TRIGGERED", "d": "NOT_TRIGGERED"}
    flag.unlink()
    again = stage.rerun(original, asks)
    assert again.verdicts == {
        "a": REUSED,
        "b": "EXECUTE NOT_SUCCEEDED",
        "c": "EXECUTE NOT_SUCCEEDED",
        "d": "EXECUTE NOT_SUCCEEDED",
    }
    assert again.ran == ["b", "c", "d"] and again.root == {"out": "1"}


def test_cancelled_tasks_run_again(stage: Stage) -> None:
    gate = stage.folder / "gate"
    started = stage.folder / "started"
    wait = Leaf(f"touch {started}\nwhile ! test -e {gate}; do sleep 0.02; done")
    spec = stage.spec({"a": Task(wait), "b": Task(NOTHING, after=["a"])})
    job = stage.submit(spec)
    stage.until(started.exists)
    stage.client.cancel(job.name)
    original = stage.finish(job.name, spec)
    assert original.states == {"a": "CANCELLED", "b": "CANCELLED"}
    gate.touch()
    again = stage.rerun(original)
    assert set(again.verdicts.values()) == {"EXECUTE NOT_SUCCEEDED"} and again.ran == ["a", "b"]


def test_the_cache_may_answer_for_a_failed_task_where_caching_is_on(stage: Stage) -> None:
    flag = stage.folder / "broken"
    spec = stage.spec({"a": Task(broken_while(flag), {"x": "1"}, cache=True)})
    flag.touch()
    original = stage.run(spec)
    assert original.state == "FAILED"
    flag.unlink()
    succeeded = stage.run(spec)
    again = stage.rerun(original)
    assert again.ran == [] and again.states == {"a": "SKIPPED"}
    assert again.tasks["a"].reused_from.pipeline_job == succeeded.name


def test_skip_leaves_out_a_failed_task_and_one_that_never_started(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(
        stage.spec(
            {
                "a": Task(broken_while(flag, NOTHING)),
                "b": Task(NOTHING, after=["a"]),
                "c": Task(NOTHING, after=["b"]),
            }
        )
    )
    again = stage.rerun(original, {"a": SKIP, "b": SKIP})
    assert again.verdicts == {
        "a": "SKIP REQUESTED",
        "b": "SKIP REQUESTED",
        "c": "EXECUTE NOT_SUCCEEDED",
    }
    assert again.ran == ["c"] and again.state == "SUCCEEDED"


def test_the_outcome_of_an_ancestor_is_reused_for_a_task_that_never_started_in_between(stage: Stage) -> None:
    flag = stage.folder / "broken"
    first = stage.run(chain(stage, a=broken_while(flag)))
    flag.touch()
    second = stage.rerun(first, {"a": RUN})
    assert second.states["c"] == "NOT_TRIGGERED"
    flag.unlink()
    third = stage.rerun(second)
    assert third.verdicts["a"] == "EXECUTE NOT_SUCCEEDED"
    assert third.verdicts["c"] == "RE_EVALUATE UPSTREAM_CHANGED"
    assert third.ran == ["a"], "b, c, d have outcomes in the first run, and their keys are the same"
    assert third.tasks["c"].reused_from.pipeline_job == first.name


def test_an_override_with_the_old_value_does_not_dirty_the_task(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"b": Ask(inputs={"x": "1"})})
    assert set(again.verdicts.values()) == {REUSED} and again.ran == []


def test_an_override_with_another_value_runs_the_task_with_it(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"b": Ask(inputs={"x": "other"})})
    assert again.verdicts["b"] == "EXECUTE INPUT_OVERRIDDEN inputs.parameters.x"
    assert again.ran == ["b", "c"] and again.root == {"out": "other"}
    assert again.tasks["b"].overridden_inputs == ["x"] and again.inputs("b") == {"x": "other"}


@pytest.mark.parametrize("value", [1, 1.0], ids=["1", "1.0"])
def test_equal_numbers_are_no_override_however_they_are_written(stage: Stage, value: float) -> None:
    number = Leaf("", {"n": "NUMBER_INTEGER", "m": "STRUCT"})
    spec = stage.spec({"a": Task(number, {"n": 1, "m": {"k": 1, "j": [1, 2]}})})
    original = stage.run(spec)
    again = stage.rerun(original, {"a": Ask(inputs={"n": value, "m": {"j": [1, 2], "k": 1}})})
    assert again.verdicts == {"a": REUSED} and again.ran == []


def test_a_condition_that_became_true_runs_the_task(stage: Stage) -> None:
    original = stage.run(_conditional(stage), {"go": "no"})
    assert set(original.states.values()) == {"NOT_TRIGGERED"} and original.ran == []
    again = stage.rerun(original, parameters={"go": "yes"})
    assert again.verdicts["if.work"].startswith("EXECUTE") and again.ran == ["work"]


def test_a_condition_that_became_false_drops_the_old_outputs(stage: Stage) -> None:
    original = stage.run(_conditional(stage), {"go": "yes"})
    assert original.ran == ["work"]
    again = stage.rerun(original, {"if.work": RUN}, parameters={"go": "no"})
    assert again.verdicts["if"] == "NOT_TRIGGERED CONDITION_FALSE"
    assert again.ran == [] and again.states["if"] == "NOT_TRIGGERED"
    assert again.states.get("if.work", "NOT_TRIGGERED") == "NOT_TRIGGERED"


def _conditional(stage: Stage) -> dict[str, object]:
    return stage.spec(
        {
            "if": Task(
                Dag({"work": Task(ECHO, {"x": Given("go")})}, {"go": "STRING"}),
                {"go": Given("go")},
                condition="inputs.parameter_values['go'] == 'yes'",
            )
        },
        {"go": "STRING"},
    )


def _with_exit_task(stage: Stage, exit_body: Leaf) -> dict[str, object]:
    return stage.spec(
        {
            "exit-handler-1": Task(Dag({"work": Task(ECHO, {"x": "1"})})),
            "clean": Task(exit_body, after=["exit-handler-1"], strategy=EXIT),
        }
    )


def test_an_exit_task_always_runs_even_when_the_filler_asks_to_keep_its_result(stage: Stage) -> None:
    original = stage.run(_with_exit_task(stage, NOTHING))
    for asks in ({}, {"clean": SKIP}):
        again = stage.rerun(original, asks)
        assert again.verdicts["exit-handler-1.work"] == REUSED
        assert again.verdicts["clean"] == "EXECUTE EXIT_TASK" and again.ran == ["clean"]


def test_a_failed_exit_task_may_be_skipped(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(_with_exit_task(stage, broken_while(flag, NOTHING)))
    assert original.state == "FAILED"
    again = stage.rerun(original, {"clean": SKIP})
    assert again.verdicts["clean"] == "SKIP REQUESTED"
    assert again.ran == [] and again.state == "SUCCEEDED"


def test_an_exit_task_that_reads_a_final_status_runs_again_too(stage: Stage) -> None:
    status = Leaf('test -n "$status"', {"status": "TASK_FINAL_STATUS"})
    spec = stage.spec(
        {
            "exit-handler-1": Task(Dag({"work": Task(ECHO, {"x": "1"})})),
            "clean": Task(status, {"status": Status("exit-handler-1")}, strategy=EXIT),
        }
    )
    again = stage.rerun(stage.run(spec))
    assert again.verdicts["clean"] == "EXECUTE EXIT_TASK" and again.ran == ["clean"]
    assert again.state == "SUCCEEDED"


def _importing(stage: Stage, reimport: bool = False) -> dict[str, object]:
    return stage.spec(
        {
            "import": Task(Importer(str(stage.folder / "imported"), reimport)),
            "read": Task(READ, artifacts={"data": Of("import", "artifact")}),
        }
    )


def test_an_imported_artifact_that_is_unchanged_is_reused(stage: Stage) -> None:
    (stage.folder / "imported").write_text("1")
    again = stage.rerun(stage.run(_importing(stage)))
    assert again.verdicts == {"import": REUSED, "read": REUSED} and again.ran == []


def test_an_imported_artifact_that_has_changed_is_imported_again(stage: Stage) -> None:
    (stage.folder / "imported").write_text("1")
    original = stage.run(_importing(stage))
    (stage.folder / "imported").write_text("2")
    again = stage.rerun(original)
    assert again.verdicts == {
        "import": "EXECUTE ARTIFACT_CHANGED",
        "read": "RE_EVALUATE UPSTREAM_CHANGED",
    }
    assert again.ran == ["read"] and again.outputs("read") == {"out": "2"}


def test_an_importer_that_asks_to_import_each_time_runs_and_equal_bytes_stop_the_wave(stage: Stage) -> None:
    (stage.folder / "imported").write_text("1")
    original = stage.run(_importing(stage, reimport=True))
    again = stage.rerun(original)
    assert again.verdicts == {"import": "EXECUTE REIMPORT", "read": "RE_EVALUATE UPSTREAM_CHANGED"}
    assert again.states == {"import": "SUCCEEDED", "read": "SKIPPED"} and again.ran == []


def test_a_task_of_the_new_spec_alone_runs(stage: Stage) -> None:
    original = stage.run(stage.spec({"a": Task(ECHO, {"x": "1"})}))
    again = stage.rerun(
        original, spec=stage.spec({"a": Task(ECHO, {"x": "1"}), "new": Task(NOTHING, after=["a"])})
    )
    assert again.verdicts == {"a": REUSED, "new": "EXECUTE NOT_IN_ORIGINAL"} and again.ran == ["new"]


def test_a_task_whose_path_is_gone_is_found_under_its_new_one(stage: Stage) -> None:
    body = replace(ECHO, says="work")
    original = stage.run(stage.spec({"old": Task(body, {"x": "1"}), "b": Task(ECHO, {"x": Of("old")})}))
    again = stage.rerun(
        original, spec=stage.spec({"new": Task(body, {"x": "1"}), "b": Task(ECHO, {"x": Of("new")})})
    )
    assert again.verdicts == {"new": "REUSE RENAMED", "b": REUSED} and again.ran == []
    assert again.planned("new").reused_from.task_unique_name == "old"
    assert again.dropped == {}


def test_several_renamed_tasks_of_one_key_are_matched_by_ordinal(stage: Stage) -> None:
    body = replace(ECHO, says="work")
    original = stage.run(stage.spec({name: Task(body, {"x": "1"}) for name in ("p1", "p2", "p3")}))
    again = stage.rerun(original, spec=stage.spec({n: Task(body, {"x": "1"}) for n in ("q1", "q2")}))
    assert again.verdicts == {"q1": "REUSE RENAMED", "q2": "REUSE RENAMED"}
    froms = [again.planned(name).reused_from.task_unique_name for name in ("q1", "q2")]
    assert froms == ["p1", "p2"] and again.dropped == {"p3": "DROPPED REMOVED"}


def test_a_task_that_is_gone_from_the_spec_is_dropped(stage: Stage) -> None:
    original = stage.run(stage.spec({"a": Task(ECHO, {"x": "1"}), "b": Task(NOTHING, after=["a"])}))
    again = stage.rerun(original, spec=stage.spec({"a": Task(ECHO, {"x": "1"})}))
    assert again.dropped == {"b": "DROPPED REMOVED"} and again.states == {"a": "SKIPPED"}


def test_iterations_are_matched_by_item_never_by_index(stage: Stage) -> None:
    spec = stage.spec({"each": loop(Given("items"))}, {"items": "LIST"}, {"out": Of("each")})
    original = stage.run(spec, {"items": ["a", "b", "b", "c"]})
    assert original.ran == ["work a", "work b", "work b", "work c"]
    again = stage.rerun(original, parameters={"items": ["c", "b", "new", "a"]})
    assert again.ran == ["work new"]
    assert again.verdicts["each[0].work"] == REUSED
    assert again.planned("each[0].work").reused_from.task_unique_name == "each[3].work"
    assert again.planned("each[1].work").reused_from.task_unique_name == "each[1].work"
    assert again.verdicts["each[2].work"] == "EXECUTE NOT_IN_ORIGINAL"
    assert again.root == {"out": ["c", "b", "new", "a"]}
    assert again.dropped == {"each[2]": "DROPPED ITEM_REMOVED", "each[2].work": "DROPPED ITEM_REMOVED"}


def test_files_stay_where_they_are_and_equal_bytes_of_a_file_stop_the_wave(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})},
    )
    original = stage.run(spec)
    again = stage.rerun(original, {"a": RUN})
    assert again.ran == ["a"] and again.states["b"] == "SKIPPED"
    assert again.artifact("a", "data").uri != original.artifact("a", "data").uri
    assert again.artifact("a", "data").etag == original.artifact("a", "data").etag
