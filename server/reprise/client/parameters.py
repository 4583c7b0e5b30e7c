"""Parameter values from a command line, by the type that the pipeline declares.

Invariant: a value given for a STRING is sent as it was typed; every other type is read as JSON of that type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reprise.client.pipeline_file import PipelineFileError, check_exact


class ParameterError(ValueError):
    """The value is not of the declared type."""


_READERS: dict[str, tuple[tuple[type, ...], str]] = {
    "NUMBER_INTEGER": ((int,), "an integer"),
    "NUMBER_DOUBLE": ((int, float), "a number"),
    "BOOLEAN": ((bool,), "true or false"),
    "LIST": ((list,), "a JSON list"),
    "STRUCT": ((dict,), "a JSON object"),
}


def parse_value(name: str, text: str, declared_type: str) -> Any:
    """The JSON value that `text` gives the parameter `name`. Errors: ParameterError.

    Of an unknown type: JSON if it is JSON, else a string. The server decides what fits.
    """
    if declared_type == "STRING":
        return text
    expected = _READERS.get(declared_type)
    try:
        value = json.loads(
            text.lower() if declared_type == "BOOLEAN" else text, parse_constant=_refuse_constant
        )
    except ValueError:
        if expected is None:
            return text
        raise ParameterError(f"{name}: expected {expected[1]}, got {text!r}") from None
    if expected is not None and (
        not isinstance(value, expected[0]) or (isinstance(value, bool) and bool not in expected[0])
    ):
        raise ParameterError(f"{name}: expected {expected[1]}, got {text!r}")
    return check_value(name, value)


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


def check_value(name: str, value: Any) -> Any:
    """`value`, if the wire can carry it unchanged. Errors: ParameterError."""
    if isinstance(value, dict):
        for key, each in value.items():
            check_value(f"{name}.{key}", each)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            check_value(f"{name}[{index}]", each)
    elif isinstance(value, int) and not isinstance(value, bool):
        try:
            check_exact(value, name)
        except PipelineFileError as error:
            raise ParameterError(str(error)) from None
    return value


def parse_assignment(text: str) -> tuple[str, str]:
    """`name=value` in two. Errors: ParameterError."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ParameterError(f"expected NAME=VALUE, got {text!r}")
    return name, value


def parse_parameters(texts: list[str], types: Mapping[str, str]) -> dict[str, Any]:
    """The values of `name=value` texts; of a name given twice the last counts. Errors: ParameterError."""
    return {
        name: parse_value(name, value, types.get(name, ""))
        for name, value in (parse_assignment(text) for text in texts)
    }


def to_legacy(value: Any) -> dict[str, Any]:
    """The typed value of schema 2.0.0 in JSON form; what is no number or text goes as JSON text."""
    if isinstance(value, bool) or value is None or isinstance(value, (list, dict)):
        return {"stringValue": json.dumps(value)}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
