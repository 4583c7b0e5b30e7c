"""Making, showing, waiting for, cancelling and deleting runs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output
from reprise.cli.progress import wait_showing
from reprise.cli.session import UsageError, connected, exit_code
from reprise.cli.views import run_id, run_state, show_run, show_runs, to_json
from reprise.client.client import ENDED, Client
from reprise.client.parameters import ParameterError, check_value, parse_assignment, parse_parameters
from reprise.client.pipeline_file import load_pipeline
from reprise.client.requests import create_request
from reprise.client.tasks import TaskNameError, find_task
from reprise.pb.v1 import pipeline_job_pb2 as jobs

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SHOWN = ("name", "display_name", "state", "error", "create_time", "start_time", "end_time", "update_time")
_RUN_FIELDS = (*_SHOWN, "labels", "runtime_config", "job_detail", "warnings", "original_pipeline_job")


@connected
def submit(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    pipeline = load_pipeline(arguments.file)
    request = create_request(
        pipeline,
        given_parameters(arguments, pipeline.parameter_types),
        run_id=arguments.name,
        display_name=arguments.display_name,
        labels=labels(arguments),
        output_directory=output_directory(arguments),
        failure_policy=arguments.failure_policy,
        is_cached=False if arguments.no_cache else None,
    )
    return follow(client, output, arguments, client.create(request))


def follow(client: Client, output: Output, arguments: argparse.Namespace, job: jobs.PipelineJob) -> int:
    """After a run was made: say so and, where that was asked for, wait for its end."""
    for warning in job.warnings:
        output.say(f"warning: {warning}")
    if not arguments.wait:
        if output.is_json:
            output.json(to_json(_without_spec(job)))
        else:
            output.line(run_id(job))
        return ExitCode.SUCCEEDED
    output.say(f"run {run_id(job)}")
    wait_showing(client, output, job.name, arguments.timeout)
    return _show_end(client, output, job.name)


@connected
def get(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    is_spec_wanted = output.is_json and arguments.spec
    job = client.get(arguments.run, () if is_spec_wanted else _RUN_FIELDS)
    if output.is_json:
        output.json(to_json(job))
    else:
        show_run(output, job)
    return ExitCode.SUCCEEDED


@connected
def list_runs(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    runs = client.list(
        arguments.filter,
        arguments.order_by,
        arguments.limit or None,
        (*_SHOWN, "labels", "original_pipeline_job"),
    )
    if output.is_json:
        output.json([to_json(job) for job in runs])
    else:
        show_runs(output, runs)
    return ExitCode.SUCCEEDED


@connected
def wait(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    wait_showing(client, output, arguments.run, arguments.timeout)
    return _show_end(client, output, arguments.run)


@connected
def logs(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    task = arguments.task
    if arguments.follow:
        task = _when_started(client, arguments.run, task)
    elif not task.isdecimal():
        job = client.get(arguments.run, ("job_detail",))
        task = str(find_task(job.job_detail.task_details, task).task_id)
    text = bytearray()
    for piece in client.logs(arguments.run, task, arguments.attempt, follow=arguments.follow):
        if output.is_json:
            text += piece.data
        else:
            sys.stdout.buffer.write(piece.data)
            sys.stdout.buffer.flush()
    if output.is_json:
        output.json({"log": text.decode(errors="replace")})
    return ExitCode.SUCCEEDED


def _when_started(client: Client, run: str, text: str) -> str:
    """The id of the task, once it has started or never will; a loop makes tasks while the run goes on."""
    for job in client.watch(run):
        tasks = job.job_detail.task_details
        by_id = [task for task in tasks if text.isdecimal() and task.task_id == int(text)]
        try:
            task = by_id[0] if by_id else find_task(tasks, text)
        except TaskNameError:
            if job.state in ENDED:
                raise
            continue
        if task.state != task.PENDING:
            break
    return str(task.task_id)


@connected
def cancel(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    if len(arguments.runs) == 1:
        client.cancel(arguments.runs[0])
    else:
        client.batch_cancel(arguments.runs)
    if arguments.wait:
        for run in arguments.runs:
            wait_showing(client, output, run, arguments.timeout)
    ended = [client.get(run, _SHOWN) for run in arguments.runs]
    if output.is_json:
        output.json([to_json(job) for job in ended])
    else:
        output.table(("RUN", "STATE"), [(run_id(job), run_state(job)) for job in ended])
    return ExitCode.SUCCEEDED


@connected
def delete(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    runs = arguments.runs
    operation = client.delete(runs[0]) if len(runs) == 1 else client.batch_delete(runs)
    operation = operation if operation.done else client.wait_operation(operation.name, 60.0)
    if operation.HasField("error"):
        output.say(f"reprise: {operation.error.message}")
        return ExitCode.REFUSED
    if output.is_json:
        output.json({"operation": operation.name, "deleted": runs})
    else:
        output.line(f"deleted {', '.join(runs)}")
    return ExitCode.SUCCEEDED


def _show_end(client: Client, output: Output, run: str) -> int:
    job = client.get(run, _RUN_FIELDS)
    if output.is_json:
        output.json(to_json(job))
    else:
        show_run(output, job)
    return exit_code(job.state)


def _without_spec(job: jobs.PipelineJob) -> jobs.PipelineJob:
    shown = jobs.PipelineJob()
    shown.CopyFrom(job)
    shown.ClearField("pipeline_spec")
    return shown


def given_parameters(arguments: argparse.Namespace, types: Mapping[str, str]) -> dict[str, Any]:
    """The run parameters of --params-file, with those of --param over them."""
    given: dict[str, Any] = {}
    if arguments.params_file:
        try:
            document = yaml.safe_load(Path(arguments.params_file).read_text(encoding="utf-8")) or {}
        except yaml.YAMLError as error:
            raise UsageError(f"{arguments.params_file}: {error}") from None
        if not isinstance(document, dict) or not all(isinstance(name, str) for name in document):
            raise UsageError(f"{arguments.params_file}: expected a mapping of parameter names to values")
        given = {name: check_value(name, value) for name, value in document.items()}
    return given | parse_parameters(arguments.param, types)


def labels(arguments: argparse.Namespace) -> dict[str, str]:
    try:
        return dict(parse_assignment(text) for text in arguments.label)
    except ParameterError as error:
        raise UsageError(f"--label: {error}") from None


def output_directory(arguments: argparse.Namespace) -> str:
    """A folder is made absolute here: the server has another working directory."""
    directory: str = arguments.output_dir
    return directory if not directory or _SCHEME.match(directory) else str(Path(directory).absolute())
