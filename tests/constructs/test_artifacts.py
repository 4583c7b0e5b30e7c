"""Artifacts on their way: optional, imported, given at the root, listed, typed, with metadata, at their own places."""

# ruff: noqa: E402, UP006, UP035 (kfp reads the annotations as objects: List)
# mypy: ignore-errors

import json
from pathlib import Path
from typing import List

import pytest

dsl = pytest.importorskip("kfp.dsl", reason="kfp is needed to compile pipelines")

from . import parts
from .conftest import Run


def test_an_optional_artifact_is_absent_or_there_through_two_pipelines(run: Run) -> None:
    @dsl.pipeline
    def innermost(data: dsl.Input[dsl.Dataset] = None) -> str:
        return parts.read_if_there(data=data).output

    @dsl.pipeline
    def inner(data: dsl.Input[dsl.Dataset] = None) -> str:
        return innermost(data=data).output

    @dsl.pipeline
    def outer() -> str:
        made = parts.write(content="here")
        return parts.joined(texts=[inner().output, inner(data=made.output).output]).output

    assert run(outer).outputs == {"Output": "none|here"}


def test_an_artifact_imported_from_a_produced_uri_has_its_type_and_metadata(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("imported")

    @dsl.pipeline
    def importing(path: str, word: str = "w") -> str:
        place = parts.text(value=path)
        found = dsl.importer(
            artifact_uri=place.output,
            artifact_class=dsl.Dataset,
            reimport=False,
            metadata={"word": word, "nested": {"list": [1, word, True]}, word: "key"},
        )
        parts.facts_of(data=found.output)
        return parts.read(data=found.output).output

    ended = run(importing, {"path": str(path)})
    assert ended.outputs == {"Output": "imported"}
    kind, title, metadata = json.loads(ended.output("facts-of"))
    assert (kind, title) == ("Dataset", "system.Dataset")
    assert metadata == {"word": "w", "nested": {"list": [1, "w", True]}, "w": "key"}


def test_metrics_classification_text_and_metadata_are_kept(run: Run) -> None:
    @dsl.component(base_image="python:3.12")
    def measured(
        metrics: dsl.Output[dsl.Metrics],
        matrix: dsl.Output[dsl.ClassificationMetrics],
        page: dsl.Output[dsl.HTML],
        model: dsl.Output[dsl.Model],
    ):
        metrics.log_metric("accuracy", 0.5)
        metrics.log_metric("count", 3)
        matrix.log_confusion_matrix(["a", "b"], [[1, 2], [3, 4]])
        matrix.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
        model.framework = "own"
        model.metadata["deep"] = {"k": [1]}
        with open(page.path, "w") as file:  # noqa: PTH123
            file.write("<b>x</b>")

    @dsl.pipeline
    def measuring():
        made = measured()
        parts.facts_of(data=made.outputs["model"])

    ended = run(measuring)
    task = next(one for one in ended.job.job_detail.task_details if one.task_name == "measured")
    assert dict(task.outputs["metrics"].artifacts[0].metadata) == {"accuracy": 0.5, "count": 3}
    assert "confusionMatrix" in task.outputs["matrix"].artifacts[0].metadata
    assert json.loads(ended.output("facts-of"))[2] == {"framework": "own", "deep": {"k": [1]}}
    assert Path(task.outputs["page"].artifacts[0].uri).read_text() == "<b>x</b>"


def test_artifacts_that_a_component_returns_or_places_itself(run: Run, tmp_path: Path) -> None:
    @dsl.component(base_image="python:3.12")
    def returned(content: str) -> dsl.Dataset:
        made = dsl.Dataset(uri=dsl.get_uri(), metadata={"by": "itself"})
        with open(made.path, "w") as file:  # noqa: PTH123
            file.write(content)
        return made

    @dsl.component(base_image="python:3.12")
    def elsewhere(place: str, data: dsl.Output[dsl.Dataset]):
        data.uri = place
        with open(place, "w") as file:  # noqa: PTH123
            file.write("elsewhere")

    @dsl.pipeline
    def both(place: str) -> str:
        first = parts.read(data=returned(content="returned").output)
        second = parts.read(data=elsewhere(place=place).output)
        return parts.joined(texts=[first.output, second.output]).output

    assert run(both, {"place": str(tmp_path / "own")}).outputs == {"Output": "returned|elsewhere"}


def test_lists_of_artifacts_are_produced_looped_over_and_collected(run: Run) -> None:
    @dsl.pipeline
    def make(names: list) -> List[dsl.Dataset]:
        with dsl.ParallelFor(names) as name:
            one = parts.write(content=name)
        return dsl.Collected(one.outputs["data"])

    @dsl.pipeline
    def looped() -> str:
        made = make(names=["d0", "d1", "d2"])
        with dsl.ParallelFor(items=made.output) as one:
            read = parts.read(data=one)
            copied = parts.write(content=read.output)
        again = parts.read_all(data=dsl.Collected(copied.outputs["data"]))
        return parts.joined(texts=[parts.read_all(data=made.output).output, again.output]).output

    assert run(looped).outputs == {"Output": "d0|d1|d2|d0|d1|d2"}


def test_a_folder_is_an_artifact_too(run: Run) -> None:
    @dsl.component(base_image="python:3.12")
    def folder(data: dsl.Output[dsl.Dataset]):
        import os

        os.makedirs(data.path + "/deep")  # noqa: PTH103
        for name in ("b", "deep/a"):
            with open(f"{data.path}/{name}", "w") as file:  # noqa: PTH123
                file.write(name)

    @dsl.component(base_image="python:3.12")
    def walk(data: dsl.Input[dsl.Dataset]) -> str:
        import os

        return ",".join(
            sorted(
                f"{root[len(data.path) :]}/{name}" for root, _, names in os.walk(data.path) for name in names
            )
        )

    @dsl.pipeline
    def walked() -> str:
        return walk(data=folder().output).output

    assert run(walked).outputs == {"Output": "/b,/deep/a"}
