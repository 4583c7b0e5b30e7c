"""Messages into commands: finds all that can be wrong with a message by itself, and says in which field.

Invariant: a compiled pipeline leaves as the bytes that came in; equal requests have equal fingerprints,
whatever the order in which their maps were written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from google.protobuf.message import Message

from reprise.domain.commands import CreateRun
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import Projects
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, rerun_pb2
from reprise.pb.wire.v1 import raw_pb2
from reprise.plan import struct_digest
from reprise.rpc.limits import RequestLimits
from reprise.rpc.requests import page_size
from reprise.rpc.wanted_run import CompiledPipeline, WantedRun
from reprise.rpc.wire import parse

_PROJECTS = Projects()
_LIMITS = RequestLimits()


def create_run(
    data: bytes, request_id: str, projects: Projects = _PROJECTS, limits: RequestLimits = _LIMITS
) -> CreateRun:
    """A CreatePipelineJobRequest. `request_id` counts where the message has none. Errors: InvalidArgument."""
    raw = parse(raw_pb2.CreateRequest, data)
    raw_job = parse(raw_pb2.Job, raw.pipeline_job, "pipeline_job")
    spec = raw_job.pipeline_spec
    raw_job.ClearField("pipeline_spec")
    raw.ClearField("pipeline_job")
    request = parse(pipeline_service_pb2.CreatePipelineJobRequest, raw.SerializeToString())
    job = parse(pipeline_job_pb2.PipelineJob, raw_job.SerializeToString(), "pipeline_job")
    parent = projects.parent(request.parent)
    wanted = WantedRun(job, CompiledPipeline.read(spec), limits)
    request_id = request.request_id or request_id
    request.request_id = ""
    request.parent = str(parent)  # a project's other name makes no other request
    return wanted.command(
        parent=parent,
        job_id=request.pipeline_job_id,
        etag=request.etag,
        request_id=request_id,
        fingerprint=_fingerprint(request, job, wanted.pipeline.data),
    )


def rerun(
    data: bytes, request_id: str, projects: Projects = _PROJECTS, limits: RequestLimits = _LIMITS
) -> CreateRun:
    """A RerunPipelineJobRequest; problems name the fields of the Create that means the same (`in_rerun`)."""
    raw = parse(raw_pb2.RerunRequest, data)
    spec = raw.pipeline_spec
    raw.ClearField("pipeline_spec")
    request = parse(rerun_pb2.RerunPipelineJobRequest, raw.SerializeToString())
    original = projects.run(request.name)
    job = pipeline_job_pb2.PipelineJob(
        display_name=request.display_name,
        labels=request.labels,
        pipeline_task_rerun_configs=request.task_configs,
        platform_spec=request.platform_spec if request.HasField("platform_spec") else None,
    )
    config = job.runtime_config
    config.gcs_output_directory = request.output_directory
    config.failure_policy = request.failure_policy
    for name, value in request.parameter_values.items():
        config.parameter_values[name].CopyFrom(value)
    for name, artifact in request.input_artifacts.items():
        config.input_artifacts[name].CopyFrom(artifact)
    wanted = WantedRun(job, CompiledPipeline.read(spec), limits, str(original))
    request_id = request.request_id or request_id
    request.request_id = ""
    request.name = str(original)
    return wanted.command(
        parent=original.parent,
        job_id=request.pipeline_job_id,
        etag=request.etag,
        request_id=request_id,
        fingerprint=_fingerprint(request, None, wanted.pipeline.data),
    )


# Where the parts of a run stand in a RerunPipelineJobRequest.
_RERUN_FIELDS = (
    ("pipeline_job.runtime_config.gcs_output_directory", "output_directory"),
    ("pipeline_job.runtime_config.", ""),
    ("pipeline_job.pipeline_task_rerun_configs", "task_configs"),
    ("pipeline_job.", ""),
    ("original_pipeline_job", "name"),
)


@contextmanager
def in_rerun(prefix: str = "") -> Iterator[None]:
    """Inside, problems with a run are told with the paths of a RerunPipelineJobRequest at `prefix`."""
    try:
        yield
    except InvalidArgument as error:
        problems = [
            FieldProblem((prefix + _rerun_field(each.field)).rstrip("."), each.message)
            for each in error.problems
        ]
        raise type(error)(problems, error.metadata) from None


def _rerun_field(field: str) -> str:
    for theirs, ours in _RERUN_FIELDS:
        if field.startswith(theirs):
            return ours + field.removeprefix(theirs)
    return field


@dataclass(frozen=True, slots=True)
class PlanQuery:
    command: CreateRun
    page_size: int
    page_token: str


def plan_rerun(data: bytes, projects: Projects = _PROJECTS, limits: RequestLimits = _LIMITS) -> PlanQuery:
    """A PlanRerunRequest. Errors: InvalidArgument."""
    raw = parse(raw_pb2.PlanRequest, data)
    with in_rerun("rerun."):
        command = rerun(raw.rerun, "", projects, limits)
    raw.ClearField("rerun")
    request = parse(rerun_pb2.PlanRerunRequest, raw.SerializeToString())
    return PlanQuery(command, page_size(request.page_size, default=1000, most=10_000), request.page_token)


def plan_stream(data: bytes, projects: Projects = _PROJECTS, limits: RequestLimits = _LIMITS) -> PlanQuery:
    """A PlanRerunRequest for a plan as a whole. Errors: InvalidArgument."""
    query = plan_rerun(data, projects, limits)
    if query.page_token:
        raise InvalidArgument(FieldProblem("page_token", "a stream has no pages: expected none"))
    return query


def _fingerprint(request: Message, job: Message | None, spec: bytes) -> bytes:
    """SHA-256 of the request in a form that does not depend on the order of maps."""
    digest = hashlib.sha256()
    for part in (request, job):
        data = part.SerializeToString(deterministic=True) if part is not None else b""
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    # The spec may be large. What has no canonical form is refused where it is looked into.
    digest.update(struct_digest(spec) or hashlib.sha256(spec).digest())
    digest.update(request.DESCRIPTOR.full_name.encode())
    return digest.digest()
