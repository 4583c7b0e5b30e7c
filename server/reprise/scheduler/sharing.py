"""A leaf and the equal tasks of other runs: answered by an outcome of theirs, waiting for one that runs now, or first.

Invariant: whoever waits here holds no slot and has not started, and it waits for a task that has. So nobody waits in a
circle, and an end of the wait is followed by another look, never by a guess.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from reprise.artifact.contract import ArtifactPlace
from reprise.artifact.presence import losses_of
from reprise.domain.cache import CacheAge, CacheLook, CacheRow, CacheScope, Lead, Leader
from reprise.domain.errors import Unavailable
from reprise.domain.run import Run
from reprise.pb.engine.v1 import engine_pb2 as engine

LookUp = Callable[[CacheScope, Sequence[bytes]], Awaitable[Sequence[CacheLook]]]
_NOT_ASKED = {
    engine.REQUESTED: engine.CACHE_REQUESTED,
    engine.REQUESTED_BY_PARENT: engine.CACHE_REQUESTED,
    engine.REIMPORT: engine.CACHE_REIMPORT,
}


@dataclass(frozen=True, slots=True)
class Shared:
    """What is to become of a leaf: `outcome` ends it; else it runs, and `lead` goes with its start."""

    use: engine.CacheUse
    outcome: engine.LeafEnded | None = None
    lead: Lead | None = None


OFF = Shared(engine.CacheUse(answer=engine.CACHE_OFF))


class Sharing:
    """What the leaves of a server have in common. Lives on the scheduler's loop."""

    def __init__(
        self,
        look_up: LookUp,
        artifacts: ArtifactPlace,
        now_ns: Callable[[], int],
        age: CacheAge,
        poll_s: float,
    ) -> None:
        """`poll_s`: how often a leader is looked for whose end nobody has told, because another server runs it or it
        has died."""
        self._look_up = look_up
        self._artifacts = artifacts
        self._now_ns = now_ns
        self._age = age
        self._poll_s = poll_s
        self._watches: dict[tuple[CacheScope, bytes], _Watch] = {}

    async def ask(self, run: Run, launch: engine.Launch, show: Callable[[engine.CacheUse], None]) -> Shared:
        """Returns when the leaf need not wait for anybody (any more). `show` is told while it does."""
        known = self.known(launch)
        if known is not None:
            return known
        scope = scope_of(run)
        while True:
            (look,) = await self._look(scope, [launch.cache_key])
            shared = await self._judge(run, launch, look)
            if shared.outcome is not None or look.leader is None or look.leader.run_id == run.id:
                return shared
            show(_follows(look.leader))
            await self._until_other(scope, launch.cache_key, look.leader)

    def known(self, launch: engine.Launch) -> Shared | None:
        """What is to become of a leaf that asks nobody; None: it has to ask."""
        if not is_shared(launch):
            return OFF
        if not launch.may_read_cache:
            answer = _NOT_ASKED.get(launch.reason, engine.CACHE_EXIT_TASK)
            return Shared(engine.CacheUse(answer=answer), lead=Lead(launch.cache_key, may_wait=False))
        return None

    async def ask_all(self, run: Run, launches: Sequence[engine.Launch]) -> list[Shared | None]:
        """One look for all of them; None: another run has something to say, and the leaf has to `ask` by itself."""
        looks = await self._look(scope_of(run), [launch.cache_key for launch in launches])
        return [_of_nobody(run, launch, look) for launch, look in zip(launches, looks, strict=True)]

    def released(self, scope: CacheScope, key: bytes) -> None:
        """A hint: the task that led with this key has ended."""
        watch = self._watches.get((scope, key))
        if watch is not None:
            watch.hint.set()

    async def _judge(self, run: Run, launch: engine.Launch, look: CacheLook) -> Shared:
        row = look.row
        if row is None or row.run_id == run.id:
            return _without_answer(run, launch, look)
        lead = _lead(launch, look)
        record = engine.TaskRecord.FromString(row.record)
        use = engine.CacheUse(source=record.source)
        if flaw := self._age_flaw(row):
            use.answer = engine.CACHE_EXPIRED
        elif flaw := await self._loss_of(record):
            use.answer = engine.CACHE_ARTIFACTS_GONE
        else:
            use.answer = engine.CACHE_ANSWERED
            ended = engine.LeafEnded(
                task_id=launch.task_id, state=engine.SKIPPED, outputs=record.outputs, source=record.source
            )
            return Shared(use, outcome=ended)
        use.note = f"the outcome of {record.source.run_name} is no answer: {flaw}"
        return Shared(use, lead=lead)

    async def _loss_of(self, record: engine.TaskRecord) -> str:
        """A place that cannot be reached is waited for, and never counts as a loss."""
        while record.outputs.artifacts:
            try:
                return (await asyncio.to_thread(losses_of, [record], self._artifacts))[0]
            except Unavailable:
                await asyncio.sleep(self._poll_s)
        return ""

    def _age_flaw(self, row: CacheRow) -> str:
        now_ns = self._now_ns()
        if not self._age.is_expired(row.created_ns, now_ns):
            return ""
        age_s = (now_ns - row.created_ns) / 1e9
        return f"it is {age_s:.0f} s old, and this server takes none older than {self._age.max_age_s:g} s"

    async def _until_other(self, scope: CacheScope, key: bytes, leader: Leader) -> None:
        """Until somebody else leads, or nobody, or there is an outcome. All who wait for a key look together."""
        place = (scope, key)
        watch = self._watches.get(place)
        if watch is None:
            hint = asyncio.Event()
            watch = _Watch(hint, asyncio.ensure_future(self._watch(scope, key, leader, hint)))
            self._watches[place] = watch
        watch.followers += 1
        try:
            await asyncio.shield(watch.looking)
        finally:
            watch.followers -= 1
            if self._watches.get(place) is watch and (watch.looking.done() or not watch.followers):
                del self._watches[place]  # at once: a watch that has ended must find no new follower
                watch.looking.cancel()

    async def _watch(self, scope: CacheScope, key: bytes, leader: Leader, hint: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hint.wait(), self._poll_s)
            hint.clear()
            (look,) = await self._look(scope, [key])
            if look.leader != leader:
                return

    async def _look(self, scope: CacheScope, keys: Sequence[bytes]) -> Sequence[CacheLook]:
        """A store that is away costs time and nothing else."""
        while True:
            try:
                return await self._look_up(scope, keys)
            except Unavailable:
                await asyncio.sleep(self._poll_s)


