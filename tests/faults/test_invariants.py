"""The table of invariants names tests that are there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from .invariants import KEPT_BY

_TESTS = Path(__file__).parents[1]
# Of two servers, and of projects that must not see each other: other issues.
_ELSEWHERE = {9, 21}


def test_every_invariant_is_in_the_table() -> None:
    numbers = [int(name.partition(" ")[0].removeprefix("I-")) for name in KEPT_BY]
    assert numbers == sorted(set(range(1, 23)) - _ELSEWHERE)


@pytest.mark.parametrize("invariant", list(KEPT_BY))
def test_the_tests_of_an_invariant_are_there(invariant: str) -> None:
    for place in KEPT_BY[invariant]:
        file, _, name = place.partition("::")
        tree = ast.parse((_TESTS / file).read_text())
        there = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        assert any(one.startswith("test_") for one in there) if name == "*" else name in there, place
