"""A spawner that is a warm interpreter: it has imported the module that runs tasks, its forks are the tasks.

Its arguments: the native library, a socket's number, the module. It is started by the Python of the tasks'
environment, which has nothing of ours. Invariant: one thread; a task finds what it would find in a new
interpreter started with `-m`: arguments, variables, folder, signals, module search path.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import gc
import importlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main() -> None:
    # PyDLL: the call keeps the interpreter's lock, so that a child forked in native code can go on in it.
    library = ctypes.PyDLL(sys.argv[1])
    module = importlib.import_module(sys.argv[3])
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        sys.exit("this interpreter has threads and cannot be forked")
    _fill_caches()
    gc.collect()
    gc.freeze()
    outcome = library.reprise_spawner(int(sys.argv[2]))
    if outcome != 1:
        sys.exit(outcome != 0)
    ctypes.pythonapi.PyOS_AfterFork_Child()
    library.reprise_warm_launch.restype = ctypes.c_char_p
    code = 1
    try:
        code = _run_task(module, json.loads(library.reprise_warm_launch()))
    finally:
        # Without taking the interpreter down piece by piece, which costs more than many a task.
        os._exit(code)


def _fill_caches() -> None:
    """Let the libraries that every task uses do once what they do at their first use."""
    importlib.import_module("locale")
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=str, help="x")
    parser.parse_known_args(["--x", "1", "--y"])
    logging.Formatter("%(asctime)s %(levelname)s %(message)s").format(logging.makeLogRecord({}))
    json.loads(json.dumps({"x": [1, 2.5, None]}, indent=4))


def _run_task(module: Any, launch: Mapping[str, Any]) -> int:
    """Run the module's main function as a new interpreter would; gives its exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(launch["env"], REPRISE_ATTEMPT=launch["marker"])
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    sys.argv = [module.__file__, *launch["argv"][3:]]
    sys.path[0] = str(Path.cwd())
    sys.modules["__main__"] = module
    try:
        module.executor_main()
        code = 0
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    return _finish(code)


def _finish(code: int) -> int:
    """What an interpreter does at its end: threads are joined, exit functions called, streams written out."""
    join_threads: Any = vars(threading)["_shutdown"]
    join_threads()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    return code


def _exit_code(given: Any) -> int:
    if given is None:
        return 0
    if isinstance(given, int):
        return given & 0xFF
    print(given, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
