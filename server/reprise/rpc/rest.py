"""The handlers over HTTP with JSON: a request becomes a message, its bytes go to the handler that gRPC calls too.

Invariants: what cannot be read is refused by name, nothing is passed over in silence; every error leaves as Google's
JSON form of the status that a gRPC caller would get.
"""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2
from google.rpc.code_pb2 import Code

from reprise.domain.errors import FieldProblem, InvalidArgument, NotFound, Unimplemented
from reprise.domain.run import Party
from reprise.rpc.call import Call
from reprise.rpc.errors import status_of
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.routes import Route, RouteTable, route_table

JSON = "application/json"
# As google.rpc.Code has it.
STATUSES: Mapping[int, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.UNAUTHENTICATED: 401,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
}

# What Google's servers take beside the fields of a request, and what does nothing here.
_SYSTEM_PARAMETERS = frozenset(
    {"key", "access_token", "oauth_token", "quotaUser", "prettyPrint", "xgafv"}
    | {"$key", "$prettyPrint", "$userProject", "$.xgafv", "$xgafv"}
)
_FORMATS = {"json": False, "json;enum-encoding=int": True}
_FIELD_MASK = "google.protobuf.FieldMask"
_AS_TEXT = frozenset({_FIELD_MASK, "google.protobuf.Timestamp", "google.protobuf.Duration"})
_OWN_FIELDS = 1000
_DEEPEST = 100
_WHOLE_BELOW = 2.0**53
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


@dataclass(frozen=True, slots=True)
class Answer:
    """`pieces`: JSON text; several where the method is a stream."""

    status: int
    pieces: Iterator[bytes]
    headers: Mapping[str, str]


class Gateway:
    """Serves every route of the table by the handler of its method."""

    def __init__(self, pipelines: PipelineHandlers, operations: OperationHandlers) -> None:
        self.table: RouteTable = route_table()
        self._handlers: dict[str, Callable[[bytes, Call], Any]] = {
            route.method.full_name: getattr(
                operations if route.method.containing_service.name == "Operations" else pipelines,
                _snake(route.method.name).lower(),
            )
            for route in self.table.routes
        }

    def answer(self, request: Request, is_active: Callable[[], bool] = lambda: True) -> Answer:
        """Never raises. A stream's first piece has been made when this returns, so that its errors are statuses."""
        try:
            path, _, query = request.target.partition("?")
            match = self.table.match(request.verb, path)
            if match.route is None:
                return _no_route(request.verb, path, match.allowed)
            route, given = match.route, _query(query)
            are_enums_numbers = _read_format(given)
            message = _message(route, match.variables, given, request)
            found = self._handlers[route.method.full_name](
                message.SerializeToString(), Call(route.party, request.request_id, is_active)
            )
            kind = message_factory.GetMessageClass(route.method.output_type)

            def encode(data: bytes) -> bytes:
                return to_json(kind.FromString(data), are_enums_numbers)

            pieces = _array(found, encode) if route.method.server_streaming else iter((encode(found),))
            return Answer(HTTPStatus.OK, pieces, {})
        except Exception as error:
            return error_answer(status_of(error))


def error_answer(
    status: status_pb2.Status, http_status: int = 0, headers: Mapping[str, str] | None = None
) -> Answer:
    """Google's JSON form of a status."""
    number = http_status or STATUSES.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    error = {
        "code": int(number),
        "message": status.message,
        "status": Code.Name(status.code),
        "details": [_plain(detail, are_enums_numbers=False) for detail in status.details],
    }
    return Answer(int(number), iter((_dump({"error": error}),)), headers or {})


def to_json(message: Message, are_enums_numbers: bool) -> bytes:
    return _dump(_plain(message, are_enums_numbers))


def _no_route(verb: str, path: str, allowed: frozenset[str]) -> Answer:
    if not allowed:
        return error_answer(status_of(NotFound(f"there is nothing at {path[:200]}")))
    error = Unimplemented(f"{path[:200]} answers {', '.join(sorted(allowed))}, not {verb}")
    headers = {"Allow": ", ".join(sorted(allowed))}
    return error_answer(status_of(error), HTTPStatus.METHOD_NOT_ALLOWED, headers)


