"""Claims: which server owns a run, and until when.

Invariant: each claim raises the run's fence, so that whatever an earlier owner still writes is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.run import ClaimedRun
from reprise.domain.states import RunState
from reprise.store.database import Database, Transaction
from reprise.store.entries import read_attempts_of_run, read_tasks_of_run
from reprise.store.prepared import claims as sql
from reprise.store.rows import RUN_WIDTH, to_run
from reprise.store.runs import get_blob


def claim_runs(
    database: Database, owner: str, limit: int, now_ns: int, lease_s: float
) -> Sequence[ClaimedRun]:
    # Asked for all the time, mostly in vain: what there is to claim is looked for before anything is locked.
    if database.read_one(sql.IS_ANY_FREE, now_ns) is None:
        return ()
    return database.mutate(lambda tx: _claim(tx, owner, limit, now_ns, lease_s))


def _claim(tx: Transaction, owner: str, limit: int, now_ns: int, lease_s: float) -> Sequence[ClaimedRun]:
    until_ns = now_ns + int(lease_s * 1e9)
    claimed = []
    for (run_id,) in tx.all(sql.FREE, now_ns, limit):
        tx.execute(sql.CLAIM, owner, until_ns, run_id)
        claimed.append(_get_claimed(tx, run_id))
    return claimed


def _get_claimed(tx: Transaction, run_id: int) -> ClaimedRun:
    row = tx.one(sql.GET_CLAIMED, run_id)
    if row is None:
        raise AssertionError("a claimed run is missing")
    run = to_run(row)
    request, original_records = row[RUN_WIDTH:]
    return ClaimedRun(
        run=run,
        spec=get_blob(tx, run.spec_digest),
        request=request,
        original_records=get_blob(tx, original_records),
        tasks=read_tasks_of_run(tx, run_id),
        attempts=read_attempts_of_run(tx, run_id),
    )


def renew_leases(tx: Transaction, owner: str, now_ns: int, lease_s: float) -> Sequence[tuple[int, RunState]]:
    tx.execute(sql.RENEW, now_ns + int(lease_s * 1e9), owner)
    return owned_runs(tx, owner)


def owned_runs(tx: Transaction, owner: str) -> Sequence[tuple[int, RunState]]:
    return [(run_id, RunState(state)) for run_id, state in tx.all(sql.OWNED, owner)]


def release_run(tx: Transaction, run_id: int, fence: int) -> None:
    if tx.execute(sql.RELEASE, run_id, fence):
        tx.concerns(run_id)


def has_leases(tx: Transaction) -> bool:
    return tx.one(sql.HAS_LEASES) is not None


def free_all(tx: Transaction) -> None:
    """End every lease; only for a server that knows itself alone."""
    tx.execute(sql.FREE_ALL)
