"""The C functions of the native library that need no interpreter: what it can kill, and what the host allows.

Invariant: calls block their thread and release the interpreter's lock; nothing here imports the library as a
module.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LIBRARY_VARIABLE = "REPRISE_NATIVE_LIBRARY"
_ANSWER_BYTES = 256 * 1024


@cache
def library_path() -> Path:
    """Where the native library is; raises FileNotFoundError if the package was built without it."""
    named = os.environ.get(LIBRARY_VARIABLE)
    if named:
        return Path(named)
    found = importlib.util.find_spec("reprise._core")
    if found is None or found.origin is None or not found.origin.endswith(".so"):
        raise FileNotFoundError("the native library of reprise is not installed")
    return Path(found.origin)


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(library_path()))


class AttemptLog:
    """The bounded log of an attempt whose output is told from its beginning, maybe again. Not for several threads."""

    def __init__(self, path: str, limit_bytes: int, line_limit_bytes: int) -> None:
        """Raises OSError where it cannot be opened."""
        library = _library()
        library.reprise_log_open.restype = ctypes.c_void_p
        opened = library.reprise_log_open(
            os.fsencode(path), ctypes.c_uint64(limit_bytes), ctypes.c_uint64(line_limit_bytes)
        )
        if not opened:
            raise OSError(f"the log {path} cannot be opened")
        self._library = library
        self._log: ctypes.c_void_p | None = ctypes.c_void_p(opened)

    def write(self, output: bytes) -> None:
        """Take what the task has written. What cannot be kept is told by `finish`."""
        if self._log is not None:
            self._library.reprise_log_write(self._log, output, ctypes.c_size_t(len(output)))

    def finish(self) -> str:
        """Complete the log, once. Gives why it is not whole, "" if it is."""
        if self._log is None:
            return ""
        log, self._log = self._log, None
        error = self._library.reprise_log_finish(log)
        return "" if error == 0 else os.strerror(error) if error > 0 else "unknown"


def kill_tree(marker: str, cgroup_dir: str | None, bound_s: float) -> Mapping[str, Any]:
    """Kill what is left of an attempt whose supervisor is gone. Gives `killed`, `survivors`, `kill_method`.

    Blocks until everything is dead or `bound_s` has passed. Idempotent.
    """
    request = json.dumps({"marker": marker, "cgroup_dir": cgroup_dir, "bound_s": bound_s})
    answer = ctypes.create_string_buffer(_ANSWER_BYTES)
    if _library().reprise_kill_tree(request.encode(), answer, ctypes.c_size_t(_ANSWER_BYTES)) != 0:
        raise RuntimeError("the native library did not take the request")
    result: Mapping[str, Any] = json.loads(answer.value)
    return result


def probe() -> Mapping[str, Any]:
    """What the host allows: `cgroup_root`, or in `cgroup_detail` why not. Forks; not for the server."""
    answer = ctypes.create_string_buffer(_ANSWER_BYTES)
    if _library().reprise_probe(answer, ctypes.c_size_t(_ANSWER_BYTES)) != 0:
        raise RuntimeError("the native library could not probe the host")
    result: Mapping[str, Any] = json.loads(answer.value)
    return result
