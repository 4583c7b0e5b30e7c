"""The encoding of cache keys, written again from KEY.md alone and held against the vectors that Rust is held against.

Run as a script, it writes the vectors anew; that is for a new version of the encoding only.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent.parent / "golden" / "cache_key.json"
TYPES = ["", "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN", "LIST", "STRUCT", "TASK_FINAL_STATUS"]

# What a key is made of, in words; `null` stands for a value that is not known yet.
CASES: list[dict[str, Any]] = [
    {"name": "nothing"},
    {"name": "a container", "image": "python:3.11", "command": ["sh", "-c"], "args": ["x", "{{$}}", ""]},
    {"name": "env", "image": "i", "command": [], "args": [], "env": {"B": "2", "A": "é", "": ""}},
    {
        "name": "parameters of every type",
        "parameters": {
            "none": ["", 1],
            "text": ["STRING", 'a "b"\n\t\x01é😀\\'],
            "int": ["NUMBER_INTEGER", 9007199254740993],
            "whole": ["NUMBER_DOUBLE", 3.0],
            "double": ["NUMBER_DOUBLE", 0.1],
            "small": ["NUMBER_DOUBLE", 1.5e-7],
            "large": ["NUMBER_DOUBLE", 1.5e22],
            "below": ["NUMBER_DOUBLE", 1e20],
            "minus zero": ["NUMBER_DOUBLE", -0.0],
            "bool": ["BOOLEAN", True],
            "list": ["LIST", [1, 2.5, None, [], "x"]],
            "struct": ["STRUCT", {"b": {}, "a": [1.0], "é": False, "z": -123456789012345678901234567890}],
            "final": ["TASK_FINAL_STATUS", {"state": "SUCCEEDED"}],
        },
    },
    {
        "name": "artifacts",
        "artifacts": {
            "by digest": [False, [["system.Model", "sha256:aa", "/a", False, None]]],
            "by uri": [False, [["system.Model", "", "/a", False, None]]],
            "by both": [False, [["system.Model", "sha256:aa", "/a", True, {"k": 1, "a": "b"}]]],
            "list": [
                True,
                [["system.Dataset", "sha256:1", "/1", False, None], ["system.Dataset", "", "/2", True, {}]],
            ],
            "empty": [True, []],
        },
        "output_artifacts": {"model": [False, "system.Model"], "models": [True, "system.Model"]},
        "output_parameters": {"Output": "STRING", "n": "NUMBER_INTEGER"},
        "salt": "salt",
    },
    {
        "name": "an author's key",
        "cache_key": "mine",
        "image": "i",
        "command": ["c"],
        "args": [],
        "parameters": {"x": ["STRING", "left out"]},
        "output_parameters": {"Output": "STRING"},
        "salt": "s",
    },
    {"name": "an importer", "uri": "gs://b/o", "metadata": {"b": 1, "a": "x"}, "content": "generation:5"},
    {
        "name": "long values",
        "image": "i" * 256,
        "command": ["sh", "-c", "source " * 100],
        "args": ["x" * 248],
        "env": {"LONG": "e" * 257},
        "parameters": {"list": ["LIST", list(range(200))]},
    },
    {
        "name": "partial",
        "image": "i",
        "command": ["c"],
        "args": [],
        "parameters": {"x": None, "y": ["STRING", "1"]},
    },
]


def canonical(value: Any) -> str:
    def number(node: Any) -> Any:
        if isinstance(node, float):
            return int(node) if node.is_integer() and abs(node) < 1e21 else node
        if isinstance(node, list):
            return [number(item) for item in node]
        if isinstance(node, dict):
            return {key: number(item) for key, item in node.items()}
        return node

    return json.dumps(
        number(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def text(value: str) -> bytes:
    return u32(len(value.encode())) + value.encode()


def strings(values: list[str]) -> bytes:
    return u32(len(values)) + b"".join(text(value) for value in values)


def artifacts(is_list: bool, items: list[Any]) -> bytes:
    out = bytes([is_list]) + u32(len(items))
    for title, digest, uri, is_named, metadata in items:
        out += text(title) + text(digest) + text(uri if is_named or not digest else "")
        out += text("" if metadata is None else canonical(metadata))
    return out


def fields(case: dict[str, Any]) -> Iterator[tuple[int, str, bytes | None]]:
    if "cache_key" in case:
        yield 1, "", case["cache_key"].encode()
    else:
        if "image" in case:
            yield 2, "", strings(case["args"])
            yield 3, "", strings(case["command"])
            yield 6, "", case["image"].encode()
        for name, value in case.get("env", {}).items():
            yield 5, name, value.encode()
        if "uri" in case:
            yield 4, "", case["content"].encode()
            yield 7, "", canonical(case["metadata"]).encode()
            yield 8, "", case["uri"].encode()
        for name, listed in case.get("artifacts", {}).items():
            yield 9, name, artifacts(*listed)
        for name, typed in case.get("parameters", {}).items():
            known = None if typed is None else bytes([TYPES.index(typed[0])]) + canonical(typed[1]).encode()
            yield 10, name, known
    for name, (is_list, title) in case.get("output_artifacts", {}).items():
        yield 11, name, bytes([is_list]) + title.encode()
    for name, declared in case.get("output_parameters", {}).items():
        yield 12, name, bytes([TYPES.index(declared)])
    if "salt" in case:
        yield 13, "", case["salt"].encode()


def preimage(case: dict[str, Any]) -> bytes:
    out = b"reprise.key.v1\0\0"
    for section, name, value in sorted(fields(case), key=lambda field: (field[0], field[1].encode())):
        out += bytes([section]) + text(name)
        if value is None:
            out += u32(0xFFFFFFFF)
        elif len(value) > 256:
            out += u32(0xFFFFFFFE) + hashlib.sha256(value).digest()
        else:
            out += u32(len(value)) + value
    return out


def _vectors() -> list[dict[str, Any]]:
    return [
        {"case": case, "preimage": preimage(case).hex(), "key": hashlib.sha256(preimage(case)).hexdigest()}
        for case in CASES
    ]


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()) if VECTORS.exists() else [])
def test_a_stored_vector_is_what_the_specification_says(vector: dict[str, Any]) -> None:
    assert preimage(vector["case"]).hex() == vector["preimage"]
    assert hashlib.sha256(preimage(vector["case"])).hexdigest() == vector["key"]


def test_every_case_is_stored() -> None:
    assert json.loads(VECTORS.read_text()) == json.loads(json.dumps(_vectors()))


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(_vectors(), indent=1, ensure_ascii=False) + "\n")
