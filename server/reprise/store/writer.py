"""The one thread that writes to SQLite, with group commit.

Invariants: what is queued at one time is run in one transaction, each piece of work under a savepoint of its
own, and answered after the one COMMIT; so a piece that fails undoes itself alone, and nobody is told of what
is not durable. Where the transaction as a whole fails, its pieces are run again, each in a transaction of its
own.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from reprise import crash_point
from reprise.domain.errors import ResourceExhausted, Unavailable
from reprise.store.connection import SqliteTransaction, disk_is_full
from reprise.store.data_dir import Ballast
from reprise.store.database import Transaction

T = TypeVar("T")

_LARGEST_GROUP = 256
_log = logging.getLogger(__name__)


class _Job:
    """A piece of work and its answer; `answer` is called once, when there is one."""

    __slots__ = ("answer", "error", "is_syncing", "is_urgent", "result", "touched", "work")

    def __init__(self, work: Callable[[Transaction], Any], is_urgent: bool) -> None:
        self.work = work
        self.is_urgent = is_urgent
        self.result: Any = None
        self.error: Exception | None = None
        self.touched: list[int] = []
        self.answer: Callable[[], None] = _to_nobody
        self.is_syncing: Callable[[], None] = _to_nobody


def _to_nobody() -> None:
    return None


class _TransactionLostError(Exception):
    """The database has undone the whole transaction."""


class Writer:
    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        committed: Callable[[], None],
        translate: Callable[[Exception], Exception],
        ballast: Ballast,
    ) -> None:
        """`committed` is told of each transaction, by the writer's thread."""
        self._connect = connect
        self._committed = committed
        self._translate = translate
        self._ballast = ballast
        self._connection: sqlite3.Connection | None = connect()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._listeners: tuple[Callable[[int], None], ...] = ()
        self._state_lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def mutate(self, work: Callable[[Transaction], T], *, is_urgent: bool) -> T:
        job = _Job(work, is_urgent)
        answered = threading.Lock()
        answered.acquire()
        job.answer = answered.release
        self._queue(job)
        answered.acquire()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def mutate_later(
        self,
        work: Callable[[Transaction], T],
        tell: Callable[[T | None, Exception | None], None],
        is_syncing: Callable[[], None],
        *,
        is_urgent: bool,
    ) -> None:
        """As `mutate`; `tell` is called with the result, or the error, by this writer's thread, which it must not hold
        up, and so is `is_syncing` before each COMMIT. Errors: Unavailable, when it is closed."""
        job = _Job(work, is_urgent)
        job.is_syncing = is_syncing
        job.answer = lambda: tell(job.result, job.error)
        self._queue(job)

    def _queue(self, job: _Job) -> None:
        with self._state_lock:
            if self._is_closed:
                raise Unavailable("the store is closed")
            self._jobs.put(job)

    def add_listener(self, listener: Callable[[int], None]) -> Callable[[], None]:
        with self._state_lock:
            self._listeners = (*self._listeners, listener)

        def remove() -> None:
            with self._state_lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return remove

    def close(self) -> None:
        """What has been queued is still done."""
        with self._state_lock:
            if not self._is_closed:
                self._is_closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            first = self._jobs.get()
            if first is None:
                break
            group = [first]
            with contextlib.suppress(queue.Empty):
                while len(group) < _LARGEST_GROUP:
                    job = self._jobs.get_nowait()
                    if job is None:
                        is_open = False
                        break
                    group.append(job)
            try:
                self._do(group)
            except BaseException as error:  # a fault of ours, which must not leave callers waiting for ever
                _log.exception("a group of writes failed")
                for job in group:
                    job.error = job.error or RuntimeError(f"the write failed: {error!r}")
            touched = dict.fromkeys(run_id for job in group if job.error is None for run_id in job.touched)
            for job in group:
                self._answer(job)
            self._tell(touched)
        if self._connection is not None:
            self._connection.close()

    def _do(self, group: list[_Job]) -> None:
        """Give each job its result or its error."""
        if self._ballast.is_spent:
            for job in group:
                self._do_alone(job)
            return
        try:
            self._commit_group(group)
        except _TransactionLostError:
            for job in group:
                self._do_alone(job)
        except Exception as error:
            translated = self._translate(error)
            for job in group:
                if _is_disk_full(translated):
                    self._do_alone(job)
                else:
                    # Nothing was begun: what keeps one away keeps all away, and each would wait in vain.
                    job.error = translated

    def _do_alone(self, job: _Job) -> None:
        job.error = None
        if not job.is_urgent and self._ballast.is_spent and not self._ballast.restore():
            # What the ballast has freed is for what is urgent.
            job.error = disk_is_full()
            return
        self._try(job)
        if job.is_urgent and _is_disk_full(job.error) and self._ballast.free():
            _log.warning("the disk is full: the ballast is given up")
            self._try(job)

    def _try(self, job: _Job) -> None:
        try:
            self._commit_group([job])
        except _TransactionLostError as lost:
            job.error = self._translate(_cause(lost))
        except Exception as error:
            job.error = self._translate(error)

    def _commit_group(self, group: list[_Job]) -> None:
        connection = self._open_connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for job in group:
                self._run_job(connection, job)
            for job in group:
                job.is_syncing()
            crash_point.reach("commit.before")
            connection.execute("COMMIT")
            crash_point.reach("commit.after")
            self._committed()
        except _TransactionLostError:
            raise
        except BaseException as error:
            self._abandon(connection)
            raise _TransactionLostError from error

    def _run_job(self, connection: sqlite3.Connection, job: _Job) -> None:
        transaction = SqliteTransaction(connection)
        job.error = None
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(transaction)
        except Exception as error:
            if not connection.in_transaction or _is_of_the_disk(error):
                self._abandon(connection)
                raise _TransactionLostError from error
            connection.execute("ROLLBACK TO job")
            job.error = self._translate(error)
        else:
            job.touched = transaction.touched
        connection.execute("RELEASE job")

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _abandon(self, connection: sqlite3.Connection) -> None:
        """Undo what has not been committed, if need be by way of a new connection."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
            self._connection = None

    def _answer(self, job: _Job) -> None:
        try:
            job.answer()
        except Exception:
            # Whoever asked has gone; the others of the group wait for their answers.
            _log.exception("an answer was not taken")

    def _tell(self, touched: dict[int, None]) -> None:
        for run_id in touched:
            for listener in self._listeners:
                try:
                    listener(run_id)
                except Exception:
                    # A hint that is lost costs latency; a writer that dies costs everything.
                    _log.exception("a listener failed")


def _is_disk_full(error: Exception | None) -> bool:
    return isinstance(error, ResourceExhausted) and error.metadata.get("limit") == "disk"


def _is_of_the_disk(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM)


def _cause(lost: _TransactionLostError) -> Exception:
    return lost.__cause__ if isinstance(lost.__cause__, Exception) else lost
