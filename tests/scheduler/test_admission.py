"""Who may run, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reprise.scheduler.admission import Admission, Demand, ExceedsHost, HostCapacity, TaskLimits

ROOMY = HostCapacity(1000.0, 1e15)


class Tasks:
    """Tasks that ask to be let in, and the order in which they were."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.entered: list[str] = []
        self.asking: dict[str, asyncio.Task[None]] = {}
        self.demands: dict[str, Demand] = {}

    async def ask(
        self, name: str, run_id: int = 1, project: str = "p", cpus: float = 0, memory: float = 0
    ) -> None:
        demand = self.demands[name] = Demand(run_id, project, cpus, memory)

        async def enter() -> None:
            await self.admission.enter(demand)
            self.entered.append(name)

        self.asking[name] = asyncio.create_task(enter())
        await settled()

    async def leave(self, name: str) -> None:
        self.admission.leave(self.demands[name])
        await settled()

    async def give_up(self, name: str) -> None:
        self.asking[name].cancel()
        await settled()


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


def story(limits: TaskLimits, capacity: HostCapacity, tell: Callable[[Tasks], Awaitable[None]]) -> list[str]:
    async def main() -> list[str]:
        tasks = Tasks(Admission(limits, capacity))
        await tell(tasks)
        return tasks.entered

    return asyncio.run(main())


def test_no_more_tasks_run_than_the_host_the_project_and_the_run_allow() -> None:
    async def tell(tasks: Tasks) -> None:
        for run_id, project in ((1, "p"), (2, "p"), (3, "q")):
            for number in range(3):
                await tasks.ask(f"{run_id}.{number}", run_id, project)

    entered = story(TaskLimits(host=5, project=3, run=2), ROOMY, tell)
    assert entered == ["1.0", "1.1", "2.0", "3.0", "3.1"]


def test_a_small_run_does_not_wait_behind_a_fan_of_thousands() -> None:
    async def tell(tasks: Tasks) -> None:
        for number in range(2000):
            await tasks.ask(f"large.{number}", 1)
        await tasks.ask("small.0", 2)
        await tasks.ask("small.1", 2)
        await tasks.leave("large.0")
        await tasks.leave("large.1")

    entered = story(TaskLimits(host=4), ROOMY, tell)
    assert entered == ["large.0", "large.1", "large.2", "large.3", "small.0", "small.1"]


def test_a_task_that_gives_up_its_place_lets_the_next_one_in() -> None:
    async def tell(tasks: Tasks) -> None:
        for name in ("first", "second", "third"):
            await tasks.ask(name)
        await tasks.give_up("second")
        await tasks.leave("first")

    assert story(TaskLimits(host=1), ROOMY, tell) == ["first", "third"]


def test_a_task_that_gives_up_in_the_moment_it_is_let_in_keeps_nothing() -> None:
    async def tell(tasks: Tasks) -> None:
        await tasks.ask("first")
        await tasks.ask("second")
        tasks.admission.leave(tasks.demands["first"])  # lets the second in, which has not heard of it yet
        await tasks.give_up("second")
        await tasks.ask("third")

    assert story(TaskLimits(host=1), ROOMY, tell) == ["first", "third"]


@pytest.mark.parametrize("cpus", [0.0, 1000.0])
def test_tasks_that_give_up_together_keep_nothing_and_the_next_one_is_let_in(cpus: float) -> None:
    async def tell(tasks: Tasks) -> None:
        for name in "abcd":
            await tasks.ask(name, cpus=cpus)
        for name in "bc":
            tasks.asking[name].cancel()
        tasks.admission.leave(tasks.demands["a"])
        await settled()
        assert tasks.asking["b"].cancelled() and tasks.asking["c"].cancelled()
        await tasks.leave("d")

    assert story(TaskLimits(1), ROOMY, tell) == ["a", "d"]


def test_requests_are_held_against_what_the_host_has() -> None:
    async def tell(tasks: Tasks) -> None:
        for number in range(11):
            await tasks.ask(f"tenth.{number}", cpus=0.1)
        await tasks.ask("memory", 2, memory=600.0)
        await tasks.ask("more memory", 3, memory=600.0)

    entered = story(TaskLimits(host=100), HostCapacity(1.0, 1000.0), tell)
    assert entered == [*(f"tenth.{number}" for number in range(10)), "memory"]


def test_a_large_task_is_passed_over_some_times_but_not_for_ever() -> None:
    async def tell(tasks: Tasks) -> None:
        await tasks.ask("now.0", 1, cpus=1.0)
        await tasks.ask("now.1", 1, cpus=1.0)
        await tasks.ask("large", 2, cpus=2.0)
        for number in range(2, 200):
            await tasks.ask(f"now.{number}", 1, cpus=1.0)
        running = ["now.0", "now.1"]
        while "large" not in tasks.entered:
            await tasks.leave(running.pop(0))
            running += [name for name in tasks.entered[-1:] if name not in running]

    entered = story(TaskLimits(host=100), HostCapacity(2.0, 1.0), tell)
    assert 3 <= entered.index("large") <= 40


def test_what_the_host_does_not_have_is_refused_by_name() -> None:
    admission = Admission(TaskLimits(1), HostCapacity(2.0, 1000.0))
    admission.check(2.0, 1000.0)
    with pytest.raises(ExceedsHost, match=r"requests 3 CPUs, and this host has 2"):
        admission.check(3.0, 0)
    with pytest.raises(ExceedsHost, match=r"requests 2000 bytes of memory, and this host has 1000"):
        admission.check(0, 2000.0)


