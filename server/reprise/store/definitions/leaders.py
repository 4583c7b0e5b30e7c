"""The statements of `store.leaders`."""

from __future__ import annotations

from sqlalchemy import delete, select, text

from reprise.domain.states import RunState
from reprise.store.construct import Construct, param
from reprise.store.tables import cache_leaders, runs

_IS_KEY = (
    cache_leaders.c.project == param("project"),
    cache_leaders.c.pipeline_name == param("pipeline_name"),
    cache_leaders.c.key == param("key"),
)
GET_LEADER = Construct(
    select(cache_leaders.c.run_id, cache_leaders.c.task_id)
    .select_from(cache_leaders.join(runs, runs.c.id == cache_leaders.c.run_id))
    .where(*_IS_KEY, runs.c.state == int(RunState.RUNNING), runs.c.lease_until_ns > param("now_ns")),
    "project",
    "pipeline_name",
    "key",
    "now_ns",
)
DROP = Construct(delete(cache_leaders).where(*_IS_KEY), "project", "pipeline_name", "key")
# Another server may have written the row since it was looked for: then that one leads.
INSERT = Construct(
    text(
        "INSERT INTO cache_leaders (project, pipeline_name, key, run_id, task_id)"
        " VALUES (:p_project, :p_pipeline_name, :p_key, :p_run_id, :p_task_id) ON CONFLICT DO NOTHING"
    ),
    "project",
    "pipeline_name",
    "key",
    "run_id",
    "task_id",
)
RELEASE = Construct(
    delete(cache_leaders).where(
        cache_leaders.c.run_id == param("run_id"), cache_leaders.c.task_id == param("task_id")
    ),
    "run_id",
    "task_id",
)
RELEASE_RUN = Construct(delete(cache_leaders).where(cache_leaders.c.run_id == param("run_id")), "run_id")
