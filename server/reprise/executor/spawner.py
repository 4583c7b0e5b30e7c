"""The small process that starts the supervisors. Started with the path of the native library and of a socket.

Invariant: one thread, the standard library only, nothing of ours imported. With PyDLL the call keeps the
interpreter's lock, so that a child that was forked in native code can go on in it: with a third argument, the
module that runs a task, this process is a warm interpreter, whose forked children are the tasks themselves.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import threading
from typing import Any  # of the standard library, and what annotations need

_PATH_BYTES = 8192


def main() -> None:
    library = ctypes.PyDLL(sys.argv[1])
    module = None
    if len(sys.argv) > 3:
        module = importlib.import_module(sys.argv[3])
        gc.collect()
        gc.freeze()
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208 (pathlib is not worth its import)
        sys.exit("this interpreter has threads and cannot be forked")
    outcome = library.reprise_spawner(int(sys.argv[2]))
    if outcome != 1:
        sys.exit(outcome != 0)
    ctypes.pythonapi.PyOS_AfterFork_Child()
    path = ctypes.create_string_buffer(_PATH_BYTES)
    library.reprise_warm_launch(path, ctypes.c_size_t(_PATH_BYTES))
    code = 1
    try:
        code = _run_task(module, os.fsdecode(path.value))
    finally:
        os._exit(code)


def _run_task(module: Any, launch_path: str) -> int:
    """Run the module's main function as a new interpreter would with `-m`; gives its exit code."""
    # What an interpreter sets up for itself when it starts.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(launch_path, encoding="utf-8") as file:  # noqa: PTH123
        launch = json.load(file)
    os.environ.clear()
    os.environ.update(launch["env"], REPRISE_ATTEMPT=launch["marker"])
    tempfile: Any = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile.tempdir = None
    sys.argv = [module.__file__, *launch["argv"][3:]]
    sys.path[0] = os.getcwd()  # noqa: PTH109
    sys.modules["__main__"] = module
    code = 1
    try:
        module.executor_main()
        code = 0
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        shutdown: Any = getattr(threading, "_shutdown")  # noqa: B009
        shutdown()
        atexit._run_exitfuncs()
    finally:
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
