"""Finding attempts: one of a task, while its run goes on and after, and all that have no end."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column, or_, select, text

from reprise.domain.errors import NotFound
from reprise.domain.names import RunName
from reprise.domain.run import AttemptRef
from reprise.domain.states import AttemptState
from reprise.store.counters import LARGEST_ID
from reprise.store.database import Transaction
from reprise.store.runs import GET_ID, no_run
from reprise.store.statement import Statement, param
from reprise.store.tables import IS_ACTIVE, attempts, runs

_FIND = Statement(
    select(attempts.c.task_id, attempts.c.number, attempts.c.state)
    .where(
        attempts.c.run_id == param("run_id"),
        or_(attempts.c.path == param("path"), attempts.c.task_id == param("task_id")),
    )
    # A path that looks like a number is a path.
    .order_by((attempts.c.path == param("path")).desc(), attempts.c.number.desc()),
    "run_id",
    "path",
    "task_id",
)

_LIVING_STATES: list[ColumnElement[int]] = [
    literal_column(str(int(state))) for state in AttemptState if not state.is_terminal
]
_LIVING = Statement(
    # By way of the few runs that have not ended, which the order asks for: attempts are kept for ever.
    select(attempts.c.handle)
    .join(runs, attempts.c.run_id == runs.c.id)
    .where(
        text(f"runs.{IS_ACTIVE}"),
        attempts.c.executor == param("executor"),
        attempts.c.state.in_(_LIVING_STATES),
    )
    .order_by(runs.c.id),
    "executor",
)


def living_attempts(tx: Transaction, executor: str) -> list[bytes]:
    return [bytes(handle) for (handle,) in tx.all(_LIVING, executor)]


def find_attempt(tx: Transaction, name: RunName, task: str, number: int) -> AttemptRef:
    found = tx.one(GET_ID, name.parent.project, name.parent.location, name.job_id)
    if found is None:
        raise no_run(name)
    is_id = task.isascii() and task.isdecimal() and int(task) <= LARGEST_ID
    rows = tx.all(_FIND, found[0], task, int(task) if is_id else 0)
    for task_id, found_number, state in rows:
        if task_id == rows[0][0] and number in (0, found_number):
            is_complete = AttemptState(state).is_terminal
            return AttemptRef(found[0], task_id, found_number, is_complete)
    which = f"attempt {number}" if number else "attempt"
    raise NotFound(
        f"task {task!r} of {name} has no {which}",
        {"resource_type": "PipelineTask", "resource_name": str(name), "task": task},
    )
