"""What a plan costs: time against protobuf's own parser on the same bytes (P2), memory against those bytes (P11).

    python bench/plan.py [--tasks 10000 100000] [--shapes flat layered block shuffled] [--rounds 7] [--component-each]
    python bench/plan.py --memory [--tasks 1000000]

P2: the spec has changed, so all of it is read and every key computed anew. The serialised Struct and the original's
outcomes go in, the PlanResult comes out as bytes. The peer is upb parsing the Struct and the outcomes, and no more.
Before anything is timed, the verdicts are held against those of plain Python. CPU seconds are shown beside the time,
because a large plan uses two cores.

P11: the peak of resident memory while a rerun is planned, everything that holds the request included, over the bytes
of the request.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dags
from google.protobuf import struct_pb2
from reprise import _core
from reprise.pb.engine.v1 import engine_pb2 as engine


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


def compare(shape: str, tasks: int, rounds: int, is_component_each: bool) -> None:
    dag = dags.make(shape, tasks)
    old = dags.spec(dag, is_component_each=is_component_each)
    left = dags.records(dag)
    for edit, changed in edited(dag).items():
        new = dags.spec(dag, changed=changed, is_component_each=is_component_each)
        request = dags.request(new, old, left).SerializeToString()
        agree(dag, changed, _core.plan(request))

        def parse(new: bytes = new) -> object:
            return struct_pb2.Struct.FromString(new), engine.TaskRecords.FromString(left)

        def plan(request: bytes = request) -> object:
            return _core.plan(request)

        parsing, planning = [], []
        for _ in range(rounds):
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


def agree(dag: dags.Dag, changed: set[int], planned: bytes) -> None:
    """Errors: AssertionError where the plan is not that of the rules."""
    result = engine.PlanResult.FromString(planned)
    assert not result.problems, result.problems[:3]
    found = dict(zip(dag.order, (task.verdict for task in result.tasks), strict=True))
    assert found == dags.verdicts(dag, changed)


def measure_memory(shape: str, tasks: int) -> None:
    """Makes the request in another process, so that nothing of that counts here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request"
        subprocess.run(
            [sys.executable, __file__, "--write", str(path), "--shapes", shape, "--tasks", str(tasks)],
            check=True,
        )
        done = subprocess.run(
            [sys.executable, __file__, "--plan", str(path)], check=True, capture_output=True, text=True
        )
    before, peak, given, answered = map(int, done.stdout.split())
    print(
        f"{shape}, {tasks} tasks: {given / 1e6:.0f} MB in, {answered / 1e6:.0f} MB out\n"
        f"    P11: {(peak - before) / given:.2f}x of the bytes that went in (peak {peak / 1e6:.0f} MB, "
        f"{before / 1e6:.0f} MB before)",
        flush=True,
    )


def resident(key: str) -> int:
    """Bytes, by /proc: VmRSS now, VmHWM at most so far."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def plan_file(path: Path) -> None:
    before = resident("VmRSS")
    request = path.read_bytes()
    answered = len(_core.plan(request))
    print(before, resident("VmHWM"), len(request), answered)


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
    options.add_argument("--memory", action="store_true", help="P11 instead of P2")
    options.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.plan:
        return plan_file(asked.plan)
    if asked.write:
        dag = dags.make(asked.shapes[0], asked.tasks[0])
        old, new = dags.spec(dag), dags.spec(dag, changed={dag.leaf()})
        asked.write.write_bytes(dags.request(new, old, dags.records(dag)).SerializeToString())
        return None
    for tasks in asked.tasks or ([1_000_000] if asked.memory else [10_000, 100_000]):
        for shape in asked.shapes or (
            ["layered"] if asked.memory else ["flat", "layered", "block", "shuffled"]
        ):
            if asked.memory:
                measure_memory(shape, tasks)
            else:
                compare(shape, tasks, asked.rounds, asked.component_each)
    return None


if __name__ == "__main__":
    main()
