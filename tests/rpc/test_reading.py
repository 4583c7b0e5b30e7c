"""What Get and List answer: fixed fields as stored, the inside as asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from conftest import REPRISE, V1, V1BETA1, Caller
from google.protobuf import json_format, struct_pb2
from reprise.domain.run import Failure, Run, RunDetails, TaskRow
from reprise.domain.states import RunState, TaskState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, pipeline_state_pb2, values_pb2
from reprise.rpc.encode import effective_header
from reprise.rpc.task_details import task_details
from service_double import NOW_NS, PARENT, ServiceDouble, make_run

GET = f"{V1}/GetPipelineJob"
LIST = f"{V1BETA1}/ListPipelineJobs"
NAME = f"{PARENT}/pipelineJobs/r1"
SPEC = {"pipelineInfo": {"name": "hello", "description": "d"}, "root": {"dag": {}}}
Task = pipeline_job_pb2.PipelineTaskDetail


def whole_details(run: Run, records: Sequence[engine.TaskRecord]) -> bytes:
    return b"".join(
        part.wire for part in task_details(run, engine.TaskRecords(tasks=records).SerializeToString())
    )


def record(**changes: Any) -> engine.TaskRecord:
    values: dict[str, Any] = {
        "task_id": 2,
        "parent_task_id": 1,
        "name": "train",
        "path": "loop[0].train",
        "kind": "CONTAINER",
        "state": "SUCCEEDED",
        "created_ns": str(NOW_NS),
        "started_ns": str(NOW_NS + 10**9),
        "ended_ns": str(NOW_NS + 2 * 10**9),
        "attempts": 2,
        **changes,
    }
    return json_format.ParseDict(values, engine.TaskRecord())


def encoded(*records: engine.TaskRecord) -> list[Task]:
    return list(
        pipeline_job_pb2.PipelineJobDetail.FromString(whole_details(make_run(), records)).task_details
    )


@pytest.fixture
def stored(service: ServiceDouble) -> RunDetails:
    spec = json_format.ParseDict(SPEC, struct_pb2.Struct()).SerializeToString()
    header = pipeline_job_pb2.PipelineJob(network="n", template_uri="t")
    header.runtime_config.gcs_output_directory = "/out"
    run = make_run(header_wire=header.SerializeToString(), warnings=("w",), original_id=3, original_name="o")
    details = RunDetails(run, spec, details_wire=whole_details(run, [record(), record(task_id=3)]))
    service.put(details)
    return details


def get(call: Caller, *paths: str) -> pipeline_job_pb2.PipelineJob:
    request = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
    request.read_mask.paths.extend(paths)
    found: pipeline_job_pb2.PipelineJob = call(GET, request, pipeline_job_pb2.PipelineJob)
    return found


def list_one(call: Caller, *paths: str) -> pipeline_job_pb2.PipelineJob:
    request = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT))
    request.read_mask.paths.extend(paths)
    page = call(LIST, request, pipeline_service_pb2.ListPipelineJobsResponse)
    assert page.next_page_token == "next"
    return page.pipeline_jobs[0]


def test_get_joins_what_is_stored_with_what_the_store_knows(call: Caller, stored: RunDetails) -> None:
    job = get(call)
    assert (job.name, job.display_name, job.network, job.template_uri) == (NAME, "a run", "n", "t")
    assert job.runtime_config.gcs_output_directory == "/out"
    assert json_format.MessageToDict(job.pipeline_spec) == SPEC
    assert [task.task_id for task in job.job_detail.task_details] == [2, 3]
    assert (job.original_pipeline_job_id, job.original_pipeline_job) == (3, "o")
    assert job.create_time.ToNanoseconds() == NOW_NS
    assert not job.HasField("start_time")
    assert not job.HasField("end_time")
    assert list(job.warnings) == ["w"]


def test_a_run_that_goes_on_shows_its_tasks_from_their_rows(call: Caller, service: ServiceDouble) -> None:
    rows = [TaskRow(2, "a", TaskState.RUNNING, record(state="RUNNING").SerializeToString())]
    error = Failure(13, "cannot end")
    service.put(RunDetails(make_run(state=RunState.CANCELLING, error=error, started_ns=NOW_NS), b"", rows))
    job = get(call)
    assert job.state == pipeline_state_pb2.PIPELINE_STATE_CANCELLING
    assert (job.error.code, job.error.message) == (13, "cannot end")
    assert job.start_time.ToNanoseconds() == NOW_NS
    assert job.job_detail.task_details[0].state == Task.RUNNING


def test_who_asks_for_nothing_of_the_inside_gets_the_rest_without_its_being_read(
    call: Caller, stored: RunDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = get(call)
    for name in ("pipeline_spec", "job_detail"):
        whole.ClearField(name)
    monkeypatch.setattr(ServiceDouble, "get", lambda *_: pytest.fail("the inside was read"))
    monkeypatch.setattr(ServiceDouble, "get_run", lambda *_: stored.run)
    assert get(call, *(descriptor.name for descriptor, _ in whole.ListFields())) == whole
    assert get(call, "state") == pipeline_job_pb2.PipelineJob(state=whole.state)


@pytest.mark.parametrize("paths", [(), ("state",)])
def test_a_missing_run_is_not_found(call: Caller, paths: tuple[str, ...]) -> None:
    request = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
    request.read_mask.paths.extend(paths)
    assert call.refused(GET, request).code is grpc.StatusCode.NOT_FOUND


def test_a_list_carries_neither_pipeline_nor_tasks_unless_asked(call: Caller, stored: RunDetails) -> None:
    job = list_one(call)
    assert job.network == "n"
    assert not job.HasField("pipeline_spec")
    assert not job.HasField("job_detail")
    job = list_one(call, "*")
    assert job == get(call)


def test_the_simple_view_of_the_sdk_is_answered_without_looking_into_the_runs(
    call: Caller, service: ServiceDouble, stored: RunDetails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceDouble, "get", lambda *_: pytest.fail("the run was read"))
    job = list_one(
        call,
        "name",
        "state",
        "display_name",
        "pipeline_spec.pipeline_info",
        "create_time",
        "labels",
        "template_uri",
        "template_metadata.version",
        "job_detail.pipeline_run_context",
        "job_detail.pipeline_context",
    )
    assert json_format.MessageToDict(job.pipeline_spec) == {"pipelineInfo": {"name": "hello"}}
    assert (job.template_uri, job.network) == ("t", "")
    monkeypatch.undo()
    found = get(call, "pipeline_spec.pipeline_info")
    assert json_format.MessageToDict(found.pipeline_spec) == {"pipelineInfo": SPEC["pipelineInfo"]}
    assert job.labels["team"] == "a"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["name"], {"name"}),
        (["state", "labels.team"], {"state", "labels"}),
        (["jobDetail.taskDetails.taskId"], {"job_detail"}),
        (["job_detail"], {"job_detail"}),
        (["pipeline_spec"], {"pipeline_spec"}),
        (["pipeline_spec.root", "pipelineSpec.pipelineInfo.name"], {"pipeline_spec"}),
        (["runtime_config.gcs_output_directory"], {"runtime_config"}),
        (["error"], set()),
        (["*"], None),
    ],
)
def test_a_mask_takes_away_all_but_its_paths(
    call: Caller, stored: RunDetails, paths: list[str], expected: set[str] | None
) -> None:
    whole = get(call)
    for job in (get(call, *paths), list_one(call, *paths)):
        names = {field.name for field, _ in job.ListFields()}
        assert names == (expected if expected is not None else {f.name for f, _ in whole.ListFields()})


def test_a_path_below_repeated_fields_and_maps_applies_to_each(call: Caller, stored: RunDetails) -> None:
    job = get(call, "job_detail.task_details.task_id", "labels.team", "pipeline_spec.pipeline_info.name")
    assert [{field.name for field, _ in task.ListFields()} for task in job.job_detail.task_details] == [
        {"task_id"},
        {"task_id"},
    ]
    assert dict(job.labels) == {"team": "a"}


def test_a_longer_path_does_not_narrow_a_shorter_one(call: Caller, stored: RunDetails) -> None:
    one = get(call, "job_detail", "job_detail.task_details.task_id")
    other = get(call, "job_detail.task_details.task_id", "job_detail")
    assert one == other
    assert one.job_detail.task_details[0].task_name == "train"


@pytest.mark.parametrize("path", ["nothing", "name.x", "job_detail.nothing", "", "state.x", "create_time.x"])
def test_a_path_that_is_no_field_is_refused(call: Caller, stored: RunDetails, path: str) -> None:
    request = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT))
    request.read_mask.paths.append(path)
    refusal = call.refused(LIST, request)
    assert list(refusal.violations) == ["read_mask.paths[0]"]


def test_an_empty_run_is_still_an_entry_of_the_page(call: Caller, stored: RunDetails) -> None:
    assert list_one(call, "error") == pipeline_job_pb2.PipelineJob()


def test_a_negative_page_size_is_refused_and_a_large_one_cut_down(
    call: Caller, service: ServiceDouble
) -> None:
    request = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT), page_size=-1)
    assert list(call.refused(LIST, request).violations) == ["page_size"]
    for asked in (0, 7, 10**6):
        call(LIST, pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT), page_size=asked))
    assert [query.page_size for query in service.queries] == [100, 7, 1000]


def test_pages_of_whole_runs_are_shorter(call: Caller, service: ServiceDouble) -> None:
    request = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT), page_size=500)
    request.read_mask.paths.append("pipeline_spec")
    call(LIST, request)
    assert service.queries[0].page_size == 20


def test_parameters_are_read_from_the_execution_as_the_sdk_does() -> None:
    values = {"n": "1", "big": str(2**53 + 1), "s": '"x"', "l": '[1,"a",null]', "m": '{"a":{"b":true}}'}
    [task] = encoded(
        record(
            inputs={"parameters": [{"name": "lr", "json": "0.1"}]},
            outputs={"parameters": [{"name": name, "json": text} for name, text in values.items()]},
        )
    )
    metadata = json_format.MessageToDict(task.execution.metadata)
    assert metadata == {
        "input:lr": 0.1,
        "output:n": 1.0,
        # As a double it would be another number.
        "output:big": "9007199254740993",
        "output:s": "x",
        "output:l": [1.0, "a", None],
        "output:m": {"a": {"b": True}},
    }
    assert task.execution.state == values_pb2.Execution.COMPLETE
    assert task.execution.schema_title == "system.ContainerExecution"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", "not json", "[" * 40 + "]" * 40, "[" * 90_000])
def test_a_value_that_no_struct_can_hold_is_shown_as_text_that_every_reader_takes(text: str) -> None:
    [task] = encoded(record(outputs={"parameters": [{"name": "x", "json": text}]}))
    value = task.execution.metadata.fields["output:x"]
    assert value.WhichOneof("kind") == "string_value"
    json_format.MessageToJson(task)


def test_values_nested_as_deeply_as_allowed_can_be_read_inside_a_list_of_runs() -> None:
    text = '{"a":' * 30 + "1" + "}" * 30
    run = make_run()
    wire = whole_details(run, [record(outputs={"parameters": [{"name": "x", "json": text}]})])
    job = pipeline_job_pb2.PipelineJob(job_detail=pipeline_job_pb2.PipelineJobDetail.FromString(wire))
    page = pipeline_service_pb2.ListPipelineJobsResponse(pipeline_jobs=[job])
    pipeline_service_pb2.ListPipelineJobsResponse.FromString(page.SerializeToString())


def test_artifacts_are_shown_with_name_uri_digest_and_metadata() -> None:
    artifact = {
        "name": "abc",
        "uri": "/data/x",
        "schemaTitle": "system.Model",
        "schemaVersion": "0.0.1",
        "digest": "sha256:00",
        "metadataJson": json.dumps({"framework": "f", "n": 1}),
    }
    [task] = encoded(record(outputs={"artifacts": [{"name": "model", "artifacts": [artifact, artifact]}]}))
    shown = task.outputs["model"].artifacts
    assert len(shown) == 2
    assert shown[0].name == f"{PARENT}/metadataStores/default/artifacts/abc"
    assert (shown[0].uri, shown[0].schema_title, shown[0].etag) == ("/data/x", "system.Model", "sha256:00")
    assert json_format.MessageToDict(shown[0].metadata) == {"framework": "f", "n": 1.0}


def test_the_two_causes_of_skipped_are_told_apart() -> None:
    source = {"runName": f"{PARENT}/pipelineJobs/old", "taskId": 9, "path": "train"}
    outputs = {"parameters": [{"name": "x", "json": "1"}]}
    reused, left_out = encoded(
        record(
            state="SKIPPED", verdict="REUSE", reason="UNCHANGED", source=source, outputs=outputs, attempts=0
        ),
        record(state="SKIPPED", verdict="SKIP", reason="REQUESTED", isLeftOut=True, startedNs=0, attempts=0),
    )
    assert reused.state == left_out.state == Task.SKIPPED
    assert reused.reused_from.pipeline_job == f"{PARENT}/pipelineJobs/old"
    assert (reused.reused_from.task_id, reused.reused_from.task_unique_name) == (9, "train")
    assert reused.verdict == pipeline_state_pb2.VERDICT_REUSE
    assert reused.execution.state == values_pb2.Execution.CACHED
    assert left_out.is_left_out
    assert left_out.reason == pipeline_state_pb2.REASON_REQUESTED
    assert not left_out.HasField("reused_from")
    assert not left_out.HasField("execution")


def test_attempts_history_and_error_are_shown() -> None:
    failure = {"code": 9, "message": "exit 3"}
    [task] = encoded(
        record(
            state="FAILED",
            error=failure,
            killMethod="cgroup",
            history=[
                {"atNs": str(NOW_NS), "state": "PENDING"},
                {"atNs": str(NOW_NS + 5), "state": "FAILED", "error": failure},
            ],
            overrideInputs={"parameters": [{"name": "p"}], "artifacts": [{"name": "a"}]},
        )
    )
    container = task.executor_detail.container_detail
    assert container.main_job == f"{NAME}/tasks/2/attempts/2"
    assert list(container.failed_main_jobs) == [f"{NAME}/tasks/2/attempts/1"]
    assert [status.state for status in task.pipeline_task_status] == [Task.PENDING, Task.FAILED]
    assert task.pipeline_task_status[1].error.message == "exit 3"
    assert (task.error.code, task.error.message) == (9, "exit 3")
    assert (task.attempts, task.kill_method) == (2, "cgroup")
    assert list(task.overridden_inputs) == ["p", "a"]


def test_many_tasks_keep_their_order_across_chunks() -> None:
    records = [record(task_id=number) for number in range(1, 1500)]
    assert [task.task_id for task in encoded(*records)] == list(range(1, 1500))


def test_inherited_parameters_are_merged_into_the_stored_header() -> None:
    given = pipeline_job_pb2.PipelineJob(network="n")
    given.runtime_config.parameter_values["x"].number_value = 1
    header = effective_header(given.SerializeToString(), {"x": "2", "y": '"z"'}, "/out")
    job = pipeline_job_pb2.PipelineJob.FromString(header)
    assert json_format.MessageToDict(job.runtime_config.parameter_values["x"]) == 2
    assert job.runtime_config.parameter_values["y"].string_value == "z"
    assert (job.runtime_config.gcs_output_directory, job.network) == ("/out", "n")


@pytest.mark.parametrize("service_name", [REPRISE, V1, V1BETA1])
def test_the_same_handlers_answer_under_every_name(
    call: Caller, stored: RunDetails, service_name: str
) -> None:
    request = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
    assert call(f"{service_name}/GetPipelineJob", request, pipeline_job_pb2.PipelineJob) == get(call)
