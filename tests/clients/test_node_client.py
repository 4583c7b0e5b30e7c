"""Google's Node client, unmodified, against a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from served import Served

_HERE = Path(__file__).parent / "node"
_PACKAGE = Path("@google-cloud") / "aiplatform" / "package.json"


def _node_modules(tmp_path: Path) -> Path:
    """A folder that has the client: beside the program, or where REPRISE_NODE_MODULES points.

    115 MB are not fetched without being asked: with REPRISE_NPM_INSTALL=1 they are.
    """
    if shutil.which("node") is None:
        pytest.skip("no node on this machine")
    for folder in (_HERE / "node_modules", Path(os.environ.get("REPRISE_NODE_MODULES", "/nonexistent"))):
        if (folder / _PACKAGE).exists():
            return folder
    if os.environ.get("REPRISE_NPM_INSTALL") != "1" or shutil.which("npm") is None:
        pytest.skip(
            "@google-cloud/aiplatform is not installed (REPRISE_NODE_MODULES, or REPRISE_NPM_INSTALL=1)"
        )
    shutil.copy(_HERE / "package.json", tmp_path)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund"], cwd=tmp_path, check=True, capture_output=True
    )
    return tmp_path / "node_modules"


def test_the_node_client_submits_reruns_cancels_lists_and_deletes_as_it_does_on_vertex(
    server: Served, tmp_path: Path
) -> None:
    modules = _node_modules(tmp_path)
    files = []
    for name in ("steps", "waiting"):
        document = yaml.safe_load((_HERE.parent / "pipelines" / f"{name}.yaml").read_text())
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(document))
    done = subprocess.run(
        [
            "node",
            str(_HERE / "client.js"),
            server.grpc.rpartition(":")[2],
            str(tmp_path),
            *map(str, files),
        ],
        env=os.environ | {"NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")
