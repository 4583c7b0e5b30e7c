from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateRequest(_message.Message):
    __slots__ = ("pipeline_job",)
    PIPELINE_JOB_FIELD_NUMBER: _ClassVar[int]
    pipeline_job: bytes
    def __init__(self, pipeline_job: _Optional[bytes] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("pipeline_spec",)
    PIPELINE_SPEC_FIELD_NUMBER: _ClassVar[int]
    pipeline_spec: bytes
    def __init__(self, pipeline_spec: _Optional[bytes] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("rerun",)
    RERUN_FIELD_NUMBER: _ClassVar[int]
    rerun: bytes
    def __init__(self, rerun: _Optional[bytes] = ...) -> None: ...

class RerunRequest(_message.Message):
    __slots__ = ("pipeline_spec",)
    PIPELINE_SPEC_FIELD_NUMBER: _ClassVar[int]
    pipeline_spec: bytes
    def __init__(self, pipeline_spec: _Optional[bytes] = ...) -> None: ...

class Nested(_message.Message):
    __slots__ = ("inner", "value")
    INNER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    inner: Nested
    value: _struct_pb2.Struct
    def __init__(self, inner: _Optional[_Union[Nested, _Mapping]] = ..., value: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...
