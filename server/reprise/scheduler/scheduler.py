"""The scheduler: claims runs, drives each one, keeps its leases. It owns the one event loop, in a thread of its own.

Invariant: the store is the queue. A wake-up is a hint whose loss costs latency, never work: everything is also found by
polling. What one run does wrong ends the hold of that run, never the scheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from reprise import crash_point
from reprise.artifact.contract import ArtifactPlace
from reprise.domain.cache import OF_ANY_AGE, CacheAge, CacheLook, CacheScope
from reprise.domain.errors import FenceLost, RepriseError
from reprise.domain.run import ClaimedRun, Failure, Progress, ProgressResult, Run
from reprise.domain.states import RunState
from reprise.executor.contract import Executor
from reprise.executor.launch import AttemptMaker
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Pieces, compile_run, replaced_records
from reprise.scheduler.admission import Admission, HostCapacity, TaskLimits
from reprise.scheduler.driver import EncodeDetails, RunDriver
from reprise.scheduler.housekeeping import Housekeeping
from reprise.scheduler.leaf import LeafHost
from reprise.scheduler.recent_specs import RecentSpecs
from reprise.scheduler.sharing import Sharing
from reprise.scheduler.staging import Staging
from reprise.store.contract import Store

_log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
_INTERNAL = 13  # google.rpc.Code
_PAUSE_AFTER_FAULT_S = 2.0
_EIGHT_TASKS = TaskLimits(8)
_CLAIMED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class SchedulerSettings:
    data_dir: Path
    owner: str  # unique among the servers of one store, and among the lives of one server
    limits: TaskLimits = _EIGHT_TASKS
    capacity: HostCapacity = field(default_factory=HostCapacity.of_this_host)
    max_runs: int = 2000  # driven at once; the rest waits in the store
    lease_s: float = 15.0
    poll_s: float = 1.0
    look_ahead: int = 64  # leaves prepared beyond those that run
    cache_age: CacheAge = OF_ANY_AGE
    retention_s: float = 7 * 86_400.0  # of operations that are done, and of request ids


class Scheduler:
    """`start`, `wake` and `stop` are for any thread."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        maker: AttemptMaker,
        artifacts: ArtifactPlace,
        encode_details: EncodeDetails,
        now_ns: Callable[[], int],
        settings: SchedulerSettings,
        earlier_executors: Sequence[Executor] = (),
    ) -> None:
        """`earlier_executors`: those that only look after what was started by them before."""
        self._store = store
        self._earlier_executors = earlier_executors
        self._executor = executor
        self._maker = maker
        self._artifacts = artifacts
        self._encode_details = encode_details
        self._now_ns = now_ns
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_up = threading.Event()
        self._wanted = asyncio.Event()
        self._is_stopping = False
        self._drivers: dict[int, RunDriver] = {}
        self._driving: dict[int, asyncio.Task[None]] = {}
        # What the store does while its caller waits; steps of runs are told of when they are written (see `_write`).
        self._writers = ThreadPoolExecutor(16, thread_name_prefix="reprise-write")
        self._housekeeping = Housekeeping(
            store, settings.data_dir, settings.retention_s, now_ns, self._writers
        )
        self._specs = RecentSpecs()
        self._fault: BaseException | None = None
        self._renew_at_ns = 0

    def start(self) -> None:
        """Return when runs are being claimed. Errors: whatever kept it from starting."""
        self._thread = threading.Thread(target=self._main, name="reprise-scheduler", daemon=True)
        self._thread.start()
        self._is_up.wait()
        if self._fault is not None:
            raise self._fault

    def wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wanted.set)

    def stop(self) -> None:
        """Let go of every run without ending it: attempts live on, and the next server takes them over."""
        if self._thread is None or self._loop is None:
            return
        self._is_stopping = True
        self.wake()
        self._thread.join()
        self._writers.shutdown()

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._fault = error
            _log.exception("the scheduler has ended")
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        executors = (self._executor, *self._earlier_executors)
        for executor in executors:
            await executor.open()
        staging = Staging(self._artifacts)
        host = LeafHost(
            executor=self._executor,
            executors={executor.name: executor for executor in executors},
            maker=self._maker,
            artifacts=self._artifacts,
            admission=Admission(self._settings.limits, self._settings.capacity),
            staging=staging,
            runs_dir=self._settings.data_dir / "runs",
            now_ns=self._now_ns,
            sharing=Sharing(
                self._look_up_cache,
                self._artifacts,
                self._now_ns,
                self._settings.cache_age,
                self._settings.poll_s,
            ),
        )
        self._is_up.set()
        sweeping = asyncio.create_task(self._sweep())
        try:
            while not self._is_stopping:
                is_woken = self._wanted.is_set()
                self._wanted.clear()
                try:
                    await self._look_around(host, is_woken)
                except RepriseError as error:
                    _log.warning("the store did not answer: %s", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), self._settings.poll_s)
        finally:
            for task in (sweeping, *self._driving.values()):
                task.cancel()
            await asyncio.gather(sweeping, *self._driving.values(), return_exceptions=True)
            staging.close()
            for executor in executors:
                await executor.close()

    async def _sweep(self) -> None:
        """Have the executor remove what earlier servers left behind."""
        try:
            name = self._executor.name
            await self._executor.sweep(lambda: self._in_thread(self._store.living_attempts, name))
        except RepriseError as error:
            _log.warning("what earlier servers left behind could not be looked for: %s", error)

    async def _look_around(self, host: LeafHost, is_woken: bool) -> None:
        """Claim what is free, hand on cancels, drop what another server has taken, remove what nobody needs."""
        has_more = True
        while has_more and not self._is_stopping:
            has_more = await self._claim_some(host)
            now_ns = self._now_ns()
            if now_ns >= self._renew_at_ns:
                await self._renew(now_ns)
                is_woken = False
            elif is_woken:
                # A run was created, or a cancel asked for: that is seen without a write, for which others would wait.
                await self._look_after_owned(self._store.owned_runs, self._settings.owner)
                is_woken = False
        await self._housekeeping.look_around()

    async def _claim_some(self, host: LeafHost) -> bool:
        """Drive a few of the runs that are free; whether there may be more. The first ones begin while the others are
        still being read: a server that comes back to a thousand runs has tasks to start at once."""
        settings = self._settings
        wanted = min(settings.max_runs - len(self._driving), _CLAIMED_AT_ONCE)
        if wanted <= 0:
            return False
        claimed = await self._in_thread(
            self._store.claim_runs, settings.owner, wanted, self._now_ns(), settings.lease_s
        )
        for one in claimed:
            crash_point.reach("claim.after")
            self._drive(one, host)
        return len(claimed) == wanted

    async def _renew(self, now_ns: int) -> None:
        settings = self._settings
        self._renew_at_ns = now_ns + int(settings.lease_s / 3 * 1e9)
        await self._look_after_owned(self._store.renew_leases, settings.owner, now_ns, settings.lease_s)

    async def _look_after_owned(
        self, ask: Callable[P, Sequence[tuple[int, RunState]]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Let go of runs that are not this server's any more, and hand on cancels."""
        before = set(self._drivers)
        held = dict(await self._in_thread(ask, *args, **kwargs))
        for run_id in before & set(self._drivers):
            if run_id not in held:
                # It may just have ended; then its own driver is about to say so.
                self._driving[run_id].cancel()
            elif held[run_id] is RunState.CANCELLING:
                self._drivers[run_id].wake_for_cancel()

    def _drive(self, claimed: ClaimedRun, host: LeafHost) -> None:
        run_id = claimed.run.id
        task = asyncio.get_running_loop().create_task(self._drive_to_the_end(claimed, host))
        self._driving[run_id] = task
        task.add_done_callback(lambda _task: self._forget(run_id))

    def _forget(self, run_id: int) -> None:
        self._drivers.pop(run_id, None)
        self._driving.pop(run_id, None)

    async def _drive_to_the_end(self, claimed: ClaimedRun, host: LeafHost) -> None:
        run = claimed.run
        try:
            asked, driver, begun = await asyncio.to_thread(self._begin, claimed, host)
            self._drivers[run.id] = driver
            await driver.drive(begun)
            # It holds no lease any more, which is no reason to break off what follows.
            self._drivers.pop(run.id, None)
            await self._keep_for_reruns(run, asked, driver.ended_records)
        except FenceLost:
            _log.info("%s: another server has it now", run.name)
        except asyncio.CancelledError:
            await self._in_thread(self._store.release_run, run.id, run.fence)
            raise
        except Exception as error:
            _log.exception("%s: cannot be driven now; it is tried again", run.name)
            await self._hold_off(run, error)

    def _begin(self, claimed: ClaimedRun, host: LeafHost) -> tuple[Pieces, RunDriver, engine.Decisions]:
        """All that comes before anything is written or started. A large run takes a while, so not on the loop."""
        asked = self._asked(claimed)
        driver = RunDriver(
            claimed,
            asked,
            host,
            self._write,
            self._encode_details,
            self._now_ns,
            self._settings.limits.host + self._settings.look_ahead,
            self._specs.read(claimed.run.spec_digest, claimed.spec),
        )
        return asked, driver, driver.begin()

    async def _keep_for_reruns(self, run: Run, asked: Pieces, records: bytes) -> None:
        """Compile a run that has ended. It only spares reruns work, so nothing depends on its success."""
        try:
            compiled = await asyncio.to_thread(compile_run, _asking_for_nothing(run, asked, records))
            if compiled is not None:
                await self._in_thread(self._store.keep_compiled, run.id, compiled.graph, compiled.labels)
        except Exception:
            _log.exception("%s: its reruns will be planned from its records", run.name)

    async def _hold_off(self, run: Run, error: Exception) -> None:
        """Say on the run why it does not go on, and give it back after a pause."""
        failure = Failure(_INTERNAL, f"this run cannot go on now, and is tried again: {error}")
        with contextlib.suppress(RepriseError):
            await self._write(Progress(run.id, run.fence, self._now_ns(), error=failure))
        is_released = False
        # A lease that is not given back is renewed with all the others, and nobody would drive the run again.
        while not is_released:
            await asyncio.sleep(_PAUSE_AFTER_FAULT_S)
            with contextlib.suppress(RepriseError):
                await self._in_thread(self._store.release_run, run.id, run.fence)
                is_released = True

    def _asked(self, claimed: ClaimedRun) -> Pieces:
        """What the core needs, put together again from what the store keeps apart."""
        run = claimed.run
        request = engine.RunRequest.FromString(claimed.request)
        records = b""
        if request.HasField("original"):
            # Those that the plan found to have lost artifacts stand in the place of what was recorded.
            lost, records = request.original.records, claimed.original_records
            records = replaced_records(records, lost) if lost else records
            request.original.records = b""
        settings = request.settings
        settings.run_id = run.id
        settings.job_id = run.name.job_id
        settings.resource_name = str(run.name)
        settings.create_time_utc = settings.schedule_time_utc = _rfc3339(run.created_ns)
        folder = self._settings.data_dir / "runs" / str(run.id)
        settings.workspace_path = str(folder / "workspace")
        if not settings.pipeline_root or self._artifacts.problem(settings.pipeline_root):
            settings.pipeline_root = str(folder / "artifacts")
        return Pieces(request, claimed.spec, records)

    async def _write(
        self, progress: Progress, meanwhile: Callable[[], None] = lambda: None
    ) -> ProgressResult:
        """`meanwhile` is called when the store waits for the disk, unless nobody waits for the write any more. An error
        of its own is one of the write: what it leaves undone would be missed by nobody."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[ProgressResult] = loop.create_future()

        def settle(result: ProgressResult | None, error: Exception | None) -> None:
            if written.done():  # nobody waits for it any more
                return
            if error is not None:
                written.set_exception(error)
            elif result is not None:
                written.set_result(result)

        def tell(result: ProgressResult | None, error: Exception | None) -> None:
            with contextlib.suppress(RuntimeError):  # the scheduler has stopped meanwhile
                loop.call_soon_threadsafe(settle, result, error)

        def look_ahead() -> None:
            if written.done():
                return
            try:
                meanwhile()
            except Exception as error:
                written.set_exception(error)

        def is_syncing() -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(look_ahead)

        self._store.record_progress_later(progress, tell, is_syncing)
        return await written

    async def _look_up_cache(self, scope: CacheScope, keys: Sequence[bytes]) -> Sequence[CacheLook]:
        return await self._in_thread(self._store.look_up_cache, scope, keys, self._now_ns())

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writers, lambda: call(*args, **kwargs))


def _asking_for_nothing(run: Run, asked: Pieces, records: bytes) -> Pieces:
    """The request of a rerun of `run` that changes nothing."""
    rerun, settings = engine.RunRequest(), asked.request.settings
    rerun.settings.salt = settings.salt
    rerun.settings.are_legacy_parameters = settings.are_legacy_parameters
    rerun.original.run_id, rerun.original.resource_name = run.id, str(run.name)
    rerun.original.parameters.extend(settings.parameters)
    return Pieces(rerun, asked.spec, records)


def _rfc3339(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
