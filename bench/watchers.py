"""What watchers and pollers leave of the latency of a Get.

    python bench/watchers.py [--watchers 500] [--pollers 1000] [--seconds 15]

A server in a process of its own with one run that goes on; `--watchers` watches of it, and `--pollers` callers that
each Get a finished run every 5 s. All the while one more caller times Get: median, p99 and max, first alone, then
beside them. Goal: p99 at most 50 ms. The run that is watched changes all the time: its tasks are many and short.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf import json_format, struct_pb2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, watch_pb2
from served import Served

PARENT = "projects/bench/locations/here"
SERVICE = "/reprise.v1.PipelineService"
POLL_S = 5.0
GOAL_MS = 50.0


def spec(tasks: int) -> struct_pb2.Struct:
    """So many tasks one after the other."""
    names = [f"t{number}" for number in range(tasks)]
    return json_format.ParseDict(
        {
            "pipelineInfo": {"name": "watched"},
            "schemaVersion": "2.1.0",
            "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["true"]}}}},
            "components": {"c": {"executorLabel": "e"}},
            "root": {
                "dag": {
                    "tasks": {
                        name: {
                            "taskInfo": {"name": name},
                            "componentRef": {"name": "c"},
                            **({"dependentTasks": [before]} if before else {}),
                        }
                        for name, before in zip(names, ["", *names], strict=False)
                    }
                }
            },
        },
        struct_pb2.Struct(),
    )


class Pollers:
    """Each calls at its own time, whatever the others do; `threads` of them serve all."""

    def __init__(self, channel: grpc.Channel, name: str, count: int, threads: int = 8) -> None:
        self._get = channel.unary_unary(f"{SERVICE}/GetPipelineJob")
        self._request = pipeline_service_pb2.GetPipelineJobRequest(name=name).SerializeToString()
        self._pool = ThreadPoolExecutor(threads)
        self._count = count
        self._stop = threading.Event()
        self.calls = self.failed = 0
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _run(self) -> None:
        begin = time.monotonic()
        due = [begin + POLL_S * random.random() for _ in range(self._count)]
        heapq.heapify(due)
        while due and not self._stop.is_set():
            at = due[0]
            if self._stop.wait(max(0.0, at - time.monotonic())):
                return
            heapq.heapreplace(due, at + POLL_S)
            self._pool.submit(self._call)

    def _call(self) -> None:
        self.calls += 1
        try:
            self._get(self._request, timeout=30)
        except grpc.RpcError:
            self.failed += 1


class Watchers:
    def __init__(self, address: str, name: str, count: int) -> None:
        self.answers = 0
        self._channels = [
            grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(5)
        ]
        self._calls = []
        request = watch_pb2.WatchPipelineJobRequest(name=name).SerializeToString()
        for number in range(count):
            watch = self._channels[number % 5].unary_stream(f"{SERVICE}/WatchPipelineJob")
            self._calls.append(watch(request))
        self._threads = [
            threading.Thread(target=self._read, args=(call,), daemon=True) for call in self._calls
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, call: grpc.Call) -> None:
        try:
            for _ in call:
                self.answers += 1
        except grpc.RpcError:
            pass

    def stop(self) -> None:
        for call in self._calls:
            call.cancel()
        for thread in self._threads:
            thread.join()
        for channel in self._channels:
            channel.close()


def latencies(channel: grpc.Channel, name: str, seconds: float) -> list[float]:
    get = channel.unary_unary(f"{SERVICE}/GetPipelineJob")
    request = pipeline_service_pb2.GetPipelineJobRequest(name=name).SerializeToString()
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        begin = time.perf_counter()
        get(request, timeout=30)
        found.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.005)
    return found


def told(label: str, found: list[float]) -> float:
    p99 = statistics.quantiles(found, n=100)[98]
    print(
        f"{label}: get median {statistics.median(found):.2f} ms, p99 {p99:.2f}, max {max(found):.2f} ({len(found)} calls)"
    )
    return p99


def create(channel: grpc.Channel, tasks: int) -> str:
    request = pipeline_service_pb2.CreatePipelineJobRequest(
        parent=PARENT, pipeline_job=pipeline_job_pb2.PipelineJob(pipeline_spec=spec(tasks))
    )
    data = channel.unary_unary(f"{SERVICE}/CreatePipelineJob")(request.SerializeToString(), timeout=60)
    return pipeline_job_pb2.PipelineJob.FromString(data).name


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--pollers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--tasks", type=int, default=5000, help="of the run that is watched")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reprise-watchers-") as folder:
        server = Served(Path(folder) / "data", "--environments=host", "--max-tasks=1")
        try:
            with grpc.insecure_channel(server.grpc) as channel:
                finished = create(channel, 1)
                watch = channel.unary_stream(f"{SERVICE}/WatchPipelineJob")
                for _ in watch(watch_pb2.WatchPipelineJobRequest(name=finished).SerializeToString()):
                    pass
                alone = told("alone", latencies(channel, finished, arguments.seconds / 3))
                busy = create(channel, arguments.tasks)
                told("beside a run", latencies(channel, finished, arguments.seconds / 3))
                watchers = Watchers(server.grpc, busy, arguments.watchers)
                pollers = Pollers(channel, finished, arguments.pollers)
                pollers.start()
                time.sleep(2)
                beside = told(
                    f"beside {arguments.watchers} watchers and {arguments.pollers} pollers",
                    latencies(channel, finished, arguments.seconds),
                )
                print(
                    f"answers to the watchers: {watchers.answers}; polls: {pollers.calls}, failed {pollers.failed}"
                )
                pollers.stop()
                watchers.stop()
                print(f"p99 beside them / alone: {beside / alone:.1f}x; goal: at most {GOAL_MS:g} ms")
        finally:
            server.stop()
    return int(beside > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
