"""Google's Python SDK, unmodified, against a real server over TLS and over REST."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from served import Served

_HERE = Path(__file__).parent


def _sdk_python() -> str:
    """An interpreter that has the SDK: this one, or the one that REPRISE_SDK_PYTHON names."""
    if named := os.environ.get("REPRISE_SDK_PYTHON"):
        return named
    try:
        has_sdk = importlib.util.find_spec("google.cloud.aiplatform") is not None
    except ModuleNotFoundError:
        has_sdk = False
    if not has_sdk:
        pytest.skip(
            "google-cloud-aiplatform is not installed (nor does REPRISE_SDK_PYTHON name a Python with it)"
        )
    return sys.executable


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_python_sdk_submits_reruns_cancels_lists_and_deletes_as_it_does_on_vertex(
    server: Served, tmp_path: Path, transport: str
) -> None:
    python = _sdk_python()
    endpoint = (
        f"http://{server.http}" if transport == "rest" else f"localhost:{server.grpc_tls.rpartition(':')[2]}"
    )
    done = subprocess.run(
        [
            python,
            str(_HERE / "python_sdk.py"),
            f"--endpoint={endpoint}",
            f"--transport={transport}",
            f"--pipelines={_HERE / 'pipelines'}",
            f"--folder={tmp_path}",
        ],
        env=os.environ | {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(server.data_dir / "tls" / "ca.pem")},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all good\n")
