"""What is planned for a task, and how the plan of a DAG sums up its children."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from past import Slot, Unjudgeable
from values import ABSENT, UNKNOWN

REUSE, RE_EVALUATE, EXECUTE, SKIP, NOT_TRIGGERED, DROPPED = (
    "REUSE",
    "RE_EVALUATE",
    "EXECUTE",
    "SKIP",
    "NOT_TRIGGERED",
    "DROPPED",
)
# How surely the children of a DAG will come to be decided, from best to worst.
OPEN, UNCERTAIN, CONDITION_UNKNOWN, CLOSED = range(4)
MAYBE, SURELY = 1, 2


@dataclass
class Planned:
    path: str
    kind: str
    verdict: str
    reasons: frozenset[str]
    outputs: dict[Slot, Any] = field(default_factory=dict)
    original: str | None = None
    is_fan_in: bool = (
        False  # a loop that is not left out itself: iterations without output are left out of its lists
    )
    is_skipped_inside: bool = False  # a DAG that is not left out itself, only all that is in it
    is_empty: bool = False  # a DAG in which nothing is still open
    is_closed_box: bool = False  # a loop whose items are not known yet
    would_skip: bool = False  # left out, unless its condition turns out to be false
    lacking: dict[Slot, int] = field(
        default_factory=dict
    )  # outputs of a DAG that come from what is left out inside it
    may_not_start: bool = False  # its own condition, or that of what holds it or comes before it, is open
    is_cut: bool = False  # everything downstream of it, or of something in it, is left out as well

    @property
    def is_settled(self) -> bool:
        """Nothing that is still to run can change how this task stands."""
        return self.verdict in (REUSE, SKIP, NOT_TRIGGERED)

    def lacks(self, slot: Slot) -> int:
        """How surely an output is missing because a task is left out: not, if a condition holds, or surely."""
        if self.would_skip:
            return MAYBE
        if self.is_fan_in:
            return 0
        if self.verdict == SKIP and not self.is_skipped_inside:
            return SURELY
        return self.lacking.get(slot, 0)

    def output(self, slot: Slot) -> Any:
        if (self.kind == "CONTAINER" and not self.is_settled) or self.is_closed_box:
            return UNKNOWN
        return self.outputs.get(slot, ABSENT)


@dataclass
class Plan:
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """Needs of what is left out only if a condition turns out to be true: refused or not, the guide leaves open."""
    tasks: dict[str, Planned] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    closed_loops: list[str] = field(default_factory=list)
    items: dict[str, list[Any]] = field(default_factory=dict)


@dataclass
class Scope:
    """The surroundings of the tasks of one DAG."""

    component: dict[str, Any]
    inputs: dict[Slot, Any]
    path: str
    original: str | None
    gate: int
    force: str  # "", EXECUTE or SKIP: what a config above asks for every leaf
    force_reason: str
    is_exit: bool
    is_opened: bool = False  # left out in the original, with a task inside that is named now


def summary_of(
    path: str,
    kind: str,
    original: str | None,
    gate: int,
    children: list[Planned],
    outputs: dict[Slot, Any],
    force: str,
    is_first: bool,
) -> Planned:
    verdicts = {child.verdict for child in children}
    is_skipped_inside = False
    if gate == CLOSED:
        verdict, outputs = NOT_TRIGGERED, {}
    elif gate == CONDITION_UNKNOWN:
        verdict = RE_EVALUATE
    elif force == SKIP and not verdicts & {EXECUTE, RE_EVALUATE}:
        verdict = SKIP
    elif EXECUTE in verdicts:
        verdict = EXECUTE
    elif RE_EVALUATE in verdicts or gate == UNCERTAIN:
        verdict = RE_EVALUATE
    elif REUSE in verdicts or SKIP not in verdicts:
        verdict = EXECUTE if is_first else REUSE
    else:
        verdict, is_skipped_inside = SKIP, True
    is_empty = not verdicts & {EXECUTE, RE_EVALUATE} or all(child.is_empty for child in children)
    may_not_start = gate == CONDITION_UNKNOWN
    return Planned(
        path,
        kind,
        verdict,
        frozenset({"CHILDREN"}),
        outputs,
        original,
        is_skipped_inside=is_skipped_inside,
        is_empty=is_empty,
        may_not_start=may_not_start,
    )


def sources_of(component: dict[str, Any], slot: Slot) -> list[tuple[str, Slot]]:
    """The children that an output of a DAG comes from, each with the output that is taken."""
    output = component["dag"]["outputs"][slot[0]][slot[1]]
    if "valueFromOneof" in output:
        sources = output["valueFromOneof"]["parameterSelectors"]
    else:
        sources = output.get("artifactSelectors") or [output["valueFromParameter"]]
    return [
        (
            source["producerSubtask"],
            (slot[0], source.get("outputParameterKey") or source["outputArtifactKey"]),
        )
        for source in sources
    ]


def lacking_of(component: dict[str, Any], children: dict[str, Planned]) -> dict[Slot, int]:
    found: dict[Slot, int] = {}
    for section, outputs in component["dag"].get("outputs", {}).items():
        for name in outputs:
            sources = sources_of(component, (section, name))
            lack = max((children[child].lacks(source) for child, source in sources), default=0)
            if lack:
                found[section, name] = lack
    return found


def outputs_of_dag(component: dict[str, Any], children: dict[str, Planned]) -> dict[Slot, Any]:
    outputs: dict[Slot, Any] = {}
    declared = component["dag"].get("outputs", {})
    for name, output in declared.get("parameters", {}).items():
        if "valueFromParameter" in output:
            source = output["valueFromParameter"]
            outputs["parameters", name] = children[source["producerSubtask"]].output(
                ("parameters", source["outputParameterKey"])
            )
        else:
            values = [
                children[source["producerSubtask"]].output(("parameters", source["outputParameterKey"]))
                for source in output["valueFromOneof"]["parameterSelectors"]
            ]
            present = [value for value in values if value is not ABSENT]
            if not present:
                raise Unjudgeable("a choice between nothing fails its group")
            outputs["parameters", name] = present[0] if present else ABSENT
            if any(value is UNKNOWN for value in present):
                outputs["parameters", name] = UNKNOWN
    for name, output in declared.get("artifacts", {}).items():
        source = output["artifactSelectors"][0]
        outputs["artifacts", name] = children[source["producerSubtask"]].output(
            ("artifacts", source["outputArtifactKey"])
        )
    return outputs
