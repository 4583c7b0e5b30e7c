"""Forks servers that have imported everything already: `reprise serve` in a new process, without the second that Python
takes to start. Reads one JSON line a server from its standard input ({"argv", "env", "out", "err"}), answers with the
number of its process.

Invariant: one thread, and nothing of ours has been opened, so that a fork is as good as a new interpreter.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys

import grpc  # noqa: F401
import reprise.main  # noqa: F401
from reprise import cli, crash_point
from reprise.cli import server  # noqa: F401


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_serve(wanted))
        print(pid, flush=True)


def _serve(wanted: dict[str, object]) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.update(wanted["env"])  # type: ignore[call-overload]
    for number, name in ((0, "/dev/null"), (1, wanted["out"]), (2, wanted["err"])):
        flags = os.O_RDWR if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(str(name), flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    crash_point.arm(os.environ)
    return cli.main(wanted["argv"])  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
