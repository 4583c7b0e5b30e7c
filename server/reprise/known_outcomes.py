"""What the cross-run cache knows when a plan is made: tasks that it answers are planned as REUSE, not as EXECUTE.

Invariant: an outcome is put into a plan only if it is young enough and its artifacts are what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reprise import plan as planner
from reprise.artifact.contract import ArtifactPlace
from reprise.artifact.presence import losses_of
from reprise.domain.cache import CacheAge, CacheRow, CacheScope
from reprise.domain.errors import Unavailable
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.store.contract import Store

# An outcome that is put in may make other keys known, for which the cache is asked in turn: a plan each time. So many
# tasks are planned at most for one answer; a large run is planned twice, and what lies deeper is found when it runs.
_MOST_PLANNED_TASKS = 500_000
_SHOWN_LOSSES = 5


@dataclass(frozen=True, slots=True)
class Hits:
    """`runs`: those that the outcomes come from."""

    runs: Sequence[int] = ()
    warnings: Sequence[str] = ()


class KnownOutcomes:
    """Safe to call from any number of threads."""

    def __init__(
        self, store: Store, artifacts: ArtifactPlace, now_ns: Callable[[], int], age: CacheAge
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._now_ns = now_ns
        self._age = age

    def put_in(
        self, project: str, request: engine.RunRequest, plan: planner.PlanParts
    ) -> tuple[planner.PlanParts, Hits]:
        """The plan with what the cache answers, which is put into the request too."""
        scope = CacheScope(project, plan.head.pipeline_name)
        asked: set[bytes] = set()
        runs: set[int] = set()
        losses: list[str] = []
        planned_tasks = 0
        while keys := set(plan.cache_keys) - asked:
            asked |= keys
            usable, lost = self._usable(self._store.find_cached(scope, keys))
            losses += lost
            if not usable:
                break
            for row, record in usable:
                request.cache.add(
                    key=row.key, record=engine.TaskRecord(outputs=record.outputs), source=record.source
                )
                runs.add(row.run_id)
            plan = planner.plan_in_parts(request)
            planned_tasks += len(plan.ends)
            if planned_tasks > _MOST_PLANNED_TASKS:
                break
        return plan, Hits(sorted(runs), _warnings(losses))

    def _usable(
        self, rows: Mapping[bytes, CacheRow]
    ) -> tuple[list[tuple[CacheRow, engine.TaskRecord]], list[str]]:
        now_ns = self._now_ns()
        young = [row for row in rows.values() if not self._age.is_expired(row.created_ns, now_ns)]
        records = [engine.TaskRecord.FromString(row.record) for row in young]
        usable, lost = [], []
        try:
            losses = losses_of(records, self._artifacts)
        except Unavailable:
            return [], []  # what cannot be looked at now is left to the run
        for row, record, loss in zip(young, records, losses, strict=True):
            if loss:
                lost.append(f"task {record.path}: the outcome of {record.source.run_name}: {loss}")
            else:
                usable.append((row, record))
        return usable, lost


def _warnings(losses: Sequence[str]) -> list[str]:
    if not losses:
        return []
    shown = "; ".join(sorted(losses)[:_SHOWN_LOSSES])
    return [f"{len(losses)} outcomes in the cache are of no use, for their artifacts are gone: {shown}"]
