"""The leaves of a run that need no more than a place, a start and an end: many at once, without a coroutine for each.

Invariant: what happens to a plain leaf is what `Leaf` would do for it. Whatever turns out to need more, an environment
that has to be made, an outcome of another run, outputs, another attempt, is handed over to a `Leaf`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reprise import crash_point
from reprise.domain.cache import Lead
from reprise.domain.run import AttemptRow, ProgressResult
from reprise.domain.states import AttemptState
from reprise.executor.contract import AttemptSpec, BatchExecutor, Exit
from reprise.executor.launch import PromptMaker
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.scheduler.admission import Demand, Waiter
from reprise.scheduler.leaf import CANNOT_RUN, Leaf, LeafHost, LeafOutcome, LeafOwner, demand_of, exit_json
from reprise.scheduler.places import AttemptPlace
from reprise.scheduler.sharing import OFF, Shared


class PlainOwner(LeafOwner, Protocol):
    """What plain leaves need of the run they belong to."""

    def look_after(self, leaf: Leaf, launch: engine.Launch) -> None:
        """From now on the leaf has a coroutine."""
        ...

    def wake(self) -> None:
        """There are starts or ends to be taken."""
        ...


@dataclass(slots=True, eq=False)
class _Waiting:
    """A leaf that waits for its place among the running tasks; the admission tells it."""

    launch: engine.Launch
    demand: Demand
    lead: Lead | None
    of: PlainLeaves
    waiter: Waiter | None = None
    is_given_up: bool = False

    def cancelled(self) -> bool:
        return self.is_given_up

    def set_result(self, _result: None, /) -> None:
        self.of.let_in(self)


@dataclass(slots=True, eq=False)
class PlainLeaf:
    """A leaf with its place and its one attempt, from where that is ready to its end; the executor tells it."""

    launch: engine.Launch
    demand: Demand
    lead: Lead | None
    of: PlainLeaves
    rendered: engine.Rendered
    spec: AttemptSpec
    handle: bytes
    row: AttemptRow
    how: Exit | None = None
    is_cancelled: bool = False

    def ended(self, how: Exit | None) -> None:
        self.of.end(self, how)

    def take_place(self) -> Demand:
        return self.of.give_place(self)


class PlainSuccess(NamedTuple):
    """The end of a leaf that has left nothing."""

    row: AttemptRow
    shared_key: bytes  # under which other runs may find it, and may have waited for it; empty: they may not
    kill_method: str


class PlainLeaves:
    """Of one run, on the scheduler's loop. Its driver takes the starts and the ends, and writes them."""

    def __init__(
        self, owner: PlainOwner, host: LeafHost, executor: BatchExecutor, maker: PromptMaker
    ) -> None:
        self._owner = owner
        self._host = host
        self._executor = executor
        self._maker = maker
        self._unasked: list[engine.Launch] = []
        self._asked: dict[int, engine.Launch] = {}
        self._asking: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._admitted: dict[int, _Waiting] = {}
        self._starting: Sequence[PlainLeaf] = ()
        self._running: dict[int, PlainLeaf] = {}
        self._ended: list[tuple[PlainLeaf, Exit]] = []
        self._handed_over: dict[int, PlainLeaf] = {}  # until their leaves have begun
        self._refused: list[LeafOutcome] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self._demands: dict[tuple[float, ...], Demand] = {}
        self._is_closed = False

    @classmethod
    def of(cls, owner: PlainOwner, host: LeafHost) -> PlainLeaves | None:
        """None: the executor or its maker takes attempts one by one only."""
        if isinstance(host.executor, BatchExecutor) and isinstance(host.maker, PromptMaker):
            return cls(owner, host, host.executor, host.maker)
        return None

    @staticmethod
    def takes(launch: engine.Launch) -> bool:
        """Whether it may be one of these, if it has no attempts yet."""
        return launch.kind == engine.CONTAINER and not launch.inputs.artifacts

    def __len__(self) -> int:
        """How many are looked after."""
        return (
            len(self._unasked)
            + len(self._asked)
            + len(self._waiting)
            + len(self._admitted)
            + len(self._running)
        )

    @property
    def has_news(self) -> bool:
        """Whether there is something to be taken."""
        return bool(self._admitted or self._ended or self._refused or self._fault)

    def add(self, launch: engine.Launch) -> None:
        """Look after it."""
        shared = self._host.sharing.known(launch)
        if shared is None:
            self._unasked.append(launch)
            self._asking = self._asking or asyncio.get_running_loop().create_task(self._ask())
        else:
            self._line_up(launch, shared)

    def take_ends(self) -> tuple[list[LeafOutcome], list[PlainSuccess]]:
        """Those that have come to their end since the last call. Errors: what kept the cache from being asked."""
        if self._fault is not None:
            raise self._fault
        ended, self._ended = self._ended, []
        refused, self._refused = self._refused, []
        self._host.admission.leave(*(leaf.demand for leaf, _ in ended))
        now_ns = self._host.now_ns()
        return refused, [_success(leaf, how, now_ns) for leaf, how in ended]

    def take_starts(self) -> Sequence[PlainLeaf]:
        """Those that are ready and may start as soon as that is committed; `started` has to follow."""
        if not self._admitted:
            return ()
        admitted = list(self._admitted.values())
        self._admitted.clear()
        now_ns = self._host.now_ns()
        placed = [(leaf.launch, self._owner.places.of(leaf.launch.task_id, 1)) for leaf in admitted]
        ready = []
        rendered = self._owner.places.render(placed, {})
        for waited, (_, place), one in zip(admitted, placed, rendered, strict=True):
            try:
                leaf = self._make(waited, one, place, now_ns)
            except (*CANNOT_RUN, OSError) as error:
                self._host.admission.leave(waited.demand)
                self._refused.append(LeafOutcome.not_run(waited.launch, error))
                continue
            if leaf is not None:
                ready.append(leaf)
            else:
                self._host.admission.leave(waited.demand)
                self._look_after(waited.launch)
        self._starting = ready
        return ready

    def started(self, result: ProgressResult) -> None:
        """What the store has said of the starts that were taken: those that it has committed are started."""
        starting, self._starting = self._starting, ()
        committed = []
        for leaf in starting:
            task_id = leaf.launch.task_id
            if result.were_starts_refused:
                self._host.admission.leave(leaf.demand)
                self._refused.append(LeafOutcome.never_started(leaf.launch))
            elif task_id in result.held_back:
                self._host.admission.leave(leaf.demand)
                self._look_after(leaf.launch)
            else:
                crash_point.reach("spawn.before")
                self._running[task_id] = leaf
                committed.append(leaf)
        if committed:
            self._executor.start_batch(committed)
            for _ in committed:
                crash_point.reach("spawn.after")

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop."""
        self._refused += map(LeafOutcome.never_started, self._give_up(self._all_launches()))
        for leaf in self._running.values():
            leaf.is_cancelled = True
            task = asyncio.get_running_loop().create_task(self._executor.cancel(leaf.handle))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def keep_back(self) -> None:
        """Start nothing more but what is in an exit handler."""
        launches = [launch for launch in self._all_launches() if not launch.is_in_exit]
        self._refused += map(LeafOutcome.kept_back, self._give_up(launches))

    async def close(self) -> None:
        """Let go of them all without ending them."""
        self._is_closed = True
        tasks = [task for task in (self._asking, *self._stopping) if task is not None]
        for task in tasks:
            task.cancel()
        self._give_up(self._all_launches())
        left = [*self._starting, *self._running.values(), *self._handed_over.values()]
        left += (leaf for leaf, _ in self._ended)
        self._host.admission.leave(*(leaf.demand for leaf in left))
        await asyncio.gather(*tasks, return_exceptions=True)

    # What a leaf is told.

    def let_in(self, leaf: _Waiting) -> None:
        leaf.waiter = None
        del self._waiting[leaf.launch.task_id]
        self._admitted[leaf.launch.task_id] = leaf
        self._owner.wake()

    def end(self, leaf: PlainLeaf, how: Exit | None) -> None:
        if self._is_closed:
            return
        leaf.how = how
        launch = leaf.launch
        del self._running[launch.task_id]
        has_outputs = launch.output_parameters or launch.output_artifacts
        if how is not None and how.is_success and not how.survivors and not has_outputs:
            crash_point.reach("exit.seen")
            self._ended.append((leaf, how))
        else:
            self._handed_over[launch.task_id] = leaf
            rest = Leaf(launch, [leaf.row], self._owner, self._host, begun=leaf)
            if leaf.is_cancelled:
                rest.cancel()
            self._owner.look_after(rest, launch)
        self._owner.wake()

    def give_place(self, leaf: PlainLeaf) -> Demand:
        del self._handed_over[leaf.launch.task_id]
        return leaf.demand

    async def _ask(self) -> None:
        try:
            await self._ask_for_all()
        except Exception as error:
            self._fault = error
            self._owner.wake()
        finally:
            self._asking = None

    async def _ask_for_all(self) -> None:
        """Ask for all that have come up, then for those that have come up meanwhile."""
        while self._unasked:
            launches, self._unasked = self._unasked, []
            self._asked = {launch.task_id: launch for launch in launches}
            answers = await self._host.sharing.ask_all(self._owner.run, launches)
            for launch, shared in zip(launches, answers, strict=True):
                if self._asked.pop(launch.task_id, None) is None:
                    continue  # given up meanwhile
                if shared is None:
                    self._look_after(launch)
                else:
                    self._line_up(launch, shared)

    def _line_up(self, launch: engine.Launch, shared: Shared) -> None:
        if shared is not OFF:  # which the core has said of the launch
            self._owner.note_cache(launch.task_id, shared.use)
        asked, admission = launch.resources, self._host.admission
        try:
            admission.check(asked.cpu_request, asked.memory_request_bytes)
        except CANNOT_RUN as error:
            self._refused.append(LeafOutcome.not_run(launch, error))
            self._owner.wake()
            return
        leaf = _Waiting(launch, self._demand(asked), shared.lead, self)
        self._waiting[launch.task_id] = leaf
        waiter = admission.line_up(leaf.demand, leaf)
        if waiter is None:
            self.let_in(leaf)
        elif launch.task_id in self._waiting:  # else it was let in by that very call
            leaf.waiter = waiter

    def _demand(self, asked: engine.Resources) -> Demand:
        """Most leaves of a run ask for the same."""
        key = (asked.cpu_request, asked.cpu_limit, asked.memory_request_bytes, asked.memory_limit_bytes)
        demand = self._demands.get(key)
        if demand is None:
            demand = self._demands[key] = demand_of(self._owner.run, asked, self._host.admission)
        return demand

    def _make(
        self, waited: _Waiting, rendered: engine.Rendered, place: AttemptPlace, now_ns: int
    ) -> PlainLeaf | None:
        """Its attempt, ready to start; None: to make that takes time."""
        launch, places = waited.launch, self._owner.places
        spec = self._maker.make_at_once(
            launch,
            rendered,
            run_id=self._owner.run.id,
            number=1,
            attempt_dir=place.attempt_dir,
            views=places.views(place, rendered, {}),
        )
        if spec is None:
            return None
        handle = self._executor.handle(spec)
        row = AttemptRow(launch.task_id, 1, AttemptState.RUNNING, self._executor.name, handle, now_ns)
        return PlainLeaf(launch, waited.demand, waited.lead, self, rendered, spec, handle, row)

    def _look_after(self, launch: engine.Launch) -> None:
        self._owner.look_after(Leaf(launch, (), self._owner, self._host), launch)

    def _all_launches(self) -> list[engine.Launch]:
        """Of those that have not started."""
        leaves = (*self._waiting.values(), *self._admitted.values())
        return [*self._unasked, *self._asked.values(), *(leaf.launch for leaf in leaves)]

    def _give_up(self, launches: Sequence[engine.Launch]) -> Sequence[engine.Launch]:
        """Forget these, which have not started."""
        given_up = {launch.task_id for launch in launches}
        self._unasked = [launch for launch in self._unasked if launch.task_id not in given_up]
        waiting = [self._waiting.pop(task_id) for task_id in given_up if task_id in self._waiting]
        # All of them before the first one leaves the line: a place that comes free is for none of these.
        for leaf in waiting:
            leaf.is_given_up = True
        for leaf in waiting:
            assert leaf.waiter is not None
            self._host.admission.step_out(leaf.waiter)
        admitted = [self._admitted.pop(task_id) for task_id in given_up if task_id in self._admitted]
        self._host.admission.leave(*(leaf.demand for leaf in admitted))
        for task_id in given_up:
            self._asked.pop(task_id, None)
        return launches


def _success(leaf: PlainLeaf, how: Exit, now_ns: int) -> PlainSuccess:
    begun, launch = leaf.row, leaf.launch
    row = AttemptRow(
        begun.task_id,
        begun.number,
        AttemptState.SUCCEEDED,
        begun.executor,
        begun.handle,
        begun.started_ns,
        how.ended_ns or now_ns,
        exit=exit_json(how),
    )
    return PlainSuccess(row, launch.cache_key if launch.is_cache_enabled else b"", how.kill_method)
