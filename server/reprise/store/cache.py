"""The outcomes that other runs of the same pipeline may use again."""

from __future__ import annotations

from sqlalchemy import select

from reprise.domain.run import CacheRow
from reprise.store.database import Database
from reprise.store.statement import Statement, param
from reprise.store.tables import cache_entries

_NEWEST = Statement(
    select(
        cache_entries.c.key,
        cache_entries.c.run_id,
        cache_entries.c.task_id,
        cache_entries.c.record,
        cache_entries.c.created_ns,
    )
    .where(
        cache_entries.c.project == param("project"),
        cache_entries.c.pipeline_name == param("pipeline_name"),
        cache_entries.c.key == param("key"),
        cache_entries.c.run_id != param("not_run_id"),
    )
    .order_by(cache_entries.c.created_ns.desc(), cache_entries.c.run_id.desc())
    .limit(1),
    "project",
    "pipeline_name",
    "key",
    "not_run_id",
)


def look_up_cache(
    database: Database, project: str, pipeline_name: str, key: bytes, not_run_id: int
) -> CacheRow | None:
    row = database.read_one(_NEWEST, project, pipeline_name, key, not_run_id)
    return None if row is None else CacheRow(*row)
