"""What reading a run costs beside a handler of the same server that answers constant bytes (P5, P12).

    python bench/get.py [--rounds 9] [--tasks 1000 100000] [--kinds sync asyncio] [--workers 2 4 8 16 32]

P5: GetPipelineJob of a finished run, one call at a time; goal at most 1.5x at 1k tasks, 1.8x at 100k. P12: 100 runs of
about 1 KB in turn, 32 calls in flight, against an echo of as many bytes; goal at least 0.7x the calls a second. Server
and client are processes of their own. Rounds alternate; each line is a median with min and max. With several kinds or
numbers of workers (threads that read, and as many that echo) the last table compares them on the second workload: it is
what the defaults were chosen by.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from reprise.domain.names import Parent, RunName
from reprise.domain.run import Finish, NewRun, Progress
from reprise.domain.states import RunState
from reprise.main import PipelineService, Settings, settle_collector
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_service_pb2
from reprise.rpc import encode
from reprise.rpc.server import Limits
from reprise.rpc.task_details import task_details
from reprise.store.open import open_store
from reprise.store.sql import SqlStore

PARENT = Parent("bench", "here")
SMALL = 1  # the tasks of a run of P12, whose answer is of about 1 KB
SMALL_RUNS = 100
GET = "/reprise.v1.PipelineService/GetPipelineJob"
IN_FLIGHT = 32
CALLS = 2000
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def spec(tasks: int) -> bytes:
    """As large as that of a small pipeline: what it says does not matter here."""
    texts = [f"description {number} " * 3 for number in range(6 if tasks == SMALL else 40)]
    document = {"pipelineInfo": {"name": "bench"}, "root": {"dag": {"tasks": {}}}, "texts": texts}
    return json_format.ParseDict(document, struct_pb2.Struct()).SerializeToString(deterministic=True)


def records(count: int) -> bytes:
    tasks = [
        engine.TaskRecord(
            task_id=number,
            name="train-the-model",
            path=f"for-loop-1[{number}].train-the-model",
            kind=engine.CONTAINER,
            state=engine.SUCCEEDED,
            created_ns=1_700_000_000_000_000_000,
            started_ns=1_700_000_001_000_000_000,
            ended_ns=1_700_000_002_000_000_000,
            attempts=1,
            inputs={"parameters": [{"name": "rate", "json": "0.25"}, {"name": "rows", "json": "100000"}]},
            outputs={"parameters": [{"name": "loss", "json": "0.125"}]},
        )
        for number in range(1, count + 1)
    ]
    return engine.TaskRecords(tasks=tasks).SerializeToString()


def run_name(tasks: int, index: int = 0) -> RunName:
    return RunName(PARENT, f"run-{tasks}-{index}")


def store_run(store: SqlStore, tasks: int, index: int = 0) -> None:
    now = time.time_ns()
    run, _ = store.create_run(
        NewRun(
            name=run_name(tasks, index),
            display_name="bench",
            pipeline_name="bench",
            labels={"team": "bench"},
            header_wire=b"",
            spec=spec(tasks),
            request=b"",
            created_ns=now,
        )
    )
    [claimed] = store.claim_runs("bench", 1, now, 60.0)
    parts = task_details(claimed.run, records(tasks))
    finish = Finish(
        RunState.SUCCEEDED,
        None,
        b"",
        parts[0].wire if len(parts) == 1 else b"",
        parts if len(parts) > 1 else (),
    )
    store.record_progress(Progress(run.id, claimed.run.fence, now, state=RunState.RUNNING, finish=finish))


# --- the server's process ------------------------------------------------------------------------------------------


class Constant(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers /constant/N with what GetPipelineJob answers for the run of N tasks, kept in memory."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        answer = self._answers.get(details.method)
        if answer is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: answer)


def serve(data_dir: Path, tasks: Sequence[int], kind: str, workers: int) -> None:
    reprise = PipelineService(Settings(data_dir, environments="host", limits=Limits(readers=workers)))
    answers = {}
    for count in (SMALL, *tasks):
        answers[f"/constant/{count}"] = encode.details(reprise.use_cases.get(run_name(count)))
    settle_collector()  # as `reprise serve` does
    if kind == "asyncio":
        asyncio.run(serve_asyncio(reprise, answers, workers))
        return
    server = grpc.server(ThreadPoolExecutor(workers), handlers=[Constant(answers)], options=_UNLIMITED)
    reprise.mount(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0).wait()
    reprise.stop()


async def serve_asyncio(reprise: PipelineService, answers: dict[str, bytes], workers: int) -> None:
    server = grpc.aio.server(
        migration_thread_pool=ThreadPoolExecutor(workers), handlers=[Constant(answers)], options=_UNLIMITED
    )
    reprise.mount(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0)
    reprise.stop()


# --- the client ----------------------------------------------------------------------------------------------------


class Caller:
    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_UNLIMITED)

    def one(self, path: str, request: bytes) -> float:
        """Seconds for a call, the answer received whole."""
        call = self._channel.unary_unary(path)
        begin = time.perf_counter()
        call(request, timeout=60)
        return time.perf_counter() - begin

    def rate(self, path: str, requests: Sequence[bytes], calls: int = CALLS) -> float:
        """Calls a second, IN_FLIGHT at once, with the requests in turn."""
        call = self._channel.unary_unary(path)
        seats = threading.Semaphore(IN_FLIGHT)

        def ended(future: Any) -> None:
            future.result()
            seats.release()

        begin = time.perf_counter()
        for number in range(calls):
            seats.acquire()
            call.future(requests[number % len(requests)], timeout=60).add_done_callback(ended)
        for _ in range(IN_FLIGHT):
            seats.acquire()
        return calls / (time.perf_counter() - begin)


def get_request(tasks: int, index: int = 0) -> bytes:
    name = str(run_name(tasks, index))
    return pipeline_service_pb2.GetPipelineJobRequest(name=name).SerializeToString()


def alternate(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    for measure in measures:
        measure()
    return [
        list(each) for each in zip(*([measure() for measure in measures] for _ in range(rounds)), strict=True)
    ]


def said(values: Sequence[float], unit: str, scale: float = 1.0) -> str:
    low, high = min(values) * scale, max(values) * scale
    return f"{statistics.median(values) * scale:.2f} {unit} ({low:.2f} to {high:.2f})"


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(above, below, strict=True)]


def measure(
    data_dir: Path, tasks: Sequence[int], kind: str, workers: int, rounds: int
) -> tuple[float, float]:
    """Calls a second of the second workload: Get, and the echo."""
    command = [
        sys.executable,
        __file__,
        f"--serve={data_dir}",
        f"--kinds={kind}",
        f"--workers={workers}",
        "--tasks",
    ]
    server = subprocess.Popen(
        [*command, *map(str, tasks)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        caller = Caller(int(server.stdout.readline()))
        for count in tasks:
            inner = 20 if count <= 1000 else 1
            took, constant = alternate(
                rounds,
                lambda: statistics.median(caller.one(GET, get_request(count)) for _ in range(inner)),  # noqa: B023
                lambda: statistics.median(caller.one(f"/constant/{count}", b"") for _ in range(inner)),  # noqa: B023
            )
            print(
                f"P5 {kind:7} {count:7} tasks: get {said(took, 'ms', 1e3)}, constant {said(constant, 'ms', 1e3)}, "
                f"ratio {said(ratios(took, constant), 'x')}"
            )
        requests = [get_request(SMALL, index) for index in range(SMALL_RUNS)]
        got, echoed = alternate(
            rounds,
            lambda: caller.rate(GET, requests),
            lambda: caller.rate(f"/constant/{SMALL}", requests),
        )
        print(
            f"P12 {kind:7} {workers:2} workers: get {said(got, 'calls/s')}, echo {said(echoed, 'calls/s')}, "
            f"ratio {said(ratios(got, echoed), 'x')}"
        )
        return statistics.median(got), statistics.median(echoed)
    finally:
        server.communicate(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tasks", type=int, nargs="*", default=[1000, 100_000])
    parser.add_argument("--kinds", nargs="+", default=["sync"], choices=("sync", "asyncio"))
    parser.add_argument("--workers", type=int, nargs="+", default=[Limits().readers])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        serve(arguments.serve, arguments.tasks, arguments.kinds[0], arguments.workers[0])
        return
    with tempfile.TemporaryDirectory(prefix="reprise-get-") as folder:
        data_dir = Path(folder) / "data"
        store = open_store(data_dir)
        for index in range(SMALL_RUNS):
            store_run(store, SMALL, index)
        for count in arguments.tasks:
            store_run(store, count)
        store.close()
        table = {}
        for kind in arguments.kinds:
            for workers in arguments.workers:
                is_first = workers == arguments.workers[0]
                tasks = arguments.tasks if is_first else []
                table[kind, workers] = measure(data_dir, tasks, kind, workers, arguments.rounds)
    if len(table) > 1:
        print("\nserver   workers   get calls/s   echo calls/s")
        for (kind, workers), (got, echoed) in table.items():
            print(f"{kind:8} {workers:7} {got:13.0f} {echoed:14.0f}")


if __name__ == "__main__":
    main()
