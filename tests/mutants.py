"""Breaks the code on purpose, one thing at a time, and sees that a test notices.

    python tests/mutants.py            # all of them
    python tests/mutants.py NAME...    # those whose names contain one of the words

Each mutant is applied to a copy of the package; its test must fail on it. Exit code 1 when one lives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import reprise

SOURCE = Path(reprise.__file__).parent
TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

from store.test_mutants import MUTANTS as STORE_MUTANTS  # noqa: E402


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str  # below the package
    changes: Sequence[tuple[str, str]]
    test: str  # below tests


def _of_store(name: str) -> Mutant:
    file, before, after, test = STORE_MUTANTS[name]
    changes = list(zip(before.split("|"), after.split("|"), strict=True))
    return Mutant(name, f"store/{file}", changes, f"store/{test}")


MUTANTS = (
    Mutant(
        "synchronous=NORMAL, the power goes",
        "store/connection.py",
        [('"synchronous=FULL"', '"synchronous=NORMAL"')],
        "faults/test_power_loss.py",
    ),
    Mutant(
        "acknowledged before the commit, the power goes",
        "store/writer.py",
        [
            (
                '            crash_point.reach("commit.before")\n',
                "            for job in group:\n                job.answered.release()\n"
                "            __import__('time').sleep(0.02)\n",
            ),
            (
                "            for job in group:\n                job.answered.release()\n            self._tell",
                "            self._tell",
            ),
        ],
        "faults/test_power_loss.py",
    ),
    Mutant(
        "a cancel on a full disk that waits for room",
        "scheduler/driver.py",
        [("is_urgent=self._is_cancelling", "is_urgent=False")],
        "faults/test_full_disk.py",
    ),
    *(_of_store(name) for name in STORE_MUTANTS),
)


def is_caught(mutant: Mutant, folder: Path) -> bool:
    """Errors: AssertionError where the mutant does not fit the code any more."""
    package = folder / "reprise"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    path = package / mutant.file
    text = path.read_text()
    for old, new in mutant.changes:
        assert old in text, f"{mutant.name}: the mutant does not fit the code any more"
        text = text.replace(old, new, 1) if "answered" in old else text.replace(old, new)
    path.write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(TESTS / mutant.test)],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode == 1 and " failed" in run.stdout


def main(words: Sequence[str]) -> int:
    living = []
    for mutant in MUTANTS:
        if words and not any(word in mutant.name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            caught = is_caught(mutant, Path(folder))
        print(f"{'caught' if caught else 'LIVES '}  {mutant.name}", flush=True)
        if not caught:
            living.append(mutant.name)
    return 1 if living else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
