"""Finding attempts: one of a task, while its run goes on and after, and all that have no end."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter

from reprise.domain.errors import NotFound
from reprise.domain.names import RunName
from reprise.domain.run import AttemptRef
from reprise.domain.states import AttemptState
from reprise.store.counters import LARGEST_ID
from reprise.store.database import Transaction
from reprise.store.entries import AttemptEntry, as_bytes, last_of_attempts, read_attempts_of_task, to_json
from reprise.store.prepared import attempts as sql
from reprise.store.prepared.runs import GET_ID
from reprise.store.runs import no_run


def living_attempts(tx: Transaction, executor: str) -> list[bytes]:
    handles = []
    for _, entries in groupby(tx.all(sql.OF_ACTIVE_RUNS), itemgetter(0)):
        for attempt in last_of_attempts(row[1:] for row in entries).values():
            if attempt[3] == executor and not AttemptState(attempt[2]).is_terminal:
                handles.append(as_bytes(attempt[4]))
    return handles


def find_attempt(tx: Transaction, name: RunName, task: str, number: int) -> AttemptRef:
    found = tx.one(GET_ID, name.parent.project, name.parent.location, name.job_id)
    if found is None:
        raise no_run(name)
    attempts = _attempts_of(tx, found[0], task)
    for task_id, found_number, state, *_ in reversed(attempts):
        if number in (0, found_number):
            is_complete = AttemptState(state).is_terminal
            return AttemptRef(found[0], task_id, found_number, is_complete)
    which = f"attempt {number}" if number else "attempt"
    raise NotFound(
        f"task {task!r} of {name} has no {which}",
        {"resource_type": "PipelineTask", "resource_name": str(name), "task": task},
    )


def _attempts_of(tx: Transaction, run_id: int, task: str) -> list[AttemptEntry]:
    """Of the task with this path or id; a path that looks like a number is a path."""
    for (entries,) in tx.all(sql.HOLDING, run_id, to_json(task)):
        for attempt in json.loads(entries):
            if attempt[-1] == task != "":
                return read_attempts_of_task(tx, run_id, attempt[0])
    is_id = task.isascii() and task.isdecimal() and int(task) <= LARGEST_ID
    return read_attempts_of_task(tx, run_id, int(task)) if is_id else []
