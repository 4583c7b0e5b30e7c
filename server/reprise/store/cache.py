"""The outcomes that other runs of the same pipeline may use again.

Invariant: a key has one entry, its newest outcome; an entry goes with the run that made it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, delete, insert, select, tuple_

from reprise.domain.cache import CacheEntry, CachePage, CacheQuery, CacheRow, CacheScope
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.names import Parent, RunName
from reprise.store.database import Transaction
from reprise.store.statement import Row, Statement, param
from reprise.store.tables import cache_entries, runs

_IN_SCOPE = (
    cache_entries.c.project == param("project"),
    cache_entries.c.pipeline_name == param("pipeline_name"),
)
_COLUMNS = (
    cache_entries.c.key,
    cache_entries.c.run_id,
    cache_entries.c.task_id,
    cache_entries.c.record,
    cache_entries.c.created_ns,
    cache_entries.c.task,
    cache_entries.c.component,
)
_GET = Statement(
    select(*_COLUMNS).where(*_IN_SCOPE, cache_entries.c.key == param("key")),
    "project",
    "pipeline_name",
    "key",
)
_GET_MARK = Statement(
    select(cache_entries.c.run_id, cache_entries.c.task_id).where(
        *_IN_SCOPE, cache_entries.c.key == param("key")
    ),
    "project",
    "pipeline_name",
    "key",
)
_GET_KEYS = Statement(select(cache_entries.c.key).where(*_IN_SCOPE), "project", "pipeline_name")
_GET_OF_COMPONENT = Statement(
    select(*_COLUMNS)
    .where(*_IN_SCOPE, cache_entries.c.component == param("component"))
    .order_by(cache_entries.c.created_ns.desc())
    .limit(param("limit")),
    "project",
    "pipeline_name",
    "component",
    "limit",
)
_DROP = Statement(
    delete(cache_entries).where(*_IN_SCOPE, cache_entries.c.key == param("key")),
    "project",
    "pipeline_name",
    "key",
)
_INSERT = Statement(insert(cache_entries))

# From so many keys on, reading all keys of the scope first is cheaper than asking for each.
_MANY_KEYS = 1000


def _listing(*conditions: ColumnElement[bool], names: Sequence[str]) -> Statement:
    """One page, in the order of pipeline, task, key."""
    order = (cache_entries.c.pipeline_name, cache_entries.c.task, cache_entries.c.key)
    return Statement(
        select(cache_entries.c.pipeline_name, *_COLUMNS, runs.c.location, runs.c.job_id)
        .select_from(cache_entries.join(runs, runs.c.id == cache_entries.c.run_id))
        .where(
            cache_entries.c.project == param("project"),
            *conditions,
            tuple_(*order) > tuple_(param("after_pipeline"), param("after_task"), param("after_key")),
            cache_entries.c.created_ns < param("before_ns"),
        )
        .order_by(*order)
        .limit(param("limit")),
        "project",
        *names,
        "after_pipeline",
        "after_task",
        "after_key",
        "before_ns",
        "limit",
    )


def _dropping(*conditions: ColumnElement[bool], names: Sequence[str]) -> Statement:
    return Statement(
        delete(cache_entries).where(
            cache_entries.c.project == param("project"),
            *conditions,
            cache_entries.c.created_ns < param("before_ns"),
        ),
        "project",
        *names,
        "before_ns",
    )


_IS_PIPELINE = cache_entries.c.pipeline_name == param("pipeline_name")
_IS_TASK = cache_entries.c.task == param("task")
_LIST_ALL = _listing(names=())
_LIST_PIPELINE = _listing(_IS_PIPELINE, names=("pipeline_name",))
_LIST_TASK = _listing(_IS_PIPELINE, _IS_TASK, names=("pipeline_name", "task"))
_DROP_ALL = _dropping(names=())
_DROP_PIPELINE = _dropping(_IS_PIPELINE, names=("pipeline_name",))
_DROP_TASK = _dropping(_IS_PIPELINE, _IS_TASK, names=("pipeline_name", "task"))
_NEVER_NS = 2**63 - 1


def find_row(tx: Transaction, scope: CacheScope, key: bytes) -> CacheRow | None:
    row = tx.one(_GET, scope.project, scope.pipeline_name, key)
    return None if row is None else CacheRow(*row)


def find_mark(tx: Transaction, scope: CacheScope, key: bytes) -> tuple[int, int] | None:
    """`CacheRow.mark` of the entry that a key has."""
    row = tx.one(_GET_MARK, scope.project, scope.pipeline_name, key)
    return None if row is None else (row[0], row[1])


def find_rows(tx: Transaction, scope: CacheScope, keys: Collection[bytes]) -> Mapping[bytes, CacheRow]:
    """The entries that these keys have."""
    wanted: Iterable[bytes] = keys
    if len(keys) > _MANY_KEYS:
        there = {bytes(row[0]) for row in tx.all(_GET_KEYS, scope.project, scope.pipeline_name)}
        wanted = (key for key in keys if key in there)
    found = (find_row(tx, scope, key) for key in wanted)
    return {row.key: row for row in found if row is not None}


def find_of_component(tx: Transaction, scope: CacheScope, component: str, limit: int) -> Sequence[CacheRow]:
    """The newest entries of a component's tasks."""
    rows = tx.all(_GET_OF_COMPONENT, scope.project, scope.pipeline_name, component, limit)
    return [CacheRow(*row) for row in rows]


def put_row(tx: Transaction, scope: CacheScope, row: CacheRow) -> None:
    """From now on the entry of its key."""
    tx.execute(_DROP, scope.project, scope.pipeline_name, row.key)
    tx.execute(
        _INSERT,
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
    statement, values = _choose(query, _LIST_ALL, _LIST_PIPELINE, _LIST_TASK)
    after = _read_token(page_token)
    rows = tx.all(statement, query.project, *values, *after, _before_ns(query, now_ns), page_size + 1)
    entries = [_to_entry(query.project, row) for row in rows[:page_size]]
    token = _make_token(entries[-1]) if len(rows) > page_size else ""
    return CachePage(entries, token)


def drop_entries(tx: Transaction, query: CacheQuery, now_ns: int) -> int:
    """The number of those that there were."""
    statement, values = _choose(query, _DROP_ALL, _DROP_PIPELINE, _DROP_TASK)
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
