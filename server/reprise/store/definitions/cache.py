"""The statements of `store.cache`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, insert, select, tuple_

from reprise.store.construct import Construct, param
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
GET = Construct(
    select(*_COLUMNS).where(*_IN_SCOPE, cache_entries.c.key == param("key")),
    "project",
    "pipeline_name",
    "key",
)
GET_MARK = Construct(
    select(cache_entries.c.run_id, cache_entries.c.task_id).where(
        *_IN_SCOPE, cache_entries.c.key == param("key")
    ),
    "project",
    "pipeline_name",
    "key",
)
GET_KEYS = Construct(select(cache_entries.c.key).where(*_IN_SCOPE), "project", "pipeline_name")
GET_OF_COMPONENT = Construct(
    select(*_COLUMNS)
    .where(*_IN_SCOPE, cache_entries.c.component == param("component"))
    .order_by(cache_entries.c.created_ns.desc())
    .limit(param("limit")),
    "project",
    "pipeline_name",
    "component",
    "limit",
)
DROP = Construct(
    delete(cache_entries).where(*_IN_SCOPE, cache_entries.c.key == param("key")),
    "project",
    "pipeline_name",
    "key",
)
INSERT = Construct(insert(cache_entries))


def _listing(*conditions: ColumnElement[bool], names: Sequence[str]) -> Construct:
    """One page, in the order of pipeline, task, key."""
    order = (cache_entries.c.pipeline_name, cache_entries.c.task, cache_entries.c.key)
    return Construct(
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


def _dropping(*conditions: ColumnElement[bool], names: Sequence[str]) -> Construct:
    return Construct(
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
LIST_ALL = _listing(names=())
LIST_PIPELINE = _listing(_IS_PIPELINE, names=("pipeline_name",))
LIST_TASK = _listing(_IS_PIPELINE, _IS_TASK, names=("pipeline_name", "task"))
DROP_ALL = _dropping(names=())
DROP_PIPELINE = _dropping(_IS_PIPELINE, names=("pipeline_name",))
DROP_TASK = _dropping(_IS_PIPELINE, _IS_TASK, names=("pipeline_name", "task"))
