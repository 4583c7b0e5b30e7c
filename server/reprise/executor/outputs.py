"""What a component that succeeded has left: parameters and artifacts, checked against what it declares.

Invariant: values are canonical JSON text (sorted keys, compact, integers exact, neither NaN nor infinity), of
the declared type; every declared output artifact is there, whether the component has written it or not.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reprise.pb.engine.v1 import engine_pb2 as engine

LARGEST_FILE_BYTES = 64 * 1024 * 1024

_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# As Go's strconv.ParseBool, with which the Kubeflow backend reads these files; and any case of the words.
_BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


class OutputsInvalid(Exception):
    """The component ended well, and its outputs are not what it declares."""


def collect(rendered: engine.Rendered, launch: engine.Launch, work_dir: Path) -> engine.Values:
    """The outputs of an attempt that succeeded, with what lies at a `custom_path` copied to its place.

    `work_dir` is what relative custom paths start from. Blocks on files; idempotent. Raises OutputsInvalid,
    naming the output.
    """
    written = _read_output_file(rendered.output_file)
    types = {output.name: output.type for output in launch.output_parameters}
    return engine.Values(
        parameters=_parameters(rendered, types, written),
        artifacts=_artifacts(rendered, launch, written, work_dir),
    )


def canonical_json(value: object) -> str:
    """Compact JSON with sorted keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _read_output_file(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    text = _read(Path(path), "the executor output file")
    if text is None or not text.strip():
        return {}
    content = _parse_json(text, "the executor output file")
    if not isinstance(content, dict):
        raise OutputsInvalid(f"the executor output file holds {_kind(content)} where an object is expected")
    return content


def _read(path: Path, what: str) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputsInvalid(f"{what} cannot be read: {error}") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise OutputsInvalid(f"{what} has over {LARGEST_FILE_BYTES} bytes; large data belongs in an artifact")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OutputsInvalid(f"{what} is not UTF-8 text: {error}") from error


def _parse_json(text: str, what: str) -> Any:
    def refuse(constant: str) -> None:
        raise OutputsInvalid(f"{what} holds {constant}, which JSON and parameters cannot express")

    def number(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            raise OutputsInvalid(f"{what} holds the number {literal[:40]}, which is too large for a double")
        return value

    try:
        value = json.loads(text, parse_constant=refuse, parse_float=number)
        # A lone surrogate is text that UTF-8 cannot express, and so is refused with the rest.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise OutputsInvalid(f"{what} is not JSON: {error}") from error
    return value


def _parameters(
    rendered: engine.Rendered, types: Mapping[str, str], written: Mapping[str, Any]
) -> list[engine.Parameter]:
    given = written.get("parameterValues", {})
    if not isinstance(given, dict):
        raise OutputsInvalid(f"parameterValues holds {_kind(given)} where an object is expected")
    values: dict[str, str] = {}
    for file in rendered.output_files:
        kind = types.get(file.name) or file.type
        value = given.get(file.name)
        if value is None:
            what = f"the file of output parameter {file.name!r}"
            text = _read(Path(file.path), what)
            if text is None:
                continue
            value = _from_text(file.name, kind, text)
            if value is None:
                continue
        values[file.name] = canonical_json(_checked(file.name, kind, value))
    return [engine.Parameter(name=name, json=values[name]) for name in sorted(values)]


def _from_text(name: str, kind: str, text: str) -> Any:
    """The value that a parameter's own file holds."""
    if kind == "STRING":
        return text
    stripped = text.strip()
    if kind == "BOOLEAN":
        found = _BOOLEANS.get(stripped.lower())
        if found is None:
            raise _wrong(name, kind, f"the text {stripped[:80]!r}")
        return found
    if kind == "NUMBER_INTEGER" and _INTEGER.fullmatch(stripped):
        try:
            return int(stripped)
        except ValueError as error:  # more digits than Python converts
            raise _wrong(name, kind, f"a number of {len(stripped)} digits") from error
    if kind in ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
        if _NUMBER.fullmatch(stripped) is None:
            raise _wrong(name, kind, f"the text {stripped[:80]!r}")
        return float(stripped)
    return _parse_json(stripped, f"the file of output parameter {name!r}") if stripped else None


def _checked(name: str, kind: str, value: Any) -> Any:
    """`value` as the declared type; whole doubles are integers where an integer is declared."""
    if isinstance(value, float) and not math.isfinite(value):
        raise OutputsInvalid(f"output parameter {name!r} is {value}, which parameters cannot express")
    if kind == "NUMBER_INTEGER" and isinstance(value, float) and value.is_integer():
        value = int(value)
    check = _CHECKS.get(kind)
    if check is not None and not check(value):
        raise _wrong(name, kind, f"{_kind(value)} {str(value)[:80]!r}")
    return value


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "STRING": lambda value: isinstance(value, str),
    "NUMBER_INTEGER": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "NUMBER_DOUBLE": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "BOOLEAN": lambda value: isinstance(value, bool),
    "LIST": lambda value: isinstance(value, list),
    "STRUCT": lambda value: isinstance(value, dict),
}


def _wrong(name: str, kind: str, found: str) -> OutputsInvalid:
    return OutputsInvalid(f"output parameter {name!r} is declared {kind}, and the component gave {found}")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "the boolean"
        case int() | float():
            return "the number"
        case str():
            return "the text"
        case list():
            return "the list"
        case _:
            return "the object"


def _artifacts(
    rendered: engine.Rendered, launch: engine.Launch, written: Mapping[str, Any], work_dir: Path
) -> list[engine.ArtifactList]:
    given = written.get("artifacts", {})
    if not isinstance(given, dict):
        raise OutputsInvalid(f"artifacts holds {_kind(given)} where an object is expected")
    lists = {output.name: output.is_list for output in launch.output_artifacts}
    prepared = {one.name: one.artifact for one in rendered.output_artifacts}
    paths = {one.name: one.path for one in rendered.output_artifacts}
    found = []
    for name in sorted(prepared):
        entry = given.get(name) or {}
        entries = entry.get("artifacts") if isinstance(entry, dict) else None
        if entries is not None and not (
            isinstance(entries, list) and all(isinstance(one, dict) for one in entries)
        ):
            raise OutputsInvalid(f"artifacts.{name}.artifacts is not a list of objects")
        is_list = lists.get(name, False)
        if is_list:
            artifacts = [
                _merged(name, prepared[name], one, number) for number, one in enumerate(entries or ())
            ]
        else:
            artifacts = [_merged(name, prepared[name], entries[0] if entries else {}, 0)]
        for artifact, one in zip(artifacts, entries or (), strict=False):
            if one.get("custom_path"):
                place = paths[name] if artifact.uri == prepared[name].uri else _local_path(artifact.uri)
                _copy_custom_path(name, work_dir / str(one["custom_path"]), place)
        found.append(engine.ArtifactList(name=name, artifacts=artifacts, is_list=is_list))
    return found


def _merged(name: str, prepared: engine.Artifact, written: Mapping[str, Any], number: int) -> engine.Artifact:
    """The prepared artifact with what the component says of it."""
    artifact = engine.Artifact()
    artifact.CopyFrom(prepared)
    if number > 0:
        artifact.name = f"{prepared.name}-{number}"
    uri = written.get("uri")
    if uri is not None and not isinstance(uri, str):
        raise OutputsInvalid(f"the uri of output artifact {name!r} is {_kind(uri)}, not text")
    if uri:
        artifact.uri = uri
    metadata = written.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise OutputsInvalid(f"the metadata of output artifact {name!r} is {_kind(metadata)}, not an object")
    before = json.loads(prepared.metadata_json or "{}")
    merged = {**before, **(metadata or {})}
    artifact.metadata_json = canonical_json(merged)
    artifact.author_metadata = prepared.author_metadata or merged != before
    return artifact


def _local_path(uri: str) -> str:
    path = uri.removeprefix("file://")
    return path if path.startswith("/") else ""


def _copy_custom_path(name: str, source: Path, place: str) -> None:
    """Put what the component wrote at a path of its own choice where its uri points."""
    if not place:
        raise OutputsInvalid(f"output artifact {name!r} has a custom path and a uri that is not on this host")
    target = Path(place)
    if source == target:
        return
    unfinished = target.with_name(f".{target.name}.copying")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(unfinished)
        if source.is_dir():
            shutil.copytree(source, unfinished, symlinks=True)
        else:
            shutil.copyfile(source, unfinished)
        _remove(target)
        unfinished.rename(target)
    except OSError as error:
        raise OutputsInvalid(f"output artifact {name!r} cannot be copied from {source}: {error}") from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
