"""A google.protobuf.Struct, encoded without building one: that is what a comparison would spend its time on.

The parts of a specification that an edit leaves alone are encoded once, known by their JSON, which C writes.

Invariant: equal values give equal bytes, and they parse to what `Struct.update` makes; a test says so.
"""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from typing import Any

_NULL = b"\x08\x00"
_TRUE, _FALSE = b"\x20\x01", b"\x20\x00"


_LEVELS_TO_PARTS = {"components": 1, "deploymentSpec": 2}


def spec_bytes(spec: dict[str, Any]) -> bytes:
    return _entries({name: _parted(value, _LEVELS_TO_PARTS.get(name, 0)) for name, value in spec.items()})


def _parted(value: Any, levels: int) -> bytes:
    if levels and type(value) is dict:
        return _struct(_entries({name: _parted(part, levels - 1) for name, part in value.items()}))
    return _known_value(json.dumps(value))


@lru_cache(maxsize=4_000)
def _known_value(text: str) -> bytes:
    return _value(json.loads(text))


def _fields(members: dict[str, Any]) -> bytes:
    return _entries({name: _value(value) for name, value in members.items()})


def _entries(values: dict[str, bytes]) -> bytes:
    """Struct.fields, a map: entries of key 1 and value 2, sorted by key."""
    entries = []
    for name in sorted(values):
        value = values[name]
        entry = _text(name) + b"\x12" + _length(len(value)) + value
        entries.append(b"\x0a" + _length(len(entry)) + entry)
    return b"".join(entries)


def _struct(body: bytes) -> bytes:
    return b"\x2a" + _length(len(body)) + body


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return _string(value)
    if kind is dict:
        return _struct(_fields(value))
    if kind is list:
        body = b"".join([b"\x0a" + _length(len(one)) + one for one in map(_value, value)])
        return b"\x32" + _length(len(body)) + body
    if value is None:
        return _NULL
    if kind is bool:
        return _TRUE if value else _FALSE
    return b"\x11" + struct.pack("<d", value)


@lru_cache(maxsize=20_000)
def _text(text: str) -> bytes:
    encoded = text.encode()
    return b"\x0a" + _length(len(encoded)) + encoded


@lru_cache(maxsize=20_000)
def _string(text: str) -> bytes:
    encoded = text.encode()
    return b"\x1a" + _length(len(encoded)) + encoded


@lru_cache(maxsize=20_000)
def _length(length: int) -> bytes:
    encoded = bytearray()
    while length >= 0x80:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)
