"""Making the request messages out of a compiled pipeline and plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, struct_pb2

from reprise.client.parameters import check_value, to_legacy
from reprise.client.pipeline_file import PipelineFile, PipelineFileError
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states

FAILURE_POLICIES = {
    "slow": states.PIPELINE_FAILURE_POLICY_FAIL_SLOW,
    "fast": states.PIPELINE_FAILURE_POLICY_FAIL_FAST,
}


def create_request(
    pipeline: PipelineFile,
    parameters: Mapping[str, Any] | None = None,
    *,
    run_id: str = "",
    display_name: str = "",
    labels: Mapping[str, str] | None = None,
    output_directory: str = "",
    failure_policy: str = "",
    is_cached: bool | None = None,
) -> service.CreatePipelineJobRequest:
    """The request that runs `pipeline`. What a PipelineJob file says stands unless it is said here.

    `is_cached`: switches the cache on or off for every task; None leaves it as compiled.
    Errors: PipelineFileError; ParameterError.
    """
    request = service.CreatePipelineJobRequest(pipeline_job_id=run_id)
    job = request.pipeline_job
    if pipeline.job:
        try:
            json_format.ParseDict(pipeline.job, job)
        except json_format.ParseError as error:
            raise PipelineFileError(f"not the JSON form of a PipelineJob: {error}") from None
    job.display_name = display_name or job.display_name
    job.labels.update(labels or {})
    runtime = job.runtime_config
    runtime.gcs_output_directory = output_directory or runtime.gcs_output_directory
    if failure_policy:
        runtime.failure_policy = FAILURE_POLICIES[failure_policy]
    fill_spec(job.pipeline_spec, with_caching(pipeline.spec, is_cached))
    if pipeline.platform_spec:
        fill_spec(job.platform_spec, pipeline.platform_spec)
    for name, value in (parameters or {}).items():
        if pipeline.is_legacy:
            json_format.ParseDict(to_legacy(value), runtime.parameters[name])
        else:
            runtime.parameter_values[name].CopyFrom(to_value(name, value))
    return request


def to_value(name: str, value: Any) -> struct_pb2.Value:
    """The protobuf Value of a JSON value. Errors: ParameterError for what it cannot hold unchanged."""
    made = struct_pb2.Value()
    json_format.ParseDict(check_value(name, value), made)
    return made


def fill_spec(target: struct_pb2.Struct, spec: Mapping[str, Any]) -> None:
    """Errors: PipelineFileError where the document is nested too deep."""
    try:
        json_format.ParseDict(dict(spec), target)
    except (json_format.ParseError, RecursionError) as error:
        raise PipelineFileError(str(error) or "nested too deep") from None


def with_caching(spec: Mapping[str, Any], is_cached: bool | None) -> dict[str, Any]:
    """The spec with the cache switched on or off for every task; the same one for None."""
    if is_cached is None:
        return dict(spec)

    def switched(dag: Any) -> Any:
        if not isinstance(dag, dict) or not isinstance(dag.get("tasks"), dict):
            return dag
        tasks = {
            name: {**task, "cachingOptions": {**task.get("cachingOptions", {}), "enableCache": is_cached}}
            for name, task in dag["tasks"].items()
        }
        return {**dag, "tasks": tasks}

    changed = dict(spec)
    holders = {"root": spec.get("root"), **(spec.get("components") or {})}
    holders = {
        name: {**holder, "dag": switched(holder["dag"])}
        for name, holder in holders.items()
        if isinstance(holder, dict) and "dag" in holder
    }
    if "root" in holders:
        changed["root"] = holders.pop("root")
    changed["components"] = {**(spec.get("components") or {}), **holders}
    return changed


def artifact_input(text: str) -> jobs.PipelineTaskRerunConfig.ArtifactList:
    """One artifact by its resource name or, for anything else, its URI."""
    artifacts = jobs.PipelineTaskRerunConfig.ArtifactList()
    is_name = text.startswith("projects/") and "/artifacts/" in text
    artifacts.artifacts.add(**({"name": text} if is_name else {"uri": text}))
    return artifacts
