import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from reprise.pb.v1 import pipeline_job_pb2 as _pipeline_job_pb2
from reprise.pb.v1 import pipeline_state_pb2 as _pipeline_state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainTaskRequest(_message.Message):
    __slots__ = ("name", "task", "against")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    AGAINST_FIELD_NUMBER: _ClassVar[int]
    name: str
    task: str
    against: str
    def __init__(self, name: _Optional[str] = ..., task: _Optional[str] = ..., against: _Optional[str] = ...) -> None: ...

class ExplainTaskResponse(_message.Message):
    __slots__ = ("task_unique_name", "task_id", "state", "verdict", "reason", "reason_field", "caused_by", "reused_from", "summary", "comparison", "cache")
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    REUSED_FROM_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    task_unique_name: str
    task_id: int
    state: _pipeline_job_pb2.PipelineTaskDetail.State
    verdict: _pipeline_state_pb2.Verdict
    reason: _pipeline_state_pb2.Reason
    reason_field: str
    caused_by: str
    reused_from: _pipeline_job_pb2.ReusedFrom
    summary: str
    comparison: TaskComparison
    cache: CacheExplanation
    def __init__(self, task_unique_name: _Optional[str] = ..., task_id: _Optional[int] = ..., state: _Optional[_Union[_pipeline_job_pb2.PipelineTaskDetail.State, str]] = ..., verdict: _Optional[_Union[_pipeline_state_pb2.Verdict, str]] = ..., reason: _Optional[_Union[_pipeline_state_pb2.Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., reused_from: _Optional[_Union[_pipeline_job_pb2.ReusedFrom, _Mapping]] = ..., summary: _Optional[str] = ..., comparison: _Optional[_Union[TaskComparison, _Mapping]] = ..., cache: _Optional[_Union[CacheExplanation, _Mapping]] = ...) -> None: ...

class TaskComparison(_message.Message):
    __slots__ = ("pipeline_job", "task_id", "task_unique_name", "state", "finding", "differences")
    class Finding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FINDING_UNSPECIFIED: _ClassVar[TaskComparison.Finding]
        EQUAL: _ClassVar[TaskComparison.Finding]
        DIFFERENT: _ClassVar[TaskComparison.Finding]
        NO_SUCH_TASK: _ClassVar[TaskComparison.Finding]
        NO_KEY: _ClassVar[TaskComparison.Finding]
        NOT_COMPARABLE: _ClassVar[TaskComparison.Finding]
    FINDING_UNSPECIFIED: TaskComparison.Finding
    EQUAL: TaskComparison.Finding
    DIFFERENT: TaskComparison.Finding
    NO_SUCH_TASK: TaskComparison.Finding
    NO_KEY: TaskComparison.Finding
    NOT_COMPARABLE: TaskComparison.Finding
    PIPELINE_JOB_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    pipeline_job: str
    task_id: int
    task_unique_name: str
    state: _pipeline_job_pb2.PipelineTaskDetail.State
    finding: TaskComparison.Finding
    differences: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    def __init__(self, pipeline_job: _Optional[str] = ..., task_id: _Optional[int] = ..., task_unique_name: _Optional[str] = ..., state: _Optional[_Union[_pipeline_job_pb2.PipelineTaskDetail.State, str]] = ..., finding: _Optional[_Union[TaskComparison.Finding, str]] = ..., differences: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ...) -> None: ...

class FieldDifference(_message.Message):
    __slots__ = ("field", "old_value", "new_value", "is_cut", "caused_by")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_VALUE_FIELD_NUMBER: _ClassVar[int]
    NEW_VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_CUT_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    field: str
    old_value: str
    new_value: str
    is_cut: bool
    caused_by: str
    def __init__(self, field: _Optional[str] = ..., old_value: _Optional[str] = ..., new_value: _Optional[str] = ..., is_cut: bool = ..., caused_by: _Optional[str] = ...) -> None: ...

class CacheExplanation(_message.Message):
    __slots__ = ("answer", "note", "entry", "entry_time", "nearest")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_TIME_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    answer: _pipeline_state_pb2.CacheAnswer
    note: str
    entry: _pipeline_job_pb2.ReusedFrom
    entry_time: _timestamp_pb2.Timestamp
    nearest: TaskComparison
    def __init__(self, answer: _Optional[_Union[_pipeline_state_pb2.CacheAnswer, str]] = ..., note: _Optional[str] = ..., entry: _Optional[_Union[_pipeline_job_pb2.ReusedFrom, _Mapping]] = ..., entry_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., nearest: _Optional[_Union[TaskComparison, _Mapping]] = ...) -> None: ...
