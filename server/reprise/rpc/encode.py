"""Runs and operations as messages of the public API.

Invariant: what is stored as bytes (the fixed fields of a run, its compiled pipeline, the tasks of a finished
one) is put into the answer as it is, and only looked into where a read mask asks for parts of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO

from google.longrunning import operations_proto_pb2 as operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2

from reprise.domain.errors import NotFound
from reprise.domain.names import BILLING_LABEL, RunName
from reprise.domain.run import (
    DetailsParts,
    Failure,
    Operation,
    OperationKind,
    OperationTarget,
    Run,
    RunDetails,
    RunPage,
)
from reprise.pb.v1 import operations_pb2 as metadata_pb2
from reprise.pb.v1 import pipeline_job_pb2
from reprise.rpc.masks import ReadMask
from reprise.rpc.task_details import row_details
from reprise.rpc.times import set_time
from reprise.rpc.values import set_from_json
from reprise.rpc.wire import field_bytes, field_head, item_bytes

_SPEC_FIELD = 7
_DETAIL_FIELD = 9
_LIST_RUNS_FIELD = 1
_LIST_TOKEN_FIELD = 2
_BATCH_RUNS_FIELD = 1
_TYPE_URL = "type.googleapis.com/"
EMPTY = empty_pb2.Empty().SerializeToString()

_EVERYTHING = ReadMask()


def run(run: Run, spec: bytes = b"", details: bytes = b"", mask: ReadMask = _EVERYTHING) -> bytes:
    """A PipelineJob. `details`: a PipelineJobDetail."""
    raw = _head_wire(run)
    if mask.tree is None and not mask.left_out:
        return b"".join((raw, *_field(_SPEC_FIELD, spec), *_field(_DETAIL_FIELD, details)))
    parts = [raw]
    is_info_known = mask.wants_pipeline_info and not spec
    if mask.wants("pipeline_spec") and not mask.is_whole_spec:
        parts += _field(_SPEC_FIELD, spec)
    if not mask.are_whole_tasks and mask.wants_tasks:
        parts += _field(_DETAIL_FIELD, details)
    if mask.tree is not None or len(parts) > 1:
        job = pipeline_job_pb2.PipelineJob.FromString(b"".join(parts))
        if is_info_known:
            info = job.pipeline_spec.fields["pipelineInfo"].struct_value
            info.fields["name"].string_value = run.pipeline_name
        mask.prune(job)
        parts = [job.SerializeToString()]
    if mask.is_whole_spec:
        parts += _field(_SPEC_FIELD, spec)
    if mask.are_whole_tasks:
        parts += _field(_DETAIL_FIELD, details)
    return b"".join(parts)


def _field(number: int, payload: bytes) -> tuple[bytes, ...]:
    """The pieces of a length-delimited field; none for an empty one."""
    return (field_head(number, len(payload)), payload) if payload else ()


def masked(
    name: RunName, mask: ReadMask, get_run: Callable[[RunName], Run], get: Callable[[RunName], RunDetails]
) -> bytes:
    """A PipelineJob. `get` is asked only where the mask wants something of the run's inside: many only ask its state,
    and often."""
    if mask.wants("pipeline_spec") or mask.wants_tasks:
        return details(get(name), mask)
    return run(get_run(name), mask=mask)


def details(found: RunDetails, mask: ReadMask = _EVERYTHING) -> bytes:
    """A PipelineJob with what the mask asks for of its inside."""
    if not mask.wants_tasks:
        return run(found.run, found.spec, mask=mask)
    if found.details_parts is not None:
        return _long(found, found.details_parts, mask)
    wire = found.details_wire
    return run(found.run, found.spec, row_details(found.run, found.tasks) if wire is None else wire, mask)


def _long(found: RunDetails, parts: DetailsParts, mask: ReadMask) -> bytes:
    """A long run. Its tasks are copied once, part by part, to where they stay: tens of megabytes that are touched
    for the first time cost more than copying them does.
    """
    if not mask.are_whole_tasks:
        return run(found.run, found.spec, b"".join(parts.read()), mask)
    short = run(found.run, found.spec, mask=mask)
    head = field_head(_DETAIL_FIELD, parts.length)
    # Made to the measure, and of zeros that the system has not laid out yet: what is written stays where it is.
    answer = BytesIO(bytes(len(short) + len(head) + parts.length))
    answer.write(short)
    answer.write(head)
    for part in parts.read():
        answer.write(part)
    return answer.getvalue()


def page(found: RunPage, mask: ReadMask, get: Callable[[RunName], RunDetails]) -> bytes:
    """A ListPipelineJobsResponse. `get` is asked only for what the page itself does not hold."""
    parts = [item_bytes(_LIST_RUNS_FIELD, _listed(each, mask, get)) for each in found.runs]
    parts.append(field_bytes(_LIST_TOKEN_FIELD, found.next_token.encode()))
    return b"".join(parts)


def _listed(each: Run, mask: ReadMask, get: Callable[[RunName], RunDetails]) -> bytes:
    if mask.wants_spec or mask.wants_tasks:
        try:
            return details(get(each.name), mask)
        except NotFound:
            pass  # deleted since the page was read: it is listed as it was, without its inside
    return run(each, mask=mask)


def _head_wire(run: Run) -> bytes:
    wire = run.made.get("head")
    if wire is None:
        wire = run.made["head"] = _head(run).SerializeToString() + run.header_wire
    return wire


def _head(run: Run) -> pipeline_job_pb2.PipelineJob:
    """The fields that the store knows of a run; the ones that its caller gave are in `header_wire`."""
    head = pipeline_job_pb2.PipelineJob(
        name=str(run.name),
        display_name=run.display_name,
        state=int(run.state),  # type: ignore[arg-type]  # the numbers are the wire's
        labels={**run.labels, BILLING_LABEL: str(run.id)},
        original_pipeline_job_id=run.original_id,
        original_pipeline_job=run.original_name,
        warnings=run.warnings,
    )
    set_time(head.create_time, run.created_ns)
    set_time(head.update_time, run.updated_ns)
    if run.started_ns:
        set_time(head.start_time, run.started_ns)
    if run.ended_ns:
        set_time(head.end_time, run.ended_ns)
    if run.error is not None:
        head.error.CopyFrom(status(run.error))
    return head


def effective_header(preserved_wire: bytes, parameters: Mapping[str, str], output_directory: str) -> bytes:
    """`preserved_wire` with the parameters and the directory that a rerun has taken over from its original.

    A run-time configuration given twice is merged by every reader, the later one winning name by name.
    """
    effective = pipeline_job_pb2.PipelineJob()
    for name, text in parameters.items():
        set_from_json(effective.runtime_config.parameter_values[name], text)
    if output_directory:
        effective.runtime_config.gcs_output_directory = output_directory
    return preserved_wire + effective.SerializeToString()


def status(failure: Failure) -> status_pb2.Status:
    return status_pb2.Status(code=failure.code, message=failure.message)


def operation(found: Operation) -> bytes:
    """A google.longrunning.Operation whose payloads are of the package under which it was made."""
    return bytes(_operation(found).SerializeToString())


def operations(found: tuple[Sequence[Operation], str]) -> bytes:
    each, next_token = found
    answer = operations_pb2.ListOperationsResponse(
        operations=[_operation(one) for one in each], next_page_token=next_token
    )
    return bytes(answer.SerializeToString())


def _operation(found: Operation) -> operations_pb2.Operation:
    answer = operations_pb2.Operation(name=str(found.name), done=found.is_done)
    if found.kind is OperationKind.BATCH_CANCEL:
        metadata: Message = metadata_pb2.BatchCancelPipelineJobsOperationMetadata(targets=_targets(found))
    else:
        metadata = metadata_pb2.DeleteOperationMetadata(targets=_targets(found))
    set_time(metadata.generic_metadata.create_time, found.created_ns)  # type: ignore[attr-defined]
    set_time(metadata.generic_metadata.update_time, found.updated_ns)  # type: ignore[attr-defined]
    answer.metadata.CopyFrom(_any(found, metadata.DESCRIPTOR.name, metadata.SerializeToString()))
    if not found.is_done:
        return answer
    if found.error is not None:
        answer.error.CopyFrom(status(found.error))
    elif found.kind is OperationKind.DELETE:
        answer.response.Pack(empty_pb2.Empty())
    else:
        kind = (
            metadata_pb2.BatchCancelPipelineJobsResponse
            if found.kind is OperationKind.BATCH_CANCEL
            else metadata_pb2.BatchDeletePipelineJobsResponse
        )
        runs = b"".join(item_bytes(_BATCH_RUNS_FIELD, run(each)) for each in found.runs)
        answer.response.CopyFrom(_any(found, kind.DESCRIPTOR.name, runs))
    return answer


def _any(found: Operation, name: str, value: bytes) -> any_pb2.Any:
    return any_pb2.Any(type_url=f"{_TYPE_URL}{found.party}.{name}", value=value)


def _targets(found: Operation) -> list[metadata_pb2.OperationTarget]:
    return [_target(target) for target in found.targets]


def _target(target: OperationTarget) -> metadata_pb2.OperationTarget:
    return metadata_pb2.OperationTarget(
        name=target.name,
        outcome=target.outcome.upper(),
        state=int(target.state or 0),  # type: ignore[arg-type]  # the numbers are the wire's
    )
