"""What a caller asks for, decoded: the arguments of the use cases.

Invariant: parameter values are JSON text (integers exact); `field` names the place in the caller's request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reprise.domain.names import Parent
from reprise.domain.run import FailurePolicy


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """An artifact given by the caller: by `uri`, or by the `name` of one the store knows."""

    field: str
    name: str = ""
    uri: str = ""
    schema_title: str = ""
    schema_version: str = ""
    metadata_json: str = "{}"

    @property
    def named_uri(self) -> str:
        """The URI that it is given by; "" for one that the store is to know by its name."""
        is_name = bool(self.name) and "://" not in self.name and not self.name.startswith("/")
        return "" if is_name else self.uri or self.name


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """One PipelineTaskRerunConfig. `task_id` 0 and `task_name` "" mean: not given."""

    field: str
    task_id: int
    task_name: str
    skip_task: bool
    skip_downstream_tasks: bool
    has_inputs: bool
    input_parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    input_artifacts: Mapping[str, Sequence[ArtifactRef]] = dataclasses.field(default_factory=dict)
    drop_overrides: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CreateRun:
    """A run to be made, or (with an original) a rerun; also what a plan is made of."""

    parent: Parent
    job_id: str  # "": one is made from the pipeline's name and the time
    display_name: str
    labels: Mapping[str, str]
    spec: bytes  # google.protobuf.Struct; b"": the original's
    platform_spec: bytes  # google.protobuf.Struct; b"": none
    parameters: Mapping[str, str]
    are_legacy_parameters: bool
    input_artifacts: Mapping[str, str]  # input name -> artifact id
    output_directory: str
    failure_policy: FailurePolicy
    preserved_wire: bytes  # a PipelineJob of what is kept and shown, and means nothing here
    warnings: Sequence[str] = ()
    template_uri: str = ""
    schedule_name: str = ""
    original_id: int = 0  # 0: not given
    original_name: str = ""  # "": not given
    configs: Sequence[TaskConfig] = ()
    etag: str = ""
    request_id: str = ""
    fingerprint: bytes = b""  # SHA-256 of the canonical request
    field: str = "pipeline_job"  # where the job stands in the caller's request

    @property
    def names_artifact_uris(self) -> bool:
        given = [ArtifactRef("", name=artifact_id) for artifact_id in self.input_artifacts.values()]
        given += [
            reference
            for config in self.configs
            for references in config.input_artifacts.values()
            for reference in references
        ]
        return any(reference.named_uri for reference in given)
