"""The store, written once for both databases: each method of the contract as one transaction.

Invariant: nothing here knows which database it is; what differs stands behind `Database`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from reprise.domain.cache import CacheLook, CachePage, CacheQuery, CacheRow, CacheScope
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.run import (
    AttemptRef,
    ChangeSlice,
    ClaimedRun,
    CompiledOriginal,
    Finish,
    ListQuery,
    NewRun,
    Operation,
    OperationKind,
    OriginalRun,
    Party,
    Progress,
    ProgressResult,
    RecordedRun,
    Run,
    RunDetails,
    RunPage,
    TaskSlice,
)
from reprise.domain.states import RunState
from reprise.store import (
    attempts,
    cache,
    cancel,
    claims,
    compiled,
    deletion,
    inside,
    leaders,
    listing,
    operations,
    progress,
    pruning,
    recorded,
    references,
    runs,
    slices,
)
from reprise.store.database import Database

_SMALL_END_BYTES = 1024 * 1024


class SqlStore:
    """See `contract.Store` for what each method guarantees."""

    def __init__(self, database: Database, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._database = database
        self._now_ns = now_ns
        self._ended = inside.EndedRuns()

    def create_run(self, new: NewRun, request_id: str = "", fingerprint: bytes = b"") -> tuple[Run, bool]:
        return self._database.mutate(lambda tx: runs.create_run(tx, new, request_id, fingerprint))

    def find_request(self, parent: Parent, request_id: str, fingerprint: bytes) -> Run | None:
        return self._database.read(lambda tx: runs.find_request(tx, parent, request_id, fingerprint))

    def is_file_of(self, project: str, path: str) -> bool:
        return references.is_file_of(self._database, project, path)

    def find_attempt(self, name: RunName, task: str, number: int) -> AttemptRef:
        return self._database.read(lambda tx: attempts.find_attempt(tx, name, task, number))

    def get_run(self, name: RunName) -> Run:
        return runs.get_run(self._database, name)

    def get_run_by_id(self, parent: Parent, run_id: int) -> Run:
        return runs.get_run_by_id(self._database, parent, run_id)

    def get_details(self, name: RunName) -> RunDetails:
        return inside.get_details(self._database, self._ended, name)

    def get_tasks(self, name: RunName, after_task_id: int, limit: int) -> TaskSlice:
        return self._database.read(lambda tx: slices.read_tasks(tx, name, after_task_id, limit))

    def get_changes(self, name: RunName, after_sequence: int, limit: int) -> ChangeSlice:
        return self._database.read(lambda tx: slices.read_changes(tx, name, after_sequence, limit))

    def get_spec(self, digest: bytes) -> bytes:
        return runs.get_spec(self._database, digest)

    def get_recorded(self, name: RunName) -> RecordedRun:
        return self._database.read(lambda tx: recorded.get_recorded(tx, name))

    def get_original(self, parent: Parent, run_id: int) -> OriginalRun:
        return self._database.read(lambda tx: runs.get_original(tx, parent, run_id))

    def find_compiled_original(self, parent: Parent, run_id: int) -> CompiledOriginal | None:
        return self._database.read(lambda tx: compiled.find_original(tx, parent, run_id))

    def find_compiled_labels(self, run_id: int) -> bytes:
        return self._database.read(lambda tx: compiled.find_labels(tx, run_id))

    def list_runs(self, query: ListQuery) -> RunPage:
        return listing.list_runs(self._database, query, self._now_ns)

    def request_cancel(self, name: RunName, now_ns: int) -> Run:
        return self._database.mutate(lambda tx: cancel.request_cancel(tx, name, now_ns), is_urgent=True)

    def begin_batch_cancel(
        self, parent: Parent, names: Sequence[RunName], party: Party, now_ns: int
    ) -> Operation:
        return self._database.mutate(
            lambda tx: cancel.begin_batch_cancel(tx, parent, names, party, now_ns), is_urgent=True
        )

    def delete_runs(
        self, parent: Parent, names: Sequence[RunName], kind: OperationKind, party: Party, now_ns: int
    ) -> Operation:
        # Urgent, since it is what makes room on a full disk.
        return self._database.mutate(
            lambda tx: deletion.delete_runs(tx, parent, names, kind, party=party, now_ns=now_ns),
            is_urgent=True,
        )

    def get_operation(self, name: OperationName) -> Operation:
        return self._database.read(lambda tx: operations.get_operation(tx, name))

    def list_operations(
        self, parent: Parent, page_size: int, page_token: str
    ) -> tuple[Sequence[Operation], str]:
        return self._database.read(lambda tx: operations.list_operations(tx, parent, page_size, page_token))

    def delete_operation(self, name: OperationName) -> None:
        self._database.mutate(lambda tx: operations.delete_operation(tx, name), is_urgent=True)

    def find_cached(self, scope: CacheScope, keys: Collection[bytes]) -> Mapping[bytes, CacheRow]:
        return self._database.read(lambda tx: cache.find_rows(tx, scope, keys))

    def find_cached_of(self, scope: CacheScope, component: str, limit: int) -> Sequence[CacheRow]:
        return self._database.read(lambda tx: cache.find_of_component(tx, scope, component, limit))

    def list_cache(self, query: CacheQuery, page_size: int, page_token: str, now_ns: int) -> CachePage:
        return self._database.read(lambda tx: cache.list_entries(tx, query, page_size, page_token, now_ns))

    def drop_cache(self, query: CacheQuery, now_ns: int) -> int:
        return self._database.mutate(lambda tx: cache.drop_entries(tx, query, now_ns), is_urgent=True)

    def claim_runs(self, owner: str, limit: int, now_ns: int, lease_s: float) -> Sequence[ClaimedRun]:
        return claims.claim_runs(self._database, owner, limit, now_ns, lease_s)

    def renew_leases(self, owner: str, now_ns: int, lease_s: float) -> Sequence[tuple[int, RunState]]:
        return self._database.mutate(
            lambda tx: claims.renew_leases(tx, owner, now_ns, lease_s), is_urgent=True
        )

    def owned_runs(self, owner: str) -> Sequence[tuple[int, RunState]]:
        return self._database.read(lambda tx: claims.owned_runs(tx, owner))

    def release_run(self, run_id: int, fence: int) -> None:
        self._database.mutate(lambda tx: claims.release_run(tx, run_id, fence), is_urgent=True)

    def record_progress(self, progress_: Progress) -> ProgressResult:
        return self._database.mutate(
            lambda tx: progress.record_progress(tx, progress_), is_urgent=_is_urgent(progress_)
        )

    def record_progress_later(
        self,
        progress_: Progress,
        tell: Callable[[ProgressResult | None, Exception | None], None],
        is_syncing: Callable[[], None],
    ) -> None:
        self._database.mutate_later(
            lambda tx: progress.record_progress(tx, progress_),
            tell,
            is_syncing,
            is_urgent=_is_urgent(progress_),
        )

    def living_attempts(self, executor: str) -> Sequence[bytes]:
        return self._database.read(lambda tx: attempts.living_attempts(tx, executor))

    def look_up_cache(self, scope: CacheScope, keys: Sequence[bytes], now_ns: int) -> Sequence[CacheLook]:
        return self._database.read(
            lambda tx: [
                CacheLook(cache.find_row(tx, scope, key), leaders.find_leader(tx, scope, key, now_ns))
                for key in keys
            ]
        )

    def keep_compiled(self, run_id: int, graph: bytes, labels: bytes) -> None:
        self._database.mutate(lambda tx: compiled.keep(tx, run_id, graph, labels))

    def take_garbage(self, limit: int) -> Sequence[tuple[int, str]]:
        return self._database.read(lambda tx: references.take_garbage(tx, limit))

    def drop_garbage(self, ids: Sequence[int]) -> None:
        self._database.mutate(lambda tx: references.drop_garbage(tx, ids), is_urgent=True)

    def prune(self, before_ns: int, limit: int) -> int:
        return pruning.prune(self._database, before_ns, limit)

    def add_listener(self, listener: Callable[[int], None]) -> Callable[[], None]:
        return self._database.add_listener(listener)

    def close(self) -> None:
        self._database.close()


def _is_urgent(written: Progress) -> bool:
    """What is being cancelled has to end on a full disk too, unless it takes more than the ballast gives."""
    finish = written.finish
    return written.is_urgent or (finish is not None and _size(finish) <= _SMALL_END_BYTES)


def _size(finish: Finish) -> int:
    return (
        len(finish.records) + len(finish.details_wire) + sum(len(part.wire) for part in finish.details_parts)
    )
