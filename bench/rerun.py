"""A rerun after one failure among a thousand tasks, from the call to SUCCEEDED, beside Dagster (P9).

    python bench/rerun.py [--tasks 1000] [--rounds 7] [--dagster-python PATH]

The pipeline: layers of ten tasks, every task after one of the layer before; each runs `true`, and the last failed the
first time. Reprise: a real server, the subprocess executor, durable in SQLite; from the call until the server's own
record of the end. Dagster: re-execution from failure in its fastest way (in process, its SQLite instance), whose tasks
are Python functions that return at once; from the call until it has returned. Both in the same rounds, one after the
other. `--dagster-python`: an interpreter that has Dagster (`pip install dagster`); without one Reprise runs alone.
Goals: at most 50 ms; at least 100 times faster.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from reprise.client import Client
from reprise.client.requests import fill_spec
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from timed_run import served_at

GOAL_S, GOAL_RATIO = 0.050, 100.0
_LAYER = 10
_REUSED = ("SKIPPED",)


def layered(tasks: int, flag: Path) -> Mapping[str, Any]:
    """The last task fails while `flag` is there."""
    names = [f"task-{index}" for index in range(tasks)]
    scripts = dict.fromkeys(names, "true") | {names[-1]: f"! test -e {flag}"}
    return {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "layered"},
        "deploymentSpec": {
            "executors": {
                f"exec-{name}": {"container": {"image": "none", "command": ["sh", "-c", script]}}
                for name, script in scripts.items()
            }
        },
        "components": {f"comp-{name}": {"executorLabel": f"exec-{name}"} for name in names},
        "root": {
            "dag": {
                "tasks": {
                    name: {
                        "taskInfo": {"name": name},
                        "componentRef": {"name": f"comp-{name}"},
                        **({"dependentTasks": [names[index - _LAYER]]} if index >= _LAYER else {}),
                    }
                    for index, name in enumerate(names)
                }
            }
        },
    }


class Reprise:
    def __init__(self, client: Client, tasks: int, folder: Path) -> None:
        self._client, self._tasks = client, tasks
        flag = folder / "broken"
        flag.touch()
        request = service.CreatePipelineJobRequest(parent=client.parent, pipeline_job_id="original")
        fill_spec(request.pipeline_job.pipeline_spec, layered(tasks, flag))
        client.create(request)
        job = client.wait("original", 3600)
        if job.state != states.PIPELINE_STATE_FAILED:
            raise RuntimeError(f"the original was to fail: {job.error}")
        flag.unlink()

    def rerun_s(self) -> float:
        request = reruns.RerunPipelineJobRequest(name=self._client.run_name("original"))
        began = time.time()
        name = self._client.rerun(request).name
        self._client.wait(name, 600)
        job = self._client.get(name)
        found = [type(task).State.Name(task.state) for task in job.job_detail.task_details]
        if job.state != states.PIPELINE_STATE_SUCCEEDED or sorted(found) != self._wanted():
            raise RuntimeError(f"the rerun was to run one task: {job.error}")
        return job.end_time.ToNanoseconds() / 1e9 - began

    def _wanted(self) -> list[str]:
        return sorted(["SUCCEEDED", *_REUSED * (self._tasks - 1)])


class Dagster:
    """A process of its own that re-executes when it is told to."""

    def __init__(self, python: str, tasks: int, folder: Path) -> None:
        script = Path(__file__).with_name("dagster_rerun.py")
        home = folder / "dagster"
        home.mkdir()
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        self._process = subprocess.Popen(
            [python, str(script), str(tasks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"DAGSTER_HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        self._answer()

    def rerun_s(self) -> float:
        assert self._process.stdin is not None
        print("again", file=self._process.stdin, flush=True)
        return float(self._answer())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("bench:"):
                return line.removeprefix("bench:").strip()
        raise RuntimeError("Dagster has ended")


def has_dagster(python: str) -> bool:
    found = subprocess.run([python, "-c", "import dagster"], capture_output=True, check=False)
    return found.returncode == 0


def tell(name: str, seconds: list[float]) -> float:
    middle = statistics.median(seconds)
    print(f"  {name:<10} {middle * 1e3:10.1f} ms ({min(seconds) * 1e3:.1f} to {max(seconds) * 1e3:.1f})")
    return middle


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dagster-python", default=sys.executable)
    options = parser.parse_args()
    with ExitStack() as opened:
        folder = Path(
            opened.enter_context(
                tempfile.TemporaryDirectory(prefix="reprise-bench-", ignore_cleanup_errors=True)
            )
        )
        address = opened.enter_context(served_at(folder / "data", "--environments=host"))
        client = opened.enter_context(Client(address, sleep=lambda s: time.sleep(min(s, 0.02))))
        reprise = Reprise(client, options.tasks, folder)
        dagster = None
        if has_dagster(options.dagster_python):
            dagster = Dagster(options.dagster_python, options.tasks, folder)
            opened.callback(dagster.close)
        reprise.rerun_s()
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(options.rounds):
            ours.append(reprise.rerun_s())
            if dagster is not None:
                theirs.append(dagster.rerun_s())
    print(f"rerun after 1 failure in {options.tasks}, {options.rounds} rounds:")
    middle = tell("Reprise", ours)
    if not theirs:
        print(f"  Dagster is not there: {options.dagster_python} does not import it")
        return int(middle > GOAL_S)
    ratio = tell("Dagster", theirs) / middle
    print(f"  {ratio:.0f}x")
    return int(middle > GOAL_S or ratio < GOAL_RATIO)


if __name__ == "__main__":
    sys.exit(main())
