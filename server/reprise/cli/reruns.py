"""Planning and making reruns: what is asked of single tasks, as configs on the original's tasks.

Invariant: one config for each task that is named, whatever the number of options that name it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format

from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output
from reprise.cli.runs import follow, given_parameters, labels, output_directory
from reprise.cli.session import UsageError, connected
from reprise.cli.views import plan_json, show_counts, show_planned, show_warnings
from reprise.client.client import Client
from reprise.client.drawing import to_dot, to_mermaid
from reprise.client.parameters import parse_assignment, parse_value
from reprise.client.pipeline_file import PipelineFile, load_pipeline, parameter_types
from reprise.client.plan import leaves_of
from reprise.client.requests import FAILURE_POLICIES, artifact_input, fill_spec, to_value, with_caching
from reprise.client.tasks import (
    AmbiguousTaskError,
    TaskNameError,
    find_task,
    input_artifacts,
    input_types,
    path_of,
)
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import rerun_pb2 as reruns

_Config = jobs.PipelineTaskRerunConfig


@connected
def rerun(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    if arguments.plan or arguments.dot or arguments.mermaid:
        return _show_plan(client, output, arguments)
    return follow(client, output, arguments, client.rerun(_request(client, arguments)))


@connected
def plan(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    return _show_plan(client, output, arguments)


def _show_plan(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    request = _request(client, arguments)
    if not (arguments.dot or arguments.mermaid or output.is_json):
        return _show_pieces(client, output, request)
    made = client.plan(request)
    if arguments.dot:
        output.line(to_dot(made))
    elif arguments.mermaid:
        output.line(to_mermaid(made))
    else:
        output.json(plan_json(made))
    return ExitCode.SUCCEEDED


def _show_pieces(client: Client, output: Output, request: reruns.RerunPipelineJobRequest) -> int:
    """The counts at once, then the tasks as they come: a large plan is not waited for."""
    pieces = client.plan_pieces(request)
    head = next(pieces)
    show_counts(output, head.counts)
    output.line()
    for piece in pieces:
        show_planned(output, leaves_of(piece.tasks))
    show_warnings(output, head.warnings)
    output.line(f"etag: {head.etag}")
    return ExitCode.SUCCEEDED


def _request(client: Client, arguments: argparse.Namespace) -> reruns.RerunPipelineJobRequest:
    request = reruns.RerunPipelineJobRequest(
        name=client.run_name(arguments.run),
        pipeline_job_id=arguments.name,
        display_name=arguments.display_name,
        labels=labels(arguments),
        output_directory=output_directory(arguments),
        etag=arguments.etag,
    )
    if arguments.failure_policy:
        request.failure_policy = FAILURE_POLICIES[arguments.failure_policy]
    changed = load_pipeline(arguments.file) if arguments.file else None
    if changed is not None:
        fill_spec(request.pipeline_spec, changed.spec)
        if changed.platform_spec:
            fill_spec(request.platform_spec, changed.platform_spec)
    # Types and tasks are the original's: fetched only where something on the command line needs them.
    is_task_named = any(
        (arguments.execute, arguments.skip, arguments.skip_downstream, arguments.input, arguments.drop_input)
    )
    if is_task_named or arguments.param or arguments.no_cache:
        original = client.get(arguments.run, ("job_detail", "pipeline_spec"))
        spec = changed.spec if changed is not None else json_format.MessageToDict(original.pipeline_spec)
        request.task_configs.extend(
            _Configs(original.job_detail.task_details, spec, changed).build(arguments)
        )
        types = parameter_types(spec)
        if arguments.no_cache:
            # What the switch says is in no key: nothing is changed by it.
            fill_spec(request.pipeline_spec, with_caching(spec, False))
    else:
        types = {}
    for name, value in given_parameters(arguments, types).items():
        request.parameter_values[name].CopyFrom(to_value(name, value))
    return request


class _Configs:
    """Collects what is asked of each task."""

    def __init__(
        self,
        tasks: Sequence[jobs.PipelineTaskDetail],
        spec: Mapping[str, Any],
        changed: PipelineFile | None,
    ) -> None:
        self._tasks = tasks
        self._spec = spec
        self._changed = changed
        self._configs: dict[str, _Config] = {}

    def build(self, arguments: argparse.Namespace) -> list[_Config]:
        for text in arguments.execute:
            # Present and empty: runs again even what was itself answered by an earlier run.
            self._config(text).inputs.SetInParent()
        for text in arguments.input:
            self._add_input(text)
        for text in arguments.drop_input:
            task, name = _split_input(text)
            self._config(task).dropped_override_inputs.append(name)
        for text in arguments.skip:
            config = self._config(text)
            if config.HasField("inputs"):
                raise UsageError(f"{text}: cannot both be skipped and be run")
            config.skip_task = True
        for text in arguments.skip_downstream:
            config = self._config(text)
            config.skip_downstream_tasks = True
            config.skip_task = not config.HasField("inputs")
        return list(self._configs.values())

    def _add_input(self, text: str) -> None:
        place, value = parse_assignment(text)
        task, name = _split_input(place)
        config = self._config(task)
        if name in input_artifacts(self._spec, config.task_name):
            config.inputs.artifacts[name].CopyFrom(artifact_input(value))
        else:
            declared = input_types(self._spec, config.task_name).get(name, "")
            config.inputs.parameter_values[name].CopyFrom(
                to_value(place, parse_value(place, value, declared))
            )

    def _config(self, text: str) -> _Config:
        try:
            found = find_task(self._tasks, text)
            config = _Config(task_id=found.task_id, task_name=path_of(found))
        except AmbiguousTaskError:
            raise
        except TaskNameError:
            if self._changed is None:
                raise
            config = _Config(task_name=text)  # a task of the new pipeline alone: the server knows it by name
        return self._configs.setdefault(config.task_name, config)


def _split_input(text: str) -> tuple[str, str]:
    task, dot, name = text.rpartition(".")
    if not dot or not task or not name:
        raise UsageError(f"expected TASK.NAME, got {text!r}")
    return task, name
