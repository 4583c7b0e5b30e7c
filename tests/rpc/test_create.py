"""What the edge makes of a CreatePipelineJob, a RerunPipelineJob and a PlanRerun."""

from __future__ import annotations

import json
import struct
from typing import Any

import grpc
import pytest
from conftest import REPRISE, V1, V1BETA1, Caller
from google.protobuf import json_format, struct_pb2
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.run import FailurePolicy
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, pipeline_state_pb2, rerun_pb2
from reprise.rpc.wire import field_head
from service_double import PARENT, ServiceDouble

CREATE = f"{V1}/CreatePipelineJob"
RERUN = f"{REPRISE}/RerunPipelineJob"
SPEC = {"pipelineInfo": {"name": "hello"}, "root": {"dag": {}}, "schemaVersion": "2.1.0"}


def as_struct(value: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


def create_request(**fields: Any) -> pipeline_service_pb2.CreatePipelineJobRequest:
    job_id = fields.pop("pipeline_job_id", "r1")
    spec = fields.pop("spec", SPEC)
    job = pipeline_job_pb2.PipelineJob(pipeline_spec=as_struct(spec), **fields)
    return pipeline_service_pb2.CreatePipelineJobRequest(
        parent=str(PARENT), pipeline_job=job, pipeline_job_id=job_id
    )


def runtime(**fields: Any) -> pipeline_job_pb2.PipelineJob.RuntimeConfig:
    return json_format.ParseDict(fields, pipeline_job_pb2.PipelineJob.RuntimeConfig())


def test_the_pipeline_reaches_the_service_as_the_bytes_that_were_sent(
    call: Caller, service: ServiceDouble
) -> None:
    # Map entries in an order, and with a padded tag, that no serialiser of ours would choose.
    entry = b"\n\x01b\x12\x02 \x01"
    spec = b"\x8a\x00" + bytes([len(entry)]) + entry + b"\n\x07\n\x01a\x12\x02 \x00"
    job = field_head(7, len(spec)) + spec
    call(CREATE, b"\n\x16projects/p/locations/l" + field_head(2, len(job)) + job)
    assert service.commands[0].spec == spec


def test_the_answer_carries_the_pipeline_and_what_was_asked_for(call: Caller) -> None:
    request = create_request(display_name="d", runtime_config=runtime(parameterValues={"x": 1}))
    job = call(CREATE, request, pipeline_job_pb2.PipelineJob)
    assert json_format.MessageToDict(job.pipeline_spec) == SPEC
    assert job.name == f"{PARENT}/pipelineJobs/r1"
    assert job.runtime_config.parameter_values["x"].number_value == 1
    assert job.labels["vertex-ai-pipelines-run-billing-id"] == "7"


def test_parameters_become_canonical_json(call: Caller, service: ServiceDouble) -> None:
    values = {"i": 3, "f": 1.5, "s": "ü\n", "b": True, "l": [1, {"z": 1, "a": None}], "n": None, "m": {}}
    call(CREATE, create_request(runtime_config=runtime(parameterValues=values)))
    assert service.commands[0].parameters == {
        "i": "3",
        "f": "1.5",
        "s": '"ü\\n"',
        "b": "true",
        "l": '[1,{"a":null,"z":1}]',
        "n": "null",
        "m": "{}",
    }
    assert not service.commands[0].are_legacy_parameters


def test_typed_values_of_old_pipelines_keep_their_type(call: Caller, service: ServiceDouble) -> None:
    config = runtime(
        parameters={"i": {"intValue": str(2**53 + 1)}, "d": {"doubleValue": 2}, "s": {"stringValue": "[1]"}}
    )
    call(CREATE, create_request(runtime_config=config))
    assert service.commands[0].parameters == {"i": "9007199254740993", "d": "2.0", "s": '"[1]"'}
    assert service.commands[0].are_legacy_parameters


def test_a_whole_pipeline_job_inside_the_spec_is_unwrapped(call: Caller, service: ServiceDouble) -> None:
    spec = {
        "pipelineSpec": SPEC,
        "runtimeConfig": {"gcsOutputDirectory": "/out", "parameterValues": {"x": 1, "y": {"a": 1}}},
    }
    config = runtime(parameterValues={"y": {"b": 2}})
    call(CREATE, create_request(spec=spec, runtime_config=config))
    command = service.commands[0]
    assert json_format.MessageToDict(struct_pb2.Struct.FromString(command.spec)) == SPEC
    assert command.parameters == {"x": "1", "y": '{"b":2}'}
    assert command.output_directory == "/out"


def test_the_default_root_of_the_pipeline_counts_where_no_directory_is_given(
    call: Caller, service: ServiceDouble
) -> None:
    spec = {**SPEC, "defaultPipelineRoot": "/root"}
    call(CREATE, create_request(spec=spec))
    call(CREATE, create_request(spec=spec, original_pipeline_job_id=3))
    assert [command.output_directory for command in service.commands] == ["/root", ""]


def test_settings_without_effect_are_shown_with_a_warning(call: Caller) -> None:
    request = create_request(network="n", service_account="s", preflight_validations=True)
    job = call(CREATE, request, pipeline_job_pb2.PipelineJob)
    assert (job.network, job.service_account, job.preflight_validations) == ("n", "s", True)
    assert len(job.warnings) == 3
    assert any("pipeline_job.network" in warning for warning in job.warnings)


def test_a_key_of_the_callers_is_refused_and_an_empty_one_is_not(call: Caller) -> None:
    request = create_request()
    request.pipeline_job.encryption_spec.SetInParent()
    call(CREATE, request)
    request.pipeline_job.encryption_spec.kms_key_name = "k"
    refusal = call.refused(CREATE, request)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(refusal.violations) == ["pipeline_job.encryption_spec"]


def test_all_problems_of_a_request_are_told_at_once(call: Caller, service: ServiceDouble) -> None:
    request = create_request(
        pipeline_job_id="Not An Id",
        runtime_config=runtime(gcsOutputDirectory="a\x00b", inputArtifacts={"a": {}}),
        pipeline_task_rerun_configs=[pipeline_job_pb2.PipelineTaskRerunConfig(skip_task=True)],
    )
    request.pipeline_job.runtime_config.parameter_values["empty"].SetInParent()
    request.pipeline_job.runtime_config.failure_policy = 9  # type: ignore[assignment]
    refusal = call.refused(CREATE, request)
    assert set(refusal.violations) == {
        "pipeline_job_id",
        "pipeline_job.runtime_config.gcs_output_directory",
        "pipeline_job.runtime_config.input_artifacts['a']",
        "pipeline_job.runtime_config.parameter_values['empty']",
        "pipeline_job.runtime_config.failure_policy",
        "pipeline_job.pipeline_task_rerun_configs[0]",
    }
    assert not service.commands


def test_the_billing_label_of_a_client_is_overwritten(call: Caller, service: ServiceDouble) -> None:
    labels = {"vertex-ai-pipelines-run-billing-id": "1", "team": "a"}
    job = call(CREATE, create_request(labels=labels), pipeline_job_pb2.PipelineJob)
    assert service.commands[0].labels == {"team": "a"}
    assert job.labels["vertex-ai-pipelines-run-billing-id"] == "7"


@pytest.mark.parametrize("service_name", [REPRISE, V1, V1BETA1])
def test_a_rerun_by_create_carries_its_configs(
    call: Caller, service: ServiceDouble, service_name: str
) -> None:
    config = json_format.ParseDict(
        {
            "taskId": 4,
            "taskName": "train",
            "inputs": {
                "parameterValues": {"x": 2},
                "artifacts": {
                    "data": {
                        "artifacts": [
                            {
                                "uri": "/data",
                                "type": {"instanceSchema": "title: system.Dataset\ntype: object"},
                                "properties": {"a": {"intValue": "1"}, "b": {"stringValue": "old"}},
                                "metadata": {"b": "new"},
                            }
                        ]
                    }
                },
            },
        },
        pipeline_job_pb2.PipelineTaskRerunConfig(dropped_override_inputs=["y"]),
    )
    skipped = pipeline_job_pb2.PipelineTaskRerunConfig(task_id=5, skip_task=True, skip_downstream_tasks=True)
    request = create_request(original_pipeline_job_id=9, pipeline_task_rerun_configs=[config, skipped])
    call(f"{service_name}/CreatePipelineJob", request)
    command = service.commands[0]
    assert command.original_id == 9
    first, second = command.configs
    assert (first.task_id, first.task_name, first.has_inputs) == (4, "train", True)
    assert first.input_parameters == {"x": "2"}
    assert list(first.drop_overrides) == ["y"]
    [artifact] = first.input_artifacts["data"]
    assert (artifact.uri, artifact.schema_title) == ("/data", "system.Dataset")
    assert json.loads(artifact.metadata_json) == {"a": 1, "b": "new"}
    assert (second.skip_task, second.skip_downstream_tasks, second.has_inputs) == (True, True, False)


def test_a_config_with_empty_inputs_is_told_from_one_without(call: Caller, service: ServiceDouble) -> None:
    config = pipeline_job_pb2.PipelineTaskRerunConfig(task_id=4)
    config.inputs.SetInParent()
    call(CREATE, create_request(original_pipeline_job_id=9, pipeline_task_rerun_configs=[config]))
    assert service.commands[0].configs[0].has_inputs


def test_a_template_alone_is_refused_with_what_to_do(call: Caller) -> None:
    job = pipeline_job_pb2.PipelineJob(template_uri="https://example/x")
    request = pipeline_service_pb2.CreatePipelineJobRequest(parent=str(PARENT), pipeline_job=job)
    refusal = call.refused(CREATE, request)
    assert "pipeline_spec" in refusal.violations["pipeline_job.template_uri"]


def test_the_fingerprint_does_not_depend_on_the_order_of_maps(call: Caller, service: ServiceDouble) -> None:
    def entry(key: str, value: float) -> bytes:
        item = struct_pb2.Struct(fields={key: struct_pb2.Value(number_value=value)})
        return item.SerializeToString()

    for order in ((("a", 1), ("b", 2)), (("b", 2), ("a", 1)), (("a", 1), ("b", 3))):
        spec = b"".join(entry(*each) for each in order)
        job = field_head(7, len(spec)) + spec
        call(CREATE, b"\n\x16projects/p/locations/l" + field_head(2, len(job)) + job)
    first, second, other = (command.fingerprint for command in service.commands)
    assert first == second != other
    assert len(first) == 32


def test_the_request_id_comes_by_field_or_header_and_is_not_in_the_fingerprint(
    call: Caller, service: ServiceDouble
) -> None:
    request = create_request()
    call(CREATE, request, metadata=(("x-request-id", "from-header"),))
    request.request_id = "from-field"
    call(CREATE, request, metadata=(("x-request-id", "from-header"),))
    assert [command.request_id for command in service.commands] == ["from-header", "from-field"]
    assert service.commands[0].fingerprint == service.commands[1].fingerprint


def test_a_rerun_in_one_message_means_the_same_as_by_create(call: Caller, service: ServiceDouble) -> None:
    request = rerun_pb2.RerunPipelineJobRequest(
        name=f"{PARENT}/pipelineJobs/old",
        pipeline_job_id="new",
        display_name="again",
        labels={"a": "b"},
        task_configs=[pipeline_job_pb2.PipelineTaskRerunConfig(task_name="t")],
        parameter_values={"x": struct_pb2.Value(string_value="y")},
        pipeline_spec=as_struct(SPEC),
        output_directory="/out",
        failure_policy=pipeline_state_pb2.PIPELINE_FAILURE_POLICY_FAIL_FAST,
        etag="e",
        request_id="id",
    )
    call(RERUN, request)
    command = service.commands[0]
    assert command.original_name == f"{PARENT}/pipelineJobs/old"
    assert (command.parent, command.job_id, command.display_name) == (PARENT, "new", "again")
    assert command.parameters == {"x": '"y"'}
    assert command.failure_policy is FailurePolicy.FAIL_FAST
    assert (command.output_directory, command.etag, command.request_id) == ("/out", "e", "id")
    assert json_format.MessageToDict(struct_pb2.Struct.FromString(command.spec)) == SPEC
    assert command.configs[0].task_name == "t"


def test_problems_of_a_rerun_name_the_fields_of_its_own_message(call: Caller, service: ServiceDouble) -> None:
    service.failure = InvalidArgument(
        [
            FieldProblem("pipeline_job.pipeline_task_rerun_configs[3].task_id", "no such task"),
            FieldProblem("pipeline_job.runtime_config.parameter_values['x']", "no such parameter"),
            FieldProblem("pipeline_job.pipeline_spec.root", "wrong"),
        ]
    )
    request = rerun_pb2.RerunPipelineJobRequest(name=f"{PARENT}/pipelineJobs/old")
    assert list(call.refused(RERUN, request).violations) == [
        "task_configs[3].task_id",
        "parameter_values['x']",
        "pipeline_spec.root",
    ]
    plan = rerun_pb2.PlanRerunRequest(rerun=request)
    assert "rerun.task_configs[3].task_id" in call.refused(f"{REPRISE}/PlanRerun", plan).violations


def test_a_plan_is_read_page_by_page_and_counted_over_all(call: Caller, service: ServiceDouble) -> None:
    for task_id in range(1, 6):
        service.planned.tasks.add(
            task_id=task_id,
            name=f"t{task_id}",
            path=f"t{task_id}",
            kind=engine.CONTAINER if task_id > 1 else engine.DAG,
            verdict=engine.EXECUTE if task_id == 5 else engine.REUSE,
            reason=engine.REQUESTED if task_id == 5 else engine.UNCHANGED,
        )
    request = rerun_pb2.PlanRerunRequest(
        rerun=rerun_pb2.RerunPipelineJobRequest(name=f"{PARENT}/pipelineJobs/old"), page_size=2
    )
    seen: list[int] = []
    while True:
        plan = call(f"{REPRISE}/PlanRerun", request, rerun_pb2.PlanRerunResponse)
        seen += [task.task_id for task in plan.tasks]
        assert plan.total_size == 5
        assert {each.verdict: each.count for each in plan.counts} == {
            pipeline_state_pb2.VERDICT_REUSE: 3,
            pipeline_state_pb2.VERDICT_EXECUTE: 1,
        }
        if not plan.next_page_token:
            break
        request.page_token = plan.next_page_token
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("token", ["!", "abc", "LTEvZXRhZzE=", "4pyTL2V0YWcx"])
def test_a_page_token_of_no_plan_is_refused(call: Caller, token: str) -> None:
    request = rerun_pb2.PlanRerunRequest(
        rerun=rerun_pb2.RerunPipelineJobRequest(name=f"{PARENT}/pipelineJobs/old"), page_token=token
    )
    assert call.refused(f"{REPRISE}/PlanRerun", request).code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_page_of_a_plan_that_has_changed_is_aborted(call: Caller) -> None:
    request = rerun_pb2.PlanRerunRequest(
        rerun=rerun_pb2.RerunPipelineJobRequest(name=f"{PARENT}/pipelineJobs/old"), page_token="Mi9vdGhlcg=="
    )
    assert call.refused(f"{REPRISE}/PlanRerun", request).code is grpc.StatusCode.ABORTED


def test_the_reasons_and_verdicts_of_the_api_are_those_of_the_core() -> None:
    ours, cores = pipeline_state_pb2.Reason.items(), engine.Reason.items()
    assert [(name.removeprefix("REASON_"), number) for name, number in ours] == [
        (name.removeprefix("REASON_"), number) for name, number in cores
    ]
    verdicts, core_verdicts = pipeline_state_pb2.Verdict.items(), engine.Verdict.items()
    assert [(name.removeprefix("VERDICT_"), number) for name, number in verdicts] == [
        (name.removeprefix("VERDICT_"), number) for name, number in core_verdicts
    ]
    states = pipeline_job_pb2.PipelineTaskDetail.State.items()
    assert states == engine.State.items()
    kinds = rerun_pb2.PlannedTask.Kind.items()
    assert kinds == engine.Kind.items()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("place", ["spec", "parameter", "config", "platform", "artifact"])
def test_a_number_that_json_does_not_have_is_refused_wherever_it_stands(
    call: Caller, service: ServiceDouble, place: str, number: float
) -> None:
    request = create_request()
    job = request.pipeline_job
    bad = struct_pb2.Value(number_value=number)
    nested = struct_pb2.Value(list_value=struct_pb2.ListValue(values=[bad]))
    config = job.pipeline_task_rerun_configs.add(task_id=1)
    if place == "spec":
        job.pipeline_spec.fields["deep"].CopyFrom(nested)
    elif place == "parameter":
        job.runtime_config.parameter_values["x"].CopyFrom(nested)
    elif place == "config":
        config.inputs.parameter_values["x"].CopyFrom(bad)
    elif place == "platform":
        job.platform_spec.fields["x"].CopyFrom(bad)
    else:
        config.inputs.artifacts["a"].artifacts.add(uri="/x").metadata.fields["m"].CopyFrom(bad)
    refusal = call.refused(CREATE, request)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert len(refusal.violations) == 1
    assert not service.commands


def test_bytes_that_only_look_like_a_number_that_json_does_not_have_are_accepted(
    call: Caller, service: ServiceDouble
) -> None:
    request = create_request()
    # An unknown field of fixed length whose bytes are those of a NaN behind a number_value's tag.
    spec = request.pipeline_job.pipeline_spec.SerializeToString()
    spec += b"\xfa\x01\x09\x11" + struct.pack("<d", float("nan"))
    job = field_head(7, len(spec)) + spec
    call(CREATE, b"\n\x16projects/p/locations/l" + field_head(2, len(job)) + job)
    assert service.commands[0].spec == spec


def test_a_hidden_nan_behind_a_padded_tag_is_refused(call: Caller) -> None:
    value = b"\x91\x80\x80\x00" + struct.pack("<d", float("nan"))
    entry = b"\n\x01x" + field_head(2, len(value)) + value
    spec = field_head(1, len(entry)) + entry
    job = field_head(7, len(spec)) + spec
    refusal = call.refused(CREATE, b"\n\x16projects/p/locations/l" + field_head(2, len(job)) + job)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT


def nested_value(levels: int, kind: str) -> struct_pb2.Value:
    value = struct_pb2.Value(number_value=1)
    for _ in range(levels):
        outer = struct_pb2.Value()
        if kind == "list":
            outer.list_value.values.add().CopyFrom(value)
        else:
            outer.struct_value.fields["a"].CopyFrom(value)
        value = outer
    return value


@pytest.mark.parametrize("kind", ["list", "struct"])
@pytest.mark.parametrize("place", ["spec", "parameter", "config", "platform", "artifact"])
@pytest.mark.parametrize("levels", [1, 5, 20, 27, 28, 29, 30, 31, 32, 33, 45])
def test_whatever_nesting_is_accepted_can_be_read_back_from_every_answer(
    call: Caller, service: ServiceDouble, kind: str, place: str, levels: int
) -> None:
    request = create_request()
    job = request.pipeline_job
    config = job.pipeline_task_rerun_configs.add(task_id=1)
    target = {
        "spec": job.pipeline_spec.fields["x"],
        "parameter": job.runtime_config.parameter_values["x"],
        "config": config.inputs.parameter_values["x"],
        "platform": job.platform_spec.fields["x"],
        "artifact": config.inputs.artifacts["a"].artifacts.add(uri="/x").metadata.fields["x"],
    }
    for each in target.values():
        each.number_value = 0
    target[place].CopyFrom(nested_value(levels, kind))
    try:
        call(CREATE, request, pipeline_job_pb2.PipelineJob)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error  # type: ignore[attr-defined]
        assert levels >= 28
        return
    pages = pipeline_service_pb2.ListPipelineJobsRequest(parent=str(PARENT))
    pages.read_mask.paths.append("*")
    found = call(
        f"{V1}/ListPipelineJobs", pages, pipeline_service_pb2.ListPipelineJobsResponse
    ).pipeline_jobs[0]
    if place == "spec":
        assert found.pipeline_spec.fields["x"] == nested_value(levels, kind)
    # What is kept of it is what a task would be shown with, one message deeper still.
    assert service.commands


@pytest.mark.parametrize("data", [b"\xff\xff", b"\n\xff", b"\x0a\x05ab", b"\x00" * 40, b"\n\x02\xff\xfe"])
@pytest.mark.parametrize(
    "method",
    [
        f"{V1}/CreatePipelineJob",
        f"{V1BETA1}/GetPipelineJob",
        f"{V1}/ListPipelineJobs",
        f"{V1}/DeletePipelineJob",
        f"{V1}/CancelPipelineJob",
        f"{V1}/BatchCancelPipelineJobs",
        f"{V1}/BatchDeletePipelineJobs",
        f"{REPRISE}/RerunPipelineJob",
        f"{REPRISE}/PlanRerun",
        "google.longrunning.Operations/GetOperation",
        "google.longrunning.Operations/ListOperations",
        "google.longrunning.Operations/WaitOperation",
        "google.longrunning.Operations/CancelOperation",
        "google.longrunning.Operations/DeleteOperation",
    ],
)
def test_broken_bytes_are_an_invalid_argument(call: Caller, method: str, data: bytes) -> None:
    refusal = call.refused(method, data)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.info.reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize("data", [b"\xff", b"\n\x05\n\x01a\x12\xff", b"\n\x04\n\x02\xff\xfe"])
def test_broken_bytes_in_place_of_the_pipeline_are_an_invalid_argument(call: Caller, data: bytes) -> None:
    job = field_head(7, len(data)) + data
    refusal = call.refused(CREATE, b"\n\x16projects/p/locations/l" + field_head(2, len(job)) + job)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(refusal.violations) == ["pipeline_job.pipeline_spec"]
