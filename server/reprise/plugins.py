"""Parts that others bring along: executors and authorizers, as objects or by the name of an entry point.

[project.entry-points."reprise.executors"]
my-cluster = "my_package:make_executor"       # called with an ExecutorPlace

[project.entry-points."reprise.authorizers"]
my-company = "my_package:make_authorizer"     # called with nothing
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reprise.domain.authorization import AllowAll, Authorizer
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.executor.contract import Executor

EXECUTORS = "reprise.executors"
AUTHORIZERS = "reprise.authorizers"
OWN_EXECUTORS = frozenset({"subprocess", "container"})  # not plug-ins, but names that can be given


@dataclass(frozen=True, slots=True)
class ExecutorPlace:
    """What an executor is made with. `data_dir`: the server's; folders of attempts lie below it."""

    data_dir: Path


ExecutorMaker = Callable[[ExecutorPlace], Executor]


def make_executor(wanted: Executor | ExecutorMaker | str, place: ExecutorPlace) -> Executor:
    """`wanted`: an executor, what makes one, or a name. Errors: InvalidArgument for a name that no plug-in bears."""
    if isinstance(wanted, str):
        named: ExecutorMaker = _loaded(EXECUTORS, "executor", wanted)
        return named(place)
    if callable(wanted):
        return wanted(place)
    return wanted


def make_authorizer(wanted: Authorizer | str | None) -> Authorizer:
    """`wanted`: an authorizer or a name; None: everybody may do everything. Errors: InvalidArgument."""
    if wanted is None or wanted == "":
        return AllowAll()
    if isinstance(wanted, str):
        made: Authorizer = _loaded(AUTHORIZERS, "authorizer", wanted)()
        return made
    return wanted


def _loaded(group: str, field: str, name: str) -> Any:
    # Loaded for a name alone: what reads entry points takes a twentieth of the time until a server is up.
    from importlib import metadata

    found = metadata.entry_points(group=group)
    for entry in found:
        if entry.name == name:
            return entry.load()
    names = sorted({entry.name for entry in found} | (OWN_EXECUTORS if group == EXECUTORS else set()))
    raise InvalidArgument(
        FieldProblem(
            field,
            f"no {field} is named {name!r}; installed are: {', '.join(names) or 'none'} (group {group})",
        )
    )