def _array(pieces: Iterator[bytes], encode: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """A stream as Google's REST has it: one array, an item a message."""
    first = next(pieces, None)

    def rest() -> Iterator[bytes]:
        yield b"[" + (encode(first) if first is not None else b"")
        for piece in pieces:
            yield b",\n" + encode(piece)
        yield b"]\n"

    return rest()


# --- requests -----------------------------------------------------------------------------------------------------


def _query(text: str) -> dict[str, list[str]]:
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


def _read_format(given: dict[str, list[str]]) -> bool:
    """Take `alt` out of what was given; whether enums leave as numbers."""
    asked = given.pop("$alt", []) + given.pop("alt", [])
    for text in asked:
        if text not in _FORMATS:
            raise InvalidArgument(FieldProblem("alt", f"expected json, got {text[:100]!r}"))
    return any(_FORMATS[text] for text in asked)


def _message(
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
    _try(prefix, lambda: json_format.ParseDict(value, target, max_recursion_depth=_DEEPEST))


def _loads(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except RecursionError:
        raise InvalidArgument(FieldProblem("", "the body is nested too deeply")) from None
    except ValueError as error:
        raise InvalidArgument(FieldProblem("", f"the body is not JSON: {str(error)[:200]}")) from None


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
        masked = [_snake(each.strip()) for each in values[0].split(",") if each.strip()]
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
        path = ".".join((*map(_snake, heads), unknown[1]))
        return FieldProblem(f"{prefix}{path}"[:400], "there is no such field")
    heads = []
    while match := _IN_FIELD.search(text):
        heads.append(_snake(match[1]))
        text = text[match.end() :]
    return FieldProblem((prefix + ".".join(heads)).rstrip(".")[:400], text[:300])


def _snake(name: str) -> str:
    """`displayName` as `display_name`; what is so already stays."""
    return _CAPITAL.sub(lambda match: f"_{match[1].lower()}", name)


# --- answers ------------------------------------------------------------------------------------------------------


class _Names:
    """Finds the messages in an Any: those of Google's names are ours, without the fields that only ours have.

    Google's clients read an operation strictly, so a payload may hold only what the type that it names has.
    """

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802  (json_format calls it)
        for party in (Party.VERTEX_V1, Party.VERTEX_V1BETA1):
            if name.startswith(f"{party}."):
                name = f"{Party.REPRISE}{name.removeprefix(party)}"
        return descriptor_pool.Default().FindMessageTypeByName(name)


_NAMES = _Names()


def _plain(message: Message, are_enums_numbers: bool) -> Any:
    _strip_any(message)
    return json_format.MessageToDict(
        message,
        use_integers_for_enums=are_enums_numbers,
        descriptor_pool=_NAMES,  # type: ignore[arg-type]  # all that json_format asks of one
    )


def _strip_any(message: Message) -> None:
    """Take the fields of our own out of each Any with a type of Google's, at the top of the message or below."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        _strip_payload(message)
        return
    if message.DESCRIPTOR.file.package != "google.longrunning":
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            _strip_any(each)


def _strip_payload(payload: Any) -> None:
    _, _, name = payload.type_url.rpartition("/")
    if name.startswith("google.cloud.aiplatform."):
        message = message_factory.GetMessageClass(_NAMES.FindMessageTypeByName(name)).FromString(
            payload.value
        )
        _strip_own(message)
        payload.value = message.SerializeToString()


def _strip_own(message: Message) -> None:
    for field, value in message.ListFields():
        if field.number >= _OWN_FIELDS:
            message.ClearField(field.name)
        elif field.message_type is not None and field.message_type.file.package == Party.REPRISE:
            if not field.is_repeated:
                _strip_own(value)
            elif not field.message_type.GetOptions().map_entry:
                for each in value:
                    _strip_own(each)


def _dump(value: Any) -> bytes:
    return json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":")).encode()


def _whole(value: Any) -> Any:
    """Whole numbers without a fraction: what was 3 when it was sent is 3 again."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _WHOLE_BELOW else value
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value
