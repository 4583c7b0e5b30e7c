"""Random pipelines, edited and rerun at random: what ran is always what was planned.

`Stage.rerun` compares each execution with its plan, its ledger and the outcomes that it says it reuses.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from building import EXIT, Dag, Given, Leaf, Of, Task
from parts import ECHO
from reprise.client import InvalidArgumentError
from stage import AGAIN, RUN, SKIP, SKIP_ON, Ask, Ended, Stage

_RERUNS = 4
_LIST = 'printf \'["%s", "b", "b"]\' "$x" > "$list"\nprintf %s "$x" > "$out"'


class Draw:
    """Pipelines that differ from one another by a few edits, all drawn from one seed."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._random = random.Random(seed)
        self._stage = stage
        self._flags = [stage.folder / f"broken-{number}" for number in range(3)]
        self._codes = dict.fromkeys(range(40), 0)
        self._shape = self._random.randrange(2**32)

    def edit(self) -> None:
        """Change the code of some tasks, and break or mend some."""
        for number in self._random.sample(sorted(self._codes), 4):
            self._codes[number] += self._random.random() < 0.3
        for flag in self._flags:
            if self._random.random() < 0.3:
                flag.touch()
            else:
                flag.unlink(missing_ok=True)

    def parameters(self) -> dict[str, Any]:
        return {"p": self._random.choice("ab"), "q": self._random.choice("ab"), "l": self._items()}

    def spec(self) -> dict[str, Any]:
        shape = random.Random(self._shape)
        tasks = self._tasks(shape, {"p": "STRING", "q": "STRING", "l": "LIST"}, depth=0)
        if shape.random() < 0.5:
            tasks = {
                "exit-handler-1": Task(
                    Dag(tasks, {"p": "STRING", "q": "STRING", "l": "LIST"}),
                    {name: Given(name) for name in "pql"},
                ),
                "clean": Task(ECHO, {"x": Given("p")}, after=["exit-handler-1"], strategy=EXIT),
            }
        return self._stage.spec(tasks, {"p": "STRING", "q": "STRING", "l": "LIST"})

    def asks(self, original: Ended) -> dict[str, Ask]:
        paths = self._random.sample(
            sorted(original.tasks), min(self._random.randrange(3), len(original.tasks))
        )
        choices = [RUN, AGAIN, SKIP, SKIP_ON, Ask(downstream=True)]
        asks = {path: self._random.choice(choices) for path in paths}
        for path in paths:
            if original.inputs(path).get("x") is not None and self._random.random() < 0.3:
                asks[path] = Ask(inputs={"x": self._random.choice("ab")})
        return asks

    def _items(self) -> list[str]:
        return self._random.choices("abc", k=self._random.randrange(4))

    def _tasks(self, shape: random.Random, inputs: Mapping[str, str], depth: int) -> dict[str, Task]:
        """Tasks of a DAG with these inputs; texts are handed on by `out`, lists by `list`."""
        tasks: dict[str, Task] = {}
        texts: list[Any] = [Given(name) for name, kind in inputs.items() if kind == "STRING"]
        lists: list[Any] = [Given(name) for name, kind in inputs.items() if kind == "LIST"]
        for number in range(shape.randrange(2, 6 - depth)):
            name = f"t{depth}{number}"
            after = shape.sample(sorted(tasks), min(len(tasks), shape.randrange(2)))
            kind = shape.random()
            source = shape.choice(texts)
            if kind < 0.65 or depth == 2:
                body = replace(self._leaf(shape), says=name)
                strategy = EXIT if shape.random() < 0.08 and not isinstance(source, Of) else ""
                tasks[name] = Task(body, {"x": source}, after=after, strategy=strategy)
                texts.append(Of(name))
                lists.append(Of(name, "list"))
                continue
            inner_inputs = {"x": "STRING"}
            each = condition = None
            if kind < 0.85 and lists:
                each = shape.choice(lists)
            elif kind < 0.95:
                condition = "inputs.parameter_values['x'] == 'a'"
            inner = self._tasks(shape, inner_inputs | ({"item": "STRING"} if each else {}), depth + 1)
            tasks[f"d{depth}{number}"] = Task(
                Dag(inner, inner_inputs), {"x": source}, after=after, each=each, condition=condition or ""
            )
        return tasks

    def _leaf(self, shape: random.Random) -> Leaf:
        number = shape.randrange(len(self._codes))
        flag = shape.choice([*self._flags, *[None] * 12])
        lines = [f": version {self._codes[number]}", _LIST]
        if shape.random() < 0.3:
            lines[1] = _LIST.replace('"$x"', '"a"')
        if flag is not None:
            lines.insert(0, f"test ! -e {flag}")
        return Leaf("\n".join(lines), {"x": "STRING"}, {"out": "STRING", "list": "LIST"})


@pytest.mark.parametrize("seed", [*range(10), 19, 24, 64, 77, 78, 127, 197, 207])
def test_what_a_rerun_does_refines_its_plan(stage: Stage, seed: int) -> None:
    draw = Draw(stage, seed)
    draw.edit()
    run = stage.run(draw.spec(), draw.parameters())
    for _ in range(_RERUNS):
        draw.edit()
        spec, parameters = draw.spec(), draw.parameters()
        try:
            run = stage.rerun(run, draw.asks(run), spec, parameters)
        except InvalidArgumentError:  # a needed output was skipped
            left_out = {path: AGAIN for path, task in run.tasks.items() if task.is_left_out}
            run = stage.rerun(run, left_out, spec, parameters)
    if run.state == "SUCCEEDED":
        again = stage.rerun(run, spec=run.spec, is_filled=False)
        exits = {path for path, said in again.verdicts.items() if said == "EXECUTE EXIT_TASK"}
        assert len(again.ran) == len(exits), "nothing has changed, so nothing runs"
