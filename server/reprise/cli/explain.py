"""Saying why a task ran again and why the cache did not answer, and looking into the cache."""

from __future__ import annotations

import argparse

from reprise.cli.exit_codes import ExitCode
from reprise.cli.output import Output, format_time, shorten
from reprise.cli.session import UsageError, connected
from reprise.cli.views import seconds_of, to_json
from reprise.client.client import Client
from reprise.client.errors import NotFoundError
from reprise.client.plan import reason_name, verdict_name
from reprise.client.tasks import find_task, path_of
from reprise.pb.v1 import explain_pb2 as messages
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states

_Finding = messages.TaskComparison.Finding
_LONGEST_VALUE = 120


@connected
def explain(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    answer = _explain(client, arguments)
    if output.is_json:
        output.json(to_json(answer))
        return ExitCode.SUCCEEDED
    output.line(answer.summary)
    output.line()
    verdict = " ".join((verdict_name(answer.verdict), reason_name(answer.reason), answer.reason_field))
    for name, value in (
        ("state", jobs.PipelineTaskDetail.State.Name(answer.state)),
        ("verdict", verdict.strip()),
        ("caused by", answer.caused_by),
        ("reused", f"{answer.reused_from.pipeline_job} {answer.reused_from.task_unique_name}".strip()),
    ):
        if value:
            output.line(f"{name:11}{value}")
    if answer.HasField("comparison"):
        _show(output, "compared", answer.comparison)
    if answer.HasField("cache"):
        cache = answer.cache
        name = states.CacheAnswer.Name(cache.answer).removeprefix("CACHE_ANSWER_")
        output.line(
            f"{'cache':11}{name if cache.answer else '-'}" + (f"  {cache.note}" if cache.note else "")
        )
        if cache.HasField("nearest"):
            _show(output, "nearest", cache.nearest)
    return ExitCode.SUCCEEDED


def _explain(client: Client, arguments: argparse.Namespace) -> messages.ExplainTaskResponse:
    try:
        return client.explain(arguments.run, arguments.task, arguments.against)
    except NotFoundError:
        # The end of a path will do, as everywhere; and a typing error is told with what is near to it.
        tasks = client.get(arguments.run, ("job_detail",)).job_detail.task_details
        path = path_of(find_task(tasks, arguments.task))
        if path == arguments.task:
            raise
        return client.explain(arguments.run, path, arguments.against)


def _show(output: Output, name: str, found: messages.TaskComparison) -> None:
    output.line(
        f"{name:11}{_Finding.Name(found.finding)}  {found.pipeline_job} {found.task_unique_name}".rstrip()
    )
    if not found.differences:
        return
    output.table(
        ("FIELD", "OLD", "NEW", "CAUSED BY"),
        [
            (
                each.field,
                shorten(each.old_value, _LONGEST_VALUE) or "-",
                shorten(each.new_value, _LONGEST_VALUE) or "-",
                each.caused_by,
            )
            for each in found.differences
        ],
        indent="  ",
    )


@connected
def list_cache(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    limit = arguments.limit or None
    entries = client.cache_entries(arguments.pipeline, arguments.task, arguments.older_than, limit)
    if output.is_json:
        output.json([to_json(entry) for entry in entries])
        return ExitCode.SUCCEEDED
    output.table(
        ("PIPELINE", "TASK", "KEY", "KEPT", "RUN", "NOTE"),
        [
            (
                entry.pipeline_name,
                entry.task,
                entry.key[:12],
                format_time(seconds_of(entry.create_time)),
                entry.source.pipeline_job.rpartition("/")[2],
                "expired" if entry.is_expired else "",
            )
            for entry in entries
        ],
    )
    return ExitCode.SUCCEEDED


@connected
def drop_cache(client: Client, output: Output, arguments: argparse.Namespace) -> int:
    if bool(arguments.pipeline) == arguments.all:
        raise UsageError("give either --pipeline NAME or --all")
    dropped = client.drop_cache(
        arguments.pipeline, arguments.task, arguments.older_than, is_all=arguments.all
    )
    if output.is_json:
        output.json({"droppedCount": dropped})
    else:
        output.line(f"{dropped} outcomes dropped")
    return ExitCode.SUCCEEDED
