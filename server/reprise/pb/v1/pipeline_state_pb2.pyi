from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class PipelineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIPELINE_STATE_UNSPECIFIED: _ClassVar[PipelineState]
    PIPELINE_STATE_QUEUED: _ClassVar[PipelineState]
    PIPELINE_STATE_PENDING: _ClassVar[PipelineState]
    PIPELINE_STATE_RUNNING: _ClassVar[PipelineState]
    PIPELINE_STATE_SUCCEEDED: _ClassVar[PipelineState]
    PIPELINE_STATE_FAILED: _ClassVar[PipelineState]
    PIPELINE_STATE_CANCELLING: _ClassVar[PipelineState]
    PIPELINE_STATE_CANCELLED: _ClassVar[PipelineState]
    PIPELINE_STATE_PAUSED: _ClassVar[PipelineState]

class PipelineFailurePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIPELINE_FAILURE_POLICY_UNSPECIFIED: _ClassVar[PipelineFailurePolicy]
    PIPELINE_FAILURE_POLICY_FAIL_SLOW: _ClassVar[PipelineFailurePolicy]
    PIPELINE_FAILURE_POLICY_FAIL_FAST: _ClassVar[PipelineFailurePolicy]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_REUSE: _ClassVar[Verdict]
    VERDICT_RE_EVALUATE: _ClassVar[Verdict]
    VERDICT_EXECUTE: _ClassVar[Verdict]
    VERDICT_SKIP: _ClassVar[Verdict]
    VERDICT_NOT_TRIGGERED: _ClassVar[Verdict]
    VERDICT_DROPPED: _ClassVar[Verdict]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_FIRST_RUN: _ClassVar[Reason]
    REASON_UNCHANGED: _ClassVar[Reason]
    REASON_CACHE_HIT: _ClassVar[Reason]
    REASON_REQUESTED: _ClassVar[Reason]
    REASON_REQUESTED_BY_PARENT: _ClassVar[Reason]
    REASON_SKIP_DOWNSTREAM: _ClassVar[Reason]
    REASON_INHERITED: _ClassVar[Reason]
    REASON_INPUT_OVERRIDDEN: _ClassVar[Reason]
    REASON_KEY_CHANGED: _ClassVar[Reason]
    REASON_UPSTREAM_CHANGED: _ClassVar[Reason]
    REASON_NOT_SUCCEEDED: _ClassVar[Reason]
    REASON_NOT_IN_ORIGINAL: _ClassVar[Reason]
    REASON_EXIT_TASK: _ClassVar[Reason]
    REASON_CONDITION_FALSE: _ClassVar[Reason]
    REASON_CONDITION_UNKNOWN: _ClassVar[Reason]
    REASON_UPSTREAM_FAILED: _ClassVar[Reason]
    REASON_ARTIFACT_MISSING: _ClassVar[Reason]
    REASON_ARTIFACT_CHANGED: _ClassVar[Reason]
    REASON_REIMPORT: _ClassVar[Reason]
    REASON_RENAMED: _ClassVar[Reason]
    REASON_REMOVED: _ClassVar[Reason]
    REASON_ITEM_REMOVED: _ClassVar[Reason]
    REASON_CHILDREN: _ClassVar[Reason]
    REASON_NOT_COMPARABLE: _ClassVar[Reason]
    REASON_FAIL_FAST: _ClassVar[Reason]
    REASON_CANCELLED_BY_REQUEST: _ClassVar[Reason]

class CacheAnswer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CACHE_ANSWER_UNSPECIFIED: _ClassVar[CacheAnswer]
    CACHE_ANSWER_OFF: _ClassVar[CacheAnswer]
    CACHE_ANSWER_REQUESTED: _ClassVar[CacheAnswer]
    CACHE_ANSWER_EXIT_TASK: _ClassVar[CacheAnswer]
    CACHE_ANSWER_REIMPORT: _ClassVar[CacheAnswer]
    CACHE_ANSWER_NO_ENTRY: _ClassVar[CacheAnswer]
    CACHE_ANSWER_EXPIRED: _ClassVar[CacheAnswer]
    CACHE_ANSWER_ARTIFACTS_GONE: _ClassVar[CacheAnswer]
    CACHE_ANSWER_SAME_RUN: _ClassVar[CacheAnswer]
    CACHE_ANSWER_ANSWERED: _ClassVar[CacheAnswer]
    CACHE_ANSWER_FOLLOWS: _ClassVar[CacheAnswer]
PIPELINE_STATE_UNSPECIFIED: PipelineState
PIPELINE_STATE_QUEUED: PipelineState
PIPELINE_STATE_PENDING: PipelineState
PIPELINE_STATE_RUNNING: PipelineState
PIPELINE_STATE_SUCCEEDED: PipelineState
PIPELINE_STATE_FAILED: PipelineState
PIPELINE_STATE_CANCELLING: PipelineState
PIPELINE_STATE_CANCELLED: PipelineState
PIPELINE_STATE_PAUSED: PipelineState
PIPELINE_FAILURE_POLICY_UNSPECIFIED: PipelineFailurePolicy
PIPELINE_FAILURE_POLICY_FAIL_SLOW: PipelineFailurePolicy
PIPELINE_FAILURE_POLICY_FAIL_FAST: PipelineFailurePolicy
VERDICT_UNSPECIFIED: Verdict
VERDICT_REUSE: Verdict
VERDICT_RE_EVALUATE: Verdict
VERDICT_EXECUTE: Verdict
VERDICT_SKIP: Verdict
VERDICT_NOT_TRIGGERED: Verdict
VERDICT_DROPPED: Verdict
REASON_UNSPECIFIED: Reason
REASON_FIRST_RUN: Reason
REASON_UNCHANGED: Reason
REASON_CACHE_HIT: Reason
REASON_REQUESTED: Reason
REASON_REQUESTED_BY_PARENT: Reason
REASON_SKIP_DOWNSTREAM: Reason
REASON_INHERITED: Reason
REASON_INPUT_OVERRIDDEN: Reason
REASON_KEY_CHANGED: Reason
REASON_UPSTREAM_CHANGED: Reason
REASON_NOT_SUCCEEDED: Reason
REASON_NOT_IN_ORIGINAL: Reason
REASON_EXIT_TASK: Reason
REASON_CONDITION_FALSE: Reason
REASON_CONDITION_UNKNOWN: Reason
REASON_UPSTREAM_FAILED: Reason
REASON_ARTIFACT_MISSING: Reason
REASON_ARTIFACT_CHANGED: Reason
REASON_REIMPORT: Reason
REASON_RENAMED: Reason
REASON_REMOVED: Reason
REASON_ITEM_REMOVED: Reason
REASON_CHILDREN: Reason
REASON_NOT_COMPARABLE: Reason
REASON_FAIL_FAST: Reason
REASON_CANCELLED_BY_REQUEST: Reason
CACHE_ANSWER_UNSPECIFIED: CacheAnswer
CACHE_ANSWER_OFF: CacheAnswer
CACHE_ANSWER_REQUESTED: CacheAnswer
CACHE_ANSWER_EXIT_TASK: CacheAnswer
CACHE_ANSWER_REIMPORT: CacheAnswer
CACHE_ANSWER_NO_ENTRY: CacheAnswer
CACHE_ANSWER_EXPIRED: CacheAnswer
CACHE_ANSWER_ARTIFACTS_GONE: CacheAnswer
CACHE_ANSWER_SAME_RUN: CacheAnswer
CACHE_ANSWER_ANSWERED: CacheAnswer
CACHE_ANSWER_FOLLOWS: CacheAnswer
