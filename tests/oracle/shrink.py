"""Make a failing case small: drop steps, configs and tasks for as long as the same kind of difference stays."""

from __future__ import annotations

import copy
import pprint
from collections.abc import Iterator

from cases import Difference, Step, compare_steps
from generate import Constructs, all_dags, remove


def smallest(found: Difference, constructs: Constructs) -> Difference:
    best = found
    progress = True
    while progress:
        progress = False
        for steps in _smaller(best.steps):
            try:
                other = compare_steps(steps, constructs)
            except Exception:  # a case that cannot be built any more is no smaller case
                continue
            if other is not None and _kind(other) == _kind(found):
                best, progress = other, True
                break
    return best


def show(found: Difference) -> str:
    """The reproduction, as text."""
    lines = [str(found)]
    for number, step in enumerate(found.steps):
        lines += [f"-- step {number}", pprint.pformat(step, width=110, compact=True)]
    return "\n".join(lines)


def _kind(found: Difference) -> tuple[bool, str, str]:
    if not found.path:
        return False, found.core[:2], found.oracle[:2]
    return True, found.core.split()[0], found.oracle.split()[0]


def _smaller(steps: list[Step]) -> Iterator[list[Step]]:
    for number in range(len(steps) - 1):
        yield steps[:number] + steps[number + 1 :]
    for name in sorted(
        {name for step in steps for dag in all_dags(step.spec) for name in dag["dag"]["tasks"]}
    ):
        fewer = copy.deepcopy(steps)
        was_removed = False
        for step in fewer:
            for dag in all_dags(step.spec):
                if name in dag["dag"]["tasks"]:
                    was_removed |= remove(dag["dag"], name)
        if was_removed:
            yield [_without_configs_of(step, name) for step in fewer]
    for number, step in enumerate(steps):
        if number and step.spec != steps[number - 1].spec:
            fewer = copy.deepcopy(steps)
            fewer[number].spec = copy.deepcopy(steps[number - 1].spec)
            yield fewer
        for index in range(len(step.configs)):
            fewer = copy.deepcopy(steps)
            del fewer[number].configs[index]
            yield fewer
        if step.failure_rate or step.noise or step.cancel_after is not None:
            fewer = copy.deepcopy(steps)
            fewer[number].failure_rate, fewer[number].noise, fewer[number].cancel_after = 0, 0, None
            yield fewer
    for dag_number in range(max(len(all_dags(step.spec)) for step in steps)):
        fewer = copy.deepcopy(steps)
        changed = False
        for step in fewer:
            for dag in all_dags(step.spec)[dag_number : dag_number + 1]:
                for kind in list(dag["dag"].get("outputs", {})):
                    if not _is_read_outside(step, dag):
                        del dag["dag"]["outputs"][kind]
                        dag.get("outputDefinitions", {}).pop(kind, None)
                        changed = True
        if changed:
            yield fewer


def _is_read_outside(step: Step, dag: dict) -> bool:  # type: ignore[type-arg]
    return any(
        f"'producerSubtask': '{name}'" in str(other["dag"].get("outputs"))
        or f"'producerTask': '{name}'" in str(other["dag"]["tasks"])
        for other in all_dags(step.spec)
        for name, task in other["dag"]["tasks"].items()
        if step.spec["components"][task["componentRef"]["name"]] is dag
    )


def _without_configs_of(step: Step, name: str) -> Step:
    step.configs = [
        config
        for config in step.configs
        if name not in [part.split("[")[0] for part in config.path.split(".")]
    ]
    return step
