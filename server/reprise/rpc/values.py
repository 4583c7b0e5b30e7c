"""Values of google.protobuf against JSON text, in which the rest of the server keeps parameter values.

Invariant: what `json_text` accepts can be read back by every client, wherever in an answer it stands: it is
finite and nested no deeper than LONGEST_NESTING.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import struct_pb2

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.pb.wire.v1 import raw_pb2
from reprise.rpc.wire import field_head, parse

# Readers stop at 100 messages by default; a level of JSON costs up to three, and an answer up to eight around
# it.
LONGEST_NESTING = 30
_MESSAGES_AROUND = 8
# A whole number that a double can hold and an int64 too is written without a fraction.
_INTEGERS_BELOW = 2.0**63
_EXACT_IN_A_DOUBLE = 2**53
# A number_value whose exponent is all ones. The tag may have been padded by a hostile encoder.
_NOT_FINITE = re.compile(rb"(?:\x11|\x91\x80*\x00).{6}[\xf0-\xff][\x7f\xff]", re.DOTALL)


def json_text(value: struct_pb2.Value, field: str, nesting: int = LONGEST_NESTING) -> str:
    """Compact JSON with sorted keys.

    Errors: InvalidArgument for NaN, infinity, too deep nesting, no value at all.
    """
    return compact_json(_plain(value, field, nesting))


def struct_json(struct: struct_pb2.Struct, field: str) -> str:
    """As `json_text`, of an object."""
    return compact_json(_plain_struct(struct, field, LONGEST_NESTING))


def compact_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def number_json(number: float, field: str) -> int | float:
    """The number as JSON writes it: whole ones as integers. Errors: InvalidArgument for NaN and infinity."""
    if not math.isfinite(number):
        raise InvalidArgument(FieldProblem(field, f"expected a finite number, got {number}"))
    return int(number) if number.is_integer() and abs(number) < _INTEGERS_BELOW else number


def _plain(value: struct_pb2.Value, field: str, depth: int) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            return number_json(value.number_value, field)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "null_value":
            return None
        case "struct_value":
            return _plain_struct(value.struct_value, field, depth)
        case "list_value":
            _check_depth(depth, field)
            return [
                _plain(item, f"{field}[{index}]", depth - 1)
                for index, item in enumerate(value.list_value.values)
            ]
        case _:
            raise InvalidArgument(FieldProblem(field, "expected a value, got an empty one"))


def _plain_struct(struct: struct_pb2.Struct, field: str, depth: int) -> dict[str, Any]:
    _check_depth(depth, field)
    return {key: _plain(item, f"{field}.{key}", depth - 1) for key, item in struct.fields.items()}


def _check_depth(depth: int, field: str) -> None:
    if depth <= 0:
        raise InvalidArgument(
            FieldProblem(field[:200], "nested too deeply: more levels of lists and structs than are allowed")
        )


def set_from_json(target: struct_pb2.Value, text: str) -> None:
    """Show JSON text as a Value.

    What a Value cannot hold is shown as its text: integers past 2^53 (a wrong number would be worse than a
    string), numbers past a double's range, and what is nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        target.string_value = text
        return
    if isinstance(value, (list, dict)) and _depth(value) > LONGEST_NESTING:
        target.string_value = text
        return
    _set(target, value)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, (list, dict))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _set(target: struct_pb2.Value, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        if abs(value) <= _EXACT_IN_A_DOUBLE:
            target.number_value = value
        else:
            target.string_value = str(value)
    elif isinstance(value, float):
        if math.isfinite(value):
            target.number_value = value
        else:
            target.string_value = str(value)
    elif value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, dict):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _set(target.struct_value.fields[key], item)
    else:
        target.list_value.SetInParent()
        for item in value:
            _set(target.list_value.values.add(), item)


def checked_struct(data: bytes, field: str) -> struct_pb2.Struct:
    """A Struct that every client can read back from an answer.

    Errors: InvalidArgument for broken bytes, too deep nesting, and numbers that JSON does not have.
    """
    heads: list[bytes] = []
    length = len(data)
    for number in (2, *(1,) * _MESSAGES_AROUND):
        heads.append(field_head(number, length))
        length += len(heads[-1])
    nested = parse(raw_pb2.Nested, b"".join((*reversed(heads), data)), field)
    for _ in range(_MESSAGES_AROUND):
        nested = nested.inner
    struct = nested.value
    # Walking a large Struct from Python takes seconds, and only bytes that look like it can hold NaN.
    if _NOT_FINITE.search(data) is not None:
        for path, found in _numbers(struct, field):
            number_json(found, path)
    return struct


def _numbers(struct: struct_pb2.Struct, field: str) -> Iterator[tuple[str, float]]:
    stack = [(f"{field}.{key}", value) for key, value in struct.fields.items()]
    while stack:
        path, value = stack.pop()
        match value.WhichOneof("kind"):
            case "number_value":
                yield path, value.number_value
            case "struct_value":
                stack += [(f"{path}.{key}", item) for key, item in value.struct_value.fields.items()]
            case "list_value":
                stack += [(f"{path}[{index}]", item) for index, item in enumerate(value.list_value.values)]
