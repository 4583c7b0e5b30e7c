"""Reading a compiled pipeline: YAML or JSON, one document or two, a PipelineSpec or a PipelineJob.

Invariant: what is read means what it meant in the file. Numbers stay numbers, strings stay strings (dates are
text); what JSON cannot hold, or a double not hold exactly, is refused with its place, never changed silently.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

JsonObject = dict[str, Any]

_LARGEST_EXACT = 2**53


class PipelineFileError(ValueError):
    """The file is no compiled pipeline."""


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A compiled pipeline. `job` holds what stands beside the spec in a PipelineJob, in JSON form."""

    spec: JsonObject
    platform_spec: JsonObject | None = None
    job: JsonObject = field(default_factory=dict)

    @property
    def name(self) -> str:
        info = self.spec.get("pipelineInfo")
        name = info.get("name") if isinstance(info, dict) else None
        return name if isinstance(name, str) else ""

    @property
    def is_legacy(self) -> bool:
        """Schema 2.0.0: run parameters are sent as typed values."""
        return str(self.spec.get("schemaVersion", "")).startswith("2.0")

    @property
    def parameter_types(self) -> dict[str, str]:
        """The declared type of every run parameter, see `parameter_types`."""
        return parameter_types(self.spec)


_LEGACY_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE"}


def parameter_types(spec: Mapping[str, Any]) -> dict[str, str]:
    """The run parameters that a PipelineSpec declares, with their types in the words of schema 2.1.0.

    These are STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN, LIST, STRUCT; "" where none is given.
    """
    place: Any = spec
    for key in ("root", "inputDefinitions", "parameters"):
        place = place.get(key) if isinstance(place, Mapping) else None
    if not isinstance(place, Mapping):
        return {}
    types = {}
    for name, definition in place.items():
        if isinstance(definition, Mapping):
            declared = str(definition.get("parameterType") or definition.get("type") or "")
            types[name] = _LEGACY_TYPES.get(declared, declared)
    return types


def load_pipeline(path: str | Path) -> PipelineFile:
    """Read a compiled pipeline. Errors: OSError; PipelineFileError."""
    path = Path(path)
    try:
        return parse_pipeline(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PipelineFileError(f"{path}: not UTF-8 text: {error}") from None
    except PipelineFileError as error:
        raise PipelineFileError(f"{path}: {error}") from None


def parse_pipeline(text: str) -> PipelineFile:
    """A compiled pipeline from its text. Errors: PipelineFileError."""
    try:
        return _parse(text)
    except RecursionError:
        raise PipelineFileError("nested too deep") from None


def _parse(text: str) -> PipelineFile:
    documents = [document for document in _read_documents(text) if document is not None]
    if not documents:
        raise PipelineFileError("the file is empty")
    if len(documents) > 2:
        raise PipelineFileError(f"expected one document or two, got {len(documents)}")
    for document in documents:
        if not isinstance(document, dict):
            raise PipelineFileError(f"expected a mapping, got {type(document).__name__}")
        _check(document, "")
    platform_spec = documents[1] if len(documents) == 2 else None
    if platform_spec is not None and "platforms" not in platform_spec:
        raise PipelineFileError("the second document is no platformSpec: it has no 'platforms'")
    first: JsonObject = documents[0]
    if "pipelineSpec" in first:
        spec = first["pipelineSpec"]
        if not isinstance(spec, dict):
            raise PipelineFileError("pipelineSpec: expected a mapping")
        return PipelineFile(spec, platform_spec, {k: v for k, v in first.items() if k != "pipelineSpec"})
    if "pipeline_spec" in first and isinstance(first["pipeline_spec"], dict):
        # What `kfp` wrote in one of its forms: spec and platform spec in one document.
        return PipelineFile(first["pipeline_spec"], first.get("platform_spec") or platform_spec)
    if "root" not in first and "pipelineInfo" not in first:
        raise PipelineFileError(
            "no compiled pipeline: it has neither 'root' nor 'pipelineInfo' nor 'pipelineSpec'"
        )
    return PipelineFile(first, platform_spec)


def _read_documents(text: str) -> list[Any]:
    if text.lstrip().startswith("{"):
        try:
            return [json.loads(text)]
        except json.JSONDecodeError:
            pass  # a YAML flow mapping, perhaps
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise PipelineFileError(f"not YAML: {error}") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """PyYAML's safe loader, which leaves dates as text: JSON has none, and `kfp` writes none."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _check(value: Any, place: str) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                raise PipelineFileError(f"{place or 'top level'}: the key {key!r} is not text; quote it")
            _check(each, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _check(each, f"{place}[{index}]")
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        return
    elif isinstance(value, int):
        check_exact(value, place)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise PipelineFileError(f"{place}: {value} cannot be sent: JSON has no such number")
    else:
        raise PipelineFileError(f"{place}: a {type(value).__name__} is not JSON")


def check_exact(value: int, place: str) -> None:
    """Refuses an integer that the wire's doubles would change. Errors: PipelineFileError."""
    if abs(value) > _LARGEST_EXACT and int(float(value)) != value:
        raise PipelineFileError(
            f"{place}: the integer {value} cannot be sent exactly (it is a double on the wire)"
        )
