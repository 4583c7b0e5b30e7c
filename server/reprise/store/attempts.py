"""Finding attempts: one of a task, while its run goes on and after, and all that have no end."""

from __future__ import annotations

from reprise.domain.errors import NotFound
from reprise.domain.names import RunName
from reprise.domain.run import AttemptRef
from reprise.domain.states import AttemptState
from reprise.store.counters import LARGEST_ID
from reprise.store.database import Transaction
from reprise.store.prepared import attempts as sql
from reprise.store.prepared.runs import GET_ID
from reprise.store.runs import no_run


def living_attempts(tx: Transaction, executor: str) -> list[bytes]:
    return [bytes(handle) for (handle,) in tx.all(sql.LIVING, executor)]


def find_attempt(tx: Transaction, name: RunName, task: str, number: int) -> AttemptRef:
    found = tx.one(GET_ID, name.parent.project, name.parent.location, name.job_id)
    if found is None:
        raise no_run(name)
    is_id = task.isascii() and task.isdecimal() and int(task) <= LARGEST_ID
    rows = tx.all(sql.FIND, found[0], task, int(task) if is_id else 0)
    for task_id, found_number, state in rows:
        if task_id == rows[0][0] and number in (0, found_number):
            is_complete = AttemptState(state).is_terminal
            return AttemptRef(found[0], task_id, found_number, is_complete)
    which = f"attempt {number}" if number else "attempt"
    raise NotFound(
        f"task {task!r} of {name} has no {which}",
        {"resource_type": "PipelineTask", "resource_name": str(name), "task": task},
    )
