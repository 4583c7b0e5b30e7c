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
