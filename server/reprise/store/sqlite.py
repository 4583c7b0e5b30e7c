"""SQLite as a Database: one connection writes (see `writer`), any number read beside it, each on a
snapshot.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from reprise.domain.errors import Unavailable
from reprise.store.checkpointer import Checkpointer
from reprise.store.connection import BUSY_TIMEOUT_S, DATABASE, SqliteTransaction, connect, translate
from reprise.store.data_dir import DataDir
from reprise.store.database import Transaction
from reprise.store.statement import Row, Statement
from reprise.store.writer import Writer

T = TypeVar("T")

_IDLE_READERS = 32


class SqliteDatabase:
    """One file, one writer thread, readers beside it; see `Database` for the guarantees."""

    def __init__(self, data_dir: DataDir, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._data_dir = data_dir
        self._path = data_dir.database_path
        self._busy_timeout_s = busy_timeout_s
        self._idle: deque[sqlite3.Connection] = deque()
        self._is_closed = False
        self._closing = threading.Lock()
        self._checkpointer = Checkpointer(lambda: connect(self._path, is_reader=False))
        self._writer = Writer(
            connect=lambda: connect(self._path, is_reader=False, busy_timeout_s=busy_timeout_s),
            committed=self._checkpointer.committed,
            translate=lambda error: translate(error, data_dir.path),
            ballast=data_dir.ballast,
        )

    def mutate(self, work: Callable[[Transaction], T], *, is_urgent: bool = False) -> T:
        return self._writer.mutate(work, is_urgent=is_urgent)

    def mutate_later(
        self,
        work: Callable[[Transaction], T],
        tell: Callable[[T | None, Exception | None], None],
        is_syncing: Callable[[], None],
        *,
        is_urgent: bool = False,
    ) -> None:
        self._writer.mutate_later(work, tell, is_syncing, is_urgent=is_urgent)

    def read(self, work: Callable[[Transaction], T]) -> T:
        with self._reader() as connection:
            connection.execute("BEGIN").close()
            try:
                return work(SqliteTransaction(connection))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT").close()

    def read_one(self, statement: Statement, *values: Any) -> Row | None:
        form = statement.form(DATABASE)
        connection: sqlite3.Connection | None = None
        try:
            connection = self._take_reader()
            cursor = connection.execute(form.sql, form.bind(values))
            row: Row | None = cursor.fetchone()
            # An unfinished statement would hold its snapshot, and the log could not be emptied.
            cursor.close()
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise translate(error, self._data_dir.path) from error
        self._give_back(connection)
        return row

    def add_listener(self, listener: Callable[[int], None]) -> Callable[[], None]:
        return self._writer.add_listener(listener)

    def close(self) -> None:
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        self._writer.close()
        self._checkpointer.close()
        while self._idle:
            self._idle.pop().close()
        self._data_dir.close()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._take_reader()
            yield connection
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
                connection = None
            raise translate(error, self._data_dir.path) from error
        finally:
            if connection is not None:
                self._give_back(connection)

    def _take_reader(self) -> sqlite3.Connection:
        if self._is_closed:
            raise Unavailable("the store is closed")
        try:
            return self._idle.pop()
        except IndexError:
            return connect(self._path, is_reader=True, busy_timeout_s=self._busy_timeout_s)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._is_closed or len(self._idle) >= _IDLE_READERS:
            connection.close()
        else:
            self._idle.append(connection)
