"""The checked-in modules are what the pinned generator makes of the .proto files now."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = "1.74.0"


def _generator() -> str:
    """An interpreter with the pinned tools: REPRISE_GENERATOR_PYTHON, or this one."""
    named = os.environ.get("REPRISE_GENERATOR_PYTHON")
    if named:
        return named
    try:
        installed = metadata.version("grpcio-tools")
    except metadata.PackageNotFoundError:
        installed = "none"
    if installed != PINNED:
        pytest.skip(f"needs grpcio-tools=={PINNED}, found {installed}")
    return sys.executable


def test_the_checked_in_modules_are_current() -> None:
    done = subprocess.run(
        [_generator(), str(ROOT / "protos" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_modules_carry_the_oldest_version_of_the_declared_range() -> None:
    modules = list((ROOT / "server" / "reprise" / "pb").rglob("*_pb2.py"))
    assert modules
    for module in modules:
        assert "# Protobuf Python Version: 6.31.1" in module.read_text(), module


def test_every_public_field_and_value_has_a_comment() -> None:
    bare = []
    for path in sorted((ROOT / "protos" / "reprise" / "v1").glob("*.proto")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code, _, comment = line.partition("//")
            if (
                " = " in code
                and code.rstrip().endswith(";")
                and not _is_no_field(code)
                and not comment.strip()
            ):
                bare.append(f"{path.name}:{number}")
    assert not bare


def _is_no_field(code: str) -> bool:
    return code.lstrip().startswith(("syntax", "option"))
