"""P1: the plan of a rerun whose spec is unchanged, bytes in and out, against graph libraries doing the diff alone.

    python bench/rerun_plan.py [--tasks 10000 100000] [--shapes layered block shuffled] [--rounds 7]
                               [--inputs DIR]

One task in a hundred failed in the original, or one leaf alone. The peers get what they need as Python objects, not as
bytes, and decide only which tasks run and which come after those. All decisions are compared first. Needs
`pip install '.[bench]'`.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import dags
import networkx
import rustworkx
from kept import Inputs
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.pb.v1 import rerun_pb2
from reprise.plan import Pieces, compile_run, plan_in_parts, plan_unchanged
from rounds import alternate, tell

# (upstream, did it fail), by id; ids begin with 1, and 0 stands before whatever has changed.
Records = list[tuple[list[int], bool]]


def by_rustworkx(records: Records) -> list[int]:
    graph = rustworkx.PyDiGraph()
    graph.add_nodes_from(range(len(records) + 1))
    graph.extend_from_edge_list(_edges(records))
    return _decisions(records, rustworkx.descendants(graph, 0))


def by_networkx(records: Records) -> list[int]:
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(records) + 1))
    graph.add_edges_from(_edges(records))
    return _decisions(records, networkx.descendants(graph, 0))


def _edges(records: Records) -> list[tuple[int, int]]:
    edges = []
    for task, (upstream, is_failed) in enumerate(records, 1):
        if is_failed:
            edges.append((0, task))
        for before in upstream:
            edges.append((before, task))
    return edges


def _decisions(records: Records, reached: set[int]) -> list[int]:
    return [
        engine.EXECUTE if is_failed else engine.RE_EVALUATE if task in reached else engine.REUSE
        for task, (_, is_failed) in enumerate(records, 1)
    ]


def failures(dag: dags.Dag) -> dict[str, set[int]]:
    """Which tasks failed in the original."""
    chance = random.Random(3)
    some = set(chance.sample(range(len(dag)), max(1, len(dag) // 100)))
    return {"1% of the tasks failed": some, "one leaf failed": {dag.leaf()}}


def compare(
    inputs: Inputs, dag: dags.Dag, what: str, failed: set[int], rounds: int, has_networkx: bool
) -> None:
    spec = inputs.spec(dag)
    stored = inputs.records(dag, failed=failed)
    asked = dags.request(b"", b"", stored)
    asked.original.records = b""
    pieces = Pieces(asked, spec, stored)
    compiled = compile_run(pieces)
    assert compiled is not None, "a plain DAG can be compiled"
    ids = {task: place for place, task in enumerate(dag.order, 1)}
    records: Records = [
        ([ids[before] for before in dag.upstream[task]], task in failed) for task in dag.order
    ]

    graph = compiled.graph
    found = engine.UnchangedPlan.FromString(plan_unchanged(graph, b"", asked))
    assert not found.refusal, found.refusal
    shown = rerun_pb2.PlanRerunResponse.FromString(plan_in_parts(pieces).tasks_wire)
    general = [int(task.verdict) for task in shown.tasks]
    assert list(found.verdicts) == general == by_rustworkx(records)
    contenders = {
        "reprise": lambda: plan_unchanged(graph, b"", asked),
        "rustworkx": lambda: by_rustworkx(records),
    }
    if has_networkx:
        assert general == by_networkx(records)
        contenders["networkx"] = lambda: by_networkx(records)
    counts = {name: found.counts[number] for name, number in engine.Verdict.items() if found.counts[number]}
    print(f"{dag.shape}, {len(dag)} tasks, {what}, {len(graph) / 1e6:.1f} MB in, {counts}")
    tell(alternate(contenders, rounds), "reprise")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--shapes", nargs="+", default=["layered", "block", "shuffled"], choices=dags.SHAPES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--networkx-up-to", type=int, default=100_000, help="it takes 10 s for a million tasks"
    )
    parser.add_argument("--inputs", type=Path, metavar="DIR", help="keep the DAGs there for the next time")
    options = parser.parse_args()
    inputs = Inputs(options.inputs)
    for shape in options.shapes:
        for tasks in options.tasks:
            dag = inputs.dag(shape, tasks)
            for what, failed in failures(dag).items():
                compare(inputs, dag, what, failed, options.rounds, tasks <= options.networkx_up_to)


if __name__ == "__main__":
    main()
