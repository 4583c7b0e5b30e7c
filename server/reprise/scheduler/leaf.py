"""One leaf task from "may run" to its end: cache, environment, attempts with their retries, outputs.

Invariant: an attempt starts only after its row is committed, and a task is tried again only when the attempt before it
is known to be dead.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from reprise.artifact.contract import ArtifactPlace, Known, Presence
from reprise.domain.names import RunName
from reprise.domain.run import AttemptRow, CacheRow, Failure, Run
from reprise.domain.states import AttemptState
from reprise.executor.contract import AttemptSpec, Cause, Executor, Exit
from reprise.executor.environment import EnvironmentFailed
from reprise.executor.launch import AttemptMaker, CannotLaunch
from reprise.executor.outputs import OutputsInvalid, collect
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import render

T = TypeVar("T")
_LOST_ATTEMPTS_AT_MOST = 3
_CANCELLED, _UNKNOWN, _NOT_FOUND, _DEADLINE, _EXHAUSTED = 1, 2, 5, 4, 8  # google.rpc.Code
_SURVIVOR_PAUSE_S = 2.0


class LeafOwner(Protocol):
    """What a leaf needs of the run it belongs to."""

    run: Run

    @property
    def settings(self) -> engine.RunSettings: ...

    @property
    def name(self) -> RunName: ...

    async def start_attempt(self, row: AttemptRow) -> bool: ...

    def end_attempt(self, row: AttemptRow, retry_after: engine.Failure | None) -> None: ...

    def show_error(self, failure: Failure) -> None: ...


@dataclass(frozen=True, slots=True)
class LeafHost:
    """What all leaves of a server share."""

    executor: Executor
    maker: AttemptMaker
    artifacts: ArtifactPlace
    slots: asyncio.Semaphore
    runs_dir: Path
    now_ns: Callable[[], int]
    look_up_cache: Callable[[Run, bytes], Awaitable[CacheRow | None]]


@dataclass(frozen=True, slots=True)
class LeafOutcome:
    event: engine.LeafEnded
    attempt: AttemptRow | None = None
    is_cacheable: bool = False
    kill_method: str = ""

    @classmethod
    def never_started(cls, launch: engine.Launch) -> LeafOutcome:
        return cls(
            _ended(launch, engine.CANCELLED, _CANCELLED, "the run was cancelled before this task started")
        )


class Leaf:
    def __init__(
        self, launch: engine.Launch, attempts: Sequence[AttemptRow], owner: LeafOwner, host: LeafHost
    ) -> None:
        """`attempts`: those of an earlier server, the last of which may still be running."""
        self._launch = launch
        self._attempts = list(attempts)
        self._owner = owner
        self._host = host
        self._cancelled = asyncio.Event()
        self._handle: bytes | None = None

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop. Returns at once."""
        self._cancelled.set()

    async def run(self) -> LeafOutcome:
        """Errors: none of the task's; it always has an outcome."""
        try:
            return await self._run()
        except (CannotLaunch, EnvironmentFailed) as error:
            return LeafOutcome(_ended(self._launch, engine.FAILED, _UNKNOWN, str(error)))
        except OSError as error:
            return LeafOutcome(
                _ended(self._launch, engine.FAILED, _EXHAUSTED, f"this host could not run the task: {error}")
            )

    async def _run(self) -> LeafOutcome:
        if not self._attempts and (cached := await self._from_cache()) is not None:
            return cached
        if self._launch.kind == engine.IMPORTER:
            return await self._import()
        while True:
            last = self._attempts[-1] if self._attempts else None
            if last is not None and not last.state.is_terminal:
                outcome = await self._await_end(last)
            elif self._cancelled.is_set():
                return LeafOutcome.never_started(self._launch)
            else:
                outcome = await self._start(last)
            if outcome is not None:
                return outcome

    async def _from_cache(self) -> LeafOutcome | None:
        launch = self._launch
        if not (launch.is_cache_enabled and launch.may_read_cache and launch.key):
            return None
        row = await self._host.look_up_cache(self._owner.run, launch.key)
        if row is None:
            return None
        record = engine.TaskRecord.FromString(row.record)
        artifacts = [artifact for group in record.outputs.artifacts for artifact in group.artifacts]
        known = [Known(artifact.uri, artifact.digest, artifact.fingerprint) for artifact in artifacts]
        if known:
            presences = await asyncio.to_thread(self._host.artifacts.look, known)
            if any(presence in (Presence.MISSING, Presence.CHANGED) for presence in presences):
                return None
        event = engine.LeafEnded(task_id=launch.task_id, state=engine.SKIPPED, outputs=record.outputs)
        if record.HasField("source"):
            event.source.CopyFrom(record.source)
        else:
            event.source.run_id, event.source.task_id, event.source.path = (
                row.run_id,
                row.task_id,
                record.path,
            )
        return LeafOutcome(event)

    async def _import(self) -> LeafOutcome:
        launch = self._launch
        if self._cancelled.is_set():
            return LeafOutcome.never_started(launch)
        declared = launch.output_artifacts[0]
        seen = (await asyncio.to_thread(self._host.artifacts.digest, [launch.importer_uri]))[0]
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
        return LeafOutcome(event, is_cacheable=launch.is_cache_enabled)

    async def _start(self, last: AttemptRow | None) -> LeafOutcome | None:
        """Start the next attempt and await its end; None: the task is to be tried again."""
        if last is not None and last.is_counted and await self._is_cancelled_within(self._retry_pause_s()):
            return LeafOutcome.never_started(self._launch)
        spec = await self._unless_cancelled(self._make(1 if last is None else last.number + 1))
        if spec is None or not await self._take_slot():
            return LeafOutcome.never_started(self._launch)
        try:
            return await self._run_attempt(spec)
        finally:
            self._host.slots.release()

    async def _make(self, number: int) -> AttemptSpec:
        """The attempt, ready to start: its environment is there, its placeholders are resolved."""
        place = self._place(number)
        return await self._host.maker.make(
            self._launch,
            render(self._launch, place.context(self._owner.settings, self._launch)),
            run_id=self._owner.run.id,
            number=number,
            attempt_dir=place.attempt_dir,
        )

    async def _run_attempt(self, spec: AttemptSpec) -> LeafOutcome | None:
        handle = self._host.executor.handle(spec)
        row = AttemptRow(
            task_id=spec.task_id,
            number=spec.number,
            state=AttemptState.RUNNING,
            executor=self._host.executor.name,
            handle=handle,
            started_ns=self._host.now_ns(),
        )
        if not await self._owner.start_attempt(row):
            return LeafOutcome.never_started(self._launch)
        self._attempts.append(row)
        await self._host.executor.start(spec, handle)
        return await self._await_end(row)

    async def _await_end(self, row: AttemptRow) -> LeafOutcome | None:
        """The outcome of the task after this attempt; None: it will be tried again."""
        ended = await self._await_death(row.handle)
        number = row.number
        success = None
        failure = _failure_of(ended, self._launch)
        state = AttemptState.SUCCEEDED
        if failure is None:
            place = self._place(number)
            try:
                rendered = render(self._launch, place.context(self._owner.settings, self._launch))
                success = await asyncio.to_thread(self._collect, rendered, place)
            except OutputsInvalid as error:
                failure = engine.Failure(code=_UNKNOWN, message=str(error))
        if failure is not None:
            state = {Cause.CANCELLED: AttemptState.CANCELLED, Cause.LOST: AttemptState.LOST}.get(
                ended.cause, AttemptState.FAILED
            )
        row = replace(
            row,
            state=state,
            ended_ns=ended.ended_ns or self._host.now_ns(),
            is_counted=ended.cause is not Cause.LOST,
            exit=_exit_json(ended),
        )
        self._attempts[-1] = row
        if success is not None:
            event = engine.LeafEnded(task_id=row.task_id, state=engine.SUCCEEDED, outputs=success)
            return LeafOutcome(event, row, self._launch.is_cache_enabled, ended.kill_method)
        assert failure is not None
        if state is not AttemptState.CANCELLED and not self._cancelled.is_set() and self._may_try_again(row):
            self._owner.end_attempt(row, failure)
            return None
        task_state = engine.CANCELLED if state is AttemptState.CANCELLED else engine.FAILED
        if state is AttemptState.LOST and self._cancelled.is_set():
            task_state = engine.CANCELLED
        event = engine.LeafEnded(task_id=row.task_id, state=task_state, error=failure)
        return LeafOutcome(event, row, kill_method=ended.kill_method)

    async def _await_death(self, handle: bytes) -> Exit:
        """The end of an attempt, when every process of it is dead; while one is not, the run says which."""
        waiting = asyncio.ensure_future(self._host.executor.wait(handle))
        stopping = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                await self._host.executor.cancel(handle)
            ended = await waiting
        finally:
            stopping.cancel()
            waiting.cancel()
        while ended.survivors:
            names = ", ".join(f"{alive.pid} ({alive.command})" for alive in ended.survivors)
            self._owner.show_error(
                Failure(_UNKNOWN, f"task {self._launch.path}: these processes could not be killed: {names}")
            )
            await asyncio.sleep(_SURVIVOR_PAUSE_S)
            ended = await self._host.executor.wait(handle)
        return ended

    async def _take_slot(self) -> bool:
        """A place among the tasks that run at once; False: cancelled before there was one."""
        if self._cancelled.is_set():
            return False
        if not self._host.slots.locked():
            return await self._host.slots.acquire()
        got = await self._unless_cancelled(self._host.slots.acquire())
        return got is not None

    async def _unless_cancelled(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` gives; None, with `work` cancelled, when the run is cancelled first."""
        doing = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                return doing.result()
            doing.cancel()
            await asyncio.wait({doing})
            return None if doing.cancelled() or doing.exception() else doing.result()
        finally:
            doing.cancel()
            stopping.cancel()

    async def _is_cancelled_within(self, pause_s: float) -> bool:
        try:
            await asyncio.wait_for(self._cancelled.wait(), pause_s)
        except TimeoutError:
            return False
        return True

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
        run_id, task_id = self._owner.run.id, self._launch.task_id
        attempt_dir = self._host.runs_dir / str(run_id) / str(task_id) / str(number)
        folder = str(task_id) if number == 1 else f"{task_id}-{number}"
        settings = self._owner.settings
        outputs_uri = f"{settings.pipeline_root}/{settings.job_id}/{folder}"
        outputs_dir = self._host.artifacts.local_path(outputs_uri)
        if outputs_dir is None:
            raise CannotLaunch(f"this server cannot write to the output directory {outputs_uri!r}")
        inputs = [
            (artifact.uri, self._host.artifacts.local_path(artifact.uri))
            for group in self._launch.inputs.artifacts
            for artifact in group.artifacts
        ]
        return AttemptPlace(number, attempt_dir, outputs_uri, outputs_dir, tuple(inputs))

    def _collect(self, rendered: engine.Rendered, place: AttemptPlace) -> engine.Values:
        values = collect(rendered, self._launch, place.attempt_dir / "work")
        artifacts = [(group.name, artifact) for group in values.artifacts for artifact in group.artifacts]
        seen_there = self._host.artifacts.digest([artifact.uri for _, artifact in artifacts])
        for index, ((output, artifact), seen) in enumerate(zip(artifacts, seen_there, strict=True)):
            artifact.output_name = output
            artifact.digest, artifact.fingerprint = seen.digest, seen.fingerprint
            artifact.name = f"{self._owner.run.id}-{self._launch.task_id}-{index}"
        return values


@dataclass(frozen=True, slots=True)
class AttemptPlace:
    """Where one attempt reads and writes."""

    number: int
    attempt_dir: Path
    outputs_uri: str
    outputs_dir: Path
    inputs: tuple[tuple[str, Path | None], ...]

    @property
    def output_file(self) -> Path:
        return self.outputs_dir / "executor_output.json"

    def context(self, settings: engine.RunSettings, launch: engine.Launch) -> engine.RenderContext:
        return engine.RenderContext(
            settings=settings,
            task_uuid=f"{settings.run_id}-{launch.task_id}",
            outputs_uri=self.outputs_uri,
            outputs_dir=str(self.outputs_dir),
            output_file=str(self.output_file),
            parameters_dir=str(self.outputs_dir),
            local_paths=[
                engine.LocalPath(uri=uri, path=str(path)) for uri, path in self.inputs if path is not None
            ],
            are_uris_local=True,
        )


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
            return engine.Failure(code=_UNKNOWN, message=f"task {launch.path} ended with {how}; see its log")
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


def _exit_json(ended: Exit) -> bytes:
    return json.dumps(
        {
            "cause": ended.cause.value,
            "exit_code": ended.exit_code,
            "signal": ended.signal,
            "message": ended.message,
            "kill_method": ended.kill_method,
        },
        separators=(",", ":"),
    ).encode()
