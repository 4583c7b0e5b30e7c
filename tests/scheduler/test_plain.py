"""Leaves that start and end by batches, with a real store and an executor of the test's own that takes them so."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from reprise.artifact.local import LocalArtifacts
from reprise.domain.commands import CreateRun
from reprise.domain.names import Parent
from reprise.domain.run import FailurePolicy, Progress, ProgressResult, Run
from reprise.domain.states import RunState
from reprise.executor.contract import AttemptSpec, BatchExecutor, Capability, Cause, Exit, Starting
from reprise.executor.launch import NO_VIEWS, CannotLaunch, PromptMaker, Views
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.rpc.task_details import task_details
from reprise.scheduler.admission import TaskLimits
from reprise.scheduler.plain import PlainLeaves
from reprise.scheduler.scheduler import Scheduler, SchedulerSettings
from reprise.service import PipelineService
from reprise.store.contract import Store
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

OK = Exit(cause=Cause.EXITED, exit_code=0)
FAILED = Exit(cause=Cause.EXITED, exit_code=1)
CANCELLED = Exit(cause=Cause.CANCELLED)
TASKS = 40
AT_ONCE = 7


class Machine:
    """An executor whose attempts end as `how` says, a round of the loop after they have started."""

    name = "machine"

    def __init__(self, how: Callable[[AttemptSpec], Exit | None] = lambda _spec: OK) -> None:
        self._how = how
        self.is_holding = False
        self.batches: list[int] = []
        self.singles = 0
        self.most_at_once = 0
        self.has_started = threading.Event()
        self._living: dict[bytes, Starting] = {}
        self._alone: dict[bytes, asyncio.Future[Exit]] = {}
        self._waited_for: set[bytes] = set()

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def sweep(self, living: Callable[[], Awaitable[Sequence[bytes]]]) -> None: ...

    def capabilities(self) -> list[Capability]:
        return []

    def release(self, handles: Sequence[bytes]) -> None: ...

    def handle(self, spec: AttemptSpec) -> bytes:
        return f"{spec.run_id} {spec.task_id} {spec.number}".encode()

    def start_batch(self, attempts: Sequence[Starting]) -> None:
        self.batches.append(len(attempts))
        for attempt in attempts:
            self._living[attempt.handle] = attempt
            if not self.is_holding:
                asyncio.get_running_loop().call_soon(self._end, attempt)
        self.most_at_once = max(self.most_at_once, len(self._living))
        self.has_started.set()

    def _end(self, attempt: Starting) -> None:
        del self._living[attempt.handle]
        attempt.ended(self._how(attempt.spec))

    async def start(self, spec: AttemptSpec, handle: bytes) -> None:
        self.singles += 1

    async def wait(self, handle: bytes) -> Exit:
        self._waited_for.add(handle)
        return OK

    async def cancel(self, handle: bytes) -> None:
        attempt = self._living.pop(handle, None)
        if attempt is not None:
            attempt.ended(CANCELLED)

    @property
    def waited_for(self) -> int:
        return len(self._waited_for)


@dataclass(frozen=True)
class Maker:
    """No environment, no files; what `refused` names cannot be launched, what `slow` names takes time."""

    refused: str = ""
    slow: frozenset[int] = field(default_factory=frozenset)
    made: list[int] = field(default_factory=list)

    async def make(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec:
        if launch.name == self.refused:
            raise CannotLaunch("not here")
        return AttemptSpec(run_id, launch.task_id, number, attempt_dir, ("x",), {}, attempt_dir, "", 1.0)

    def make_at_once(
        self,
        launch: engine.Launch,
        rendered: engine.Rendered,
        *,
        run_id: int,
        number: int,
        attempt_dir: str,
        views: Views = NO_VIEWS,
    ) -> AttemptSpec | None:
        if launch.task_id in self.slow:
            return None
        self.made.append(launch.task_id)
        if launch.name == self.refused:
            raise CannotLaunch("not here")
        return AttemptSpec(run_id, launch.task_id, number, attempt_dir, ("x",), {}, attempt_dir, "", 1.0)


class World:
    def __init__(
        self, folder: Path, store: Store, machine: Machine, maker: Maker, settings: SchedulerSettings
    ) -> None:
        assert isinstance(machine, BatchExecutor) and isinstance(maker, PromptMaker)
        self.store = store
        self.machine = machine
        artifacts = LocalArtifacts()
        self.scheduler = Scheduler(
            store=store,
            executor=machine,
            maker=maker,
            artifacts=artifacts,
            encode_details=task_details,
            now_ns=time.time_ns,
            settings=settings,
        )
        self._numbers = iter(range(1000))
        self.service = PipelineService(
            store, artifacts, folder, time.time_ns, lambda: f"r{next(self._numbers)}", self.scheduler.wake
        )
        self._changed = threading.Condition()
        store.add_listener(self._on_change)

    def _on_change(self, _run_id: int) -> None:
        with self._changed:
            self._changed.notify_all()

    def create(self, *, retries: int = 0, cache: bool = False, is_chain: bool = False) -> Run:
        policy = FailurePolicy.FAIL_SLOW
        pipeline = spec(retries, cache, is_chain)
        return self.service.create(
            CreateRun(Parent("p", "l"), "", "", {}, pipeline, b"", {}, False, {}, "", policy, b"")
        )

    def ended(self, run: Run) -> Run:
        deadline = time.monotonic() + 60
        with self._changed:
            while not (now := self.store.get_run(run.name)).state.is_terminal:
                assert self._changed.wait(deadline - time.monotonic()), now.state
        return now

    def states(self, run: Run) -> dict[str, int]:
        """How many tasks ended in each state."""
        recorded = self.store.get_recorded(run.name)
        counts: dict[str, int] = {}
        for task in engine.TaskRecords.FromString(recorded.records).tasks:
            name = engine.State.Name(task.state)
            counts[name] = counts.get(name, 0) + 1
        return counts


def spec(retries: int, cache: bool, is_chain: bool) -> bytes:
    task: dict[str, Any] = {"componentRef": {"name": "comp-a"}}
    if retries:
        task["retryPolicy"] = {"maxRetryCount": retries, "backoffDuration": "0s"}
    if cache:
        task["cachingOptions"] = {"enableCache": True}
    tasks = {
        f"task-{number}": {"taskInfo": {"name": f"task-{number}"}, **task} for number in range(1, TASKS + 1)
    }
    if is_chain:
        for number in range(2, TASKS + 1):
            tasks[f"task-{number}"]["dependentTasks"] = [f"task-{number - 1}"]
    container = {"image": "none", "command": ["true"]}
    whole = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "fan-out"},
        "deploymentSpec": {"executors": {"exec-a": {"container": container}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "root": {"dag": {"tasks": tasks}},
    }
    return json_format.ParseDict(whole, struct_pb2.Struct()).SerializeToString()


@contextmanager
def a_world(
    folder: Path, machine: Machine, maker: Maker | None = None, at_once: int = AT_ONCE, look_ahead: int = 64
) -> Iterator[World]:
    store = open_store(folder)
    limits = TaskLimits(at_once)
    settings = SchedulerSettings(data_dir=folder, owner="test", limits=limits, look_ahead=look_ahead)
    world = World(folder, store, machine, maker or Maker(), settings)
    world.scheduler.start()
    try:
        yield world
    finally:
        world.scheduler.stop()
        store.close()


def test_a_fan_out_runs_by_batches_and_never_more_at_once_than_the_limit(tmp_path: Path) -> None:
    machine = Machine()
    with a_world(tmp_path, machine) as world:
        run = world.ended(world.create())
        assert run.state is RunState.SUCCEEDED and world.states(run) == {"SUCCEEDED": TASKS}
    assert sum(machine.batches) == TASKS and machine.singles == 0
    assert machine.most_at_once == AT_ONCE and max(machine.batches) == AT_ONCE


def test_what_comes_next_is_made_while_the_disk_is_waited_for(tmp_path: Path) -> None:
    machine, maker = Machine(), Maker()
    machine.is_holding = True
    with a_world(tmp_path, machine, maker) as world:
        run = world.create()
        assert machine.has_started.wait(60)
        made = len(maker.made)
        assert machine.batches == [AT_ONCE] and made == 2 * AT_ONCE
        world.service.cancel(run.name)
        assert world.states(world.ended(run)) == {"CANCELLED": TASKS}
        machine.is_holding = False
        assert world.states(world.ended(world.create())) == {"SUCCEEDED": TASKS}
    assert sorted(maker.made[made:]) == sorted(set(maker.made[made:])), "each attempt is made once"


def test_a_fault_while_the_disk_is_waited_for_loses_no_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reprise.scheduler.scheduler._PAUSE_AFTER_FAULT_S", 0.0)
    monkeypatch.setattr("reprise.scheduler.driver._LOOKED_AFTER_AT_ONCE", AT_ONCE)
    add, calls = PlainLeaves.add, 0

    def add_once_in_vain(leaves: PlainLeaves, launches: Iterable[engine.Launch]) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:  # the first three fill the places, and begin the line behind them
            raise RuntimeError("a fault")
        add(leaves, launches)

    monkeypatch.setattr(PlainLeaves, "add", add_once_in_vain)
    with a_world(tmp_path, Machine()) as world:
        run = world.ended(world.create())
        assert run.state is RunState.SUCCEEDED and world.states(run) == {"SUCCEEDED": TASKS}
    assert calls > 4


def test_nothing_is_looked_ahead_for_once_nobody_waits_for_the_write(tmp_path: Path) -> None:
    class LateStore(SqlStore):
        """Says that it waits for the disk when it is asked to."""

        def record_progress_later(
            self,
            progress_: Progress,
            tell: Callable[[ProgressResult | None, Exception | None], None],
            is_syncing: Callable[[], None],
        ) -> None:
            hints.append(is_syncing)

    async def main() -> list[str]:
        looked: list[str] = []
        scheduler = Scheduler(
            store=store,
            executor=Machine(),
            maker=Maker(),
            artifacts=LocalArtifacts(),
            encode_details=task_details,
            now_ns=time.time_ns,
            settings=SchedulerSettings(data_dir=tmp_path, owner="test", limits=TaskLimits(1)),
        )
        writing = asyncio.ensure_future(scheduler._write(Progress(1, 1, 1), lambda: looked.append("ahead")))
        await asyncio.sleep(0)
        hints[0]()
        await asyncio.sleep(0)
        assert looked == ["ahead"]
        writing.cancel()
        await asyncio.wait({writing})
        hints[0]()
        await asyncio.sleep(0)
        return looked

    hints: list[Callable[[], None]] = []
    with closing(open_store(tmp_path)) as store:
        store.__class__ = LateStore
        assert asyncio.run(main()) == ["ahead"]


@pytest.mark.parametrize("told", [FAILED, None])
def test_what_a_batch_cannot_settle_is_settled_one_by_one(tmp_path: Path, told: Exit | None) -> None:
    """A failure is tried again; an end that is not told is asked for."""
    machine = Machine(lambda spec: told if spec.task_id % 5 == 0 else OK)
    with a_world(tmp_path, machine) as world:
        run = world.ended(world.create(retries=1))
        assert run.state is RunState.SUCCEEDED and world.states(run) == {"SUCCEEDED": TASKS}
    odd = TASKS // 5
    assert machine.waited_for == odd and machine.singles == (odd if told is FAILED else 0)


def test_a_task_that_cannot_be_launched_fails_and_the_others_of_its_batch_run(tmp_path: Path) -> None:
    machine = Machine()
    with a_world(tmp_path, machine, Maker(refused="task-3")) as world:
        run = world.ended(world.create())
        assert run.state is RunState.FAILED
        assert world.states(run) == {"FAILED": 1, "SUCCEEDED": TASKS - 1}
        again = world.ended(world.create())
        assert world.states(again) == {"FAILED": 1, "SUCCEEDED": TASKS - 1}, "no place was lost"


def test_what_takes_time_to_make_ready_starts_by_itself(tmp_path: Path) -> None:
    machine = Machine()
    slow = frozenset(range(1, 1 + 2 * AT_ONCE))
    with a_world(tmp_path, machine, Maker(slow=slow)) as world:
        run = world.ended(world.create())
        assert world.states(run) == {"SUCCEEDED": TASKS}
    assert machine.singles == len(slow) and sum(machine.batches) == TASKS - len(slow)


def test_a_cancel_ends_what_runs_starts_nothing_more_and_gives_back_every_place(tmp_path: Path) -> None:
    machine = Machine()
    machine.is_holding = True
    with a_world(tmp_path, machine) as world:
        run = world.create()
        assert machine.has_started.wait(60)
        world.service.cancel(run.name)
        assert world.ended(run).state is RunState.CANCELLED
        assert world.states(run) == {"CANCELLED": TASKS} and sum(machine.batches) == AT_ONCE
        machine.is_holding = False
        assert world.ended(world.create()).state is RunState.SUCCEEDED
    assert machine.most_at_once == AT_ONCE, "all places of the cancelled run were free again"


def test_what_follows_a_task_that_ended_in_the_moment_of_the_cancel_never_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The driver waits so many rounds of the loop for what else there is: the cancel comes in them.
    monkeypatch.setattr("reprise.scheduler.driver._ROUNDS_TO_JOIN", 20_000)
    created: list[Run] = []
    is_created = threading.Event()

    def cancel_at_the_second(spec: AttemptSpec) -> Exit:
        if spec.task_id == 2:
            assert is_created.wait(60)
            world.service.cancel(created[0].name)
        return OK

    machine = Machine(cancel_at_the_second)
    with a_world(tmp_path, machine) as world:
        created.append(world.create(is_chain=True))
        is_created.set()
        assert world.ended(created[0]).state is RunState.CANCELLED
        assert world.states(created[0]) == {"SUCCEEDED": 2, "CANCELLED": TASKS - 2}
    assert sum(machine.batches) == 2


class Adopting(Machine):
    """One whose attempts were started by an earlier server, and go on until they are cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: set[bytes] = set()
        self._ends: dict[bytes, asyncio.Future[Exit]] = {}

    def _end_of(self, handle: bytes) -> asyncio.Future[Exit]:
        return self._ends.setdefault(handle, asyncio.get_running_loop().create_future())

    async def wait(self, handle: bytes) -> Exit:
        self.has_started.set()
        return await asyncio.shield(self._end_of(handle))

    async def cancel(self, handle: bytes) -> None:
        self.cancelled.add(handle)
        if not self._end_of(handle).done():
            self._end_of(handle).set_result(CANCELLED)


def test_a_server_that_runs_fewer_at_once_cancels_all_that_an_earlier_one_had_started(tmp_path: Path) -> None:
    earlier, later = Machine(), Adopting()
    earlier.is_holding = True
    with a_world(tmp_path, earlier) as world:
        run = world.create()
        assert earlier.has_started.wait(60)
    with a_world(tmp_path, later, at_once=1, look_ahead=0) as world:
        assert later.has_started.wait(60)
        world.service.cancel(run.name)
        assert world.ended(run).state is RunState.CANCELLED
        assert len(later.cancelled) == AT_ONCE
        assert world.states(run) == {"CANCELLED": TASKS}


def test_outcomes_of_another_run_are_taken_over_by_a_whole_batch(tmp_path: Path) -> None:
    machine = Machine()
    with a_world(tmp_path, machine) as world:
        first, second = world.ended(world.create(cache=True)), world.ended(world.create(cache=True))
        # All tasks are equal, and an outcome of the same run is no answer.
        assert world.states(first) == {"SUCCEEDED": TASKS}
        assert world.states(second) == {"SKIPPED": TASKS}
    assert sum(machine.batches) + machine.singles == TASKS
