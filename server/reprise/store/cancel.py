"""Cancelling runs.

Invariant: when this has committed, no start of the run commits any more: a run that had started is CANCELLING
(starts are refused), one that had not is CANCELLED and its fence is raised (its owner's next write is lost).
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.errors import NotFound
from reprise.domain.names import Parent, RunName
from reprise.domain.run import Operation, OperationKind, OperationTarget, Party, Run
from reprise.domain.states import RunState, move_run
from reprise.store.database import Transaction
from reprise.store.operations import ALREADY_ENDED, CANCELLED, add_operation, outcome_of, run_has_ended
from reprise.store.prepared import cancel as sql
from reprise.store.prepared.runs import GET_ID, GET_RUN, GET_RUN_BY_ID
from reprise.store.rows import freeze_run, to_run
from reprise.store.runs import change_of_run, log_changes, no_run
from reprise.store.segments import drop_tasks


def request_cancel(tx: Transaction, name: RunName, now_ns: int) -> Run:
    row = tx.one(sql.LOCK_BY_NAME, name.parent.project, name.parent.location, name.job_id)
    if row is None:
        raise no_run(name)
    _cancel(tx, row[0], RunState(row[1]), row[2], now_ns)
    found = tx.one(GET_RUN_BY_ID, row[0])
    if found is None:
        raise no_run(name)
    return to_run(found)


def _cancel(tx: Transaction, run_id: int, state: RunState, event_seq: int, now_ns: int) -> RunState:
    if state.is_terminal or state is RunState.CANCELLING:
        return state
    target = move_run(state, RunState.CANCELLING if state is RunState.RUNNING else RunState.CANCELLED)
    log_changes(tx, run_id, event_seq + 1, now_ns, [change_of_run(int(state), int(target))])
    if target is RunState.CANCELLING:
        tx.execute(sql.START_CANCELLING, now_ns, run_id)
    else:
        tx.execute(sql.END_CANCELLED, now_ns, run_id)
        drop_tasks(tx, run_id)
        tx.execute(sql.INSERT_DETAILS, run_id, b"")
        run_has_ended(tx, run_id, target, now_ns)
    tx.concerns(run_id)
    return target


def begin_batch_cancel(
    tx: Transaction, parent: Parent, names: Sequence[RunName], party: Party, now_ns: int
) -> Operation:
    wanted = tuple(dict.fromkeys(names))
    ids = find_ids(tx, wanted)
    targets: dict[RunName, tuple[OperationTarget, bytes | None]] = {}
    # Locked in the order of the ids, so that two batches cannot wait for each other.
    for name in sorted(wanted, key=ids.__getitem__):
        locked = tx.one(sql.LOCK_BY_NAME, name.parent.project, name.parent.location, name.job_id)
        if locked is None:
            raise no_run(name)
        run_id, before, event_seq = locked
        state = _cancel(tx, run_id, RunState(before), event_seq, now_ns)
        was_terminal = RunState(before).is_terminal
        outcome = ALREADY_ENDED if was_terminal else outcome_of(state)
        snapshot = None
        if outcome == CANCELLED:
            row = tx.one(GET_RUN, name.parent.project, name.parent.location, name.job_id)
            snapshot = None if row is None else freeze_run(row)
        targets[name] = OperationTarget(str(name), run_id, outcome, state), snapshot
    found = [targets[name] for name in wanted]
    return add_operation(tx, parent, OperationKind.BATCH_CANCEL, found, party=party, now_ns=now_ns)


def find_ids(tx: Transaction, names: Sequence[RunName]) -> dict[RunName, int]:
    """The ids of all these runs. Errors: NotFound, naming each one that is missing."""
    ids: dict[RunName, int] = {}
    missing: list[str] = []
    for name in names:
        row = tx.one(GET_ID, name.parent.project, name.parent.location, name.job_id)
        if row is None:
            missing.append(str(name))
        else:
            ids[name] = row[0]
    if missing:
        raise NotFound(
            f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist",
            {"resource_type": "PipelineJob", "resource_name": missing[0], "missing": ",".join(missing)},
        )
    return ids
