"""How long GetPipelineJob of another run takes while the rerun of a large run is being planned.

    python bench/get_during_plan.py [--tasks 1000000] [--plans 2] [--pause-ms 5]

A server in a process of its own, on a data directory with a run of so many tasks, of which one failed, and a small run.
One caller asks for the plan of the large run's rerun, as a stream; another times one Get of the small run after the
other: first alone, then for as long as the plans take. Median, p99 and max in milliseconds. Goal: p99 below 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import dags
import grpc
from reprise.domain.names import RunName
from reprise.pb.v1 import pipeline_service_pb2, rerun_pb2
from reprise.store.open import open_store
from rerun_call import PARENT, ended_run
from timed_run import served_at

SERVICE = "/reprise.v1.PipelineService"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Gets:
    """Times one Get after the other, from a thread of its own, until it is told to stop."""

    def __init__(self, channel: grpc.Channel, name: RunName, pause_s: float) -> None:
        self._get = channel.unary_unary(f"{SERVICE}/GetPipelineJob")
        self._request = pipeline_service_pb2.GetPipelineJobRequest(name=str(name)).SerializeToString()
        self._pause_s = pause_s
        self._is_over = threading.Event()
        self.milliseconds: list[float] = []

    def __enter__(self) -> Gets:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(self._pause_s):
            began = time.perf_counter()
            self._get(self._request)
            self.milliseconds.append((time.perf_counter() - began) * 1000)

    def in_words(self) -> str:
        ordered = sorted(self.milliseconds)
        p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
        return f"{len(ordered)} calls, median {statistics.median(ordered):.2f}, p99 {p99:.2f}, max {ordered[-1]:.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--plans", type=int, default=2)
    parser.add_argument("--pause-ms", type=float, default=5.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reprise-bench-") as folder:
        data_dir = Path(folder) / "data"
        large = fill(data_dir, options.tasks)
        with served_at(data_dir) as address, grpc.insecure_channel(address, _UNLIMITED) as channel:
            plan = channel.unary_stream(f"{SERVICE}/StreamPlanRerun")
            asked = rerun_pb2.PlanRerunRequest(rerun=rerun_pb2.RerunPipelineJobRequest(name=str(large)))
            small = RunName(PARENT, "small")
            with Gets(channel, small, options.pause_ms / 1000) as alone:
                time.sleep(3)
            print(f"alone:      {alone.in_words()}")
            for _ in range(options.plans):
                began = time.perf_counter()
                with Gets(channel, small, options.pause_ms / 1000) as beside:
                    tasks = sum(
                        len(rerun_pb2.PlanRerunResponse.FromString(part).tasks)
                        for part in plan(asked.SerializeToString())
                    )
                took_s = time.perf_counter() - began
                print(
                    f"in a plan:  {beside.in_words()}; a plan of {tasks:,} tasks in {took_s:.1f} s",
                    flush=True,
                )


def fill(data_dir: Path, tasks: int) -> RunName:
    """A data directory with both runs; gives the large one's name."""
    store = open_store(data_dir)
    try:
        for job_id, count in (("small", 10), ("large", tasks)):
            dag = dags.make("layered", count)
            ended_run(store, dags.spec(dag), dags.records(dag, failed={dag.leaf()}), job_id)
    finally:
        store.close()
    return RunName(PARENT, "large")


if __name__ == "__main__":
    main()
