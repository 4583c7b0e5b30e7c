"""Everything that reads the code instead of running it, and the Rust tests: one command, `pytest tests/quality`."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _passes(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-8000:]}\n{done.stderr[-8000:]}"


def _cargo(*arguments: str) -> None:
    for tool in ("cargo", {"fmt": "cargo-fmt", "clippy": "cargo-clippy"}.get(arguments[0], "cargo")):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
    target = os.environ.get("CARGO_TARGET_DIR") or str(Path(tempfile.gettempdir()) / "reprise-quality-target")
    _passes(["cargo", *arguments], CARGO_TARGET_DIR=target)


def test_ruff_finds_nothing() -> None:
    _passes([sys.executable, "-m", "ruff", "check", "server", "tests", "bench", "protos"])


def test_the_code_is_formatted() -> None:
    _passes([sys.executable, "-m", "ruff", "format", "--check", "server", "tests", "bench", "protos"])


def test_mypy_strict_finds_nothing() -> None:
    _passes([sys.executable, "-m", "mypy"])


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    _passes([str(lint)], PYTHONPATH=str(ROOT / "server"))


def test_only_the_faces_of_the_core_import_it() -> None:
    importers = set()
    for path in (ROOT / "server" / "reprise").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            )
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            if any(f"{module}{name}".startswith("reprise._core") for name in names):
                importers.add(path.relative_to(ROOT / "server" / "reprise").as_posix())
    assert importers == {"plan.py", "task_rows.py", "artifact/digest.py", "store/task_progress.py"}


def test_the_rust_code_is_formatted() -> None:
    _cargo("fmt", "--all", "--check")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_clippy_finds_nothing() -> None:
    _cargo("clippy", "--workspace", "--all-targets", "--", "-D", "warnings")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_rust_tests_pass() -> None:
    _cargo("test", "--workspace", "--quiet")
