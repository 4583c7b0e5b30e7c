"""On the wire: what concerns reruns."""

from __future__ import annotations

import pytest
from building import Dag, Given, Leaf, Of, Task
from google.protobuf import json_format
from parts import ECHO, FILE, NOTHING, READ, broken_while, chain, loop
from reprise.client import AlreadyExistsError, InvalidArgumentError
from reprise.client.requests import fill_spec
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import rerun_pb2 as reruns
from stage import AGAIN, RUN, SKIP, Stage, said

BILLING = "vertex-ai-pipelines-run-billing-id"


def test_every_run_carries_an_id_of_its_own_in_a_label_and_a_clients_value_is_overwritten(
    stage: Stage,
) -> None:
    request = service.CreatePipelineJobRequest()
    fill_spec(request.pipeline_job.pipeline_spec, chain(stage))
    request.pipeline_job.labels[BILLING] = "7"
    request.pipeline_job.labels["team"] = "a"
    made = stage.client.create(request)
    ended = stage.finish(made.name, chain(stage))
    assert ended.id == int(made.labels[BILLING]) != 7 and 0 < ended.id < 2**63
    assert ended.job.labels["team"] == "a"
    assert stage.rerun(ended).id != ended.id


def test_create_with_an_original_and_rerun_are_one_use_case(stage: Stage) -> None:
    original = stage.run(chain(stage))
    created = stage.rerun(original, {"b": RUN})
    request = reruns.RerunPipelineJobRequest(name=original.name)
    request.task_configs.add(task_name="b")
    asked = stage.ask(request, original.spec)
    for run in (created, asked):
        assert run.job.original_pipeline_job_id == original.id
        assert run.job.original_pipeline_job == original.name
        assert json_format.MessageToDict(run.job.pipeline_spec) == original.spec
        assert run.ran == ["b"]
    assert created.states == asked.states
    assert [said(task) for task in created.tasks.values()] == [said(task) for task in asked.tasks.values()]


def test_configs_address_the_originals_tasks_by_id_also_where_the_new_spec_numbers_them_otherwise(
    stage: Stage,
) -> None:
    original = stage.run(stage.spec({"b": Task(ECHO, {"x": "b"}), "c": Task(ECHO, {"x": "c"})}))
    larger = stage.spec(
        {"a": Task(NOTHING), "b": Task(ECHO, {"x": "b"}, after=["a"]), "c": Task(ECHO, {"x": "c"})}
    )
    again = stage.rerun(original, {"b": RUN}, spec=larger)
    assert again.tasks["b"].task_id != original.tasks["b"].task_id
    assert again.verdicts["b"] == "EXECUTE REQUESTED" and again.ran == ["a", "b"]


def test_a_config_by_name_alone_addresses_a_task_by_its_path_or_a_name_that_is_unique(stage: Stage) -> None:
    sub = Dag({"inner": Task(ECHO, {"x": "1"}), "same": Task(NOTHING)})
    original = stage.run(stage.spec({"s": Task(sub), "same": Task(NOTHING), "t": Task(sub)}))
    for name in ("s.same", "same"):
        request = reruns.RerunPipelineJobRequest(name=original.name)
        request.task_configs.add(task_name=name)
        plan = stage.client.plan(request)
        assert [each.task_unique_name for each in plan.leaves if each.verdict == 3] == [name]
    request = reruns.RerunPipelineJobRequest(name=original.name)
    request.task_configs.add(task_name="inner")
    with pytest.raises(InvalidArgumentError) as refused:
        stage.client.plan(request)
    assert "several" in refused.value.violations[0].message


def test_a_run_parameter_map_of_the_sdk_replaces_the_originals(stage: Stage) -> None:
    """What the SDK does not send again still persists here: its map is laid over the original's."""
    spec = stage.spec(
        {"a": Task(ECHO, {"x": Given("p")}), "b": Task(ECHO, {"x": Given("q")})},
        {"p": ("STRING", "default"), "q": ("STRING", "default")},
    )
    original = stage.run(spec, {"p": "1", "q": "1"})
    again = stage.rerun(original, parameters={"p": "2"})
    assert again.ran == ["a"] and again.outputs("b") == {"out": "1"}


def test_task_ids_begin_at_1_and_the_root_is_no_task(stage: Stage) -> None:
    original = stage.run(stage.spec({"a": Task(NOTHING), "each": loop(["x", "y"])}))
    ids = [task.task_id for task in original.job.job_detail.task_details]
    assert ids == list(range(1, len(ids) + 1))
    assert set(original.tasks) == {"a", "each", "each[0]", "each[0].work", "each[1]", "each[1].work"}
    assert original.tasks["a"].parent_task_id == 0
    assert original.tasks["each[1].work"].parent_task_id == original.tasks["each[1]"].task_id
    assert original.tasks["each[1].work"].task_name == "work"


