"""Why a task ran again, and why the cross-run cache did not answer.

Invariant: says only what is recorded: what the core decided when the task's turn came, and the fields of stored keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reprise import plan as planner
from reprise.comparison import Comparison, Finding, Side, compare, difference_count
from reprise.domain.cache import CacheRow, CacheScope
from reprise.domain.errors import FailedPrecondition, InvalidArgument, NotFound
from reprise.domain.names import RunName
from reprise.domain.run import RecordedRun
from reprise.domain.states import TaskState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.store.contract import Store

_LEAVES = (engine.CONTAINER, engine.IMPORTER)
_CANDIDATES_STAND_FOR = (engine.NOT_TRIGGERED, engine.CANCELLED, engine.PENDING)
# So many outcomes of the component are looked through for the nearest, the newest first.
_MOST_COMPARED = 200


@dataclass(frozen=True, slots=True)
class CacheExplanation:
    """`source`: of the outcome that was found, or is nearest; `kept_ns` 0: not known to be kept now."""

    answer: engine.CacheAnswer
    note: str
    source: engine.Source | None = None
    kept_ns: int = 0
    nearest: Comparison | None = None


@dataclass(frozen=True, slots=True)
class TaskExplanation:
    """`comparison`: with the original or another run; `cache`: of a leaf."""

    record: engine.TaskRecord
    comparison: Comparison | None
    cache: CacheExplanation | None
    summary: str  # the answer in one sentence


class Explanations:
    """Safe to call from any number of threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def explain(self, name: RunName, task: str, against: RunName | None) -> TaskExplanation:
        """`task`: a path or an id; `against`: None for the original.

        Errors: NotFound for the run, the task, the other run; FailedPrecondition where the task waits for others.
        """
        recorded = self._store.get_recorded(name)
        record = planner.find_task(recorded.records, task)
        if record is None:
            raise NotFound(
                f"{name} has no task {task!r}", {"resource_type": "task", "resource_name": task[:200]}
            )
        is_leaf = record.kind in _LEAVES
        if is_leaf and not record.preimage and not TaskState(record.state).is_terminal:
            raise FailedPrecondition(
                f"task {record.path} has no cache key yet: it waits for others",
                {"task": record.path, "state": TaskState(record.state).name},
            )
        new = Side(record, lambda: self._store.get_spec(recorded.run.spec_digest))
        comparison = self._comparison(recorded, new, against) if is_leaf else None
        cache = self._cache(recorded, new) if is_leaf else None
        return TaskExplanation(record, comparison, cache, _summary(record, comparison, cache))

    def _comparison(self, recorded: RecordedRun, new: Side, against: RunName | None) -> Comparison | None:
        if against is not None:
            other = self._store.get_recorded(against)
            return self._with(recorded, new, str(against), other.records, other.run.spec_digest)
        if not recorded.run.original_id or recorded.original_spec_digest is None:
            return None
        digest = recorded.original_records_digest
        records = b"" if digest is None else self._store.get_spec(digest)
        name = recorded.original_records_name or recorded.run.original_name
        return self._with(recorded, new, name, records, recorded.original_spec_digest)

    def _with(
        self, recorded: RecordedRun, new: Side, run_name: str, records: bytes, spec_digest: bytes
    ) -> Comparison:
        record = new.record
        found = planner.same_task(recorded.records, record.task_id, records)
        if found is None and record.reason == engine.RENAMED:
            found = planner.find_task(records, record.source.path)
        if found is None:
            return Comparison(run_name, Finding.NO_SUCH_TASK)
        # As the planner does: what never started has the outcome that an ancestor left.
        if found.HasField("candidate") and found.state in _CANDIDATES_STAND_FOR:
            found = found.candidate
        return compare(Side(found, lambda: self._store.get_spec(spec_digest)), new, run_name)

    def _cache(self, recorded: RecordedRun, new: Side) -> CacheExplanation:
        record, use = new.record, new.record.cache_use
        if record.reason == engine.CACHE_HIT:
            return CacheExplanation(engine.CACHE_ANSWERED, "", record.source)
        if use.answer not in (engine.CACHE_NO_ENTRY, engine.CACHE_SAME_RUN):
            return CacheExplanation(use.answer, use.note, use.source if use.HasField("source") else None)
        scope = CacheScope(recorded.run.name.parent.project, recorded.run.pipeline_name)
        row = self._nearest(scope, recorded.run.id, record)
        if row is None:
            note = f"the cache keeps no outcome of {record.component} of another run of {scope.pipeline_name}"
            return CacheExplanation(use.answer, note)
        kept = engine.TaskRecord.FromString(row.record)
        return CacheExplanation(
            answer=use.answer,
            note=use.note,
            source=kept.source,
            kept_ns=row.created_ns,
            nearest=compare(self._kept_side(kept), new, kept.source.run_name),
        )

    def _nearest(self, scope: CacheScope, run_id: int, record: engine.TaskRecord) -> CacheRow | None:
        rows = self._store.find_cached_of(scope, record.component, _MOST_COMPARED)
        others = [row for row in rows if row.run_id != run_id]

        def distance(row: CacheRow) -> int:
            return difference_count(engine.TaskRecord.FromString(row.record).preimage, record.preimage)

        return min(others, key=distance, default=None)

    def _kept_side(self, kept: engine.TaskRecord) -> Side:
        """The task that left an outcome, with its inputs and its pipeline, which the cache itself does not keep."""
        try:
            recorded = self._store.get_recorded(RunName.parse(kept.source.run_name))
        except (NotFound, InvalidArgument):
            return Side(kept, _no_spec)
        whole = planner.find_task(recorded.records, kept.path)
        return Side(whole or kept, _spec_of(self._store, recorded.run.spec_digest))


