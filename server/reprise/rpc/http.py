"""The HTTP port: the API as REST, its description, /healthz, and one plain page of recent runs.

Invariants: a page of another site can neither call nor read it (no CORS, foreign Host and Origin refused: DNS
rebinding) nor bring script into it (everything is escaped, and the policy allows none). `stop` returns when no call is
under way any more, or when its grace is over.
"""

from __future__ import annotations

import html
import json
import select
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from reprise.domain.authorization import Caller, Permission
from reprise.domain.errors import (
    FieldProblem,
    InvalidArgument,
    PermissionDenied,
    RepriseError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from reprise.domain.names import Parent
from reprise.domain.run import ListQuery, Run
from reprise.rpc.edge import Edge
from reprise.rpc.errors import status_of
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.json_requests import JSON, Request
from reprise.rpc.openapi import document
from reprise.rpc.rest import Answer, Gateway, error_answer
from reprise.rpc.task_log import LogReader
from reprise.rpc.watch import Watches

if TYPE_CHECKING:
    from reprise.service import PipelineService

_LONGEST_REQUEST_S = 10.0
_RUNS_SHOWN = 100
_POLL_S = 0.1  # how soon it is seen that the server is to stop
_MOST_CALLS = 200  # at once; each has a thread
_LARGEST_BODY_BYTES = 64 * 1024 * 1024
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd}"
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class HttpServer:
    """Bound when made, so that whoever asks for port 0 knows the address. Answers from `start` to `stop`."""

    def __init__(
        self,
        service: PipelineService,
        address: str,
        default_parent: Parent,
        largest_body_bytes: int = _LARGEST_BODY_BYTES,
        most_calls: int = _MOST_CALLS,
        *,
        edge: Edge | None = None,
        watches: Watches | None = None,
        more_hosts: Sequence[str] = (),
        waiting_calls: int = 64,
    ) -> None:
        """`more_hosts`: names by which this server may be called, beside its own and those of this machine.

        Errors: OSError when the address is taken.
        """
        edge = edge or Edge()
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        self._logs = LogReader()
        self._server = _Server((host, int(port)), _Handler)
        self.address = f"{host}:{self._server.server_port}"
        self._server.service = service
        self._server.default_parent = default_parent
        self._server.hosts = frozenset(
            {host, "localhost", "127.0.0.1", "::1", *(each.lower() for each in more_hosts)}
        )
        self._watches = watches or Watches()
        self._server.edge = edge
        self._server.gateway = Gateway(
            PipelineHandlers(service, self._logs, self._watches, edge),
            OperationHandlers(service, edge),
            waiting_calls,
            edge.authorizer,
        )
        self._server.gate = _Gate(most_calls)
        self._server.largest_body_bytes = largest_body_bytes
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="reprise-http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self, grace_s: float = 0.0) -> None:
        """Take no more calls and give those that are there `grace_s` to end; those that wait stop waiting."""
        self._server.gate.close()
        self._logs.close()
        self._watches.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.gate.wait_until_empty(grace_s)


