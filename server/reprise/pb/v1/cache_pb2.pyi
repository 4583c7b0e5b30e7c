import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from reprise.pb.v1 import pipeline_job_pb2 as _pipeline_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CacheEntry(_message.Message):
    __slots__ = ("pipeline_name", "task", "key", "source", "create_time", "is_expired")
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    pipeline_name: str
    task: str
    key: str
    source: _pipeline_job_pb2.ReusedFrom
    create_time: _timestamp_pb2.Timestamp
    is_expired: bool
    def __init__(self, pipeline_name: _Optional[str] = ..., task: _Optional[str] = ..., key: _Optional[str] = ..., source: _Optional[_Union[_pipeline_job_pb2.ReusedFrom, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_expired: bool = ...) -> None: ...

class ListCacheEntriesRequest(_message.Message):
    __slots__ = ("parent", "pipeline_name", "task", "older_than", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    OLDER_THAN_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    pipeline_name: str
    task: str
    older_than: _duration_pb2.Duration
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., pipeline_name: _Optional[str] = ..., task: _Optional[str] = ..., older_than: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCacheEntriesResponse(_message.Message):
    __slots__ = ("cache_entries", "next_page_token")
    CACHE_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cache_entries: _containers.RepeatedCompositeFieldContainer[CacheEntry]
    next_page_token: str
    def __init__(self, cache_entries: _Optional[_Iterable[_Union[CacheEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DropCacheEntriesRequest(_message.Message):
    __slots__ = ("parent", "pipeline_name", "task", "older_than", "all")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    OLDER_THAN_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    parent: str
    pipeline_name: str
    task: str
    older_than: _duration_pb2.Duration
    all: bool
    def __init__(self, parent: _Optional[str] = ..., pipeline_name: _Optional[str] = ..., task: _Optional[str] = ..., older_than: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., all: bool = ...) -> None: ...

class DropCacheEntriesResponse(_message.Message):
    __slots__ = ("dropped_count",)
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    dropped_count: int
    def __init__(self, dropped_count: _Optional[int] = ...) -> None: ...
