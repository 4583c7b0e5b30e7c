"""Runs and reruns against a real server, and what is known of them from four sides: plan, states, outputs, ledger.

Invariant: every rerun that is made here is planned first, made with the plan's etag, and compared with its plan.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from building import Of, Task, pipeline
from google.protobuf import json_format
from refinement import check_refines
from reprise.client import Client, Plan
from reprise.client.requests import fill_spec, to_value
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from reprise.pb.v1 import values_pb2 as values

_WITHIN_S = 60
_BILLING = "vertex-ai-pipelines-run-billing-id"
State = jobs.PipelineTaskDetail.State


@dataclass(frozen=True)
class Ask:
    """What a user says of one task. `inputs` absent and `inputs` empty are different things."""

    skip: bool = False
    downstream: bool = False
    inputs: Mapping[str, Any] | None = None
    artifacts: Mapping[str, str] | None = None
    drop: Sequence[str] = ()


RUN = Ask()  # skip_task=false, the way Google's SDK fills it in too
AGAIN = Ask(inputs={})  # skip_task=false with inputs present and empty
SKIP = Ask(skip=True)
SKIP_ON = Ask(skip=True, downstream=True)


@dataclass(frozen=True)
class Ended:
    """A run that has ended. Tasks go by their paths."""

    job: jobs.PipelineJob
    spec: Mapping[str, Any]
    ran: list[str]  # what its tasks wrote to the ledger, sorted
    plan: Plan | None = None

    @property
    def name(self) -> str:
        return self.job.name

    @property
    def id(self) -> int:
        return int(self.job.labels[_BILLING])

    @property
    def state(self) -> str:
        return states.PipelineState.Name(self.job.state).removeprefix("PIPELINE_STATE_")

    @cached_property
    def tasks(self) -> dict[str, jobs.PipelineTaskDetail]:
        return {task.task_unique_name: task for task in self.job.job_detail.task_details}

    @property
    def states(self) -> dict[str, str]:
        return {path: State.Name(task.state) for path, task in self.tasks.items()}

    def outputs(self, path: str) -> dict[str, Any]:
        return self._metadata(path, "output:")

    def inputs(self, path: str) -> dict[str, Any]:
        return self._metadata(path, "input:")

    def artifact(self, path: str, output: str) -> values.Artifact:
        return self.tasks[path].outputs[output].artifacts[0]

    @property
    def root(self) -> dict[str, Any]:
        return json_format.MessageToDict(self.job.job_detail.outputs)

    @property
    def verdicts(self) -> dict[str, str]:
        """Of the plan, by path: verdict and reason, with the key's field where there is one."""
        assert self.plan is not None
        return {task.task_unique_name: said(task) for task in self.plan.tasks if _is_in_run(task)}

    @property
    def dropped(self) -> dict[str, str]:
        assert self.plan is not None
        return {task.task_unique_name: said(task) for task in self.plan.tasks if not _is_in_run(task)}

    def planned(self, path: str) -> reruns.PlannedTask:
        assert self.plan is not None
        return next(task for task in self.plan.tasks if task.task_unique_name == path and _is_in_run(task))

    def _metadata(self, path: str, prefix: str) -> dict[str, Any]:
        metadata = json_format.MessageToDict(self.tasks[path].execution.metadata)
        return {
            name.removeprefix(prefix): value for name, value in metadata.items() if name.startswith(prefix)
        }


def said(task: Any) -> str:
    """`EXECUTE KEY_CHANGED inputs.parameters.x`."""
    verdict = states.Verdict.Name(task.verdict).removeprefix("VERDICT_")
    reason = states.Reason.Name(task.reason).removeprefix("REASON_")
    return " ".join(word for word in (verdict, reason, task.reason_field) if word)


def _is_in_run(task: reruns.PlannedTask) -> bool:
    return task.verdict != states.VERDICT_DROPPED


