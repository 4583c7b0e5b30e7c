"""`reprise doctor` says what this host can do for tasks, and why not the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from containers import Podman


def _said(*options: str) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "reprise.cli", "doctor", "--json", "--server=127.0.0.1:1", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return {line["name"]: line for line in json.loads(done.stdout)}


def test_without_an_engine_doctor_says_where_it_was_looked_for(tmp_path: Path) -> None:
    said = _said(f"--container-socket={tmp_path}/none.sock")
    assert said["executor subprocess"]["isAvailable"]
    assert not said["executor container"]["isAvailable"]
    assert f"{tmp_path}/none.sock" in said["executor container"]["detail"]
    assert "left undone" in said["environments host"]["detail"]
    assert "CPUs" in said["room for tasks"]["detail"]


def test_with_an_engine_doctor_names_it(engine: Podman) -> None:
    said = _said(f"--container-socket={engine.socket}")["executor container"]
    assert said["isAvailable"]
    assert "Podman" in said["detail"]
