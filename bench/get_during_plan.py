"""How long GetPipelineJob of another run takes while the rerun of a large run is planned or made, or a graph compiled.

    python bench/get_during_plan.py [--tasks 1000000] [--rounds 7] [--pause-ms 5] [--work plan rerun compile fast]
                                    [--inputs DIR]

A server in a process of its own, on a data directory with a run of so many tasks, of which one failed, and a small run.
Nothing drives runs there: what is measured is the calls. One caller does the work, another times one Get of the small
run after the other: first alone, then for as long as the work takes. Median, p99 and max in ms. Goal: p99 below
50 ms.

plan: PlanRerun, as a stream. rerun: RerunPipelineJob, planned from the records. compile: what is done in the background
when a run has ended. fast: RerunPipelineJob of a run that has been compiled.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dags
import grpc
from kept import Inputs
from reprise import PipelineService
from reprise.domain.names import RunName
from reprise.domain.run import Run
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import pipeline_service_pb2, rerun_pb2
from reprise.plan import Pieces, compile_run
from reprise.store.open import open_store
from rerun_call import PARENT, ended_run

WORK = ("plan", "rerun", "compile", "fast")
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
        """May be entered again: the calls add up."""
        self._is_over.clear()
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


@dataclass(frozen=True)
class Served:
    """The server: its calls, and the compiling that it does when it is told to."""

    channel: grpc.Channel
    process: subprocess.Popen[str]
    large: str

    def plan(self) -> None:
        asked = rerun_pb2.PlanRerunRequest(rerun=rerun_pb2.RerunPipelineJobRequest(name=self.large))
        # Left as they come: what is parsed here would hold up the other caller, which is in this process too.
        for _part in self.channel.unary_stream(f"{SERVICE}/StreamPlanRerun")(asked.SerializeToString()):
            pass

    def rerun(self) -> None:
        asked = rerun_pb2.RerunPipelineJobRequest(name=self.large)
        self.channel.unary_unary(f"{SERVICE}/RerunPipelineJob")(asked.SerializeToString())

    fast = rerun

    def compile(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("compile\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "compiled\n"


@contextmanager
def served(data_dir: Path, large: RunName) -> Iterator[Served]:
    command = [sys.executable, __file__, "--serve", str(data_dir)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        with grpc.insecure_channel(address, _UNLIMITED) as channel:
            yield Served(channel, process, str(large))
    finally:
        process.stdin.close()
        process.wait()


def serve(data_dir: Path) -> None:
    """Until standard input is closed; a line there asks for the large run's graph."""
    server = grpc.server(ThreadPoolExecutor(16), options=_UNLIMITED)
    service = PipelineService(data_dir)
    service.mount(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    for _line in sys.stdin:
        spec, records = ((data_dir.parent / name).read_bytes() for name in ("spec", "records"))
        assert compile_run(asking_for_nothing(spec, records)) is not None
        print("compiled", flush=True)
    server.stop(None).wait()
    service.stop()


def asking_for_nothing(spec: bytes, records: bytes) -> Pieces:
    request = engine.RunRequest()
    request.original.run_id, request.original.resource_name = dags.RUN_ID, dags.RUN_NAME
    return Pieces(request, spec, records)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pause-ms", type=float, default=5.0)
    parser.add_argument("--work", nargs="+", choices=WORK, default=WORK)
    parser.add_argument("--inputs", type=Path, metavar="DIR", help="keep the DAGs there for the next time")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    with tempfile.TemporaryDirectory(prefix="reprise-bench-") as folder:
        data_dir = Path(folder) / "data"
        large = fill(data_dir, options.tasks, Inputs(options.inputs))
        small = RunName(PARENT, "small")
        for is_compiled in (False, True):
            chosen = [work for work in options.work if (work == "fast") is is_compiled]
            if is_compiled and chosen:
                compile_large(data_dir, large)
            if chosen:
                with served(data_dir, large.name) as server:
                    measure(server, small, chosen, options.rounds, options.pause_ms / 1000)
    return None


def measure(server: Served, small: RunName, chosen: list[str], rounds: int, pause_s: float) -> None:
    with Gets(server.channel, small, pause_s) as alone:
        time.sleep(3)
    print(f"{'alone:':<10}{alone.in_words()}")
    for work in chosen:
        act: Callable[[], None] = getattr(server, work)
        beside = Gets(server.channel, small, pause_s)
        took_s = []
        for _ in range(rounds):
            began = time.perf_counter()
            with beside:
                act()
            took_s.append(time.perf_counter() - began)
        print(
            f"{work + ':':<10}{beside.in_words()}; {rounds} times, median {statistics.median(took_s):.2f} s "
            f"(min {min(took_s):.2f}, max {max(took_s):.2f})",
            flush=True,
        )


def fill(data_dir: Path, tasks: int, inputs: Inputs) -> Run:
    """A data directory with both runs; gives the large one, whose spec and records lie beside the directory too."""
    store = open_store(data_dir)
    try:
        for job_id, count in (("small", 10), ("large", tasks)):
            dag = inputs.dag("layered", count)
            spec, records = inputs.spec(dag), inputs.records(dag, failed={dag.leaf()})
            run = ended_run(store, spec, records, job_id)
        (data_dir.parent / "spec").write_bytes(spec)
        (data_dir.parent / "records").write_bytes(records)
        return run
    finally:
        store.close()


def compile_large(data_dir: Path, large: Run) -> None:
    spec, records = ((data_dir.parent / name).read_bytes() for name in ("spec", "records"))
    compiled = compile_run(asking_for_nothing(spec, records))
    assert compiled is not None, "a plain DAG can be compiled"
    store = open_store(data_dir)
    try:
        store.keep_compiled(large.id, compiled.graph, compiled.labels)
    finally:
        store.close()


if __name__ == "__main__":
    main()
