"""Tasks and small pipelines that many tests use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from building import Dag, Given, Leaf, Of, Task
from stage import Stage

# What comes in goes out.
ECHO = Leaf('printf %s "$x" > "$out"', inputs={"x": "STRING"}, outputs={"out": "STRING"})
# The item is in what the task says, too.
WORK = Leaf(
    'printf %s "$item" > "$out"', inputs={"item": "STRING"}, outputs={"out": "STRING"}, says="work $item"
)
# Writes the same whatever comes in.
CONSTANT = Leaf('printf same > "$out"', inputs={"x": "STRING"}, outputs={"out": "STRING"})
FILE = Leaf('printf %s "$x" > "$data"', inputs={"x": "STRING"}, writes=("data",))
READ = Leaf('cat "$data" > "$out"', reads=("data",), outputs={"out": "STRING"})
NOTHING = Leaf()
COUNT = Leaf(
    'printf %s "$list" > "$out"', inputs={"list": "LIST"}, outputs={"out": "STRING"}, says="collect $list"
)


def broken_while(flag: Path, body: Leaf = ECHO) -> Leaf:
    """Fails as long as the file is there: no input and no code differs between failing and not."""
    return Leaf(
        f"test ! -e {flag}\n{body.script}", body.inputs, body.outputs, body.reads, body.writes, body.says
    )


def chain(stage: Stage, **bodies: Leaf) -> dict[str, Any]:
    """a -> b -> c by data, d after c by order alone. `bodies` replace ECHO."""
    return stage.spec(
        {
            "a": Task(bodies.get("a", ECHO), {"x": Given("x")}),
            "b": Task(bodies.get("b", ECHO), {"x": Of("a")}),
            "c": Task(bodies.get("c", ECHO), {"x": Of("b")}),
            "d": Task(bodies.get("d", NOTHING), after=["c"]),
        },
        {"x": ("STRING", "1")},
        {"out": Of("c")},
    )


def loop(items: Any, body: Leaf = WORK, inputs: Mapping[str, Any] | None = None, **options: Any) -> Task:
    """A loop with one task `work`, which gives `out`, collected."""
    given = {name: Given(name) for name in inputs or {}}
    return Task(
        Dag(
            {"work": Task(body, {"item": Given("item"), **given})},
            inputs={name: body.inputs[name] for name in inputs or {}},
            outputs={"out": Of("work")},
            output_types={"out": "LIST"},
        ),
        inputs=inputs or {},
        each=items,
        **options,
    )
