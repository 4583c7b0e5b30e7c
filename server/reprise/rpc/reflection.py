"""The API as server reflection describes it, so that generic clients can call it by any of its names.

Invariant: nothing is defined in the process's own pool of descriptors. There the names of Vertex AI's services
belong to Google's SDK, which may be loaded beside this server.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from google.longrunning import operations_proto_pb2 as operations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._base import BaseReflectionServicer

from reprise.domain.errors import FieldProblem, InvalidArgument
from reprise.domain.run import Party
from reprise.pb.v1 import pipeline_service_pb2

# The same messages under two names: the newer clients ask by the first.
SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_LONGEST_NAME = 1000


class Reflection:
    """Answers the questions of one stream, message by message. What is not there is said in an answer."""

    def __init__(self, service_names: tuple[str, ...], vertex_methods: frozenset[str]) -> None:
        """`vertex_methods`: those that are served under the names of Vertex AI too."""
        self._base = BaseReflectionServicer((*service_names, *SERVICES), _pool(vertex_methods))

    def answer(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        """Errors: InvalidArgument for what is no question."""
        for data in requests:
            request = reflection_pb2.ServerReflectionRequest()
            try:
                request.ParseFromString(data)
            except Exception:
                raise InvalidArgument(
                    FieldProblem("", "the bytes are not a ServerReflectionRequest")
                ) from None
            yield self._respond(request).SerializeToString()

    def _respond(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> reflection_pb2.ServerReflectionResponse:
        base = self._base
        match request.WhichOneof("message_request"):
            case "file_by_filename":
                return base._file_by_filename(request, request.file_by_filename[:_LONGEST_NAME])
            case "file_containing_symbol":
                return base._file_containing_symbol(request, request.file_containing_symbol[:_LONGEST_NAME])
            case "file_containing_extension":
                asked = request.file_containing_extension
                return base._file_containing_extension(request, asked.containing_type, asked.extension_number)
            case "all_extension_numbers_of_type":
                return base._all_extension_numbers_of_type(request, request.all_extension_numbers_of_type)
            case "list_services":
                return base._list_services(request)
            case _:
                raise InvalidArgument(FieldProblem("message_request", "expected a question"))


@cache
def _pool(vertex_methods: frozenset[str]) -> descriptor_pool.DescriptorPool:
    """A pool of its own: copies of our files and of what they need, and Vertex AI's services made of the same."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: FileDescriptor) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for needed in file.dependencies:
            add(needed)
        pool.AddSerializedFile(file.serialized_pb)

    for file in (
        pipeline_service_pb2.DESCRIPTOR,
        operations_pb2.DESCRIPTOR,
        health_pb2.DESCRIPTOR,
        reflection_pb2.DESCRIPTOR,
    ):
        add(file)
    for party in (Party.VERTEX_V1, Party.VERTEX_V1BETA1):
        pool.AddSerializedFile(_vertex_file(party, vertex_methods).SerializeToString())
    pool.AddSerializedFile(_reflection_v1().SerializeToString())
    return pool


def _vertex_file(party: Party, methods: frozenset[str]) -> descriptor_pb2.FileDescriptorProto:
    ours = descriptor_pb2.FileDescriptorProto()
    pipeline_service_pb2.DESCRIPTOR.CopyToProto(ours)
    file = descriptor_pb2.FileDescriptorProto(
        name=f"reprise/served/{party}.proto",
        package=str(party),
        syntax="proto3",
        dependency=[pipeline_service_pb2.DESCRIPTOR.name, *ours.dependency],
    )
    service = file.service.add(name=ours.service[0].name)
    for method in ours.service[0].method:
        if method.name in methods:
            service.method.add().CopyFrom(method)
            service.method[-1].ClearField("options")
    return file


def _reflection_v1() -> descriptor_pb2.FileDescriptorProto:
    """The newer name of the same service."""
    older = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(older)
    file = descriptor_pb2.FileDescriptorProto(
        name="reprise/served/reflection.proto",
        package="grpc.reflection.v1",
        syntax="proto3",
        dependency=[reflection_pb2.DESCRIPTOR.name],
    )
    file.service.add().CopyFrom(older.service[0])
    return file
