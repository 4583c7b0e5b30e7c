"""How long a server that comes back after `kill -9`, with many active runs, takes until a task starts.

    python bench/restart.py [--runs 1000] [--at-once 32] [--rounds 7]

Time: from the start of the new server's process to the moment in which a task that no server had started before writes
its first line, by the host's clock. When the server is killed `--at-once` tasks are running, and end while nobody is
there; the other runs wait for room or stand between two tasks. In the next round as many runs are active again: those
that have ended are replaced. Goal: at most 3 s. Beside it, in the same rounds, an interpreter that only imports grpc
and protobuf: what no Python server of this kind can be below.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from faults import workload
from faults.lives import processes_with
from reprise.client import Client
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served
from start import imports_s, said

GOAL_S = 3.0
_WITHIN_S = 120.0
_ENDED = (states.PIPELINE_STATE_SUCCEEDED, states.PIPELINE_STATE_FAILED, states.PIPELINE_STATE_CANCELLED)
_SAY = 'echo "$REPRISE_ATTEMPT $(date +%s%N)" >> "$STARTED"'
_TASKS = {name: (f"{_SAY}\nsleep 0.5", after) for name, after in (("a", ()), ("b", ("a",)), ("c", ("b",)))}


class Bench:
    def __init__(self, folder: Path, at_once: int) -> None:
        self._started_file, self._ledger = folder / "started", folder / "ledger"
        self._started_file.touch()
        self._numbers = iter(range(10**9))
        self.server = Served(
            folder / "data",
            "--environments=host",
            f"--max-parallel-tasks={at_once}",
            f"--env=STARTED={self._started_file}",
            f"--env=LEDGER={self._ledger}",
        )
        self._at_once = at_once

    def fill(self, runs: int) -> None:
        """Return when so many runs are active and as many tasks are running as may."""
        with Client(self.server.grpc) as client:
            active = sum(job.state not in _ENDED for job in client.list(fields=("name", "state")))
            for _ in range(runs - active):
                job_id = f"run-{next(self._numbers)}"
                client.create(workload.create_request(client.parent, job_id, workload.spec(_TASKS)))
        wanted = len(self._started()) + self._at_once
        _await(lambda: len(self._started()) >= wanted)

    def restart_s(self) -> float:
        """Kill the server; the seconds from the start of the next one to a task that this one starts."""
        self.server.kill()
        _await(lambda: not processes_with(f"LEDGER={self._ledger}".encode()))
        known = set(self._started())
        began_ns = time.time_ns()
        self.server.restart()
        _await(lambda: len(self._started()) > len(known))
        first_ns = min(at_ns for mark, at_ns in self._started().items() if mark not in known)
        return (first_ns - began_ns) / 1e9

    def end(self) -> None:
        """What still runs ends by itself, within half a second."""
        self.server.kill()

    def _started(self) -> dict[str, int]:
        lines = (line.split() for line in self._started_file.read_text().splitlines())
        return {mark: int(at_ns) for mark, at_ns in lines}


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WITHIN_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_WITHIN_S:.0f} s")
        time.sleep(0.005)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="reprise-restart-", ignore_cleanup_errors=True) as folder:
        bench = Bench(Path(folder), options.at_once)
        times, imports = [], []
        try:
            imports_s()
            for _ in range(options.rounds):
                bench.fill(options.runs)
                times.append(bench.restart_s())
                imports.append(imports_s())
        finally:
            bench.end()
    print(
        f"{options.runs} active runs, kill -9, to the first task: {said(times, 's')}; "
        f"the imports alone: {said(imports, 's')}"
    )
    return int(median(times) > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
