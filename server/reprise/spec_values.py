"""Single values of a compiled pipeline, looked up where they stand: a large one is not turned into Python objects."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format, struct_pb2

from reprise.domain.cache import without_iterations


class SpecValues:
    """Invariant: what is not there, or is not what a compiler writes, is None; nothing is raised."""

    def __init__(self, spec: bytes) -> None:
        self._spec = struct_pb2.Struct.FromString(spec)

    def executor_field(self, component: str, field: str) -> Any:
        """`args`, `command`, `image`, `env.NAME`, `metadata` or `uri` of what runs a component, as JSON."""
        label = self._at("components", component, "executorLabel")
        for document in ("deploymentSpec", "deploymentConfig"):
            executor = (
                "executors",
                _text(label),
                "importer" if field in ("metadata", "uri") else "container",
            )
            found = self._at(document, *executor)
            if found is not None and found.WhichOneof("kind") == "struct_value":
                return _executor_value(json_format.MessageToDict(found.struct_value), field)
        return None

    def producer(self, path: str, input_name: str, is_artifact: bool) -> str:
        """The name of the sibling whose output comes in by an input of the task at `path`; "": of none."""
        inputs = ("inputs", "artifacts" if is_artifact else "parameters", input_name)
        source = "taskOutputArtifact" if is_artifact else "taskOutputParameter"
        *parents, name = without_iterations(path).split(".")
        holder: tuple[str, ...] = ("root",)
        for parent in parents:
            component = self._at(*holder, "dag", "tasks", parent, "componentRef", "name")
            holder = ("components", _text(component))
        return _text(self._at(*holder, "dag", "tasks", name, *inputs, source, "producerTask"))

    def _at(self, *keys: str) -> struct_pb2.Value | None:
        struct, value = self._spec, None
        for key in keys:
            if key not in struct.fields:
                return None
            value = struct.fields[key]
            struct = value.struct_value
        return value


def _text(value: struct_pb2.Value | None) -> str:
    return "" if value is None else value.string_value


def _executor_value(executor: dict[str, Any], field: str) -> Any:
    if field.startswith("env."):
        name = field.removeprefix("env.")
        values = [each.get("value") for each in executor.get("env", ()) if each.get("name") == name]
        return values[-1] if values else None
    if field == "uri":
        uri = executor.get("artifactUri", {})
        return uri.get("constant", uri.get("constantValue", {}).get("stringValue"))
    return executor.get(field)


def compact(value: Any) -> str:
    """The value as the keys of the cache have it: compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
