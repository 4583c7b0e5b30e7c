"""SQLite as the store uses it, over a VFS that records every write and every sync of its files.

SQLite's own VFS does the work underneath; what is recorded is enough to build the disk as a power cut at any
moment might leave it. apsw's files have no shared memory, so there is one connection in exclusive mode, which the
store's connections take turns at; a transaction keeps its turn to the end.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Write:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True)
class Sync:
    file: str


@dataclass(frozen=True)
class Remove:
    file: str


@dataclass
class Recording:
    """What was done to the files, in order."""

    steps: list[Write | Truncate | Sync | Remove] = field(default_factory=list)

    def begin_with(self, path: Path) -> None:
        """A file that is on the disk already."""
        self.steps += [Write(path.name, 0, path.read_bytes()), Sync(path.name)]

    def syncs(self) -> list[int]:
        return [index for index, step in enumerate(self.steps) if isinstance(step, Sync)]

    def image(self, until: int, chance: random.Random | None) -> dict[str, bytes]:
        """The files when the power goes before step `until`: what had been synced is there.

        Of what had not, nothing; or, with a `chance`, any of it in any order, by sectors.
        """
        durable: dict[str, bytearray] = {}
        pending: dict[str, list[Write | Truncate]] = {}
        for step in self.steps[:until]:
            if isinstance(step, Remove):
                # Worst: it has reached the disk, and what was written before has not.
                durable.pop(step.file, None)
                pending.pop(step.file, None)
            elif isinstance(step, Sync):
                for one in pending.pop(step.file, []):
                    _apply(durable.setdefault(step.file, bytearray()), one)
            else:
                pending.setdefault(step.file, []).append(step)
        if chance is not None:
            for file, steps in pending.items():
                for one in steps:
                    for piece in _sectors(one):
                        if chance.random() < 0.5:
                            _apply(durable.setdefault(file, bytearray()), piece)
        return {file: bytes(content) for file, content in durable.items()}


def _sectors(step: Write | Truncate) -> Iterable[Write | Truncate]:
    if isinstance(step, Truncate):
        yield step
        return
    for start in range(0, len(step.data), SECTOR_BYTES):
        yield Write(step.file, step.offset + start, step.data[start : start + SECTOR_BYTES])


def _apply(content: bytearray, step: Write | Truncate) -> None:
    if isinstance(step, Truncate):
        del content[step.size :]
        return
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    content[step.offset : step.offset + len(step.data)] = step.data


class RecordingVfs(apsw.VFS):
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.name = f"recording-{id(self)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self._recording, name, flags)

    def xDelete(self, name: str, sync_directory: bool) -> None:  # noqa: N802
        self._recording.steps.append(Remove(Path(name).name))
        super().xDelete(name, sync_directory)


class _File(apsw.VFSFile):
    def __init__(self, recording: Recording, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._recording = recording
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path).name if path else "(temporary)"

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._recording.steps.append(Write(self._name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        self._recording.steps.append(Truncate(self._name, size))

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._recording.steps.append(Sync(self._name))


class RecordedDatabase:
    """Gives connections that look like sqlite3's; a stand-in for `sqlite3.connect`."""

    def __init__(self, recording: Recording) -> None:
        self._vfs = RecordingVfs(recording)
        self._shared: apsw.Connection | None = None
        self.turn = threading.RLock()

    def connect(self, path: Path, **_options: Any) -> _Connection:
        with self.turn:
            if self._shared is None:
                self._shared = apsw.Connection(str(path), vfs=self._vfs.name)
                self._shared.execute("PRAGMA locking_mode=EXCLUSIVE")
            return _Connection(self._shared, self.turn)

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()


class _Connection:
    def __init__(self, shared: apsw.Connection, turn: threading.RLock) -> None:  # type: ignore[valid-type]
        self._shared = shared
        self._turn = turn
        self._has_turn = False

    @property
    def in_transaction(self) -> bool:
        return self._has_turn and self._shared.in_transaction

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Rows:
        if sql.startswith("PRAGMA query_only"):
            return _Rows([], 0)  # it would hold for the writer too
        with self._turn:
            if sql.startswith("BEGIN"):
                self._turn.acquire()
                self._has_turn = True
            try:
                before = self._shared.total_changes()
                rows = self._shared.execute(sql, tuple(values)).fetchall()
                return _Rows(rows, self._shared.total_changes() - before)
            except apsw.ConstraintError as error:
                raise sqlite3.IntegrityError(str(error)) from error
            except apsw.Error as error:
                raise sqlite3.OperationalError(str(error)) from error
            finally:
                if self._has_turn and not self._shared.in_transaction:
                    self._has_turn = False
                    self._turn.release()

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> _Rows:
        count = sum(self.execute(sql, row).rowcount for row in rows)
        return _Rows([], count)

    def close(self) -> None:
        return None  # the one connection is closed by its database


class _Rows:
    def __init__(self, rows: list[Any], count: int) -> None:
        self._rows = iter(rows)
        self.rowcount = count

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def close(self) -> None:
        return None
