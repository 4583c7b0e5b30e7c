"""A leaf and the equal tasks of other runs, when what they need is away for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from reprise.artifact.contract import Known, Presence
from reprise.artifact.local import LocalArtifacts
from reprise.domain.cache import OF_ANY_AGE, CacheLook, CacheRow, CacheScope, Leader
from reprise.domain.errors import Unavailable
from reprise.domain.names import Parent, RunName
from reprise.domain.run import Run
from reprise.domain.states import RunState
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.scheduler.sharing import Shared, Sharing

RUN = Run(7, RunName(Parent("p", "l"), "r"), "", RunState.RUNNING, "pipeline", {}, b"", b"", 0, 0)
LAUNCH = engine.Launch(task_id=3, is_cache_enabled=True, may_read_cache=True, cache_key=b"key")


class AwayFirst(LocalArtifacts):
    """A place that cannot be reached at the first look."""

    def __init__(self) -> None:
        self.looks = 0

    def look(self, known: Sequence[Known]) -> list[Presence]:
        self.looks += 1
        if self.looks == 1:
            raise Unavailable()
        return super().look(known)


def kept(path: Path) -> CacheRow:
    record = engine.TaskRecord(source=engine.Source(run_name="other", run_id=1))
    group = record.outputs.artifacts.add(name="data")
    (seen,) = LocalArtifacts().digest([str(path)])
    group.artifacts.add(uri=str(path), digest=seen.digest, fingerprint=seen.fingerprint)
    return CacheRow(b"key", 1, 1, record.SerializeToString(), 0)


def ask(answers: list[CacheLook | Exception], place: LocalArtifacts) -> tuple[Shared, list[engine.CacheUse]]:
    shown: list[engine.CacheUse] = []

    async def look_up(_scope: CacheScope, keys: Sequence[bytes]) -> Sequence[CacheLook]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(keys)

    async def run() -> Shared:
        sharing = Sharing(look_up, place, time.time_ns, OF_ANY_AGE, poll_s=0.001)
        shared = await sharing.ask(RUN, LAUNCH, shown.append)
        assert not sharing._watches, "whoever has an answer watches nobody"
        return shared

    return asyncio.run(run()), shown


def test_an_outcome_is_taken_over_once_its_artifacts_can_be_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1")
    place = AwayFirst()
    shared, _ = ask([CacheLook(kept(tmp_path / "data"), None)], place)
    assert shared.use.answer == engine.CACHE_ANSWERED and place.looks == 2
    assert shared.outcome is not None and shared.outcome.state == engine.SKIPPED


def test_an_artifact_that_is_gone_makes_a_miss_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1")
    row = kept(tmp_path / "data")
    (tmp_path / "data").unlink()
    shared, _ = ask([CacheLook(row, None)], LocalArtifacts())
    assert shared.use.answer == engine.CACHE_ARTIFACTS_GONE and "is missing" in shared.use.note
    assert shared.lead is not None and shared.lead.seen == row.mark and shared.lead.may_wait


def test_a_store_that_is_away_is_waited_for_before_and_while_following() -> None:
    leader = CacheLook(None, Leader(1, 1))
    answers = [
        Unavailable(),
        leader,
        Unavailable(),
        leader,
        CacheLook(None, Leader(2, 1)),
        CacheLook(None, None),
    ]
    shared, shown = ask(answers, LocalArtifacts())
    assert shared.use.answer == engine.CACHE_NO_ENTRY and shared.outcome is None
    assert [use.answer for use in shown] == [engine.CACHE_FOLLOWS] * len(shown) and shown


def test_an_equal_task_of_the_same_run_is_not_waited_for() -> None:
    shared, shown = ask([CacheLook(None, Leader(RUN.id, 1))], LocalArtifacts())
    assert shared.use.answer == engine.CACHE_SAME_RUN and not shown
