"""One run that is asked for, by whichever message: its parts checked and made into a CreateRun.

Invariant: problems are collected, so that a caller hears of all of them at once, each with its place in a
PipelineJob.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf import json_format, struct_pb2

from reprise.domain.commands import ArtifactRef, CreateRun, TaskConfig
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import BILLING_LABEL, Parent, RunName
from reprise.domain.run import FailurePolicy
from reprise.pb.v1 import pipeline_job_pb2, pipeline_state_pb2, values_pb2
from reprise.plan import is_plain, outline
from reprise.rpc.limits import RequestLimits
from reprise.rpc.values import checked_struct, compact_json, json_text, number_json, struct_json

T = TypeVar("T")
RuntimeConfig = pipeline_job_pb2.PipelineJob.RuntimeConfig

# A stock client sends a config for every task; those of a large run would outweigh all else in a list.
_LARGEST_SHOWN_CONFIGS_BYTES = 64 * 1024
_WITHOUT_EFFECT = (
    "service_account",
    "network",
    "reserved_ip_ranges",
    "psc_interface_config",
    "preflight_validations",
)
_SHOWN = (
    *_WITHOUT_EFFECT,
    "runtime_config",
    "template_uri",
    "template_metadata",
    "schedule_name",
    "platform_spec",
)
_LARGE_BYTES = 256 * 1024
# Fewer levels than the clients' parsers take.
_PLAIN_NESTING = 20
_SCHEMA_TITLE = re.compile(r"^title:\s*['\"]?([\w.]+)", re.MULTILINE)
_POLICIES = {
    pipeline_state_pb2.PIPELINE_FAILURE_POLICY_UNSPECIFIED: FailurePolicy.FAIL_SLOW,
    pipeline_state_pb2.PIPELINE_FAILURE_POLICY_FAIL_SLOW: FailurePolicy.FAIL_SLOW,
    pipeline_state_pb2.PIPELINE_FAILURE_POLICY_FAIL_FAST: FailurePolicy.FAIL_FAST,
}


@dataclass(frozen=True, slots=True)
class CompiledPipeline:
    """A compiled pipeline as it came, and the run-time configuration that stood in the same document.

    `task_count`: how many tasks it declares, those of its sub-pipelines included.
    """

    data: bytes
    task_count: int
    default_root: str
    runtime: RuntimeConfig

    @classmethod
    def read(cls, data: bytes) -> CompiledPipeline:
        """Errors: InvalidArgument for what is no Struct that clients can read back."""
        # A large one is not made into messages: nobody else would be answered meanwhile.
        if len(data) >= _LARGE_BYTES and is_plain(data, _PLAIN_NESTING):
            found = outline(data)
            if not found.is_whole_job:
                return cls(data, found.declared_tasks, found.default_root, RuntimeConfig())
        field = "pipeline_job.pipeline_spec"
        struct = checked_struct(data, field)
        if "pipelineSpec" not in struct.fields or "root" in struct.fields:
            return cls._of(data, RuntimeConfig())
        # A whole PipelineJob, as older compilers write it.
        spec = struct.fields["pipelineSpec"].struct_value
        runtime = RuntimeConfig()
        if "runtimeConfig" in struct.fields:
            try:
                json_format.ParseDict(
                    json_format.MessageToDict(struct.fields["runtimeConfig"]),
                    runtime,
                    ignore_unknown_fields=True,
                )
            except json_format.ParseError as error:
                raise InvalidArgument(FieldProblem(f"{field}.runtimeConfig", str(error))) from None
        return cls._of(spec.SerializeToString(deterministic=True), runtime)

    @classmethod
    def _of(cls, data: bytes, runtime: RuntimeConfig) -> CompiledPipeline:
        found = outline(data)
        return cls(data, found.declared_tasks, found.default_root, runtime)


@dataclass(frozen=True, slots=True)
class WantedRun:
    """One run that is asked for."""

    job: pipeline_job_pb2.PipelineJob
    pipeline: CompiledPipeline
    limits: RequestLimits
    original_name: str = ""

    def command(
        self, parent: Parent, job_id: str, etag: str, request_id: str, fingerprint: bytes
    ) -> CreateRun:
        job, limits, problems = self.job, self.limits, _Problems()
        problems.most("pipeline_job.pipeline_spec", "tasks", self.pipeline.task_count, limits.tasks)
        count = len(job.pipeline_task_rerun_configs)
        problems.most("pipeline_job.pipeline_task_rerun_configs", "configs", count, limits.task_configs)
        problems.raise_if_any()  # what is too large is not looked into
        if job.encryption_spec.kms_key_name:
            problems.add(
                "pipeline_job.encryption_spec", "this server does not encrypt runs with a key of the caller's"
            )
        if job_id:
            problems.check(RunName.make, parent, job_id, "pipeline_job_id")
        if job.original_pipeline_job_id < 0:
            problems.add(
                "pipeline_job.original_pipeline_job_id", f"no run has the id {job.original_pipeline_job_id}"
            )
        length = len(job.display_name)
        problems.most("pipeline_job.display_name", "characters", length, limits.display_name_length)
        problems.most("request_id", "characters", len(request_id), limits.request_id_length)
        is_rerun = bool(job.original_pipeline_job_id or self.original_name)
        if not self.pipeline.data and not is_rerun and job.template_uri:
            problems.add(
                "pipeline_job.template_uri",
                "templates are not fetched; send the compiled pipeline itself in pipeline_spec",
            )
        config = self._runtime_config()
        labels = _labels(job.labels, "pipeline_job.labels", problems, limits)
        parameters, are_legacy = self._parameters(config, problems)
        output_directory = config.gcs_output_directory or ("" if is_rerun else self.pipeline.default_root)
        _check_directory(output_directory, "pipeline_job.runtime_config.gcs_output_directory", problems)
        if config.failure_policy not in _POLICIES:
            problems.add(
                "pipeline_job.runtime_config.failure_policy", f"there is no policy {config.failure_policy}"
            )
        field = "pipeline_job.runtime_config.input_artifacts"
        problems.most(field, "artifacts", len(config.input_artifacts), limits.input_artifacts)
        input_artifacts = {}
        for name, artifact in config.input_artifacts.items():
            input_artifacts[name] = artifact.artifact_id
            if not artifact.artifact_id:
                problems.add(f"pipeline_job.runtime_config.input_artifacts[{name!r}]", "expected artifact_id")
        configs = [
            _task_config(config, f"pipeline_job.pipeline_task_rerun_configs[{index}]", problems, limits)
            for index, config in enumerate(job.pipeline_task_rerun_configs)
        ]
        platform_spec = b""
        if job.HasField("platform_spec"):
            problems.check(struct_json, job.platform_spec, "pipeline_job.platform_spec")
            platform_spec = job.platform_spec.SerializeToString(deterministic=True)
        problems.raise_if_any()
        shown, warnings = self._shown(config)
        return CreateRun(
            parent=parent,
            job_id=job_id,
            display_name=job.display_name,
            labels=labels,
            spec=self.pipeline.data,
            platform_spec=platform_spec,
            parameters=parameters,
            are_legacy_parameters=are_legacy,
            input_artifacts=input_artifacts,
            output_directory=output_directory,
            failure_policy=_POLICIES[config.failure_policy],
            preserved_wire=shown.SerializeToString(deterministic=True),
            warnings=tuple(warnings),
            template_uri=job.template_uri,
            schedule_name=job.schedule_name,
            original_id=job.original_pipeline_job_id,
            original_name=self.original_name,
            configs=tuple(configs),
            etag=etag,
            request_id=request_id,
            fingerprint=fingerprint,
        )

    def _runtime_config(self) -> RuntimeConfig:
        """What the document brought along, with what the request says laid over it."""
        merged = RuntimeConfig()
        merged.CopyFrom(self.pipeline.runtime)
        merged.MergeFrom(self.job.runtime_config)
        return merged

    def _parameters(self, config: RuntimeConfig, problems: _Problems) -> tuple[dict[str, str], bool]:
        if config.parameters and config.parameter_values:
            problems.add(
                "pipeline_job.runtime_config.parameters",
                "expected either parameters or parameter_values, got both",
            )
        field = "pipeline_job.runtime_config.parameter_values"
        count = len(config.parameters) + len(config.parameter_values)
        problems.most(field, "parameters", count, self.limits.parameters)
        if config.parameters:
            field = "pipeline_job.runtime_config.parameters"
            return _typed_values(config.parameters, field, problems), True
        return _json_values(config.parameter_values, field, problems, self.limits.nesting), False

    def _shown(self, config: RuntimeConfig) -> tuple[pipeline_job_pb2.PipelineJob, list[str]]:
        """What Get gives back of the request, and what the caller should know about it."""
        job, shown, warnings = self.job, pipeline_job_pb2.PipelineJob(), []
        for descriptor, value in job.ListFields():
            if descriptor.name in _WITHOUT_EFFECT:
                warnings.append(f"pipeline_job.{descriptor.name} is kept and shown, and does nothing here")
            if descriptor.name not in _SHOWN:
                continue
            if descriptor.is_repeated:
                getattr(shown, descriptor.name).MergeFrom(value)
            elif descriptor.message_type is not None:
                getattr(shown, descriptor.name).CopyFrom(value)
            else:
                setattr(shown, descriptor.name, value)
        if config.ListFields():
            shown.runtime_config.CopyFrom(config)
        if config.HasField("default_runtime"):
            warnings.append(
                "pipeline_job.runtime_config.default_runtime is kept and shown, and does nothing here"
            )
        configs = pipeline_job_pb2.PipelineJob(pipeline_task_rerun_configs=job.pipeline_task_rerun_configs)
        if configs.ByteSize() <= _LARGEST_SHOWN_CONFIGS_BYTES:
            shown.MergeFrom(configs)
        return shown, warnings


class _Problems:
    """Collects what is wrong, so that a caller hears of all of it at once."""

    def __init__(self) -> None:
        self._found: list[FieldProblem] = []

    def add(self, field: str, message: str) -> None:
        self._found.append(FieldProblem(field, message))

    def most(self, field: str, what: str, count: int, limit: int) -> None:
        if count > limit:
            self.add(field, f"expected at most {limit} {what}, got {count}")

    def check(self, read: Callable[..., T], *arguments: object) -> T | None:
        """What `read` gives for `arguments`; None if it raises InvalidArgument, whose problems are kept."""
        try:
            return read(*arguments)
        except InvalidArgument as error:
            self._found += error.problems
            return None

    def raise_if_any(self) -> None:
        if self._found:
            raise InvalidArgument(self._found)


def _labels(
    labels: Mapping[str, str], field: str, problems: _Problems, limits: RequestLimits
) -> dict[str, str]:
    kept = {key: value for key, value in labels.items() if key != BILLING_LABEL}
    problems.most(field, "labels", len(kept), limits.labels)
    for key, value in kept.items():
        if not key or max(len(key), len(value)) > limits.label_length:
            problems.add(
                f"{field}[{key[: limits.label_length]!r}]",
                f"expected a key and a value of at most {limits.label_length} characters",
            )
    return kept


def _check_directory(text: str, field: str, problems: _Problems) -> None:
    if "\x00" in text:
        problems.add(field, f"expected a folder or a URI, got {text[:200]!r}")


def _json_values(
    values: Mapping[str, struct_pb2.Value], field: str, problems: _Problems, nesting: int
) -> dict[str, str]:
    found = {}
    for name, value in values.items():
        text = problems.check(json_text, value, f"{field}[{name!r}]", nesting)
        if text is not None:
            found[name] = text
    return found


def _typed_values(values: Mapping[str, values_pb2.Value], field: str, problems: _Problems) -> dict[str, str]:
    found = {}
    for name, value in values.items():
        typed = problems.check(_typed, value, f"{field}[{name!r}]")
        if typed is not None:
            found[name] = compact_json(typed)
    return found


def _typed(value: values_pb2.Value, field: str) -> int | float | str:
    match value.WhichOneof("value"):
        case "int_value":
            return value.int_value
        case "double_value":
            # Declared as a double by the caller: 1.0 stays 1.0, so that it is no integer further on.
            number_json(value.double_value, field)
            return value.double_value
        case "string_value":
            return value.string_value
        case _:
            raise InvalidArgument(FieldProblem(field, "expected a value, got an empty one"))


def _task_config(
    config: pipeline_job_pb2.PipelineTaskRerunConfig, field: str, problems: _Problems, limits: RequestLimits
) -> TaskConfig:
    if config.task_id < 0 or not (config.task_id or config.task_name):
        problems.add(field, "expected a task_id from 1 on, a task_name, or both")
    parameters: Mapping[str, str] = {}
    artifacts: dict[str, Sequence[ArtifactRef]] = {}
    if config.HasField("inputs"):
        here = f"{field}.inputs.parameter_values"
        problems.most(here, "parameters", len(config.inputs.parameter_values), limits.parameters)
        parameters = _json_values(config.inputs.parameter_values, here, problems, limits.nesting)
        for name, group in config.inputs.artifacts.items():
            here = f"{field}.inputs.artifacts[{name!r}]"
            references = [
                problems.check(_artifact, artifact, f"{here}.artifacts[{index}]")
                for index, artifact in enumerate(group.artifacts)
            ]
            artifacts[name] = [reference for reference in references if reference is not None]
    return TaskConfig(
        field=field,
        task_id=config.task_id,
        task_name=config.task_name,
        skip_task=config.skip_task,
        skip_downstream_tasks=config.skip_downstream_tasks,
        has_inputs=config.HasField("inputs"),
        input_parameters=parameters,
        input_artifacts=artifacts,
        drop_overrides=tuple(config.dropped_override_inputs),
    )


def _artifact(artifact: values_pb2.RuntimeArtifact, field: str) -> ArtifactRef:
    if not artifact.uri and not artifact.name:
        raise InvalidArgument(FieldProblem(field, "expected the uri or the name of an artifact"))
    metadata = struct_pb2.Struct()
    for outdated in (artifact.properties, artifact.custom_properties):
        for key, value in outdated.items():
            typed = _typed(value, f"{field}.properties[{key!r}]")
            if isinstance(typed, str):
                metadata.fields[key].string_value = typed
            else:
                metadata.fields[key].number_value = typed
    for key, item in artifact.metadata.fields.items():
        metadata.fields[key].CopyFrom(item)
    title = artifact.type.schema_title
    if not title and (found := _SCHEMA_TITLE.search(artifact.type.instance_schema)):
        title = found[1]
    return ArtifactRef(
        field=field,
        name=artifact.name,
        uri=artifact.uri,
        schema_title=title,
        schema_version=artifact.type.schema_version,
        metadata_json=struct_json(metadata, f"{field}.metadata"),
    )
