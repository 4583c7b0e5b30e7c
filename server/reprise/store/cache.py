"""The outcomes that other runs of the same pipeline may use again.

Invariant: a key has one entry, its newest outcome; an entry goes with the run that made it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence

from reprise.domain.cache import CacheEntry, CachePage, CacheQuery, CacheRow, CacheScope
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import Parent, RunName
from reprise.store.database import Transaction
from reprise.store.prepared import cache as sql
from reprise.store.statement import Row, Statement

# From so many keys on, reading all keys of the scope first is cheaper than asking for each.
_MANY_KEYS = 1000


_NEVER_NS = 2**63 - 1


def find_row(tx: Transaction, scope: CacheScope, key: bytes) -> CacheRow | None:
    row = tx.one(sql.GET, scope.project, scope.pipeline_name, key)
    return None if row is None else CacheRow(*row)


def find_mark(tx: Transaction, scope: CacheScope, key: bytes) -> tuple[int, int] | None:
    """`CacheRow.mark` of the entry that a key has."""
    row = tx.one(sql.GET_MARK, scope.project, scope.pipeline_name, key)
    return None if row is None else (row[0], row[1])


def find_rows(tx: Transaction, scope: CacheScope, keys: Collection[bytes]) -> Mapping[bytes, CacheRow]:
    """The entries that these keys have."""
    wanted: Iterable[bytes] = keys
    if len(keys) > _MANY_KEYS:
        there = {bytes(row[0]) for row in tx.all(sql.GET_KEYS, scope.project, scope.pipeline_name)}
        wanted = (key for key in keys if key in there)
    found = (find_row(tx, scope, key) for key in wanted)
    return {row.key: row for row in found if row is not None}


def find_of_component(tx: Transaction, scope: CacheScope, component: str, limit: int) -> Sequence[CacheRow]:
    """The newest entries of a component's tasks."""
    rows = tx.all(sql.GET_OF_COMPONENT, scope.project, scope.pipeline_name, component, limit)
    return [CacheRow(*row) for row in rows]


def put_row(tx: Transaction, scope: CacheScope, row: CacheRow) -> None:
    """From now on the entry of its key."""
    tx.execute(sql.DROP, scope.project, scope.pipeline_name, row.key)
    tx.execute(
        sql.INSERT,
        scope.project,
        scope.pipeline_name,
        row.key,
        row.run_id,
        row.task_id,
        row.created_ns,
        row.record,
        row.task,
        row.component,
    )


def list_entries(
    tx: Transaction, query: CacheQuery, page_size: int, page_token: str, now_ns: int
) -> CachePage:
    statement, values = _choose(query, sql.LIST_ALL, sql.LIST_PIPELINE, sql.LIST_TASK)
    after = _read_token(page_token)
    rows = tx.all(statement, query.project, *values, *after, _before_ns(query, now_ns), page_size + 1)
    entries = [_to_entry(query.project, row) for row in rows[:page_size]]
    token = _make_token(entries[-1]) if len(rows) > page_size else ""
    return CachePage(entries, token)


def drop_entries(tx: Transaction, query: CacheQuery, now_ns: int) -> int:
    """The number of those that there were."""
    statement, values = _choose(query, sql.DROP_ALL, sql.DROP_PIPELINE, sql.DROP_TASK)
    return tx.execute(statement, query.project, *values, _before_ns(query, now_ns))


def _before_ns(query: CacheQuery, now_ns: int) -> int:
    return now_ns - int(query.older_than_s * 1e9) if query.older_than_s else _NEVER_NS


def _choose(
    query: CacheQuery, everything: Statement, pipeline: Statement, task: Statement
) -> tuple[Statement, Row]:
    if not query.pipeline_name:
        return everything, ()
    if not query.task:
        return pipeline, (query.pipeline_name,)
    return task, (query.pipeline_name, query.task_path)


def _to_entry(project: str, row: Row) -> CacheEntry:
    pipeline_name, *values, location, job_id = row
    return CacheEntry(pipeline_name, CacheRow(*values), str(RunName(Parent(project, location), job_id)))


def _make_token(last: CacheEntry) -> str:
    parts = (last.pipeline_name.encode(), last.row.task.encode(), last.row.key)
    return ".".join(base64.urlsafe_b64encode(part).decode() for part in parts)


def _read_token(token: str) -> tuple[str, str, bytes]:
    if not token:
        return "", "", b""
    try:
        pipeline_name, task, key = (
            base64.b64decode(part.encode(), altchars=b"-_", validate=True) for part in token.split(".")
        )
        return pipeline_name.decode(), task.decode(), key
    except (ValueError, binascii.Error):
        raise InvalidArgument(FieldProblem("page_token", "expected a token of an earlier answer")) from None
