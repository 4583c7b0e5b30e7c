"""Brings what the write-ahead log holds into the database file, beside the writer.

SQLite does that by itself within a COMMIT, whenever the log has got long: whoever waits for that commit then waits for
megabytes and two more syncs. Here a thread does it in between, so that there is little left to do by then.

Invariant: what is durable does not depend on it. The log is synced by each COMMIT, and read until it has been copied.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable

COMMITS_BETWEEN = 64

_log = logging.getLogger(__name__)


class Checkpointer:
    """`committed` is for one thread, `close` for any."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._commits = 0
        self._is_wanted = threading.Semaphore(0)
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="store-checkpointer", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        """There is one more transaction in the log."""
        self._commits += 1
        if self._commits % COMMITS_BETWEEN == 0:
            self._is_wanted.release()

    def close(self) -> None:
        """A checkpoint that is under way is still made."""
        self._is_closed = True
        self._is_wanted.release()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        with contextlib.ExitStack() as opened:
            while True:
                self._is_wanted.acquire()
                while self._is_wanted.acquire(blocking=False):
                    pass  # one is as good as many
                if self._is_closed:
                    return
                try:
                    if connection is None:
                        connection = self._connect()
                        opened.callback(connection.close)
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
                except sqlite3.Error as error:
                    # A full disk, say: the log is kept, and the next one copies what this one has not.
                    _log.warning("a checkpoint was not made: %s", error)
