"""The long form of the comparison with the oracle: many seeds, progress as it goes, every finding in its smallest form.

    python tests/oracle/campaign.py --cases 300000 [--from 0]

It goes on after a finding; its exit code is 1 if there was one. A finding becomes a test in test_found_cases.py.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from cases import compare_case
from generate import ALL
from shrink import show, smallest

_EVERY = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=300_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    began, plans, found = time.monotonic(), 0, 0
    for number, seed in enumerate(range(options.first, options.first + options.cases), start=1):
        try:
            compared, difference = compare_case(seed, ALL)
        except Exception:  # one seed that breaks off is a finding too, and no reason to end
            compared, difference, found = 0, None, found + 1
            print(f"seed {seed}\n{traceback.format_exc()}", flush=True)
        plans += compared
        if difference is not None:
            found += 1
            print(f"seed {seed}\n{show(smallest(difference, ALL))}", flush=True)
        if number % _EVERY == 0 or number == options.cases:
            took_s = time.monotonic() - began
            print(
                f"{number} chains, {plans} plans, {found} findings, seeds {options.first} to {seed}, {took_s:.0f} s",
                flush=True,
            )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
