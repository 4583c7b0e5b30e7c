"""The planner of the core against the oracle, over random chains of reruns.

`REPRISE_ORACLE_CASES=200000` compares that many chains instead of the suite's; `REPRISE_ORACLE_FROM` is the first seed.
"""

from __future__ import annotations

import os

import pytest
from cases import compare_case
from generate import ALL
from shrink import show, smallest

_CASES = int(os.environ.get("REPRISE_ORACLE_CASES", "600"))
_FROM = int(os.environ.get("REPRISE_ORACLE_FROM", "0"))
_BATCHES = 4


@pytest.mark.timeout(0 if _CASES > 600 else 180)
@pytest.mark.parametrize("batch", range(_BATCHES))
def test_the_plan_is_what_the_guide_says_for_every_task_of_random_chains_of_reruns(batch: int) -> None:
    plans = 0
    for seed in range(_FROM + batch, _FROM + _CASES, _BATCHES):
        compared, found = compare_case(seed, ALL)
        plans += compared
        if found is not None:
            pytest.fail(f"seed {seed}\n{show(smallest(found, ALL))}")
    print(f"{plans} plans compared")
    assert plans >= _CASES // _BATCHES
