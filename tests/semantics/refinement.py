"""What ran is what the plan said.

REUSE, EXECUTE and SKIP stay what they are, RE_EVALUATE becomes one of its endings.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf import json_format
from reprise.client import Plan
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

Task = jobs.PipelineTaskDetail
_LEAVES = (reruns.PlannedTask.CONTAINER, reruns.PlannedTask.IMPORTER)
_RAN = {Task.SUCCEEDED, Task.FAILED, Task.CANCELLED}


def check_refines(plan: Plan, job: jobs.PipelineJob, runs: Mapping[str, jobs.PipelineJob]) -> None:
    """`runs`: those that outcomes may come from, by name; one that is not there is not looked into."""
    tasks = {task.task_unique_name: task for task in job.job_detail.task_details}
    planned = {task.task_unique_name: task for task in plan.tasks if task.verdict != states.VERDICT_DROPPED}
    # What comes to be at run time gets its id then; all else has the one that the plan shows.
    is_static = not any(task.verdict == states.VERDICT_RE_EVALUATE for task in planned.values())
    for path, each in planned.items():
        assert path in tasks, f"planned, but not in the run: {path}"
        assert not is_static or each.task_id == tasks[path].task_id, path
        if each.kind in _LEAVES:
            _check_leaf(each, tasks[path])
        else:
            _check_dag(each, tasks[path])
    open_dags = {
        tasks[path].task_id for path, each in planned.items() if each.verdict == states.VERDICT_RE_EVALUATE
    }
    for path, task in sorted(tasks.items(), key=lambda item: item[1].task_id):
        if path not in planned and not _makes_anew(task):
            # Only what was not known yet may come in addition.
            assert task.parent_task_id in open_dags, f"not planned: {path}"
            open_dags.add(task.task_id)
        if task.HasField("reused_from"):
            _check_reused(task, runs)
    _check_counts(plan)


def _check_leaf(planned: reruns.PlannedTask, task: Task) -> None:
    told = _told(planned, task)
    match planned.verdict:
        case states.VERDICT_REUSE:
            assert task.state == Task.SKIPPED and not task.is_left_out, told
            assert task.verdict == states.VERDICT_REUSE and task.reason == planned.reason, told
            assert task.reused_from == planned.reused_from, told
        case states.VERDICT_EXECUTE:
            assert not task.HasField("reused_from") or task.reason == states.REASON_CACHE_HIT, told
            if _is_kept_from_it(task):
                return
            if task.state != Task.SKIPPED:
                assert task.state in _RAN, told
                assert task.verdict == states.VERDICT_EXECUTE and task.reason == planned.reason, told
        case states.VERDICT_SKIP:
            if _is_kept_from_it(task):
                return
            assert task.state == Task.SKIPPED and task.is_left_out and not task.outputs, told
            assert task.verdict == states.VERDICT_SKIP and task.reason == planned.reason, told
        case states.VERDICT_NOT_TRIGGERED:
            assert task.state == Task.NOT_TRIGGERED and not task.outputs, told
        case states.VERDICT_RE_EVALUATE:
            assert task.state in {*_RAN, Task.SKIPPED, Task.NOT_TRIGGERED}, told
            assert task.verdict != states.VERDICT_RE_EVALUATE, told
        case _:
            raise AssertionError(f"a leaf without a verdict: {planned}")
    if task.attempts:
        assert task.state in _RAN, told
    if task.state == Task.SKIPPED:
        assert task.is_left_out != task.HasField("reused_from"), told


def _makes_anew(task: Task) -> bool:
    """No plan foresees that an artifact is lost later on."""
    reasons = (states.REASON_ARTIFACT_MISSING, states.REASON_ARTIFACT_CHANGED)
    return "~" in task.task_name and task.reason in reasons


def _is_kept_from_it(task: Task) -> bool:
    """No plan foresees a failure: what comes after one is not triggered, nor is what is inside that."""
    reasons = (states.REASON_UPSTREAM_FAILED, states.REASON_FAIL_FAST)
    return task.state == Task.NOT_TRIGGERED and task.reason in reasons


def _told(planned: reruns.PlannedTask, task: Task) -> str:
    """The two in a line each, for a failure."""
    lines = [
        " ".join(
            (
                each.task_unique_name,
                states.Verdict.Name(each.verdict),
                states.Reason.Name(each.reason),
                each.reason_field,
                str(each.reused_from).replace("\n", " "),
            )
        )
        for each in (planned, task)
    ]
    state = Task.State.Name(task.state)
    return f"planned {lines[0]}; became {lines[1]} {state} {task.error.message}"


def _check_dag(planned: reruns.PlannedTask, task: Task) -> None:
    told = _told(planned, task)
    match planned.verdict:
        case states.VERDICT_REUSE:
            assert task.state == Task.SUCCEEDED, told
        case states.VERDICT_SKIP | states.VERDICT_NOT_TRIGGERED if planned.reason == states.REASON_CHILDREN:
            # It only sums up children of which none had anything to do.
            assert _is_kept_from_it(task) or task.state == Task.SUCCEEDED, told
            assert not task.is_left_out, told
        case states.VERDICT_SKIP:
            assert _is_kept_from_it(task) or (task.state == Task.SKIPPED and task.is_left_out), told
        case states.VERDICT_NOT_TRIGGERED:
            assert task.state == Task.NOT_TRIGGERED, told
        case states.VERDICT_UNSPECIFIED:
            raise AssertionError(f"a DAG without a verdict: {planned}")


def _check_reused(task: Task, runs: Mapping[str, jobs.PipelineJob]) -> None:
    """What is reused is the outcome of the run and the task that really executed."""
    source = task.reused_from
    if source.pipeline_job not in runs:
        return
    made = {each.task_id: each for each in runs[source.pipeline_job].job_detail.task_details}[source.task_id]
    assert made.task_unique_name == source.task_unique_name, (task, made)
    assert made.state == Task.SUCCEEDED and not made.HasField("reused_from"), (task, made)
    assert _outputs(task) == _outputs(made)


def _outputs(task: Task) -> tuple[object, object]:
    metadata = json_format.MessageToDict(task.execution.metadata)
    parameters = {name: value for name, value in metadata.items() if name.startswith("output:")}
    artifacts = {
        name: [(artifact.uri, artifact.etag) for artifact in held.artifacts]
        for name, held in task.outputs.items()
    }
    return parameters, artifacts


def _check_counts(plan: Plan) -> None:
    counted: dict[tuple[int, int], int] = {}
    for task in plan.leaves:
        counted[task.verdict, task.reason] = counted.get((task.verdict, task.reason), 0) + 1
    assert {(count.verdict, count.reason): count.count for count in plan.counts} == counted
