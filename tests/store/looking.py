"""The oracle's eyes: the tables, read without the store's code."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class Look(Protocol):
    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    def plan(self, sql: str, values: Sequence[Any]) -> list[str]:
        """The steps by which the database would answer."""
        ...


class SqliteLook:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def plan(self, sql: str, values: Sequence[Any]) -> list[str]:
        self._connection.execute("PRAGMA case_sensitive_like=ON")
        return [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    def close(self) -> None:
        self._connection.close()


def assert_blobs_are_counted(look: Look) -> None:
    """Each blob's count is the number of places that name it, and none is kept for nothing."""
    columns = ("spec_digest", "original_spec_digest", "original_records_digest", "records_digest")
    named: dict[bytes, int] = {}
    for column in columns:
        for (digest,) in look.rows(f"SELECT {column} FROM runs WHERE {column} IS NOT NULL"):
            named[digest] = named.get(digest, 0) + 1
    assert dict(look.rows("SELECT digest, reference_count FROM blobs")) == named
    kept = look.rows("SELECT digest, bytes FROM blobs LEFT JOIN blob_bytes USING (id)")
    assert all(hashlib.sha256(content).digest() == digest for digest, content in kept)
    assert look.rows("SELECT count(*) FROM blob_bytes") == [(len(named),)]


def changes_of(look: Look, run_id: int) -> list[tuple[int, int, int, int]]:
    """(task, attempt, from, to) of each change in the log of a run, which has no gaps."""
    changes: list[tuple[int, int, int, int]] = []
    for seq, row in look.rows(f"SELECT seq, changes FROM events WHERE run_id = {run_id} ORDER BY seq"):
        changes.extend(map(tuple, json.loads(row)))
        assert len(changes) == seq
    return changes


def attempts_of(look: Look) -> list[dict[str, Any]]:
    """Every attempt as the last entry of it says, in the order of runs, tasks and numbers."""
    names = (
        "task_id",
        "number",
        "state",
        "executor",
        "handle",
        "started_ns",
        "ended_ns",
        "is_counted",
        "exit",
    )
    last: dict[tuple[int, int, int], dict[str, Any]] = {}
    for run_id, text in look.rows(
        "SELECT run_id, attempts FROM attempt_entries ORDER BY run_id, segment, number"
    ):
        for entry in json.loads(text):
            last[run_id, entry[0], entry[1]] = {"run_id": run_id, **dict(zip(names, entry, strict=False))}
    return [last[place] for place in sorted(last)]


def assert_states_moved_legally(look: Look) -> None:
    """The log of each run has no gaps, and its moves lead from the first state to the stored one."""
    for run_id, state, seq in look.rows("SELECT id, state, event_seq FROM runs"):
        changes = changes_of(look, run_id)
        assert len(changes) == seq
        now: dict[tuple[int, int], int] = {}
        for task_id, attempt, before, after in changes:
            assert now.get((task_id, attempt), 0) == before
            now[task_id, attempt] = after
        assert now[0, 0] == state