@dataclass(slots=True)
class _Watch:
    hint: asyncio.Event
    looking: asyncio.Future[None]
    followers: int = 0


def scope_of(run: Run) -> CacheScope:
    return CacheScope(run.name.parent.project, run.pipeline_name)


def is_shared(launch: engine.Launch) -> bool:
    """Whether other runs may have the outcome of this leaf, and it theirs."""
    return bool(launch.is_cache_enabled and launch.cache_key)


def _follows(leader: Leader) -> engine.CacheUse:
    return engine.CacheUse(
        answer=engine.CACHE_FOLLOWS,
        note=f"waits for task {leader.task_id} of run {leader.run_id}, which is equal and runs now",
        source=engine.Source(run_id=leader.run_id, task_id=leader.task_id),
    )


def _of_nobody(run: Run, launch: engine.Launch, look: CacheLook) -> Shared | None:
    """What becomes of a leaf whose key no other run knows."""
    is_ours = look.row is None or look.row.run_id == run.id
    if is_ours and (look.leader is None or look.leader.run_id == run.id):
        return _without_answer(run, launch, look)
    return None


def _without_answer(run: Run, launch: engine.Launch, look: CacheLook) -> Shared:
    """There is no outcome, or one of the leaf's own run, which is no answer."""
    if look.row is not None:
        return Shared(engine.CacheUse(answer=engine.CACHE_SAME_RUN), lead=_lead(launch, look))
    is_same_run = look.leader is not None and look.leader.run_id == run.id
    answer = engine.CACHE_SAME_RUN if is_same_run else engine.CACHE_NO_ENTRY
    return Shared(engine.CacheUse(answer=answer), lead=_lead(launch, look))


def _lead(launch: engine.Launch, look: CacheLook) -> Lead:
    return Lead(launch.cache_key, may_wait=True, seen=None if look.row is None else look.row.mark)
