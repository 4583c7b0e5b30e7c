"""What a browser or a probe gets: /healthz, and one plain page of recent runs. Reads only.

Invariant: a page of another site can neither read it (no CORS, foreign Host and Origin refused: DNS
rebinding) nor bring script into it (everything is escaped, and the policy allows none).
"""

from __future__ import annotations

import html
import threading
import urllib.parse
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from reprise.domain.errors import InvalidArgument, RepriseError
from reprise.domain.names import Parent
from reprise.domain.run import ListQuery, Run

if TYPE_CHECKING:
    from reprise.service import PipelineService

_LONGEST_REQUEST_S = 10.0
_RUNS_SHOWN = 100
_POLL_S = 0.1  # how soon it is seen that the server is to stop
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

    def __init__(self, service: PipelineService, address: str, default_parent: Parent) -> None:
        """Errors: OSError when the address is taken."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        self._server = _Server((host, int(port)), _Handler)
        self.address = f"{host}:{self._server.server_port}"
        self._server.service = service
        self._server.default_parent = default_parent
        self._server.hosts = frozenset({host, "localhost", "127.0.0.1", "::1"})
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="reprise-http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32
    service: PipelineService
    default_parent: Parent
    hosts: frozenset[str]


class _Handler(BaseHTTPRequestHandler):
    timeout = _LONGEST_REQUEST_S
    server_version = "reprise"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_ours(self.headers.get("Host"), "") or not self._is_own_origin():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "this server answers under its own name only\n")
            return
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/healthz":
            self._answer(HTTPStatus.OK, "text/plain", "ok\n")
        elif url.path == "/":
            self._runs(urllib.parse.parse_qs(url.query))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "not found\n")

    def _runs(self, query: dict[str, list[str]]) -> None:
        server = cast(_Server, self.server)
        try:
            text = query.get("parent", [str(server.default_parent)])[0]
            parent = Parent.parse(text)
            page = server.service.list(
                ListQuery(parent, page_size=_RUNS_SHOWN, page_token=query.get("page_token", [""])[0])
            )
        except InvalidArgument as error:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"{error.message}\n")
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

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

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
