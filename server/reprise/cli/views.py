"""Runs, tasks and plans as tables for people and as JSON for scripts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from reprise.cli.output import Output, format_duration, format_time, shorten
from reprise.client.plan import Plan, reason_name, verdict_name
from reprise.client.tasks import path_of
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

_State = jobs.PipelineTaskDetail.State


def to_json(message: Message) -> Any:
    """The message in protobuf's JSON form: the same as over REST."""
    return json_format.MessageToDict(message)


def run_state(job: jobs.PipelineJob) -> str:
    return states.PipelineState.Name(job.state).removeprefix("PIPELINE_STATE_")


def run_id(job: jobs.PipelineJob) -> str:
    return job.name.rpartition("/")[2]


def task_state(task: jobs.PipelineTaskDetail) -> str:
    return _State.Name(task.state)


def show_run(output: Output, job: jobs.PipelineJob) -> None:
    """The run, then its tasks."""
    facts = [
        ("run", job.name),
        ("name", job.display_name),
        ("state", run_state(job)),
        ("created", format_time(seconds_of(job.create_time))),
        ("took", duration(job.start_time, job.end_time)),
        ("rerun of", job.original_pipeline_job),
        ("error", shorten(job.error.message, 400)),
        *(("warning", warning) for warning in job.warnings),
    ]
    for name, value in facts:
        if value:
            output.line(f"{name:9}{output.state(value) if name == 'state' else value}")
    if job.job_detail.task_details:
        output.line()
        show_tasks(output, job.job_detail.task_details)


def show_tasks(output: Output, tasks: Iterable[jobs.PipelineTaskDetail]) -> None:
    output.table(
        ("ID", "TASK", "STATE", "WHY", "TOOK", "ATTEMPTS", "NOTE"),
        [
            (
                str(task.task_id),
                path_of(task),
                task_state(task),
                why(task),
                duration(task.start_time, task.end_time),
                str(task.attempts) if task.attempts > 1 else "",
                note(task),
            )
            for task in tasks
        ],
    )


def why(task: jobs.PipelineTaskDetail) -> str:
    """The reason of a verdict, with the field of the key that differs."""
    reason = reason_name(task.reason)
    return f"{reason} {task.reason_field}" if task.reason_field else reason


def note(task: jobs.PipelineTaskDetail) -> str:
    """Where a reused outcome is from, that a task was left out, what went wrong, or why the cache was of no use."""
    if task.HasField("reused_from"):
        return f"reused from {task.reused_from.pipeline_job.rpartition('/')[2]}"
    if task.is_left_out:
        return "left out"
    return shorten(task.error.message or task.cache_note, 100)


def show_runs(output: Output, runs: Iterable[jobs.PipelineJob]) -> None:
    rows = [
        (
            run_id(job),
            run_state(job),
            format_time(seconds_of(job.create_time)),
            duration(job.start_time, job.end_time),
            job.display_name,
            job.original_pipeline_job.rpartition("/")[2],
        )
        for job in runs
    ]
    output.table(("RUN", "STATE", "CREATED", "TOOK", "NAME", "RERUN OF"), rows)


def show_plan(output: Output, plan: Plan, indent: str = "") -> None:
    """The counts, then task, verdict, reason, field, caused by: a row for each leaf; then the warnings."""
    show_counts(output, plan.counts, indent)
    output.line()
    show_planned(output, plan.leaves, indent)
    show_warnings(output, plan.warnings, indent)


def show_counts(output: Output, counts: Iterable[reruns.VerdictCount], indent: str = "") -> None:
    """How many tasks have which verdict."""
    summed: dict[str, int] = {}
    for count in counts:
        verdict = verdict_name(count.verdict)
        summed[verdict] = summed.get(verdict, 0) + count.count
    output.line(
        indent + (", ".join(f"{number} {verdict}" for verdict, number in summed.items()) or "no tasks")
    )


def show_planned(output: Output, leaves: Iterable[reruns.PlannedTask], indent: str = "") -> None:
    output.table(
        ("TASK", "VERDICT", "REASON", "FIELD", "CAUSED BY", "REUSED FROM"),
        [
            (
                task.task_unique_name,
                verdict_name(task.verdict),
                reason_name(task.reason),
                task.reason_field,
                task.caused_by,
                task.reused_from.pipeline_job.rpartition("/")[2],
            )
            for task in leaves
        ],
        indent,
    )


def show_warnings(output: Output, warnings: Iterable[str], indent: str = "") -> None:
    for warning in warnings:
        output.line(f"{indent}warning: {warning}")


def plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "etag": plan.etag,
        "pipelineName": plan.pipeline_name,
        "counts": [to_json(count) for count in plan.counts],
        "warnings": list(plan.warnings),
        "tasks": [to_json(task) for task in plan.tasks],
    }


def seconds_of(timestamp: Timestamp) -> float:
    """Since the epoch; 0 for a time that is not set."""
    return timestamp.seconds + timestamp.nanos / 1e9


def duration(start: Timestamp, end: Timestamp) -> str:
    """From start to end, or to now; "" for what has not started."""
    if not start.seconds:
        return ""
    return format_duration((seconds_of(end) if end.seconds else time.time()) - seconds_of(start))
