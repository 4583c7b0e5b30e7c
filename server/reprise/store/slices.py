"""Reading of a run only what somebody has not seen yet: some of its tasks, or its latest changes of state.

Invariant: slices that are read one after the other, each from where the one before ended, hold every task or
change once, also when the run ends in between: tasks are counted by their ids, changes by their numbers.
"""

from __future__ import annotations

import json

from reprise.domain.names import RunName
from reprise.domain.run import ChangeSlice, StateChange, TaskSlice
from reprise.store.database import Transaction
from reprise.store.details import read_part
from reprise.store.entries import read_tasks_from
from reprise.store.prepared import slices as sql
from reprise.store.prepared.runs import GET_RUN
from reprise.store.rows import to_run
from reprise.store.runs import no_run


def read_tasks(tx: Transaction, name: RunName, after_task_id: int, limit: int) -> TaskSlice:
    """Errors: NotFound."""
    row = tx.one(GET_RUN, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    run = to_run(row)
    ended = read_part(tx, run.id, after_task_id)
    if ended is not None:
        wire, next_task_id = ended
        return TaskSlice(run, (), wire, next_task_id)
    rows = read_tasks_from(tx, run.id, after_task_id + 1, limit + 1)
    next_task_id = rows[limit].task_id if len(rows) > limit else 0
    return TaskSlice(run, rows[:limit], b"", next_task_id)


def read_changes(tx: Transaction, name: RunName, after_sequence: int, limit: int) -> ChangeSlice:
    """About `limit` changes at most. Errors: NotFound."""
    row = tx.one(GET_RUN, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    run = to_run(row)
    found: list[StateChange] = []
    has_more = False
    # A row holds all the changes of one transaction, so a number may lie in the middle of one.
    for seq, at_ns, text in tx.all(sql.CHANGES_AFTER, run.id, after_sequence, limit + 1):
        changes = json.loads(text)
        for sequence, (task_id, attempt, _, after) in enumerate(changes, seq - len(changes) + 1):
            if len(found) == limit:
                has_more = True
                break
            if sequence > after_sequence:
                found.append(StateChange(sequence, at_ns, task_id, attempt, after))
    return ChangeSlice(run, tuple(found), found[-1].sequence if found else after_sequence, has_more)
