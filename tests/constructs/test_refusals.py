"""What no host of one's own can run is refused before anything starts, all of it in one answer."""

# ruff: noqa: E402
# mypy: ignore-errors

import pytest
import yaml
from reprise.client import Client, InvalidArgumentError, create_request, parse_pipeline
from served import Served

dsl = pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from . import parts


@dsl.container_component
def of_google():
    return dsl.ContainerSpec(
        image="gcr.io/ml-pipeline/google-cloud-pipeline-components:2.0",
        command=["python3", "-u", "-m", "google_cloud_pipeline_components.container.v1.custom_job.launcher"],
        args=["--project", "{{$.pipeline_google_cloud_project_id}}"],
    )


def test_all_that_takes_google_cloud_or_an_accelerator_is_named_in_one_answer(
    server: Served, compiled
) -> None:
    @dsl.pipeline
    def inner():
        of_google()

    @dsl.pipeline
    def demanding():
        parts.text(value="fine")
        parts.text(value="fast").set_accelerator_type("NVIDIA_TESLA_P4").set_accelerator_limit(1)
        inner()
        parts.number(value=1)

    spec = yaml.safe_load(compiled(demanding))
    spec["deploymentSpec"]["executors"]["exec-number"] = {"customJob": {"customJob": {"jobSpec": {}}}}
    with Client(server.grpc) as client, pytest.raises(InvalidArgumentError) as refused:
        client.create(create_request(parse_pipeline(yaml.safe_dump(spec)), {}))
    said = str(refused.value)
    for task, reason in [
        ("text-2", "asks for an accelerator"),
        ("inner.of-google", "image under gcr.io/ml-pipeline/"),
        ("inner.of-google", "command of google_cloud_pipeline_components"),
        ("inner.of-google", "placeholder {{$.pipeline_google_cloud_project_id}}"),
        ("number", "customJob cannot run outside Google Cloud"),
    ]:
        assert f"task '{task}': {reason}" in said, said
    assert "task 'text':" not in said
