"""What the scheduler writes of a run, in one transaction.

Invariants: nothing is written under a fence that is not the run's; states move only along the edges of the
domain's tables; a task has at most one attempt that lives and at most one that has succeeded; no start is
written once a cancel is; a run that has ended never changes again. Writing the same thing twice changes
nothing, so that a caller who does not know whether a write was made may make it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.cache import CacheScope
from reprise.domain.errors import FenceLost, IllegalMove, NotFound
from reprise.domain.run import AttemptRow, Finish, Progress, ProgressResult, TaskRow
from reprise.domain.states import AttemptState, RunState, move_run
from reprise.store import leaders
from reprise.store.cache import put_row
from reprise.store.database import Transaction
from reprise.store.details import insert_details
from reprise.store.operations import run_has_ended
from reprise.store.prepared import progress as sql
from reprise.store.references import put_blob, share_files
from reprise.store.rows import from_failure
from reprise.store.runs import are_there, log_changes
from reprise.store.segments import drop_tasks, first_with_attempt
from reprise.store.task_progress import ChangeLog, write_tasks_and_attempts

_LIVING = [int(state) for state in AttemptState if not state.is_terminal]


def record_progress(tx: Transaction, progress: Progress) -> ProgressResult:
    row = tx.one(sql.LOCK, progress.run_id)
    if row is None or row[1] != progress.fence:
        raise FenceLost(metadata={"run_id": str(progress.run_id)})
    before = RunState(row[0])
    if before.is_terminal:
        return _repeated(progress, before)
    log = ChangeLog(progress.run_id, row[2])
    state = before
    if progress.state is not None and progress.state is not before and before is not RunState.CANCELLING:
        state = move_run(before, progress.state)
        log.add(int(before), int(state))
    are_refused = bool(progress.starts or progress.starting) and state is RunState.CANCELLING
    _share(tx, progress)
    if progress.starts and not are_refused and state is not RunState.RUNNING:
        raise IllegalMove(f"nothing starts in a run that is {state.name}")
    scope = CacheScope(row[6], row[7])
    leaders.release_lead(tx, progress.run_id, progress.ended_leads)
    held_back: frozenset[int] = frozenset()
    if progress.leads and not are_refused:
        held_back = leaders.take_lead(tx, scope, progress.run_id, progress.leads, progress.now_ns)
    starts, starting = _not_held_back(progress, held_back)
    if are_refused:
        starts = starting = ()
    write_tasks_and_attempts(tx, log, progress, starting, starts)
    for entry in progress.cache:
        put_row(tx, scope, entry)
    error = (row[4], row[5]) if progress.error is None else from_failure(progress.error)
    if progress.finish is not None:
        state = _end_state(state, progress.finish.state, log)
        error = from_failure(progress.finish.error)
    has_started = state in (RunState.RUNNING, RunState.SUCCEEDED, RunState.CANCELLING)
    started_ns = row[3] or (progress.now_ns if has_started else 0)
    is_ours = tx.execute(
        sql.UPDATE_RUN,
        int(state),
        progress.now_ns,
        started_ns,
        *error,
        log.seq,
        progress.run_id,
        progress.fence,
    )
    if not is_ours:
        raise FenceLost(metadata={"run_id": str(progress.run_id)})
    if log.changes:
        log_changes(tx, progress.run_id, log.seq, progress.now_ns, log.changes)
    if progress.finish is not None:
        _finish(tx, progress, progress.finish)
    tx.concerns(progress.run_id)
    return ProgressResult(state, are_refused, held_back)


def _not_held_back(
    progress: Progress, held_back: frozenset[int]
) -> tuple[Sequence[AttemptRow], Sequence[TaskRow]]:
    if not held_back:
        return progress.starts, progress.starting
    return (
        [start for start in progress.starts if start.task_id not in held_back],
        [row for row in progress.starting if row.task_id not in held_back],
    )


def _repeated(progress: Progress, state: RunState) -> ProgressResult:
    if progress.finish is not None and progress.finish.state is state:
        return ProgressResult(state)
    raise IllegalMove(f"the run has ended: {state.name}")


def _end_state(state: RunState, target: RunState, log: ChangeLog) -> RunState:
    if not target.is_terminal:
        raise IllegalMove(f"a run cannot end as {target.name}")
    # A run whose tasks all end in the transaction that begins it was RUNNING for that moment.
    if state in (RunState.QUEUED, RunState.PENDING) and target is RunState.SUCCEEDED:
        log.add(int(state), int(RunState.RUNNING))
        state = move_run(state, RunState.RUNNING)
    log.add(int(state), int(target))
    return move_run(state, target)


def _finish(tx: Transaction, progress: Progress, finish: Finish) -> None:
    living = first_with_attempt(tx, progress.run_id, _LIVING)
    if living is not None:
        raise IllegalMove(f"attempt {living[1]} of task {living[0]} has not ended")
    digest = put_blob(tx, finish.records)
    tx.execute(sql.END_RUN, progress.now_ns, digest, progress.run_id, progress.fence)
    insert_details(tx, progress.run_id, finish)
    drop_tasks(tx, progress.run_id)
    leaders.release_run(tx, progress.run_id)
    run_has_ended(tx, progress.run_id, finish.state, progress.now_ns)


def _share(tx: Transaction, progress: Progress) -> None:
    sources = sorted(set(progress.reuses) - {progress.run_id})
    if not sources:
        return
    if not are_there(tx, sources):
        raise NotFound("an outcome that was to be reused has been deleted")
    share_files(tx, progress.run_id, sources)
