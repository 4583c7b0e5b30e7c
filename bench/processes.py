"""What it costs to run a process as a task: supervised, its log kept, its exit spooled and recorded.

    python bench/processes.py [--tasks 1000] [--at-once 8] [--in-flight 2] [--rounds 7]
        [--container-socket PATH --image NAME [--container-host-config JSON] [--container-tasks 20]]

Runs `/bin/true` as container tasks by the subprocess executor, `--at-once` of them (what a server does by itself),
against `posix_spawn` of the same program with `--in-flight` that have not ended. With a socket, the same fan-out by the
container executor is a row of its own. Prints milliseconds a task, median with min and max over the rounds, and the
ratio of each round.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack

from timed_run import (
    Rows,
    add_container_options,
    milliseconds_a_task,
    plain_fan_out,
    served,
    served_in_containers,
)

_PROGRAM = "/bin/true"


def spawned(tasks: int, in_flight: int) -> float:
    """Milliseconds for each `posix_spawn`, with no more than `in_flight` that have not ended."""
    began = time.perf_counter()
    running = 0
    for _ in range(tasks):
        if running == in_flight:
            os.wait()
            running -= 1
        os.posix_spawn(_PROGRAM, [_PROGRAM], {})
        running += 1
    for _ in range(running):
        os.wait()
    return (time.perf_counter() - began) / tasks * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    add_container_options(parser, 20)
    options = parser.parse_args()
    with ExitStack() as opened:
        client = opened.enter_context(
            served("--environments=host", f"--max-parallel-tasks={options.at_once}")
        )
        spec = plain_fan_out("unused", [_PROGRAM], options.tasks)
        ours = f"{options.tasks} tasks by the subprocess executor"
        measures: dict[str, Callable[[], float]] = {
            "posix_spawn": lambda: spawned(options.tasks, options.in_flight),
            ours: lambda: milliseconds_a_task(client, spec, options.tasks),
        }
        if options.container_socket:
            engine = opened.enter_context(served_in_containers(options))
            count = options.container_tasks
            contained = plain_fan_out(options.image, [_PROGRAM], count)
            measures[f"{count} tasks by the container executor"] = lambda: milliseconds_a_task(
                engine, contained, count
            )
        rows = Rows(measures)
        rows.measure(options.rounds)
    rows.print()
    rows.print_ratio(ours, "posix_spawn", "at most 4")


if __name__ == "__main__":
    main()
