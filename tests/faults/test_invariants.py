"""The table of invariants names tests that are there, and the mutants fit the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutants import MUTANTS, ROOT, SOURCE, Mutant

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


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    """Whether it is caught is asked by `python tests/mutants.py`; of some of them, with the store's tests."""
    text = ((ROOT if mutant.is_native else SOURCE) / mutant.file).read_text()
    assert all(old in text for old, _ in mutant.changes)
    assert (_TESTS / mutant.test).exists()


def test_the_promises_have_their_mutants() -> None:
    """Fence, sync, the whole tree, commit before answer, the second look for a cancel, the count of references."""
    assert sum(mutant.is_named for mutant in MUTANTS) == 6
