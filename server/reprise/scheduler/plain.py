"""The leaves of a run that need no more than a place, a start and an end: many at once, without a coroutine for each.

Invariant: what happens to a plain leaf is what `Leaf` would do for it. Whatever turns out to need more, an environment
that has to be made, an outcome of another run, outputs, another attempt, is handed over to a `Leaf`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Protocol

from reprise import crash_point
from reprise.domain.cache import Lead
from reprise.domain.run import AttemptRow, ProgressResult
from reprise.domain.states import AttemptState
from reprise.executor.contract import AttemptSpec, BatchExecutor, Exit
from reprise.executor.launch import PromptMaker
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.scheduler.admission import Admission, Demand, Waiter
from reprise.scheduler.leaf import CANNOT_RUN, Leaf, LeafHost, LeafOutcome, LeafOwner, demand_of, exit_json
from reprise.scheduler.sharing import OFF, Shared


class PlainOwner(LeafOwner, Protocol):
    """What plain leaves need of the run they belong to."""

    def look_after(self, leaf: Leaf, launch: engine.Launch) -> None:
        """From now on the leaf has a coroutine."""
        ...

    def wake(self) -> None:
        """There are starts or ends to be taken."""
        ...


class PlainLeaf:
    """A leaf, from where nobody else has anything to say of it to the end of its one attempt.

    The executor tells it. `spec`, `rendered`, `handle` and `has_outputs` are there once it `is_made`, `row` once it may
    start.
    """

    __slots__ = (
        "demand",
        "handle",
        "has_outputs",
        "how",
        "is_cancelled",
        "is_made",
        "launch",
        "lead",
        "obstacle",
        "of",
        "rendered",
        "row",
        "spec",
        "task_id",
    )

    rendered: engine.Rendered
    spec: AttemptSpec
    handle: bytes
    has_outputs: bool
    row: AttemptRow

    def __init__(self, launch: engine.Launch, demand: Demand, lead: Lead | None, of: PlainLeaves) -> None:
        self.launch = launch
        self.task_id = launch.task_id
        self.demand = demand
        self.lead = lead
        self.of = of
        self.is_made = False
        self.obstacle: Exception | None = None  # why it cannot be
        self.how: Exit | None = None
        self.is_cancelled = False

    def ended(self, how: Exit | None) -> None:
        self.of.end(self, how)

    def take_place(self) -> Demand:
        return self.of.give_place(self)


class _Crowd:
    """Leaves of one demand that wait in the order in which they came; the admission tells it."""

    __slots__ = ("leaves", "of", "waiter")

    def __init__(self, leaves: Iterable[PlainLeaf], of: PlainLeaves) -> None:
        self.leaves = deque(leaves)
        self.of = of
        self.waiter: Waiter | None = None

    def takes(self, demand: Demand, leaves: Sequence[PlainLeaf], admission: Admission) -> bool:
        """Whether the leaves, of this demand, wait with these now."""
        waiter = self.waiter
        if waiter is None or waiter.demand is not demand or not admission.join(waiter, len(leaves)):
            return False
        self.leaves += leaves
        return True

    def has_given_up(self) -> bool:
        return False

    def let_in(self, count: int) -> None:
        self.of.let_in(self, count)


class PlainSuccesses(NamedTuple):
    """Ends of leaves that have left nothing."""

    rows: Sequence[AttemptRow] = ()
    # By task: how its processes were killed; and under which key others may find it, or may have waited for it.
    killed: Sequence[tuple[int, str]] = ()
    shared: Sequence[tuple[int, bytes]] = ()


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
        self._crowds: deque[_Crowd] = deque()
        self._waiting = 0
        self._admitted: list[PlainLeaf] = []
        self._starting: Sequence[PlainLeaf] = ()
        self._running: dict[int, PlainLeaf] = {}
        self._ended: list[tuple[PlainLeaf, Exit]] = []
        self._handed_over: dict[int, PlainLeaf] = {}  # until their leaves have begun
        self._refused: list[LeafOutcome] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self._demands: dict[tuple[float, ...], Demand] = {}
        self._no_demand: Demand | None = None  # of those that ask for nothing
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
            len(self._unasked) + len(self._asked) + self._waiting + len(self._admitted) + len(self._running)
        )

    @property
    def has_waiting(self) -> bool:
        """Whether some wait for their places; one that came now would stand behind them."""
        return self._waiting > 0

    @property
    def has_news(self) -> bool:
        """Whether there is something to be taken."""
        return bool(self._admitted or self._ended or self._refused or self._fault)

    def add(self, launches: Iterable[engine.Launch]) -> None:
        """Look after them."""
        known = self._host.sharing.known
        answers = [(launch, known(launch)) for launch in launches]
        self._line_up((launch, shared) for launch, shared in answers if shared is not None)
        unasked = [launch for launch, shared in answers if shared is None]
        if unasked:
            self._unasked += unasked
            self._asking = self._asking or asyncio.get_running_loop().create_task(self._ask())

    def take_ends(self) -> tuple[list[LeafOutcome], PlainSuccesses]:
        """Those that have come to their end since the last call. Errors: what kept the cache from being asked."""
        if self._fault is not None:
            raise self._fault
        ended, self._ended = self._ended, []
        refused, self._refused = self._refused, []
        crash_point.reach("exit.seen", len(ended))
        self._host.admission.leave(*[leaf.demand for leaf, _ in ended])
        return refused, _successes(ended, self._host.now_ns())

    def take_starts(self) -> Sequence[PlainLeaf]:
        """Those that are ready and may start as soon as that is committed; `started` has to follow."""
        if not self._admitted:
            return ()
        admitted, self._admitted = self._admitted, []
        self._make(admitted)
        name, now_ns = self._executor.name, self._host.now_ns()
        ready = []
        for leaf in admitted:
            if leaf.is_made:
                leaf.row = AttemptRow(leaf.task_id, 1, AttemptState.RUNNING, name, leaf.handle, now_ns)
                ready.append(leaf)
                continue
            self._host.admission.leave(leaf.demand)
            if leaf.obstacle is not None:
                self._refused.append(LeafOutcome.not_run(leaf.launch, leaf.obstacle))
            else:
                self._look_after(leaf.launch)
        self._starting = ready
        return ready

    def prepare(self, most: int) -> None:
        """Make the attempts of so many that are next in line, so that they can start as soon as there is room."""
        self._make(list(islice((leaf for crowd in self._crowds for leaf in crowd.leaves), most)))

    def started(self, result: ProgressResult) -> None:
        """What the store has said of the starts that were taken: those that it has committed are started."""
        starting, self._starting = self._starting, ()
        if result.were_starts_refused:
            self._host.admission.leave(*(leaf.demand for leaf in starting))
            self._refused += (LeafOutcome.never_started(leaf.launch) for leaf in starting)
            return
        if result.held_back:
            for leaf in starting:
                if leaf.task_id in result.held_back:
                    self._host.admission.leave(leaf.demand)
                    self._look_after(leaf.launch)
            starting = [leaf for leaf in starting if leaf.task_id not in result.held_back]
        if starting:
            crash_point.reach("spawn.before", len(starting))
            self._running.update((leaf.task_id, leaf) for leaf in starting)
            self._executor.start_batch(starting)
            crash_point.reach("spawn.after", len(starting))

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop."""
        self._refused += map(LeafOutcome.never_started, self._give_up(lambda _launch: True))
        for leaf in self._running.values():
            leaf.is_cancelled = True
            task = asyncio.get_running_loop().create_task(self._executor.cancel(leaf.handle))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    def keep_back(self) -> None:
        """Start nothing more but what is in an exit handler."""
        self._refused += map(LeafOutcome.kept_back, self._give_up(lambda launch: not launch.is_in_exit))

    async def close(self) -> None:
        """Let go of them all without ending them."""
        self._is_closed = True
        tasks = [task for task in (self._asking, *self._stopping) if task is not None]
        for task in tasks:
            task.cancel()
        self._give_up(lambda _launch: True)
        left = [*self._starting, *self._running.values(), *self._handed_over.values()]
        left += (leaf for leaf, _ in self._ended)
        self._host.admission.leave(*(leaf.demand for leaf in left))
        await asyncio.gather(*tasks, return_exceptions=True)

    # What a leaf is told.

    def let_in(self, crowd: _Crowd, count: int) -> None:
        if not self._admitted:
            self._owner.wake()
        leaves = crowd.leaves
        self._admitted += (leaves.popleft() for _ in range(count))
        self._waiting -= count
        if not leaves:
            self._crowds.remove(crowd)

    def end(self, leaf: PlainLeaf, how: Exit | None) -> None:
        if self._is_closed:
            return
        leaf.how = how
        del self._running[leaf.task_id]
        if how is not None and how.is_success and not (how.survivors or leaf.has_outputs):
            if not self._ended:
                self._owner.wake()
            self._ended.append((leaf, how))
            return
        self._handed_over[leaf.task_id] = leaf
        rest = Leaf(leaf.launch, [leaf.row], self._owner, self._host, begun=leaf)
        if leaf.is_cancelled:
            rest.cancel()
        self._owner.look_after(rest, leaf.launch)
        self._owner.wake()

    def give_place(self, leaf: PlainLeaf) -> Demand:
        del self._handed_over[leaf.task_id]
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
            asked, self._asked = self._asked, {}  # without those that were given up meanwhile
            told = [one for one in zip(launches, answers, strict=True) if one[0].task_id in asked]
            for launch, shared in told:
                if shared is None:
                    self._look_after(launch)
            self._line_up((launch, shared) for launch, shared in told if shared is not None)

    def _line_up(self, launches: Iterable[tuple[engine.Launch, Shared]]) -> None:
        """They wait for their places, those of one demand together as long as no other comes between."""
        together: list[PlainLeaf] = []
        for launch, shared in launches:
            if shared is not OFF:  # which the core has said of the launch
                self._owner.note_cache(launch.task_id, shared.use)
            try:
                demand = self._demand(launch)
            except CANNOT_RUN as error:
                self._refused.append(LeafOutcome.not_run(launch, error))
                self._owner.wake()
                continue
            if together and together[0].demand is not demand:
                self._join(together)
                together = []
            together.append(PlainLeaf(launch, demand, shared.lead, self))
        if together:
            self._join(together)

    def _join(self, leaves: Sequence[PlainLeaf]) -> None:
        """These, of one demand, stand last in line from now on."""
        admission, demand = self._host.admission, leaves[0].demand
        self._waiting += len(leaves)
        if not (self._crowds and self._crowds[-1].takes(demand, leaves, admission)):
            crowd = _Crowd(leaves, self)
            self._crowds.append(crowd)
            crowd.waiter = admission.line_up(demand, crowd, len(leaves))

    def _demand(self, launch: engine.Launch) -> Demand:
        """Most leaves of a run ask for the same, or for nothing. Errors: ExceedsHost."""
        if not launch.HasField("resources") and self._no_demand is not None:
            return self._no_demand
        asked = launch.resources
        key = (asked.cpu_request, asked.cpu_limit, asked.memory_request_bytes, asked.memory_limit_bytes)
        demand = self._demands.get(key)
        if demand is None:
            self._host.admission.check(asked.cpu_request, asked.memory_request_bytes)
            demand = self._demands[key] = demand_of(self._owner.run, asked, self._host.admission)
            if not any(key):
                self._no_demand = demand
        return demand

    def _make(self, leaves: Sequence[PlainLeaf]) -> None:
        """Make their attempts ready to start. What takes time to make stays as it is."""
        leaves = [leaf for leaf in leaves if not leaf.is_made and leaf.obstacle is None]
        if not leaves:
            return
        places, executor, make = self._owner.places, self._executor, self._maker.make_at_once
        run_id = self._owner.run.id
        placed = [(leaf.launch, places.of(leaf.task_id, 1)) for leaf in leaves]
        for leaf, (launch, place), rendered in zip(leaves, placed, places.render(placed, {}), strict=True):
            try:
                spec = make(
                    launch,
                    rendered,
                    run_id=run_id,
                    number=1,
                    attempt_dir=place.attempt_dir,
                    views=places.views(place, rendered, {}),
                )
            except (*CANNOT_RUN, OSError) as error:
                leaf.obstacle = error
                continue
            if spec is not None:
                leaf.rendered, leaf.spec, leaf.handle = rendered, spec, executor.handle(spec)
                leaf.has_outputs = bool(launch.output_parameters or launch.output_artifacts)
                leaf.is_made = True

    def _look_after(self, launch: engine.Launch) -> None:
        self._owner.look_after(Leaf(launch, (), self._owner, self._host), launch)

    def _give_up(self, is_wanted: Callable[[engine.Launch], bool]) -> list[engine.Launch]:
        """Forget those of these launches that have not started."""
        given_up = [launch for launch in (*self._unasked, *self._asked.values()) if is_wanted(launch)]
        self._unasked = [launch for launch in self._unasked if not is_wanted(launch)]
        for launch in given_up:
            self._asked.pop(launch.task_id, None)
        admission = self._host.admission
        left = []
        for crowd in tuple(self._crowds):
            staying = deque(leaf for leaf in crowd.leaves if not is_wanted(leaf.launch))
            given_up += (leaf.launch for leaf in crowd.leaves if is_wanted(leaf.launch))
            assert crowd.waiter is not None
            left.append((crowd.waiter, len(crowd.leaves) - len(staying)))
            crowd.leaves = staying
            if not staying:
                self._crowds.remove(crowd)
        self._waiting -= sum(count for _, count in left)
        # All of them at once: a place that comes free is for none of these.
        admission.step_out(left)
        leaving = [leaf for leaf in self._admitted if is_wanted(leaf.launch)]
        self._admitted = [leaf for leaf in self._admitted if not is_wanted(leaf.launch)]
        admission.leave(*(leaf.demand for leaf in leaving))
        return given_up + [leaf.launch for leaf in leaving]


def _successes(ended: Sequence[tuple[PlainLeaf, Exit]], now_ns: int) -> PlainSuccesses:
    rows, killed, shared = [], [], []
    for leaf, how in ended:
        task_id, number, _, executor, handle, started_ns, *_ = leaf.row
        ended_ns, exit_ = how.ended_ns or now_ns, exit_json(how)
        rows.append(
            AttemptRow(task_id, number, _SUCCEEDED, executor, handle, started_ns, ended_ns, True, exit_)
        )
        killed.append((task_id, how.kill_method))
        launch = leaf.launch
        if launch.is_cache_enabled and launch.cache_key:
            shared.append((task_id, launch.cache_key))
    return PlainSuccesses(rows, killed, shared)


_SUCCEEDED = AttemptState.SUCCEEDED
