"""One leaf task from "may run" to its end: cache, environment, attempts with their retries, outputs.

Invariant: an attempt starts only after its row is committed, and a task is tried again only when the attempt before it
is known to be dead.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from reprise import crash_point
from reprise.artifact.contract import ArtifactPlace
from reprise.domain.cache import Lead
from reprise.domain.errors import Unavailable
from reprise.domain.run import AttemptRow, Failure, Run
from reprise.domain.states import AttemptState
from reprise.executor.attempt_files import log_tail
from reprise.executor.contract import AttemptSpec, Cause, Executor, Exit
from reprise.executor.environment import EnvironmentFailed
from reprise.executor.launch import AttemptMaker, CannotLaunch
from reprise.executor.outputs import OutputsInvalid, collect
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.scheduler.admission import Admission, Demand, ExceedsHost
from reprise.scheduler.inputs import find_lost, once_reached
from reprise.scheduler.places import AttemptPlace, RunPlaces
from reprise.scheduler.sharing import Sharing, is_shared
from reprise.scheduler.staging import LocalView, Staging, StagingFailed

T = TypeVar("T")
_LOST_ATTEMPTS_AT_MOST = 3
_CANCELLED, _UNKNOWN, _NOT_FOUND, _DEADLINE, _EXHAUSTED, _UNAVAILABLE = 1, 2, 5, 4, 8, 14  # google.rpc.Code
_SURVIVOR_PAUSE_S = 2.0
_LOG_TAIL_BYTES = 4096
_LONGEST_LAST_LINE = 300


# What keeps a task from being run here, whoever tries.
CANNOT_RUN = (CannotLaunch, EnvironmentFailed, ExceedsHost)
_ATTEMPT_STATES = {Cause.CANCELLED: AttemptState.CANCELLED, Cause.LOST: AttemptState.LOST}


class Start(Enum):
    """What became of the wish to start an attempt."""

    STARTED = "started"
    REFUSED = "refused"  # the run is being cancelled
    HELD_BACK = "held back"  # another run has the outcome of an equal task, or makes it


class LeafOwner(Protocol):
    """What a leaf needs of the run it belongs to."""

    run: Run
    places: RunPlaces

    async def start_attempt(self, row: AttemptRow, lead: Lead | None) -> Start: ...

    def note_cache(self, task_id: int, use: engine.CacheUse) -> None: ...

    def end_attempt(self, row: AttemptRow, retry_after: engine.Failure | None) -> None: ...

    def show_error(self, failure: Failure) -> None: ...


@dataclass(frozen=True, slots=True)
class LeafHost:
    """What all leaves of a server share."""

    executor: Executor  # of what is started now
    executors: Mapping[str, Executor]  # by name; of what was started before
    maker: AttemptMaker
    artifacts: ArtifactPlace
    admission: Admission
    staging: Staging
    runs_dir: Path
    now_ns: Callable[[], int]
    sharing: Sharing


class LeafOutcome(NamedTuple):
    event: engine.LeafEnded
    attempt: AttemptRow | None = None
    cache_key: bytes = b""  # under which other runs may find it; empty: they may not
    led_key: bytes = b""  # for which equal tasks of other runs may have waited
    kill_method: str = ""

    @classmethod
    def never_started(cls, launch: engine.Launch) -> LeafOutcome:
        return cls(
            _ended(launch, engine.CANCELLED, _CANCELLED, "the run was cancelled before this task started")
        )

    @classmethod
    def not_run(cls, launch: engine.Launch, error: Exception) -> LeafOutcome:
        """Of what CANNOT_RUN holds, or an OSError."""
        if isinstance(error, CANNOT_RUN):
            return cls(_ended(launch, engine.FAILED, _UNKNOWN, str(error)))
        message = f"this host could not run the task: {error}"
        return cls(_ended(launch, engine.FAILED, _EXHAUSTED, message))

    @classmethod
    def succeeded(
        cls, launch: engine.Launch, outputs: engine.Values, row: AttemptRow, kill_method: str
    ) -> LeafOutcome:
        event = engine.LeafEnded(task_id=launch.task_id, state=engine.SUCCEEDED, outputs=outputs)
        is_cached, key = launch.is_cache_enabled, launch.cache_key
        return cls(event, row, key if is_cached else b"", key if is_cached else b"", kill_method)

    @classmethod
    def kept_back(cls, launch: engine.Launch) -> LeafOutcome:
        """Another task has failed, and the policy is FAIL_FAST."""
        return cls(engine.LeafEnded(task_id=launch.task_id, state=engine.NOT_TRIGGERED))


class Begun(Protocol):
    """An attempt that was started for the leaf by somebody else."""

    @property
    def how(self) -> Exit | None:
        """How it has ended; None: the executor knows."""
        ...

    @property
    def rendered(self) -> engine.Rendered: ...

    def take_place(self) -> Demand:
        """From now on the caller has its place among the running tasks, and leaves it."""
        ...


class Leaf:
    def __init__(
        self,
        launch: engine.Launch,
        attempts: Sequence[AttemptRow],
        owner: LeafOwner,
        host: LeafHost,
        begun: Begun | None = None,
    ) -> None:
        """`attempts`: those of an earlier server, the last of which may still be running. `begun`: the last one."""
        self._launch = launch
        self._begun = begun
        self._attempts = list(attempts)
        self._owner = owner
        self._host = host
        self._is_cancelled = False
        # A task that is tried again has begun: it waits for nobody.
        self._lead = Lead(launch.cache_key, may_wait=False) if is_shared(launch) else None
        self.is_kept_back = False
        # Where the task finds its input artifacts, held while it may read them; None: not asked for yet.
        self._staged: dict[str, str] | None = None
        # Where `cancel` finds the leaf: waiting for something that may be left, or for its process.
        self._waiting: asyncio.Task[Any] | None = None
        self._living: AttemptRow | None = None
        self._stopping: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop. Returns at once; for the loop's own thread."""
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self._waiting is not None:
            self._waiting.cancel()
        elif self._living is not None:
            executor = self._executor_of(self._living)
            self._stopping = asyncio.ensure_future(executor.cancel(self._living.handle))

    @property
    def attempts(self) -> Sequence[AttemptRow]:
        return self._attempts

    def keep_back(self) -> bool:
        """Start nothing, if nothing has started; False: it has, and may end. For the loop's own thread."""
        if self._attempts or self._launch.is_in_exit:
            return False
        self.is_kept_back = True
        if self._waiting is not None:
            self._waiting.cancel()
        return True

    async def run(self) -> LeafOutcome:
        """Errors: none of the task's; it always has an outcome."""
        outcome = await self._outcome()
        if self._attempts and is_shared(self._launch):
            return outcome._replace(led_key=self._launch.cache_key)
        return outcome

    async def _outcome(self) -> LeafOutcome:
        try:
            return await self._run()
        except StagingFailed as error:
            return LeafOutcome(_ended(self._launch, engine.FAILED, error.code, str(error)))
        except (*CANNOT_RUN, OSError) as error:
            return LeafOutcome.not_run(self._launch, error)
        finally:
            if self._staged:
                self._host.staging.release(self._staged)

    async def _run(self) -> LeafOutcome:
        while True:
            if not self._attempts:
                # Asked again each time that a start was held back.
                answered = await self._unless_cancelled(self._ask_others())
                if answered is not None:
                    return answered
                if self._launch.kind == engine.IMPORTER:
                    return await self._import()
            last = self._attempts[-1] if self._attempts else None
            if last is not None and not last.state.is_terminal:
                if self._staged is None:
                    self._staged = self._host.staging.hold(self._launch.inputs)
                outcome = await self._take_over(last)
            elif self._is_left:
                return self._never_started()
            else:
                outcome = await self._start(last)
            if outcome is not None:
                return outcome

    async def _ask_others(self) -> LeafOutcome | None:
        """The outcome of an equal task of another run, which is waited for if it runs; None: there is none."""
        task_id = self._launch.task_id

        def show(use: engine.CacheUse) -> None:
            self._owner.note_cache(task_id, use)

        shared = await self._host.sharing.ask(self._owner.run, self._launch, show)
        show(shared.use)
        self._lead = shared.lead
        return None if shared.outcome is None else LeafOutcome(shared.outcome)

    async def _import(self) -> LeafOutcome:
        launch = self._launch
        if self._is_left:
            return self._never_started()
        declared = launch.output_artifacts[0]

        def tell(error: Unavailable) -> None:
            self._owner.show_error(
                Failure(_UNAVAILABLE, f"task {launch.path} waits for what it imports: {error}")
            )

        look = once_reached(lambda: self._host.staging.digest(launch.importer_uri), tell)
        try:
            seen = await self._unless_cancelled(look)
        except Unavailable as error:
            raise StagingFailed(_UNAVAILABLE, str(error)) from error
        if seen is None:
            return self._never_started()
        artifact = engine.Artifact(
            name=f"{self._owner.run.id}-{launch.task_id}-{declared.name}",
            uri=launch.importer_uri,
            output_name=declared.name,
            schema_title=declared.schema_title,
            schema_version=declared.schema_version,
            instance_schema=declared.instance_schema,
            metadata_json=launch.importer_metadata_json or "{}",
            digest=seen.digest,
            fingerprint=seen.fingerprint,
            author_metadata=bool(launch.importer_metadata_json),
        )
        event = engine.LeafEnded(task_id=launch.task_id, state=engine.SUCCEEDED)
        event.outputs.artifacts.append(engine.ArtifactList(name=declared.name, artifacts=[artifact]))
        return LeafOutcome(event, cache_key=_cache_key(launch))

    async def _start(self, last: AttemptRow | None) -> LeafOutcome | None:
        """Start the next attempt and await its end; None: the task is to be tried again."""
        number = 1
        if last is not None:
            number = last.number + 1
            if last.is_counted and not await self._unless_cancelled(_pause(self._retry_pause_s())):
                return self._never_started()
        # Before much is fetched: what was lost is made again, and a store that is away is waited for.
        is_fetching = self._staged is None and self._host.staging.is_needed(self._launch.inputs)
        if is_fetching and (ended := await self._unless_inputs_are_there()) is not None:
            return ended
        prepared = await self._unless_cancelled(self._make(number))
        if prepared is None:
            return self._never_started()
        demand = self._demand(prepared[1].resources)
        if not await self._unless_cancelled(self._enter(demand)):
            return self._never_started()
        try:
            if (ended := await self._unless_inputs_are_there()) is not None:
                return ended
            return await self._run_attempt(*prepared)
        finally:
            self._host.admission.leave(demand)

    async def _take_over(self, row: AttemptRow) -> LeafOutcome | None:
        """Await the end of an attempt that an earlier server has started; it has its place already."""
        if row.executor not in self._host.executors:
            message = (
                f"task {self._launch.path}: its attempt runs where this server cannot look: {row.executor!r}"
            )
            self._owner.show_error(Failure(_UNAVAILABLE, f"{message}; start it with that executor"))
            await asyncio.Event().wait()
        begun, self._begun = self._begun, None
        if begun is not None:
            rendered, demand = begun.rendered, begun.take_place()
        else:
            rendered = self._render(self._place(row.number))
            demand = self._demand(rendered.resources)
            self._host.admission.occupy(demand)
        try:
            return await self._await_end(row, rendered, begun.how if begun is not None else None)
        finally:
            self._host.admission.leave(demand)

    def _demand(self, asked: engine.Resources) -> Demand:
        return demand_of(self._owner.run, asked, self._host.admission)

    async def _unless_inputs_are_there(self) -> LeafOutcome | None:
        """None: every input artifact is what it was."""
        lost = await self._unless_cancelled(
            find_lost(self._host.artifacts, self._launch, self._owner.show_error)
        )
        if lost is None:
            return self._never_started()
        if lost.artifacts:
            event = engine.LeafEnded(task_id=self._launch.task_id, state=engine.PENDING, outputs=lost)
            return LeafOutcome(event)
        return None

    async def _make(self, number: int) -> tuple[AttemptSpec, engine.Rendered]:
        """The attempt, ready to start: environment and input artifacts are there, placeholders are resolved."""
        if self._staged is None:
            self._staged = await self._host.staging.stage(self._launch.inputs)
        place = self._place(number)
        rendered = self._render(place)
        self._host.admission.check(rendered.resources.cpu_request, rendered.resources.memory_request_bytes)
        spec = await self._host.maker.make(
            self._launch,
            rendered,
            run_id=self._owner.run.id,
            number=number,
            attempt_dir=place.attempt_dir,
            views=self._owner.places.views(place, rendered, self._staged),
        )
        return spec, rendered

    async def _run_attempt(self, spec: AttemptSpec, rendered: engine.Rendered) -> LeafOutcome | None:
        handle = self._host.executor.handle(spec)
        row = AttemptRow(
            task_id=spec.task_id,
            number=spec.number,
            state=AttemptState.RUNNING,
            executor=self._host.executor.name,
            handle=handle,
            started_ns=self._host.now_ns(),
        )
        match await self._owner.start_attempt(row, self._lead):
            case Start.REFUSED:
                return self._never_started()
            case Start.HELD_BACK:
                return None
        self.is_kept_back = False
        self._attempts.append(row)
        self._lead = replace(self._lead, may_wait=False) if self._lead else None
        crash_point.reach("spawn.before")
        await self._host.executor.start(spec, handle)
        crash_point.reach("spawn.after")
        return await self._await_end(row, rendered)

    async def _await_end(
        self, row: AttemptRow, rendered: engine.Rendered | None, how: Exit | None = None
    ) -> LeafOutcome | None:
        """The outcome of the task after this attempt; None: it will be tried again. `how`: it has ended already."""
        ended = await self._await_death(row, how)
        crash_point.reach("exit.seen")
        success = None
        failure = _failure_of(ended, self._launch)
        state = AttemptState.SUCCEEDED
        if failure is None:
            try:
                success = await self._outputs(row.number, rendered)
            except OutputsInvalid as error:
                failure = engine.Failure(code=_UNKNOWN, message=str(error))
            except StagingFailed as error:
                failure = engine.Failure(code=error.code, message=str(error))
            if success is None and failure is None:
                ended = ended._replace(cause=Cause.CANCELLED)
                failure = engine.Failure(
                    code=_CANCELLED, message="the run was cancelled before the outputs were where they belong"
                )
        if failure is not None:
            if ended.cause is Cause.EXITED:
                log = Path(self._place(row.number).attempt_dir) / "log"
                if last_line := await asyncio.to_thread(_last_line, log):
                    failure.message = f"{failure.message}: {last_line}"
            state = _ATTEMPT_STATES.get(ended.cause, AttemptState.FAILED)
        row = row._replace(
            state=state,
            ended_ns=ended.ended_ns or self._host.now_ns(),
            is_counted=ended.cause is not Cause.LOST,
            exit=exit_json(ended),
        )
        self._attempts[-1] = row
        if success is not None:
            return LeafOutcome.succeeded(self._launch, success, row, ended.kill_method)
        assert failure is not None
        if state is not AttemptState.CANCELLED and not self._is_cancelled and self._may_try_again(row):
            self._owner.end_attempt(row, failure)
            return None
        task_state = engine.CANCELLED if state is AttemptState.CANCELLED else engine.FAILED
        if state is AttemptState.LOST and self._is_cancelled:
            task_state = engine.CANCELLED
        event = engine.LeafEnded(task_id=row.task_id, state=task_state, error=failure)
        return LeafOutcome(event, row, kill_method=ended.kill_method)

    def _executor_of(self, row: AttemptRow) -> Executor:
        return self._host.executors[row.executor]

    async def _await_death(self, row: AttemptRow, how: Exit | None) -> Exit:
        """The end of an attempt, when every process of it is dead; while one is not, the run says which."""
        if how is not None and not how.survivors:
            return how
        executor = self._executor_of(row)
        self._living = row
        if self._is_cancelled:
            await executor.cancel(row.handle)
        ended = how or await executor.wait(row.handle)
        while ended.survivors:
            names = ", ".join(f"{alive.pid} ({alive.command})" for alive in ended.survivors)
            message = f"task {self._launch.path}: these processes could not be killed: {names}"
            self._owner.show_error(Failure(_UNKNOWN, message))
            await asyncio.sleep(_SURVIVOR_PAUSE_S)
            ended = await executor.wait(row.handle)
        self._living = None
        return ended

    @property
    def _is_left(self) -> bool:
        return self._is_cancelled or self.is_kept_back

    def _never_started(self) -> LeafOutcome:
        if self.is_kept_back and not self._is_cancelled:
            return LeafOutcome.kept_back(self._launch)
        return LeafOutcome.never_started(self._launch)

    async def _enter(self, demand: Demand) -> bool:
        """A place among the tasks that run at once."""
        await self._host.admission.enter(demand)
        return True

    async def _unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` gives; None, with `work` left half way, when the leaf is to start no more."""
        if self._is_left:
            work.close()
            return None
        self._waiting = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            if not self._is_left or self._waiting is None:
                raise  # the server lets go of the run
            self._waiting.uncancel()
            return None
        finally:
            self._waiting = None

    def _retry_pause_s(self) -> float:
        policy = self._launch.retry
        failures = sum(attempt.is_counted for attempt in self._attempts)
        pause_s = policy.backoff_duration_s * float(policy.backoff_factor or 2.0) ** max(failures - 1, 0)
        return min(pause_s, policy.backoff_max_duration_s or pause_s)

    def _may_try_again(self, row: AttemptRow) -> bool:
        if not row.is_counted:
            return sum(not attempt.is_counted for attempt in self._attempts) < _LOST_ATTEMPTS_AT_MOST
        return sum(attempt.is_counted for attempt in self._attempts) <= self._launch.retry.max_retry_count

    def _place(self, number: int) -> AttemptPlace:
        return self._owner.places.of(self._launch.task_id, number)

    def _render(self, place: AttemptPlace) -> engine.Rendered:
        return self._owner.places.render([(self._launch, place)], self._staged or {})[0]

    async def _outputs(self, number: int, rendered: engine.Rendered | None) -> engine.Values | None:
        """What the task has left, where it belongs; None: the run was cancelled before it was there."""
        if not (self._launch.output_parameters or self._launch.output_artifacts):
            return engine.Values()
        place = self._place(number)
        rendered = rendered or self._render(place)
        values = await asyncio.to_thread(collect, rendered, self._launch, Path(place.attempt_dir) / "work")
        if not values.artifacts:
            return values
        made = [(group.name, artifact) for group in values.artifacts for artifact in group.artifacts]
        for index, (output, artifact) in enumerate(made):
            artifact.name = f"{self._owner.run.id}-{self._launch.task_id}-{index}"
            artifact.output_name = output
        view = LocalView(place.outputs_uri, place.outputs_dir, self._staged or {})
        if view.is_remote:
            return await self._unless_cancelled(self._published(values, view))
        return await self._published(values, view)

    async def _published(self, values: engine.Values, view: LocalView) -> engine.Values:
        await self._host.staging.publish(values, view)
        return values


def demand_of(run: Run, asked: engine.Resources, admission: Admission) -> Demand:
    """What a task of the run takes while it runs."""
    return admission.demand(
        run.id,
        run.name.parent.project,
        cpu=(asked.cpu_request, asked.cpu_limit),
        memory_bytes=(asked.memory_request_bytes, asked.memory_limit_bytes),
    )


async def _pause(pause_s: float) -> bool:
    await asyncio.sleep(pause_s)
    return True


def _cache_key(launch: engine.Launch) -> bytes:
    return launch.cache_key if launch.is_cache_enabled else b""


def _ended(launch: engine.Launch, state: engine.State, code: int, message: str) -> engine.LeafEnded:
    return engine.LeafEnded(
        task_id=launch.task_id, state=state, error=engine.Failure(code=code, message=message)
    )


def _failure_of(ended: Exit, launch: engine.Launch) -> engine.Failure | None:
    """Why an attempt did not succeed; None: it did."""
    match ended.cause:
        case Cause.EXITED if ended.exit_code == 0:
            return None
        case Cause.EXITED:
            how = f"exit code {ended.exit_code}" if ended.signal is None else f"signal {ended.signal}"
            return engine.Failure(code=_UNKNOWN, message=f"ended with {how}")
        case Cause.CANCELLED:
            return engine.Failure(code=_CANCELLED, message="the run was cancelled")
        case Cause.TIMED_OUT:
            return engine.Failure(code=_DEADLINE, message=ended.message or "the task took too long")
        case Cause.NOT_STARTED:
            return engine.Failure(code=_NOT_FOUND, message=ended.message)
        case Cause.OUT_OF_MEMORY:
            return engine.Failure(code=_EXHAUSTED, message=ended.message or "killed for its use of memory")
        case Cause.LOST:
            return engine.Failure(
                code=_UNKNOWN,
                message=ended.message or "the attempt was lost: neither its process nor its result is there",
            )


def _last_line(log: Path) -> str:
    """The last thing that a task said, cut short; "" where it said nothing."""
    lines = [line.strip() for line in log_tail(log, _LOG_TAIL_BYTES).splitlines() if line.strip()]
    return lines[-1][:_LONGEST_LAST_LINE] if lines else ""


def exit_json(ended: Exit) -> bytes:
    """What is kept of the end of an attempt, beside its times; what is not named was empty."""
    return _exit_json(ended.cause, ended.exit_code, ended.signal, ended.message, ended.kill_method)


@lru_cache(maxsize=64)
def _exit_json(
    cause: Cause, exit_code: int | None, signal: int | None, message: str, kill_method: str
) -> bytes:
    kept = {
        "cause": cause.value,
        "exit_code": exit_code,
        "signal": signal,
        "message": message,
        "kill_method": kill_method,
    }
    return json.dumps(
        {name: value for name, value in kept.items() if value not in (None, "")}, separators=(",", ":")
    ).encode()