class Stage:
    """A project of its own on a server, and a ledger of its own."""

    def __init__(self, server: str, folder: Path, project: str = "") -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        # Polls quickly: runs here take milliseconds.
        self.client = Client(
            server, project=project or f"p-{uuid.uuid4().hex[:8]}", sleep=lambda s: time.sleep(min(s, 0.01))
        )
        self._ended: dict[str, Ended] = {}

    def spec(
        self,
        tasks: Mapping[str, Task],
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Of | Sequence[Of]] | None = None,
        name: str = "semantics",
    ) -> dict[str, Any]:
        return pipeline(str(self.ledger), tasks, inputs, outputs, name)

    def ran(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []

    def until(self, is_so: Callable[[], bool]) -> None:
        """For what a task alone can tell, by a file."""
        deadline = time.monotonic() + _WITHIN_S
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def file(self, run: Ended, task: str, output: str) -> Path:
        """Where an artifact lies."""
        return Path(run.artifact(task, output).uri)

    def submit(
        self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **runtime: Any
    ) -> jobs.PipelineJob:
        return self.client.create(self._create(spec, parameters, **runtime))

    def run(
        self, spec: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, **runtime: Any
    ) -> Ended:
        before = len(self.ran())
        return self.finish(self.submit(spec, parameters, **runtime).name, spec, before)

    def finish(self, name: str, spec: Mapping[str, Any], before: int = 0, plan: Plan | None = None) -> Ended:
        self.client.wait(name, _WITHIN_S)
        job = self.client.get(name)
        ended = Ended(job, spec, sorted(self.ran()[before:]), plan)
        _check_ledger(ended)
        self._ended[name] = ended
        return ended

    def rerun(
        self,
        original: Ended,
        asks: Mapping[str, Ask] | None = None,
        spec: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        is_filled: bool = True,
        **runtime: Any,
    ) -> Ended:
        """As Google's SDK does it: the whole map of parameters or none, and a config for every task."""
        before = len(self.ran())
        plan, name = self.start(original, asks, spec, parameters, is_filled, **runtime)
        ended = self.finish(name, spec or original.spec, before, plan)
        check_refines(plan, ended.job, {name: run.job for name, run in self._ended.items()})
        return ended

    def ask(self, request: reruns.RerunPipelineJobRequest, spec: Mapping[str, Any]) -> Ended:
        """A rerun by Reprise's own call, just as it is said."""
        before = len(self.ran())
        return self.finish(self.client.rerun(request).name, spec, before)

    def start(
        self,
        original: Ended,
        asks: Mapping[str, Ask] | None = None,
        spec: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        is_filled: bool = True,
        **runtime: Any,
    ) -> tuple[Plan, str]:
        """The plan, and the name of the run that was made by it."""
        configs = self.configs(original, asks or {}, is_filled)
        plan = self.plan(original, asks, spec, parameters, is_filled, **runtime)
        request = self._create(spec or original.spec, parameters, **runtime)
        request.pipeline_job.original_pipeline_job_id = original.id
        request.pipeline_job.pipeline_task_rerun_configs.extend(configs)
        request.etag = plan.etag
        return plan, self.client.create(request).name

    def plan(
        self,
        original: Ended,
        asks: Mapping[str, Ask] | None = None,
        spec: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        is_filled: bool = True,
        output_directory: str = "",
        failure_policy: int = 0,
    ) -> Plan:
        request = reruns.RerunPipelineJobRequest(
            name=original.name,
            task_configs=self.configs(original, asks or {}, is_filled),
            output_directory=output_directory,
            failure_policy=failure_policy,
        )
        fill_spec(request.pipeline_spec, spec or original.spec)
        for name, value in (parameters or {}).items():
            request.parameter_values[name].CopyFrom(to_value(name, value))
        return self.client.plan(request)

    def configs(
        self, original: Ended, asks: Mapping[str, Ask], is_filled: bool = True
    ) -> list[jobs.PipelineTaskRerunConfig]:
        """The configs of `asks`, and those that Google's SDK adds for all other tasks of the original."""
        configs = []
        for path, task in original.tasks.items():
            if path in asks or is_filled:
                config = jobs.PipelineTaskRerunConfig(
                    task_id=task.task_id, task_name=path, skip_task=task.state == State.SUCCEEDED
                )
                if path in asks:
                    _fill(config, asks[path])
                configs.append(config)
        for path in asks.keys() - original.tasks.keys():
            configs.append(jobs.PipelineTaskRerunConfig(task_name=path))
            _fill(configs[-1], asks[path])
        return configs

    def _create(
        self,
        spec: Mapping[str, Any],
        parameters: Mapping[str, Any] | None,
        output_directory: str = "",
        failure_policy: int = 0,
    ) -> service.CreatePipelineJobRequest:
        request = service.CreatePipelineJobRequest()
        fill_spec(request.pipeline_job.pipeline_spec, spec)
        runtime = request.pipeline_job.runtime_config
        for name, value in (parameters or {}).items():
            runtime.parameter_values[name].CopyFrom(to_value(name, value))
        runtime.gcs_output_directory = output_directory
        runtime.failure_policy = failure_policy
        return request


def _fill(config: jobs.PipelineTaskRerunConfig, ask: Ask) -> None:
    config.skip_task = ask.skip
    config.skip_downstream_tasks = ask.downstream
    config.dropped_override_inputs.extend(ask.drop)
    if ask.inputs is not None or ask.artifacts is not None:
        config.inputs.SetInParent()
        for name, value in (ask.inputs or {}).items():
            config.inputs.parameter_values[name].CopyFrom(to_value(name, value))
        for name, uri in (ask.artifacts or {}).items():
            config.inputs.artifacts[name].artifacts.add(uri=uri)


def _check_ledger(ended: Ended) -> None:
    """What the tasks wrote down themselves is as much as the run says was started."""
    attempts = sum(task.attempts for task in ended.tasks.values())
    assert len(ended.ran) == attempts, (ended.ran, ended.states, _errors(ended))


def _errors(ended: Ended) -> dict[str, str]:
    return {path: task.error.message for path, task in ended.tasks.items() if task.error.message}
