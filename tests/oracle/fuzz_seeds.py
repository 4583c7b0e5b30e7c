"""Where fuzzing begins: requests, specs and records of random chains of reruns, a file for each.

    python tests/oracle/fuzz_seeds.py core_rs/fuzz/corpus [--cases 60]

Then, for each target of core_rs/fuzz, e.g. `cargo +nightly fuzz run plan -- -max_total_time=200`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from cases import compare_step, steps_of
from execution import Run
from generate import ALL

# Ends, fails and puts off tasks: see core_rs/fuzz/fuzz_targets/runs.rs.
_STORY = bytes(range(0, 248, 4))


def ended_runs(cases: int) -> Iterator[Run]:
    for seed in range(cases):
        steps = []
        for step, runs in steps_of(seed, ALL):
            steps.append(step)
            _, run = compare_step(steps, runs, ALL)
            if run is None:
                break
            runs.append(run)
            yield run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=60)
    options = parser.parse_args()
    for number, run in enumerate(ended_runs(options.cases)):
        request, records = run.request.SerializeToString(), run.records.SerializeToString()
        for target, content in (
            ("plan", request),
            ("runs", bytes([len(_STORY)]) + _STORY + request),
            ("spec", run.request.spec),
            ("messages", request),
            ("messages", records),
            ("values", b"\x2a" + _length(len(run.request.spec)) + run.request.spec),
        ):
            folder = options.folder / target
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}-{len(content)}").write_bytes(content)


def _length(length: int) -> bytes:
    encoded = bytearray()
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*encoded, length])


if __name__ == "__main__":
    main()
