"""Looking at runs that are large, or that go on: their tasks page by page, their changes as they happen."""

from __future__ import annotations

import argparse
import json

from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output, format_time
from reprise.cli.session import connected, exit_code
from reprise.cli.views import seconds_of, show_tasks, to_json
from reprise.client.client import Client
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import watch_pb2 as watching


@connected
def tasks(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    found = client.tasks(arguments.run, arguments.filter, arguments.limit or None)
    if output.is_json:
        output.json([to_json(task) for task in found])
    else:
        show_tasks(output, found)
    return ExitCode.SUCCEEDED


@connected
def watch(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    """With --json one line for each answer. The exit code is that of `wait`."""
    state: states.PipelineState = states.PIPELINE_STATE_UNSPECIFIED
    for answer in client.changes(arguments.run, arguments.resume):
        state = answer.state
        if output.is_json:
            output.line(json.dumps(to_json(answer), ensure_ascii=False))
            continue
        for change in answer.changes:
            attempt = f" (attempt {change.attempt})" if change.attempt else ""
            where = change.task_unique_name or ("run" if not change.task_id else f"task {change.task_id}")
            at = format_time(seconds_of(change.update_time))
            output.line(f"{at}  {output.state(_state_of(change))}  {where}{attempt}")
    return exit_code(state)


def _state_of(change: watching.StateChange) -> str:
    match change.WhichOneof("to"):
        case "job_state":
            return states.PipelineState.Name(change.job_state).removeprefix("PIPELINE_STATE_")
        case "task_state":
            return jobs.PipelineTaskDetail.State.Name(change.task_state)
        case _:
            return watching.StateChange.AttemptState.Name(change.attempt_state)
