"""The plan of a rerun: the rules below the tables, planned and executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from building import EXIT, Dag, Given, Importer, Leaf, Of, Task
from parts import CONSTANT, COUNT, ECHO, FILE, NOTHING, READ, WORK, broken_while, chain, loop
from reprise.client import (
    AbortedError,
    Client,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from reprise.client.requests import fill_spec, to_value
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import rerun_pb2 as reruns
from stage import AGAIN, RUN, SKIP, SKIP_ON, Ask, Ended, Stage

REUSED = "REUSE UNCHANGED"


def _refusal(stage: Stage, original: Ended, **asked: Any) -> dict[str, str]:
    """The violations, by field; no run is made."""
    before = len(list(stage.client.list()))
    with pytest.raises(InvalidArgumentError) as refused:
        stage.plan(original, **asked)
    with pytest.raises(InvalidArgumentError):
        configs = stage.configs(original, asked.get("asks", {}), asked.get("is_filled", True))
        _create(stage, original, configs)
    assert len(list(stage.client.list())) == before
    return {violation.field: violation.message for violation in refused.value.violations}


def _create(stage: Stage, original: Ended, configs: list[jobs.PipelineTaskRerunConfig]) -> str:
    request = service.CreatePipelineJobRequest()
    fill_spec(request.pipeline_job.pipeline_spec, original.spec)
    request.pipeline_job.original_pipeline_job_id = original.id
    request.pipeline_job.pipeline_task_rerun_configs.extend(configs)
    return stage.client.create(request).name


# The original.


def test_an_original_that_does_not_exist_is_not_found(stage: Stage) -> None:
    request = service.CreatePipelineJobRequest()
    fill_spec(request.pipeline_job.pipeline_spec, chain(stage))
    request.pipeline_job.original_pipeline_job_id = 1
    with pytest.raises(NotFoundError):
        stage.client.create(request)
    with pytest.raises(NotFoundError):
        stage.client.rerun(reruns.RerunPipelineJobRequest(name=stage.client.run_name("missing")))


def test_an_original_under_another_parent_is_not_found(stage: Stage) -> None:
    original = stage.run(chain(stage))
    request = service.CreatePipelineJobRequest(parent="projects/other/locations/local")
    fill_spec(request.pipeline_job.pipeline_spec, original.spec)
    request.pipeline_job.original_pipeline_job_id = original.id
    with pytest.raises(NotFoundError):
        stage.client.create(request)


def test_an_original_that_has_not_ended_is_refused_with_its_state(stage: Stage) -> None:
    gate = stage.folder / "gate"
    wait = Leaf(f"touch {stage.folder}/started\nwhile ! test -e {gate}; do sleep 0.02; done")
    spec = stage.spec({"a": Task(wait)})
    name = stage.submit(spec).name
    stage.until((stage.folder / "started").exists)
    with pytest.raises(FailedPreconditionError) as refused:
        stage.client.plan(reruns.RerunPipelineJobRequest(name=name))
    assert "RUNNING" in str(refused.value.metadata) + refused.value.message
    gate.touch()
    assert stage.finish(name, spec).state == "SUCCEEDED"


def test_configs_without_an_original_are_refused(stage: Stage) -> None:
    request = service.CreatePipelineJobRequest()
    fill_spec(request.pipeline_job.pipeline_spec, chain(stage))
    request.pipeline_job.pipeline_task_rerun_configs.add(task_name="a")
    with pytest.raises(InvalidArgumentError) as refused:
        stage.client.create(request)
    assert "pipeline_task_rerun_configs" in refused.value.violations[0].field


# Configs that are refused.


def test_every_wrong_config_is_refused_with_the_path_of_its_field_and_no_run_is_made(stage: Stage) -> None:
    original = stage.run(chain(stage))
    a, b = original.tasks["a"].task_id, original.tasks["b"].task_id
    wrong = {
        "unknown name": [{"task_name": "nowhere"}],
        "unknown id": [{"task_id": 999}],
        "two for one task": [{"task_id": a}, {"task_name": "a"}],
        "id and name disagree": [{"task_id": a, "task_name": "b"}],
        "no such input": [{"task_id": b, "inputs": {"nonsense": "1"}}],
        "another type": [{"task_id": b, "inputs": {"x": 1}}],
        "skip with inputs": [{"task_id": b, "skip_task": True, "inputs": {}}],
    }
    for what, texts in wrong.items():
        configs = []
        for text in texts:
            inputs = text.pop("inputs", None)
            configs.append(jobs.PipelineTaskRerunConfig(**text))
            if inputs is not None:
                configs[-1].inputs.SetInParent()
                for name, value in inputs.items():
                    configs[-1].inputs.parameter_values[name].CopyFrom(to_value(name, value))
        with pytest.raises(InvalidArgumentError) as refused:
            _create(stage, original, configs)
        fields = [violation.field for violation in refused.value.violations]
        assert any("pipeline_task_rerun_configs" in field for field in fields), (what, fields)
        with pytest.raises(InvalidArgumentError) as refused:
            stage.client.plan(reruns.RerunPipelineJobRequest(name=original.name, task_configs=configs))
        fields = [violation.field for violation in refused.value.violations]
        assert any("task_configs" in field for field in fields), (what, fields)
    assert len(list(stage.client.list())) == 1


def test_overrides_are_strict_where_data_would_be_coerced(stage: Stage) -> None:
    original = stage.run(chain(stage))
    problems = _refusal(stage, original, asks={"b": Ask(inputs={"x": 7})})
    assert any("inputs.parameter_values['x']" in field for field in problems), problems


def test_a_config_for_a_dropped_task_is_ignored_with_a_warning_unless_it_carries_inputs(stage: Stage) -> None:
    original = stage.run(stage.spec({"a": Task(ECHO, {"x": "1"}), "b": Task(ECHO, {"x": "1"})}))
    smaller = stage.spec({"a": Task(ECHO, {"x": "1"})})
    again = stage.rerun(original, {"b": RUN}, spec=smaller)
    assert again.dropped == {"b": "DROPPED REMOVED"} and again.ran == []
    assert any("'b'" in warning or '"b"' in warning for warning in again.plan.warnings)
    with pytest.raises(InvalidArgumentError):
        stage.plan(original, {"b": Ask(inputs={"x": "2"})}, spec=smaller)


def test_a_config_may_name_a_task_of_the_new_spec_alone(stage: Stage) -> None:
    original = stage.run(stage.spec({"a": Task(ECHO, {"x": "1"})}))
    larger = stage.spec({"a": Task(ECHO, {"x": "1"}), "new": Task(ECHO, {"x": "1"}), "other": Task(NOTHING)})
    again = stage.rerun(original, {"new": Ask(inputs={"x": "9"}), "other": SKIP}, spec=larger)
    assert again.verdicts["other"] == "SKIP REQUESTED"
    assert again.ran == ["new"] and again.outputs("new") == {"out": "9"}


# Inputs.


def test_an_overridden_input_no_longer_needs_its_producer_but_keeps_the_order(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(chain(stage, a=broken_while(flag)))
    again = stage.rerun(original, {"a": SKIP, "b": Ask(inputs={"x": "given"})})
    assert again.verdicts["a"] == "SKIP REQUESTED" and again.ran == ["b", "c", "d"]
    assert again.root == {"out": "given"}
    flag.unlink()
    ordered = stage.rerun(original, {"b": Ask(inputs={"x": "given"})})
    assert stage.ran()[-4:] == ["a", "b", "c", "d"], "b waits for a"
    assert ordered.root == {"out": "given"}


def test_an_overridden_edge_does_not_trigger(stage: Stage) -> None:
    original = stage.run(chain(stage), {"x": "1"})
    first = stage.rerun(original, {"b": Ask(inputs={"x": "1"})})
    again = stage.rerun(first, parameters={"x": "2"})
    assert again.ran == ["a"], "b has the value 1 whatever a gives"
    assert again.states["b"] == "SKIPPED" and again.root == {"out": "1"}


def test_an_artifact_is_overridden_by_uri_or_by_name_and_a_missing_one_is_refused(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    original = stage.run(spec)
    other = stage.folder / "other"
    other.write_text("2")
    again = stage.rerun(original, {"b": Ask(artifacts={"data": str(other)})})
    assert again.verdicts["b"] == "EXECUTE INPUT_OVERRIDDEN inputs.artifacts.data"
    assert again.ran == ["b"] and again.outputs("b") == {"out": "2"}
    problems = _refusal(stage, original, asks={"b": Ask(artifacts={"data": str(stage.folder / "no")})})
    assert any("inputs.artifacts['data']" in field for field in problems), problems
    config = jobs.PipelineTaskRerunConfig(task_id=original.tasks["b"].task_id)
    config.inputs.artifacts["data"].artifacts.add(name=original.artifact("a", "data").name)
    before = len(stage.ran())
    named = stage.finish(_create(stage, original, [config]), spec, before)
    assert named.ran == [] and named.states["b"] == "SKIPPED"


def test_an_artifact_with_the_same_bytes_under_another_uri_is_no_override(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    original = stage.run(spec)
    same = stage.folder / "same"
    same.write_text("1")
    again = stage.rerun(original, {"b": Ask(artifacts={"data": str(same)})})
    assert again.ran == [] and again.verdicts["b"] == REUSED


def test_an_artifact_of_another_schema_is_refused(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    spec["components"]["comp-b"]["inputDefinitions"]["artifacts"]["data"]["artifactType"] = {
        "schemaTitle": "system.Artifact",
        "schemaVersion": "0.0.1",
    }
    spec["components"]["comp-a"]["outputDefinitions"]["artifacts"]["data"]["artifactType"] = {
        "schemaTitle": "system.Model",
        "schemaVersion": "0.0.1",
    }
    strict = dict(spec)
    original = stage.run(strict)
    config = jobs.PipelineTaskRerunConfig(task_id=original.tasks["b"].task_id)
    artifact = config.inputs.artifacts["data"].artifacts.add(uri=str(stage.ledger))
    artifact.type.schema_title = "system.Model"
    assert stage.client.plan(reruns.RerunPipelineJobRequest(name=original.name, task_configs=[config]))
    spec["components"]["comp-b"]["inputDefinitions"]["artifacts"]["data"]["artifactType"] = {
        "schemaTitle": "system.Model",
        "schemaVersion": "0.0.1",
    }
    artifact.type.schema_title = "system.Dataset"
    request = reruns.RerunPipelineJobRequest(name=original.name, task_configs=[config])
    fill_spec(request.pipeline_spec, spec)
    with pytest.raises(InvalidArgumentError) as refused:
        stage.client.plan(request)
    assert "inputs.artifacts['data']" in refused.value.violations[0].field


# Skipping.


def test_what_only_comes_after_a_skipped_task_runs(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    original = stage.run(
        stage.spec({"a": Task(broken_while(flag, NOTHING)), "b": Task(NOTHING, after=["a"])})
    )
    again = stage.rerun(original, {"a": SKIP})
    assert again.ran == ["b"] and again.state == "SUCCEEDED", "a skip by request fails no run"


NEEDED = {
    "input": lambda: {"reader": Task(ECHO, {"x": Of("a")})},
    "condition": lambda: {
        "reader": Task(
            Dag({"t": Task(NOTHING)}, {"x": "STRING"}),
            {"x": Of("a")},
            condition="inputs.parameter_values['x'] == '1'",
        )
    },
    "items": lambda: {"reader": loop(Of("a", "list"))},
}


@pytest.mark.parametrize("how", NEEDED)
def test_skip_of_a_task_whose_outputs_are_needed_is_refused_naming_the_consumers(
    stage: Stage, how: str
) -> None:
    original = stage.run(_needed(stage, how))
    assert original.state == "FAILED"
    problems = _refusal(stage, original, asks={"a": SKIP})
    assert any("reader" in message for message in problems.values()), problems
    assert all("pipeline_task_rerun_configs" in field or "task_configs" in field for field in problems)


@pytest.mark.parametrize("how", NEEDED)
def test_skip_downstream_leaves_out_all_that_comes_after_by_data_or_order_but_exit_tasks(
    stage: Stage, how: str
) -> None:
    original = stage.run(_needed(stage, how))
    again = stage.rerun(original, {"a": SKIP_ON})
    assert again.verdicts["a"] == "SKIP REQUESTED"
    assert again.verdicts["reader"] == again.verdicts["later"] == "SKIP SKIP_DOWNSTREAM"
    assert again.ran == [] and again.state == "SUCCEEDED"


def _needed(stage: Stage, how: str) -> dict[str, Any]:
    flag = stage.folder / "broken"
    flag.touch()
    body = Leaf(f"test ! -e {flag}", outputs={"out": "STRING", "list": "LIST"})
    return stage.spec({"a": Task(body), **NEEDED[how](), "later": Task(NOTHING, after=["reader"])})


def test_exit_tasks_are_excepted_from_skip_downstream(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    body = Dag({"a": Task(broken_while(flag), {"x": "1"}), "b": Task(ECHO, {"x": Of("a")})})
    spec = stage.spec(
        {
            "exit-handler-1": Task(body),
            "clean": Task(NOTHING, after=["exit-handler-1"], strategy=EXIT),
        }
    )
    again = stage.rerun(stage.run(spec), {"exit-handler-1.a": SKIP_ON})
    assert again.verdicts["exit-handler-1.b"] == "SKIP SKIP_DOWNSTREAM"
    assert again.verdicts["clean"] == "EXECUTE EXIT_TASK"
    assert again.ran == ["clean"] and again.state == "SUCCEEDED"


def test_an_output_that_is_optional_has_a_default_or_is_the_roots_is_not_needed(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    lenient = Leaf('printf %s "$x" > "$out"', {"x": ("STRING", "default")}, {"out": "STRING"})
    spec = stage.spec(
        {"a": Task(broken_while(flag), {"x": "1"}), "b": Task(lenient, {"x": Of("a")})},
        outputs={"out": Of("a"), "b": Of("b")},
    )
    again = stage.rerun(stage.run(spec), {"a": SKIP})
    assert again.ran == ["b"] and again.outputs("b") == {"out": "default"}
    assert again.state == "SUCCEEDED" and again.root == {"b": "default"}


def test_the_output_of_a_dag_is_needed_by_who_reads_it(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    sub = Dag({"a": Task(broken_while(flag), {"x": "1"})}, outputs={"out": Of("a")})
    spec = stage.spec({"sub": Task(sub), "reader": Task(ECHO, {"x": Of("sub")})})
    original = stage.run(spec)
    problems = _refusal(stage, original, asks={"sub.a": SKIP})
    assert any("reader" in message for message in problems.values()), problems


def test_skip_downstream_goes_through_the_outputs_of_a_dag(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    sub = Dag({"a": Task(broken_while(flag), {"x": "1"})}, outputs={"out": Of("a")})
    spec = stage.spec({"sub": Task(sub), "reader": Task(ECHO, {"x": Of("sub")})}, outputs={"out": Of("sub")})
    again = stage.rerun(stage.run(spec), {"sub.a": SKIP_ON})
    assert again.verdicts["reader"] == "SKIP SKIP_DOWNSTREAM"
    assert again.ran == [] and again.state == "SUCCEEDED" and again.root == {}


def test_a_oneof_needs_the_branch_that_was_taken(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()

    def branch(name: str, value: str, body: Leaf) -> Task:
        return Task(
            Dag({name: Task(body, {"x": value})}, {"go": "STRING"}, {"out": Of(name)}),
            {"go": Given("go")},
            condition=f"inputs.parameter_values['go'] == '{value}'",
        )

    branches = Dag(
        {"condition-2": branch("p", "p", broken_while(flag)), "condition-3": branch("q", "q", ECHO)},
        {"go": "STRING"},
        {"out": [Of("condition-2"), Of("condition-3")]},
    )
    spec = stage.spec(
        {
            "condition-branches-1": Task(branches, {"go": Given("go")}),
            "reader": Task(ECHO, {"x": Of("condition-branches-1")}),
        },
        {"go": "STRING"},
    )
    original = stage.run(spec, {"go": "p"})
    assert original.state == "FAILED"
    problems = _refusal(stage, original, asks={"condition-branches-1.condition-2.p": SKIP})
    assert problems
    flipped = stage.rerun(original, parameters={"go": "q"})
    assert flipped.outputs("reader") == {"out": "q"} and flipped.ran == ["q", "reader"]


def test_skip_downstream_on_a_task_that_keeps_its_result_or_runs_means_up_to_here(stage: Stage) -> None:
    original = stage.run(chain(stage))
    kept = stage.rerun(original, {"b": SKIP_ON})
    assert kept.verdicts["b"] == REUSED
    assert kept.verdicts["c"] == kept.verdicts["d"] == "SKIP SKIP_DOWNSTREAM"
    assert kept.ran == [] and kept.state == "SUCCEEDED"
    ran = stage.rerun(original, {"b": Ask(downstream=True)})
    assert ran.verdicts["b"] == "EXECUTE REQUESTED" and ran.ran == ["b"]
    assert ran.states["c"] == ran.states["d"] == "SKIPPED" and ran.tasks["c"].is_left_out


# Reuse.


def test_reuse_by_lineage_needs_no_caching_switch(stage: Stage) -> None:
    spec = stage.spec({"a": Task(ECHO, {"x": "1"}, cache=False)})
    original = stage.run(spec)
    assert stage.run(spec).ran == ["a"], "another run is not answered"
    assert stage.rerun(original).ran == []


def _filed(stage: Stage) -> dict[str, Any]:
    return stage.spec(
        {
            "a": Task(FILE, {"x": "1"}),
            "b": Task(READ, artifacts={"data": Of("a", "data")}),
            "c": Task(READ, artifacts={"data": Of("a", "data")}, after=["b"]),
        }
    )


def test_a_lost_artifact_that_will_be_read_is_made_again(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    Path(original.artifact("a", "data").uri).unlink()
    again = stage.rerun(original, {"c": RUN})
    assert again.verdicts == {
        "a": "EXECUTE ARTIFACT_MISSING",
        "b": "RE_EVALUATE UPSTREAM_CHANGED",
        "c": "EXECUTE REQUESTED",
    }
    assert again.ran == ["a", "c"] and again.states["b"] == "SKIPPED"


def test_nobody_makes_again_what_nobody_reads(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    Path(original.artifact("a", "data").uri).unlink()
    again = stage.rerun(original)
    assert again.ran == [] and set(again.verdicts.values()) == {REUSED}


def test_an_artifact_changed_under_the_same_uri_is_made_again(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    Path(original.artifact("a", "data").uri).write_text("something else")
    again = stage.rerun(original, {"c": RUN})
    assert again.verdicts["a"] == "EXECUTE ARTIFACT_CHANGED"
    assert again.ran == ["a", "c"] and again.outputs("c") == {"out": "1"}


# What a rerun starts from.


def test_a_run_parameter_given_in_the_original_persists_unless_given_again(stage: Stage) -> None:
    original = stage.run(chain(stage), {"x": "given"})
    assert stage.rerun(original).ran == []
    again = stage.rerun(original, parameters={"x": "2"})
    assert stage.rerun(again).root == {"out": "2"}


def test_a_run_parameter_left_to_its_default_follows_the_new_specs_default(stage: Stage) -> None:
    def spec(default: str, *, is_declared: bool = True) -> dict[str, Any]:
        inputs = {"x": ("STRING", default)} | ({"y": ("STRING", "")} if is_declared else {})
        return stage.spec({"a": Task(ECHO, {"x": Given("x")})}, inputs)

    original = stage.run(spec("1"), {"y": "unused"})
    again = stage.rerun(original, spec=spec("2", is_declared=False))
    assert again.verdicts == {"a": "EXECUTE KEY_CHANGED inputs.parameters.x"}
    assert again.outputs("a") == {"out": "2"}
    assert any("'y'" in warning or '"y"' in warning for warning in again.plan.warnings)


def test_an_overridden_input_stays_overridden_until_another_value_is_given_or_it_is_given_up(
    stage: Stage,
) -> None:
    original = stage.run(chain(stage))
    overridden = stage.rerun(original, {"b": Ask(inputs={"x": "mine"})})
    inherited = stage.rerun(overridden)
    assert inherited.ran == [] and inherited.root == {"out": "mine"}
    assert inherited.tasks["b"].overridden_inputs == ["x"]
    other = stage.rerun(inherited, {"b": Ask(inputs={"x": "yours"})})
    assert other.ran == ["b", "c"] and other.root == {"out": "yours"}
    given_up = stage.rerun(other, {"b": Ask(drop=["x"])})
    assert given_up.root == {"out": "1"} and list(given_up.tasks["b"].overridden_inputs) == []


def test_an_empty_spec_and_output_directory_are_the_originals_and_neither_is_in_the_key(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    first, second = stage.folder / "first", stage.folder / "second"
    original = stage.run(spec, output_directory=str(first))
    assert original.artifact("a", "data").uri.startswith(str(first))
    request = reruns.RerunPipelineJobRequest(name=original.name)
    request.task_configs.add(task_name="a")
    again = stage.ask(request, spec)
    assert again.states == {"a": "SUCCEEDED", "b": "SKIPPED"}
    assert again.artifact("a", "data").uri.startswith(str(first))
    moved = stage.rerun(original, output_directory=str(second))
    assert moved.ran == [] and moved.artifact("a", "data").uri.startswith(str(first))


def test_deleting_the_original_breaks_nothing_and_reused_from_names_who_really_executed(stage: Stage) -> None:
    original = stage.run(chain(stage))
    second = stage.rerun(original)
    stage.client.delete(original.name)
    third = stage.rerun(second)
    assert third.ran == [] and third.tasks["b"].reused_from.pipeline_job == original.name
    assert third.root == {"out": "1"}
    fourth = stage.rerun(third, {"b": AGAIN})
    assert fourth.ran == ["b"]
    fifth = stage.rerun(fourth)
    assert fifth.tasks["a"].reused_from.pipeline_job == original.name
    assert fifth.tasks["b"].reused_from.pipeline_job == fourth.name


def test_the_files_of_a_deleted_original_live_on_while_a_rerun_refers_to_them(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    second = stage.rerun(original)
    stage.client.delete(original.name)
    third = stage.rerun(second, {"c": AGAIN})
    assert third.ran == ["c"] and third.outputs("c") == {"out": "1"}


# The etag.


def test_the_etag_covers_spec_parameters_configs_and_the_presence_of_what_is_reused(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    plain = stage.plan(original).etag
    assert stage.plan(original).etag == plain
    others = {
        stage.plan(original, {"c": RUN}).etag,
        stage.plan(original, spec=stage.spec({"a": Task(FILE, {"x": "2"})})).etag,
    }
    Path(original.artifact("a", "data").uri).unlink()
    others.add(stage.plan(original).etag)
    assert plain not in others and len(others) == 3


def test_a_rerun_with_the_etag_of_a_plan_that_no_longer_holds_is_aborted(stage: Stage) -> None:
    original = stage.run(_filed(stage))
    request = reruns.RerunPipelineJobRequest(name=original.name)
    request.task_configs.add(task_name="c")
    request.etag = stage.client.plan(request).etag
    Path(original.artifact("a", "data").uri).unlink()
    with pytest.raises(AbortedError):
        stage.client.rerun(request)


def test_only_what_a_changed_spec_really_changes_is_executed(stage: Stage) -> None:
    spec = stage.spec(
        {"a": Task(ECHO, {"x": "1"}), "b": Task(ECHO, {"x": Of("a")}), "c": Task(ECHO, {"x": "1"})}
    )
    changed = stage.spec(
        {
            "a": Task(ECHO, {"x": "1"}, label="shown otherwise", retries=3),
            "b": Task(CONSTANT, {"x": Of("a")}),
            "c": Task(ECHO, {"x": "1"}),
        }
    )
    again = stage.rerun(stage.run(spec), spec=changed)
    assert again.ran == ["b"] and again.verdicts["b"].startswith("EXECUTE KEY_CHANGED executor.")
    assert again.verdicts["a"] == again.verdicts["c"] == REUSED


# The order where several rows match.


def test_refusal_comes_before_everything(stage: Stage) -> None:
    original = stage.run(chain(stage))
    assert _refusal(stage, original, asks={"a": RUN, "b": Ask(skip=True, inputs={"x": "2"})})


def test_a_condition_comes_before_a_request_and_an_override_before_a_request(stage: Stage) -> None:
    original = stage.run(chain(stage))
    dag = stage.rerun(original, {"b": Ask(inputs={"x": "2"})})
    assert dag.verdicts["b"].startswith("EXECUTE INPUT_OVERRIDDEN")


def test_override_comes_before_what_a_dag_asks_for(stage: Stage) -> None:
    sub = Dag({"p": Task(ECHO, {"x": "1"}), "q": Task(NOTHING)})
    original = stage.run(stage.spec({"sub": Task(sub)}))
    again = stage.rerun(original, {"sub": RUN, "sub.p": Ask(inputs={"x": "2"})})
    assert again.verdicts["sub.p"] == "EXECUTE INPUT_OVERRIDDEN inputs.parameters.x"
    assert again.verdicts["sub.q"] == "EXECUTE REQUESTED_BY_PARENT"


def test_a_request_comes_before_a_changed_key(stage: Stage) -> None:
    original = stage.run(chain(stage))
    again = stage.rerun(original, {"a": RUN}, parameters={"x": "2"})
    assert again.verdicts["a"] == "EXECUTE REQUESTED"


def test_skipping_one_task_inside_an_iteration_follows_the_same_rule_inside_it(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    picky = Leaf(
        f'test "$item" != b || test ! -e {flag}\nprintf %s "$item" > "$out"',
        WORK.inputs,
        WORK.outputs,
        says="work $item",
    )
    body = Dag(
        {
            "work": Task(picky, {"item": Given("item")}),
            "later": Task(
                Leaf(says="later $item", inputs={"item": "STRING"}), {"item": Given("item")}, after=["work"]
            ),
        },
        outputs={"out": Of("work")},
        output_types={"out": "LIST"},
    )
    spec = stage.spec(
        {"each": Task(body, each=["a", "b", "c"]), "collect": Task(COUNT, {"list": Of("each")})}
    )
    original = stage.run(spec)
    problems = _refusal(stage, original, asks={"each[1].work": SKIP})
    assert any("each[1]" in message for message in problems.values()), "its DAG needs its output"
    again = stage.rerun(original, {"each[1].work": SKIP_ON})
    assert again.verdicts["each[1].work"] == "SKIP REQUESTED"
    assert again.verdicts["each[1].later"] == "SKIP SKIP_DOWNSTREAM"
    assert again.verdicts["each[0].work"] == REUSED and again.state == "SUCCEEDED"


def test_both_ways_to_ask_for_a_rerun_give_one_plan(stage: Stage, embedded: Any) -> None:
    original = stage.run(chain(stage))
    request = reruns.RerunPipelineJobRequest(
        name=original.name, task_configs=stage.configs(original, {"b": RUN})
    )
    by_rerun = stage.client.plan(request)
    fill_spec(request.pipeline_spec, original.spec)
    assert stage.client.plan(request).etag == by_rerun.etag, "an empty spec is the original's"
    request.etag = by_rerun.etag
    name = stage.client.rerun(request).name
    with Client(embedded.grpc_address, project=original.name.split("/")[1]) as client:
        assert client.wait(name, 60).job_detail.task_details[1].reason == 4


def test_an_artifact_of_a_scheme_that_cannot_be_checked_is_reused_with_a_warning(stage: Stage) -> None:
    spec = stage.spec({"import": Task(Importer("hdfs://bucket/x")), "b": Task(NOTHING, after=["import"])})
    again = stage.rerun(stage.run(spec))
    assert again.verdicts == {"import": REUSED, "b": REUSED}
    assert any("hdfs://bucket/x" in warning for warning in again.plan.warnings)
    assert any("hdfs://bucket/x" in warning for warning in again.job.warnings)


def test_a_rerun_goes_on_when_its_original_is_deleted_while_it_runs(stage: Stage) -> None:
    gate, started = stage.folder / "gate", stage.folder / "started"
    wait = Leaf(f"touch {started}\nwhile ! test -e {gate}; do sleep 0.02; done")
    tasks = {"held": Task(wait), "a": Task(FILE, {"x": "1"}, after=["held"])}
    spec = stage.spec({**tasks, "b": Task(READ, artifacts={"data": Of("a", "data")})})
    gate.touch()
    original = stage.run(spec)
    gate.unlink()
    started.unlink()
    before = len(stage.ran())
    plan, name = stage.start(original, {"held": RUN, "b": RUN})
    stage.until(started.exists)
    stage.client.delete(original.name)
    gate.touch()
    again = stage.finish(name, spec, before, plan)
    assert again.ran == ["b", "held"] and again.outputs("b") == {"out": "1"}
    assert again.tasks["a"].reused_from.pipeline_job == original.name


def test_the_etag_does_not_cover_what_others_do_to_the_cache(stage: Stage) -> None:
    spec = stage.spec({"a": Task(ECHO, {"x": Given("x")}, cache=True)}, {"x": "STRING"})
    original = stage.run(spec, {"x": "1"})
    etag = stage.plan(original, parameters={"x": "2"}).etag
    stage.run(spec, {"x": "2"})
    assert stage.plan(original, parameters={"x": "2"}).etag == etag


def test_a_false_condition_comes_before_a_skip_a_request_and_an_override(stage: Stage) -> None:
    body = Dag({"work": Task(ECHO, {"x": Given("go")})}, {"go": "STRING"})
    is_yes = "inputs.parameter_values['go'] == 'yes'"
    spec = stage.spec({"if": Task(body, {"go": Given("go")}, condition=is_yes)}, {"go": "STRING"})
    original = stage.run(spec, {"go": "yes"})
    for ask in (RUN, AGAIN, Ask(inputs={"x": "other"})):
        again = stage.rerun(original, {"if.work": ask}, parameters={"go": "no"})
        assert again.verdicts["if"] == "NOT_TRIGGERED CONDITION_FALSE" and again.ran == []
    left_out = stage.rerun(again, {"if": SKIP}, parameters={"go": "no"})
    assert left_out.verdicts["if"] == "NOT_TRIGGERED CONDITION_FALSE"


def test_an_override_and_a_request_come_before_a_lost_artifact(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    original = stage.run(spec)
    stage.file(original, "a", "data").unlink()
    again = stage.rerun(original, {"a": Ask(inputs={"x": "2"}), "b": RUN})
    assert again.verdicts["a"] == "EXECUTE INPUT_OVERRIDDEN inputs.parameters.x"
    requested = stage.rerun(original, {"a": RUN, "b": RUN})
    assert requested.verdicts["a"] == "EXECUTE REQUESTED"


def test_an_override_of_a_failed_task_runs_it_with_the_new_value(stage: Stage) -> None:
    picky = Leaf('test "$x" = good\nprintf %s "$x" > "$out"', {"x": "STRING"}, {"out": "STRING"})
    original = stage.run(chain(stage, b=picky))
    assert original.states["b"] == "FAILED"
    same = stage.rerun(original, {"b": Ask(inputs={"x": "1"})})
    assert same.verdicts["b"] == "EXECUTE NOT_SUCCEEDED" and same.states["b"] == "FAILED"
    fixed = stage.rerun(same, {"b": Ask(inputs={"x": "good"})})
    assert fixed.ran == ["b", "c", "d"] and fixed.root == {"out": "good"}


def test_an_overridden_reused_task_runs_and_its_override_is_not_lost_when_it_fails(stage: Stage) -> None:
    picky = Leaf('test "$x" != bad\nprintf %s "$x" > "$out"', {"x": "STRING"}, {"out": "STRING"})
    original = stage.run(chain(stage, b=picky))
    failed = stage.rerun(original, {"b": Ask(inputs={"x": "bad"})})
    assert failed.state == "FAILED"
    still = stage.rerun(failed)
    assert still.ran == ["b"] and still.state == "FAILED", "it is inherited"
    back = stage.rerun(still, {"b": Ask(drop=["x"])})
    assert back.state == "SUCCEEDED" and back.root == {"out": "1"}
