"""How long connections are kept, how a server takes its leave, and by which flags both are set."""

from __future__ import annotations

import argparse
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from conftest import V1
from reprise.cli.arguments import add_commands
from reprise.cli.server import settings_of
from reprise.domain.names import RunName
from reprise.domain.run import RunDetails
from reprise.pb.v1 import pipeline_service_pb2
from reprise.rpc.http import HttpServer
from reprise.rpc.server import Connections, GrpcServer
from service_double import PARENT, ServiceDouble, make_run

GET = f"/{V1}/GetPipelineJob"
REQUEST = pipeline_service_pb2.GetPipelineJobRequest(name=f"{PARENT}/pipelineJobs/r1").SerializeToString()
WAIT_S = 20
# RFC 9113: the preface of a client, an empty SETTINGS frame, and the types of what comes back.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS_FRAME, PING_FRAME, GOAWAY_FRAME = 4, 6, 7


class Held(ServiceDouble):
    """A Get is answered when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.put(RunDetails(make_run(), b""))
        self.arrived = threading.Event()
        self.may_answer = threading.Event()

    def get(self, name: RunName) -> RunDetails:
        self.arrived.set()
        assert self.may_answer.wait(WAIT_S)
        return super().get(name)


@pytest.fixture
def held() -> Iterator[Held]:
    service = Held()
    yield service
    service.may_answer.set()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    servers: list[GrpcServer] = []

    def start(service: ServiceDouble, connections: Connections | None = None) -> str:
        server = GrpcServer(service, connections=connections)  # type: ignore[arg-type]
        address = server.listen("127.0.0.1:0")
        server.start()
        servers.append(server)
        return address

    yield start
    for server in servers:
        server.stop(0)


def answered(channel: grpc.Channel) -> None:
    channel.unary_unary(GET)(REQUEST, timeout=WAIT_S)


@pytest.mark.parametrize("connections", [Connections(age_s=0.2, age_grace_s=5.0), Connections(idle_s=0.2)])
def test_a_connection_that_is_old_or_idle_is_closed_and_the_next_call_makes_another(
    connections: Connections, serve: Callable[..., str], service: ServiceDouble
) -> None:
    service.put(RunDetails(make_run(), b""))
    with grpc.insecure_channel(serve(service, connections)) as channel:
        was_ready, has_left = threading.Event(), threading.Event()

        def see(state: grpc.ChannelConnectivity) -> None:
            if state is grpc.ChannelConnectivity.READY:
                was_ready.set()
            elif was_ready.is_set():
                has_left.set()

        channel.subscribe(see)
        answered(channel)
        assert was_ready.wait(WAIT_S) and has_left.wait(WAIT_S)
        answered(channel)


def test_a_call_under_way_on_an_old_connection_has_its_grace_and_no_more(
    held: Held, serve: Callable[..., str]
) -> None:
    address = serve(held, Connections(age_s=0.1, age_grace_s=0.3))
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        answered(channel)
    held.may_answer.set()
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert held.arrived.is_set()


def test_a_peer_that_says_nothing_any_more_is_asked_and_then_cut_off(
    serve: Callable[..., str], service: ServiceDouble
) -> None:
    host, _, port = serve(service, Connections(keepalive_s=0.3, keepalive_timeout_s=0.3)).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as silent, silent.makefile("rb") as said:
        silent.sendall(PREFACE)
        kinds = []
        while head := said.read(9):
            said.read(int.from_bytes(head[:3], "big"))
            kinds.append(head[3])
    assert kinds[0] == SETTINGS_FRAME and kinds[-2:] == [PING_FRAME, GOAWAY_FRAME]


def test_a_server_that_stops_answers_what_it_has_taken_and_takes_no_more(
    held: Held, serve: Callable[..., str]
) -> None:
    server = GrpcServer(held)  # type: ignore[arg-type]
    address = server.listen("127.0.0.1:0")
    server.start()
    stopping = threading.Thread(target=server.stop, args=(WAIT_S,), daemon=True)
    with grpc.insecure_channel(address) as channel, grpc.insecure_channel(address) as late:
        under_way = channel.unary_unary(GET).future(REQUEST, timeout=WAIT_S)
        assert held.arrived.wait(WAIT_S)
        stopping.start()
        deadline = time.monotonic() + WAIT_S
        while True:  # as soon as it has begun to stop
            try:
                late.unary_unary(f"/{V1}/CancelPipelineJob")(b"", timeout=1)
            except grpc.RpcError as error:
                refusal: Any = error
                if refusal.code() is grpc.StatusCode.UNAVAILABLE:
                    break
            assert time.monotonic() < deadline
        held.may_answer.set()
        assert under_way.result(WAIT_S)
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_http_that_stops_answers_what_it_has_taken(held: Held) -> None:
    server = HttpServer(held, "127.0.0.1:0", PARENT)  # type: ignore[arg-type]
    server.start()
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as caller:
        target = f"/v1/{PARENT}/pipelineJobs/r1"
        caller.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert held.arrived.wait(WAIT_S)
        stopping = threading.Thread(target=server.stop, args=(WAIT_S,), daemon=True)
        stopping.start()
        held.may_answer.set()
        with caller.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 200")
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_the_flags_of_serve_say_how_connections_are_kept(tmp_path: Path) -> None:
    given = (
        "--keepalive=7 --keepalive-timeout=3 --connection-idle=11 --connection-age=60 --connection-age-grace=4 "
        "--drain=2 --http-host=reprise.example --http-host=other.example"
    )
    parser = argparse.ArgumentParser()
    add_commands(parser)
    settings = settings_of(parser.parse_args(["serve", *given.split()]), tmp_path)
    assert settings.connections == Connections(7.0, 3.0, 11.0, 60.0, 4.0)
    assert settings.drain_s == 2.0
    assert list(settings.http_hosts) == ["reprise.example", "other.example"]
    assert dict(settings.connections.options()) == {
        "grpc.keepalive_time_ms": 7000,
        "grpc.keepalive_timeout_ms": 3000,
        "grpc.http2.ping_timeout_ms": 3000,
        "grpc.max_connection_idle_ms": 11_000,
        "grpc.max_connection_age_ms": 60_000,
        "grpc.max_connection_age_grace_ms": 4000,
    }
