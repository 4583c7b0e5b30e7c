"""What ran is what the plan said: REUSE, EXECUTE and SKIP stay what they are, RE_EVALUATE becomes one of its endings."""

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
    tasks = {task.task_id: task for task in job.job_detail.task_details}
    planned = [task for task in plan.tasks if task.verdict != states.VERDICT_DROPPED]
    for each in planned:
        assert each.task_id in tasks, f"planned, but not in the run: {each}"
        task = tasks[each.task_id]
        assert task.task_unique_name == each.task_unique_name, (each, task)
        if each.kind in _LEAVES:
            _check_leaf(each, task)
        else:
            _check_dag(each, task)
    known = {each.task_id for each in planned}
    open_dags = {each.task_id for each in planned if each.verdict == states.VERDICT_RE_EVALUATE}
    for task in tasks.values():
        if task.task_id not in known:
            # Only what was not known yet may come in addition.
            assert task.parent_task_id in open_dags, f"in the run, but not planned: {task}"
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
            if task.state == Task.NOT_TRIGGERED:
                assert task.reason in (states.REASON_UPSTREAM_FAILED, states.REASON_FAIL_FAST), told
            elif task.state != Task.SKIPPED:
                assert task.state in _RAN, told
                assert task.verdict == states.VERDICT_EXECUTE and task.reason == planned.reason, told
        case states.VERDICT_SKIP:
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
        case states.VERDICT_SKIP:
            # One that only sums up children that were left out has done all that it had to.
            is_sum = planned.reason == states.REASON_CHILDREN
            assert task.state == (Task.SUCCEEDED if is_sum else Task.SKIPPED), told
            assert task.is_left_out != is_sum, told
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
