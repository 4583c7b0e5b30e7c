"""A run with its inside: the compiled pipeline and the tasks, as Get shows them.

Invariant: of a run that has ended nothing changes any more, until it is deleted. So what was made of its row once is
known as long as there is room; that the run is there is asked each time.
"""

from __future__ import annotations

import threading

from reprise.domain.names import RunName
from reprise.domain.run import Run, RunDetails
from reprise.store.database import Database, Transaction
from reprise.store.details import find_parts
from reprise.store.entries import read_tasks_of_run
from reprise.store.prepared import inside as sql
from reprise.store.prepared.details import WHOLE_WIRE
from reprise.store.prepared.runs import GET_RUN_BY_ID
from reprise.store.rows import RUN_WIDTH, to_run
from reprise.store.runs import get_blob, no_run

_MOST_KNOWN = 1000
_LARGEST_HEADER_BYTES = 8 * 1024


class EndedRuns:
    """Runs that have ended, by id: so many, and of these the short ones. Safe to use from any thread."""

    def __init__(self) -> None:
        self._runs: dict[int, Run] = {}
        self._changing = threading.Lock()

    def get(self, run_id: int) -> Run | None:
        return self._runs.get(run_id)

    def put(self, run: Run) -> None:
        if len(run.header_wire) > _LARGEST_HEADER_BYTES:
            return
        with self._changing:
            if len(self._runs) >= _MOST_KNOWN:
                del self._runs[next(iter(self._runs))]
            self._runs[run.id] = run


def get_details(database: Database, ended: EndedRuns, name: RunName) -> RunDetails:
    """Errors: NotFound."""
    row = database.read_one(sql.GET_ENDED, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        return database.read(lambda tx: _get_details(tx, database, name))
    run_id, spec, details_wire = row
    run = ended.get(run_id)
    if run is None:
        run_row = database.read_one(GET_RUN_BY_ID, run_id)
        if run_row is None:  # deleted in between
            raise no_run(name)
        run = to_run(run_row)
        ended.put(run)
    if spec is not None and details_wire:
        return RunDetails(run, spec, (), details_wire)
    return database.read(lambda tx: _with_inside(tx, database, run, spec, details_wire))


def _get_details(tx: Transaction, database: Database, name: RunName) -> RunDetails:
    """In one snapshot: for a run that goes on, which may end in between."""
    row = tx.one(sql.GET, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    run = to_run(row)
    spec, ended_id = row[RUN_WIDTH:]
    if ended_id is not None:
        return _with_inside(tx, database, run, spec, None)
    if spec is None:
        spec = get_blob(tx, run.spec_digest)
    return RunDetails(run, spec, read_tasks_of_run(tx, run.id))


def _with_inside(
    tx: Transaction, database: Database, run: Run, spec: bytes | None, details_wire: bytes | None
) -> RunDetails:
    """A run that has ended: only what was left out is read after it."""
    if tx.one(GET_RUN_BY_ID, run.id) is None:  # deleted in between
        raise no_run(run.name)
    if spec is None:
        spec = get_blob(tx, run.spec_digest)
    if details_wire is None:
        details_wire = tx.large(WHOLE_WIRE, run.id)
    parts = None if details_wire else find_parts(tx, database, run.id, lambda: no_run(run.name))
    return RunDetails(run, spec, (), details_wire, parts)
