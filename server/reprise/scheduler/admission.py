"""Which tasks may run at once: so many on this host, of a project, of a run, and no more CPU and memory than there is.

Invariants: no limit is ever passed, but by attempts that an earlier server had started. Of the runs that wait, the one
with the fewest running tasks comes first, so that a small run never waits behind a large one. Who has been passed over
often enough is passed over no more: then nothing else starts until there is room for it.
"""

from __future__ import annotations

import asyncio
import heapq
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

# A task that asks for much waits for so many smaller ones at most.
_PASSED_OVER_AT_MOST = 32
# Requests are sums of decimal fractions: 10 x 0.1 CPU fit into one.
_ROUNDING = 1e-6


class ExceedsHost(Exception):
    """The task asks for more than this host has; it would wait for ever."""


@dataclass(frozen=True, slots=True)
class HostCapacity:
    """What tasks of this host may ask for together."""

    cpus: float
    memory_bytes: float

    @classmethod
    def of_this_host(cls) -> HostCapacity:
        """The processors that this process may use, and the host's memory."""
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(float(len(os.sched_getaffinity(0))), float(memory_bytes))


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """How many tasks run at once; 0: as many as the wider limit allows."""

    host: int
    project: int = 0
    run: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What one attempt takes while it runs."""

    run_id: int
    project: str
    cpus: float = 0.0
    memory_bytes: float = 0.0


class Admitted(Protocol):
    """Whom to tell that there is room."""

    def has_given_up(self) -> bool:
        """Whether it will step out, and wants nothing meanwhile."""
        ...

    def let_in(self, count: int) -> None:
        """So many of its tasks are in. Told while others are being let in, so it only takes note."""
        ...


@dataclass(slots=True, eq=False)
class Waiter:
    """A place in a line, for some tasks of one demand."""

    demand: Demand
    admitted: Admitted
    wanted: int
    passed_over: int = 0  # the first of them


class _One:
    """A task that waits by itself."""

    __slots__ = ("place",)

    def __init__(self, place: asyncio.Future[None]) -> None:
        self.place = place

    def has_given_up(self) -> bool:
        return self.place.cancelled()

    def let_in(self, count: int) -> None:
        self.place.set_result(None)


@dataclass(slots=True)
class _Line:
    """The tasks of one run: how many run, and who waits, in their order."""

    project: str
    running: int = 0
    waiting: deque[Waiter] = field(default_factory=deque)
    entry: tuple[int, int, int] | None = None  # its place in the heap; others that name it are stale


class Admission:
    """The tasks of one server. To be used from one event loop."""

    def __init__(self, limits: TaskLimits, capacity: HostCapacity) -> None:
        self._limits = limits
        self._capacity = capacity
        self._running = 0
        self._cpus = 0.0
        self._memory_bytes = 0.0
        self._of_projects: dict[str, int] = {}
        self._lines: dict[int, _Line] = {}
        self._heap: list[tuple[int, int, int]] = []  # (running tasks, turn, run id) of lines with waiters
        self._turn = 0
        self._first: Waiter | None = None  # who was passed over too often
        self._waiting = 0

    def check(self, cpu_request: float, memory_request_bytes: float) -> None:
        """Raises ExceedsHost, naming what is asked for and what there is."""
        if cpu_request > self._capacity.cpus + _ROUNDING:
            raise ExceedsHost(
                f"the task requests {cpu_request:g} CPUs, and this host has {self._capacity.cpus:g}"
            )
        if memory_request_bytes > self._capacity.memory_bytes:
            raise ExceedsHost(
                f"the task requests {memory_request_bytes:.0f} bytes of memory, "
                f"and this host has {self._capacity.memory_bytes:.0f}"
            )

    def demand(
        self,
        run_id: int,
        project: str,
        *,
        cpu: tuple[float, float],
        memory_bytes: tuple[float, float],
    ) -> Demand:
        """What a task takes, by its (request, limit) of each: its request, or as much of its limit as there is."""
        return Demand(
            run_id,
            project,
            min(cpu[0] or cpu[1], self._capacity.cpus),
            min(memory_bytes[0] or memory_bytes[1], self._capacity.memory_bytes),
        )

    async def enter(self, demand: Demand) -> None:
        """Wait until the task may run; `leave` when it has ended. Cancelling it gives up the place in the line."""
        one = _One(asyncio.get_running_loop().create_future())
        waiter = self.line_up(demand, one)
        try:
            await one.place
        except asyncio.CancelledError:
            if one.place.cancelled():
                self.step_out([(waiter, 1)])
            else:
                self.leave(demand)  # it had just been let in
            raise

    def line_up(self, demand: Demand, admitted: Admitted, wanted: int = 1) -> Waiter:
        """So many tasks want to run; `leave` for each that has ended. `admitted` is told of those that may, of the
        first ones within this call. `step_out` gives up the others."""
        waiter = Waiter(demand, admitted, wanted)
        line = self._line(demand)
        line.waiting.append(waiter)
        self._waiting += wanted
        if line.entry is None:
            self._queue(demand.run_id, line)
        if self._running < self._limits.host:
            self._admit()
        return waiter

    def join(self, waiter: Waiter, wanted: int) -> bool:
        """So many more tasks want to run, behind those of the waiter; False: others of its run have come between."""
        line = self._lines.get(waiter.demand.run_id)
        if line is None or not line.waiting or line.waiting[-1] is not waiter:
            return False
        waiter.wanted += wanted
        self._waiting += wanted
        return True

    def occupy(self, demand: Demand) -> None:
        """Count an attempt that runs already, whatever the limits say; `leave` when it has ended."""
        self._count(demand, self._line(demand), 1)

    def leave(self, *demands: Demand) -> None:
        """These attempts have ended."""
        for demand, equal in groupby(demands):
            self._count(demand, self._line(demand), -sum(1 for _ in equal))
        for run_id in dict.fromkeys(demand.run_id for demand in demands):
            line = self._lines[run_id]
            if line.waiting:
                self._queue(run_id, line)
            elif line.running == 0:
                del self._lines[run_id]
        if self._waiting:
            self._admit()

    def _line(self, demand: Demand) -> _Line:
        line = self._lines.get(demand.run_id)
        if line is None:
            line = self._lines[demand.run_id] = _Line(demand.project)
        return line

    def _count(self, demand: Demand, line: _Line, change: int) -> None:
        line.running += change
        self._running += change
        self._cpus += change * demand.cpus
        self._memory_bytes += change * demand.memory_bytes
        of_project = self._of_projects.get(demand.project, 0) + change
        if of_project:
            self._of_projects[demand.project] = of_project
        else:
            self._of_projects.pop(demand.project, None)

    def _room(self, demand: Demand, line: _Line) -> float:
        """For how many such tasks there is room: a whole number."""
        limits = self._limits
        room = float(limits.host - self._running)
        if limits.run:
            room = min(room, limits.run - line.running)
        if limits.project:
            room = min(room, limits.project - self._of_projects.get(demand.project, 0))
        if demand.cpus:
            room = min(room, (self._capacity.cpus + _ROUNDING - self._cpus) // demand.cpus)
        if demand.memory_bytes:
            room = min(room, (self._capacity.memory_bytes - self._memory_bytes) // demand.memory_bytes)
        return room

    def _queue(self, run_id: int, line: _Line) -> None:
        """Give the line its place, by how many of its tasks run now."""
        self._turn += 1
        line.entry = (line.running, self._turn, run_id)
        heapq.heappush(self._heap, line.entry)

    def _admit(self) -> None:
        """Let in whom there is room for."""
        if self._first is not None and not self._let_in(self._first, 1):
            return
        blocked: list[Waiter] = []
        passed = []
        while self._heap and self._running < self._limits.host:
            entry = heapq.heappop(self._heap)
            line = self._lines.get(entry[2])
            if line is None or line.entry != entry:
                continue
            waiter = line.waiting[0]
            let_in = self._let_in(waiter, self._turns(line, blocked))
            if let_in:
                # Those before it in the order could not be let in.
                for other in blocked:
                    other.passed_over += let_in
                continue
            passed.append(entry)
            if self._lacks_room(waiter.demand, line):
                blocked.append(waiter)
                if waiter.passed_over >= _PASSED_OVER_AT_MOST:
                    self._first = waiter
                    break
        for entry in passed:
            heapq.heappush(self._heap, entry)

    def _turns(self, line: _Line, blocked: Sequence[Waiter]) -> int:
        """How many tasks of a line come one after the other: until another line has fewer that run."""
        turns = self._limits.host
        if self._heap:
            turns = max(self._heap[0][0] - line.running, 1)
        if blocked:
            passed_over = max(waiter.passed_over for waiter in blocked)
            turns = min(turns, max(_PASSED_OVER_AT_MOST - passed_over, 1))
        return turns

    def _lacks_room(self, demand: Demand, line: _Line) -> bool:
        """Whether it is CPU or memory that it waits for, and not tasks of its own run or project."""
        limits = self._limits
        return not (
            (limits.run and line.running >= limits.run)
            or (limits.project and self._of_projects.get(demand.project, 0) >= limits.project)
        )

    def _let_in(self, waiter: Waiter, turns: int) -> int:
        """How many of its tasks are in now, of `turns` at most."""
        line = self._lines[waiter.demand.run_id]
        # One that has given up and has not stepped out yet does so by itself, and lets in who can be.
        if waiter.admitted.has_given_up():
            return 0
        count = int(min(self._room(waiter.demand, line), waiter.wanted, turns))
        if count <= 0:
            return 0
        waiter.wanted -= count
        waiter.passed_over = 0
        if not waiter.wanted:
            line.waiting.popleft()
        self._waiting -= count
        if self._first is waiter:
            self._first = None
        self._count(waiter.demand, line, count)
        line.entry = None
        if line.waiting:
            self._queue(waiter.demand.run_id, line)
        waiter.admitted.let_in(count)
        return count

    def step_out(self, places: Sequence[tuple[Waiter, int]]) -> None:
        """Give up so many places of each waiter; not those of tasks that were let in."""
        for waiter, count in places:
            waiter.wanted -= count
            self._waiting -= count
            if waiter.wanted:
                continue
            run_id = waiter.demand.run_id
            line = self._lines[run_id]
            line.waiting.remove(waiter)
            if self._first is waiter:
                self._first = None
            if not line.waiting:
                line.entry = None
                if line.running == 0:
                    del self._lines[run_id]
        if self._waiting:
            self._admit()
