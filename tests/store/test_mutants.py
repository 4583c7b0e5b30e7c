"""The tests are tested: each mutant breaks one thing that must never break, and some test has to see it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import reprise

SOURCE = Path(reprise.__file__).parent
TESTS = Path(__file__).parent

# The file below the store, what in it, into what, and the test that sees it. Statements are changed where they are run.
MUTANTS = {
    # Each of the two looks at the fence is enough alone.
    "a fence that is not looked at": (
        "progress.py",
        "row[1] != progress.fence|        progress.fence,\n",
        "row[1] < 0|        row[1],\n",
        "test_progress.py",
    ),
    "a claim that does not raise the fence": (
        "prepared/claims.py",
        "fence=(runs.fence + ?)",
        "fence=(runs.fence + 0 * ?)",
        "test_progress.py",
    ),
    "a claim of what another holds": (
        "prepared/claims.py",
        "runs.lease_until_ns <= ?",
        "runs.lease_until_ns <> ?",
        "test_claims.py",
    ),
    "a start after a cancel": (
        "progress.py",
        "and state is RunState.CANCELLING\n",
        "and state is RunState.CANCELLED\n",
        "test_progress.py",
    ),
    "a cancel that leaves the owner of a run that never started": (
        "prepared/cancel.py",
        "fence=(runs.fence + ?)",
        "fence=(runs.fence + 0 * ?)",
        "test_cancel.py",
    ),
    "an end while an attempt lives": (
        "progress.py",
        "if living is not None:",
        "if living is None:",
        "test_progress.py",
    ),
    "a rerun without its own reference to the records": (
        "runs.py",
        "        refer_to_blob(tx, records_digest)\n",
        "        pass\n",
        "test_runs.py",
    ),
    "a rerun without its own reference to the files": (
        "runs.py",
        "return sources if new.original is None else [new.original.run_id, *sources]",
        "return sources",
        "test_runs.py",
    ),
    "bytes that are never released": (
        "deletion.py",
        "release_blob(tx, digest)",
        "pass",
        "test_runs.py",
    ),
    "a request id that is forgotten": (
        "runs.py",
        "    if request_id:\n        tx.execute(\n            sql.INSERT_REQUEST_ID",
        "    if not request_id:\n        tx.execute(\n            sql.INSERT_REQUEST_ID",
        "test_runs.py",
    ),
    "an operation that is done too early": (
        "operations.py",
        "if tx.one(sql.HAS_PENDING, operation_id) is None:",
        "if True:",
        "test_cancel.py",
    ),
    "an order that changes from page to page": (
        "order.py",
        'NEVER_CHANGES = ("create_time", "display_name")',
        'NEVER_CHANGES = ("create_time", "display_name", "update_time")',
        "test_listing.py",
    ),
    "a run that a page leaves out": (
        "walking.py",
        "return found, seen",
        "return found, key",
        "test_listing.py",
    ),
    "a token for any query": (
        "listing.py",
        "if digest != arguments.hex():",
        'if digest == "":',
        "test_listing.py",
    ),
    "a failure that does not undo what it did": (
        "writer.py",
        'connection.execute("ROLLBACK TO job")',
        "pass",
        "test_progress.py",
    ),
    "an answer before the commit": (
        "writer.py",
        '            connection.execute("COMMIT")\n',
        '            connection.execute("ROLLBACK")\n',
        "test_sqlite.py",
    ),
    "commits that do not wait for the disk": (
        "connection.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        "test_sqlite.py",
    ),
    "no ballast": (
        "writer.py",
        "and self._ballast.free():",
        "and False:",
        "test_sqlite.py",
    ),
    "a start while another run leads": (
        "leaders.py",
        "if leader is not None and leader.run_id != run_id:",
        "if leader is None and run_id < 0:",
        "test_cache.py",
    ),
    "a leader that nobody owns any more": (
        "prepared/leaders.py",
        "runs.lease_until_ns > ?",
        "runs.lease_until_ns <> ?",
        "test_cache.py",
    ),
    "an outcome that came since the look": (
        "leaders.py",
        "return mark is not None and mark != lead.seen and mark[0] != run_id",
        "return False",
        "test_cache.py",
    ),
    "an old outcome that comes back": (
        "cache.py",
        "    tx.execute(sql.DROP, scope.project, scope.pipeline_name, row.key)\n",
        "    if find_mark(tx, scope, row.key) is not None:\n        return\n",
        "test_cache.py",
    ),
    "two servers on one data dir": (
        "data_dir.py",
        "fcntl.LOCK_EX",
        "fcntl.LOCK_SH",
        "test_sqlite.py",
    ),
}


# One for each promise: what is tried whenever the tests run. All of them: `--long-faults`, or tests/mutants.py.
QUICK = (
    "a fence that is not looked at",
    "a start after a cancel",
    "an answer before the commit",
    "commits that do not wait for the disk",
    "a rerun without its own reference to the records",
    "an operation that is done too early",
)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", list(MUTANTS))
def test_a_mutant_is_caught(mutant: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if mutant not in QUICK and not request.config.getoption("--long-faults"):
        pytest.skip("long form")
    file, before, after, tests = MUTANTS[mutant]
    package = tmp_path / "mutant" / "reprise"
    skip = shutil.ignore_patterns("__pycache__", "pb", "rpc", "executor", "client")
    shutil.copytree(SOURCE, package, ignore=skip)
    text = (package / "store" / file).read_text()
    for old, new in zip(before.split("|"), after.split("|"), strict=True):
        assert old in text, "the mutant does not fit the code any more"
        text = text.replace(old, new)
    (package / "store" / file).write_text(text)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(TESTS / tests)],
        cwd=TESTS.parent.parent,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "mutant")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout[-2000:] + run.stderr[-2000:]
    assert "failed" in run.stdout
