"""A caller that creates, cancels, reruns, deletes and looks, at random, until the server is gone.

Invariant: several callers work at once, so an answer is compared only with what was known before its call was made, and
a run that is not there is no fault where somebody had asked for its deletion before the answer came.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable

from reprise.client import Client
from reprise.client.errors import CallError, FailedPreconditionError, NotFoundError, UnavailableError
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from reprise.pb.v1.pipeline_job_pb2 import PipelineJob

from . import workload
from .lives import processes_with
from .told import Asked, Told

ENDED = (states.PIPELINE_STATE_SUCCEEDED, states.PIPELINE_STATE_FAILED, states.PIPELINE_STATE_CANCELLED)
AFTER_CANCEL = (states.PIPELINE_STATE_CANCELLING, *ENDED)
_numbers = itertools.count(1)


class Gone(Exception):
    """The server does not answer."""


class Caller:
    """Notes in `told` what it asks and what it is told. One thread uses it."""

    def __init__(self, address: str, told: Told, seed: int, most_active: int) -> None:
        self.client = Client(address, outage_s=0.0)
        self._told = told
        self._chance = random.Random(seed)
        self._most_active = most_active

    def go_on(self, is_over: threading.Event) -> None:
        """Do one thing after the other until the server is gone or `is_over`."""
        actions = (
            (self.create, 5),
            (self.ask_again, 3),
            (self.look, 6),
            (self.cancel, 2),
            (self.batch_cancel, 1),
            (self.rerun, 2),
            (self.delete, 1),
            (self.look_at_operation, 2),
        )
        todo = [action for action, weight in actions for _ in range(weight)]
        while not is_over.is_set():
            try:
                self._chance.choice(todo)()
            except (UnavailableError, Gone):
                if not is_over.wait(0.01):
                    continue
            except CallError as error:
                if error.code not in ("CANCELLED", "DEADLINE_EXCEEDED"):
                    self._told.faults.append(f"{type(error).__name__} {error.code}: {error}")
            except AssertionError as error:
                self._told.faults.append(str(error))

    # What can be asked.

    def create(self) -> None:
        with self._told.lock:
            active = [run for run in self._told.runs.values() if not run.ended_as and not run.is_refused]
        if len(active) >= self._most_active:
            return
        job_id = f"run-{next(_numbers)}"
        pipeline = workload.shape(self._chance.choice(workload.SHAPES), self._chance)
        tasks = pipeline["root"]["dag"]["tasks"]
        asked = Asked(
            job_id,
            {name: task.get("dependentTasks", []) for name, task in tasks.items()},
            workload.create_request(self.client.parent, job_id, pipeline),
        )
        self._make(asked)

    def rerun(self) -> None:
        original = self._told.choose(self._chance, lambda run: run.ended_as and not run.is_delete_asked)
        if original is None:
            return
        job_id = f"rerun-{next(_numbers)}"
        request = reruns.RerunPipelineJobRequest(
            name=self.client.run_name(original.job_id), pipeline_job_id=job_id, request_id=f"id-{job_id}"
        )
        self._make(Asked(job_id, original.tasks, request, original.job_id))

    def ask_again(self) -> None:
        """What was asked without an answer is asked again in the same words."""
        asked = self._told.choose(self._chance, lambda run: not run.run_id and not run.is_refused)
        if asked is not None:
            self._make(asked)

    def _make(self, asked: Asked) -> None:
        with self._told.lock:
            self._told.runs.setdefault(asked.job_id, asked)
        call: Callable[..., PipelineJob] = self.client.rerun if asked.original else self.client.create
        try:
            job = call(asked.request)
        except (NotFoundError, FailedPreconditionError) as error:
            # Another caller may have asked in the same words, and have been faster, up to the deletion.
            original = self._told.runs.get(asked.original)
            is_original_gone = original is not None and original.is_delete_asked
            assert asked.is_delete_asked or is_original_gone, f"{asked.job_id} was refused: {error}"
            # Only for good if it has not been made before by a call whose answer was lost.
            asked.is_refused = True
            return
        run_id = workload.run_id_of(job)
        with self._told.lock:
            earlier, asked.run_id = asked.run_id, run_id
        assert earlier in (0, run_id), f"{asked.job_id} was made twice: {earlier}, {run_id}"
        seen = self._seen(asked, "name")
        assert seen is None or seen.name == job.name, f"Get after Create does not see {asked.job_id}"

    def _seen(self, asked: Asked, field: str) -> PipelineJob | None:
        """What Get says of a run; None: it is gone, as somebody has asked."""
        try:
            return self.client.get(asked.job_id, (field,))
        except NotFoundError:
            assert asked.is_delete_asked, f"{asked.job_id} is gone"
            return None

    def cancel(self) -> None:
        asked = self._told.choose(self._chance, lambda run: run.run_id and not run.is_delete_asked)
        if asked is None:
            return
        try:
            self.client.cancel(asked.job_id)
        except NotFoundError:
            assert asked.is_delete_asked, f"{asked.job_id} is gone"
            return
        asked.is_cancel_acknowledged = True
        self._check_cancelled(asked)

    def batch_cancel(self) -> None:
        with self._told.lock:
            known = [run for run in self._told.runs.values() if run.run_id and not run.is_delete_asked]
        if len(known) < 3:
            return
        chosen = self._chance.sample(known, 3)
        try:
            operation = self.client.batch_cancel([run.job_id for run in chosen])
        except NotFoundError as error:
            assert any(run.is_delete_asked for run in chosen), str(error)
            return
        with self._told.lock:
            self._told.batches[operation.name] = [run.job_id for run in chosen]
        for run in chosen:
            run.is_cancel_acknowledged = True
            self._check_cancelled(run)

    def _check_cancelled(self, asked: Asked) -> None:
        job = self._seen(asked, "state")
        if job is not None:
            state = states.PipelineState.Name(job.state)
            assert job.state in AFTER_CANCEL, f"{asked.job_id} is {state} after its cancel"

    def delete(self) -> None:
        asked = self._told.choose(self._chance, lambda run: run.ended_as and not run.is_delete_asked)
        if asked is None or self._chance.random() < 0.5:
            return
        asked.is_delete_asked = True
        try:
            self.client.delete(asked.job_id)
        except NotFoundError:
            return
        asked.is_delete_acknowledged = True

    def look(self) -> None:
        """A terminal state is final; CANCELLED is shown only when nothing of the run is alive."""
        asked = self._told.choose(self._chance, lambda run: run.run_id and not run.is_delete_asked)
        if asked is None:
            return
        earlier = asked.ended_as
        job = self._seen(asked, "state")
        if job is None:
            return
        if earlier:
            assert job.state == earlier, f"{asked.job_id} went from {earlier} to {job.state}"
        elif job.state in ENDED:
            asked.ended_as = job.state
            alive = processes_with(b"REPRISE_ATTEMPT=%d." % asked.run_id)
            assert not alive, f"{asked.job_id} has ended and its processes {alive} are alive"

    def look_at_operation(self) -> None:
        with self._told.lock:
            names = list(self._told.batches)
        if not names:
            return
        name = self._chance.choice(names)
        earlier = self._told.done.get(name)
        operation = self.client.get_operation(name)
        assert earlier is None or earlier == operation, f"{name} has changed after it was done"
        if operation.done:
            self._told.done[name] = operation
