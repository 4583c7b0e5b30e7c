"""A service that keeps runs and commands in memory: enough to see what the edge makes of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reprise.domain import errors
from reprise.domain.commands import CreateRun
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.run import (
    ChangeSlice,
    ListQuery,
    Operation,
    OperationKind,
    OperationTarget,
    Party,
    Run,
    RunDetails,
    RunPage,
    TaskSlice,
)
from reprise.domain.states import RunState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import in_parts
from reprise.recent_plans import PlanView

NOW_NS = 1_700_000_000_123_456_789
PARENT = Parent("p", "l")


def make_run(job_id: str = "r1", run_id: int = 7, **changes: object) -> Run:
    values: dict[str, object] = {
        "id": run_id,
        "name": RunName(PARENT, job_id),
        "display_name": "a run",
        "state": RunState.RUNNING,
        "pipeline_name": "hello",
        "labels": {"team": "a"},
        "header_wire": b"",
        "spec_digest": b"",
        "created_ns": NOW_NS,
        "updated_ns": NOW_NS,
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]


@dataclass(frozen=True)
class TaskLog:
    path: Path
    attempt: int
    is_complete: bool


@dataclass
class ServiceDouble:
    runs: dict[RunName, RunDetails] = field(default_factory=dict)
    commands: list[CreateRun] = field(default_factory=list)
    queries: list[ListQuery] = field(default_factory=list)
    operations: dict[int, Operation] = field(default_factory=dict)
    failure: Exception | None = None
    planned: engine.PlanResult = field(default_factory=engine.PlanResult)
    log: TaskLog | None = None

    def _look_out(self) -> None:
        if self.failure is not None:
            raise self.failure

    def put(self, details: RunDetails) -> None:
        self.runs[details.run.name] = details

    def create(self, command: CreateRun) -> Run:
        self._look_out()
        self.commands.append(command)
        run = make_run(
            command.job_id or "made",
            header_wire=command.preserved_wire,
            labels=command.labels,
            display_name=command.display_name,
            state=RunState.PENDING,
            warnings=command.warnings,
        )
        self.put(RunDetails(run, command.spec))
        return run

    def plan(self, command: CreateRun) -> PlanView:
        self._look_out()
        self.commands.append(command)
        return PlanView("etag1", in_parts(self.planned))

    def plan_again(self, command: CreateRun, etag: str) -> PlanView:
        view = self.plan(command)
        if view.etag != etag:
            raise errors.Aborted()
        return view

    def get(self, name: RunName) -> RunDetails:
        self._look_out()
        if name not in self.runs:
            raise errors.NotFound(metadata={"name": str(name)})
        return self.runs[name]

    def get_run(self, name: RunName) -> Run:
        return self.get(name).run

    def tasks(self, name: RunName, after_task_id: int, limit: int) -> TaskSlice:
        return TaskSlice(self.get(name).run)

    def changes(self, name: RunName, after_sequence: int, limit: int) -> ChangeSlice:
        return ChangeSlice(self.get(name).run, (), after_sequence, False)

    def listen(self, run_id: int, listener: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def list(self, query: ListQuery) -> RunPage:
        self._look_out()
        self.queries.append(query)
        return RunPage([details.run for details in self.runs.values()], "next")

    def cancel(self, name: RunName) -> Run:
        return self.get(name).run

    def delete(self, name: RunName, party: Party) -> Operation:
        return self._operation(OperationKind.DELETE, [name], party, is_done=True)

    def batch_cancel(self, parent: Parent, names: Sequence[RunName], party: Party) -> Operation:
        return self._operation(OperationKind.BATCH_CANCEL, names, party, is_done=False)

    def batch_delete(self, parent: Parent, names: Sequence[RunName], party: Party) -> Operation:
        return self._operation(OperationKind.BATCH_DELETE, names, party, is_done=True)

    def _operation(
        self, kind: OperationKind, names: Sequence[RunName], party: Party, is_done: bool
    ) -> Operation:
        self._look_out()
        number = len(self.operations) + 1
        outcome = "deleted" if is_done else "pending"
        operation = Operation(
            name=OperationName(PARENT, number),
            kind=kind,
            party=party,
            is_done=is_done,
            created_ns=NOW_NS,
            updated_ns=NOW_NS,
            targets=[OperationTarget(str(name), 7, outcome) for name in names],
            runs=[self.runs[name].run for name in names if name in self.runs],
        )
        self.operations[number] = operation
        return operation

    def get_operation(self, name: OperationName) -> Operation:
        if name.operation_id not in self.operations:
            raise errors.NotFound()
        return self.operations[name.operation_id]

    def wait_operation(self, name: OperationName, timeout_s: float) -> Operation:
        return self.get_operation(name)

    def list_operations(
        self, parent: Parent, page_size: int, page_token: str
    ) -> tuple[Sequence[Operation], str]:
        return list(self.operations.values()), ""

    def delete_operation(self, name: OperationName) -> None:
        self.get_operation(name)
        del self.operations[name.operation_id]

    def cancel_operation(self, name: OperationName) -> None:
        self.get_operation(name)

    def task_log(self, name: RunName, task: str, attempt: int = 0) -> TaskLog:
        self._look_out()
        if self.log is None:
            raise errors.NotFound()
        return self.log
