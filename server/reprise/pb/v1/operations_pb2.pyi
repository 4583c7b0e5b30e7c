import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from reprise.pb.v1 import pipeline_job_pb2 as _pipeline_job_pb2
from reprise.pb.v1 import pipeline_state_pb2 as _pipeline_state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenericOperationMetadata(_message.Message):
    __slots__ = ("partial_failures", "create_time", "update_time")
    PARTIAL_FAILURES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    partial_failures: _containers.RepeatedCompositeFieldContainer[_status_pb2.Status]
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, partial_failures: _Optional[_Iterable[_Union[_status_pb2.Status, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeleteOperationMetadata(_message.Message):
    __slots__ = ("generic_metadata", "targets")
    GENERIC_METADATA_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    generic_metadata: GenericOperationMetadata
    targets: _containers.RepeatedCompositeFieldContainer[OperationTarget]
    def __init__(self, generic_metadata: _Optional[_Union[GenericOperationMetadata, _Mapping]] = ..., targets: _Optional[_Iterable[_Union[OperationTarget, _Mapping]]] = ...) -> None: ...

class BatchCancelPipelineJobsOperationMetadata(_message.Message):
    __slots__ = ("generic_metadata", "targets")
    GENERIC_METADATA_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    generic_metadata: GenericOperationMetadata
    targets: _containers.RepeatedCompositeFieldContainer[OperationTarget]
    def __init__(self, generic_metadata: _Optional[_Union[GenericOperationMetadata, _Mapping]] = ..., targets: _Optional[_Iterable[_Union[OperationTarget, _Mapping]]] = ...) -> None: ...

class OperationTarget(_message.Message):
    __slots__ = ("name", "outcome", "state")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[OperationTarget.Outcome]
        PENDING: _ClassVar[OperationTarget.Outcome]
        CANCELLED: _ClassVar[OperationTarget.Outcome]
        ALREADY_ENDED: _ClassVar[OperationTarget.Outcome]
        DELETED: _ClassVar[OperationTarget.Outcome]
    OUTCOME_UNSPECIFIED: OperationTarget.Outcome
    PENDING: OperationTarget.Outcome
    CANCELLED: OperationTarget.Outcome
    ALREADY_ENDED: OperationTarget.Outcome
    DELETED: OperationTarget.Outcome
    NAME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    outcome: OperationTarget.Outcome
    state: _pipeline_state_pb2.PipelineState
    def __init__(self, name: _Optional[str] = ..., outcome: _Optional[_Union[OperationTarget.Outcome, str]] = ..., state: _Optional[_Union[_pipeline_state_pb2.PipelineState, str]] = ...) -> None: ...

class BatchDeletePipelineJobsResponse(_message.Message):
    __slots__ = ("pipeline_jobs",)
    PIPELINE_JOBS_FIELD_NUMBER: _ClassVar[int]
    pipeline_jobs: _containers.RepeatedCompositeFieldContainer[_pipeline_job_pb2.PipelineJob]
    def __init__(self, pipeline_jobs: _Optional[_Iterable[_Union[_pipeline_job_pb2.PipelineJob, _Mapping]]] = ...) -> None: ...

class BatchCancelPipelineJobsResponse(_message.Message):
    __slots__ = ("pipeline_jobs",)
    PIPELINE_JOBS_FIELD_NUMBER: _ClassVar[int]
    pipeline_jobs: _containers.RepeatedCompositeFieldContainer[_pipeline_job_pb2.PipelineJob]
    def __init__(self, pipeline_jobs: _Optional[_Iterable[_Union[_pipeline_job_pb2.PipelineJob, _Mapping]]] = ...) -> None: ...
