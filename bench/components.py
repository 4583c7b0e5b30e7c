"""What it costs to run KFP lightweight components, each in a process of its own.

    python bench/components.py [--tasks 50] [--at-once 2] [--rounds 7] [--task-python PATH]
        [--container-socket PATH --image NAME [--container-host-config JSON] [--container-tasks 10]]

A fan-out and a chain of components that add two numbers, by the subprocess executor and by kfp.local's
SubprocessRunner without its pip install; the same fan-out by plain container commands (`/bin/true`), and, with a
socket, by the container executor. `--task-python` has kfp installed (default: this one). Prints milliseconds a task,
median with min and max over the rounds, and the ratio of each round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from timed_run import (
    Rows,
    add_container_options,
    milliseconds_a_task,
    plain_fan_out,
    served,
    served_in_containers,
)

_PIPELINES = Path(__file__).with_name("component_pipelines.py")


def compiled(python: str, tasks: int) -> Mapping[str, Mapping[str, Any]]:
    """The specs by shape."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, str(_PIPELINES), "compile", folder, str(tasks)], check=True)
        return {
            shape: yaml.safe_load((Path(folder) / f"{shape}.yaml").read_text())
            for shape in ("fan-out", "chain")
        }


def by_kfp_local(python: str, shape: str, tasks: int) -> float:
    """Milliseconds a task, the start of the interpreter and its imports not counted."""
    command = [python, str(_PIPELINES), "run", shape, str(tasks)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(said.splitlines()[-1])) / tasks * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--task-python", default=sys.executable)
    add_container_options(parser, 10)
    options = parser.parse_args()
    tasks, python = options.tasks, options.task_python
    at_once = f"--max-parallel-tasks={options.at_once}"
    specs = compiled(python, tasks)
    measures: dict[str, Callable[[], float]] = {}
    with ExitStack() as opened:
        client = opened.enter_context(served("--environments=host", f"--task-python={python}", at_once))
        for shape, spec in specs.items():
            measures[f"{shape}, kfp.local"] = lambda shape=shape: by_kfp_local(python, shape, tasks)  # type: ignore[misc]
            measures[f"{shape}, reprise"] = lambda spec=spec: milliseconds_a_task(client, spec, tasks)  # type: ignore[misc]
        plain = plain_fan_out("unused", ["/bin/true"], tasks)
        measures["fan-out of plain commands, reprise"] = lambda: milliseconds_a_task(client, plain, tasks)
        if options.container_socket:
            engine = opened.enter_context(served_in_containers(options))
            count = options.container_tasks
            contained = plain_fan_out(options.image, ["true"], count)
            measures["fan-out of plain commands in containers, reprise"] = lambda: milliseconds_a_task(
                engine, contained, count
            )
        rows = Rows(measures)
        rows.measure(options.rounds)
    rows.print()
    for shape in specs:
        rows.print_ratio(f"{shape}, kfp.local", f"{shape}, reprise", "at least 9")


if __name__ == "__main__":
    main()
