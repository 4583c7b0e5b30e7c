"""What the cross-run cache knows when a plan is made: tasks that it answers are planned as REUSE, not as EXECUTE.

Invariant: an outcome is put into a plan only if it is young enough and its artifacts are what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reprise import plan as planner
from reprise.artifact.contract import ArtifactPlace
from reprise.artifact.presence import losses_of
from reprise.domain.cache import CacheAge, CacheRow, CacheScope
from reprise.domain.errors import Unavailable
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.store.contract import Store

# So many at once: no single step holds the interpreter's lock for longer than that takes.
_AT_ONCE = 5_000
# An outcome that is put in may make other keys known, for which the cache is asked in turn: a plan each time. So many
# tasks are planned at most for one answer; a large run is planned twice, and what lies deeper is found when it runs.
_MOST_PLANNED_TASKS = 500_000
_SHOWN_LOSSES = 5


@dataclass(frozen=True, slots=True)
class Hits:
    """`runs`: those that the outcomes come from. `cache`: what the request is to hold of them, in pieces."""

    runs: Sequence[int] = ()
    warnings: Sequence[str] = ()
    cache: Sequence[bytes] = ()


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
        self, project: str, asked: planner.Pieces, plan: planner.PlanParts
    ) -> tuple[planner.PlanParts, Hits]:
        """The plan of `asked` with what the cache answers."""
        scope = CacheScope(project, plan.head.pipeline_name)
        known: set[bytes] = set()
        runs: set[int] = set()
        losses: list[str] = []
        cache: list[bytes] = []
        planned_tasks = 0
        while True:
            new: list[bytes] = []
            for keys in plan.cache_keys_at_once(_AT_ONCE):
                not_asked = set(keys) - known
                known |= not_asked
                new.extend(not_asked)
            usable, lost = self._usable(self._store.find_cached(scope, new)) if new else ([], [])
            losses += lost
            if not usable:
                break
            runs.update(row.run_id for row, _ in usable)
            cache += [_cached(usable[at : at + _AT_ONCE]) for at in range(0, len(usable), _AT_ONCE)]
            plan = planner.plan_in_parts(replace(asked, cache=cache))
            planned_tasks += len(plan.ends)
            if planned_tasks > _MOST_PLANNED_TASKS:
                break
        return plan, Hits(sorted(runs), _warnings(losses), cache)

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


def _cached(outcomes: Sequence[tuple[CacheRow, engine.TaskRecord]]) -> bytes:
    """An engine.RunRequest that holds these outcomes as its `cache`."""
    piece = engine.RunRequest()
    for row, record in outcomes:
        kept = engine.TaskRecord(outputs=record.outputs)
        piece.cache.add(key=row.key, record=kept, source=record.source)
    return piece.SerializeToString()


def _warnings(losses: Sequence[str]) -> list[str]:
    if not losses:
        return []
    shown = "; ".join(sorted(losses)[:_SHOWN_LOSSES])
    return [f"{len(losses)} outcomes in the cache are of no use, for their artifacts are gone: {shown}"]
