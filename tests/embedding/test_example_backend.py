"""The example backend, as it stands in the repository: Google's SDK and Reprise in one process."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import reprise
from hosts import create_request
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_service_pb2 as service
from reprise.pb.v1 import watch_pb2 as watching

BACKEND = Path(__file__).parents[2] / "examples" / "backend" / "backend.py"
MINE, THEIRS = "projects/mine/locations/l", "projects/theirs/locations/l"


def _interpreter() -> tuple[str, dict[str, str]]:
    """A Python that has both: this one, or the SDK's with what this one has laid beside it."""
    try:
        if importlib.util.find_spec("google.cloud.aiplatform") is not None:
            return sys.executable, {}
    except ModuleNotFoundError:
        pass
    named = os.environ.get("REPRISE_SDK_PYTHON")
    if not named:
        pytest.skip(
            "google-cloud-aiplatform is not installed (nor does REPRISE_SDK_PYTHON name a Python with it)"
        )
    ours = [
        str(Path(reprise.__file__).parents[1]),
        *(path for path in sys.path if path.endswith("site-packages")),
    ]
    return named, {"PYTHONPATH": os.pathsep.join(ours)}


@contextmanager
def _backend(data_dir: Path, *options: str) -> Iterator[str]:
    python, environment = _interpreter()
    process = subprocess.Popen(
        [python, str(BACKEND), f"--data-dir={data_dir}", "--token=a=mine", "--token=b=theirs", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.split())
            if line.strip() == "ready":
                break
        said = dict(line for line in lines if len(line) == 2)
        assert said["runs"] == "0"  # what Google's client was answered inside that process
        yield said["grpc"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


class _Team:
    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = [("authorization", f"Bearer {token}")]

    def call(self, method: str, request: Any, answer: Any) -> Any:
        unary = self._channel.unary_unary(f"/reprise.v1.PipelineService/{method}")
        return answer.FromString(unary(request.SerializeToString(), metadata=self._metadata, timeout=30))

    def get(self, name: str) -> Any:
        return self.call("GetPipelineJob", service.GetPipelineJobRequest(name=name), jobs.PipelineJob)

    def refused(self, name: str) -> tuple[grpc.StatusCode, str, str]:
        with pytest.raises(grpc.RpcError) as caught:
            self.get(name)
        return (
            caught.value.code(),
            caught.value.details(),
            repr(caught.value.trailing_metadata()),
        )

    def wait(self, name: str) -> None:
        watch = self._channel.unary_stream("/reprise.v1.PipelineService/WatchPipelineJob")
        request = watching.WatchPipelineJobRequest(name=name)
        for _ in watch(request.SerializeToString(), metadata=self._metadata, timeout=60):
            pass


@pytest.mark.parametrize("options", [(), ("--asyncio",)], ids=["sync", "asyncio"])
def test_the_example_runs_a_pipeline_beside_the_sdk_and_keeps_the_teams_apart(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    with _backend(tmp_path / "data", *options) as address, grpc.insecure_channel(address) as channel:
        mine, theirs, nobody = (_Team(channel, token) for token in ("a", "b", "x"))
        name = mine.call("CreatePipelineJob", create_request(MINE, "true"), jobs.PipelineJob).name
        mine.wait(name)
        assert mine.get(name).job_detail.task_details[0].state == jobs.PipelineTaskDetail.SUCCEEDED
        # The host's own executor has started it.
        assert (tmp_path / "data" / "starts.log").read_text().endswith("task 1 attempt 1: none\n")
        there = theirs.refused(name)
        assert there[0] is grpc.StatusCode.PERMISSION_DENIED
        assert there == theirs.refused(f"{MINE}/pipelineJobs/no-such-run")
        assert nobody.refused(name)[0] is grpc.StatusCode.UNAUTHENTICATED
