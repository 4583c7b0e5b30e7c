"""Reruns that keep their original's spec and parameters: planned from its compiled run, bound to it by reference.

Invariant: what is decided here is what `planning` decides. Whatever takes more than the compiled run, the
fingerprints of local artifacts and a cache without an answer is left to it. Nothing here grows with the number of
tasks but bytes that the core goes through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reprise import plan as planner
from reprise.artifact.contract import ArtifactPlace
from reprise.artifact.digest import are_artifacts_unchanged
from reprise.domain.cache import CacheScope
from reprise.domain.commands import CreateRun
from reprise.domain.names import RunName
from reprise.domain.run import CompiledOriginal, Run
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.planning import config_of, put_inherited, put_settings, unwritable_root
from reprise.store.contract import Store

_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class UnchangedRerun:
    """A rerun that can be made, as `planning.Prepared` is; its spec is the original's."""

    request: engine.RunRequest
    head: engine.PlanResult
    original_run: Run
    etag: str

    is_spec_of_original = True
    spec = b""
    reuses: Sequence[int] = ()

    def stored_request(self) -> bytes:
        return self.request.SerializeToString(deterministic=True)


class UnchangedReruns:
    """Safe to call from any number of threads."""

    def __init__(self, store: Store, artifacts: ArtifactPlace, salts: Mapping[str, str]) -> None:
        self._store = store
        self._salts = salts
        self._artifacts = artifacts

    def prepare(self, command: CreateRun) -> UnchangedRerun | None:
        """None: `Preparation.prepare` has the word. Errors: NotFound, FailedPrecondition."""
        if not _may_be_unchanged(command):
            return None
        original = self._original(command)
        if original is None or _has_other_spec(command, original):
            return None
        asked = _asked(command, original, self._salts)
        if asked is None:
            return None
        labels = self._store.find_compiled_labels(original.run.id) if command.configs else b""
        plan_bytes = planner.plan_unchanged(original.graph, labels, asked)
        plan = engine.UnchangedPlan.FromString(plan_bytes)
        if plan.refusal or self._has_cached(command, plan):
            return None
        if plan.has_artifacts:
            labels = labels or self._store.find_compiled_labels(original.run.id)
            # An etag stands for all artifacts; the plan rests on those that something will read.
            if not labels or not are_artifacts_unchanged(labels, plan_bytes, all_of_them=bool(command.etag)):
                return None
        warnings = unwritable_root(self._artifacts, asked.settings.pipeline_root, command.field)
        return _prepared(asked, plan, original, warnings)

    def _original(self, command: CreateRun) -> CompiledOriginal | None:
        run_id = command.original_id
        if command.original_name:
            run_id = self._store.get_run(RunName.parse(command.original_name, "original_pipeline_job")).id
        return self._store.find_compiled_original(command.parent, run_id)

    def _has_cached(self, command: CreateRun, plan: engine.UnchangedPlan) -> bool:
        keys = [plan.cache_keys[at : at + _KEY_BYTES] for at in range(0, len(plan.cache_keys), _KEY_BYTES)]
        scope = CacheScope(command.parent.project, plan.pipeline_name)
        return bool(keys) and bool(self._store.find_cached(scope, set(keys)))


def _may_be_unchanged(command: CreateRun) -> bool:
    has_original = bool(command.original_name or command.original_id)
    has_artifacts = bool(command.input_artifacts) or any(config.input_artifacts for config in command.configs)
    return has_original and not has_artifacts and not command.platform_spec


def _has_other_spec(command: CreateRun, original: CompiledOriginal) -> bool:
    return bool(command.spec) and hashlib.sha256(command.spec).digest() != original.run.spec_digest


def _asked(
    command: CreateRun, original: CompiledOriginal, salts: Mapping[str, str]
) -> engine.RunRequest | None:
    """None: the original was given artifacts, and what they are by now is not for this path to say."""
    asked = engine.RunRequest()
    put_settings(asked.settings, command, salts)
    if put_inherited(asked, original.request, is_same_pipeline=True).input_artifacts:
        return None
    asked.original.run_id = original.run.id
    asked.original.resource_name = str(original.run.name)
    asked.original.spec_digest = original.run.spec_digest
    asked.original.records_digest = original.records_digest
    asked.configs.extend(map(config_of, command.configs))
    return asked


def _prepared(
    asked: engine.RunRequest,
    plan: engine.UnchangedPlan,
    original: CompiledOriginal,
    warnings: Iterable[str],
) -> UnchangedRerun:
    head = engine.PlanResult(
        pipeline_name=plan.pipeline_name,
        schema_version=plan.schema_version,
        parameters=plan.parameters,
        digest=plan.digest,
        warnings=warnings,
    )
    # What is stored is what `planning.slim` leaves of a request.
    asked.original.ClearField("spec_digest")
    asked.original.ClearField("records_digest")
    del asked.settings.parameters[:]
    asked.settings.parameters.extend(plan.parameters)
    return UnchangedRerun(asked, head, original.run, plan.digest.hex())
