"""Long-running operations: their rows, and what a run that ends does to them.

Invariants: an operation is done when, and only when, each of its targets is terminal; what it then says never
changes, for it keeps a copy of the runs it answers with.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from reprise import crash_point
from reprise.domain.errors import FieldProblem, InvalidArgument, NotFound
from reprise.domain.names import OperationName, Parent
from reprise.domain.run import Operation, OperationKind, OperationTarget, Party
from reprise.domain.states import RunState
from reprise.store.counters import LARGEST_ID, next_id
from reprise.store.database import Transaction
from reprise.store.prepared import operations as sql
from reprise.store.prepared.runs import GET_RUN_BY_ID
from reprise.store.rows import freeze_run, thaw_run, to_failure
from reprise.store.statement import Row

PENDING = "pending"
CANCELLED = "cancelled"
ALREADY_ENDED = "already_ended"
DELETED = "deleted"


def outcome_of(state: RunState) -> str:
    """What a batch cancel has to say of a run in this state."""
    if state is RunState.CANCELLED:
        return CANCELLED
    return ALREADY_ENDED if state.is_terminal else PENDING


def add_operation(
    tx: Transaction,
    parent: Parent,
    kind: OperationKind,
    targets: Sequence[tuple[OperationTarget, bytes | None]],
    *,
    party: Party,
    now_ns: int,
) -> Operation:
    """Store an operation with its targets, each with the run to answer with, if any.

    It is done if no target is pending.
    """
    operation_id = next_id(tx, now_ns)
    is_done = all(target.outcome != PENDING for target, _ in targets)
    tx.execute(
        sql.INSERT,
        operation_id,
        parent.project,
        parent.location,
        kind.value,
        party.value,
        int(is_done),
        now_ns,
        now_ns,
        None,
        None,
    )
    tx.execute_many(
        sql.INSERT_TARGET,
        [
            (operation_id, position, target.name, target.run_id, target.outcome, target.state, snapshot)
            for position, (target, snapshot) in enumerate(targets)
        ],
    )
    crash_point.reach("operation.added")
    return get_operation(tx, OperationName(parent, operation_id))


def run_has_ended(tx: Transaction, run_id: int, state: RunState, now_ns: int) -> None:
    """Tell the operations that wait for this run, in the transaction that ends it."""
    waiting = [row[0] for row in tx.all(sql.WAITING_FOR, run_id)]
    if not waiting:
        return
    snapshot = None
    if state is RunState.CANCELLED:
        row = tx.one(GET_RUN_BY_ID, run_id)
        snapshot = None if row is None else freeze_run(row)
    for operation_id in waiting:
        # Two runs of one operation may end at once: without the lock each would see the other still pending.
        tx.one(sql.LOCK, operation_id)
        tx.execute(sql.END_TARGET, outcome_of(state), int(state), snapshot, operation_id, run_id)
        crash_point.reach("operation.target_ended")
        if tx.one(sql.HAS_PENDING, operation_id) is None:
            tx.execute(sql.END, now_ns, operation_id)
            crash_point.reach("operation.done")


def get_operation(tx: Transaction, name: OperationName) -> Operation:
    row = None
    if name.operation_id <= LARGEST_ID:
        row = tx.one(sql.GET, name.operation_id, name.parent.project, name.parent.location)
    if row is None:
        raise _no_operation(name)
    return _to_operation(tx, row)


def list_operations(
    tx: Transaction, parent: Parent, page_size: int, page_token: str
) -> tuple[Sequence[Operation], str]:
    """Newest first."""
    before = _before(page_token)
    rows = tx.all(sql.LIST, parent.project, parent.location, before, page_size + 1)
    page = [_to_operation(tx, row) for row in rows[:page_size]]
    token = ""
    if len(rows) > page_size:
        token = base64.urlsafe_b64encode(str(rows[page_size - 1][0]).encode()).decode()
    return page, token


def delete_operation(tx: Transaction, name: OperationName) -> None:
    place = (name.operation_id, name.parent.project, name.parent.location)
    if name.operation_id > LARGEST_ID or not tx.execute(sql.DELETE, *place):
        raise _no_operation(name)


def _before(page_token: str) -> int:
    if not page_token:
        return LARGEST_ID
    try:
        text = base64.b64decode(page_token.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    if not (text.isdecimal() and int(text) <= LARGEST_ID):
        raise InvalidArgument(FieldProblem("page_token", "expected the token of an earlier page"))
    return int(text)


def _no_operation(name: OperationName) -> NotFound:
    return NotFound(f"{name} does not exist", {"resource_type": "Operation", "resource_name": str(name)})


def _to_operation(tx: Transaction, row: Row) -> Operation:
    operation_id, project, location, kind, party, is_done, created_ns, updated_ns, code, message = row
    targets = tx.all(sql.GET_TARGETS, operation_id)
    return Operation(
        name=OperationName(Parent(project, location), operation_id),
        kind=OperationKind(kind),
        party=Party(party),
        is_done=bool(is_done),
        created_ns=created_ns,
        updated_ns=updated_ns,
        targets=tuple(
            OperationTarget(name, run_id, outcome, None if state is None else RunState(state))
            for name, run_id, outcome, state, _ in targets
        ),
        runs=tuple(thaw_run(target[4]) for target in targets if target[4] is not None) if is_done else (),
        error=to_failure(code, message),
    )
