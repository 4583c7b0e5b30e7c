"""Who executes a key of the cache now, so that equal tasks of other runs wait for it.

Invariant: a leader is a task that has started and has not ended, in a run that is RUNNING and whose lease holds. A row
of anything else leads nobody. So whom others wait for waits for nobody itself, and there is no circle; and what no
server looks after, or is being cancelled, is not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select, text

from reprise.domain.cache import CacheScope, Lead, Leader
from reprise.domain.states import RunState
from reprise.store.cache import find_mark
from reprise.store.database import Transaction
from reprise.store.statement import Statement, param
from reprise.store.tables import cache_leaders, runs

_IS_KEY = (
    cache_leaders.c.project == param("project"),
    cache_leaders.c.pipeline_name == param("pipeline_name"),
    cache_leaders.c.key == param("key"),
)
_GET_LEADER = Statement(
    select(cache_leaders.c.run_id, cache_leaders.c.task_id)
    .select_from(cache_leaders.join(runs, runs.c.id == cache_leaders.c.run_id))
    .where(*_IS_KEY, runs.c.state == int(RunState.RUNNING), runs.c.lease_until_ns > param("now_ns")),
    "project",
    "pipeline_name",
    "key",
    "now_ns",
)
_DROP = Statement(delete(cache_leaders).where(*_IS_KEY), "project", "pipeline_name", "key")
# Another server may have written the row since it was looked for: then that one leads.
_INSERT = Statement(
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
_RELEASE = Statement(
    delete(cache_leaders).where(
        cache_leaders.c.run_id == param("run_id"), cache_leaders.c.task_id == param("task_id")
    ),
    "run_id",
    "task_id",
)
_RELEASE_RUN = Statement(delete(cache_leaders).where(cache_leaders.c.run_id == param("run_id")), "run_id")


def find_leader(tx: Transaction, scope: CacheScope, key: bytes, now_ns: int) -> Leader | None:
    row = tx.one(_GET_LEADER, scope.project, scope.pipeline_name, key, now_ns)
    return None if row is None else Leader(row[0], row[1])


def take_lead(
    tx: Transaction, scope: CacheScope, run_id: int, leads: Mapping[int, Lead], now_ns: int
) -> frozenset[int]:
    """Each of these tasks of a run leads from now on where nobody does. Gives those that are not to start."""
    held_back = set()
    for task_id, lead in leads.items():
        leader = find_leader(tx, scope, lead.key, now_ns)
        if lead.may_wait and _is_answered(tx, scope, run_id, lead, leader):
            held_back.add(task_id)
        elif leader is None:
            tx.execute(_DROP, scope.project, scope.pipeline_name, lead.key)
            tx.execute(_INSERT, scope.project, scope.pipeline_name, lead.key, run_id, task_id)
    return frozenset(held_back)


def _is_answered(tx: Transaction, scope: CacheScope, run_id: int, lead: Lead, leader: Leader | None) -> bool:
    """Whether another run leads, or has ended with an outcome since it was looked for one."""
    if leader is not None and leader.run_id != run_id:
        return True
    mark = find_mark(tx, scope, lead.key)
    return mark is not None and mark != lead.seen and mark[0] != run_id


def release_lead(tx: Transaction, run_id: int, task_ids: Sequence[int]) -> None:
    tx.execute_many(_RELEASE, [(run_id, task_id) for task_id in task_ids])


def release_run(tx: Transaction, run_id: int) -> None:
    tx.execute(_RELEASE_RUN, run_id)
