"""The server around the handlers: limits, TLS, health, logs as streams, other hosts."""

from __future__ import annotations

import asyncio
import datetime
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from conftest import OPERATIONS, REPRISE, V1, Caller, refusal_of
from google.longrunning import operations_proto_pb2 as longrunning
from grpc_health.v1 import health_pb2
from reprise.domain.run import Operation, RunDetails
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2, rerun_pb2
from reprise.rpc.handlers import OperationHandlers, PipelineHandlers
from reprise.rpc.registration import generic_handlers
from reprise.rpc.server import GrpcServer, Limits
from reprise.rpc.task_log import LogReader
from reprise.rpc.tls import development_certificate
from reprise.rpc.waiting_room import WaitingRoom
from service_double import PARENT, ServiceDouble, TaskLog, make_run

NAME = f"{PARENT}/pipelineJobs/r1"
GET = f"{V1}/GetPipelineJob"
REQUEST = pipeline_service_pb2.GetPipelineJobRequest(name=NAME)
NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)


@contextmanager
def started(service: ServiceDouble) -> Iterator[GrpcServer]:
    """A server that is stopped whatever happens: its threads would keep the process."""
    server = GrpcServer(service)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop(0)


@pytest.fixture(autouse=True)
def stored(service: ServiceDouble) -> None:
    service.put(RunDetails(make_run(), b""))


def test_the_server_and_each_service_are_healthy(call: Caller) -> None:
    for name in ("", REPRISE, V1, OPERATIONS):
        request = health_pb2.HealthCheckRequest(service=name)
        answer = call("grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_message_above_the_limit_is_refused(
    service: ServiceDouble, make_caller: Callable[..., Caller]
) -> None:
    call = make_caller(service, Limits(receive_bytes=1000))
    with pytest.raises(grpc.RpcError) as caught:
        call(GET, b"x" * 1001)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # type: ignore[attr-defined]


