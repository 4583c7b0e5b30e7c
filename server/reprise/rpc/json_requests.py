"""Requests over HTTP as messages: path, query and JSON body into the one that gRPC would have brought.

Invariant: what cannot be read is refused by name; nothing is passed over in silence, and no number is changed.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from reprise.domain.authorization import Caller
from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.rpc.routes import Route

JSON = "application/json"
# What Google's servers take beside the fields of a request, and what does nothing here.
_SYSTEM_PARAMETERS = frozenset(
    {"key", "access_token", "oauth_token", "quotaUser", "prettyPrint", "xgafv"}
    | {"$key", "$prettyPrint", "$userProject", "$.xgafv", "$xgafv"}
)
_FORMATS = {"json": False, "json;enum-encoding=int": True}
_FIELD_MASK = "google.protobuf.FieldMask"
_AS_TEXT = frozenset({_FIELD_MASK, "google.protobuf.Timestamp", "google.protobuf.Duration"})
_DYNAMIC = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
_DEEPEST = 100
_EXACT_IN_A_DOUBLE = 2**53
_UNKNOWN_FIELD = re.compile(r'has no field named "(.*?)" at "(.*?)"')
_IN_FIELD = re.compile(r"^Failed to parse (\S+) field: ", re.DOTALL)
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Request:
    """`target`: path and query as they came. `body`: read only once it is known what it is for."""

    verb: str
    target: str
    content_type: str = ""
    body: bytes = b""
    request_id: str = ""
    caller: Caller = dataclasses.field(default_factory=Caller)


def read_query(text: str) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    try:
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise InvalidArgument(FieldProblem("", "the query is not valid UTF-8")) from None
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    for name in _SYSTEM_PARAMETERS & given.keys():
        del given[name]
    return given


def read_format(given: dict[str, list[str]]) -> bool:
    """Take `alt` out of what was given; whether enums leave as numbers."""
    asked = given.pop("$alt", []) + given.pop("alt", [])
    for text in asked:
        if text not in _FORMATS:
            raise InvalidArgument(FieldProblem("alt", f"expected json, got {text[:100]!r}"))
    return any(_FORMATS[text] for text in asked)


def read_message(
    route: Route, variables: Mapping[str, str], given: Mapping[str, list[str]], request: Request
) -> Message:
    message: Message = message_factory.GetMessageClass(route.request)()
    _read_body(route, message, request)
    for name, values in given.items():
        if route.body == "*":
            raise InvalidArgument(
                FieldProblem(name[:200], "expected in the body, where all fields of this request are")
            )
        _set_from_query(message, name, values, (*route.fields, route.body))
    for field, text in variables.items():
        *heads, last = field.split(".")
        target: Any = message
        for head in heads:
            target = getattr(target, head)
        if getattr(target, last) not in ("", text):
            raise InvalidArgument(FieldProblem(field, f"the path says {text!r}, the body something else"))
        _try(field, functools.partial(setattr, target, last, text))
    return message


def _read_body(route: Route, message: Message, request: Request) -> None:
    if not request.body.strip():
        return
    if request.content_type.partition(";")[0].strip().lower() != JSON:
        raise InvalidArgument(FieldProblem("", f"expected a body with Content-Type: {JSON}"))
    value = _loads(request.body)
    if not isinstance(value, dict):
        raise InvalidArgument(FieldProblem("", "the body is not a JSON object"))
    if not route.body:
        if value:
            raise InvalidArgument(FieldProblem("", f"{request.verb} has no body here"))
        return
    target = message
    if route.body != "*":
        target = getattr(message, route.body)
        target.SetInParent()
    prefix = "" if route.body == "*" else f"{route.body}."
    if b"\\ud" in request.body.lower():
        _check_text(value, prefix)
    _check_exact(target.DESCRIPTOR, value, prefix)
    _try(prefix, lambda: json_format.ParseDict(value, target, max_recursion_depth=_DEEPEST))


def _loads(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except RecursionError:
        raise InvalidArgument(FieldProblem("", "the body is nested too deeply")) from None
    except ValueError as error:
        raise InvalidArgument(FieldProblem("", f"the body is not JSON: {str(error)[:200]}")) from None


def _check_text(value: Any, prefix: str) -> None:
    """Half of a surrogate pair is a string to Python and to nobody else: protobuf may fail on it anywhere.

    Errors: InvalidArgument.
    """
    rest = [(prefix.rstrip("."), value)]
    while rest:
        path, one = rest.pop()
        if isinstance(one, dict):
            rest += [(path, name) for name in one]
            rest += [(f"{path}.{snake(name)}".lstrip("."), item) for name, item in one.items()]
        elif isinstance(one, list):
            rest += [(f"{path}[{index}]", item) for index, item in enumerate(one)]
        elif isinstance(one, str) and any("\ud800" <= letter <= "\udfff" for letter in one):
            shown = path.encode(errors="replace").decode()[:400]
            raise InvalidArgument(FieldProblem(shown, "expected text, found half of a surrogate pair"))


def _check_exact(kind: Any, value: Any, prefix: str) -> None:
    """A Value holds doubles: a whole number that is none would become another one in silence.

    Errors: InvalidArgument.
    """
    if not isinstance(value, dict):
        return  # of the wrong kind, which is said when it is read
    for name, item in value.items():
        field = kind.fields_by_name.get(name) or kind.fields_by_camelcase_name.get(name)
        inner = field.message_type if field is not None else None
        if inner is None:
            continue
        path = f"{prefix}{snake(name)}"
        if inner.GetOptions().map_entry:
            inner = inner.fields_by_name["value"].message_type
            items = list(item.values()) if isinstance(item, dict) else []
        else:
            items = item if isinstance(item, list) else [item]
        if inner is not None and inner.full_name in _DYNAMIC:
            _check_numbers(items, path)
        elif inner is not None:
            for each in items:
                _check_exact(inner, each, f"{path}.")


def _check_numbers(values: list[Any], path: str) -> None:
    left = list(values)
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, int) and abs(value) > _EXACT_IN_A_DOUBLE:
            problem = (
                f"{str(value)[:40]} cannot be told exactly: a number here is a double; send it as a string"
            )
            raise InvalidArgument(FieldProblem(path, problem))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice!r} is given twice")
    return found


def _set_from_query(message: Message, name: str, values: Sequence[str], taken: Sequence[str]) -> None:
    """One parameter: the path of a field, in either of its spellings, and its value or values."""
    kind: Any = message.DESCRIPTOR
    names: list[str] = []
    field: Any = None
    for part in name.split("."):
        if field is not None:
            if field.message_type is None or field.is_repeated or field.message_type.full_name in _AS_TEXT:
                raise _unknown(name)
            kind = field.message_type
        field = kind.fields_by_name.get(part) or kind.fields_by_camelcase_name.get(part)
        if field is None:
            raise _unknown(name)
        names.append(field.name)
    path = ".".join(names)
    if any(path == each or path.startswith(f"{each}.") for each in taken if each):
        raise InvalidArgument(FieldProblem(path, "is given by the path or the body, not by the query"))
    is_text = field.message_type is not None and field.message_type.full_name in _AS_TEXT
    if field.message_type is not None and (not is_text or field.is_repeated):
        raise InvalidArgument(FieldProblem(path, "a message is given field by field"))
    if len(values) > 1 and not field.is_repeated:
        raise InvalidArgument(FieldProblem(path, "is given twice"))
    target: Any = message
    for head in names[:-1]:
        target = getattr(target, head)
    if is_text and field.message_type.full_name == _FIELD_MASK:
        masked = [snake(each.strip()) for each in values[0].split(",") if each.strip()]
        _try(path, lambda: getattr(target, field.name).paths.extend(masked))
        return
    read = [_scalar(field, value, path) for value in values]
    head = "".join(f"{each}." for each in names[:-1])
    _try(head, lambda: json_format.ParseDict({field.name: read if field.is_repeated else read[0]}, target))


def _scalar(field: FieldDescriptor, text: str, path: str) -> Any:
    if field.cpp_type != FieldDescriptor.CPPTYPE_BOOL:
        return text  # json_format reads numbers, enums and times from strings
    if text not in ("true", "false"):
        raise InvalidArgument(FieldProblem(path, f"expected true or false, got {text[:100]!r}"))
    return text == "true"


def _unknown(name: str) -> InvalidArgument:
    return InvalidArgument(FieldProblem(name[:200], "the request has no such field"))


def _try(prefix: str, read: Callable[[], Any]) -> None:
    """Errors: InvalidArgument that names the field, for whatever protobuf does not take."""
    try:
        read()
    except json_format.ParseError as error:
        raise InvalidArgument(_problem(prefix, str(error))) from None
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        # Which of these it is for a value of a wrong kind differs between protobuf's versions.
        raise InvalidArgument(FieldProblem(prefix.rstrip("."), str(error)[:300])) from None


def _problem(prefix: str, text: str) -> FieldProblem:
    """What json_format says, with the field's path where it says one."""
    if unknown := _UNKNOWN_FIELD.search(text):
        _, *heads = unknown[2].split(".")
        path = ".".join((*map(snake, heads), unknown[1]))
        return FieldProblem(f"{prefix}{path}"[:400], "there is no such field")
    heads = []
    while match := _IN_FIELD.search(text):
        heads.append(snake(match[1]))
        text = text[match.end() :]
    return FieldProblem((prefix + ".".join(heads)).rstrip(".")[:400], text[:300])


def snake(name: str) -> str:
    """`displayName` as `display_name`; what is so already stays."""
    return _CAPITAL.sub(lambda match: f"_{match[1].lower()}", name)
