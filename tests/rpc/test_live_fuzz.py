"""The short form of `live_fuzz.py`, which has the long one."""

from __future__ import annotations

from collections.abc import Callable

from live_fuzz import fuzz
from served import Served


def test_nearly_right_calls_get_documented_answers_and_what_they_store_can_be_read_back(
    serve: Callable[..., Served],
) -> None:
    found = fuzz(serve("--max-tasks=2"), calls=4000, threads=3)
    assert found.wrong == []
    assert found.statuses["OK"] > 50 and found.statuses["INVALID_ARGUMENT"] > 50, found.statuses
    assert found.runs_read_back > 0
    assert found.memory_kib[-1] < found.memory_kib[1] + 64 * 1024
