"""From a command to what is planned: the request that the core reads, made of the caller's words and the store's.

Invariant: changes nothing. What is wrong with a command is found here, all of it at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from google.protobuf import struct_pb2

from reprise import plan as planner
from reprise.artifact.contract import ABSENT, ArtifactPlace, Known, Presence
from reprise.domain import errors
from reprise.domain.commands import ArtifactRef, CreateRun, TaskConfig
from reprise.domain.errors import FieldProblem
from reprise.domain.names import RunName
from reprise.domain.run import OriginalRun, Run
from reprise.known_outcomes import KnownOutcomes
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.platform_spec import PlatformCheck, check_platform_spec
from reprise.store.contract import Store

_ARTIFACTS_AT_ONCE = 5_000
_SHOWN_URIS = 5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that can be carried out. `etag` stands for everything that the plan depends on."""

    asked: planner.Pieces
    lost: (
        bytes  # of the original's records those whose artifacts are not what they were, as the plan saw them
    )
    plan: planner.PlanParts
    original: OriginalRun | None
    etag: str
    reuses: Sequence[int] = ()  # runs beside the original whose outcomes the plan reuses

    is_spec_of_original = False

    @property
    def request(self) -> engine.RunRequest:
        return self.asked.request

    @property
    def spec(self) -> bytes:
        return self.asked.spec

    @property
    def head(self) -> engine.PlanResult:
        return self.plan.head

    @property
    def original_run(self) -> Run | None:
        return None if self.original is None else self.original.run

    def stored_request(self) -> bytes:
        """The request without what the store keeps once, by digest."""
        return slim(self.asked.request, self.lost)


