"""Breaks the code on purpose, and sees that a test notices.

    python tests/mutants.py            # all of them: some minutes
    python tests/mutants.py --named    # those that the project's promises name
    python tests/mutants.py NAME...    # those whose names contain one of the words

Each mutant is applied to a copy of the package; its test must fail on it. Exit code 1 when one lives. Those of the
native library are compiled, which takes cargo. Some of the store's run with the tests (tests/store/test_mutants.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import reprise

SOURCE = Path(reprise.__file__).parent
TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

from store.test_mutants import MUTANTS as STORE_MUTANTS  # noqa: E402

ROOT = TESTS.parent


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str  # below the package; of a native one, below the repository
    changes: Sequence[tuple[str, str]]
    test: str  # below tests
    is_named: bool = False  # one of those that the promises of the project name
    is_native: bool = False


def _of_store(name: str) -> Mutant:
    file, before, after, test = STORE_MUTANTS[name]
    changes = list(zip(before.split("|"), after.split("|"), strict=True))
    return Mutant(name, f"store/{file}", changes, f"store/{test}", is_named=name in _NAMED_OF_STORE)


# A fence that is not looked at, a start without a second look for a cancel, a reference that is not counted.
_NAMED_OF_STORE = (
    "a fence that is not looked at",
    "a start after a cancel",
    "a rerun without its own reference to the records",
)


MUTANTS = (
    Mutant(
        "synchronous=NORMAL, the power goes",
        "store/connection.py",
        [('"synchronous=FULL"', '"synchronous=NORMAL"')],
        "faults/test_power_loss.py",
        is_named=True,
    ),
    Mutant(
        "acknowledged before the commit, the power goes",
        "store/writer.py",
        [
            (
                '            crash_point.reach("commit.before")\n',
                "            for job in group:\n                self._answer(job)\n"
                "            __import__('time').sleep(0.02)\n",
            ),
            (
                "            for job in group:\n                self._answer(job)\n            self._tell",
                "            self._tell",
            ),
        ],
        "faults/test_power_loss.py",
        is_named=True,
    ),
    Mutant(
        "killpg and nothing else",
        "core_rs/host/src/attempt.rs",
        [
            (
                "    exit.survivors = "
                "process::kill_descendants(&BTreeSet::new(), |pid, status| attempt.note(pid, status), bound);\n",
                """    unsafe {
        libc::killpg(attempt.main, libc::SIGKILL);
    }
    while attempt.main_status.is_none() && attempt.has_children {
        attempt.reap();
    }
""",
            ),
            (
                "if cgroup.kill(bound.min(Duration::from_secs(2))).is_ok() {",
                "if cgroup.is_empty() && bound.is_zero() {",
            ),
            (
                "if exit.survivors.is_empty() && attempt.has_children {",
                "if attempt.has_children && bound.is_zero() {",
            ),
        ],
        "executor/test_subprocess.py",
        is_named=True,
        is_native=True,
    ),
    Mutant(
        "an end that nobody hears is left to the kernel",
        "core_rs/host/src/supervisor.rs",
        [("let _ = launch.exit_path.parent().map(spool::sync);", "")],
        "executor/test_spool.py",
        is_native=True,
    ),
    Mutant(
        "an end that the server did not commit is left to the kernel",
        "core_rs/host/src/spawner.rs",
        [("let _ = spool::sync(folder);", "let _ = folder;")],
        "executor/test_spool.py",
        is_native=True,
    ),
    Mutant(
        "a cancel on a full disk that waits for room",
        "scheduler/driver.py",
        [("is_urgent=self._is_cancelling", "is_urgent=False")],
        "faults/test_full_disk.py",
    ),
    Mutant(
        "a task that moves as it likes",
        "core_rs/src/segments/rules.rs",
        [("!moves.allow(from, after)", "from == after")],
        "store/test_progress.py",
        is_native=True,
    ),
    Mutant(
        "an attempt with two outcomes",
        "core_rs/src/segments/rules.rs",
        [("if before.has_ended() || after < before {", "if after < before {")],
        "store/test_progress.py",
        is_native=True,
    ),
    Mutant(
        "an attempt that is started twice",
        "core_rs/src/segments/rules.rs",
        [("        check_may_start(start, place)?;\n", "")],
        "store/test_progress.py",
        is_native=True,
    ),
    *(_of_store(name) for name in STORE_MUTANTS),
)


def is_caught(mutant: Mutant, folder: Path) -> bool:
    """Errors: AssertionError where it does not fit the code any more; CalledProcessError where it does not compile."""
    if mutant.is_native and mutant.file.startswith("core_rs/host/"):
        # The functions that Python calls through ctypes are all in the host crate: it alone is compiled.
        return _fails(mutant, {"REPRISE_NATIVE_LIBRARY": str(_compiled(mutant, folder, "reprise-host"))})
    package = folder / "reprise"
    shutil.copytree(SOURCE, package, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant.is_native:
        shutil.copy(_compiled(mutant, folder, "reprise-core", "--features=python"), package / "_core.abi3.so")
    else:
        _apply(mutant, package / mutant.file)
    return _fails(mutant, {"PYTHONPATH": str(folder)})


def _apply(mutant: Mutant, path: Path) -> None:
    text = path.read_text()
    for old, new in mutant.changes:
        assert old in text, f"{mutant.name}: the mutant does not fit the code any more"
        text = text.replace(old, new, 1) if "_answer(job)" in old else text.replace(old, new)
    path.write_text(text)


def _compiled(mutant: Mutant, folder: Path, crate: str, *options: str) -> Path:
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "core_rs", folder / "core_rs")
    _apply(mutant, folder / mutant.file)
    target = folder / "target"
    command = ["cargo", "rustc", "--quiet", f"--package={crate}", *options, "--lib", "--crate-type=cdylib"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "RUSTFLAGS": "--cap-lints=allow"}
    subprocess.run(command, cwd=folder, env=environment, check=True)
    (library,) = (target / "debug").glob("lib*.so")
    return library


def _fails(mutant: Mutant, environment: Mapping[str, str]) -> bool:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(TESTS / mutant.test)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    # What a test finds when it clears up (a process that is alive) is told as an error; so is a library that does not
    # load, but then nothing has passed.
    is_seen = " failed" in run.stdout or (" error" in run.stdout and " passed" in run.stdout)
    return run.returncode == 1 and is_seen


def main(words: Sequence[str]) -> int:
    only_named = "--named" in words
    words = [word for word in words if word != "--named"]
    living = []
    for mutant in MUTANTS:
        if (only_named and not mutant.is_named) or (words and not any(word in mutant.name for word in words)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            caught = is_caught(mutant, Path(folder))
        print(f"{'caught' if caught else 'LIVES '}  {mutant.name}", flush=True)
        if not caught:
            living.append(mutant.name)
    return 1 if living else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
