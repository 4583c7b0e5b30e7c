"""What the reruns of a run that succeeded may execute, whatever its pipeline is.

Invariant: a rerun that asks for nothing executes exit tasks alone; one that asks for a task executes that one, exit
tasks, and nothing that the plan has not said may change. Both end as the original did.
"""

from __future__ import annotations

from collections.abc import Iterable

from reprise.client import Client, Plan
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

_WITHIN_S = 120
_MOST_ASKED = 3
_UNASKED = (states.REASON_EXIT_TASK, states.REASON_REIMPORT)


def faults(client: Client, original: jobs.PipelineJob, is_each_asked: bool = False) -> list[str]:
    """What is wrong with the reruns of it; asked for is each task, or else the first, the last and one between."""
    if original.state != states.PIPELINE_STATE_SUCCEEDED:
        return []
    found = _faults(client, original, "")
    leaves = [task.task_unique_name for task in original.job_detail.task_details if task.attempts]
    step = 1 if is_each_asked else max(1, (len(leaves) - 1) // (_MOST_ASKED - 1))
    for path in dict.fromkeys(leaves[::step]):
        found += _faults(client, original, path)
    return found


def _faults(client: Client, original: jobs.PipelineJob, asked: str) -> list[str]:
    request = reruns.RerunPipelineJobRequest(name=original.name)
    if asked:
        request.task_configs.add(task_name=asked).inputs.SetInParent()
    plan = client.plan(request)
    request.etag = plan.etag
    job = client.wait(client.rerun(request).name, _WITHIN_S)
    job = client.get(job.name)
    where = f"rerun with {asked} asked for" if asked else "rerun"
    if job.state != original.state:
        return [f"{where}: ended {states.PipelineState.Name(job.state)}: {job.error.message}"]
    return [
        f"{where}: executed {path}, planned {planned}" for path, planned in _unexpected(plan, job, asked)
    ] + ([f"{where}: did not execute it"] if asked and asked not in _executed(job) else [])


def _executed(job: jobs.PipelineJob) -> list[str]:
    return [task.task_unique_name for task in job.job_detail.task_details if task.attempts]


def _unexpected(plan: Plan, job: jobs.PipelineJob, asked: str) -> Iterable[tuple[str, str]]:
    planned = {task.task_unique_name: task for task in plan.tasks}
    for path in _executed(job):
        task = planned.get(path)
        if path == asked or (task is not None and task.reason in _UNASKED):
            continue
        # An iteration that only this run has, because its list changed, is in no plan.
        if asked and (task is None or task.verdict == states.VERDICT_RE_EVALUATE):
            continue
        verdict = "not at all" if task is None else states.Verdict.Name(task.verdict)
        reason = "" if task is None else states.Reason.Name(task.reason)
        yield path, f"{verdict} {reason}".strip()
