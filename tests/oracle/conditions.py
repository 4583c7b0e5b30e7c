"""The conditions that the generator writes, and no others."""

from __future__ import annotations

import re
from typing import Any

from past import Slot, Unjudgeable
from values import ABSENT, UNKNOWN

_COMPARISON = re.compile(
    r"^(?P<not>!\()?(?P<cast>int\()?inputs\.parameter_values\['(?P<name>[^']+)'\]\)? (?P<op>==|!=|>|<) "
    r"(?:'(?P<text>[^']*)'|(?P<number>-?\d+))\)?$"
)


def evaluate(condition: str, inputs: dict[Slot, Any]) -> Any:
    """True, False or UNKNOWN. Knows the conditions that the generator writes, and no others."""
    answers = []
    for part in condition.split(" && "):
        match = _COMPARISON.match(part)
        if match is None:
            raise ValueError(f"not a condition of the generator: {part}")
        value = inputs.get(("parameters", match["name"]), ABSENT)
        if value is UNKNOWN:
            answers.append(UNKNOWN)
            continue
        other: Any = match["text"] if match["number"] is None else int(match["number"])
        if value is ABSENT:
            raise Unjudgeable("a condition on an absent value fails its task")
        if match["cast"]:
            value = int(value)
        answer = {"==": value == other, "!=": value != other, ">": False, "<": False}[match["op"]]
        if match["op"] in "<>":
            answer = value > other if match["op"] == ">" else value < other
        answers.append(not answer if match["not"] else answer)
    if any(answer is False for answer in answers):
        return False
    return UNKNOWN if any(answer is UNKNOWN for answer in answers) else True
