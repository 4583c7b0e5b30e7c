"""A connection to SQLite, the statements run on it, and what its errors mean.

Invariant: write-ahead log with synchronous=FULL, so that what has been committed survives power loss.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reprise.domain.errors import RepriseError, ResourceExhausted, Unavailable
from reprise.store.data_dir import free_bytes
from reprise.store.statement import LargeColumn, Row, Statement

DATABASE = "sqlite"  # the forms of statements that run here
BUSY_TIMEOUT_S = 5.0
_NUMBERS_AT_ONCE = 1000
# Compiled statements that a connection keeps, of some 25 KB each. There are many readers, and each page of a list has a
# text of its own, with its numbers in it: kept by the hundred they would take a hundred megabytes in the end.
_READER_STATEMENTS = 40
_WRITER_STATEMENTS = 256
_LITTLE_SPACE_BYTES = 64 * 1024
_MAPPED_BYTES = 1024 * 1024 * 1024


def connect(path: Path, *, is_reader: bool, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout_s,
        isolation_level=None,  # transactions are begun and ended by us
        check_same_thread=False,  # handed from thread to thread, used by one at a time
        cached_statements=_READER_STATEMENTS if is_reader else _WRITER_STATEMENTS,
    )
    try:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            # As in PostgreSQL; LIKE is how `*` in a filter is asked for.
            "case_sensitive_like=ON",
            "temp_store=MEMORY",
            # Nobody is promised that what is deleted is overwritten. Some builds do it, and write every page of a run's
            # entries once more when it ends: a third of all that is written of a fan-out.
            "secure_delete=FAST",
            "cache_size=-16000",
            # A write-ahead log that a large record has made long gives its space back.
            "journal_size_limit=67108864",
            # In pages of 4 KiB. Before the log is so long, the checkpointer copies it.
            "wal_autocheckpoint=16000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        if is_reader:
            connection.execute("PRAGMA query_only=ON").close()
            # Details of 40 MB are read four times as fast where the database does not copy each page first. Nobody
            # else shortens the file while it is mapped: the data directory is locked.
            connection.execute(f"PRAGMA mmap_size={_MAPPED_BYTES}").close()
    except BaseException:
        connection.close()
        raise
    return connection


class SqliteTransaction:
    """Statements on one connection; see `Transaction` for what each guarantees."""

    __slots__ = ("_connection", "touched")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.touched: list[int] = []

    def one(self, statement: Statement, *values: Any) -> Row | None:
        form = statement.form(DATABASE)
        cursor = self._connection.execute(form.sql, form.bind(values))
        row: Row | None = cursor.fetchone()
        # An unfinished statement would keep a savepoint from being released.
        cursor.close()
        return row

    def all(self, statement: Statement, *values: Any) -> list[Row]:
        form = statement.form(DATABASE)
        return self._connection.execute(form.sql, form.bind(values)).fetchall()

    def all_in(self, statement: Statement, numbers: Sequence[int], *values: Any) -> list[Row]:
        form = statement.form(DATABASE)
        rows: list[Row] = []
        for start in range(0, len(numbers), _NUMBERS_AT_ONCE):
            sql = form.sql_for(numbers[start : start + _NUMBERS_AT_ONCE])
            rows += self._connection.execute(sql, form.bind(values)).fetchall()
        return rows

    def execute(self, statement: Statement, *values: Any) -> int:
        form = statement.form(DATABASE)
        return self._connection.execute(form.sql, form.bind(values)).rowcount

    def execute_many(self, statement: Statement, rows: Sequence[Row]) -> None:
        if rows:
            form = statement.form(DATABASE)
            self._connection.executemany(form.sql, map(form.bind, rows))

    def large(self, column: LargeColumn, row_id: int) -> bytes:
        # A select would copy the bytes once more, under the interpreter's lock: it takes twice as long.
        try:
            with self._connection.blobopen(column.table, column.name, row_id, readonly=True) as blob:
                return blob.read()
        except OverflowError:  # the first releases of Python 3.11 take no row beyond 2**31
            sql = f"SELECT {column.name} FROM {column.table} WHERE rowid = ?"
            return bytes(self._connection.execute(sql, (row_id,)).fetchone()[0])

    def concerns(self, run_id: int) -> None:
        self.touched.append(run_id)


def disk_is_full() -> ResourceExhausted:
    return ResourceExhausted("the disk of the data directory is full", {"limit": "disk"})


def translate(error: Exception, data_dir: Path) -> Exception:
    """The domain's word for what the database says. What is a fault of ours stays as it is."""
    if isinstance(error, RepriseError) or not isinstance(error, sqlite3.Error):
        return error
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(data_dir)):
        return disk_is_full()
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return ResourceExhausted("a value is larger than the store can keep")
    if code in _AWAY:
        return Unavailable(f"the store cannot be reached now: {error}")
    return error


_AWAY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


def _is_full(path: Path) -> bool:
    try:
        return free_bytes(path) < _LITTLE_SPACE_BYTES
    except OSError:
        return False
