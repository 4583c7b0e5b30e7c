"""What a store guarantees. One method is one transaction is one guarantee; SQLite and PostgreSQL implement it.

Invariants: a mutation is durable when its call returns. Every mutation locks the run's row first. Writes of the
scheduler carry the fence of the owner and are refused (FenceLost) when another has claimed the run since.
All methods are plain blocking calls, safe from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from reprise.domain.cache import CacheLook, CachePage, CacheQuery, CacheRow, CacheScope
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.run import (
    AttemptRef,
    ChangeSlice,
    ClaimedRun,
    CompiledOriginal,
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


class Store(Protocol):
    def create_run(self, new: NewRun, request_id: str = "", fingerprint: bytes = b"") -> tuple[Run, bool]:
        """Store a run, PENDING. (run, True); (the earlier run, False) if `request_id` was used with this fingerprint.

        Errors: AlreadyExists (metadata `same_request`: whether the fingerprint is the same); RequestIdReused;
        NotFound or FailedPrecondition when the original is gone or not terminal.
        """
        ...

    def find_request(self, parent: Parent, request_id: str, fingerprint: bytes) -> Run | None:
        """The run that this request id made earlier; None: it is new. Errors: RequestIdReused."""
        ...

    def is_file_of(self, project: str, path: str) -> bool:
        """Whether a run of the project refers to this folder, named from the data directory on."""
        ...

    def find_attempt(self, name: RunName, task: str, number: int) -> AttemptRef:
        """The attempt of a task, named by path or decimal id; number 0 is the latest. Errors: NotFound."""
        ...

    def get_run(self, name: RunName) -> Run:
        """Errors: NotFound."""
        ...

    def get_run_by_id(self, parent: Parent, run_id: int) -> Run:
        """Errors: NotFound, also when the run has another parent."""
        ...

    def get_details(self, name: RunName) -> RunDetails:
        """The run, its spec and its tasks from one snapshot. Errors: NotFound."""
        ...

    def get_tasks(self, name: RunName, after_task_id: int, limit: int) -> TaskSlice:
        """Tasks with ids above `after_task_id`, without reading the others. Errors: NotFound."""
        ...

    def get_changes(self, name: RunName, after_sequence: int, limit: int) -> ChangeSlice:
        """The changes of states above `after_sequence`, oldest first. Errors: NotFound."""
        ...

    def get_spec(self, digest: bytes) -> bytes: ...

    def get_recorded(self, name: RunName) -> RecordedRun:
        """The run with the records of its tasks as they are now, from one snapshot. Errors: NotFound."""
        ...

    def get_original(self, parent: Parent, run_id: int) -> OriginalRun:
        """Errors: NotFound; FailedPrecondition when it has not ended."""
        ...

    def find_compiled_original(self, parent: Parent, run_id: int) -> CompiledOriginal | None:
        """None: it left no compiled run, or has no records of its own. Errors: as `get_original`."""
        ...

    def find_compiled_labels(self, run_id: int) -> bytes:
        """The labels of a compiled run; b"" where it is gone."""
        ...

    def list_runs(self, query: ListQuery) -> RunPage:
        """Newest first unless ordered otherwise. Errors: InvalidArgument for filter, order or token."""
        ...

    def request_cancel(self, name: RunName, now_ns: int) -> Run:
        """CANCELLING, or CANCELLED where nothing had started; a run that has ended stays as it is. Errors: NotFound."""
        ...

    def begin_batch_cancel(
        self, parent: Parent, names: Sequence[RunName], party: Party, now_ns: int
    ) -> Operation:
        """All names go to CANCELLING (or CANCELLED) or none does. Errors: NotFound naming each missing run."""
        ...

    def delete_runs(
        self, parent: Parent, names: Sequence[RunName], kind: OperationKind, party: Party, now_ns: int
    ) -> Operation:
        """All or none; the operation is done. Errors: NotFound; FailedPrecondition naming the runs that still go on."""
        ...

    def get_operation(self, name: OperationName) -> Operation:
        """Errors: NotFound."""
        ...

    def list_operations(
        self, parent: Parent, page_size: int, page_token: str
    ) -> tuple[Sequence[Operation], str]: ...

    def delete_operation(self, name: OperationName) -> None:
        """Forget an operation; what it does goes on. Errors: NotFound."""
        ...

    # The cross-run cache.

    def find_cached(self, scope: CacheScope, keys: Collection[bytes]) -> Mapping[bytes, CacheRow]:
        """The entries that these keys have."""
        ...

    def find_cached_of(self, scope: CacheScope, component: str, limit: int) -> Sequence[CacheRow]:
        """The newest entries of a component's tasks."""
        ...

    def list_cache(self, query: CacheQuery, page_size: int, page_token: str, now_ns: int) -> CachePage:
        """In the order of pipeline, task, key. Errors: InvalidArgument for the token."""
        ...

    def drop_cache(self, query: CacheQuery, now_ns: int) -> int:
        """Forget these outcomes, so that they answer nobody any more; gives their number."""
        ...

    # The scheduler's part.

    def claim_runs(self, owner: str, limit: int, now_ns: int, lease_s: float) -> Sequence[ClaimedRun]:
        """Take up to `limit` runs that have not ended and of which nobody holds a lease; raises each one's fence."""
        ...

    def renew_leases(self, owner: str, now_ns: int, lease_s: float) -> Sequence[tuple[int, RunState]]:
        """Renew all leases of `owner`; gives (run id, state) of the runs it still owns."""
        ...

    def owned_runs(self, owner: str) -> Sequence[tuple[int, RunState]]:
        """As `renew_leases` gives them; changes nothing."""
        ...

    def release_run(self, run_id: int, fence: int) -> None:
        """Give up the hold of a run, so that any server may claim it at once. Nothing happens where it is lost."""
        ...

    def living_attempts(self, executor: str) -> Sequence[bytes]:
        """The handles of all attempts of this executor that have no end yet, whichever server looks after them."""
        ...

    def record_progress(self, progress: Progress) -> ProgressResult:
        """Errors: FenceLost."""
        ...

    def record_progress_later(
        self,
        progress: Progress,
        tell: Callable[[ProgressResult | None, Exception | None], None],
        is_syncing: Callable[[], None],
    ) -> None:
        """As `record_progress`, without waiting: `tell` gets the result or the error, in a thread of the store's that
        it must not hold up. Errors: Unavailable, where nothing is begun and nothing told.

        `is_syncing`, likewise: the processor is free, for all that is left is to wait for the disk. A hint, that may be
        left out."""
        ...

    def look_up_cache(self, scope: CacheScope, keys: Sequence[bytes], now_ns: int) -> Sequence[CacheLook]:
        """For each key its outcome, and who executes it now, from one snapshot. Whoever has the lease of his run
        renewed until after `now_ns` still executes."""
        ...

    def keep_compiled(self, run_id: int, graph: bytes, labels: bytes) -> None:
        """Keep what a run that has ended leaves for its reruns; nothing happens where it is kept or the run gone."""
        ...

    def take_garbage(self, limit: int) -> Sequence[tuple[int, str]]:
        """Folders that no run refers to any more, to be removed by the caller: (id, path below the data dir)."""
        ...

    def drop_garbage(self, ids: Sequence[int]) -> None: ...

    def prune(self, before_ns: int, limit: int) -> int:
        """Forget up to `limit` done operations and as many request ids, all from before; gives how many it was."""
        ...

    def add_listener(self, listener: Callable[[int], None]) -> Callable[[], None]:
        """Call `listener(run id)` after a commit that concerns the run, from any thread; a hint that may be lost.

        Gives the function that removes it."""
        ...

    def close(self) -> None: ...
