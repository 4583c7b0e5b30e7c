"""The statements of `store.attempts`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column, or_, select, text

from reprise.domain.states import AttemptState
from reprise.store.construct import Construct, param
from reprise.store.tables import IS_ACTIVE, attempts, runs

FIND = Construct(
    select(attempts.c.task_id, attempts.c.number, attempts.c.state)
    .where(
        attempts.c.run_id == param("run_id"),
        or_(attempts.c.path == param("path"), attempts.c.task_id == param("task_id")),
    )
    # A path that looks like a number is a path.
    .order_by((attempts.c.path == param("path")).desc(), attempts.c.number.desc()),
    "run_id",
    "path",
    "task_id",
)
_LIVING_STATES: list[ColumnElement[int]] = [
    literal_column(str(int(state))) for state in AttemptState if not state.is_terminal
]
LIVING = Construct(
    # By way of the few runs that have not ended, which the order asks for: attempts are kept for ever.
    select(attempts.c.handle)
    .join(runs, attempts.c.run_id == runs.c.id)
    .where(
        text(f"runs.{IS_ACTIVE}"),
        attempts.c.executor == param("executor"),
        attempts.c.state.in_(_LIVING_STATES),
    )
    .order_by(runs.c.id),
    "executor",
)
