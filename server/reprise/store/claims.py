"""Claims: which server owns a run, and until when.

Invariant: each claim raises the run's fence, so that whatever an earlier owner still writes is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, text, update

from reprise.domain.run import ClaimedRun
from reprise.domain.states import RunState
from reprise.store.database import Database, Transaction
from reprise.store.rows import ATTEMPT_COLUMNS, RUN_COLUMNS, RUN_WIDTH, to_attempt, to_run, to_task
from reprise.store.runs import GET_TASKS, get_blob
from reprise.store.statement import Statement, param
from reprise.store.tables import IS_ACTIVE, attempts, run_payloads, runs

_FREE = Statement(
    select(runs.c.id)
    .where(text(IS_ACTIVE), runs.c.lease_until_ns <= param("now_ns"))
    .order_by(runs.c.id)
    .limit(param("limit"))
    .with_for_update(skip_locked=True),
    "now_ns",
    "limit",
)
_IS_ANY_FREE = Statement(
    select(runs.c.id).where(text(IS_ACTIVE), runs.c.lease_until_ns <= param("now_ns")).limit(1), "now_ns"
)
_CLAIM = Statement(
    update(runs)
    .values(owner=param("owner"), lease_until_ns=param("until_ns"), fence=runs.c.fence + 1)
    .where(runs.c.id == param("run_id")),
    "owner",
    "until_ns",
    "run_id",
)
_GET_CLAIMED = Statement(
    select(*RUN_COLUMNS, run_payloads.c.request, runs.c.original_records_digest)
    .select_from(runs.join(run_payloads))
    .where(runs.c.id == param("run_id")),
    "run_id",
)
_GET_ATTEMPTS = Statement(
    select(*ATTEMPT_COLUMNS)
    .where(attempts.c.run_id == param("run_id"))
    .order_by(attempts.c.task_id, attempts.c.number),
    "run_id",
)
_RENEW = Statement(
    update(runs)
    .values(lease_until_ns=param("until_ns"))
    .where(text(IS_ACTIVE), runs.c.owner == param("owner")),
    "until_ns",
    "owner",
)
_OWNED = Statement(
    select(runs.c.id, runs.c.state)
    .where(text(IS_ACTIVE), runs.c.owner == param("owner"))
    .order_by(runs.c.id),
    "owner",
)
_RELEASE = Statement(
    update(runs)
    .values(owner="", lease_until_ns=0)
    .where(text(IS_ACTIVE), runs.c.id == param("run_id"), runs.c.fence == param("fence")),
    "run_id",
    "fence",
)
_HAS_LEASES = Statement(select(runs.c.id).where(text(IS_ACTIVE), runs.c.lease_until_ns > 0).limit(1))
_FREE_ALL = Statement(update(runs).values(lease_until_ns=0).where(text(IS_ACTIVE)))


def claim_runs(
    database: Database, owner: str, limit: int, now_ns: int, lease_s: float
) -> Sequence[ClaimedRun]:
    # Asked for all the time, mostly in vain: what there is to claim is looked for before anything is locked.
    if database.read_one(_IS_ANY_FREE, now_ns) is None:
        return ()
    return database.mutate(lambda tx: _claim(tx, owner, limit, now_ns, lease_s))


def _claim(tx: Transaction, owner: str, limit: int, now_ns: int, lease_s: float) -> Sequence[ClaimedRun]:
    until_ns = now_ns + int(lease_s * 1e9)
    claimed = []
    for (run_id,) in tx.all(_FREE, now_ns, limit):
        tx.execute(_CLAIM, owner, until_ns, run_id)
        claimed.append(_get_claimed(tx, run_id))
    return claimed


def _get_claimed(tx: Transaction, run_id: int) -> ClaimedRun:
    row = tx.one(_GET_CLAIMED, run_id)
    if row is None:
        raise AssertionError("a claimed run is missing")
    run = to_run(row)
    request, original_records = row[RUN_WIDTH:]
    return ClaimedRun(
        run=run,
        spec=get_blob(tx, run.spec_digest),
        request=request,
        original_records=get_blob(tx, original_records),
        tasks=tuple(map(to_task, tx.all(GET_TASKS, run_id))),
        attempts=tuple(map(to_attempt, tx.all(_GET_ATTEMPTS, run_id))),
    )


def renew_leases(tx: Transaction, owner: str, now_ns: int, lease_s: float) -> Sequence[tuple[int, RunState]]:
    tx.execute(_RENEW, now_ns + int(lease_s * 1e9), owner)
    return [(run_id, RunState(state)) for run_id, state in tx.all(_OWNED, owner)]


def release_run(tx: Transaction, run_id: int, fence: int) -> None:
    if tx.execute(_RELEASE, run_id, fence):
        tx.concerns(run_id)


def has_leases(tx: Transaction) -> bool:
    return tx.one(_HAS_LEASES) is not None


def free_all(tx: Transaction) -> None:
    """End every lease; only for a server that knows itself alone."""
    tx.execute(_FREE_ALL)
