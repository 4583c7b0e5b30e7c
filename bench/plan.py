"""What a plan costs: time against protobuf's own parser on the same bytes (P2), memory against those bytes (P11).

    python bench/plan.py [--tasks 10000 100000] [--shapes flat layered block shuffled] [--rounds 7] [--component-each]
                         [--inputs DIR]
    python bench/plan.py --memory [--tasks 1000000]

P2: the spec has changed, so all of it is read and every key computed anew. The serialised Struct and the original's
outcomes go in, with the digests that the store has, and the plan comes out as the bytes that are answered with. The
peer is upb parsing the Struct and the outcomes, and no more.
Before anything is timed, the verdicts are held against those of plain Python. CPU seconds are shown beside the time,
because a large plan uses two cores.

P11: the peak of resident memory while a rerun is planned, everything that holds the request included, over the bytes
of the request.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dags
from google.protobuf import struct_pb2
from kept import Inputs
from reprise import _core
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import rerun_pb2
from rounds import counted

_FILES = ("request", "spec", "records")


def edited(dag: dags.Dag) -> dict[str, set[int]]:
    """Which tasks an edit of the spec changes."""
    return {"one leaf": {dag.leaf()}, "1% of the tasks": set(range(0, len(dag), 100))}


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and seconds of all processors. What the call gives is dropped outside."""
    gc.collect()
    started, used = time.perf_counter(), time.process_time()
    given = call()
    taken = time.perf_counter() - started, time.process_time() - used
    del given
    return taken


def shown(name: str, rounds: list[tuple[float, float]], tasks: int) -> str:
    seconds = [taken for taken, _ in rounds]
    cpu = statistics.median(used for _, used in rounds)
    return (
        f"    {name:<28}{statistics.median(seconds) * 1e3:9.1f} ms  (min {min(seconds) * 1e3:.1f}, "
        f"max {max(seconds) * 1e3:.1f})  {statistics.median(seconds) / tasks * 1e6:6.2f} us a task, "
        f"CPU {cpu * 1e3:.1f} ms"
    )


def compare(inputs: Inputs, shape: str, tasks: int, rounds: int, is_component_each: bool) -> None:
    dag = inputs.dag(shape, tasks)
    old = inputs.spec(dag, is_component_each=is_component_each)
    left = inputs.records(dag)
    request = asked(old, left)
    for edit, changed in edited(dag).items():
        new = dags.with_changed(old, dag, changed)
        agree(dag, changed, _core.plan_in_parts(request, new, left, []))

        def parse(new: bytes = new) -> object:
            return struct_pb2.Struct.FromString(new), engine.TaskRecords.FromString(left)

        def plan(request: bytes = request, new: bytes = new) -> object:
            return _core.plan_in_parts(request, new, left, [])

        parsing, planning = [], []
        for _ in counted(rounds):
            parsing.append(timed(parse))
            planning.append(timed(plan))
        ratios = [planned[0] / parsed[0] for planned, parsed in zip(planning, parsing, strict=True)]
        used = statistics.median(p[1] for p in planning) / statistics.median(p[1] for p in parsing)
        print(f"{shape}, {tasks} tasks, {edit} changed, {(len(new) + len(left)) / 1e6:.0f} MB")
        print(shown("upb parses", parsing, tasks))
        print(shown("the plan", planning, tasks))
        print(
            f"    P2: {statistics.median(ratios):.2f}x of upb's parse (min {min(ratios):.2f}, max {max(ratios):.2f}); "
            f"in CPU time {used:.2f}x",
            flush=True,
        )


def asked(old: bytes, left: bytes) -> bytes:
    """The request but for its spec and the original's records."""
    request = dags.request(b"", b"", left)
    request.original.records = b""
    request.original.spec_digest = hashlib.sha256(old).digest()
    request.original.records_digest = hashlib.sha256(left).digest()
    return request.SerializeToString()


def agree(
    dag: dags.Dag, changed: set[int], planned: tuple[bytes, bytes, bytes, bytes, bytes, list[str]]
) -> None:
    """Errors: AssertionError where the plan is not that of the rules."""
    head, _counts, tasks, *_ = planned
    problems = engine.PlanResult.FromString(head).problems
    assert not problems, problems[:3]
    shown = rerun_pb2.PlanRerunResponse.FromString(tasks).tasks
    found = dict(zip(dag.order, (int(task.verdict) for task in shown), strict=True))
    assert found == dags.verdicts(dag, changed)


def measure_memory(shape: str, tasks: int, inputs: Path | None) -> None:
    """Makes the request in another process, so that nothing of that counts here."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--write", folder, "--shapes", shape, "--tasks", str(tasks)]
        subprocess.run(command + (["--inputs", str(inputs)] if inputs else []), check=True)
        done = subprocess.run(
            [sys.executable, __file__, "--plan", folder], check=True, capture_output=True, text=True
        )
    before, peak, given, answered = map(int, done.stdout.split())
    print(
        f"{shape}, {tasks} tasks: {given / 1e6:.0f} MB in, {answered / 1e6:.0f} MB out\n"
        f"    P11: {(peak - before) / given:.2f}x of the bytes that went in (peak {peak / 1e6:.0f} MB, "
        f"{before / 1e6:.0f} MB before)",
        flush=True,
    )


def write_files(folder: Path, inputs: Inputs, shape: str, tasks: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dag = inputs.dag(shape, tasks)
    left, old = inputs.records(dag), inputs.spec(dag)
    new = dags.with_changed(old, dag, {dag.leaf()})
    for name, content in zip(_FILES, (asked(old, left), new, left), strict=True):
        (folder / name).write_bytes(content)


def resident(key: str) -> int:
    """Bytes, by /proc: VmRSS now, VmHWM at most so far."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def plan_files(folder: Path) -> None:
    before = resident("VmRSS")
    request, new, left = ((folder / name).read_bytes() for name in _FILES)
    answered = sum(map(len, _core.plan_in_parts(request, new, left, [])[:-1]))
    print(before, resident("VmHWM"), len(request) + len(new) + len(left), answered)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--tasks", type=int, nargs="+")
    options.add_argument("--shapes", nargs="+", choices=dags.SHAPES)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument(
        "--component-each", action="store_true", help="as the KFP compiler writes components"
    )
    options.add_argument("--inputs", type=Path, metavar="DIR", help="keep the DAGs there for the next time")
    options.add_argument("--memory", action="store_true", help="P11 instead of P2")
    options.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help="only write the first shape and size, one leaf changed (core_rs/bench)",
    )
    options.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.plan:
        return plan_files(chosen.plan)
    if chosen.write:
        return write_files(chosen.write, Inputs(chosen.inputs), chosen.shapes[0], chosen.tasks[0])
    for tasks in chosen.tasks or ([1_000_000] if chosen.memory else [10_000, 100_000]):
        for shape in chosen.shapes or (
            ["layered"] if chosen.memory else ["flat", "layered", "block", "shuffled"]
        ):
            if chosen.memory:
                measure_memory(shape, tasks, chosen.inputs)
            else:
                compare(Inputs(chosen.inputs), shape, tasks, chosen.rounds, chosen.component_each)
    return None


if __name__ == "__main__":
    main()
