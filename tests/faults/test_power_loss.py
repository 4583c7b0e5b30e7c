"""The power goes at any moment: what the store has acknowledged is there when it is opened again (I-10, I-11)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reprise.domain.errors import NotFound
from reprise.domain.run import OperationKind, OriginalRef, Party
from reprise.domain.states import RunState
from reprise.store import connection
from reprise.store.open import open_store
from reprise.store.sql import SqlStore
from store.building import PARENT, T0, claim, name_of, new_run
from store.looking import SqliteLook, assert_blobs_are_counted, assert_states_moved_legally

from .conftest import Scale
from .recording import RecordedDatabase, Recording

sqlite3 = connection.sqlite3


class History:
    """Uses a store, and keeps what was acknowledged at which step of the recording."""

    def __init__(self, store: SqlStore, recording: Recording, seed: int) -> None:
        self._store = store
        self._recording = recording
        self._chance = random.Random(seed)
        self.acknowledged: list[tuple[int, str, RunState | None]] = []  # (step, job id, state; None: deleted)

    def note(self, job_id: str, state: RunState | None) -> None:
        self.acknowledged.append((len(self._recording.steps), job_id, state))

    def go(self, runs: int) -> None:
        store, ended = self._store, []
        for index in range(runs):
            job_id = f"run-{index}"
            original = None
            if ended and self._chance.random() < 0.4:
                earlier = self._chance.choice(ended)
                original = OriginalRef(store.get_run(name_of(earlier)).id, str(name_of(earlier)))
            # Large enough to go over many pages.
            spec = b"spec" * self._chance.choice((1, 1000, 5000)) + str(index % 3).encode()
            store.create_run(new_run(job_id, spec=spec, original=original), f"id-{job_id}", b"print")
            self.note(job_id, RunState.PENDING)
            match self._chance.randrange(4):
                case 0:
                    store.request_cancel(name_of(job_id), T0)
                    self.note(job_id, RunState.CANCELLED)
                case 1:
                    claim(store, job_id).begin(1, 2)
                    self.note(job_id, RunState.RUNNING)
                    store.begin_batch_cancel(PARENT, [name_of(job_id)], Party.REPRISE, T0)
                    self.note(job_id, RunState.CANCELLING)
                case _:
                    owner = claim(store, job_id)
                    owner.begin(1, 2)
                    owner.end_tasks(1, 2)
                    owner.finish(records=b"records" * self._chance.choice((1, 3000)))
                    self.note(job_id, RunState.SUCCEEDED)
                    ended.append(job_id)
            if len(ended) > 3:
                gone = ended.pop(self._chance.randrange(len(ended)))
                store.delete_runs(PARENT, [name_of(gone)], OperationKind.DELETE, Party.REPRISE, T0)
                self.note(gone, None)

    def check(self, until: int, data_dir: Path) -> None:
        """The store in this data directory has all that was acknowledged before step `until`."""
        store = open_store(data_dir, ballast_bytes=4096)
        try:
            known: dict[str, list[RunState | None]] = {}
            for step, job_id, state in self.acknowledged:
                if step <= until:
                    known.setdefault(job_id, []).append(state)
            for job_id, states in known.items():
                later = [state for step, job, state in self.acknowledged if job == job_id and step > until]
                try:
                    found: RunState | None = store.get_details(name_of(job_id)).run.state
                except NotFound:
                    found = None
                allowed = [states[-1], *later]
                if states[-1] is not None and RunState.SUCCEEDED in later:
                    allowed.append(RunState.RUNNING)
                assert found in allowed, f"{job_id} is {found!r}, after {states} was acknowledged"
            look = SqliteLook(data_dir / "reprise.db")
            assert look.rows("PRAGMA integrity_check") == [("ok",)]
            assert look.rows("PRAGMA foreign_key_check") == []
            assert_blobs_are_counted(look)
            assert_states_moved_legally(look)
            look.close()
            store.create_run(new_run(f"after-{until}"))
        finally:
            store.close()


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqlStore, Recording]]:
    recording = Recording()
    database = RecordedDatabase(recording)
    double = SimpleNamespace(**vars(sqlite3))
    double.connect = database.connect
    # Its schema is there when the recording begins: that is made through SQLAlchemy's engine, before the first call.
    open_store(tmp_path / "recorded", ballast_bytes=4096).close()
    recording.begin_with(tmp_path / "recorded" / "reprise.db")
    with monkeypatch.context() as patched:
        patched.setattr(connection, "sqlite3", double)
        patched.setattr(connection.SqliteTransaction, "large", _read_blob)
        store = open_store(tmp_path / "recorded", ballast_bytes=4096)
        yield store, recording
        store.close()
        database.close()


def _read_blob(transaction: Any, column: Any, row_id: int) -> bytes:
    sql = f"SELECT {column.name} FROM {column.table.name} WHERE rowid = ?"
    content: bytes = transaction._connection.execute(sql, (row_id,)).fetchone()[0]
    return content


@pytest.mark.timeout(1800)
def test_nothing_that_was_acknowledged_is_lost_when_the_power_goes(
    recorded: tuple[SqlStore, Recording], tmp_path: Path, scale: Scale
) -> None:
    store, recording = recorded
    opened_at = len(recording.steps)
    history = History(store, recording, seed=7)
    history.go(60 if scale.is_long else 15)
    chance = random.Random(11)
    moments = [step for step in recording.syncs() if step >= opened_at]
    assert moments, "the recording has seen no sync"
    images = 0
    while images < scale.images:
        # Before the sync, after it, or anywhere between.
        until = chance.choice(moments) + chance.choice((0, 1))
        if images % 3 == 2:
            until = chance.randrange(opened_at, len(recording.steps))
        place = tmp_path / "image"
        place.mkdir()
        for file, content in recording.image(until, chance if images % 2 else None).items():
            (place / file).write_bytes(content)
        with pytest.MonkeyPatch.context() as plain:
            plain.setattr(connection, "sqlite3", sqlite3)
            plain.setattr(connection.SqliteTransaction, "large", _LARGE)
            history.check(until, place)
        shutil.rmtree(place)
        images += 1
    print(f"{images} images of {len(moments)} syncs, {len(history.acknowledged)} acknowledgements")


_LARGE = connection.SqliteTransaction.large
