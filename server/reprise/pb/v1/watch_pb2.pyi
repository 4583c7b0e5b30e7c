import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
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

class ListPipelineTasksRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "filter", "read_mask")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    READ_MASK_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    filter: str
    read_mask: _field_mask_pb2.FieldMask
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., filter: _Optional[str] = ..., read_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ListPipelineTasksResponse(_message.Message):
    __slots__ = ("tasks", "next_page_token")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_pipeline_job_pb2.PipelineTaskDetail]
    next_page_token: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[_pipeline_job_pb2.PipelineTaskDetail, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchPipelineJobRequest(_message.Message):
    __slots__ = ("name", "resume_token", "heartbeat")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    name: str
    resume_token: str
    heartbeat: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., resume_token: _Optional[str] = ..., heartbeat: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WatchPipelineJobResponse(_message.Message):
    __slots__ = ("resume_token", "state", "error", "changes", "is_last")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    state: _pipeline_state_pb2.PipelineState
    error: _status_pb2.Status
    changes: _containers.RepeatedCompositeFieldContainer[StateChange]
    is_last: bool
    def __init__(self, resume_token: _Optional[str] = ..., state: _Optional[_Union[_pipeline_state_pb2.PipelineState, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., changes: _Optional[_Iterable[_Union[StateChange, _Mapping]]] = ..., is_last: bool = ...) -> None: ...

class StateChange(_message.Message):
    __slots__ = ("sequence", "update_time", "task_id", "task_unique_name", "attempt", "job_state", "task_state", "attempt_state")
    class AttemptState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ATTEMPT_STATE_UNSPECIFIED: _ClassVar[StateChange.AttemptState]
        STARTING: _ClassVar[StateChange.AttemptState]
        RUNNING: _ClassVar[StateChange.AttemptState]
        SUCCEEDED: _ClassVar[StateChange.AttemptState]
        FAILED: _ClassVar[StateChange.AttemptState]
        CANCELLED: _ClassVar[StateChange.AttemptState]
        LOST: _ClassVar[StateChange.AttemptState]
    ATTEMPT_STATE_UNSPECIFIED: StateChange.AttemptState
    STARTING: StateChange.AttemptState
    RUNNING: StateChange.AttemptState
    SUCCEEDED: StateChange.AttemptState
    FAILED: StateChange.AttemptState
    CANCELLED: StateChange.AttemptState
    LOST: StateChange.AttemptState
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    JOB_STATE_FIELD_NUMBER: _ClassVar[int]
    TASK_STATE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_STATE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    update_time: _timestamp_pb2.Timestamp
    task_id: int
    task_unique_name: str
    attempt: int
    job_state: _pipeline_state_pb2.PipelineState
    task_state: _pipeline_job_pb2.PipelineTaskDetail.State
    attempt_state: StateChange.AttemptState
    def __init__(self, sequence: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., task_id: _Optional[int] = ..., task_unique_name: _Optional[str] = ..., attempt: _Optional[int] = ..., job_state: _Optional[_Union[_pipeline_state_pb2.PipelineState, str]] = ..., task_state: _Optional[_Union[_pipeline_job_pb2.PipelineTaskDetail.State, str]] = ..., attempt_state: _Optional[_Union[StateChange.AttemptState, str]] = ...) -> None: ...