def test_a_limit_without_a_request_counts_as_far_as_the_host_goes() -> None:
    admission = Admission(TaskLimits(1), HostCapacity(2.0, 1000.0))
    assert admission.demand(1, "p", cpu=(0.0, 4.0), memory_bytes=(10.0, 4000.0)) == Demand(1, "p", 2.0, 10.0)


def test_attempts_of_an_earlier_server_are_counted_beyond_any_limit() -> None:
    async def tell(tasks: Tasks) -> None:
        earlier = Demand(1, "p")
        for _ in range(3):
            tasks.admission.occupy(earlier)
        await tasks.ask("new")
        tasks.admission.leave(earlier)
        await settled()
        assert tasks.entered == []
        tasks.admission.leave(earlier)
        await settled()

    assert story(TaskLimits(host=2), ROOMY, tell) == ["new"]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "leave", "give up"]),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.5, 1.0, 2.0]),
        st.integers(0, 50),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(_STEPS)
def test_no_limit_is_passed_and_nobody_is_forgotten_whatever_happens(
    steps: list[tuple[str, int, float, int]],
) -> None:
    limits, capacity = TaskLimits(host=4, project=3, run=2), HostCapacity(2.0, 1e9)

    async def main() -> None:
        tasks = Tasks(Admission(limits, capacity))
        running: list[str] = []
        gone: set[str] = set()
        for number, (what, run_id, cpus, pick) in enumerate(steps):
            waiting = [name for name in tasks.asking if name not in tasks.entered and name not in gone]
            if what == "ask":
                await tasks.ask(str(number), run_id, f"p{run_id % 2}", cpus)
            elif what == "leave" and running:
                await tasks.leave(running[pick % len(running)])
                gone.add(running[pick % len(running)])
            elif what == "give up" and waiting:
                await tasks.give_up(waiting[pick % len(waiting)])
                gone.add(waiting[pick % len(waiting)])
            running = [name for name in tasks.entered if name not in gone]
            demands = [tasks.demands[name] for name in running]
            assert len(demands) <= limits.host
            assert sum(demand.cpus for demand in demands) <= capacity.cpus
            for key, most in (("run_id", limits.run), ("project", limits.project)):
                values = [getattr(demand, key) for demand in demands]
                assert all(values.count(value) <= most for value in values)
        # Everyone who stays gets in when all before have left.
        while running:
            for name in running:
                gone.add(name)
                await tasks.leave(name)
            running = [name for name in tasks.entered if name not in gone]
        assert set(tasks.asking) == gone

    asyncio.run(main())


class Let:
    """Notes who was let in, in which order."""

    def __init__(self, name: int, entered: list[int]) -> None:
        self.name = name
        self.entered = entered

    def has_given_up(self) -> bool:
        return False

    def let_in(self, count: int) -> None:
        self.entered += [self.name] * count


class Line:
    """Groups of tasks that ask together, or (`is_single`) one after the other."""

    def __init__(self, limits: TaskLimits, capacity: HostCapacity, *, is_single: bool) -> None:
        self.admission = Admission(limits, capacity)
        self.is_single = is_single
        self.entered: list[int] = []
        self.demands: list[Demand] = []

    def ask(self, demand: Demand, wanted: int) -> None:
        let = Let(len(self.demands), self.entered)
        self.demands.append(demand)
        if not self.is_single:
            self.admission.line_up(demand, let, wanted)
            return
        for _ in range(wanted):
            self.admission.line_up(demand, let)

    def leave(self, pick: int, gone: list[int]) -> None:
        self.admission.leave(self.demands[self.entered[pick]])
        gone.append(pick)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(1, 3), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.integers(1, 50)),
            st.integers(0, 100),
        ),
        max_size=60,
    ),
    st.integers(1, 12),
)
def test_a_crowd_is_let_in_as_its_tasks_would_be_one_by_one(
    steps: list[tuple[int, float, int] | int], host: int
) -> None:
    limits, capacity = TaskLimits(host=host, project=9, run=7), HostCapacity(3.0, 1e9)
    together = Line(limits, capacity, is_single=False)
    alone = Line(limits, capacity, is_single=True)
    gone: list[int] = []
    for step in steps:
        if isinstance(step, tuple):
            run_id, cpus, wanted = step
            for line in (together, alone):
                line.ask(Demand(run_id, f"p{run_id % 2}", cpus), wanted)
        else:
            running = [place for place in range(len(alone.entered)) if place not in gone]
            if running:
                pick = running[step % len(running)]
                together.leave(pick, [])
                alone.leave(pick, gone)
        assert together.entered == alone.entered


def test_who_joins_a_crowd_stands_behind_it_and_gives_up_only_his_own_place() -> None:
    admission, entered = Admission(TaskLimits(2), ROOMY), list[int]()
    demand = Demand(1, "p")
    crowd = admission.line_up(demand, Let(1, entered), 3)
    assert entered == [1, 1]
    assert admission.join(crowd, 2)
    other = admission.line_up(demand, Let(2, entered))
    assert not admission.join(crowd, 1), "another of the run has come between"
    admission.step_out([(crowd, 2)])
    admission.leave(demand, demand)
    assert entered == [1, 1, 1, 2]
    assert (crowd.wanted, other.wanted) == (0, 0)
