"""What only Reprise has, by a Python client generated from its own protos. Reprise itself is not imported.

Run by published.py with a folder of generated modules: FOLDER ADDRESS STEPS_JSON LEDGER. Ends with the line `all good`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format, struct_pb2

generated, address, steps, ledger = sys.argv[1:]
sys.path.insert(0, generated)

from reprise.v1 import (  # noqa: E402  (generated, in the folder that was named)
    explain_pb2,
    pipeline_job_pb2,
    pipeline_service_pb2,
    pipeline_service_pb2_grpc,
    pipeline_state_pb2,
    rerun_pb2,
    watch_pb2,
)

PARENT = "projects/own-python/locations/here"
State = pipeline_job_pb2.PipelineTaskDetail.State
Verdict = pipeline_state_pb2.Verdict


def main() -> None:
    with grpc.insecure_channel(address) as channel:
        stub = pipeline_service_pb2_grpc.PipelineServiceStub(channel)
        spec = json_format.ParseDict(json.loads(Path(steps).read_text()), struct_pb2.Struct())
        job = pipeline_job_pb2.PipelineJob(pipeline_spec=spec)
        job.runtime_config.parameter_values["ledger"].string_value = ledger
        created = stub.CreatePipelineJob(
            pipeline_service_pb2.CreatePipelineJobRequest(parent=PARENT, pipeline_job=job)
        )
        print("ok submit")
        watch(stub, created.name)
        tasks(stub, created.name)
        log(stub, created.name)
        explain(stub, created.name, rerun(stub, created.name))
    print("all good")


def watch(stub: pipeline_service_pb2_grpc.PipelineServiceStub, name: str) -> None:
    answers = list(stub.WatchPipelineJob(watch_pb2.WatchPipelineJobRequest(name=name), timeout=180))
    changes = [change for answer in answers for change in answer.changes]
    assert [change.sequence for change in changes] == list(range(1, len(changes) + 1))
    assert answers[-1].is_last and answers[-1].state == pipeline_state_pb2.PIPELINE_STATE_FAILED
    resumed = watch_pb2.WatchPipelineJobRequest(name=name, resume_token=answers[0].resume_token)
    told = answers[0].changes[-1].sequence
    again = [change for answer in stub.WatchPipelineJob(resumed, timeout=180) for change in answer.changes]
    assert again == changes[told:]
    print("ok watch")


def tasks(stub: pipeline_service_pb2_grpc.PipelineServiceStub, name: str) -> None:
    request = watch_pb2.ListPipelineTasksRequest(parent=name, page_size=3)
    found = []
    while True:
        page = stub.ListPipelineTasks(request)
        found += page.tasks
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    whole = stub.GetPipelineJob(pipeline_service_pb2.GetPipelineJobRequest(name=name))
    assert found == list(whole.job_detail.task_details) and len(found) == 4
    some = stub.ListPipelineTasks(
        watch_pb2.ListPipelineTasksRequest(
            parent=name, filter="state=FAILED", read_mask={"paths": ["task_name"]}
        )
    )
    assert [task.task_name for task in some.tasks] == ["check"]
    print("ok tasks by page")


def log(stub: pipeline_service_pb2_grpc.PipelineServiceStub, name: str) -> None:
    request = rerun_pb2.GetTaskLogRequest(name=name, task="check", follow=True)
    pieces = list(stub.GetTaskLog(request, timeout=180))
    text = b"".join(piece.data for piece in pieces)
    assert b"is over the limit" in text and pieces[-1].is_complete
    paged, request.follow, request.limit = b"", False, 10
    while True:
        page = list(stub.GetTaskLog(request, timeout=180))
        data = b"".join(piece.data for piece in page)
        assert len(data) <= 10
        paged, request.offset = paged + data, request.offset + len(data)
        if page[-1].is_complete:
            break
    assert paged == text
    print("ok log")


def rerun(stub: pipeline_service_pb2_grpc.PipelineServiceStub, name: str) -> str:
    """The name of the new run."""
    request = rerun_pb2.RerunPipelineJobRequest(name=name)
    request.parameter_values["limit"].number_value = 25
    plan = stub.PlanRerun(rerun_pb2.PlanRerunRequest(rerun=request))
    verdicts = {task.task_unique_name: Verdict.Name(task.verdict) for task in plan.tasks}
    assert verdicts["multiply"] == "VERDICT_REUSE" and verdicts["check"] == "VERDICT_EXECUTE", verdicts
    request.etag = plan.etag
    job = stub.RerunPipelineJob(request)
    assert job.original_pipeline_job == name
    *_, last = stub.WatchPipelineJob(watch_pb2.WatchPipelineJobRequest(name=job.name), timeout=180)
    assert last.state == pipeline_state_pb2.PIPELINE_STATE_SUCCEEDED
    request.etag = "of no plan"
    try:
        stub.RerunPipelineJob(request)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.ABORTED
    else:
        raise AssertionError("expected ABORTED")
    print("ok plan and rerun")
    return str(job.name)


def explain(stub: pipeline_service_pb2_grpc.PipelineServiceStub, original: str, name: str) -> None:
    Comparison = explain_pb2.TaskComparison  # noqa: N806  (a type)
    checked = stub.ExplainTask(explain_pb2.ExplainTaskRequest(name=name, task="check"))
    assert Verdict.Name(checked.verdict) == "VERDICT_EXECUTE" and checked.summary, checked
    assert checked.comparison.pipeline_job == original
    assert checked.comparison.finding == Comparison.DIFFERENT
    [difference] = checked.comparison.differences
    assert difference.field == "inputs.parameters.limit", difference
    assert (difference.old_value, difference.new_value) == ("10", "25"), difference
    reused = stub.ExplainTask(explain_pb2.ExplainTaskRequest(name=name, task="multiply"))
    assert reused.reused_from.pipeline_job == original, reused
    assert reused.comparison.finding == Comparison.EQUAL
    try:
        stub.ExplainTask(explain_pb2.ExplainTaskRequest(name=name, task="none"))
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
    else:
        raise AssertionError("expected NOT_FOUND")
    print("ok explain")


main()