def test_parameters_of_tasks_are_in_the_metadata_of_their_executions_in_a_rerun_too(stage: Stage) -> None:
    original = stage.run(chain(stage))
    for run in (original, stage.rerun(original)):
        assert run.inputs("b") == {"x": "1"} and run.outputs("b") == {"out": "1"}


def test_artifacts_of_reused_tasks_are_shown_as_inputs_and_outputs(stage: Stage) -> None:
    spec = stage.spec({"a": Task(FILE, {"x": "1"}), "b": Task(READ, artifacts={"data": Of("a", "data")})})
    original = stage.run(spec)
    again = stage.rerun(original)
    assert again.artifact("a", "data").uri == original.artifact("a", "data").uri
    assert again.tasks["b"].inputs["data"].artifacts[0].uri == original.artifact("a", "data").uri


def test_the_two_causes_of_skipped_are_told_apart_by_fields_of_reprises_own(stage: Stage) -> None:
    flag = stage.folder / "broken"
    flag.touch()
    spec = stage.spec({"a": Task(NOTHING), "b": Task(broken_while(flag, NOTHING))})
    again = stage.rerun(stage.run(spec), {"b": SKIP})
    assert again.states == {"a": "SKIPPED", "b": "SKIPPED"}
    assert not again.tasks["a"].is_left_out and again.tasks["a"].HasField("reused_from")
    assert again.tasks["b"].is_left_out and not again.tasks["b"].HasField("reused_from")


def test_a_list_carries_reruns_without_their_tasks_unless_asked(stage: Stage) -> None:
    original = stage.run(chain(stage))
    stage.rerun(original, {"b": AGAIN})
    listed = list(stage.client.list())
    assert len(listed) == 2 and not any(job.job_detail.task_details for job in listed)
    assert listed[0].original_pipeline_job_id == original.id
    full = list(stage.client.list(fields=["name", "job_detail"]))
    assert all(len(job.job_detail.task_details) == 4 for job in full)


def test_a_rerun_is_repeatable_with_its_request_id_and_refused_under_a_taken_name(stage: Stage) -> None:
    original = stage.run(chain(stage))
    request = reruns.RerunPipelineJobRequest(name=original.name, request_id="one")
    request.task_configs.add(task_name="b")
    first = stage.client.rerun(request).name
    assert stage.client.rerun(request).name == first
    assert stage.finish(first, original.spec, len(original.ran)).ran == ["b"]
    again = reruns.RerunPipelineJobRequest(name=original.name, pipeline_job_id=first.rpartition("/")[2])
    with pytest.raises(AlreadyExistsError):
        stage.client.rerun(again)


def test_encryption_is_refused_and_what_does_nothing_here_is_kept_with_a_warning_in_a_rerun_too(
    stage: Stage,
) -> None:
    original = stage.run(chain(stage))
    request = service.CreatePipelineJobRequest()
    request.pipeline_job.original_pipeline_job_id = original.id
    request.pipeline_job.encryption_spec.kms_key_name = "key"
    with pytest.raises(InvalidArgumentError):
        stage.client.create(request)
    request.pipeline_job.ClearField("encryption_spec")
    request.pipeline_job.service_account = "me"
    job = stage.finish(stage.client.create(request).name, original.spec, len(original.ran)).job
    assert job.service_account == "me" and any("service_account" in warning for warning in job.warnings)


def test_the_pages_of_a_plan_are_the_whole_plan_and_a_page_of_another_plan_is_refused(stage: Stage) -> None:
    original = stage.run(stage.spec({"each": loop([str(n) for n in range(5)])}))
    request = reruns.RerunPipelineJobRequest(name=original.name)
    whole = stage.client.plan(request)
    page_request = reruns.PlanRerunRequest(rerun=request, page_size=4)
    seen = []
    while True:
        page = stage.client._call("PlanRerun", page_request, reruns.PlanRerunResponse)
        seen += page.tasks
        assert page.total_size == len(whole.tasks) and page.etag == whole.etag
        if not page.next_page_token:
            break
        page_request.page_token = page.next_page_token
    assert seen == list(whole.tasks) and len(seen) == 11


def test_a_plan_stores_nothing(stage: Stage) -> None:
    original = stage.run(chain(stage))
    stage.plan(original, {"b": RUN})
    assert len(list(stage.client.list())) == 1 and stage.ran() == ["a", "b", "c", "d"]


def test_the_last_config_of_the_sdk_for_an_iteration_addresses_that_iteration(stage: Stage) -> None:
    body = Leaf('printf %s "$item" > "$out"', {"item": "STRING"}, {"out": "STRING"}, says="work $item")
    original = stage.run(stage.spec({"each": loop(["a", "b"], body)}))
    config = jobs.PipelineTaskRerunConfig(task_id=original.tasks["each[1].work"].task_id)
    request = reruns.RerunPipelineJobRequest(name=original.name, task_configs=[config])
    again = stage.ask(request, original.spec)
    assert again.ran == ["work b"]
