"""The page and the probe."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from reprise.domain.errors import Unavailable
from reprise.domain.run import RunDetails
from reprise.rpc.http import HttpServer
from service_double import PARENT, ServiceDouble, make_run


@pytest.fixture
def address(service: ServiceDouble) -> Iterator[str]:
    server = HttpServer(service, "127.0.0.1:0", PARENT)  # type: ignore[arg-type]
    server.start()
    yield server.address
    server.stop()


def fetch(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_probe_is_told_that_the_server_is_up(address: str) -> None:
    assert fetch(address, "/healthz") == (200, "ok\n")


def test_the_page_lists_runs_and_escapes_what_their_callers_wrote(
    address: str, service: ServiceDouble
) -> None:
    service.put(RunDetails(make_run(display_name="<script>alert(1)</script>"), b""))
    status, text = fetch(address, "/")
    assert status == 200
    assert "r1" in text
    assert "RUNNING" in text
    assert "<script>" not in text


def test_another_parent_can_be_asked_for(address: str, service: ServiceDouble) -> None:
    assert fetch(address, "/?parent=projects/a/locations/b")[0] == 200
    assert str(service.queries[0].parent) == "projects/a/locations/b"
    status, text = fetch(address, "/?parent=nonsense")
    assert status == 400
    assert "parent" in text


def test_a_store_that_is_away_is_said_to_be(address: str, service: ServiceDouble) -> None:
    service.failure = Unavailable()
    assert fetch(address, "/")[0] == 503
    assert fetch(address, "/healthz")[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[", "127.0.0.1.evil"])
@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_a_foreign_host_is_refused(address: str, path: str, host: str) -> None:
    assert fetch(address, path, Host=host)[0] == 403


def test_names_of_the_server_itself_are_accepted(address: str) -> None:
    port = address.rpartition(":")[2]
    for host in (f"localhost:{port}", "localhost", f"127.0.0.1:{port}"):
        assert fetch(address, "/healthz", Host=host)[0] == 200


def test_a_host_by_which_it_is_known_to_others_is_accepted_with_its_origin(service: ServiceDouble) -> None:
    server = HttpServer(service, "127.0.0.1:0", PARENT, more_hosts=["Reprise.example"])  # type: ignore[arg-type]
    server.start()
    try:
        for host in ("reprise.example", "REPRISE.example:8080"):
            assert fetch(server.address, "/healthz", Host=host)[0] == 200
        name = f"reprise.example:{server.address.rpartition(':')[2]}"
        own = {"Host": name, "Origin": f"http://{name}"}
        assert fetch(server.address, "/healthz", **own)[0] == 200
        assert fetch(server.address, "/healthz", Host="reprise.example.evil")[0] == 403
        foreign = {"Host": name, "Origin": "http://evil.example"}
        assert fetch(server.address, "/healthz", **foreign)[0] == 403
    finally:
        server.stop()


def test_only_its_own_origin_is_accepted(address: str) -> None:
    assert fetch(address, "/", Origin=f"http://{address}")[0] == 200
    for origin in (
        "http://evil.example",
        "null",
        "https://localhost",
        "http://localhost:1",
        f"https://{address}",
    ):
        assert fetch(address, "/", Origin=origin)[0] == 403


def test_other_paths_and_methods_are_refused(address: str) -> None:
    assert fetch(address, "/etc/passwd")[0] == 404
    assert fetch(address, "/", "POST")[0] == 404
    assert fetch(address, "/", "OPTIONS")[0] == 404
