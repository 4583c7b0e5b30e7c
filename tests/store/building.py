"""Short ways to make the values that a store takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reprise.domain.names import Parent, RunName
from reprise.domain.run import (
    AttemptRow,
    ClaimedRun,
    Failure,
    Finish,
    NewRun,
    Progress,
    ProgressResult,
    Run,
    TaskRow,
)
from reprise.domain.states import AttemptState, RunState, TaskState
from reprise.store.contract import Store

PARENT = Parent("acme", "here")
SECOND = 1_000_000_000
T0 = 1_800_000_000 * SECOND
CANCELLED = Failure(1, "cancelled")


def name_of(job_id: str, parent: Parent = PARENT) -> RunName:
    return RunName(parent, job_id)


def new_run(job_id: str, parent: Parent = PARENT, **values: Any) -> NewRun:
    given: dict[str, Any] = {
        "display_name": f"display {job_id}",
        "pipeline_name": "pipeline",
        "labels": {},
        "header_wire": b"header of " + job_id.encode(),
        "spec": b"spec",
        "request": b"request of " + job_id.encode(),
        "created_ns": T0,
    }
    return NewRun(name=name_of(job_id, parent), **{**given, **values})


def task(task_id: int, state: TaskState, record: bytes = b"record") -> TaskRow:
    return TaskRow(task_id, f"task-{task_id}", state, record)


def attempt(
    task_id: int, number: int = 1, state: AttemptState = AttemptState.STARTING, **values: Any
) -> AttemptRow:
    given: dict[str, Any] = {"executor": "subprocess", "handle": b"", "started_ns": T0}
    return AttemptRow(task_id=task_id, number=number, state=state, **{**given, **values})


class Owner:
    """A scheduler that has claimed one run."""

    def __init__(self, store: Store, claimed: ClaimedRun) -> None:
        self.store = store
        self.run = claimed.run
        self.claimed = claimed

    def write(self, now_ns: int = T0 + SECOND, **values: Any) -> ProgressResult:
        return self.store.record_progress(Progress(self.run.id, self.run.fence, now_ns, **values))

    def begin(self, *task_ids: int) -> ProgressResult:
        """RUNNING, with an attempt of each task."""
        return self.write(
            state=RunState.RUNNING,
            tasks=[task(task_id, TaskState.PENDING) for task_id in task_ids],
            starting=[task(task_id, TaskState.RUNNING) for task_id in task_ids],
            starts=[attempt(task_id) for task_id in task_ids],
        )

    def end_tasks(
        self, *task_ids: int, state: TaskState = TaskState.SUCCEEDED, outcome: AttemptState | None = None
    ) -> ProgressResult:
        ends = {TaskState.SUCCEEDED: AttemptState.SUCCEEDED, TaskState.CANCELLED: AttemptState.CANCELLED}
        end = outcome or ends.get(state, AttemptState.FAILED)
        return self.write(
            tasks=[task(task_id, state, b"ended") for task_id in task_ids],
            attempts=[attempt(task_id, state=end, ended_ns=T0 + SECOND) for task_id in task_ids],
        )

    def finish(
        self,
        state: RunState = RunState.SUCCEEDED,
        records: bytes = b"records",
        error: Failure | None = None,
        now_ns: int = T0 + 2 * SECOND,
    ) -> ProgressResult:
        return self.write(now_ns=now_ns, finish=Finish(state, error, records, b"details"))


def claim(store: Store, job_id: str, owner: str = "server", now_ns: int = T0) -> Owner:
    """Own this run; what else is claimed with it is let go."""
    wanted = None
    for claimed in store.claim_runs(owner, 1000, now_ns, 60.0):
        if claimed.run.name.job_id == job_id:
            wanted = claimed
        else:
            store.release_run(claimed.run.id, claimed.run.fence)
    assert wanted is not None
    return Owner(store, wanted)


def ended_run(store: Store, job_id: str, state: RunState = RunState.SUCCEEDED, **values: Any) -> Run:
    run, _ = store.create_run(new_run(job_id, **values))
    owner = claim(store, job_id)
    owner.begin()
    if state is RunState.CANCELLED:
        store.request_cancel(run.name, T0)
    owner.finish(state, records=b"records of " + job_id.encode())
    return store.get_run(run.name)


def original_spec(store: Store, job_id: str) -> bytes:
    """What is kept of a rerun's original, to explain the one by the other."""
    digest = store.get_recorded(name_of(job_id)).original_spec_digest
    assert digest is not None
    return store.get_spec(digest)


def job_ids(runs: Sequence[Run]) -> list[str]:
    return [run.name.job_id for run in runs]
