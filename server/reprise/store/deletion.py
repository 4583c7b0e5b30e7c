"""Deleting runs, all or none.

Invariant: what a deleted run alone referred to goes with it (bytes in this transaction, folders by way of the
garbage list); what another run refers to stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.errors import FailedPrecondition
from reprise.domain.names import Parent, RunName
from reprise.domain.run import Operation, OperationKind, OperationTarget, Party
from reprise.domain.states import RunState
from reprise.store.cancel import find_ids
from reprise.store.database import Transaction
from reprise.store.operations import DELETED, add_operation
from reprise.store.prepared import deletion as sql
from reprise.store.prepared.runs import GET_RUN_BY_ID
from reprise.store.references import release_blob, release_files
from reprise.store.rows import freeze_run
from reprise.store.runs import no_run


def delete_runs(
    tx: Transaction,
    parent: Parent,
    names: Sequence[RunName],
    kind: OperationKind,
    *,
    party: Party,
    now_ns: int,
) -> Operation:
    wanted = tuple(dict.fromkeys(names))
    ids = find_ids(tx, wanted)
    locked = []
    active: dict[str, str] = {}
    for name in sorted(wanted, key=ids.__getitem__):
        row = tx.one(sql.LOCK, ids[name])
        if row is None:
            raise no_run(name)
        locked.append((ids[name], row[1:]))
        if not RunState(row[0]).is_terminal:
            active[str(name)] = RunState(row[0]).name
    if active:
        raise FailedPrecondition(
            "a run that has not ended cannot be deleted: "
            + ", ".join(f"{name} is {state}" for name, state in active.items()),
            {"resource_name": next(iter(active)), "not_ended": ",".join(active), **_states(active)},
        )
    snapshots = {run_id: _snapshot(tx, run_id) for run_id, _ in locked if kind is OperationKind.BATCH_DELETE}
    for run_id, digests in locked:
        _delete(tx, run_id, [digest for digest in digests if digest is not None])
    targets = [(OperationTarget(str(name), ids[name], DELETED), snapshots.get(ids[name])) for name in wanted]
    return add_operation(tx, parent, kind, targets, party=party, now_ns=now_ns)


def _states(active: dict[str, str]) -> dict[str, str]:
    return {"state": next(iter(active.values()))}


def _snapshot(tx: Transaction, run_id: int) -> bytes | None:
    """The run as it is: a batch answers with the runs that it has deleted."""
    row = tx.one(GET_RUN_BY_ID, run_id)
    return None if row is None else freeze_run(row)


def _delete(tx: Transaction, run_id: int, digests: Sequence[bytes]) -> None:
    release_files(tx, run_id)
    for digest in sorted(digests):
        release_blob(tx, digest)
    # The rest hangs on this row and goes with it.
    tx.execute(sql.DELETE, run_id)
    tx.concerns(run_id)
