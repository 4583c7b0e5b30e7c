"""The use cases, one method each. Knows no wire format, no database, no process.

Invariant: a call either does all that was asked and is durable when it returns, or raises and has done nothing.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reprise.artifact.contract import ArtifactPlace
from reprise.changes import RunListeners
from reprise.domain import errors
from reprise.domain.cache import OF_ANY_AGE, CacheAge, CachePage, CacheQuery
from reprise.domain.commands import CreateRun
from reprise.domain.names import OperationName, Parent, RunName
from reprise.domain.run import (
    ChangeSlice,
    ListQuery,
    NewRun,
    Operation,
    OperationKind,
    OriginalRef,
    Party,
    Run,
    RunDetails,
    RunPage,
    TaskSlice,
)
from reprise.explanation import Explanations, TaskExplanation
from reprise.known_outcomes import KnownOutcomes
from reprise.planning import Preparation, Prepared
from reprise.recent_plans import PlanView, RecentPlan, RecentPlans
from reprise.store.contract import Store
from reprise.unchanged import UnchangedRerun, UnchangedReruns

_NOT_IN_AN_ID = re.compile(r"[^-0-9a-z]+")
EffectiveHeader = Callable[[bytes, Mapping[str, str], str], bytes]
_LONGEST_WAIT_S = 3600.0
_PLAN_HOLDS_NS = 5_000_000_000
_MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class TaskLog:
    """Where the log of one attempt lies. `is_complete`: nothing more will be written to it."""

    path: Path
    attempt: int
    is_complete: bool


class PipelineService:
    """Safe to call from any number of threads."""

    def __init__(
        self,
        store: Store,
        artifacts: ArtifactPlace,
        data_dir: Path,
        now_ns: Callable[[], int],
        unique: Callable[[], str],
        wake: Callable[[], None] = lambda: None,
        is_environment_vouched: bool = False,
        effective_header: EffectiveHeader = lambda preserved, _parameters, _directory: preserved,
        cache_age: CacheAge = OF_ANY_AGE,
        salts: Mapping[str, str] | None = None,
    ) -> None:
        """`unique` gives short lower-case strings for ids; `wake` hints to the scheduler that there is work.

        `is_environment_vouched`: see `check_platform_spec`. `effective_header` gives the header of a rerun, whose
        parameters and output directory come partly from its original. `salts`: of projects, in every key of theirs.
        """
        self._store = store
        self._data_dir = data_dir
        self._now_ns = now_ns
        self._unique = unique
        self._wake = wake
        known = KnownOutcomes(store, artifacts, now_ns, cache_age)
        salts = salts or {}
        self._preparation = Preparation(store, artifacts, known, is_environment_vouched, salts, data_dir)
        self._unchanged = UnchangedReruns(store, artifacts, salts)
        self._recent_plans = RecentPlans()
        self._cache_age = cache_age
        self._explanations = Explanations(store)
        self._effective_header = effective_header
        self._listeners = RunListeners()
        store.add_listener(self._listeners.tell)

    def create(self, command: CreateRun) -> Run:
        """Store a run, durable and PENDING. Repeatable with the same request id.

        Errors: InvalidArgument (every problem at once), AlreadyExists, NotFound, FailedPrecondition, Aborted.
        """
        if command.request_id:
            earlier = self._store.find_request(command.parent, command.request_id, command.fingerprint)
            if earlier is not None:
                return earlier
        tries = _MOST_TRIES
        while True:
            prepared = self._unchanged.prepare(command) or self._preparation.prepare(command)
            if command.etag and command.etag != prepared.etag:
                raise errors.Aborted()
            try:
                run, is_new = self._store_run(command, prepared)
                break
            except errors.Aborted:
                # A run whose cached outcome was to be reused has been deleted meanwhile: that changes no etag.
                tries -= 1
                if not tries:
                    raise
        if is_new:
            self._wake()
        return run

    def _store_run(self, command: CreateRun, prepared: Prepared | UnchangedRerun) -> tuple[Run, bool]:
        head, original = prepared.head, prepared.original_run
        name = RunName.make(command.parent, command.job_id or self._job_id(head.pipeline_name))
        return self._store.create_run(
            NewRun(
                name=name,
                display_name=command.display_name or head.pipeline_name,
                pipeline_name=head.pipeline_name,
                labels=command.labels,
                header_wire=self._header(command, prepared),
                spec=prepared.spec,
                request=prepared.stored_request(),
                created_ns=self._now_ns(),
                original=OriginalRef(original.id, str(original.name)) if original else None,
                template_uri=command.template_uri,
                schedule_name=command.schedule_name,
                warnings=(*command.warnings, *head.warnings),
                reuses=prepared.reuses,
                is_spec_of_original=prepared.is_spec_of_original,
            ),
            command.request_id,
            command.fingerprint,
        )

    def plan(self, command: CreateRun) -> PlanView:
        """What `create` with the same command would do. Changes nothing. Errors: as `create`."""
        prepared = self._preparation.prepare(command)
        view = PlanView(prepared.etag, prepared.plan)
        original_id = 0 if prepared.original is None else prepared.original.run.id
        self._recent_plans.put(command.fingerprint, RecentPlan(view, original_id, self._now_ns()))
        return view

    def plan_again(self, command: CreateRun, etag: str) -> PlanView:
        """The plan that was shown with this etag, if it still holds; made anew only where it is not kept any more.

        That it holds is looked into every few seconds. Errors: Aborted when the world has changed; as `create`.
        """
        recent = self._recent_plans.find(command.fingerprint, etag)
        if recent is None:
            view = self.plan(command)
            if view.etag != etag:
                raise errors.Aborted()
            return view
        if self._now_ns() - recent.seen_ns > _PLAN_HOLDS_NS:
            if self._preparation.etag(command) != etag:
                raise errors.Aborted()
            self._recent_plans.put(command.fingerprint, replace(recent, seen_ns=self._now_ns()))
        elif recent.original_id:
            self._store.get_run_by_id(command.parent, recent.original_id)  # it may have been deleted
        return recent.view

    def explain(self, name: RunName, task: str, against: RunName | None) -> TaskExplanation:
        """Why a task ran, or did not; compared with the run `against`, or else its original.

        Errors: NotFound for the run, the task, the other run; FailedPrecondition where the task waits for others.
        """
        return self._explanations.explain(name, task, against)

    def list_cache(self, query: CacheQuery, page_size: int, page_token: str) -> CachePage:
        """What the cross-run cache keeps."""
        now_ns = self._now_ns()
        page = self._store.list_cache(query, page_size, page_token, now_ns)
        entries = [
            replace(entry, is_expired=self._cache_age.is_expired(entry.row.created_ns, now_ns))
            for entry in page.entries
        ]
        return CachePage(entries, page.next_token)

    def drop_cache(self, query: CacheQuery) -> int:
        """Forget outcomes, so that they answer no task any more; gives their number. Durable."""
        return self._store.drop_cache(query, self._now_ns())

    def get(self, name: RunName) -> RunDetails:
        return self._store.get_details(name)

    def get_run(self, name: RunName) -> Run:
        """A run without its inside, whose reading takes longer the more tasks it has. Errors: NotFound."""
        return self._store.get_run(name)

    def tasks(self, name: RunName, after_task_id: int, limit: int) -> TaskSlice:
        """Some tasks of a run, without reading the others. Errors: NotFound."""
        return self._store.get_tasks(name, after_task_id, limit)

    def changes(self, name: RunName, after_sequence: int, limit: int) -> ChangeSlice:
        """The changes of states since a place, oldest first. Errors: NotFound."""
        return self._store.get_changes(name, after_sequence, limit)

    def listen(self, run_id: int, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, which must not block, when the run has changed: a hint that may be lost.

        Gives the function that removes it.
        """
        return self._listeners.add(run_id, listener)

    def list(self, query: ListQuery) -> RunPage:
        return self._store.list_runs(query)

    def cancel(self, name: RunName) -> Run:
        """Once this returns, no task of the run starts any more. A run that has ended is left as it is."""
        run = self._store.request_cancel(name, self._now_ns())
        self._wake()
        return run

    def delete(self, name: RunName, party: Party) -> Operation:
        """Errors: NotFound; FailedPrecondition for a run that has not ended."""
        return self._store.delete_runs(name.parent, [name], OperationKind.DELETE, party, self._now_ns())

    def batch_cancel(self, parent: Parent, names: Sequence[RunName], party: Party) -> Operation:
        """All or none; repeats count once. The operation is done when every run has ended."""
        operation = self._store.begin_batch_cancel(parent, _once(names), party, self._now_ns())
        self._wake()
        return operation

    def batch_delete(self, parent: Parent, names: Sequence[RunName], party: Party) -> Operation:
        return self._store.delete_runs(
            parent, _once(names), OperationKind.BATCH_DELETE, party, self._now_ns()
        )

    def get_operation(self, name: OperationName) -> Operation:
        return self._store.get_operation(name)

    def wait_operation(self, name: OperationName, timeout_s: float) -> Operation:
        """The operation as it is when it is done, or after `timeout_s`, whichever comes first."""
        changed = threading.Event()
        remove = self._store.add_listener(lambda _run_id: changed.set())
        try:
            # Not the clock of the host: where that is set back, a wait would hold its thread for as long.
            deadline_s = time.monotonic() + min(timeout_s, _LONGEST_WAIT_S)
            while True:
                changed.clear()
                operation = self._store.get_operation(name)
                left_s = deadline_s - time.monotonic()
                if operation.is_done or left_s <= 0:
                    return operation
                changed.wait(min(left_s, 1.0))
        finally:
            remove()

    def list_operations(
        self, parent: Parent, page_size: int, page_token: str
    ) -> tuple[Sequence[Operation], str]:
        return self._store.list_operations(parent, page_size, page_token)

    def delete_operation(self, name: OperationName) -> None:
        self._store.delete_operation(name)

    def cancel_operation(self, name: OperationName) -> None:
        """Operations here cannot be taken back: what they cancel or delete is under way. Errors: NotFound."""
        self._store.get_operation(name)

    def task_log(self, name: RunName, task: str, attempt: int = 0) -> TaskLog:
        """The log of a task, named by path or id; attempt 0 is the latest. Errors: NotFound."""
        found = self._store.find_attempt(name, task, attempt)
        folder = self._data_dir / "runs" / str(found.run_id) / str(found.task_id) / str(found.number)
        return TaskLog(folder / "log", found.number, found.is_complete)

    def _job_id(self, pipeline_name: str) -> str:
        stem = _NOT_IN_AN_ID.sub("-", pipeline_name.lower()).strip("-")[:100] or "run"
        return f"{stem}-{self._unique()}"

    def _header(self, command: CreateRun, prepared: Prepared | UnchangedRerun) -> bytes:
        if prepared.original_run is None:
            return command.preserved_wire
        settings = prepared.request.settings
        return self._effective_header(
            command.preserved_wire,
            {parameter.name: parameter.json for parameter in settings.parameters},
            settings.pipeline_root,
        )


def _once(names: Sequence[RunName]) -> list[RunName]:
    return list(dict.fromkeys(names))
