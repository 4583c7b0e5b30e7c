"""Our messages against those of Google's SDK: the same numbers, types and enum values, in v1 and v1beta1."""

from __future__ import annotations

import importlib
import random
import string
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from google.protobuf import any_pb2, struct_pb2, timestamp_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from reprise.pb.v1 import operations_pb2, pipeline_job_pb2, pipeline_service_pb2

OWN_NUMBERS_FROM = 1000
SHARED = {
    "PipelineJob": pipeline_job_pb2.PipelineJob,
    "CreatePipelineJobRequest": pipeline_service_pb2.CreatePipelineJobRequest,
    "GetPipelineJobRequest": pipeline_service_pb2.GetPipelineJobRequest,
    "ListPipelineJobsRequest": pipeline_service_pb2.ListPipelineJobsRequest,
    "ListPipelineJobsResponse": pipeline_service_pb2.ListPipelineJobsResponse,
    "DeletePipelineJobRequest": pipeline_service_pb2.DeletePipelineJobRequest,
    "BatchDeletePipelineJobsRequest": pipeline_service_pb2.BatchDeletePipelineJobsRequest,
    "BatchDeletePipelineJobsResponse": operations_pb2.BatchDeletePipelineJobsResponse,
    "CancelPipelineJobRequest": pipeline_service_pb2.CancelPipelineJobRequest,
    "BatchCancelPipelineJobsRequest": pipeline_service_pb2.BatchCancelPipelineJobsRequest,
    "BatchCancelPipelineJobsResponse": operations_pb2.BatchCancelPipelineJobsResponse,
    "BatchCancelPipelineJobsOperationMetadata": operations_pb2.BatchCancelPipelineJobsOperationMetadata,
    "DeleteOperationMetadata": operations_pb2.DeleteOperationMetadata,
    "PipelineTaskDetail": pipeline_job_pb2.PipelineTaskDetail,
}


@pytest.fixture(scope="module", params=["aiplatform_v1", "aiplatform_v1beta1"])
def sdk(request: pytest.FixtureRequest) -> ModuleType:
    try:
        return importlib.import_module(f"google.cloud.{request.param}")
    except ImportError:
        pytest.skip("needs google-cloud-aiplatform")


def _pairs(theirs: Descriptor, ours: Descriptor, seen: set[str]) -> Iterator[tuple[Descriptor, Descriptor]]:
    if theirs.full_name in seen or not theirs.full_name.startswith("google.cloud."):
        return
    seen.add(theirs.full_name)
    yield theirs, ours
    for field in theirs.fields:
        own = ours.fields_by_number.get(field.number)
        if field.message_type is not None and own is not None and own.message_type is not None:
            yield from _pairs(field.message_type, own.message_type, seen)


def _shape(field: FieldDescriptor) -> dict[str, Any]:
    shape: dict[str, Any] = {
        # proto-plus puts an underscore behind names that Python reserves.
        "name": field.name.rstrip("_"),
        "type": field.type,
        "is_repeated": field.is_repeated,
        "oneof": field.containing_oneof.name if field.containing_oneof else None,
    }
    if field.enum_type is not None:
        shape["values"] = {value.name: value.number for value in field.enum_type.values}
    message = field.message_type
    if message is not None and message.full_name.startswith(("google.protobuf.", "google.rpc.")):
        shape["message"] = message.full_name
    return shape


@pytest.mark.parametrize("name", sorted(SHARED))
def test_every_field_of_theirs_is_ours_with_the_same_number_and_type(sdk: ModuleType, name: str) -> None:
    theirs = getattr(sdk, name).pb().DESCRIPTOR
    for their_message, our_message in _pairs(theirs, SHARED[name].DESCRIPTOR, set()):
        for field in their_message.fields:
            own = our_message.fields_by_number.get(field.number)
            assert own is not None, f"{their_message.full_name}.{field.name}"
            assert _shape(own) == _shape(field), f"{their_message.full_name}.{field.name}"


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_is_ours_alone_has_numbers_from_1000_up(name: str) -> None:
    sdk = pytest.importorskip("google.cloud.aiplatform_v1beta1")
    theirs = getattr(sdk, name).pb().DESCRIPTOR
    for their_message, our_message in _pairs(theirs, SHARED[name].DESCRIPTOR, set()):
        their_numbers = set(their_message.fields_by_number)
        alone = {
            field.number: field.name for field in our_message.fields if field.number not in their_numbers
        }
        assert all(number >= OWN_NUMBERS_FROM for number in alone), (our_message.full_name, alone)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", sorted(SHARED))
def test_a_random_message_of_theirs_comes_back_whole_from_ours(sdk: ModuleType, name: str, seed: int) -> None:
    theirs = getattr(sdk, name).pb()()
    _fill(theirs, random.Random(f"{name}{seed}"), 5)
    ours = SHARED[name].FromString(theirs.SerializeToString())
    assert not _unknown(ours)
    back = type(theirs).FromString(ours.SerializeToString())
    assert back == theirs


def _unknown(message: Message) -> bool:
    """Whether bytes of `message` were not understood: it gets shorter when they are dropped."""
    size = message.ByteSize()
    copy = type(message)()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return copy.ByteSize() != size


def _fill(message: Any, dice: random.Random, depth: int) -> None:
    if isinstance(message, (struct_pb2.Struct, struct_pb2.Value, timestamp_pb2.Timestamp, any_pb2.Any)):
        _fill_known(message, dice)
        return
    for field in message.DESCRIPTOR.fields:
        if dice.random() < 0.3 or (field.message_type is not None and depth == 0):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            for _ in range(dice.randrange(1, 3)):
                entries = getattr(message, field.name)
                if value.message_type is not None:
                    _fill(entries[_text(dice)], dice, depth - 1)
                else:
                    entries[_text(dice)] = _scalar(value, dice)
        elif field.is_repeated:
            for _ in range(dice.randrange(1, 3)):
                if field.message_type is not None:
                    _fill(getattr(message, field.name).add(), dice, depth - 1)
                else:
                    getattr(message, field.name).append(_scalar(field, dice))
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            _fill(getattr(message, field.name), dice, depth - 1)
        else:
            setattr(message, field.name, _scalar(field, dice))


def _fill_known(message: Any, dice: random.Random) -> None:
    if isinstance(message, struct_pb2.Struct):
        message.update({_text(dice): dice.choice([1.5, "x", True, None, [1, "a"], {"b": 2}])})
    elif isinstance(message, struct_pb2.Value):
        message.number_value = dice.random()
    elif isinstance(message, timestamp_pb2.Timestamp):
        message.seconds, message.nanos = dice.randrange(2**31), dice.randrange(10**9)


def _scalar(field: FieldDescriptor, dice: random.Random) -> Any:
    if field.enum_type is not None:
        return dice.choice(field.enum_type.values).number
    return {
        FieldDescriptor.CPPTYPE_STRING: lambda: _text(dice),
        FieldDescriptor.CPPTYPE_BOOL: lambda: True,
        FieldDescriptor.CPPTYPE_DOUBLE: lambda: dice.random() * 1e9,
        FieldDescriptor.CPPTYPE_INT64: lambda: dice.randrange(-(2**63), 2**63),
        FieldDescriptor.CPPTYPE_INT32: lambda: dice.randrange(-(2**31), 2**31),
    }[field.cpp_type]()


def _text(dice: random.Random) -> str:
    return "".join(dice.choices(string.ascii_letters + "äß\u4e2d", k=dice.randrange(1, 9)))
