"""Opening a store: a folder is a data directory with SQLite in it, a URL names a database server."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.store import claims
from reprise.store.connection import BUSY_TIMEOUT_S, connect, translate
from reprise.store.data_dir import BALLAST_BYTES, DataDir
from reprise.store.schema_version import SCHEMA_VERSION, VERSION_TABLE
from reprise.store.sql import SqlStore
from reprise.store.sqlite import SqliteDatabase


def open_store(
    url_or_data_dir: str | os.PathLike[str],
    *,
    now_ns: Callable[[], int] = time.time_ns,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    ballast_bytes: int = BALLAST_BYTES,
) -> SqlStore:
    """The store, its schema brought up to date.

    Errors: DataDirInUse; Unavailable; FailedPrecondition where a newer release has made it.
    """
    place = os.fspath(url_or_data_dir)
    if "://" in place:
        raise InvalidArgument(
            FieldProblem("store", f"expected a data directory, got {place.split(':')[0]}://")
        )
    data_dir = DataDir(Path(place).absolute(), ballast_bytes)
    try:
        _prepare(data_dir.database_path, busy_timeout_s)
        database = SqliteDatabase(data_dir, busy_timeout_s)
    except BaseException as error:
        data_dir.close()
        if isinstance(error, sqlite3.Error):
            raise translate(error, data_dir.path) from error
        raise
    # Alone by the lock of the data directory: whatever lease there is, its holder is gone.
    if database.read(claims.has_leases):
        database.mutate(claims.free_all)
    return SqlStore(database, now_ns)


def _prepare(path: Path, busy_timeout_s: float) -> None:
    connection = connect(path, is_reader=False, busy_timeout_s=busy_timeout_s)
    try:
        if _version(connection) == SCHEMA_VERSION:
            return
        _bring_up_to_date(connection)
    finally:
        connection.close()


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    from reprise.store.schema import bring_up_to_date

    # A migration may rebuild a table, which must not take along what hangs on its rows.
    connection.execute("PRAGMA foreign_keys=OFF")
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as bound:
        bound.exec_driver_sql("BEGIN IMMEDIATE")
        bring_up_to_date(bound)
        bound.exec_driver_sql("COMMIT")


def _version(connection: sqlite3.Connection) -> str:
    """Read without SQLAlchemy's engine, which a start on an existing data directory has no use for."""
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchall()
    rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() if tables else []
    return str(rows[0][0]) if rows else ""
