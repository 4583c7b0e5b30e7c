"""Pieces of protobuf's wire format, for messages that are put together from bytes that are already encoded.

Invariant: what `field_bytes` gives, joined in any order with encoded fields of the same message, is that
message.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from reprise.domain.errors import FieldProblem, InvalidArgument

M = TypeVar("M", bound=Message)


def varint(number: int) -> bytes:
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
