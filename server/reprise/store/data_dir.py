"""The data directory of a server that keeps everything on one disk: its lock, and the ballast against a full
disk.

Invariant: one server at a time. The lock is the kernel's (flock), so it goes with the process, however that
ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from reprise.domain.errors import DataDirInUse, Unavailable

BALLAST_BYTES = 8 * 1024 * 1024
_CHUNK = b"\xa5" * (1024 * 1024)  # not zeros: a file system may keep those as holes


class DataDir:
    """Made where it is missing. Errors: DataDirInUse; Unavailable when it cannot be made or written."""

    def __init__(self, path: Path, ballast_bytes: int = BALLAST_BYTES) -> None:
        self.path = path
        self.ballast = Ballast(path / "ballast", ballast_bytes)
        try:
            path.mkdir(parents=True, exist_ok=True)
            # Not inherited by exec: what runs on after the server must not hold its lock.
            self._lock_fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"the data directory {path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock_fd)
            raise DataDirInUse(
                f"another server uses the data directory {path}", {"data_dir": str(path)}
            ) from error
        self.ballast.restore()

    @property
    def database_path(self) -> Path:
        return self.path / "reprise.db"

    def close(self) -> None:
        os.close(self._lock_fd)


class Ballast:
    """A file that is there to be given up when the disk is full. Not safe from several threads at once."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self.is_there = False
        self.is_spent = False

    def restore(self) -> bool:
        """Have it, if the disk leaves twice its size; gives whether it is there."""
        if self.is_there:
            return True
        try:
            if self._path.exists() and self._path.stat().st_size >= self._size_bytes:
                self.is_there = True
            elif free_bytes(self._path.parent) >= 2 * self._size_bytes:
                self._write()
                self.is_there = True
        except OSError:
            self._remove()
        self.is_spent = self.is_spent and not self.is_there
        return self.is_there

    def free(self) -> bool:
        """Give it up; whether that has freed anything."""
        was_there = self.is_there
        self._remove()
        self.is_spent = self.is_spent or was_there
        return was_there

    def _write(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            left = self._size_bytes
            while left > 0:
                left -= os.write(fd, _CHUNK[:left])
            os.fsync(fd)
        finally:
            os.close(fd)

    def _remove(self) -> None:
        self.is_there = False
        with contextlib.suppress(OSError):
            self._path.unlink()


def free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
