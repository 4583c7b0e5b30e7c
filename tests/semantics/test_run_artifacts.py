"""Artifacts that a run is given by its caller, and its reruns."""

from __future__ import annotations

from typing import Any

import pytest
from building import Given, Task
from parts import NOTHING, READ
from reprise.client import InvalidArgumentError
from reprise.pb.v1 import pipeline_job_pb2 as jobs
from reprise.pb.v1 import rerun_pb2 as reruns
from stage import Ended, Stage


def _spec(stage: Stage) -> dict[str, Any]:
    spec = stage.spec({"read": Task(READ, artifacts={"data": Given("data")})})
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    spec["root"].setdefault("inputDefinitions", {})["artifacts"] = {"data": artifact}
    return spec


def _original(stage: Stage) -> Ended:
    file = stage.folder / "given"
    file.write_text("one")
    spec = _spec(stage)
    request = stage._create(spec, None)
    given = jobs.PipelineJob.RuntimeConfig.InputArtifact(artifact_id=str(file))
    request.pipeline_job.runtime_config.input_artifacts["data"].CopyFrom(given)
    return stage.finish(stage.client.create(request).name, spec)


def test_an_artifact_given_to_the_original_is_that_of_its_rerun_with_the_bytes_it_has_by_then(
    stage: Stage,
) -> None:
    original = _original(stage)
    assert original.outputs("read") == {"out": "one"}
    again = stage.rerun(original)
    assert again.ran == []
    (stage.folder / "given").write_text("two")
    changed = stage.rerun(again)
    assert changed.ran == ["read"] and changed.outputs("read") == {"out": "two"}


def test_a_rerun_whose_given_artifact_is_gone_names_it(stage: Stage) -> None:
    original = _original(stage)
    (stage.folder / "given").unlink()
    with pytest.raises(InvalidArgumentError, match=r"input_artifacts\['data'\].*there is no artifact"):
        stage.client.rerun(reruns.RerunPipelineJobRequest(name=original.name))


def test_an_artifact_that_a_new_spec_does_not_take_is_left_behind(stage: Stage) -> None:
    original = _original(stage)
    spec = stage.spec({"other": Task(NOTHING)})
    assert stage.rerun(original, spec=spec).states == {"other": "SUCCEEDED"}
