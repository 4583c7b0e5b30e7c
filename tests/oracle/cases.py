"""One case: a chain of runs, each a rerun of the one before with edits and configs; and its comparison.

Invariant: a case is a function of its seed and of the constructs that it may hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import planned
import planner
from execution import Run, World, as_values, execute, request_for
from generate import Constructs, SpecMaker, constant, edited, run_parameters
from past import Config, Unjudgeable
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import plan
from values import UNKNOWN, ArtifactValue, same


@dataclass
class Step:
    """One run of a chain, as data: what a reproduction consists of."""

    spec: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)
    configs: list[Config] = field(default_factory=list)
    failure_rate: float = 0.0
    cancel_after: int | None = None
    noise: int = 0
    world_seed: int = 0


@dataclass
class Difference:
    step: int
    path: str
    core: str
    oracle: str
    steps: list[Step]

    def __str__(self) -> str:
        return f"step {self.step}, {self.path or 'the request'}: core {self.core}, oracle {self.oracle}"


def steps_of(seed: int, constructs: Constructs) -> Iterator[tuple[Step, list[Run]]]:
    """The steps of a case, made one at a time: what is asked depends on how the runs before have ended.

    The caller appends the run that a step became to the list it is given.
    """
    chance = random.Random(seed)
    spec = SpecMaker(chance, constructs).make()
    given = run_parameters(chance, spec)
    runs: list[Run] = []
    for number in range(chance.choice([2, 2, 3, 4])):
        configs: list[Config] = []
        if number:
            if chance.random() < 0.6:
                spec = edited(chance, spec, constructs, number)
            given = changed_parameters(chance, spec)
            configs = list(configs_for(chance, runs[-1], constructs))
        step = Step(
            spec,
            given,
            configs,
            failure_rate=chance.choice([0, 0, 0.1, 0.3]),
            cancel_after=chance.randint(0, 5) if chance.random() < 0.12 and constructs.cancels else None,
            noise=chance.choice([0, 0, 0, chance.randint(1, 2)]),
            world_seed=chance.randint(0, 2**32),
        )
        yield step, runs
        if len(runs) <= number:
            return


def changed_parameters(chance: random.Random, spec: dict[str, Any]) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {}
    declared = spec["root"]["inputDefinitions"]["parameters"]
    name = chance.choice(list(declared))
    return {name: constant(chance, declared[name]["parameterType"])}


def configs_for(chance: random.Random, original: Run, constructs: Constructs) -> Iterator[Config]:
    """As the stock SDK sends them: one for every task of the original, those that the user named among them."""
    if chance.random() < 0.25:
        return
    is_sdk = chance.random() < 0.7
    rate = chance.choice([0.0, 0.05, 0.2])
    quiet: list[str] = []  # below a DAG that is asked for or left out, only filler
    for path in sorted(original.past.tasks):
        task = original.past.tasks[path]
        filler = Config(path, skip_task=task.state == "SUCCEEDED")
        is_leaf = task.kind not in ("DAG", "LOOP", "ITERATION")
        is_named = chance.random() < rate
        draw = chance.random()
        config = filler
        if any(path.startswith((above + ".", above + "[")) for above in quiet):
            pass
        elif is_named and is_leaf and draw < 0.3 and constructs.overrides:
            inputs = {}
            for slot, value in task.inputs.items():
                if chance.random() < 0.6:
                    inputs[slot] = other_value(chance, value)
            config = Config(path, inputs=inputs)
        elif is_named and is_leaf and draw < 0.6 and constructs.skips:
            config = Config(path, skip_task=True)
        elif is_named and is_leaf:
            config = Config(path, skip_task=False)
        elif is_named and constructs.requests_on_dags and (constructs.skips or task.state == "SUCCEEDED"):
            config = Config(path, skip_task=task.state != "SUCCEEDED")
            quiet.append(path)
        if (
            config is not filler
            and constructs.skip_downstream
            and config.inputs is None
            and "[" not in path
            and chance.random() < 0.4
        ):
            config.skip_downstream = True
        if is_sdk or config is not filler:
            yield config


def other_value(chance: random.Random, value: Any) -> Any:
    if chance.random() < 0.3:
        return value
    if isinstance(value, ArtifactValue):
        return ArtifactValue(value.schema_title, f"sha256:{chance.randint(0, 5):064x}", "/elsewhere/a")
    kinds = {int: "NUMBER_INTEGER", str: "STRING", list: "LIST"}
    return constant(chance, kinds[type(value)])


def compare_case(seed: int, constructs: Constructs) -> tuple[int, Difference | None]:
    """The number of plans compared, and the first difference."""
    steps: list[Step] = []
    plans = 0
    for step, runs in steps_of(seed, constructs):
        steps.append(step)
        found, run = compare_step(steps, runs, constructs)
        plans += 1
        if found is not None:
            return plans, found
        if run is None:
            return plans, None
        runs.append(run)
    return plans, None


def compare_steps(steps: list[Step], constructs: Constructs) -> Difference | None:
    """The first difference of a chain that is given as data."""
    runs: list[Run] = []
    for number in range(len(steps)):
        found, run = compare_step(steps[: number + 1], runs, constructs)
        if found is not None or run is None:
            return found
        runs.append(run)
    return None


def compare_step(
    steps: list[Step], runs: list[Run], constructs: Constructs
) -> tuple[Difference | None, Run | None]:
    """Compare the plans of the last step. The run that it became; none, where both refuse it."""
    step, number = steps[-1], len(steps) - 1
    original = runs[-1] if runs else None
    request = request_for(number + 1, step.spec, step.given, original, step.configs)
    try:
        expected = planner.plan(step.spec, step.given, original.past if original else None, step.configs)
    except Unjudgeable:
        return None, None
    actual = plan(request)

    def differ(path: str, core: object, oracle: object) -> tuple[Difference, None]:
        return Difference(number, path, str(core), str(oracle), list(steps)), None

    if actual.problems and expected.doubts:
        return None, None
    if bool(actual.problems) != bool(expected.problems):
        return differ("", [p.field + ": " + p.message for p in actual.problems], expected.problems)
    if actual.problems:
        return None, None
    shown: dict[str, engine.TaskRecord] = {}
    for record in actual.tasks:
        shown[("dropped:" if record.verdict == engine.DROPPED else "") + record.path] = record
    for path in [*expected.tasks, *shown]:
        if path.startswith(tuple(f"{loop}[" for loop in expected.closed_loops)):
            continue  # whether the iterations of a loop that is not triggered are listed, the guide leaves open
        if path not in shown:
            return differ(path, "nothing", describe(expected.tasks[path]))
        if path not in expected.tasks:
            return differ(path, tell(shown[path]), "nothing")
        if not agree(shown[path], expected.tasks[path], constructs):
            return differ(path, tell(shown[path]), describe(expected.tasks[path]))
    world = World(random.Random(step.world_seed), step.failure_rate, step.cancel_after, step.noise)
    run = execute(
        number + 1,
        request,
        step.spec,
        world,
        expected.parameters,
        expected.items,
        original.past if original else None,
    )
    return None, run


_EXACT_OF_A_DAG = (planned.NOT_TRIGGERED, planned.SKIP, planned.DROPPED)


def agree(shown: engine.TaskRecord, expected: planned.Planned, constructs: Constructs) -> bool:
    verdict = engine.Verdict.Name(shown.verdict).removeprefix("VERDICT_")
    if shown.kind in (engine.DAG, engine.LOOP, engine.ITERATION) and expected.verdict not in _EXACT_OF_A_DAG:
        # How a DAG sums up a mixture is not said; that something in it is still open must show.
        is_settled = verdict not in (planned.EXECUTE, planned.RE_EVALUATE)
        return is_settled == expected.is_settled
    if verdict != expected.verdict:
        return False
    if shown.kind in (engine.CONTAINER, engine.IMPORTER) and expected.reasons:
        if engine.Reason.Name(shown.reason) not in expected.reasons:
            return False
        if expected.verdict == planned.REUSE:
            outputs = as_values(shown.outputs)
            wanted = {slot: value for slot, value in expected.outputs.items() if value is not UNKNOWN}
            return outputs.keys() == wanted.keys() and all(
                same(outputs[slot], wanted[slot]) for slot in wanted
            )
    return True


def tell(record: engine.TaskRecord) -> str:
    verdict = engine.Verdict.Name(record.verdict).removeprefix("VERDICT_")
    parts = [verdict, engine.Reason.Name(record.reason), record.reason_field, record.caused_by]
    return " ".join(part for part in parts if part)


def describe(expected: planned.Planned) -> str:
    return f"{expected.verdict} {'|'.join(sorted(expected.reasons))}"