def test_what_grpc_refuses_by_itself_has_the_documented_code_and_no_details(
    make_caller: Callable[..., Caller],
) -> None:
    service = HeldBack()
    service.put(RunDetails(make_run(), b""))
    call = make_caller(service, Limits(receive_bytes=1000, concurrent_calls=1))
    unknown = call.refused(f"{V1}/NoSuchMethod", REQUEST)
    assert (unknown.code, unknown.info.reason) == (grpc.StatusCode.UNIMPLEMENTED, "")
    large = call.refused(GET, b"x" * 1001)
    assert (large.code, large.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
    batch = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[NAME])
    call(f"{V1}/BatchCancelPipelineJobs", batch)
    request = longrunning.WaitOperationRequest(name=f"{PARENT}/operations/1")
    request.timeout.seconds = 1
    wait = call.channel.unary_unary(f"/{OPERATIONS}/WaitOperation").future(request.SerializeToString())
    assert service.arrived.acquire(timeout=20)
    too_many = call.refused(GET, REQUEST)
    assert (too_many.code, too_many.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
    service.is_let_go.set()
    assert wait.result(20)


def test_a_taken_address_is_an_os_error(service: ServiceDouble) -> None:
    with started(service) as one, started(service) as other:
        address = one.listen("127.0.0.1:0")
        one.start()
        with pytest.raises(OSError, match=address):
            other.listen(address)


def test_a_unix_socket_can_be_listened_on(service: ServiceDouble, tmp_path: Path) -> None:
    with started(service) as server:
        address = server.listen(f"unix:{tmp_path}/s")
        server.start()
        with grpc.insecure_channel(address) as channel:
            assert Caller(channel)(GET, REQUEST, pipeline_job_pb2.PipelineJob).name == NAME


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_development_authority_is_served(
    service: ServiceDouble, tmp_path: Path, host: str
) -> None:
    certificate = development_certificate(tmp_path / "tls", datetime.datetime.now(datetime.UTC))
    trusted = grpc.ssl_channel_credentials(certificate.ca_path.read_bytes())
    with started(service) as server:
        port = server.listen_tls("127.0.0.1:0", certificate).rpartition(":")[2]
        server.start()
        with grpc.secure_channel(f"{host}:{port}", trusted) as channel:
            assert Caller(channel)(GET, REQUEST, pipeline_job_pb2.PipelineJob).name == NAME


def test_the_authority_is_made_once_and_its_keys_are_the_users_alone(tmp_path: Path) -> None:
    first = development_certificate(tmp_path / "tls", NOW)
    assert development_certificate(tmp_path / "tls", NOW) == first
    for path in (tmp_path / "tls").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_a_certificate_near_its_end_is_made_anew_by_the_same_authority(tmp_path: Path) -> None:
    first = development_certificate(tmp_path / "tls", NOW)
    authority = first.ca_path.read_bytes()
    later = development_certificate(tmp_path / "tls", NOW + datetime.timedelta(days=790))
    assert later.chain_pem != first.chain_pem
    assert later.ca_path.read_bytes() == authority
    much_later = development_certificate(tmp_path / "tls", NOW + datetime.timedelta(days=3640))
    assert much_later.ca_path.read_bytes() != authority


def test_a_certificate_whose_key_is_another_one_is_made_anew(tmp_path: Path) -> None:
    first = development_certificate(tmp_path / "a", NOW)
    other = development_certificate(tmp_path / "b", NOW)
    (tmp_path / "a" / "server.key").write_bytes(other.key_pem)
    repaired = development_certificate(tmp_path / "a", NOW)
    assert repaired.key_pem not in (first.key_pem, other.key_pem)


class HeldBack(ServiceDouble):
    """Whoever waits for an operation is held until the test lets go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_let_go = threading.Event()
        self.arrived = threading.Semaphore(0)

    def wait_operation(self, name: object, timeout_s: float) -> Operation:
        self.arrived.release()
        self.is_let_go.wait(20)
        return self.operations[1]


def test_waiting_calls_never_starve_the_others(make_caller: Callable[..., Caller]) -> None:
    service = HeldBack()
    service.put(RunDetails(make_run(), b""))
    call = make_caller(service, Limits(workers=1, waiting_calls=3))
    batch = pipeline_service_pb2.BatchCancelPipelineJobsRequest(parent=str(PARENT), names=[NAME])
    call(f"{V1}/BatchCancelPipelineJobs", batch)
    wait = call.channel.unary_unary(f"/{OPERATIONS}/WaitOperation")
    request = longrunning.WaitOperationRequest(name=f"{PARENT}/operations/1")
    request.timeout.seconds = 1
    waiting = [wait.future(request.SerializeToString()) for _ in range(3)]
    for _ in waiting:
        assert service.arrived.acquire(timeout=20)
    assert call(GET, REQUEST, pipeline_job_pb2.PipelineJob).name == NAME
    refusal = call.refused(f"{OPERATIONS}/WaitOperation", request)
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.info.reason == "LIMIT_REACHED"
    service.is_let_go.set()
    for one in waiting:
        assert not longrunning.Operation.FromString(one.result(20)).done


def log_of(call: Caller, **fields: object) -> list[rerun_pb2.GetTaskLogResponse]:
    request = rerun_pb2.GetTaskLogRequest(name=NAME, task="train", **fields)  # type: ignore[arg-type]
    return [
        rerun_pb2.GetTaskLogResponse.FromString(data)
        for data in call.stream(f"{REPRISE}/GetTaskLog", request)
    ]


def test_a_log_comes_in_pieces_that_join_to_the_file(
    call: Caller, service: ServiceDouble, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "log").write_bytes(content)
    service.log = TaskLog(tmp_path / "log", 2, True)
    pieces = log_of(call)
    assert b"".join(piece.data for piece in pieces) == content
    assert [piece.is_complete for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert {piece.attempt for piece in pieces} == {2}
    assert pieces[1].offset == len(pieces[0].data)


@pytest.mark.parametrize(("offset", "expected"), [(3, b"3456"), (-2, b"56"), (-99, b"0123456"), (99, b"")])
def test_a_log_can_be_read_from_an_offset_or_backwards(
    call: Caller, service: ServiceDouble, tmp_path: Path, offset: int, expected: bytes
) -> None:
    (tmp_path / "log").write_bytes(b"0123456")
    service.log = TaskLog(tmp_path / "log", 1, True)
    assert b"".join(piece.data for piece in log_of(call, offset=offset)) == expected


def test_a_log_that_does_not_exist_yet_is_empty(call: Caller, service: ServiceDouble, tmp_path: Path) -> None:
    service.log = TaskLog(tmp_path / "log", 1, False)
    [piece] = log_of(call)
    assert (piece.data, piece.is_complete) == (b"", False)


def test_a_followed_log_goes_on_until_the_attempt_has_ended(
    call: Caller, service: ServiceDouble, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one")
    service.log = TaskLog(path, 1, False)
    request = rerun_pb2.GetTaskLogRequest(name=NAME, task="train", follow=True)
    pieces = call.stream(f"{REPRISE}/GetTaskLog", request)
    assert rerun_pb2.GetTaskLogResponse.FromString(next(pieces)).data == b"one"
    with path.open("ab") as file:
        file.write(b"two")
    assert rerun_pb2.GetTaskLogResponse.FromString(next(pieces)).data == b"two"
    with path.open("ab") as file:
        file.write(b"three")
    service.log = TaskLog(path, 1, True)
    rest = [rerun_pb2.GetTaskLogResponse.FromString(data) for data in pieces]
    assert b"".join(piece.data for piece in rest) == b"three"
    assert rest[-1].is_complete


def test_the_log_of_an_unknown_task_is_not_found(call: Caller) -> None:
    request = rerun_pb2.GetTaskLogRequest(name=NAME, task="nobody")
    with pytest.raises(grpc.RpcError) as caught:
        list(call.stream(f"{REPRISE}/GetTaskLog", request))
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")


def test_stopping_the_server_ends_followed_logs(service: ServiceDouble, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x")
    service.log = TaskLog(tmp_path / "log", 1, False)
    with started(service) as server, grpc.insecure_channel(server.listen("127.0.0.1:0")) as channel:
        server.start()
        request = rerun_pb2.GetTaskLogRequest(name=NAME, task="train", follow=True)
        pieces = Caller(channel).stream(f"{REPRISE}/GetTaskLog", request)
        next(pieces)
        server.stop(10)
        assert list(pieces) == []


def test_the_handlers_mount_in_an_asyncio_server_too(service: ServiceDouble, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x")
    service.log = TaskLog(tmp_path / "log", 1, True)
    waiting = WaitingRoom(4)
    pipelines = PipelineHandlers(service, LogReader())  # type: ignore[arg-type]
    handlers = generic_handlers(pipelines, OperationHandlers(service), waiting)  # type: ignore[arg-type]

    async def main() -> None:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers(handlers)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            await use(port)
        finally:
            await server.stop(None)

    async def use(port: int) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            get = channel.unary_unary(f"/{GET}")
            found = pipeline_job_pb2.PipelineJob.FromString(await get(REQUEST.SerializeToString()))
            assert found.name == NAME
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await get(b"\xff")
            refusal = refusal_of(caught.value)
            assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
            assert refusal.info.reason == "INVALID_ARGUMENT"
            stream = channel.unary_stream(f"/{REPRISE}/GetTaskLog")
            request = rerun_pb2.GetTaskLogRequest(name=NAME, task="train")
            pieces = [piece async for piece in stream(request.SerializeToString())]
            assert len(pieces) == 2

    asyncio.run(main())
    waiting.pool.shutdown()
