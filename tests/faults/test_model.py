"""Any sequence of calls, ends of tasks and restarts does what a plain model says (I-5, I-7, I-12, I-13, I-14, I-16)."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from reprise.client import AlreadyExistsError, Client, FailedPreconditionError, NotFoundError
from reprise.pb.v1 import operations_pb2 as messages
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

from . import workload
from .conftest import Scale
from .scripted import ScriptedHost, server_on

_WITHIN_S = 30.0
_TASKS = {"a": (), "b": ("a",)}
_Outcome = messages.OperationTarget


@dataclass
class ModelRun:
    """What the model knows of a run: two tasks, one after the other."""

    job_id: str
    run_id: int
    done: list[str] = field(default_factory=list)  # succeeded here or in an original
    state: str = "RUNNING"

    @property
    def is_active(self) -> bool:
        return self.state == "RUNNING"

    @property
    def running(self) -> str:
        return next(task for task in _TASKS if task not in self.done)


class Service(RuleBasedStateMachine):
    """Each rule leaves the server at rest, so that what the model says is all that may be seen."""

    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="reprise-model-"))
        self.host = ScriptedHost()
        self.life = ExitStack()
        self.model: dict[str, ModelRun] = {}
        self.requests: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self.count = 0

    @initialize()
    def start(self) -> None:
        self.client: Client = self.life.enter_context(server_on(self.host, self.folder / "data"))

    @rule()
    def restart(self) -> None:
        self.life.close()
        self.start()

    @rule(target=runs)
    def create(self) -> str:
        self.count += 1
        job_id = f"run-{self.count}"
        request = workload.create_request(self.client.parent, job_id, workload.commands(_TASKS))
        self.requests[job_id] = request
        run = self.model[job_id] = ModelRun(job_id, workload.run_id_of(self.client.create(request)))
        self._settle(run)
        return job_id

    @rule(job_id=runs, with_id=st.booleans())
    def create_again(self, job_id: str, with_id: bool) -> None:
        request = type(self.requests[job_id])()
        request.CopyFrom(self.requests[job_id])
        if not with_id:
            request.request_id = ""
        make = self.client.rerun if job_id.startswith("rerun") else self.client.create
        is_there = job_id in self.model
        if with_id and is_there:
            assert make(request).name == self.client.run_name(job_id)
        elif with_id:
            with pytest.raises(FailedPreconditionError, match="deleted"):
                make(request)
        elif is_there:
            with pytest.raises((AlreadyExistsError, NotFoundError)) as refused:
                make(request)
            if isinstance(refused.value, AlreadyExistsError):
                assert refused.value.metadata["same_request"] == "true"

    @rule(job_id=runs, exit_code=st.sampled_from((0, 0, 1)))
    def end_task(self, job_id: str, exit_code: int) -> None:
        run = self.model.get(job_id)
        if run is None or not run.is_active:
            return
        task = run.running
        self.host.end(run.run_id, task, exit_code)
        if exit_code:
            run.state = "FAILED"
        else:
            run.done.append(task)
            if len(run.done) == len(_TASKS):
                run.state = "SUCCEEDED"
        self._settle(run)

    @rule(job_id=runs)
    def cancel(self, job_id: str) -> None:
        run = self.model.get(job_id)
        if run is None:
            with pytest.raises(NotFoundError):
                self.client.cancel(job_id)
            return
        self.client.cancel(job_id)
        self._cancelled(run)

    @rule(chosen=st.lists(runs, min_size=1, max_size=4))
    def batch_cancel(self, chosen: list[str]) -> None:
        if any(job_id not in self.model for job_id in chosen):
            with pytest.raises(NotFoundError):
                self.client.batch_cancel(chosen)
            return  # that nothing was cancelled is what the invariant sees
        wanted = {
            job_id: _Outcome.CANCELLED if self.model[job_id].is_active else _Outcome.ALREADY_ENDED
            for job_id in chosen
        }
        operation = self.client.wait_operation(self.client.batch_cancel(chosen).name, _WITHIN_S)
        for job_id in wanted:
            self._cancelled(self.model[job_id])
        metadata = messages.BatchCancelPipelineJobsOperationMetadata()
        assert operation.done and operation.metadata.Unpack(metadata)
        assert {one.name.rpartition("/")[2]: one.outcome for one in metadata.targets} == wanted
        assert len(metadata.targets) == len(wanted)
        self.operations[operation.name] = operation

    @rule(target=runs, original=runs)
    def rerun(self, original: str) -> Any:
        run = self.model.get(original)
        self.count += 1
        job_id = f"rerun-{self.count}"
        request = reruns.RerunPipelineJobRequest(
            name=self.client.run_name(original), pipeline_job_id=job_id, request_id=f"id-{job_id}"
        )
        if run is None or run.is_active:
            with pytest.raises(NotFoundError if run is None else FailedPreconditionError):
                self.client.rerun(request)
            return multiple()
        self.requests[job_id] = request
        run_id = workload.run_id_of(self.client.rerun(request))
        again = self.model[job_id] = ModelRun(job_id, run_id, list(run.done))
        if len(again.done) == len(_TASKS):
            again.state = "SUCCEEDED"
        self._settle(again)
        return job_id

    @rule(job_id=runs)
    def delete(self, job_id: str) -> None:
        run = self.model.get(job_id)
        if run is None or run.is_active:
            with pytest.raises(NotFoundError if run is None else FailedPreconditionError):
                self.client.delete(job_id)
            return
        assert self.client.delete(job_id).done
        del self.model[job_id]

    @rule(chosen=st.lists(runs, min_size=1, max_size=3, unique=True))
    def batch_delete(self, chosen: list[str]) -> None:
        known = [self.model.get(job_id) for job_id in chosen]
        if any(run is None for run in known):
            with pytest.raises(NotFoundError):
                self.client.batch_delete(chosen)
        elif any(run is not None and run.is_active for run in known):
            with pytest.raises(FailedPreconditionError):
                self.client.batch_delete(chosen)
        else:
            assert self.client.batch_delete(chosen).done
            for job_id in chosen:
                del self.model[job_id]

    @rule(job_id=consumes(runs))
    def forget(self, job_id: str) -> None:
        """The others are asked for more often."""

    @invariant()
    def what_is_listed_is_what_there_is(self) -> None:
        if not hasattr(self, "client"):
            return
        listed = [(job.name.rpartition("/")[2], job.state) for job in self.client.list()]
        wanted = {job_id: _state(run.state) for job_id, run in self.model.items()}
        assert len(listed) == len(wanted) and dict(listed) == wanted

    @invariant()
    def operations_that_are_done_say_what_they_said(self) -> None:
        for name, operation in self.operations.items():
            assert self.client.get_operation(name) == operation

    def teardown(self) -> None:
        self.life.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _cancelled(self, run: ModelRun) -> None:
        if run.is_active:
            run.state = "CANCELLED"
        self._settle(run)

    def _settle(self, run: ModelRun) -> None:
        if run.is_active:
            self.host.await_start(run.run_id, run.running)
        else:
            assert self.client.wait(run.job_id, _WITHIN_S).state == _state(run.state)
            tasks = self.client.get(run.job_id).job_detail.task_details
            done = {"SUCCEEDED", "SKIPPED"}
            ended_well = [one.task_name for one in tasks if type(one).State.Name(one.state) in done]
            assert sorted(ended_well) == sorted(run.done)


def _state(name: str) -> int:
    return states.PipelineState.Value(f"PIPELINE_STATE_{name}")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_sequence_of_calls_does_what_the_model_says(scale: Scale) -> None:
    run_state_machine_as_test(
        Service,
        settings=settings(
            max_examples=300 if scale.is_long else 6,
            stateful_step_count=50 if scale.is_long else 20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not scale.is_long,
            database=None,
        ),
    )
