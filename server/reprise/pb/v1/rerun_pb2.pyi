from google.protobuf import struct_pb2 as _struct_pb2
from reprise.pb.v1 import pipeline_job_pb2 as _pipeline_job_pb2
from reprise.pb.v1 import pipeline_state_pb2 as _pipeline_state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RerunPipelineJobRequest(_message.Message):
    __slots__ = ("name", "pipeline_job_id", "display_name", "labels", "task_configs", "parameter_values", "pipeline_spec", "platform_spec", "output_directory", "failure_policy", "input_artifacts", "etag", "request_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ParameterValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _struct_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
    class InputArtifactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _pipeline_job_pb2.PipelineJob.RuntimeConfig.InputArtifact
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_pipeline_job_pb2.PipelineJob.RuntimeConfig.InputArtifact, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TASK_CONFIGS_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_SPEC_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_SPEC_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_POLICY_FIELD_NUMBER: _ClassVar[int]
    INPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    pipeline_job_id: str
    display_name: str
    labels: _containers.ScalarMap[str, str]
    task_configs: _containers.RepeatedCompositeFieldContainer[_pipeline_job_pb2.PipelineTaskRerunConfig]
    parameter_values: _containers.MessageMap[str, _struct_pb2.Value]
    pipeline_spec: _struct_pb2.Struct
    platform_spec: _struct_pb2.Struct
    output_directory: str
    failure_policy: _pipeline_state_pb2.PipelineFailurePolicy
    input_artifacts: _containers.MessageMap[str, _pipeline_job_pb2.PipelineJob.RuntimeConfig.InputArtifact]
    etag: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., pipeline_job_id: _Optional[str] = ..., display_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., task_configs: _Optional[_Iterable[_Union[_pipeline_job_pb2.PipelineTaskRerunConfig, _Mapping]]] = ..., parameter_values: _Optional[_Mapping[str, _struct_pb2.Value]] = ..., pipeline_spec: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., platform_spec: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., output_directory: _Optional[str] = ..., failure_policy: _Optional[_Union[_pipeline_state_pb2.PipelineFailurePolicy, str]] = ..., input_artifacts: _Optional[_Mapping[str, _pipeline_job_pb2.PipelineJob.RuntimeConfig.InputArtifact]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class PlanRerunRequest(_message.Message):
    __slots__ = ("rerun", "page_size", "page_token")
    RERUN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rerun: RerunPipelineJobRequest
    page_size: int
    page_token: str
    def __init__(self, rerun: _Optional[_Union[RerunPipelineJobRequest, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class PlanRerunResponse(_message.Message):
    __slots__ = ("etag", "pipeline_name", "counts", "warnings", "total_size", "tasks", "next_page_token")
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    etag: str
    pipeline_name: str
    counts: _containers.RepeatedCompositeFieldContainer[VerdictCount]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    total_size: int
    tasks: _containers.RepeatedCompositeFieldContainer[PlannedTask]
    next_page_token: str
    def __init__(self, etag: _Optional[str] = ..., pipeline_name: _Optional[str] = ..., counts: _Optional[_Iterable[_Union[VerdictCount, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., total_size: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[PlannedTask, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class VerdictCount(_message.Message):
    __slots__ = ("verdict", "reason", "count")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    verdict: _pipeline_state_pb2.Verdict
    reason: _pipeline_state_pb2.Reason
    count: int
    def __init__(self, verdict: _Optional[_Union[_pipeline_state_pb2.Verdict, str]] = ..., reason: _Optional[_Union[_pipeline_state_pb2.Reason, str]] = ..., count: _Optional[int] = ...) -> None: ...

class PlannedTask(_message.Message):
    __slots__ = ("task_id", "parent_task_id", "task_name", "task_unique_name", "verdict", "reason", "reason_field", "caused_by", "reused_from", "kind", "upstream_task_ids")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[PlannedTask.Kind]
        CONTAINER: _ClassVar[PlannedTask.Kind]
        IMPORTER: _ClassVar[PlannedTask.Kind]
        DAG: _ClassVar[PlannedTask.Kind]
        LOOP: _ClassVar[PlannedTask.Kind]
        ITERATION: _ClassVar[PlannedTask.Kind]
    KIND_UNSPECIFIED: PlannedTask.Kind
    CONTAINER: PlannedTask.Kind
    IMPORTER: PlannedTask.Kind
    DAG: PlannedTask.Kind
    LOOP: PlannedTask.Kind
    ITERATION: PlannedTask.Kind
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    REUSED_FROM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    parent_task_id: int
    task_name: str
    task_unique_name: str
    verdict: _pipeline_state_pb2.Verdict
    reason: _pipeline_state_pb2.Reason
    reason_field: str
    caused_by: str
    reused_from: _pipeline_job_pb2.ReusedFrom
    kind: PlannedTask.Kind
    upstream_task_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, task_id: _Optional[int] = ..., parent_task_id: _Optional[int] = ..., task_name: _Optional[str] = ..., task_unique_name: _Optional[str] = ..., verdict: _Optional[_Union[_pipeline_state_pb2.Verdict, str]] = ..., reason: _Optional[_Union[_pipeline_state_pb2.Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., reused_from: _Optional[_Union[_pipeline_job_pb2.ReusedFrom, _Mapping]] = ..., kind: _Optional[_Union[PlannedTask.Kind, str]] = ..., upstream_task_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class GetTaskLogRequest(_message.Message):
    __slots__ = ("name", "task", "attempt", "offset", "follow", "limit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    task: str
    attempt: int
    offset: int
    follow: bool
    limit: int
    def __init__(self, name: _Optional[str] = ..., task: _Optional[str] = ..., attempt: _Optional[int] = ..., offset: _Optional[int] = ..., follow: bool = ..., limit: _Optional[int] = ...) -> None: ...

class GetTaskLogResponse(_message.Message):
    __slots__ = ("data", "offset", "attempt", "is_complete")
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    offset: int
    attempt: int
    is_complete: bool
    def __init__(self, data: _Optional[bytes] = ..., offset: _Optional[int] = ..., attempt: _Optional[int] = ..., is_complete: bool = ...) -> None: ...
