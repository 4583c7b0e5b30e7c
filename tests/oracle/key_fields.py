"""Cache keys as structures: fields by name, compared one by one, never as digests."""

from __future__ import annotations

from typing import Any

from past import Slot, as_list, definition_at
from values import ABSENT, UNKNOWN, same


def key_of(spec: dict[str, Any], path: str, inputs: dict[Slot, Any]) -> dict[str, Any]:
    """The fields of the key of a task that has run with these inputs."""
    return key_fields(spec, definition_at(spec, path)[1], inputs)


def key_fields(spec: dict[str, Any], component: dict[str, Any], inputs: dict[Slot, Any]) -> dict[str, Any]:
    """All that decides an outcome, each under its name. Absent inputs are no fields."""
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    fields: dict[str, Any] = {
        "executor.image": container.get("image", ""),
        "executor.command": container.get("command", []),
        "executor.args": container.get("args", []),
    }
    for variable in container.get("env", []):
        fields["executor.env." + variable["name"]] = variable["value"]
    declared = component.get("inputDefinitions", {})
    for (section, name), value in inputs.items():
        if value is ABSENT:
            continue
        if section == "parameters":
            kind = declared.get("parameters", {}).get(name, {}).get("parameterType", "")
            fields["inputs.parameters." + name] = value if value is UNKNOWN else [kind, value]
        else:
            fields["inputs.artifacts." + name] = value if value is UNKNOWN else artifact_fields(value)
    for name, output in component.get("outputDefinitions", {}).get("parameters", {}).items():
        fields["outputs.parameters." + name] = output["parameterType"]
    for name, output in component.get("outputDefinitions", {}).get("artifacts", {}).items():
        fields["outputs.artifacts." + name] = output["artifactType"]["schemaTitle"]
    return fields


def artifact_fields(value: Any) -> list[list[str]]:
    return [
        [one.schema_title, one.digest, "" if one.digest else one.uri, one.metadata] for one in as_list(value)
    ]


def compare(old: dict[str, Any], new: dict[str, Any]) -> Any:
    """True: they differ for sure. False: they are equal. UNKNOWN: that depends on what is not known yet."""
    unknown = False
    for name in old.keys() | new.keys():
        if new.get(name) is UNKNOWN:
            unknown = True
        elif name not in old or name not in new or not same(old[name], new[name]):
            return True
    return UNKNOWN if unknown else False
