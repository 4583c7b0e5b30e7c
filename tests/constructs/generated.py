"""Pipelines made at random, with what plain Python says that each of their tasks gives.

A `Program` builds a kfp pipeline and, beside each channel, a function from the run's parameters and the loop items
around it to the value that must be there. So nothing but the language's own meaning is the oracle.
"""

# ruff: noqa: UP006, UP035 (kfp reads the annotations as objects: List)
# No `from __future__ import annotations` for the same reason.

import json
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, List

from kfp import dsl
from kfp.dsl import Dataset, Input, Output
from kfp.dsl.pipeline_channel import OneOfMixin


@dsl.component(base_image="python:3.12")
def mix(tag: str, trap: str, left: int, right: int) -> int:
    import os

    if os.path.exists(trap) and tag in open(trap).read().split():  # noqa: PTH110, PTH123, SIM115
        raise SystemExit(f"{tag} is in the trap")
    return (left * 3 + right * 5 + 1) % 17


@dsl.component(base_image="python:3.12")
def word(tag: str, text: str, count: int) -> str:
    return (text + str(count))[-6:]


@dsl.component(base_image="python:3.12")
def span(tag: str, count: int) -> List[int]:
    return [(count + i * 2) % 5 for i in range(count % 4)]


@dsl.component(base_image="python:3.12")
def digest(tag: str, values: list) -> int:
    import json
    import zlib

    return zlib.crc32(json.dumps(values).encode()) % 17


@dsl.component(base_image="python:3.12")
def store(tag: str, value: int, data: Output[Dataset]):
    with open(data.path, "w") as file:  # noqa: PTH123
        file.write(str(value))


@dsl.component(base_image="python:3.12")
def load(tag: str, data: Input[Dataset]) -> int:
    with open(data.path) as file:  # noqa: PTH123
        return int(file.read()) + 1


@dsl.component(base_image="python:3.12")
def load_all(tag: str, data: Input[List[Dataset]]) -> list:
    return [int(open(one.path).read()) for one in data]  # noqa: PTH123


@dsl.component(base_image="python:3.12")
def last(tag: str, status: dsl.PipelineTaskFinalStatus, value: int) -> str:
    return f"{status.state} {value}"


# What is known where a value is asked for: run parameters by name, items of the loops around by the loop's key.
Scope = Mapping[str, Any]
Expected = Callable[[Scope], Any]
# A task that must have run: its tag, the parameters that went in (by name), the parameter that came out (None where an
# artifact did).
Ran = tuple[str, str, str | None]

NUMBER, TEXT, LIST, DATA = "number", "text", "list", "data"


@dataclass(frozen=True)
class Value:
    """A channel of the pipeline, or a constant, and what must be there."""

    kind: str
    channel: Any
    at: Expected


@dataclass
class Block:
    """What one level of the pipeline holds, in order; `walk` lists what must run there."""

    entries: list[Callable[[Scope], Iterator[Ran]]] = field(default_factory=list)

    def walk(self, scope: Scope) -> Iterator[Ran]:
        for entry in self.entries:
            yield from entry(scope)


@dataclass(frozen=True)
class Inner:
    """A pipeline that others call: by its parameters' names, and an artifact where it takes one."""

    pipeline: Any
    body: Block
    result: Value
    takes_data: bool


