"""A real `reprise serve` for the benchmarks, and how long its runs take.

Times are from the creation of the run to its end, by the server's own record of both, divided by the tasks: a client
that asks often enough to see the end in time would slow down what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprise.client import Client, create_request, load_pipeline
from reprise.pb.v1 import pipeline_state_pb2 as states

_POLL_S = 0.2
_RUNNING = (
    states.PIPELINE_STATE_PENDING,
    states.PIPELINE_STATE_RUNNING,
    states.PIPELINE_STATE_QUEUED,
)


@contextmanager
def served(*options: str) -> Iterator[Client]:
    """A client of a server of its own, on a new data directory."""
    with (
        tempfile.TemporaryDirectory(prefix="reprise-bench-", ignore_cleanup_errors=True) as folder,
        served_at(Path(folder) / "data", *options) as address,
        Client(address) as client,
    ):
        yield client


def add_container_options(parser: argparse.ArgumentParser, tasks: int) -> None:
    """Of the rows that a container engine is needed for; without a socket there are none."""
    parser.add_argument("--container-socket", default="")
    parser.add_argument("--container-host-config", default="")
    parser.add_argument("--container-tasks", type=int, default=tasks)
    parser.add_argument("--image", default="")


def served_in_containers(chosen: argparse.Namespace) -> AbstractContextManager[Client]:
    """As `served`, with the engine and the `at_once` that were chosen."""
    return served(
        "--executor=container",
        f"--container-socket={chosen.container_socket}",
        f"--container-host-config={chosen.container_host_config}",
        f"--max-parallel-tasks={chosen.at_once}",
    )


@contextmanager
def served_at(data_dir: Path, *options: str) -> Iterator[str]:
    """The gRPC address of a server of its own."""
    command = [sys.executable, "-m", "reprise.cli", "serve", f"--data-dir={data_dir}", "--log-level=error"]
    process = subprocess.Popen(
        [*command, "--grpc=127.0.0.1:0", "--http=", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if line.startswith("grpc "):
                address = line.split()[1]
            if line.strip() == "ready":
                break
        else:
            raise SystemExit(f"the server did not start: {' '.join(command)}")
        yield address
    finally:
        process.terminate()
        process.wait()


def milliseconds_a_task(client: Client, spec: Mapping[str, Any], tasks: int) -> float:
    """Run the pipeline once; it has to succeed."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(spec, file)
        file.flush()
        request = create_request(load_pipeline(file.name), {})
    name = client.create(request).name
    while (job := client.get(name, ("state", "error", "create_time", "end_time"))).state in _RUNNING:
        time.sleep(_POLL_S)
    took_s = (job.end_time.ToNanoseconds() - job.create_time.ToNanoseconds()) / 1e9
    if job.state != states.PIPELINE_STATE_SUCCEEDED:
        raise SystemExit(f"the run did not succeed: {job.error.message}")
    return took_s / tasks * 1000


def plain_fan_out(image: str, command: Sequence[str], tasks: int) -> Mapping[str, Any]:
    """A spec of one container component, run by `tasks` tasks that depend on nothing."""
    container = {"image": image, "command": list(command)}
    return {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "fan-out"},
        "deploymentSpec": {"executors": {"exec-a": {"container": container}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "root": {
            "dag": {
                "tasks": {
                    f"task-{number}": {
                        "taskInfo": {"name": f"task-{number}"},
                        "componentRef": {"name": "comp-a"},
                    }
                    for number in range(tasks)
                }
            }
        },
    }


@dataclass(slots=True)
class Rows:
    """What is compared, measured in alternation: the first round warms up and does not count."""

    measures: Mapping[str, Callable[[], float]]
    figures: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, rounds: int) -> None:
        for number in range(rounds + 1):
            for name, one in self.measures.items():
                figure = one()
                if number > 0:
                    self.figures.setdefault(name, []).append(figure)

    def print(self) -> None:
        """Median, least and most of each row, in milliseconds a task."""
        for name, figures in self.figures.items():
            median = statistics.median(figures)
            print(f"{name:52} {median:9.3f} ms a task (min {min(figures):.3f}, max {max(figures):.3f})")

    def print_ratio(self, above: str, below: str, goal: str) -> None:
        """How often `below` fits into `above`, round by round: what was measured side by side is compared."""
        ratios = [one / other for one, other in zip(self.figures[above], self.figures[below], strict=True)]
        print(
            f"{above} / {below}: {statistics.median(ratios):.2f} "
            f"(min {min(ratios):.2f}, max {max(ratios):.2f}), goal {goal}"
        )
