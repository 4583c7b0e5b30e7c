"""What the programs with Google's Python clients share: waiting for what must come, and expecting a refusal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from google.api_core import exceptions

_WITHIN_S = 180.0


@contextlib.contextmanager
def refused(*kinds: type[exceptions.GoogleAPICallError]) -> Iterator[list[exceptions.GoogleAPICallError]]:
    """Over gRPC and over REST the same refusal has two classes. Gives a list with the error in it, afterwards."""
    found: list[exceptions.GoogleAPICallError] = []
    try:
        yield found
    except kinds as error:
        found.append(error)
    else:
        raise AssertionError(f"expected {kinds[0].__name__}")


def until(found: Callable[[], Any], text: str) -> Any:
    """What `found` gives once that is true. These clients know no way to be told, so it is asked again and again."""
    deadline = time.monotonic() + _WITHIN_S
    while not (answer := found()):
        assert time.monotonic() < deadline, f"not within three minutes: {text}"
        time.sleep(0.1)
    return answer


def states(details: Any) -> dict[str, str]:
    """The state of each task, by its path."""
    return {task.task_unique_name: task.state.name for task in details}


def check_states(details: Any, prepare: str, multiply: str, check: str, publish: str) -> None:
    """Of the tasks of the pipeline `steps`."""
    found = states(details)
    expected = {"prepare": prepare, "multiply": multiply, "check": check, "publish": publish}
    assert found == expected, found


def executed(ledger: Path) -> list[str]:
    """Which tasks really ran, in their order: each writes its name into the ledger."""
    return ledger.read_text().split() if ledger.exists() else []
