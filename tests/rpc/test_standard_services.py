"""Health of each service, reflection under every name, and what is not served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from conftest import OPERATIONS, REPRISE, V1, V1BETA1, Caller
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from reprise.rpc.server import GrpcServer
from service_double import ServiceDouble

REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
HEALTH = "grpc.health.v1.Health"
ALL = (REPRISE, V1, V1BETA1, OPERATIONS, HEALTH, *REFLECTION)


def reflect(call: Caller, path: str, *questions: reflection_pb2.ServerReflectionRequest) -> list[Any]:
    stream = call.channel.stream_stream(
        f"/{path}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return list(stream(iter(questions), timeout=20))


@pytest.mark.parametrize("name", ["", *ALL])
def test_every_service_that_is_served_has_a_health_of_its_own(call: Caller, name: str) -> None:
    request = health_pb2.HealthCheckRequest(service=name)
    answer = call(f"{HEALTH}/Check", request, health_pb2.HealthCheckResponse)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_service_that_is_not_here_is_not_found(call: Caller) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(f"{HEALTH}/Check", health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_watched_health_tells_of_the_end(service: ServiceDouble) -> None:
    server = GrpcServer(service)  # type: ignore[arg-type]
    address = server.listen("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(address) as channel:
        watch: Iterator[bytes] = channel.unary_stream(f"/{HEALTH}/Watch")(
            health_pb2.HealthCheckRequest(service=V1).SerializeToString(), timeout=20
        )
        first = health_pb2.HealthCheckResponse.FromString(next(watch))
        server.stop(0.2)
        second = health_pb2.HealthCheckResponse.FromString(next(watch))
    assert (first.status, second.status) == (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )


@pytest.mark.parametrize("path", REFLECTION)
def test_reflection_lists_and_describes_every_service(call: Caller, path: str) -> None:
    Question = reflection_pb2.ServerReflectionRequest  # noqa: N806
    listed = reflect(call, path, Question(list_services="*"))[0].list_services_response
    assert {each.name for each in listed.service} == set(ALL)
    for name in ALL:
        [answer] = reflect(call, path, Question(file_containing_symbol=name))
        pool = descriptor_pool.DescriptorPool()
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(each)
            for each in answer.file_descriptor_response.file_descriptor_proto
        ]
        left = {file.name: file for file in files}
        while left:  # what others need comes first
            ready = [file for file in left.values() if not left.keys() & set(file.dependency)]
            assert ready
            for file in ready:
                pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
                del left[file.name]
        methods = {method.name for method in pool.FindServiceByName(name).methods}
        if name in (V1, V1BETA1):
            assert "CreatePipelineJob" in methods and "RerunPipelineJob" not in methods


def test_reflection_leaves_vertex_ais_names_to_googles_sdk(call: Caller) -> None:
    reflect(call, REFLECTION[0], reflection_pb2.ServerReflectionRequest(file_containing_symbol=V1))
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindServiceByName(V1)


def test_what_reflection_does_not_know_is_said_in_an_answer(call: Caller) -> None:
    question = reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Thing")
    assert reflect(call, REFLECTION[0], question)[0].error_response.error_code == 5


@pytest.mark.parametrize("method", [f"{HEALTH}/Check", f"{HEALTH}/Watch"])
def test_broken_bytes_are_an_invalid_argument_here_too(call: Caller, method: str) -> None:
    kind = call.channel.unary_unary if method.endswith("Check") else call.channel.unary_stream
    with pytest.raises(grpc.RpcError) as caught:
        found = kind(f"/{method}")(b"\xff\xff", timeout=20)
        next(found)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as caught:
        list(
            call.channel.stream_stream(f"/{REFLECTION[0]}/ServerReflectionInfo")(iter([b"\xff"]), timeout=20)
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_channelz_is_off(call: Caller) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("grpc.channelz.v1.Channelz/GetServers", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
