"""Reading compiled pipelines: what a file says arrives as it was meant, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from reprise.client import PipelineFileError, create_request, load_pipeline, parse_pipeline
from reprise.client.parameters import ParameterError, parse_parameters, parse_value

_SPEC = """
pipelineInfo: {name: p}
root:
  dag: {tasks: {a: {componentRef: {name: comp-a}, cachingOptions: {enableCache: true}}}}
  inputDefinitions:
    parameters:
      n: {parameterType: NUMBER_INTEGER}
      when: {parameterType: STRING, defaultValue: 2024-02-30}
schemaVersion: 2.1.0
"""


def test_a_date_without_quotes_stays_text() -> None:
    pipeline = parse_pipeline(_SPEC)
    assert pipeline.spec["root"]["inputDefinitions"]["parameters"]["when"]["defaultValue"] == "2024-02-30"


def test_the_second_document_is_the_platform_spec() -> None:
    request = create_request(parse_pipeline(_SPEC + "---\nplatforms: {kubernetes: {}}\n"))
    assert "platforms" in request.pipeline_job.platform_spec
    assert "platforms" not in request.pipeline_job.pipeline_spec


def test_a_pipeline_job_keeps_what_stands_beside_its_spec() -> None:
    text = (
        '{"displayName": "d", "pipelineSpec": {"root": {}}, "runtimeConfig": {"parameterValues": {"n": 3}}}'
    )
    job = create_request(parse_pipeline(text), {"m": "x"}).pipeline_job
    assert job.display_name == "d"
    assert job.runtime_config.parameter_values["n"].number_value == 3
    assert job.runtime_config.parameter_values["m"].string_value == "x"


def test_parameters_of_the_old_schema_are_sent_as_typed_values() -> None:
    job = create_request(
        parse_pipeline("root: {}\nschemaVersion: 2.0.0\n"), {"i": 3, "d": 0.5, "s": "t", "l": [1]}
    ).pipeline_job
    sent = job.runtime_config.parameters
    assert sent["i"].int_value == 3
    assert sent["d"].double_value == 0.5
    assert (sent["s"].string_value, sent["l"].string_value) == ("t", "[1]")
    assert not job.runtime_config.parameter_values


def test_the_cache_is_switched_off_for_every_task_and_the_file_stays_as_it_is() -> None:
    pipeline = parse_pipeline(_SPEC)
    spec = create_request(pipeline, is_cached=False).pipeline_job.pipeline_spec
    assert spec["root"]["dag"]["tasks"]["a"]["cachingOptions"]["enableCache"] is False
    assert pipeline.spec["root"]["dag"]["tasks"]["a"]["cachingOptions"]["enableCache"] is True


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("[1, 2]", "mapping"),
        ("just: text", "no compiled pipeline"),
        ("root: {1: x}", "not text"),
        ("root: {x: .nan}", "JSON"),
        ("root: {x: 9007199254740993}", "exactly"),
        ("root: {x: !!binary aGk=}", "not JSON"),
        ("root: !!python/object/apply:os.getcwd []", "YAML"),
        ("root: [", "YAML"),
        ("root: {}\n---\nnot: platforms\n", "platforms"),
        ("root: {}\n---\nplatforms: {}\n---\nmore: 1\n", "one document or two"),
        ('{"pipelineSpec": 3}', "mapping"),
        ("root: " + "[" * 5000 + "]" * 5000, "deep"),
    ],
)
def test_what_is_no_compiled_pipeline_is_refused_with_its_place(text: str, part: str) -> None:
    with pytest.raises(PipelineFileError, match=part):
        create_request(parse_pipeline(text))


def test_an_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PipelineFileError, match=r"p\.yaml"):
        load_pipeline(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("text", "declared", "value"),
    [
        ("007", "STRING", "007"),
        ("true", "STRING", "true"),
        ("7", "NUMBER_INTEGER", 7),
        ("7", "NUMBER_DOUBLE", 7),
        ("1e-3", "NUMBER_DOUBLE", 0.001),
        ("True", "BOOLEAN", True),
        ("[1, 2]", "LIST", [1, 2]),
        ('{"a": null}', "STRUCT", {"a": None}),
        ("[1", "", "[1"),
        ("3", "", 3),
    ],
)
def test_a_value_on_the_command_line_is_read_by_its_declared_type(
    text: str, declared: str, value: object
) -> None:
    read = parse_value("p", text, declared)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("two", "NUMBER_INTEGER"),
        ("2.5", "NUMBER_INTEGER"),
        ("true", "NUMBER_INTEGER"),
        ("1", "BOOLEAN"),
        ("NaN", "NUMBER_DOUBLE"),
        ("{}", "LIST"),
        ("9007199254740993", "NUMBER_INTEGER"),
    ],
)
def test_a_value_of_another_type_is_refused_before_it_is_sent(text: str, declared: str) -> None:
    with pytest.raises(ParameterError, match=r"^p: "):
        parse_value("p", text, declared)


def test_only_the_first_equals_sign_divides_name_and_value() -> None:
    assert parse_parameters(["q=a=b"], {"q": "STRING"}) == {"q": "a=b"}
    with pytest.raises(ParameterError):
        parse_parameters(["nothing"], {})
