"""One run, from the claim to its end: feeds what happened to the core, writes what it decides, launches leaves.

Invariants: everything is written before it is acted upon, in one transaction a step, under this server's fence. No
attempt starts before the store has committed it, and the store refuses that for a run that is being cancelled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from reprise.domain.cache import CacheRow, Lead, without_iterations
from reprise.domain.errors import ResourceExhausted, Unavailable
from reprise.domain.run import (
    AttemptRow,
    ClaimedRun,
    DetailsPart,
    Failure,
    Finish,
    Progress,
    ProgressResult,
    Run,
)
from reprise.domain.states import RunState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, ReadSpec, RunMachine
from reprise.scheduler.leaf import Leaf, LeafHost, LeafOutcome, Start
from reprise.scheduler.places import RunPlaces
from reprise.scheduler.plain import PlainLeaves, PlainSuccesses
from reprise.scheduler.sharing import scope_of

_ROUNDS_TO_JOIN = 4
_LOOKED_AFTER_AT_ONCE = 64

_log = logging.getLogger(__name__)
_STORE_PAUSE_S = 0.5
EncodeDetails = Callable[[Run, bytes, engine.Values], Sequence[DetailsPart]]  # bytes: engine.TaskRecords
Write = Callable[[Progress, Callable[[], None]], Awaitable[ProgressResult]]
"""The other argument is called while the disk is waited for."""


@dataclass(slots=True)
class _Pending:
    """What the next transaction will carry."""

    starts: list[AttemptRow] = field(default_factory=list)
    started: list[asyncio.Future[Start]] = field(default_factory=list)
    leads: dict[int, Lead] = field(default_factory=dict)
    ended_leads: dict[int, bytes] = field(default_factory=dict)
    attempts: dict[tuple[int, int], AttemptRow] = field(default_factory=dict)
    plain_ends: list[AttemptRow] = field(default_factory=list)
    cache: list[CacheRow] = field(default_factory=list)
    reuses: list[int] = field(default_factory=list)
    error: Failure | None = None

    @property
    def ends(self) -> tuple[AttemptRow, ...]:
        """Of attempts."""
        return (*self.attempts.values(), *self.plain_ends)


class RunDriver:
    """Lives on the scheduler's loop; `wake_for_cancel` is the one method that others call."""

    def __init__(
        self,
        claimed: ClaimedRun,
        asked: Pieces,
        host: LeafHost,
        write: Write,
        encode_details: EncodeDetails,
        now_ns: Callable[[], int],
        window: int,
        spec: ReadSpec | None = None,
    ) -> None:
        """`window`: how many leaves are looked after at once, waiting ones included; the rest is queued cheaply.
        `spec`: that of `asked`, read before.
        """
        self.run = claimed.run
        self._state = claimed.run.state
        settings = asked.request.settings
        outputs_uri = f"{settings.pipeline_root}/{settings.job_id}"
        outputs_dir = str(host.artifacts.local_path(outputs_uri) or "")
        self.places = RunPlaces(self.run.id, host.runs_dir, settings, outputs_uri, outputs_dir)
        self._machine = RunMachine(asked, [row.record for row in claimed.tasks], spec)
        self._attempts: dict[int, list[AttemptRow]] = {}
        for attempt in claimed.attempts:
            self._attempts.setdefault(attempt.task_id, []).append(attempt)
        self._host = host
        self._write = write
        self._encode_details = encode_details
        self._now_ns = now_ns
        self._window = window
        self._queue: deque[engine.Launch] = deque()
        self._leaves: dict[int, Leaf] = {}
        self._plain = PlainLeaves.of(self, host)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: list[LeafOutcome] = []
        self._pending = _Pending()
        self._next_starts = 0  # as many leaves as start now are likely to come next
        self._something = asyncio.Event()
        self._is_cancelling = claimed.run.state is RunState.CANCELLING
        self._is_cancel_known = False
        # TaskRecords, once the run has ended.
        self.ended_records = b""
        self._is_fail_fast = settings.failure_policy == engine.FAIL_FAST_POLICY
        self._cancel_told = asyncio.Event()

    def wake_for_cancel(self) -> None:
        self._is_cancelling = True
        self._cancel_told.set()
        self._something.set()

    def begin(self) -> engine.Decisions:
        """Start the machine, or take it up again where the records left it; to be driven from there. In any thread."""
        return self._machine.begin(self._now_ns())

    async def drive(self, begun: engine.Decisions) -> None:
        """Go on with the run until it has ended. Errors: FenceLost; whatever else is a fault of this server."""
        try:
            decisions: engine.Decisions | None = begun
            self._take_up(decision.launch for decision in begun.decisions)
            self._keep_back()
            while True:
                if decisions is not None and decisions.HasField("run_ended"):
                    await self._finish(decisions.run_ended)
                    return
                self._fill_window(is_ahead=False)
                await self._flush()
                if not self._has_news:
                    await self._something.wait()
                    # The leaf that ended has made room for one that asks to start in these rounds of the loop: its
                    # start goes into the same transaction, instead of waiting for the next.
                    for _ in range(_ROUNDS_TO_JOIN):
                        await asyncio.sleep(0)
                self._something.clear()
                decisions = self._advance()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._plain is not None:
                await self._plain.close()

    def _take_up(self, launches: Iterable[engine.Launch]) -> None:
        """What an earlier server has started may be alive, and is looked after however many it is."""
        for launch in launches:
            attempts = self._attempts.pop(launch.task_id, [])
            if attempts:
                self.look_after(Leaf(launch, attempts, self, self._host), launch)
            else:
                self._queue.append(launch)

    # What leaves call.

    def wake(self) -> None:
        self._something.set()

    def look_after(self, leaf: Leaf, launch: engine.Launch) -> None:
        """From now on the leaf has a coroutine."""
        self._leaves[launch.task_id] = leaf
        if self._is_cancel_known:
            leaf.cancel()
        elif self._is_keeping_back:
            leaf.keep_back()
        task = asyncio.get_running_loop().create_task(self._run_leaf(leaf))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start_attempt(self, row: AttemptRow, lead: Lead | None) -> Start:
        """Commit the start of an attempt, which may start only if that says so."""
        committed: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        self._pending.starts.append(row)
        if lead is not None:
            self._pending.leads[row.task_id] = lead
        self._pending.started.append(committed)
        self._something.set()
        return await committed

    def end_attempt(self, row: AttemptRow, retry_after: engine.Failure | None) -> None:
        """Note the end of an attempt. `retry_after`: it failed, and the task will be tried again."""
        self._pending.attempts[row.task_id, row.number] = row
        if retry_after is not None:
            self._machine.await_retry(row.task_id, retry_after, self._now_ns())
        self._something.set()

    def note_cache(self, task_id: int, use: engine.CacheUse) -> None:
        """Note what the cache had to say. That a task waits is shown at once, all else with the next write of it."""
        is_waiting = use.answer == engine.CACHE_FOLLOWS
        self._machine.note_cache(task_id, use, is_shown=is_waiting)
        if is_waiting:
            self._something.set()

    def show_error(self, failure: Failure) -> None:
        """Show on the run why it cannot end."""
        self._pending.error = failure
        self._something.set()

    # The loop's parts.

    @property
    def _has_news(self) -> bool:
        return bool(
            self._ended
            or self._pending.starts
            or self._pending.attempts
            or (self._is_cancelling and not self._is_cancel_known)
            or (self._plain is not None and self._plain.has_news)
        )

    @property
    def _is_keeping_back(self) -> bool:
        return self._is_fail_fast and self._machine.has_failed

    def _advance(self) -> engine.Decisions | None:
        outcomes, self._ended = self._ended, []
        succeeded = PlainSuccesses()
        if self._plain is not None:
            refused, succeeded = self._plain.take_ends()
            outcomes += refused
        for outcome in outcomes:
            self._note_end(outcome)
        pending = self._pending
        pending.plain_ends += succeeded.rows
        pending.ended_leads.update(succeeded.shared)
        is_first_cancel = self._is_cancelling and not self._is_cancel_known
        if is_first_cancel:
            self._cancel_all()
        elif not (outcomes or succeeded.rows):
            return None
        decisions = self._machine.tell(
            [(outcome.event, outcome.kill_method) for outcome in outcomes],
            succeeded.killed,
            self._now_ns(),
            cancel=is_first_cancel,
        )
        for outcome in outcomes:
            if outcome.cache_key:
                pending.cache.append(self._cache_row(outcome.cache_key, outcome.event.task_id))
        pending.cache += [self._cache_row(key, task_id) for task_id, key in succeeded.shared]
        self._queue.extend(decision.launch for decision in decisions.decisions)
        self._keep_back()
        return decisions

    def _note_end(self, outcome: LeafOutcome) -> None:
        """What the next write carries of it, beside the record of its task."""
        task_id = outcome.event.task_id
        leaf = self._leaves.pop(task_id, None)
        if outcome.event.state == engine.PENDING:
            self._attempts[task_id] = list(leaf.attempts) if leaf is not None else []
        if outcome.attempt is not None:
            self._pending.attempts[outcome.attempt.task_id, outcome.attempt.number] = outcome.attempt
        if outcome.led_key:
            self._pending.ended_leads[task_id] = outcome.led_key
        if outcome.event.HasField("source"):
            self._pending.reuses.append(outcome.event.source.run_id)

    def _cancel_all(self) -> None:
        self._is_cancel_known = True
        for leaf in self._leaves.values():
            leaf.cancel()
        if self._plain is not None:
            self._plain.cancel()

    def _keep_back(self) -> None:
        """Under FAIL_FAST, once a task has failed: what was launched and has not started never does."""
        if not self._is_keeping_back:
            return
        for leaf in self._leaves.values():
            leaf.keep_back()
        if self._plain is not None:
            self._plain.keep_back()
        for launch in self._queue:
            if not (launch.is_in_exit or self._has_attempts(launch)):
                self._ended.append(LeafOutcome.kept_back(launch))
        kept = {outcome.event.task_id for outcome in self._ended}
        self._queue = deque(launch for launch in self._queue if launch.task_id not in kept)

    def _has_attempts(self, launch: engine.Launch) -> bool:
        return bool(self._attempts.get(launch.task_id))

    def _cache_row(self, key: bytes, task_id: int) -> CacheRow:
        """The outcome for other runs, saying where it comes from."""
        record = self._machine.record(task_id)
        cached = engine.TaskRecord(
            path=record.path,
            outputs=record.outputs,
            key=record.key,
            preimage=record.preimage,
            component=record.component,
        )
        cached.source.run_name, cached.source.run_id = str(self.run.name), self.run.id
        cached.source.task_id, cached.source.path = record.task_id, record.path
        return CacheRow(
            key=key,
            run_id=self.run.id,
            task_id=record.task_id,
            record=cached.SerializeToString(),
            created_ns=record.ended_ns,
            task=without_iterations(record.path),
            component=record.component,
        )

    def _fill_window(self, *, is_ahead: bool) -> None:
        """Look after as many leaves as there is room for; those that would only wait, where there is time for that
        (`is_ahead`)."""
        plain = self._plain
        room = self._window - len(self._leaves) - (len(plain) if plain is not None else 0)
        # What was cancelled before it started needs no room.
        while self._queue and (room > 0 or self._is_cancel_known):
            if plain is not None and plain.has_waiting and not is_ahead:
                return
            plain_ones = []
            # As few at once as leaves the others where they are, if these do not get a place.
            count = len(self._queue) if self._is_cancel_known else min(room, _LOOKED_AFTER_AT_ONCE)
            for _ in range(min(count, len(self._queue))):
                launch = self._queue.popleft()
                attempts = self._attempts.pop(launch.task_id, []) if self._attempts else []
                if self._is_cancel_known and not attempts:
                    self._ended.append(LeafOutcome.never_started(launch))
                    continue
                room -= 1
                if plain is not None and not attempts and plain.takes(launch):
                    plain_ones.append(launch)
                else:
                    self.look_after(Leaf(launch, attempts, self, self._host), launch)
            if plain is not None:
                plain.add(plain_ones)

    async def _run_leaf(self, leaf: Leaf) -> None:
        outcome = await leaf.run()
        self._ended.append(outcome)
        self._something.set()

    async def _flush(self) -> None:
        pending, self._pending = self._pending, _Pending()
        now_ns = self._now_ns()
        starts = () if self._is_cancelling else tuple(filter(self._may_start, pending.starts))
        plain = () if self._is_cancelling or self._plain is None else self._plain.take_starts()
        leads = {row.task_id: pending.leads[row.task_id] for row in starts if row.task_id in pending.leads}
        leads.update((leaf.launch.task_id, leaf.lead) for leaf in plain if leaf.lead is not None)
        rows = (*starts, *(leaf.row for leaf in plain))
        starting = self._machine.start_attempts(rows, now_ns)
        tasks = self._machine.take_dirty()
        state = RunState.RUNNING if rows and self._state in _NOT_BEGUN else None
        ends = pending.ends
        if not (tasks or rows or ends or pending.cache or pending.error):
            for committed in pending.started:
                committed.set_result(Start.REFUSED)
            self._fill_window(is_ahead=True)
            return
        self._next_starts = len(plain)
        result = await self._record(
            Progress(
                run_id=self.run.id,
                fence=self.run.fence,
                now_ns=now_ns,
                tasks=tasks,
                starts=rows,
                starting=starting,
                attempts=ends,
                state=state,
                cache=tuple(pending.cache),
                leads=leads,
                ended_leads=tuple(pending.ended_leads),
                reuses=tuple(pending.reuses),
                error=pending.error,
            )
        )
        self._state = result.state
        self._fill_window(is_ahead=True)
        self._tell_followers(pending)
        self._release(pending)
        if result.state is RunState.CANCELLING and not self._is_cancelling:
            self.wake_for_cancel()
        if result.were_starts_refused:
            self._machine.take_back()
        elif result.held_back:
            self._machine.take_back(result.held_back)
        for start, committed in zip(pending.starts, pending.started, strict=True):
            if committed.done():
                continue
            if start not in starts or result.were_starts_refused:
                committed.set_result(Start.REFUSED)
            else:
                is_held_back = start.task_id in result.held_back
                committed.set_result(Start.HELD_BACK if is_held_back else Start.STARTED)
        if self._plain is not None:
            self._plain.started(result)

    def _look_ahead(self) -> None:
        """While the disk is waited for: what the next write can carry."""
        if not self._is_cancelling:
            self._fill_window(is_ahead=True)
            if self._plain is not None:
                self._plain.prepare(self._next_starts)

    def _may_start(self, row: AttemptRow) -> bool:
        """Not a task that was kept back while its start was on its way into the store."""
        leaf = self._leaves.get(row.task_id)
        return leaf is None or not leaf.is_kept_back

    def _tell_followers(self, pending: _Pending) -> None:
        """What is committed may be seen by those that wait for it."""
        for key in pending.ended_leads.values():
            self._host.sharing.released(scope_of(self.run), key)

    def _release(self, written: _Pending) -> None:
        """What the executor keeps of attempts whose ends are committed is not needed any more."""
        for name, executor in self._host.executors.items():
            handles = [row.handle for row in written.ends if row.executor == name]
            if handles:
                executor.release(handles)

    async def _record(self, progress: Progress) -> ProgressResult:
        """Write it, however long the store is away: what runs is left alone meanwhile, and nothing starts.

        On a full disk it waits for room, unless the run is being cancelled: that has to go through.
        """
        is_told = False
        while True:
            try:
                return await self._write(replace(progress, is_urgent=self._is_cancelling), self._look_ahead)
            except (Unavailable, ResourceExhausted) as error:
                if isinstance(error, ResourceExhausted) and error.metadata.get("limit") != "disk":
                    raise
                if not is_told:
                    _log.warning("%s waits for the store: %s", self.run.name, error)
                is_told = True
            if self._cancel_told.is_set():
                await asyncio.sleep(_STORE_PAUSE_S)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._cancel_told.wait(), _STORE_PAUSE_S)

    def _encoded(self, outputs: engine.Values) -> tuple[bytes, Sequence[DetailsPart]]:
        """The records of an ended run, and its tasks as clients read them."""
        records = self._machine.all_records()
        return records, self._encode_details(self.run, records, outputs)

    async def _finish(self, ended: engine.RunEnded) -> None:
        running = self._machine.any_running()
        if running is not None:  # a fault of the core must not be written down as an outcome
            raise RuntimeError(f"{self.run.name}: the run ended while {running} was running")
        records, details = await asyncio.to_thread(self._encoded, ended.outputs)
        await self._record(
            Progress(
                run_id=self.run.id,
                fence=self.run.fence,
                now_ns=self._now_ns(),
                tasks=self._machine.take_dirty(),
                attempts=self._pending.ends,
                cache=tuple(self._pending.cache),
                reuses=tuple(self._pending.reuses),
                state=(
                    RunState.RUNNING
                    if self._state in _NOT_BEGUN and ended.state != engine.CANCELLED
                    else None
                ),
                finish=Finish(
                    state=_RUN_STATES[ended.state],
                    error=Failure(ended.error.code, ended.error.message) if ended.HasField("error") else None,
                    records=records,
                    details_wire=details[0].wire if len(details) == 1 else b"",
                    details_parts=details if len(details) > 1 else (),
                ),
            )
        )
        self._tell_followers(self._pending)
        self._release(self._pending)
        self.ended_records = records


_NOT_BEGUN = (RunState.QUEUED, RunState.PENDING)
_RUN_STATES = {
    engine.SUCCEEDED: RunState.SUCCEEDED,
    engine.FAILED: RunState.FAILED,
    engine.CANCELLED: RunState.CANCELLED,
}
