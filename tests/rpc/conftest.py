"""A real gRPC server on a free port, in front of a service double."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from reprise.rpc.edge import Edge
from reprise.rpc.server import GrpcServer, Limits
from service_double import ServiceDouble

REPRISE = "reprise.v1.PipelineService"
V1 = "google.cloud.aiplatform.v1.PipelineService"
V1BETA1 = "google.cloud.aiplatform.v1beta1.PipelineService"
OPERATIONS = "google.longrunning.Operations"


@dataclass(frozen=True)
class Refusal:
    """A status as a client sees it."""

    code: grpc.StatusCode
    message: str
    info: error_details_pb2.ErrorInfo
    violations: dict[str, str]


@dataclass
class Caller:
    """Calls methods by path, with bytes or messages."""

    channel: grpc.Channel

    def __call__(
        self, method: str, request: Message | bytes, answer: type[Message] | None = None, **options: Any
    ) -> Any:
        data = request if isinstance(request, bytes) else request.SerializeToString()
        found = self.channel.unary_unary(f"/{method}")(data, timeout=20, **options)
        return found if answer is None else answer.FromString(found)

    def stream(self, method: str, request: Message) -> Iterator[bytes]:
        call: Iterator[bytes] = self.channel.unary_stream(f"/{method}")(
            request.SerializeToString(), timeout=20
        )
        return call

    def refused(self, method: str, request: Message | bytes, **options: Any) -> Refusal:
        with pytest.raises(grpc.RpcError) as caught:
            self(method, request, **options)
        return refusal_of(caught.value)


def refusal_of(error: Any) -> Refusal:
    info, violations = error_details_pb2.ErrorInfo(), {}
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    continue
                request = error_details_pb2.BadRequest()
                assert detail.Unpack(request)
                violations = {each.field: each.description for each in request.field_violations}
    return Refusal(error.code(), error.details(), info, violations)


@pytest.fixture
def service() -> ServiceDouble:
    return ServiceDouble()


@pytest.fixture
def make_caller() -> Iterator[Callable[..., Caller]]:
    closers: list[Callable[[], Any]] = []

    def make(service: ServiceDouble, limits: Limits | None = None, edge: Edge | None = None) -> Caller:
        server = GrpcServer(service, limits, edge)  # type: ignore[arg-type]
        address = server.listen("127.0.0.1:0")
        server.start()
        channel = grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)])
        closers.append(lambda: server.stop(0))
        closers.append(channel.close)
        return Caller(channel)

    yield make
    for close in reversed(closers):
        close()


@pytest.fixture
def call(service: ServiceDouble, make_caller: Callable[..., Caller]) -> Caller:
    return make_caller(service)
