"""Who executes a key of the cache now, so that equal tasks of other runs wait for it.

Invariant: a leader is a task that has started and has not ended, in a run that is RUNNING and whose lease holds. A row
of anything else leads nobody. So whom others wait for waits for nobody itself, and there is no circle; and what no
server looks after, or is being cancelled, is not waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reprise.domain.cache import CacheScope, Lead, Leader
from reprise.store.cache import find_mark
from reprise.store.database import Transaction
from reprise.store.prepared import leaders as sql


def find_leader(tx: Transaction, scope: CacheScope, key: bytes, now_ns: int) -> Leader | None:
    row = tx.one(sql.GET_LEADER, scope.project, scope.pipeline_name, key, now_ns)
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
            tx.execute(sql.DROP, scope.project, scope.pipeline_name, lead.key)
            tx.execute(sql.INSERT, scope.project, scope.pipeline_name, lead.key, run_id, task_id)
    return frozenset(held_back)


def _is_answered(tx: Transaction, scope: CacheScope, run_id: int, lead: Lead, leader: Leader | None) -> bool:
    """Whether another run leads, or has ended with an outcome since it was looked for one."""
    if leader is not None and leader.run_id != run_id:
        return True
    mark = find_mark(tx, scope, lead.key)
    return mark is not None and mark != lead.seen and mark[0] != run_id


def release_lead(tx: Transaction, run_id: int, task_ids: Sequence[int]) -> None:
    tx.execute_many(sql.RELEASE, [(run_id, task_id) for task_id in task_ids])


def release_run(tx: Transaction, run_id: int) -> None:
    tx.execute(sql.RELEASE_RUN, run_id)