class Program:
    """One pipeline. The same seed gives the same pipeline.

    Its `mix` tasks fail whose tags are listed in the file `trap`. `fragile` holds the tags that may be listed.
    """

    def __init__(self, seed: int, trap: str, size: int = 24) -> None:
        self.fragile: list[str] = []
        self._trap = trap
        self._random = random.Random(seed)
        self._left = 0
        self._tags = 0
        self._inner: list[Inner] = []
        self._root = Block()
        self.exit_tag = ""
        for number in range(self._random.randint(0, 2)):
            self._left = 3
            self._inner.append(self._build_inner(f"inner-{seed}-{number}"))
        self._left = size

        @dsl.pipeline(name=f"generated-{seed}")
        def pipeline(a: int, b: int, text: str, items: List[int]) -> int:
            given = [
                Value(NUMBER, a, _named("a")),
                Value(NUMBER, b, _named("b")),
                Value(TEXT, text, _named("text")),
                Value(LIST, items, _named("items")),
            ]
            known = list(given)
            if self._random.random() < 0.3:
                self.exit_tag = self._tag()
                with dsl.ExitHandler(last(tag=self.exit_tag, value=a)):
                    self._fill(self._root, known, 0)
                self._root.entries.append(self._walk_exit)
                # kfp lets nobody outside read what is made inside.
                known = given
            else:
                self._fill(self._root, known, 0)
            return self._task(self._root, known, NUMBER).channel

        self.pipeline = pipeline

    def expected(self, parameters: Mapping[str, Any]) -> Counter[Ran]:
        """How often each task must have run, in a run with these parameters."""
        return Counter(self._root.walk(parameters))

    def _walk_exit(self, scope: Scope) -> Iterator[Ran]:
        yield self.exit_tag, json.dumps([scope["a"]]), json.dumps(f"SUCCEEDED {scope['a']}")

    def _tag(self) -> str:
        self._tags += 1
        return f"t{self._tags}"

    def _fill(self, block: Block, known: list[Value], depth: int) -> None:
        """Entries for one level; what they give is appended to `known`."""
        for _ in range(self._random.randint(3, 6)):
            if self._left <= 0:
                break
            roll = self._random.random()
            if depth < 3 and roll < 0.25:
                self._loop(block, known, depth)
            elif depth < 3 and roll < 0.45:
                self._branches(block, known, depth)
            elif roll < 0.58:
                self._call(block, known)
            else:
                known.append(
                    self._task(block, known, self._random.choice([NUMBER, NUMBER, TEXT, LIST, DATA]))
                )
        # A level without a task is no level.
        known.append(self._task(block, known, NUMBER))

    def _pick(self, known: list[Value], kind: str) -> Value:
        """One that is known, mostly one of the last; else a constant."""
        fitting = [value for value in known if value.kind == kind]
        if fitting and (kind == DATA or self._random.random() < 0.85):
            return self._random.choice(fitting[-4:])
        constant: Any = {
            NUMBER: self._random.randint(0, 9),
            TEXT: self._random.choice(["", "x", 'q"\\', "ü {{$}}"]),
            LIST: [self._random.randint(0, 3) for _ in range(self._random.randint(0, 3))],
        }[kind]
        return Value(kind, constant, lambda scope: constant)

    def _task(self, block: Block, known: list[Value], kind: str) -> Value:
        self._left -= 1
        tag = self._tag()
        has_data = any(value.kind == DATA for value in known)
        if kind == NUMBER and has_data and self._random.random() < 0.5:
            return self._leaf(
                block, tag, NUMBER, load, {"data": self._pick(known, DATA)}, lambda data: data + 1
            )
        if kind == NUMBER and self._random.random() < 0.3:
            return self._leaf(block, tag, NUMBER, digest, {"values": self._pick(known, LIST)}, _digest)
        if kind == NUMBER:
            pair = {"left": self._pick(known, NUMBER), "right": self._pick(known, NUMBER)}
            self.fragile.append(tag)
            fragile = partial(mix, trap=self._trap)
            return self._leaf(
                block, tag, NUMBER, fragile, pair, lambda left, right: (left * 3 + right * 5 + 1) % 17
            )
        if kind == TEXT:
            both = {"text": self._pick(known, TEXT), "count": self._pick(known, NUMBER)}
            return self._leaf(block, tag, TEXT, word, both, lambda text, count: (text + str(count))[-6:])
        count = {"count": self._pick(known, NUMBER)}
        if kind == LIST:
            return self._leaf(
                block, tag, LIST, span, count, lambda count: [(count + i * 2) % 5 for i in range(count % 4)]
            )
        value = {"value": count["count"]}
        return self._leaf(block, tag, DATA, store, value, lambda value: value)

    def _leaf(
        self,
        block: Block,
        tag: str,
        kind: str,
        component: Any,
        inputs: Mapping[str, Value],
        result: Callable[..., Any],
    ) -> Value:
        task = component(tag=tag, **{name: value.channel for name, value in inputs.items()})
        channel = task.outputs["data"] if kind == DATA else task.output

        def at(scope: Scope) -> Any:
            return result(**{name: value.at(scope) for name, value in inputs.items()})

        def walk(scope: Scope) -> Iterator[Ran]:
            went_in = [inputs[name].at(scope) for name in sorted(inputs) if name != "data"]
            yield tag, json.dumps(went_in), None if kind == DATA else json.dumps(at(scope))

        block.entries.append(walk)
        return Value(kind, channel, at)

    def _loop(self, block: Block, known: list[Value], depth: int) -> None:
        items = self._pick(known, LIST)
        if items.channel == []:  # the compiler refuses an empty constant
            return
        body, key = Block(), f"loop{self._tag()}"
        inside = list(known)
        limit = self._random.choice([0, 0, 1, 2])
        with dsl.ParallelFor(items.channel, parallelism=limit) as item:
            inside.append(Value(NUMBER, item, lambda scope: scope[key]))
            begun = len(inside)
            self._fill(body, inside, depth + 1)

        def walk(scope: Scope) -> Iterator[Ran]:
            for one in items.at(scope):
                yield from body.walk({**scope, key: one})

        block.entries.append(walk)
        numbers = [
            value
            for value in inside[begun:]
            if value.kind in (NUMBER, DATA) and not isinstance(value.channel, OneOfMixin)  # kfp refuses it
        ]
        if not numbers or self._random.random() < 0.2:
            return
        one = self._random.choice(numbers)

        def collected(scope: Scope) -> list[Any]:
            return [one.at({**scope, key: item}) for item in items.at(scope)]

        gathered = Value(LIST, dsl.Collected(one.channel), collected)
        if one.kind == DATA:
            known.append(self._leaf(block, self._tag(), LIST, load_all, {"data": gathered}, _same))
        else:
            known.append(self._leaf(block, self._tag(), NUMBER, digest, {"values": gathered}, _digest))

    def _branches(self, block: Block, known: list[Value], depth: int) -> None:
        channels = [value for value in known if value.kind == NUMBER and not isinstance(value.channel, int)]
        if not channels:
            return
        asked = self._random.choice(channels[-3:])
        limits = sorted(self._random.sample(range(17), self._random.randint(1, 2)))
        # kfp never closes the group of an Elif that no Else follows.
        has_else = len(limits) > 1 or self._random.random() < 0.6
        arms: list[tuple[Block, Value]] = []
        for position in range(len(limits) + has_else):
            if position == len(limits):
                level = dsl.Else()
            else:
                level = (dsl.If if position == 0 else dsl.Elif)(asked.channel < limits[position])
            arm, inside = Block(), list(known)
            with level:
                self._fill(arm, inside, depth + 1)
            arms.append((arm, inside[-1]))

        def taken(scope: Scope) -> int:
            value = asked.at(scope)
            return next((i for i, limit in enumerate(limits) if value < limit), len(limits))

        def walk(scope: Scope) -> Iterator[Ran]:
            if taken(scope) < len(arms):
                yield from arms[taken(scope)][0].walk(scope)

        block.entries.append(walk)
        if has_else:
            one_of = dsl.OneOf(*[value.channel for _, value in arms])
            known.append(Value(NUMBER, one_of, lambda scope: arms[taken(scope)][1].at(scope)))

    def _build_inner(self, name: str) -> Inner:
        body = Block()
        takes_data = self._random.random() < 0.5
        found: list[Value] = []

        def build(*inside: Value) -> Any:
            known = list(inside)
            self._fill(body, known, 1)
            found.append(known[-1])
            return known[-1].channel

        if takes_data:

            @dsl.pipeline(name=name)
            def inner(p: int, d: Input[Dataset], q: str = "default") -> int:
                return build(
                    Value(NUMBER, p, _named("p")), Value(DATA, d, _named("d")), Value(TEXT, q, _named("q"))
                )

        else:

            @dsl.pipeline(name=name)
            def inner(p: int, r: List[int], q: str = "default") -> int:
                return build(
                    Value(NUMBER, p, _named("p")), Value(LIST, r, _named("r")), Value(TEXT, q, _named("q"))
                )

        return Inner(inner, body, found[-1], takes_data)

    def _call(self, block: Block, known: list[Value]) -> None:
        """A call of one of the inner pipelines, where there is one that can be called here."""
        has_data = any(value.kind == DATA for value in known)
        callable_here = [inner for inner in self._inner if has_data or not inner.takes_data]
        if not callable_here:
            return
        inner = self._random.choice(callable_here)
        given = {"p": self._pick(known, NUMBER)}
        if inner.takes_data:
            given["d"] = self._pick(known, DATA)
        else:
            given["r"] = self._pick(known, LIST)
        if self._random.random() < 0.5:
            given["q"] = self._pick(known, TEXT)
        task = inner.pipeline(**{name: value.channel for name, value in given.items()})

        def within(scope: Scope) -> Scope:
            return {"q": "default"} | {name: value.at(scope) for name, value in given.items()}

        block.entries.append(lambda scope: inner.body.walk(within(scope)))
        known.append(Value(NUMBER, task.output, lambda scope: inner.result.at(within(scope))))


def _named(name: str) -> Expected:
    return lambda scope: scope[name]


def _same(data: list[int]) -> list[int]:
    return data


def _digest(values: list[Any]) -> int:
    return zlib.crc32(json.dumps(values).encode()) % 17
