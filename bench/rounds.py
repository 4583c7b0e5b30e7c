"""Alternating rounds of what is compared, and how their times are told."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

# A comparison of large inputs ends after so many seconds, with fewer rounds, but never with fewer than three.
BUDGET_S = 200.0
_LEAST_ROUNDS = 3


def counted(rounds: int, budget_s: float = BUDGET_S) -> Iterator[int]:
    """The numbers of the rounds; says so where there are fewer."""
    began = time.monotonic()
    for number in range(rounds):
        if number >= _LEAST_ROUNDS and time.monotonic() - began > budget_s:
            print(f"  {number} rounds instead of {rounds}: they take so long")
            return
        yield number


def alternate(
    contenders: Mapping[str, Callable[[], object]], rounds: int, budget_s: float = BUDGET_S
) -> dict[str, list[float]]:
    """Seconds of each contender in each round, one after the other in every round, the garbage taken out before."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in counted(rounds, budget_s):
        for name, work in contenders.items():
            gc.collect()
            began = time.perf_counter()
            result = work()
            seconds[name].append(time.perf_counter() - began)
            del result
    return seconds


def tell(seconds: Mapping[str, list[float]], base: str) -> dict[str, float]:
    """Prints milliseconds, median (min to max), and the ratio of each median to that of `base`; gives the ratios."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    ratios = {name: median / medians[base] for name, median in medians.items()}
    for name, times in seconds.items():
        print(
            f"  {name:<28} {medians[name] * 1e3:10.2f} ms ({min(times) * 1e3:.2f} to {max(times) * 1e3:.2f})"
            f"   {ratios[name]:8.2f} x {base}"
        )
    return ratios