def _no_spec() -> bytes:
    return b""


def _spec_of(store: Store, digest: bytes) -> Callable[[], bytes]:
    return lambda: store.get_spec(digest)


_WHY = {
    engine.FIRST_RUN: "it ran because its run has no original",
    engine.UNCHANGED: "it did not run: nothing that decides its outcome has changed",
    engine.CACHE_HIT: "it did not run: an equal task of another run has succeeded",
    engine.REQUESTED: "it was asked for",
    engine.REQUESTED_BY_PARENT: "it was asked for with the tasks of the DAG that holds it",
    engine.SKIP_DOWNSTREAM: "it was left out with what comes before it",
    engine.INHERITED: "it was left out, as in the original",
    engine.INPUT_OVERRIDDEN: "it ran with inputs given for it",
    engine.KEY_CHANGED: "it ran again because its cache key has changed",
    engine.UPSTREAM_CHANGED: "it is decided when what comes before it has ended",
    engine.NOT_SUCCEEDED: "it ran because the original has no outcome for it",
    engine.NOT_IN_ORIGINAL: "it ran because the original has no such task",
    engine.EXIT_TASK: "it ran because exit tasks always run",
    engine.CONDITION_FALSE: "it did not run: its condition is false",
    engine.CONDITION_UNKNOWN: "whether it runs depends on a task that runs",
    engine.UPSTREAM_FAILED: "it did not run: a task before it failed",
    engine.ARTIFACT_MISSING: "it ran again because an artifact of its old outcome is gone",
    engine.ARTIFACT_CHANGED: "it ran again because an artifact of its old outcome has other content now",
    engine.REIMPORT: "it ran because the importer asks to run each time",
    engine.RENAMED: "it did not run: it is a task of the original under another name",
    engine.CHILDREN: "its verdict sums up those of its tasks",
    engine.NOT_COMPARABLE: "it ran because the original's outcome has no key to compare with",
    engine.FAIL_FAST: "it did not run: another task failed, and the run fails fast",
    engine.CANCELLED_BY_REQUEST: "its run was cancelled",
}
_CACHE = {
    engine.CACHE_OFF: "caching is off for it",
    engine.CACHE_REQUESTED: "the cache was not asked",
    engine.CACHE_EXIT_TASK: "the cache is not asked for exit tasks",
    engine.CACHE_REIMPORT: "the cache was not asked",
    engine.CACHE_NO_ENTRY: "the cache had no outcome for its key",
    engine.CACHE_EXPIRED: "the outcome in the cache was too old",
    engine.CACHE_ARTIFACTS_GONE: "the artifacts of the outcome in the cache were gone",
    engine.CACHE_SAME_RUN: "equal tasks of one run all run",
    engine.CACHE_FOLLOWS: "it waits for an equal task of another run",
}
_LONGEST_VALUE = 60


def _summary(record: engine.TaskRecord, found: Comparison | None, cache: CacheExplanation | None) -> str:
    parts = [_WHY.get(record.reason, "") or "nothing is recorded of why"]
    if record.is_left_out and record.reason in (engine.REQUESTED, engine.REQUESTED_BY_PARENT):
        parts = ["it was left out by request"]
    if record.caused_by:
        parts[0] += f" ({record.caused_by})"
    if found is not None and found.differences:
        parts.append(_told(found))
    if cache is not None and (told := _CACHE.get(cache.answer)):
        nearest = cache.nearest
        is_near = nearest is not None and nearest.differences and found is None
        parts.append(f"{told}; the nearest: {_told(nearest)}" if nearest and is_near else told)
    return f"{record.path}: {'; '.join(parts)}"


def _told(found: Comparison) -> str:
    """The smallest difference, and how many more there are."""
    first, *more = found.differences
    old, new = (_short(value) for value in (first.old, first.new))
    rest = f", and {len(more)} more" if more else ""
    return f"against {found.run_name}: {first.field} was {old or 'absent'}, is {new or 'absent'}{rest}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
