"""The handlers over HTTP with JSON: a request becomes a message, its bytes go to the handler that gRPC calls too.

Invariants: what cannot be read is refused by name, nothing is passed over in silence; every error leaves as Google's
JSON form of the status that a gRPC caller would get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from google.protobuf import message_factory
from google.rpc import status_pb2
from google.rpc.code_pb2 import Code

from reprise.domain.authorization import AllowAll, Authorizer
from reprise.domain.errors import NotFound, Unimplemented
from reprise.rpc.call import Call
from reprise.rpc.errors import status_of
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.json_answers import dump, plain, to_json
from reprise.rpc.json_requests import Request, read_format, read_message, read_query, snake
from reprise.rpc.routes import Route, RouteTable, route_table
from reprise.rpc.waiting_room import WaitingRoom

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

_WAITING = "WaitOperation"


@dataclass(frozen=True, slots=True)
class Answer:
    """`pieces`: JSON text; one, or several where the method is a stream."""

    status: int
    pieces: Iterator[bytes]
    headers: Mapping[str, str]
    is_stream: bool = False


class Gateway:
    """Serves every route of the table by the handler of its method.

    Of the calls that hold a thread for long, `waiting_calls` at most are served at once.
    """

    def __init__(
        self,
        pipelines: PipelineHandlers,
        operations: OperationHandlers,
        waiting_calls: int = 64,
        authorizer: Authorizer | None = None,
    ) -> None:
        self.table: RouteTable = route_table()
        self._waiting = WaitingRoom(waiting_calls)
        self._authorizer = authorizer or AllowAll()
        self._handlers: dict[str, Callable[[bytes, Call], Any]] = {
            route.method.full_name: getattr(
                operations if route.method.containing_service.name == "Operations" else pipelines,
                snake(route.method.name).lower(),
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
            route, given = match.route, read_query(query)
            are_enums_numbers = read_format(given)
            message = read_message(route, match.variables, given, request)
            call = Call(
                route.party,
                request.request_id,
                is_active,
                caller=lambda: request.caller,
                authorizer=self._authorizer,
            )
            found = self._run(route, message.SerializeToString(), call)
            kind = message_factory.GetMessageClass(route.method.output_type)

            def encode(data: bytes) -> bytes:
                return to_json(kind.FromString(data), are_enums_numbers)

            if route.method.server_streaming:
                return Answer(HTTPStatus.OK, _array(found, encode), {}, is_stream=True)
            return Answer(HTTPStatus.OK, iter((encode(found),)), {})
        except Exception as error:
            return error_answer(status_of(error))

    def _run(self, route: Route, data: bytes, call: Call) -> Any:
        handler = self._handlers[route.method.full_name]
        if route.method.server_streaming:
            return self._seated(handler(data, call))
        if route.method.name == _WAITING:
            with self._waiting.seat():
                return handler(data, call)
        return handler(data, call)

    def _seated(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with self._waiting.seat():
            yield from pieces


def error_answer(
    status: status_pb2.Status, http_status: int = 0, headers: Mapping[str, str] | None = None
) -> Answer:
    """Google's JSON form of a status."""
    number = http_status or STATUSES.get(status.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    error = {
        "code": int(number),
        "message": status.message,
        "status": Code.Name(status.code),
        "details": [plain(detail, are_enums_numbers=False) for detail in status.details],
    }
    return Answer(int(number), iter((dump({"error": error}),)), headers or {})


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
