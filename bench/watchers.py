"""What watchers and pollers leave of the latency of a Get.

    python bench/watchers.py [--watchers 500] [--pollers 1000] [--seconds 15]

A server in a process of its own with one run that goes on; `--watchers` watches of it, and `--pollers` callers that
each Get a finished run every 5 s. All the while one more caller times Get: median, p99 and max, first alone, then
beside them. Goal: p99 at most 50 ms. The run that is watched changes all the time: its tasks are many and short.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
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


async def crowd(address: str, finished: str, busy: str, watchers: int, pollers: int) -> None:
    """The watchers and pollers, until standard input ends; then says how much they were answered."""
    channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(5)]
    counts = {"answers": 0, "polls": 0, "failed": 0}

    async def watch(number: int) -> None:
        call = channels[number % 5].unary_stream(f"{SERVICE}/WatchPipelineJob")
        async for _ in call(watch_pb2.WatchPipelineJobRequest(name=busy).SerializeToString()):
            counts["answers"] += 1

    async def poll(number: int) -> None:
        get = channels[number % 5].unary_unary(f"{SERVICE}/GetPipelineJob")
        request = pipeline_service_pb2.GetPipelineJobRequest(name=finished).SerializeToString()
        due = time.monotonic() + POLL_S * random.random()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += POLL_S
            counts["polls"] += 1
            try:
                await get(request, timeout=30)
            except grpc.RpcError:
                counts["failed"] += 1

    tasks = [asyncio.create_task(watch(number)) for number in range(watchers)]
    tasks += [asyncio.create_task(poll(number)) for number in range(pollers)]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(counts), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    median = statistics.median(found)
    print(f"{label}: get median {median:.2f} ms, p99 {p99:.2f}, max {max(found):.2f} ({len(found)} calls)")
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
    parser.add_argument("--crowd", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.crowd:
        address, finished, busy, watchers, pollers = arguments.crowd
        asyncio.run(crowd(address, finished, busy, int(watchers), int(pollers)))
        return 0
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
                names = [server.grpc, finished, busy, str(arguments.watchers), str(arguments.pollers)]
                others = subprocess.Popen(
                    [sys.executable, __file__, "--crowd", *names],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert others.stdout is not None
                others.stdout.readline()
                time.sleep(2)
                beside = told(
                    f"beside {arguments.watchers} watchers and {arguments.pollers} pollers",
                    latencies(channel, finished, arguments.seconds),
                )
                print(others.communicate(timeout=60)[0].strip())
                print(f"p99 beside them / alone: {beside / alone:.1f}x; goal: at most {GOAL_MS:g} ms")
        finally:
            server.stop()
    return int(beside > GOAL_MS)


if __name__ == "__main__":
    sys.exit(main())
