"""How long `reprise serve` takes on an existing data directory to its first answer, and its memory at rest (P10).

    python bench/start.py [--rounds 9]

Time: from the start of the process to the answer of a List over gRPC; the caller tries to connect all the while. The
server is as the command starts it: gRPC and HTTP, no TLS. Memory: of the server and all its children, warm
interpreters included: the proportional set size, so that what forks share counts once. Goals: at most 0.6 s, at most
110 MiB. Beside it, in the same rounds, an interpreter that only imports grpc and protobuf: what no Python server of
this kind can be below.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
from reprise.pb.v1 import pipeline_service_pb2

GOAL_S, GOAL_MIB = 0.6, 110.0
_LIST = "/reprise.v1.PipelineService/ListPipelineJobs"
_REQUEST = pipeline_service_pb2.ListPipelineJobsRequest(parent="projects/p/locations/l").SerializeToString()
_IMPORTS = "import grpc, google.protobuf.message"


def start_s(data_dir: Path) -> tuple[float, float]:
    """Seconds to the first answer, and MiB at rest afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "reprise.cli", "serve", f"--data-dir={data_dir}", "--environments=host"]
    command += [f"--grpc=127.0.0.1:{port}", "--http=127.0.0.1:0"]
    begin = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        wait_until_it_listens(port, server)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            channel.unary_unary(_LIST)(_REQUEST, timeout=30, wait_for_ready=True)
            took_s = time.perf_counter() - begin
        assert server.stdout is not None
        while "ready" not in server.stdout.readline():
            pass
        time.sleep(1.0)  # what is made ready in the background is part of being at rest
        return took_s, sum(map(pss_mib, family(server.pid)))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until_it_listens(port: int, server: subprocess.Popen[str]) -> None:
    """By plain connections: gRPC's own tries are too far apart."""
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise RuntimeError("the server has ended")


def imports_s() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", _IMPORTS], check=True)
    return time.perf_counter() - begin


def family(pid: int) -> list[int]:
    """The process and all that it has started."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [
        pid,
        *(each for path in children for child in path.read_text().split() for each in family(int(child))),
    ]


def pss_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("the kernel does not tell")


def said(values: Sequence[float], unit: str) -> str:
    return f"{statistics.median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="reprise-start-") as folder:
        data_dir = Path(folder) / "data"
        start_s(data_dir)
        imports_s()
        measured = [(*start_s(data_dir), imports_s()) for _ in range(rounds)]
    times, memory, imports = zip(*measured, strict=True)
    print(f"to the first answer: {said(times, 's')}; the imports alone: {said(imports, 's')}")
    print(f"memory at rest: {said(memory, 'MiB')}")
    return int(statistics.median(times) > GOAL_S or statistics.median(memory) > GOAL_MIB)


if __name__ == "__main__":
    sys.exit(main())
