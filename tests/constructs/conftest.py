"""Compiles a pipeline function with kfp and runs it on a real server."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from reprise.client import Client, create_request, parse_pipeline
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import pipeline_state_pb2 as states
from served import Served


@dataclass(frozen=True)
class Ended:
    """A run that has ended, in few words."""

    job: jobs.PipelineJob

    @property
    def state(self) -> str:
        return states.PipelineState.Name(self.job.state).removeprefix("PIPELINE_STATE_")

    @property
    def outputs(self) -> dict[str, Any]:
        return json_format.MessageToDict(self.job.job_detail.outputs)

    @property
    def states(self) -> dict[str, str]:
        return {
            task.task_unique_name: jobs.PipelineTaskDetail.State.Name(task.state)
            for task in self.job.job_detail.task_details
        }

    def output(self, task: str, name: str = "Output") -> Any:
        """Of a task, by its path; None where it has none."""
        (detail,) = (one for one in self.job.job_detail.task_details if one.task_unique_name == task)
        return json_format.MessageToDict(detail.execution.metadata).get(f"output:{name}")


Run = Callable[..., Ended]


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Any], str]:
    """The YAML of a pipeline function."""

    from kfp import compiler

    def compile_it(pipeline: Any) -> str:
        path = tmp_path / f"{pipeline.name}.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_text()

    return compile_it


@pytest.fixture
def run(server: Served, compiled: Callable[[Any], str], request: pytest.FixtureRequest) -> Run:
    """Runs a pipeline function (or YAML), in a project of its own, to its end."""
    # Of its own, so that the cache knows nothing yet.
    project = f"p{zlib.crc32(request.node.nodeid.encode())}"

    def run_it(
        pipeline: Any, arguments: Mapping[str, Any] | None = None, expected: str = "SUCCEEDED"
    ) -> Ended:
        text = pipeline if isinstance(pipeline, str) else compiled(pipeline)
        with Client(server.grpc, project=project) as client:
            job = client.create(create_request(parse_pipeline(text), arguments or {}))
            ended = Ended(client.get(client.wait(job.name, 120).name))
        assert ended.state == expected, (ended.job.error.message, ended.states)
        return ended

    return run_it