class Preparation:
    """Safe to call from any number of threads."""

    def __init__(
        self,
        store: Store,
        artifacts: ArtifactPlace,
        known: KnownOutcomes,
        is_environment_vouched: bool,
        salts: Mapping[str, str],
        data_dir: Path,
    ) -> None:
        """`is_environment_vouched`: see `check_platform_spec`. `salts`: of projects, in every key of theirs."""
        self._runs_dir = Path(os.path.realpath(data_dir)) / "runs"
        self._store = store
        self._artifacts = artifacts
        self._known = known
        self._is_environment_vouched = is_environment_vouched
        self._salts = salts

    def etag(self, command: CreateRun) -> str:
        """What the etag of a plan of a command would be that was prepared before. Errors: as `prepare`."""
        original = self._original(command)
        return planner.etag(self._asked(command, original, self._platform(command))[0])

    def prepare(self, command: CreateRun) -> Prepared:
        """Errors: InvalidArgument (every problem at once), NotFound, FailedPrecondition, Unavailable."""
        original = self._original(command)
        platform = self._platform(command)
        problems = list(platform.problems)
        if command.configs and original is None:
            problems.append(
                FieldProblem(
                    f"{command.field}.pipeline_task_rerun_configs",
                    "configs are given without an original; set original_pipeline_job_id",
                )
            )
        if original is None and not command.spec:
            problems.append(FieldProblem(f"{command.field}.pipeline_spec", "expected a compiled pipeline"))
        if problems:
            raise errors.InvalidArgument(problems)
        asked, lost = self._asked(command, original, platform)
        plan = planner.plan_in_parts(asked)
        result = plan.head
        found = [FieldProblem(problem.field, problem.message) for problem in result.problems]
        found += [
            FieldProblem(
                f"{command.field}.pipeline_spec",
                f"task {need.path!r}: {_not_to_be_had(need.construct)}",
            )
            for need in result.requirements
        ]
        if found:
            raise errors.InvalidArgument(found)
        plan, hits = self._known.put_in(command.parent.project, asked, plan)
        request = asked.request
        result = plan.head
        result.warnings.extend(platform.warnings)
        result.warnings.extend(hits.warnings)
        result.warnings.extend(_unchecked(plan.unchecked))
        result.warnings.extend(
            unwritable_root(self._artifacts, request.settings.pipeline_root, command.field)
        )
        # What a rerun of this run inherits: also what was given to the original.
        del request.settings.parameters[:]
        request.settings.parameters.extend(result.parameters)
        for piece in hits.cache:
            request.MergeFromString(piece)
        return Prepared(asked, lost, plan, original, result.digest.hex(), hits.runs)

    def _original(self, command: CreateRun) -> OriginalRun | None:
        if command.original_name:
            name = RunName.parse(command.original_name, "original_pipeline_job")
            return self._store.get_original(command.parent, self._store.get_run(name).id)
        if command.original_id:
            return self._store.get_original(command.parent, command.original_id)
        return None

    def _platform(self, command: CreateRun) -> PlatformCheck:
        place = f"{command.field}.platform_spec"
        return check_platform_spec(command.platform_spec, place, self._is_environment_vouched)

    def _asked(
        self, command: CreateRun, original: OriginalRun | None, platform: PlatformCheck
    ) -> tuple[planner.Pieces, bytes]:
        """What the core plans; and of the original's records those whose artifacts are not what they were."""
        request = engine.RunRequest()
        settings = request.settings
        spec, records, lost = command.spec, b"", b""
        put_settings(settings, command, self._salts)
        for executor, timeout_s in sorted(platform.timeouts_s.items()):
            settings.timeouts.add(executor=executor, timeout_ms=timeout_s * 1000)
        for name, artifact_id in sorted(command.input_artifacts.items()):
            reference = ArtifactRef(
                f"{command.field}.runtime_config.input_artifacts[{name!r}]", name=artifact_id
            )
            settings.input_artifacts.append(
                self._artifact_list(name, [reference], original, command.parent.project)
            )
        if original is not None:
            is_same_spec = (
                not command.spec or hashlib.sha256(command.spec).digest() == original.run.spec_digest
            )
            earlier = put_inherited(
                request, original.request, is_same_pipeline=is_same_spec and not command.platform_spec
            )
            settings.input_artifacts.extend(self._inherited_artifacts(command, original, earlier))
            settings.input_artifacts.sort(key=lambda given: given.name)
            # A run that was cancelled before it began has no records; those of its own original stand for them.
            request.original.run_id = original.records_run_id or original.run.id
            request.original.resource_name = original.records_run_name or str(original.run.name)
            request.original.spec_digest = original.run.spec_digest
            request.original.records_digest = original.records_digest
            spec = spec or original.spec
            records, lost = self._with_presence(original.records)
        for config in command.configs:
            request.configs.append(self._config(config, original, command.parent.project))
        return planner.Pieces(request, spec, records), lost

    def _config(self, config: TaskConfig, original: OriginalRun | None, project: str) -> engine.Config:
        wanted = config_of(config)
        for name, references in sorted(config.input_artifacts.items()):
            wanted.input_artifacts.append(self._artifact_list(name, references, original, project))
        return wanted

    def _is_of_another_project(self, uri: str, project: str) -> bool:
        """Whether this is in the folder of a run that no run of the project has to do with.

        To its caller such an artifact is none, whether it is there or not: nobody is to learn which runs others have.
        """
        local = self._artifacts.local_path(uri)
        path = None if local is None else Path(os.path.realpath(local))
        if path is None or not path.is_relative_to(self._runs_dir):
            return False
        run_folder = path.relative_to(self._runs_dir).parts[:1]
        return not run_folder or not self._store.is_file_of(project, f"{self._runs_dir.name}/{run_folder[0]}")

    def _inherited_artifacts(
        self, command: CreateRun, original: OriginalRun, earlier: engine.RunSettings
    ) -> Iterable[engine.ArtifactList]:
        """The run's artifacts that the original was given and this call does not give, as they are by now."""
        kept = [given for given in earlier.input_artifacts if given.name not in command.input_artifacts]
        if not kept:
            return
        declared = _declared_artifacts(command.spec) if command.spec else {given.name for given in kept}
        for given in kept:
            if given.name in declared:
                place = f"{command.field}.runtime_config.input_artifacts[{given.name!r}]"
                references = [
                    ArtifactRef(
                        place,
                        uri=artifact.uri,
                        schema_title=artifact.schema_title,
                        schema_version=artifact.schema_version,
                        metadata_json=artifact.metadata_json,
                    )
                    for artifact in given.artifacts
                ]
                yield self._artifact_list(given.name, references, original)

    def _artifact_list(
        self,
        name: str,
        references: Sequence[ArtifactRef],
        original: OriginalRun | None,
        project: str | None = None,
    ) -> engine.ArtifactList:
        """The artifacts that a caller of `project` names, looked up and digested. None: they were named before.

        Errors: InvalidArgument naming the input.
        """
        found = engine.ArtifactList(name=name, is_list=len(references) > 1)
        known: dict[str, engine.Artifact] = {}
        if original and any(reference.name and not reference.named_uri for reference in references):
            known = {artifact.name: artifact for artifact in _artifacts_of(original)}
        for reference in references:
            artifact = engine.Artifact()
            uri = reference.named_uri
            if reference.name and not uri:
                earlier = known.get(reference.name.rpartition("/")[2])
                if earlier is None:
                    raise errors.InvalidArgument(
                        FieldProblem(reference.field, f"no artifact named {reference.name!r} is known")
                    )
                artifact.CopyFrom(earlier)
            elif uri:
                artifact.uri = uri
                artifact.schema_title = reference.schema_title
                artifact.schema_version = reference.schema_version
                artifact.metadata_json = reference.metadata_json
                artifact.name = hashlib.sha256(uri.encode()).hexdigest()[:20]
            else:
                raise errors.InvalidArgument(
                    FieldProblem(reference.field, "expected the uri or the name of an artifact")
                )
            is_there = project is None or not self._is_of_another_project(uri, project)
            seen = self._artifacts.digest([artifact.uri])[0] if is_there else None
            if seen is None or seen.digest == ABSENT:
                raise errors.InvalidArgument(
                    FieldProblem(reference.field, f"there is no artifact at {artifact.uri!r}")
                )
            artifact.digest, artifact.fingerprint = seen.digest, seen.fingerprint
            found.artifacts.append(artifact)
        return found

    def _with_presence(self, records: bytes) -> tuple[bytes, bytes]:
        """The records with what became of their artifacts since, and those that lost some.

        They are the same bytes where all is as it was.
        """
        presences = bytearray()
        for artifacts in planner.recorded_artifacts(records, _ARTIFACTS_AT_ONCE):
            presences += bytes(self._artifacts.look([Known(*artifact) for artifact in artifacts]))
        if presences.count(Presence.PRESENT) == len(presences):
            return records, b""
        return planner.with_presence(records, bytes(presences))


