"""How much one request may ask for. Every limit is named in the README, and can be set when the server starts.

Invariant: a request at a limit is taken, one above it is refused with the field that is too large.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from reprise.domain.errors import FieldProblem, InvalidArgument


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """`tasks`: declared in a compiled pipeline; what loops make of them is not counted. `task_configs`: of a rerun,
    for which Google's SDK sends one a task. `nesting`: levels of lists and structs in one value; clients read no
    more than 30. Lengths are in characters.
    """

    tasks: int = 1_000_000
    task_configs: int = 1_000_000
    parameters: int = 1000
    input_artifacts: int = 1000
    labels: int = 64
    label_length: int = 128
    display_name_length: int = 256
    request_id_length: int = 128
    nesting: int = 30
    batch_names: int = 1000

    @classmethod
    def read(cls, texts: Iterable[str]) -> RequestLimits:
        """From NAME=NUMBER, with `-` or `_` in the name. Errors: InvalidArgument."""
        known = {each.name: each.default for each in dataclasses.fields(cls)}
        given: dict[str, int] = {}
        for text in texts:
            name, _, number = text.partition("=")
            name = name.strip().replace("-", "_")
            if name not in known:
                names = ", ".join(each.replace("_", "-") for each in known)
                raise InvalidArgument(FieldProblem("limit", f"no limit {name!r}; there are {names}"))
            if not (number.isascii() and number.isdecimal()) or int(number) < 1:
                raise InvalidArgument(
                    FieldProblem("limit", f"expected {name}=NUMBER from 1 on, got {text!r}")
                )
            given[name] = int(number)
        limits = cls(**given)
        if limits.nesting > cls().nesting:
            most = cls().nesting
            raise InvalidArgument(FieldProblem("limit", f"nesting: clients read no more than {most} levels"))
        return limits
