"""Launches that are rendered together, under settings that the core holds."""

from __future__ import annotations

import pytest
from reprise import _core as core
from reprise.pb.engine.v1 import engine_pb2 as engine
from reprise.plan import Renderer

SETTINGS = engine.RunSettings(job_id="job", resource_name="projects/p/job", run_id=7, pipeline_root="/root")


def launch(task_id: int) -> engine.Launch:
    made = engine.Launch(task_id=task_id, name=f"task-{task_id}", kind=engine.CONTAINER, image="i")
    made.command.append("{{$.pipeline_job_name}}/{{$.pipeline_task_name}}/{{$.pipeline_task_uuid}}")
    made.args.append("{{$.inputs.parameters['x']}} {{$.outputs.output_file}} {{$.pipeline_root}}")
    made.inputs.parameters.add(name="x", json=str(task_id))
    made.inputs.artifacts.add(name="a").artifacts.add(name="a", uri="gs://b/a")
    return made


def context(task_id: int) -> engine.RenderContext:
    made = engine.RenderContext(
        task_uuid=f"7-{task_id}",
        outputs_uri=f"file:///out/{task_id}",
        outputs_dir=f"/out/{task_id}",
        output_file=f"/out/{task_id}/executor_output.json",
        parameters_dir=f"/out/{task_id}",
        are_uris_local=True,
    )
    made.local_paths.add(uri="gs://b/a", path="/staged/a")
    return made


def test_each_of_many_is_rendered_as_if_it_were_alone_with_the_settings_in_its_context() -> None:
    many = [(launch(number), context(number)) for number in range(1, 4)]
    placed = [(one.SerializeToString(), place.outputs_uri, place.outputs_dir) for one, place in many]
    together = Renderer(SETTINGS).render(placed, {"gs://b/a": "/staged/a"})
    alone = []
    for one, place in many:
        place.settings.CopyFrom(SETTINGS)
        alone.append(
            engine.Rendered.FromString(core.render(one.SerializeToString(), place.SerializeToString()))
        )
    assert together == alone
    assert together[1].argv_command == ["job/task-2/7-2"] and together[1].argv_args == [
        "2 /out/2/executor_output.json /root"
    ]


def test_bytes_that_are_no_launch_are_refused() -> None:
    with pytest.raises(ValueError, match="not a Launch"):
        Renderer(SETTINGS).render([(b"\xff", "file:///out", "/out")], {})
    with pytest.raises(ValueError, match="not RunSettings"):
        core.Renderer(b"\xff")
