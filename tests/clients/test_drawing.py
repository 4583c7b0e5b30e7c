"""The drawing of a plan: every task, every dependency, and what stands in what."""

from __future__ import annotations

import re
from typing import Any

from reprise.client.drawing import to_dot, to_mermaid
from reprise.client.plan import Plan
from reprise.pb.v1 import pipeline_state_pb2 as states
from reprise.pb.v1 import rerun_pb2 as reruns

Kind = reruns.PlannedTask.Kind


def task(number: int, name: str, verdict: int = states.VERDICT_EXECUTE, **values: Any) -> reruns.PlannedTask:
    given: dict[str, Any] = {"kind": Kind.CONTAINER, "task_unique_name": name, **values}
    return reruns.PlannedTask(task_id=number, task_name=name, verdict=verdict, **given)  # type: ignore[arg-type]


PLAN = Plan(
    "e",
    "p",
    (),
    (),
    [
        task(1, 'a"b#'),
        task(2, "loop", kind=Kind.LOOP, upstream_task_ids=[1]),
        task(3, "loop[0]", kind=Kind.ITERATION, parent_task_id=2),
        task(4, "work", parent_task_id=3, caused_by='a"b#', task_unique_name="loop[0].work"),
        task(5, "end", states.VERDICT_RE_EVALUATE, upstream_task_ids=[2, 1], caused_by='a"b#'),
        task(4, "gone", states.VERDICT_DROPPED, upstream_task_ids=[1]),
    ],
)


def test_graphviz_gets_boxes_for_what_holds_tasks_and_an_arrow_for_each_dependency() -> None:
    dot = to_dot(PLAN)
    assert dot.count("{") == dot.count("}") == 3 and 'label="a\\"b#\\nEXECUTE"' in dot
    assert re.findall(r"^ *(\w+ -> \w+)(.*);$", dot, re.MULTILINE) == [
        ("t1 -> t2", " [lhead=cluster_2]"),
        ("t2 -> t5", " [ltail=cluster_2]"),
        ("t1 -> t5", ""),
        ("t1 -> t4", " [style=dashed, color=gray, constraint=false]"),
    ]
    declared = set(re.findall(r"^ *([td]\d+) \[", dot, re.MULTILINE))
    assert declared == {"t1", "t2", "t3", "t4", "t5", "d4"}, "an arrow must not make a node of its own"


def test_mermaid_gets_the_same() -> None:
    chart = to_mermaid(PLAN)
    assert re.findall(r"^ *(\w+) (-->|-\.->) (\w+)$", chart, re.MULTILINE) == [
        ("t1", "-->", "t2"),
        ("t2", "-->", "t5"),
        ("t1", "-->", "t5"),
        ("t1", "-.->", "t4"),
    ]
    assert chart.count("subgraph") == len(re.findall(r"^ *end$", chart, re.MULTILINE)) == 2
    assert 't1["a#quot;b#35;<br/>EXECUTE"]:::EXECUTE' in chart and 'd4["gone<br/>DROPPED"]' in chart
    inside = chart[chart.index("subgraph t3") : chart.index("end")]
    assert "t4[" in inside and "t5[" not in inside
