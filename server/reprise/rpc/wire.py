"""Pieces of protobuf's wire format, for messages that are put together from bytes that are already encoded.

Invariant: what `field_bytes` gives, joined in any order with encoded fields of the same message, is that
message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from reprise.domain.errors import FieldProblem, InvalidArgument

M = TypeVar("M", bound=Message)

_SHORTEST = tuple(bytes((number,)) for number in range(0x80))


def varint(number: int) -> bytes:
    if number < 0x80:
        return _SHORTEST[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field_head(number: int, length: int) -> bytes:
    """What stands before `length` bytes of a message, string or bytes field."""
    return varint(number << 3 | 2) + varint(length)


def field_bytes(number: int, payload: bytes) -> bytes:
    """One length-delimited field.

    Nothing for an empty payload: absent and empty mean the same to our readers.
    """
    return field_head(number, len(payload)) + payload if payload else b""


def item_bytes(number: int, payload: bytes) -> bytes:
    """One item of a repeated field, empty ones included."""
    return field_head(number, len(payload)) + payload


def parse(kind: type[M], data: bytes, field: str = "") -> M:
    """Errors: InvalidArgument for bytes that are no such message."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        if "MaxDepth" in str(error) or "ecursion" in str(error):
            problem = FieldProblem(field, "the message is nested too deeply")
        else:
            problem = FieldProblem(
                field, f"the bytes are not a {kind.DESCRIPTOR.name} in protobuf's binary form"
            )
        raise InvalidArgument(problem) from None
    return message


def fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of each field of a message that holds length-delimited fields alone."""
    at, end = 0, len(data)
    while at < end:
        key, at = _read_varint(data, at)
        length, at = _read_varint(data, at)
        if key & 7 != 2:
            raise ValueError("a field that is not length-delimited")
        yield key >> 3, at, at + length
        at += length


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at + 1
