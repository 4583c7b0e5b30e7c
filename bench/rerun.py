"""A rerun after one failure among a thousand tasks, from the call to SUCCEEDED, beside Dagster (P9).

    python bench/rerun.py [--tasks 1000] [--rounds 7] [--dagster-python PATH]

The pipeline: layers of ten tasks, every task after one of the layer before, no values between them; the last failed the
first time. In each round, one after the other, all of the same run, and all have to have run one task and succeeded:

- Reprise: a running server, called by gRPC; the subprocess executor, whose task is the process `true`.
- Dagster, service: a running `dagster-webserver` with its code server, called by GraphQL (FROM_FAILURE); SQLite, the
  launcher and the executor that it has by default: a process for the run, and in it one for the step.
- Dagster, service, in process: the same, the step in the process of the run.
- Dagster, library: `execute_job` in a process that has everything loaded, in process. No service, no new process.

A task of Dagster's is a Python function that returns at once. The goal's ratio is that to the first of Dagster's rows,
for that is what Reprise is, too: a service that somebody asks for a rerun, which is kept whatever becomes of whoever
asked, and whose tasks are processes. The others say how much of it the processes take. For services the end is what
they have recorded themselves, so that no pause between two questions counts; "seen": when the caller knew it, who asks
every 10 ms.
`--dagster-python`: an interpreter with Dagster (`pip install dagster dagster-webserver`, of one version); without it
Reprise runs alone. The original takes Dagster a minute; rounds are left out when three have taken some minutes.
Goals: at most 50 ms; at least 100 times faster.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dagster_service import Dagster, has_dagster
from reprise.client import Client
from reprise.client.client import ENDED
from reprise.client.requests import fill_spec
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns
from rounds import counted
from timed_run import served_at

GOAL_S, GOAL_RATIO = 0.050, 100.0
_LAYER = 10
_POLL_S = 0.01
_REUSED = ("SKIPPED",)
_OURS, _THEIRS = "Reprise", "Dagster, service"


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
        self.seen_s: list[float] = []
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
        while self._client.get(name, ("state",)).state not in ENDED:
            time.sleep(_POLL_S)
        self.seen_s.append(time.time() - began)
        job = self._client.get(name)
        found = [type(task).State.Name(task.state) for task in job.job_detail.task_details]
        if job.state != states.PIPELINE_STATE_SUCCEEDED or sorted(found) != self._wanted():
            raise RuntimeError(f"the rerun was to run one task: {job.error}")
        return job.end_time.ToNanoseconds() / 1e9 - began

    def _wanted(self) -> list[str]:
        return sorted(["SUCCEEDED", *_REUSED * (self._tasks - 1)])


def tell(name: str, seconds: list[float], ours_s: float) -> float:
    """Gives how many times as long as `ours_s` the median is."""
    middle = statistics.median(seconds)
    shown = f"{middle * 1e3:10.1f} ms ({min(seconds) * 1e3:.1f} to {max(seconds) * 1e3:.1f})"
    print(f"  {name:<28} {shown:<36} {middle / ours_s:6.1f}x")
    return middle / ours_s


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
        client = opened.enter_context(Client(address))
        reprise = Reprise(client, options.tasks, folder)
        contenders = {_OURS: reprise.rerun_s}
        if has_dagster(options.dagster_python):
            dagster = Dagster(options.dagster_python, options.tasks, folder / "dagster")
            opened.callback(dagster.close)
            contenders |= {
                _THEIRS: dagster.service_s,
                "Dagster, service, in process": dagster.service_in_process_s,
                "Dagster, library": dagster.library_s,
            }
        reprise.rerun_s()
        reprise.seen_s.clear()
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in counted(options.rounds):
            for name, rerun_s in contenders.items():
                seconds[name].append(rerun_s())
    print(f"rerun after 1 failure in {options.tasks}, {len(seconds[_OURS])} rounds:")
    ours_s = statistics.median(seconds[_OURS])
    ratios = {name: tell(name, times, ours_s) for name, times in seconds.items()}
    tell(f"{_OURS}, seen", reprise.seen_s, ours_s)
    if _THEIRS not in ratios:
        print(f"  Dagster is not there: {options.dagster_python} does not import it and its web server")
    return int(ours_s > GOAL_S or ratios.get(_THEIRS, GOAL_RATIO) < GOAL_RATIO)


if __name__ == "__main__":
    sys.exit(main())
