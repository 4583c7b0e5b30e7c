"""I-21 by way of artifacts: a path in the server's own folders tells nobody which runs another project has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from building import Given, Task
from parts import FILE, READ
from reprise.client import InvalidArgumentError
from reprise.main import Server
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from stage import Ended, Stage


@pytest.fixture
def other(embedded: Server, tmp_path: Path) -> Iterator[Stage]:
    """Another project of the same server."""
    folder = tmp_path / "other"
    folder.mkdir()
    made = Stage(embedded.grpc_address, folder)
    yield made
    made.client.close()


def make(stage: Stage) -> tuple[Ended, Path]:
    """A run, and what it has left in the server's own folders."""
    run = stage.run(stage.spec({"make": Task(FILE, {"x": Given("x")})}, {"x": ("STRING", "1")}))
    path = stage.file(run, "make", "data")
    assert "runs" in path.parts and path.exists()
    return run, path


def read(stage: Stage, path: str) -> Ended:
    """A run that is given the file at this path."""
    spec = stage.spec({"read": Task(READ, artifacts={"data": Given("data")})})
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    spec["root"].setdefault("inputDefinitions", {})["artifacts"] = {"data": artifact}
    request = stage._create(spec, None)
    given = jobs.PipelineJob.RuntimeConfig.InputArtifact(artifact_id=path)
    request.pipeline_job.runtime_config.input_artifacts["data"].CopyFrom(given)
    before = len(stage.ran())
    return stage.finish(stage.client.create(request).name, spec, before)


def test_a_file_of_another_projects_run_is_answered_like_one_that_is_not_there(
    stage: Stage, other: Stage, tmp_path: Path
) -> None:
    _, theirs = make(other)
    detour = tmp_path / "detour"
    detour.symlink_to(theirs)
    runs = Path(*theirs.parts[: theirs.parts.index("runs") + 1])
    missing = runs / "999999" / "1" / "data"
    said = set()
    for path in (str(theirs), f"file://{theirs}", str(detour), f"{theirs.parent}/./{theirs.name}"):
        with pytest.raises(InvalidArgumentError) as caught:
            read(stage, path)
        said.add(str(caught.value).replace(repr(path), "THERE"))
    with pytest.raises(InvalidArgumentError) as caught:
        read(stage, str(missing))
    assert said == {str(caught.value).replace(repr(str(missing)), "THERE")}


def test_a_file_of_ones_own_run_is_taken_also_after_the_run_has_been_deleted_that_made_it(
    stage: Stage,
) -> None:
    original, file = make(stage)
    path = str(file)
    assert read(stage, path).outputs("read") == {"out": "1"}
    again = stage.rerun(original)
    stage.client.delete(original.name)
    assert again.ran == [] and read(stage, path).outputs("read") == {"out": "1"}
