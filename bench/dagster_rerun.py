"""The other side of bench/rerun.py, for an interpreter that has Dagster: one failure among many ops, then re-executions
from that failure, one for each line on standard input. Says `bench:` and the seconds of each.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import dagster

_LAYER = 10
_BROKEN = Path(os.environ["DAGSTER_HOME"]) / "broken"
TASKS = int(sys.argv[1])


def _op(index: int) -> Any:
    # As in the other pipeline no value flows, only order.
    waits = {"start": dagster.In(dagster.Nothing)} if index >= _LAYER else {}

    @dagster.op(name=f"task_{index}", ins=waits, out=dagster.Out(dagster.Nothing))
    def work() -> None:
        if index == TASKS - 1 and _BROKEN.exists():
            raise RuntimeError("broken")

    return work


@dagster.job(executor_def=dagster.in_process_executor)
def layered() -> None:
    done: list[Any] = []
    for index in range(TASKS):
        op = _op(index)
        done.append(op(start=done[index - _LAYER]) if index >= _LAYER else op())


def main() -> None:
    logging.disable(logging.CRITICAL)
    instance = dagster.DagsterInstance.get()
    again = dagster.reconstructable(layered)
    _BROKEN.touch()
    original = dagster.execute_job(again, instance=instance, raise_on_error=False)
    assert not original.success
    _BROKEN.unlink()
    print("bench: ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        options = dagster.ReexecutionOptions.from_failure(original.run_id, instance)
        result = dagster.execute_job(again, instance=instance, reexecution_options=options)
        seconds = time.perf_counter() - began
        ran = [event for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]
        assert result.success and len(ran) == 1, (result.success, len(ran))
        print(f"bench: {seconds:.6f}", flush=True)


if __name__ == "__main__":
    main()
