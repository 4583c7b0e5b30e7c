"""Tasks and attempts are kept by segments of neighbours, each write in entries of its own."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BITS = 6
_SIZE = 1 << _BITS
_TASKS = "SELECT run_id, task_id, state, path, record FROM tasks ORDER BY run_id, task_id"
_ATTEMPTS = (
    "SELECT run_id, task_id, number, state, executor, handle, started_ns, ended_ns, is_counted, exit, fence, path "
    "FROM attempts ORDER BY run_id, task_id, number"
)
_OF_ACTIVE_RUNS = _ATTEMPTS.replace(
    "FROM attempts", "FROM attempts WHERE run_id IN (SELECT id FROM runs WHERE state IN (1, 2, 3, 6))"
)


def upgrade() -> None:
    segments = _table(
        "task_segments",
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("states", sa.LargeBinary(), nullable=False),
        sa.Column("attempt_states", sa.LargeBinary(), nullable=False),
        sa.Column("attempt_numbers", sa.LargeBinary(), nullable=False),
        sa.Column("attempt_fences", sa.LargeBinary(), nullable=False),
        key=("segment",),
    )
    tasks = _table(
        "task_entries",
        sa.Column("tasks", sa.Text(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        key=("segment", "number"),
    )
    attempts = _table(
        "attempt_entries", sa.Column("attempts", sa.Text(), nullable=False), key=("segment", "number")
    )
    connection = op.get_bind()
    for run_id, segment, rows in _by_segment(_TASKS):
        listed = [(row.task_id, row.state, row.path, len(row.record)) for row in rows]
        values = {"tasks": _json(listed), "records": b"".join(row.record for row in rows)}
        connection.execute(tasks.insert(), {"run_id": run_id, "segment": segment, "number": 1, **values})
    for run_id, segment, rows in _by_segment(_ATTEMPTS):
        listed = [_attempt(row) for row in rows]
        place = {"run_id": run_id, "segment": segment, "number": 1}
        connection.execute(attempts.insert(), {**place, "attempts": _json(listed)})
    # Only a run that goes on is written to.
    for (run_id, segment), columns in _standing().items():
        values = {name: _stored(numbers) for name, numbers in columns.items()}
        connection.execute(segments.insert(), {"run_id": run_id, "segment": segment, "entries": 1, **values})
    op.drop_table("attempts")
    op.drop_table("tasks")


def _table(name: str, *columns: sa.Column[Any], key: Sequence[str]) -> sa.Table:
    numbers = ("run_id", *key)
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return op.create_table(
        name,
        *(sa.Column(number, identity, autoincrement=False, nullable=False) for number in numbers),
        *columns,
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f(f"fk_{name}_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(*numbers, name=op.f(f"pk_{name}")),
        sqlite_with_rowid=False,
    )


def _by_segment(query: str) -> Iterator[tuple[int, int, list[Any]]]:
    found = op.get_bind().execute(sa.text(query))
    for (run_id, segment), rows in groupby(found, lambda row: (row.run_id, row.task_id >> _BITS)):
        yield run_id, segment, list(rows)


def _attempt(row: Any) -> tuple[Any, ...]:
    task_id, number, state, executor, handle, *times, exit_, fence, path = row[1:]
    return (task_id, number, state, executor, _text(handle), *times, _text(exit_), fence, path)


def _standing() -> dict[tuple[int, int], dict[str, array[int]]]:
    standing: dict[tuple[int, int], dict[str, array[int]]] = {}

    def columns_of(run_id: int, segment: int) -> dict[str, array[int]]:
        kinds = {"states": "B", "attempt_states": "B", "attempt_numbers": "I", "attempt_fences": "q"}
        made = {name: array(kind, [0] * _SIZE) for name, kind in kinds.items()}
        return standing.setdefault((run_id, segment), made)

    for run_id, segment, rows in _by_segment(_TASKS):
        for row in rows:
            columns_of(run_id, segment)["states"][row.task_id % _SIZE] = row.state
    for run_id, segment, rows in _by_segment(_OF_ACTIVE_RUNS):
        columns = columns_of(run_id, segment)
        for row in rows:  # the last attempt of a task comes last
            place = row.task_id % _SIZE
            columns["attempt_states"][place] = row.state
            columns["attempt_numbers"][place] = row.number
            columns["attempt_fences"][place] = row.fence
    return standing


def _stored(numbers: array[int]) -> bytes:
    return b"".join(number.to_bytes(numbers.itemsize, "little") for number in numbers)


def _json(listed: Sequence[Any]) -> str:
    return json.dumps(listed, separators=(",", ":"))


def _text(value: bytes) -> str:
    return bytes(value).decode("latin-1")
