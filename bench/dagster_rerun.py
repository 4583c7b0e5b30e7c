"""Dagster as a library, for bench/rerun.py: a process that has all loaded, and re-executes a run from its failure.

    DAGSTER_HOME=… REPRISE_BENCH_TASKS=… python bench/dagster_rerun.py RUN_ID

Once for each line on standard input; says `bench:` and the seconds of each. With the file `at_once` in DAGSTER_HOME the
steps run in this process (see dagster_layers), which is the fastest way that Dagster has.
"""

from __future__ import annotations

import logging
import sys
import time

import dagster
from dagster_layers import layered


def main() -> None:
    logging.disable(logging.CRITICAL)
    original = sys.argv[1]
    again = dagster.reconstructable(layered)
    with dagster.DagsterInstance.get() as instance:
        print("bench: ready", flush=True)
        for _ in sys.stdin:
            began = time.perf_counter()
            options = dagster.ReexecutionOptions.from_failure(original, instance)
            result = dagster.execute_job(again, instance=instance, reexecution_options=options)
            seconds = time.perf_counter() - began
            ran = [event for event in result.all_events if event.event_type_value == "STEP_SUCCESS"]
            assert result.success and len(ran) == 1, (result.success, len(ran))
            print(f"bench: {seconds:.6f}", flush=True)


if __name__ == "__main__":
    main()
