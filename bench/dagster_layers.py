"""The pipeline of bench/rerun.py as a Dagster job, for whoever runs it: a service's code server, or a library.

Layers of ten ops, every op after one of the layer before; the last fails while the file `broken` lies in DAGSTER_HOME.
What runs its steps is left to Dagster; only where the file `at_once` lies there too, they run in the run's own process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dagster

_LAYER = 10
HOME = Path(os.environ["DAGSTER_HOME"])
TASKS = int(os.environ["REPRISE_BENCH_TASKS"])
BROKEN, AT_ONCE = HOME / "broken", HOME / "at_once"


def _op(index: int) -> Any:
    # As in the other pipeline no value flows, only order.
    waits = {"start": dagster.In(dagster.Nothing)} if index >= _LAYER else {}

    @dagster.op(name=f"task_{index}", ins=waits, out=dagster.Out(dagster.Nothing))
    def work() -> None:
        if index == TASKS - 1 and BROKEN.exists():
            raise RuntimeError("broken")

    return work


@dagster.job(executor_def=dagster.in_process_executor if AT_ONCE.exists() else None)
def layered() -> None:
    done: list[Any] = []
    for index in range(TASKS):
        op = _op(index)
        done.append(op(start=done[index - _LAYER]) if index >= _LAYER else op())
