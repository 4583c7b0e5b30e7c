"""A google.protobuf.Struct, encoded without building one: that is what a comparison would spend its time on.

Invariant: equal values give equal bytes, and they parse to what `Struct.update` makes; a test says so.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any

_NULL = b"\x08\x00"
_TRUE, _FALSE = b"\x20\x01", b"\x20\x00"


def spec_bytes(spec: dict[str, Any]) -> bytes:
    return _fields(spec)


def _fields(members: dict[str, Any]) -> bytes:
    """Struct.fields, a map: entries of key 1 and value 2, sorted by key."""
    entries = []
    for name in sorted(members):
        value = _value(members[name])
        entry = _text(name) + b"\x12" + _length(len(value)) + value
        entries.append(b"\x0a" + _length(len(entry)) + entry)
    return b"".join(entries)


def _value(value: Any) -> bytes:
    kind = type(value)
    if kind is str:
        return _string(value)
    if kind is dict:
        body = _fields(value)
        return b"\x2a" + _length(len(body)) + body
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
