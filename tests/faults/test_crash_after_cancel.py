"""A server dies between what a cancel did to the tasks of a run and the end of that run."""

from __future__ import annotations

from pathlib import Path

from reprise.executor.contract import Cause
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1.pipeline_job_pb2 import PipelineTaskDetail

from . import workload
from .embedded import until
from .scripted import ScriptedHost, server_on

_Task = PipelineTaskDetail


def test_a_run_whose_tasks_its_cancel_had_ended_before_the_crash_ends_after_it(tmp_path: Path) -> None:
    """`first` ends well although it is asked to stop, so its successor, which the cancel has ended already, is what the
    core launches when it is told again what happened; `second` holds the run open over the crash."""
    host = ScriptedHost(are_obedient=False)
    tasks = {"first": (), "second": (), "later": ("first",)}
    with server_on(host, tmp_path / "data") as client:
        pipeline = workload.commands(tasks)
        run = workload.run_id_of(client.create(workload.create_request(client.parent, "job", pipeline)))
        for task in ("first", "second"):
            host.await_start(run, task)
        client.cancel("job")
        for task in ("first", "second"):
            host.await_asked_to_stop(run, task)
        host.end(run, "first")

        def seen() -> dict[str, int]:
            return {one.task_name: one.state for one in client.get("job").job_detail.task_details}

        until(lambda: seen()["first"] == _Task.SUCCEEDED and seen()["later"] == _Task.CANCELLED)
        assert client.get("job").state == states.PIPELINE_STATE_CANCELLING
    host.end(run, "second", exit_code=1, cause=Cause.CANCELLED)
    with server_on(host, tmp_path / "data") as client:
        job = client.wait("job", 30)
        assert job.state == states.PIPELINE_STATE_CANCELLED
        details = {one.task_name: one.state for one in client.get("job").job_detail.task_details}
        assert details == {"first": _Task.SUCCEEDED, "second": _Task.CANCELLED, "later": _Task.CANCELLED}
    assert sorted(host.begun(run)) == ["first", "second"], "nothing started after the cancel"
