"""The tasks of a run as clients read them: PipelineTaskDetail from engine.TaskRecord.

Invariant: equal records give equal tasks, whether they are encoded while the run goes on or once at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from google.protobuf import struct_pb2

from reprise.domain.names import Parent
from reprise.domain.run import Run
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_job_pb2, values_pb2
from reprise.rpc.values import set_from_json

PipelineTaskDetail = pipeline_job_pb2.PipelineTaskDetail
_Execution = values_pb2.Execution

# So many tasks are objects at once; the bytes of the chunks simply follow each other.
_CHUNK = 512
_NANOS = 1_000_000_000
_EXECUTION_STATES = {
    engine.PENDING: _Execution.NEW,
    engine.RUNNING: _Execution.RUNNING,
    engine.SUCCEEDED: _Execution.COMPLETE,
    engine.CANCEL_PENDING: _Execution.RUNNING,
    engine.CANCELLING: _Execution.RUNNING,
    engine.CANCELLED: _Execution.CANCELLED,
    engine.FAILED: _Execution.FAILED,
    engine.SKIPPED: _Execution.CACHED,
    engine.NOT_TRIGGERED: _Execution.CANCELLED,
}
_SCHEMA_TITLES = {
    engine.CONTAINER: "system.ContainerExecution",
    engine.IMPORTER: "system.ImporterExecution",
}


def task_details(
    run: Run, records: Iterable[engine.TaskRecord], outputs: engine.Values | None = None
) -> bytes:
    """A PipelineJobDetail: its task_details one after the other in the order given, then what the run gave."""
    remaining = iter(records)
    chunks: list[bytes] = []
    while chunk := list(islice(remaining, _CHUNK)):
        details = pipeline_job_pb2.PipelineJobDetail()
        for record in chunk:
            _fill(details.task_details.add(), record, run)
        chunks.append(details.SerializeToString())
    if outputs is not None and (outputs.parameters or outputs.artifacts):
        details = pipeline_job_pb2.PipelineJobDetail()
        for parameter in outputs.parameters:
            set_from_json(details.outputs.fields[parameter.name], parameter.json)
        _fill_artifacts(details.output_artifacts, outputs, run.name.parent, 0)
        chunks.append(details.SerializeToString())
    return b"".join(chunks)


def source_of(record: engine.TaskRecord) -> pipeline_job_pb2.ReusedFrom | None:
    """Where a reused outcome was produced."""
    if not record.HasField("source"):
        return None
    source = record.source
    return pipeline_job_pb2.ReusedFrom(
        pipeline_job=source.run_name, task_id=source.task_id, task_unique_name=source.path
    )


def _fill(detail: PipelineTaskDetail, record: engine.TaskRecord, run: Run) -> None:
    detail.task_id = record.task_id
    detail.parent_task_id = record.parent_task_id
    detail.task_name = record.name
    detail.task_unique_name = record.path
    detail.state = record.state  # type: ignore[assignment]  # the numbers are the engine's
    if record.created_ns:
        detail.create_time.seconds, detail.create_time.nanos = divmod(record.created_ns, _NANOS)
    if record.started_ns:
        detail.start_time.seconds, detail.start_time.nanos = divmod(record.started_ns, _NANOS)
    if record.ended_ns:
        detail.end_time.seconds, detail.end_time.nanos = divmod(record.ended_ns, _NANOS)
    if record.HasField("error"):
        detail.error.code, detail.error.message = record.error.code, record.error.message
    for change in record.history:
        status = detail.pipeline_task_status.add(state=change.state)
        status.update_time.seconds, status.update_time.nanos = divmod(change.at_ns, _NANOS)
        if change.HasField("error"):
            status.error.code, status.error.message = change.error.code, change.error.message
    if record.kind == engine.CONTAINER and record.attempts:
        _fill_attempts(detail, record, run)
    if record.started_ns or record.HasField("inputs") or record.HasField("outputs"):
        _fill_execution(detail.execution, record, run)
    _fill_artifacts(detail.inputs, record.inputs, run.name.parent, 0)
    _fill_artifacts(detail.outputs, record.outputs, run.name.parent, record.ended_ns)
    detail.verdict = record.verdict  # type: ignore[assignment]
    detail.reason = record.reason  # type: ignore[assignment]
    detail.reason_field = record.reason_field
    detail.caused_by = record.caused_by
    detail.is_left_out = record.is_left_out
    detail.attempts = record.attempts
    detail.kill_method = record.kill_method
    source = source_of(record)
    if source is not None:
        detail.reused_from.CopyFrom(source)
    if record.HasField("override_inputs"):
        overrides = record.override_inputs
        detail.overridden_inputs.extend(each.name for each in overrides.parameters)
        detail.overridden_inputs.extend(each.name for each in overrides.artifacts)


def _fill_attempts(detail: PipelineTaskDetail, record: engine.TaskRecord, run: Run) -> None:
    container = detail.executor_detail.container_detail
    prefix = f"{run.name}/tasks/{record.task_id}/attempts/"
    container.main_job = f"{prefix}{record.attempts}"
    container.failed_main_jobs.extend(f"{prefix}{number}" for number in range(1, record.attempts))


def _fill_execution(execution: _Execution, record: engine.TaskRecord, run: Run) -> None:
    execution.name = f"{run.name.parent}/metadataStores/default/executions/{run.id}-{record.task_id}"
    execution.display_name = record.name
    execution.state = _EXECUTION_STATES.get(record.state, _Execution.STATE_UNSPECIFIED)
    execution.schema_title = _SCHEMA_TITLES.get(record.kind, "system.DagExecution")
    execution.schema_version = "0.0.1"
    changed_ns = record.history[-1].at_ns if record.history else record.ended_ns
    execution.create_time.seconds, execution.create_time.nanos = divmod(record.created_ns, _NANOS)
    execution.update_time.seconds, execution.update_time.nanos = divmod(changed_ns, _NANOS)
    execution.metadata.SetInParent()
    fields = execution.metadata.fields
    for parameter in record.inputs.parameters:
        set_from_json(fields[f"input:{parameter.name}"], parameter.json)
    for parameter in record.outputs.parameters:
        set_from_json(fields[f"output:{parameter.name}"], parameter.json)


def _fill_artifacts(target: object, values: engine.Values, parent: Parent, at_ns: int) -> None:
    for group in values.artifacts:
        shown = target[group.name]  # type: ignore[index]  # a map of messages makes the entry
        shown.SetInParent()
        for artifact in group.artifacts:
            _fill_artifact(shown.artifacts.add(), group.name, artifact, parent, at_ns)


def _fill_artifact(
    shown: values_pb2.Artifact, name: str, artifact: engine.Artifact, parent: Parent, at_ns: int
) -> None:
    shown.name = f"{parent}/metadataStores/default/artifacts/{artifact.name}"
    shown.display_name = name
    shown.uri = artifact.uri
    shown.etag = artifact.digest
    shown.state = values_pb2.Artifact.LIVE
    shown.schema_title = artifact.schema_title
    shown.schema_version = artifact.schema_version
    if at_ns:
        shown.create_time.seconds, shown.create_time.nanos = divmod(at_ns, _NANOS)
        shown.update_time.CopyFrom(shown.create_time)
    if artifact.metadata_json not in ("", "{}"):
        _fill_metadata(shown.metadata, artifact.metadata_json)


def _fill_metadata(metadata: struct_pb2.Struct, text: str) -> None:
    whole = struct_pb2.Value()
    set_from_json(whole, text)
    if whole.HasField("struct_value"):
        metadata.CopyFrom(whole.struct_value)
    else:  # nested too deeply to be read back where it would stand
        metadata.fields["json"].string_value = text
