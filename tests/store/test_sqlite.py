"""What is SQLite's own: the data directory's lock, kill -9, a full disk, a database that another holds."""

from __future__ import annotations

import fcntl
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from reprise.domain.errors import DataDirInUse, FailedPrecondition, ResourceExhausted, Unavailable
from reprise.domain.run import ListQuery, OperationKind, Party
from reprise.domain.states import RunState
from reprise.store.checkpointer import COMMITS_BETWEEN, Checkpointer
from reprise.store.connection import connect
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

from .building import PARENT, T0, claim, ended_run, name_of, new_run
from .looking import SqliteLook, assert_blobs_are_counted, assert_states_moved_legally

MEGABYTE = 1024 * 1024


def test_a_second_server_on_a_data_dir_is_turned_away(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(DataDirInUse) as refused:
        open_store(tmp_path)
    assert refused.value.metadata["data_dir"] == str(tmp_path)
    store.create_run(new_run("one"))
    store.close()
    other = open_store(tmp_path)
    other.get_run(name_of("one"))
    other.close()


def test_what_the_server_starts_does_not_inherit_its_lock(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        store.close()
        open_store(tmp_path).close()
        child.communicate()


def test_a_data_dir_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        open_store(tmp_path / "file" / "data")


def test_a_file_that_is_no_database_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "reprise.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable):
        open_store(tmp_path)
    (tmp_path / "reprise.db").unlink()
    open_store(tmp_path).close()


def test_a_data_dir_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "reprise.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(FailedPrecondition) as refused:
        open_store(tmp_path)
    assert refused.value.metadata["schema"] == "9999"


def test_the_log_is_copied_into_the_database_beside_the_writer(tmp_path: Path) -> None:
    has_begun = threading.Event()

    def traced() -> sqlite3.Connection:
        connection = connect(tmp_path / "a.db", is_reader=False)
        connection.set_trace_callback(lambda sql: has_begun.set() if "checkpoint" in sql else None)
        return connection

    writing = connect(tmp_path / "a.db", is_reader=False)
    writing.execute("CREATE TABLE numbers (number INTEGER)")
    checkpointer = Checkpointer(traced)
    try:
        for number in range(COMMITS_BETWEEN):
            writing.execute("INSERT INTO numbers VALUES (?)", (number,))
            checkpointer.committed()
        assert has_begun.wait(30)
    finally:
        checkpointer.close()
    # Without the log, which this reader does not look at.
    alone = sqlite3.connect(f"file:{tmp_path}/a.db?immutable=1", uri=True)
    assert alone.execute("SELECT count(*) FROM numbers").fetchone() == (COMMITS_BETWEEN,)
    alone.close()
    writing.close()


def test_every_commit_waits_for_the_disk(store: SqlStore, tmp_path: Path) -> None:
    connection = connect(tmp_path / "data" / "reprise.db", is_reader=False)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    connection.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    for round_ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-m", "store.dying_writer", str(tmp_path / "data"), str(round_)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert writer.stdout is not None
        for _ in range(200):
            word, job_id = writer.stdout.readline().split()
            acknowledged[job_id] = word
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout.read().splitlines():
            word, job_id = line.split()
            acknowledged[job_id] = word
        writer.wait()
        writer.stdout.close()
    store = open_store(tmp_path / "data")
    for job_id, word in acknowledged.items():
        run = store.get_run(name_of(job_id))
        assert run.state is RunState.CANCELLED or word == "created"
        again, is_new = store.create_run(new_run(job_id), f"request-{job_id}", b"print")
        assert (again.id, is_new) == (run.id, False)
    look = SqliteLook(tmp_path / "data" / "reprise.db")
    assert_blobs_are_counted(look)
    assert_states_moved_legally(look)
    assert look.rows("PRAGMA integrity_check") == [("ok",)]
    assert look.rows("PRAGMA foreign_key_check") == []
    look.close()
    store.close()


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[], sqlite3.Connection]]:
    """Take the database's write lock, as another program would."""
    holders: list[sqlite3.Connection] = []

    def take() -> sqlite3.Connection:
        holder = sqlite3.connect(tmp_path / "data" / "reprise.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        holders.append(holder)
        return holder

    yield take
    for holder in holders:
        holder.close()


def test_a_database_that_another_holds_is_unavailable_and_reads_go_on(
    tmp_path: Path, hold: Callable[[], sqlite3.Connection]
) -> None:
    store = open_store(tmp_path / "data", busy_timeout_s=0.05)
    store.create_run(new_run("one"))
    holder = hold()
    with pytest.raises(Unavailable):
        store.create_run(new_run("two"))
    with pytest.raises(Unavailable):
        store.request_cancel(name_of("one"), T0)
    assert store.get_run(name_of("one")).state is RunState.PENDING
    assert len(store.list_runs(ListQuery(PARENT)).runs) == 1
    holder.execute("ROLLBACK")
    store.create_run(new_run("two"))
    store.close()


def test_a_database_that_another_has_for_itself_is_unavailable_until_it_is_given_back(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data", busy_timeout_s=0.05)
    store.create_run(new_run("one"))
    store.close()
    other = sqlite3.connect(tmp_path / "data" / "reprise.db", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable):
        open_store(tmp_path / "data", busy_timeout_s=0.05)
    other.close()
    store = open_store(tmp_path / "data", busy_timeout_s=0.05)
    store.get_run(name_of("one"))
    store.close()


def test_a_write_waits_for_a_short_hold(tmp_path: Path, hold: Callable[[], sqlite3.Connection]) -> None:
    store = open_store(tmp_path / "data")
    holder = hold()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(store.create_run, new_run("one"))
        holder.execute("ROLLBACK")
        assert call.result()[1]
    store.close()


def test_calls_after_the_close_are_unavailable(store: SqlStore) -> None:
    store.create_run(new_run("one"))
    store.close()
    store.close()
    with pytest.raises(Unavailable):
        store.create_run(new_run("two"))
    with pytest.raises(Unavailable):
        store.get_run(name_of("one"))


def test_what_was_queued_before_the_close_is_done(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold(run_id: int) -> None:
        is_held.set()
        may_go_on.wait(30)

    remove = store.add_listener(hold)
    store.create_run(new_run("first"))
    assert is_held.wait(30)
    remove()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(store.create_run, new_run(f"run-{index}")) for index in range(8)]
        may_go_on.set()
        assert all(call.result()[1] for call in calls)
        pool.submit(store.close).result()


def test_one_write_that_fails_does_not_fail_those_that_share_its_commit(tmp_path: Path) -> None:
    """A group in which every second call is refused."""
    store = open_store(tmp_path)
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold(run_id: int) -> None:
        is_held.set()
        may_go_on.wait(30)

    remove = store.add_listener(hold)
    store.create_run(new_run("taken"))
    assert is_held.wait(30)
    remove()
    names = ["taken" if index % 2 else f"run-{index}" for index in range(12)]
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(store.create_run, new_run(name)) for name in names]
        may_go_on.set()
        failed = [call.exception() is not None for call in calls]
    assert failed == [name == "taken" for name in names]
    assert len(store.list_runs(ListQuery(PARENT)).runs) == 7
    store.close()


class CountingQueue:
    """A queue that tells when so much has been put into it."""

    def __init__(self, count: int) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._left = count
        self.is_full = threading.Event()

    def put(self, item: Any) -> None:
        self._queue.put(item)
        self._left -= 1
        if self._left == 0:
            self.is_full.set()

    def get(self) -> Any:
        return self._queue.get()

    def get_nowait(self) -> Any:
        return self._queue.get_nowait()


def test_what_waits_together_is_committed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []

    def connect_traced(path: Path, **options: Any) -> sqlite3.Connection:
        connection = connect(path, **options)
        connection.set_trace_callback(statements.append)
        return connection

    waiting = CountingQueue(1 + 30)

    def wait(run_id: int) -> None:
        waiting.is_full.wait(30)

    with monkeypatch.context() as patched:
        patched.setattr("reprise.store.sqlite.connect", connect_traced)
        patched.setattr("reprise.store.writer.queue.SimpleQueue", lambda: waiting)
        store = open_store(tmp_path)
    statements.clear()
    # The thread that answers is kept until thirty wait behind the first.
    remove = store.add_listener(wait)
    with ThreadPoolExecutor(31) as pool:
        calls = [pool.submit(store.create_run, new_run(f"run-{index}")) for index in range(31)]
        assert all(call.result()[1] for call in calls)
    remove()
    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 2
    assert statements.count("SAVEPOINT job") == 31
    store.close()


def test_a_fault_in_the_writer_leaves_no_caller_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("reprise.store.writer.Writer._do", lambda *_: 1 / 0)
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            store.create_run(new_run("one"))
    store.create_run(new_run("one"))
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a small disk takes the right to mount one")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def test_on_a_full_disk_cancel_and_delete_go_through_and_reads_go_on(small_disk: Path) -> None:
    store = open_store(small_disk, ballast_bytes=2 * MEGABYTE)
    try:
        for job_id in ("waiting", "running", "batch"):
            store.create_run(new_run(job_id))
        owner = claim(store, "running")
        owner.begin()
        ended_run(store, "ended")
        filler = fill(small_disk)
        with pytest.raises(ResourceExhausted):
            for index in range(10_000):
                store.create_run(new_run(f"run-{index}", spec=os.urandom(4096)))
        assert store.request_cancel(name_of("waiting"), T0).state is RunState.CANCELLED
        assert not (small_disk / "ballast").exists()
        with pytest.raises(ResourceExhausted):
            store.create_run(new_run("new", spec=os.urandom(4096)))
        assert store.request_cancel(name_of("running"), T0).state is RunState.CANCELLING
        assert store.begin_batch_cancel(PARENT, [name_of("batch")], Party.REPRISE, T0).is_done
        assert owner.finish(RunState.CANCELLED).state is RunState.CANCELLED
        store.delete_runs(PARENT, [name_of("ended")], OperationKind.DELETE, Party.REPRISE, T0)
        assert store.get_details(name_of("waiting")).spec == b"spec"
        assert store.list_runs(ListQuery(PARENT)).runs
        filler.unlink()
        store.create_run(new_run("new"))
        assert (small_disk / "ballast").stat().st_size == 2 * MEGABYTE
    finally:
        store.close()
    store = open_store(small_disk, ballast_bytes=2 * MEGABYTE)
    assert store.get_run(name_of("running")).state is RunState.CANCELLED
    store.close()


def test_a_value_too_large_for_the_store_is_refused(store: SqlStore) -> None:
    from reprise.store.connection import translate

    error = sqlite3.DataError("string or blob too big")
    assert isinstance(translate(error, Path("/")), ResourceExhausted)


def test_the_lock_file_is_locked_by_the_kernel(store: SqlStore, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "data" / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