def _not_to_be_had(construct: str) -> str:
    if construct == "accelerator":
        return "asks for an accelerator, and the tasks of this server are given none"
    return f"{construct} cannot run outside Google Cloud"


def put_settings(settings: engine.RunSettings, command: CreateRun, salts: Mapping[str, str]) -> None:
    """What a command says of the run, but for its input artifacts and platformSpec. `salts`: of projects, by name."""
    settings.resource_name = f"{command.parent}/pipelineJobs/{command.job_id}"
    settings.job_id = command.job_id
    settings.salt = salts.get(command.parent.project, "")
    settings.pipeline_root = command.output_directory.rstrip("/")
    settings.failure_policy = cast("engine.FailurePolicy", int(command.failure_policy))
    settings.are_legacy_parameters = command.are_legacy_parameters
    settings.parameters.extend(_parameters(command.parameters.items()))


def put_inherited(
    request: engine.RunRequest, original_request: bytes, *, is_same_pipeline: bool
) -> engine.RunSettings:
    """What the original was given, from its stored request: all but its input artifacts, which are to be looked at.

    Gives the original's own settings. `is_same_pipeline`: the request brings neither another spec nor a platformSpec,
    so that of the original holds.
    """
    earlier = engine.RunRequest.FromString(original_request)
    if is_same_pipeline:
        request.settings.timeouts.extend(earlier.settings.timeouts)
    if not request.settings.pipeline_root:
        request.settings.pipeline_root = earlier.settings.pipeline_root
    request.original.parameters.extend(earlier.settings.parameters)
    request.original.pipeline_root = earlier.settings.pipeline_root
    return earlier.settings


def config_of(config: TaskConfig) -> engine.Config:
    """A config without its input artifacts, which are to be looked up."""
    wanted = engine.Config(
        field=config.field,
        task_id=config.task_id,
        task_name=config.task_name,
        has_inputs=config.has_inputs,
        skip_task=config.skip_task,
        skip_downstream_tasks=config.skip_downstream_tasks,
        drop_overrides=config.drop_overrides,
    )
    wanted.input_parameters.extend(_parameters(config.input_parameters.items()))
    return wanted


def unwritable_root(artifacts: ArtifactPlace, root: str, field: str) -> Iterable[str]:
    """The warning of an output directory that is not used."""
    if root and (problem := artifacts.problem(root)):
        yield (
            f"{field}.runtime_config.gcs_output_directory: {problem}; artifacts are kept in the server's data directory"
        )


def slim(request: engine.RunRequest, lost: bytes) -> bytes:
    """The request without what the store keeps once, by digest.

    Of the original's records those stay whose artifacts are not what they were: the run goes by what the plan saw.
    """
    slim = engine.RunRequest()
    slim.CopyFrom(request)
    if slim.HasField("original"):
        for by_digest in ("spec_digest", "records_digest"):
            slim.original.ClearField(by_digest)
        slim.original.records = lost
    return slim.SerializeToString(deterministic=True)


def _parameters(items: Iterable[tuple[str, str]]) -> list[engine.Parameter]:
    return [engine.Parameter(name=name, json=value) for name, value in sorted(items)]


def _outputs(task: engine.TaskRecord) -> Iterable[engine.Artifact]:
    for holder in (task, task.candidate) if task.HasField("candidate") else (task,):
        for group in holder.outputs.artifacts:
            yield from group.artifacts


def _artifacts_of(original: OriginalRun) -> Iterable[engine.Artifact]:
    for task in engine.TaskRecords.FromString(original.records).tasks:
        yield from _outputs(task)


def _unchecked(uris: Sequence[str]) -> Iterable[str]:
    """One warning for all artifacts that are reused unseen."""
    if uris:
        shown = ", ".join(uris[:_SHOWN_URIS])
        yield f"{len(uris)} artifacts are reused unseen, for this server cannot look at them: {shown}"


def _declared_artifacts(spec: bytes) -> set[str]:
    """Names of the artifacts that a pipeline takes from its run."""
    inner = struct_pb2.Struct.FromString(spec)
    for name in ("root", "inputDefinitions", "artifacts"):
        inner = inner.fields[name].struct_value if name in inner.fields else struct_pb2.Struct()
    return set(inner.fields)
