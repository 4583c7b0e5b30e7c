"""Output parameters and artifacts as components leave them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reprise.executor.outputs import OutputsInvalid, collect
from reprise.pb.engine.v1 import engine_pb2 as engine

TYPES = {
    "text": "STRING",
    "count": "NUMBER_INTEGER",
    "ratio": "NUMBER_DOUBLE",
    "flag": "BOOLEAN",
    "items": "LIST",
    "map": "STRUCT",
}


class Left:
    """What a component has left in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, name: str, content: str | bytes) -> Left:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def output(self, content: object) -> Left:
        return self.file("executor_output.json", content if isinstance(content, str) else json.dumps(content))

    def values(self, is_list: bool = False) -> engine.Values:
        launch = engine.Launch(
            output_parameters=[engine.OutputParameter(name=name, type=kind) for name, kind in TYPES.items()],
            output_artifacts=[engine.OutputArtifact(name="model", is_list=is_list)],
        )
        rendered = engine.Rendered(
            output_file=str(self.folder / "executor_output.json"),
            output_files=[
                engine.OutputFile(name=name, type=kind, path=str(self.folder / name))
                for name, kind in TYPES.items()
            ],
            output_artifacts=[
                engine.PreparedArtifact(
                    name="model",
                    path=str(self.folder / "model"),
                    artifact=engine.Artifact(
                        name="9",
                        uri=str(self.folder / "model"),
                        schema_title="system.Model",
                        metadata_json='{"a":1,"b":2}',
                    ),
                )
            ],
        )
        return collect(rendered, launch, self.folder)

    def parameters(self) -> dict[str, str]:
        return {one.name: one.json for one in self.values().parameters}

    def artifact(self) -> engine.Artifact:
        return self.values().artifacts[0].artifacts[0]


@pytest.fixture
def left(tmp_path: Path) -> Left:
    return Left(tmp_path)


def test_nothing_written_leaves_parameters_absent_and_artifacts_registered(left: Left) -> None:
    assert left.parameters() == {}
    assert left.artifact().uri == str(left.folder / "model")
    assert not left.artifact().author_metadata


@pytest.mark.parametrize(
    ("name", "content", "json_text"),
    [
        ("text", " as it is\n", '" as it is\\n"'),
        ("text", "", '""'),
        ("text", "5", '"5"'),
        ("count", " 9007199254740993\n", "9007199254740993"),
        ("count", "-0", "0"),
        ("count", "3.0", "3"),
        ("ratio", "0.1\n", "0.1"),
        ("ratio", "1e3", "1000.0"),
        ("flag", "True\n", "true"),
        ("flag", "0", "false"),
        ("items", "[1, 2.5, 9007199254740993]", "[1,2.5,9007199254740993]"),
        ("map", '{"b": 1, "a": "é"}', '{"a":"é","b":1}'),
    ],
)
def test_a_parameter_file_is_read_by_its_type(left: Left, name: str, content: str, json_text: str) -> None:
    assert left.file(name, content).parameters() == {name: json_text}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text", b"\xff\xfe"),
        ("count", b"three"),
        ("count", b"3.5"),
        ("count", b"1_000"),
        ("ratio", b"nan"),
        ("ratio", b"-inf"),
        ("flag", b"perhaps"),
        ("items", b"{}"),
        ("items", b"[NaN]"),
        ("items", b"[1e999]"),
        ("items", b"[1"),
        ("map", b"[]"),
        ("map", b'{"a": "\\ud800"}'),
        ("map", b"[" * 100_000),
    ],
)
def test_a_parameter_file_of_another_type_is_refused_by_name(left: Left, name: str, content: bytes) -> None:
    with pytest.raises(OutputsInvalid, match=name):
        left.file(name, content).values()


def test_the_output_file_wins_over_the_parameter_files(left: Left) -> None:
    left.file("count", "1").file("text", "from the file")
    left.output({"parameterValues": {"count": 2, "unknown": 3, "flag": None}})
    assert left.parameters() == {"count": "2", "text": '"from the file"'}


@pytest.mark.parametrize(
    "values",
    [{"text": 5}, {"count": "5"}, {"count": True}, {"flag": 1}, {"items": {}}, {"map": "{}"}, {"ratio": "1"}],
)
def test_a_value_of_another_type_in_the_output_file_is_refused(left: Left, values: dict[str, object]) -> None:
    with pytest.raises(OutputsInvalid, match=f"{next(iter(values))!r} is declared"):
        left.output({"parameterValues": values}).values()


def test_whole_doubles_are_integers_where_an_integer_is_declared(left: Left) -> None:
    assert left.output('{"parameterValues": {"count": 4.0, "ratio": 4}}').parameters() == {
        "count": "4",
        "ratio": "4",
    }


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"parameterValues": []}', '{"artifacts": {"model": {"artifacts": 1}}}']
)
def test_a_broken_output_file_is_refused(left: Left, content: str) -> None:
    with pytest.raises(OutputsInvalid):
        left.output(content).values()


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_json_cannot_express_is_refused_clearly(left: Left, constant: str) -> None:
    with pytest.raises(OutputsInvalid, match="executor output file holds"):
        left.output(f'{{"parameterValues": {{"ratio": {constant}}}}}').values()


def test_metadata_is_merged_and_a_new_uri_wins(left: Left) -> None:
    left.output(
        {"artifacts": {"model": {"artifacts": [{"uri": "gs://b/m", "metadata": {"b": 3, "c": [1.0]}}]}}}
    )
    artifact = left.artifact()
    assert artifact.uri == "gs://b/m"
    assert artifact.metadata_json == '{"a":1,"b":3,"c":[1.0]}'
    assert artifact.author_metadata
    assert (artifact.name, artifact.schema_title) == ("9", "system.Model")


def test_metadata_that_is_only_repeated_is_not_the_authors(left: Left) -> None:
    left.output({"artifacts": {"model": {"artifacts": [{"metadata": {"a": 1, "b": 2}}]}}})
    assert not left.artifact().author_metadata


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_lies_at_a_custom_path_is_copied_to_the_uri(left: Left, is_folder: bool) -> None:
    source = left.folder / "elsewhere"
    if is_folder:
        source.mkdir()
    (source / "x" if is_folder else source).write_text("weights")
    left.output({"artifacts": {"model": {"artifacts": [{"custom_path": "elsewhere"}]}}})
    for _ in range(2):
        left.values()
    target = left.folder / "model"
    assert (target / "x" if is_folder else target).read_text() == "weights"


def test_a_custom_path_with_nothing_there_is_refused(left: Left) -> None:
    left.output({"artifacts": {"model": {"artifacts": [{"custom_path": "/no/such/file"}]}}})
    with pytest.raises(OutputsInvalid, match="/no/such/file"):
        left.values()


def test_an_output_list_has_what_the_component_listed(left: Left) -> None:
    left.output({"artifacts": {"model": {"artifacts": [{"uri": "/a"}, {"uri": "/b"}]}}})
    (artifacts,) = left.values(is_list=True).artifacts
    assert [one.uri for one in artifacts.artifacts] == ["/a", "/b"]
    assert len({one.name for one in artifacts.artifacts}) == 2
