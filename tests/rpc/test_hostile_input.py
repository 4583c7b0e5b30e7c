"""Whatever bytes come in: a command or an InvalidArgument, and what is accepted can be shown again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reprise.domain.commands import CreateRun
from reprise.domain.errors import InvalidArgument
from reprise.pb.v1 import operations_pb2, pipeline_job_pb2, pipeline_service_pb2, rerun_pb2
from reprise.plan import Outline, is_plain, outline
from reprise.rpc import decode, encode, requests
from reprise.rpc.values import checked_struct
from reprise.rpc.wanted_run import CompiledPipeline
from service_double import PARENT, make_run

SPEC = json_format.ParseDict(
    {"pipelineInfo": {"name": "p"}, "root": {"dag": {"tasks": {"a": {"x": [1, 2.5, None, True]}}}}},
    struct_pb2.Struct(),
)


def _job() -> pipeline_job_pb2.PipelineJob:
    job = pipeline_job_pb2.PipelineJob(
        display_name="d",
        pipeline_spec=SPEC,
        labels={"a": "b"},
        network="n",
        original_pipeline_job_id=3,
        platform_spec=SPEC,
    )
    job.runtime_config.parameter_values["x"].list_value.values.add(number_value=1)
    job.runtime_config.gcs_output_directory = "/out"
    config = job.pipeline_task_rerun_configs.add(task_id=1, task_name="t", dropped_override_inputs=["x"])
    config.inputs.parameter_values["p"].struct_value.fields["k"].string_value = "v"
    artifact = config.inputs.artifacts["a"].artifacts.add(uri="/x")
    artifact.metadata.fields["m"].bool_value = True
    artifact.properties["o"].double_value = 1.5
    return job


RERUN = rerun_pb2.RerunPipelineJobRequest(
    name=f"{PARENT}/pipelineJobs/r",
    pipeline_job_id="n",
    pipeline_spec=SPEC,
    task_configs=_job().pipeline_task_rerun_configs,
    parameter_values={"x": struct_pb2.Value(string_value="y")},
)
CREATE = pipeline_service_pb2.CreatePipelineJobRequest(
    parent=str(PARENT), pipeline_job=_job(), pipeline_job_id="n", request_id="r"
)


@st.composite
def spoiled(draw: st.DrawFn, good: bytes) -> bytes:
    """Good bytes with some of them changed, taken away, doubled or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 4)):
            case 0 if data:
                data[at] = draw(st.integers(0, 255))
            case 1:
                del data[at : at + draw(st.integers(1, 8))]
            case 2:
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case 3:
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
            case _:
                del data[at:]
    return bytes(data)


def _shown_again(command: CreateRun) -> None:
    wire = encode.run(make_run(header_wire=command.preserved_wire), command.spec)
    job = pipeline_job_pb2.PipelineJob.FromString(wire)
    batch = operations_pb2.BatchCancelPipelineJobsResponse(pipeline_jobs=[job])
    again = operations_pb2.BatchCancelPipelineJobsResponse.FromString(batch.SerializeToString())
    json_format.MessageToJson(again)


@settings(max_examples=400, deadline=None)
@given(spoiled(CREATE.SerializeToString()))
def test_a_spoiled_create_is_refused_or_can_be_shown(data: bytes) -> None:
    try:
        command = decode.create_run(data, "")
    except InvalidArgument:
        return
    _shown_again(command)


@settings(max_examples=300, deadline=None)
@given(spoiled(RERUN.SerializeToString()))
def test_a_spoiled_rerun_is_refused_or_can_be_shown(data: bytes) -> None:
    try:
        with decode.in_rerun():
            command = decode.rerun(data, "")
    except InvalidArgument:
        return
    _shown_again(command)


PIPELINE = SPEC.SerializeToString()
# In one entry of a map; the first of them is cut off.
TWO_VALUES = b"\n\x0c\n\x01a\x12\x02*'\x12\x03\x1a\x01v"


def _told(struct: struct_pb2.Struct) -> Outline:
    """What the core should tell of it, read from messages."""
    spec = json_format.MessageToDict(struct)
    root, components = spec.get("root"), spec.get("components")
    holders = [root, *(components.values() if isinstance(components, dict) else ())]
    default_root = spec.get("defaultPipelineRoot")
    return Outline(
        sum(map(_declared, holders)),
        default_root if isinstance(default_root, str) else "",
        "pipelineSpec" in spec and "root" not in spec,
    )


def _declared(component: object) -> int:
    for key in ("dag", "tasks"):
        component = component.get(key) if isinstance(component, dict) else None
    return len(component) if isinstance(component, dict) else 0


@settings(max_examples=1000, deadline=None)
@given(spoiled(PIPELINE))
@example(TWO_VALUES)
def test_a_pipeline_that_is_read_without_messages_is_one_that_clients_can_read(data: bytes) -> None:
    if is_plain(data, deepest=20):
        assert outline(data) == _told(checked_struct(data, "pipeline_spec"))


@pytest.mark.parametrize("name", ["components", "defaultPipelineRoot", "pipelineSpec", "root"])
@pytest.mark.parametrize("value", ["text", 1, None, [], {}, {"dag": {"tasks": {"a": 1, "b": 2}}}])
def test_a_pipeline_is_outlined_whatever_its_members_hold(name: str, value: object) -> None:
    for members in ({name: value}, {name: {"comp-a": value}}):
        struct = json_format.ParseDict(members, struct_pb2.Struct())
        assert outline(struct.SerializeToString()) == _told(struct)


def test_a_large_pipeline_is_read_as_a_small_one_is() -> None:
    padding = struct_pb2.Struct()
    padding["description"] = "x" * 300_000
    small, large = (
        CompiledPipeline.read(PIPELINE),
        CompiledPipeline.read(PIPELINE + padding.SerializeToString()),
    )
    assert large.task_count == small.task_count > 0
    padding["number"] = float("nan")
    with pytest.raises(InvalidArgument, match=r"pipeline_spec\.number"):
        CompiledPipeline.read(PIPELINE + padding.SerializeToString())


SMALL: list[Callable[[bytes], object]] = [
    requests.get_run,
    requests.list_runs,
    requests.delete_run,
    requests.cancel_run,
    requests.batch_cancel,
    requests.batch_delete,
    requests.task_log,
    requests.get_operation,
    requests.wait_operation,
    requests.list_operations,
    decode.plan_rerun,
]
SMALL_REQUEST = pipeline_service_pb2.ListPipelineJobsRequest(
    parent=str(PARENT), filter="state=1", page_size=3, page_token="t", order_by="name"
)
SMALL_REQUEST.read_mask.paths.extend(["name", "job_detail.task_details.task_id"])


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), spoiled(SMALL_REQUEST.SerializeToString())))
def test_spoiled_small_messages_are_decoded_or_refused(data: bytes) -> None:
    for read in SMALL:
        try:
            read(data)
        except InvalidArgument as error:
            assert error.problems