class _Gate:
    """Counts the calls under way."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._changed = threading.Condition()
        self.is_open = True

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Errors: ResourceExhausted at the limit, Unavailable once closed."""
        with self._changed:
            if not self.is_open:
                raise Unavailable("the server is stopping")
            if self._inside >= self._most:
                raise ResourceExhausted(f"{self._most} calls over HTTP are under way already")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.is_open = False

    def wait_until_empty(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._inside and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    service: PipelineService
    default_parent: Parent
    hosts: frozenset[str]
    gateway: Gateway
    edge: Edge
    gate: _Gate
    largest_body_bytes: int


class _Handler(BaseHTTPRequestHandler):
    timeout = _LONGEST_REQUEST_S
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "reprise"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        url = urllib.parse.urlsplit(self.path)
        gateway = cast(_Server, self.server).gateway
        if gateway.table.is_known(url.path):
            self._call()
        elif self._has_body():
            self.close_connection = True
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", "no body is expected here\n")
        elif url.path == "/healthz":
            self._answer(HTTPStatus.OK, "text/plain", "ok\n")
        elif url.path == "/openapi.json":
            self._answer(HTTPStatus.OK, JSON, json.dumps(document(gateway.table)))
        elif url.path == "/":
            self._runs(urllib.parse.parse_qs(url.query))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "not found\n")

    def do_POST(self) -> None:
        if self._is_for_us():
            self._call()

    def do_HEAD(self) -> None:
        self.do_GET()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every other method, one that nobody has heard of too: the gateway says which it answers."""
        if name.startswith("do_"):
            return self.do_POST
        raise AttributeError(name)

    def _is_for_us(self) -> bool:
        if self._is_ours(self.headers.get("Host"), "") and self._is_own_origin():
            return True
        self.close_connection = True
        self._answer(HTTPStatus.FORBIDDEN, "text/plain", "this server answers under its own name only\n")
        return False

    def _has_body(self) -> bool:
        return self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers

    def _call(self) -> None:
        server = cast(_Server, self.server)
        try:
            with server.gate.passed():
                request = Request(
                    self.command,
                    self.path,
                    self.headers.get("Content-Type", ""),
                    self._body(),
                    self.headers.get("X-Request-Id", ""),
                    self._caller(),
                )
                self._send(server.gateway.answer(request, self._is_waited_for))
        except RepriseError as error:
            self.close_connection = True  # the body may not have been read
            self._send(error_answer(status_of(error)))
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # nobody waits for the answer any more

    def _caller(self) -> Caller:
        metadata = {name.lower(): value for name, value in self.headers.items()}
        return Caller(metadata, f"{self.client_address[0]}:{self.client_address[1]}")

    def _body(self) -> bytes:
        """Errors: InvalidArgument, ResourceExhausted, TimeoutError, ConnectionError."""
        if "Transfer-Encoding" in self.headers:
            raise InvalidArgument(FieldProblem("", "expected a body with Content-Length, not in chunks"))
        text = self.headers.get("Content-Length", "0")
        if not (text.isascii() and text.isdigit()) or len(self.headers.get_all("Content-Length", [])) > 1:
            raise InvalidArgument(FieldProblem("", f"expected a Content-Length, got {text[:40]!r}"))
        most = cast(_Server, self.server).largest_body_bytes
        if len(text) > 19 or int(text) > most:
            raise ResourceExhausted(f"expected a body of at most {most} bytes, got {text[:40]}")
        data = self.rfile.read(int(text))
        if len(data) < int(text):
            raise ConnectionError
        return data

    def _send(self, answer: Answer) -> None:
        if not answer.is_stream:
            self._answer(answer.status, JSON, b"".join(answer.pieces), answer.headers)
            return
        # Somebody who speaks HTTP/1.0 is told of the end of the stream by the end of the connection.
        is_chunked = self.request_version != "HTTP/1.0"
        self.close_connection = True
        self._head(answer.status, JSON, {"Transfer-Encoding": "chunked"} if is_chunked else {})
        for piece in answer.pieces:
            self._write_piece(piece, is_chunked)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _is_waited_for(self) -> bool:
        """False once the caller has gone, or the server is to stop."""
        if not cast(_Server, self.server).gate.is_open:
            return False
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        try:
            return not poll.poll(0) or bool(self.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _write_piece(self, piece: bytes, is_chunked: bool) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)

    def _runs(self, query: dict[str, list[str]]) -> None:
        server = cast(_Server, self.server)
        try:
            text = query.get("parent", [str(server.default_parent)])[0]
            parent = server.edge.projects.parent(text)
            server.edge.authorizer.authorize(self._caller(), Permission.LIST, parent)
            page = server.service.list(
                ListQuery(parent, page_size=_RUNS_SHOWN, page_token=query.get("page_token", [""])[0])
            )
        except InvalidArgument as error:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"{error.message}\n")
        except (PermissionDenied, Unauthenticated) as error:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", f"{error.message}\n")
        except RepriseError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error.message}\n")
        else:
            self._answer(HTTPStatus.OK, "text/html", _page(parent, page.runs, page.next_token))

    def _is_own_origin(self) -> bool:
        origin = self.headers.get("Origin")
        if origin is None:
            return True
        scheme, _, rest = origin.partition("://")
        return scheme == "http" and self._is_ours(rest, str(cast(_Server, self.server).server_port))

    def _is_ours(self, host: str | None, port: str) -> bool:
        """Whether a Host is a name of this server; the end of an Origin must name our `port` too."""
        if host is None:
            return False
        try:
            parts = urllib.parse.urlsplit(f"//{host}")
            found_port = parts.port
        except ValueError:
            return False
        is_port_ours = not port or str(found_port or 80) == port
        return parts.hostname in cast(_Server, self.server).hosts and is_port_ours

    def _answer(
        self, status: int, kind: str, content: str | bytes, more: Mapping[str, str] | None = None
    ) -> None:
        body = content.encode() if isinstance(content, str) else content
        self._head(status, kind, {"Content-Length": str(len(body)), **(more or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, kind: str, more: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        for name, value in (_HEADERS | dict(more)).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds; they are not worth a line each."""


def _page(parent: Parent, runs: Sequence[Run], next_token: str) -> str:
    rows = "".join(_row(run) for run in runs) or "<tr><td colspan=5>no runs yet</td></tr>"
    more = ""
    if next_token:
        link = urllib.parse.urlencode({"parent": str(parent), "page_token": next_token})
        more = f'<p><a href="/?{html.escape(link)}">older runs</a></p>'
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Reprise</title><style>{_STYLE}</style>"
        f"<h1>Runs</h1><form><input name=parent size=60 value='{html.escape(str(parent))}'>"
        " <button>show</button>"
        "</form><table><tr><th>run<th>pipeline<th>state<th>created<th>ended</tr>"
        f"{rows}</table>{more}"
    )


def _row(run: Run) -> str:
    error = f"<br><small>{html.escape(run.error.message[:300])}</small>" if run.error else ""
    cells = (
        f"{html.escape(run.name.job_id)}<br><small>{html.escape(run.display_name)}</small>",
        html.escape(run.pipeline_name),
        f"{run.state.name}{error}",
        _time(run.created_ns),
        _time(run.ended_ns),
    )
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}</tr>"


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at_ns else ""
