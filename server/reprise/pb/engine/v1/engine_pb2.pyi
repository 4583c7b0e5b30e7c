from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATE_UNSPECIFIED: _ClassVar[State]
    PENDING: _ClassVar[State]
    RUNNING: _ClassVar[State]
    SUCCEEDED: _ClassVar[State]
    CANCEL_PENDING: _ClassVar[State]
    CANCELLING: _ClassVar[State]
    CANCELLED: _ClassVar[State]
    FAILED: _ClassVar[State]
    SKIPPED: _ClassVar[State]
    NOT_TRIGGERED: _ClassVar[State]

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    CONTAINER: _ClassVar[Kind]
    IMPORTER: _ClassVar[Kind]
    DAG: _ClassVar[Kind]
    LOOP: _ClassVar[Kind]
    ITERATION: _ClassVar[Kind]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    REUSE: _ClassVar[Verdict]
    RE_EVALUATE: _ClassVar[Verdict]
    EXECUTE: _ClassVar[Verdict]
    SKIP: _ClassVar[Verdict]
    VERDICT_NOT_TRIGGERED: _ClassVar[Verdict]
    DROPPED: _ClassVar[Verdict]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    FIRST_RUN: _ClassVar[Reason]
    UNCHANGED: _ClassVar[Reason]
    CACHE_HIT: _ClassVar[Reason]
    REQUESTED: _ClassVar[Reason]
    REQUESTED_BY_PARENT: _ClassVar[Reason]
    SKIP_DOWNSTREAM: _ClassVar[Reason]
    INHERITED: _ClassVar[Reason]
    INPUT_OVERRIDDEN: _ClassVar[Reason]
    KEY_CHANGED: _ClassVar[Reason]
    UPSTREAM_CHANGED: _ClassVar[Reason]
    NOT_SUCCEEDED: _ClassVar[Reason]
    NOT_IN_ORIGINAL: _ClassVar[Reason]
    EXIT_TASK: _ClassVar[Reason]
    CONDITION_FALSE: _ClassVar[Reason]
    CONDITION_UNKNOWN: _ClassVar[Reason]
    UPSTREAM_FAILED: _ClassVar[Reason]
    ARTIFACT_MISSING: _ClassVar[Reason]
    ARTIFACT_CHANGED: _ClassVar[Reason]
    REIMPORT: _ClassVar[Reason]
    RENAMED: _ClassVar[Reason]
    REMOVED: _ClassVar[Reason]
    ITEM_REMOVED: _ClassVar[Reason]
    CHILDREN: _ClassVar[Reason]
    NOT_COMPARABLE: _ClassVar[Reason]
    FAIL_FAST: _ClassVar[Reason]
    CANCELLED_BY_REQUEST: _ClassVar[Reason]

class Presence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRESENCE_UNSPECIFIED: _ClassVar[Presence]
    PRESENT: _ClassVar[Presence]
    MISSING: _ClassVar[Presence]
    CHANGED: _ClassVar[Presence]
    UNCHECKABLE: _ClassVar[Presence]

class CacheAnswer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CACHE_ANSWER_UNSPECIFIED: _ClassVar[CacheAnswer]
    CACHE_OFF: _ClassVar[CacheAnswer]
    CACHE_REQUESTED: _ClassVar[CacheAnswer]
    CACHE_EXIT_TASK: _ClassVar[CacheAnswer]
    CACHE_REIMPORT: _ClassVar[CacheAnswer]
    CACHE_NO_ENTRY: _ClassVar[CacheAnswer]
    CACHE_EXPIRED: _ClassVar[CacheAnswer]
    CACHE_ARTIFACTS_GONE: _ClassVar[CacheAnswer]
    CACHE_SAME_RUN: _ClassVar[CacheAnswer]
    CACHE_ANSWERED: _ClassVar[CacheAnswer]
    CACHE_FOLLOWS: _ClassVar[CacheAnswer]

class FailurePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_POLICY_UNSPECIFIED: _ClassVar[FailurePolicy]
    FAIL_SLOW: _ClassVar[FailurePolicy]
    FAIL_FAST_POLICY: _ClassVar[FailurePolicy]
STATE_UNSPECIFIED: State
PENDING: State
RUNNING: State
SUCCEEDED: State
CANCEL_PENDING: State
CANCELLING: State
CANCELLED: State
FAILED: State
SKIPPED: State
NOT_TRIGGERED: State
KIND_UNSPECIFIED: Kind
CONTAINER: Kind
IMPORTER: Kind
DAG: Kind
LOOP: Kind
ITERATION: Kind
VERDICT_UNSPECIFIED: Verdict
REUSE: Verdict
RE_EVALUATE: Verdict
EXECUTE: Verdict
SKIP: Verdict
VERDICT_NOT_TRIGGERED: Verdict
DROPPED: Verdict
REASON_UNSPECIFIED: Reason
FIRST_RUN: Reason
UNCHANGED: Reason
CACHE_HIT: Reason
REQUESTED: Reason
REQUESTED_BY_PARENT: Reason
SKIP_DOWNSTREAM: Reason
INHERITED: Reason
INPUT_OVERRIDDEN: Reason
KEY_CHANGED: Reason
UPSTREAM_CHANGED: Reason
NOT_SUCCEEDED: Reason
NOT_IN_ORIGINAL: Reason
EXIT_TASK: Reason
CONDITION_FALSE: Reason
CONDITION_UNKNOWN: Reason
UPSTREAM_FAILED: Reason
ARTIFACT_MISSING: Reason
ARTIFACT_CHANGED: Reason
REIMPORT: Reason
RENAMED: Reason
REMOVED: Reason
ITEM_REMOVED: Reason
CHILDREN: Reason
NOT_COMPARABLE: Reason
FAIL_FAST: Reason
CANCELLED_BY_REQUEST: Reason
PRESENCE_UNSPECIFIED: Presence
PRESENT: Presence
MISSING: Presence
CHANGED: Presence
UNCHECKABLE: Presence
CACHE_ANSWER_UNSPECIFIED: CacheAnswer
CACHE_OFF: CacheAnswer
CACHE_REQUESTED: CacheAnswer
CACHE_EXIT_TASK: CacheAnswer
CACHE_REIMPORT: CacheAnswer
CACHE_NO_ENTRY: CacheAnswer
CACHE_EXPIRED: CacheAnswer
CACHE_ARTIFACTS_GONE: CacheAnswer
CACHE_SAME_RUN: CacheAnswer
CACHE_ANSWERED: CacheAnswer
CACHE_FOLLOWS: CacheAnswer
FAILURE_POLICY_UNSPECIFIED: FailurePolicy
FAIL_SLOW: FailurePolicy
FAIL_FAST_POLICY: FailurePolicy

class Parameter(_message.Message):
    __slots__ = ("name", "json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    json: str
    def __init__(self, name: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("name", "uri", "schema_title", "schema_version", "metadata_json", "digest", "instance_schema", "presence", "author_metadata", "fingerprint", "custom_path", "output_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_TITLE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_METADATA_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_PATH_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    uri: str
    schema_title: str
    schema_version: str
    metadata_json: str
    digest: str
    instance_schema: str
    presence: Presence
    author_metadata: bool
    fingerprint: str
    custom_path: str
    output_name: str
    def __init__(self, name: _Optional[str] = ..., uri: _Optional[str] = ..., schema_title: _Optional[str] = ..., schema_version: _Optional[str] = ..., metadata_json: _Optional[str] = ..., digest: _Optional[str] = ..., instance_schema: _Optional[str] = ..., presence: _Optional[_Union[Presence, str]] = ..., author_metadata: bool = ..., fingerprint: _Optional[str] = ..., custom_path: _Optional[str] = ..., output_name: _Optional[str] = ...) -> None: ...

class ArtifactList(_message.Message):
    __slots__ = ("name", "artifacts", "is_list")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    IS_LIST_FIELD_NUMBER: _ClassVar[int]
    name: str
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    is_list: bool
    def __init__(self, name: _Optional[str] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., is_list: bool = ...) -> None: ...

class Values(_message.Message):
    __slots__ = ("parameters", "artifacts")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    artifacts: _containers.RepeatedCompositeFieldContainer[ArtifactList]
    def __init__(self, parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., artifacts: _Optional[_Iterable[_Union[ArtifactList, _Mapping]]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("run_name", "run_id", "task_id", "path")
    RUN_NAME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    run_name: str
    run_id: int
    task_id: int
    path: str
    def __init__(self, run_name: _Optional[str] = ..., run_id: _Optional[int] = ..., task_id: _Optional[int] = ..., path: _Optional[str] = ...) -> None: ...

class CacheUse(_message.Message):
    __slots__ = ("answer", "note", "source")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    answer: CacheAnswer
    note: str
    source: Source
    def __init__(self, answer: _Optional[_Union[CacheAnswer, str]] = ..., note: _Optional[str] = ..., source: _Optional[_Union[Source, _Mapping]] = ...) -> None: ...

class TaskRecord(_message.Message):
    __slots__ = ("task_id", "parent_task_id", "name", "path", "kind", "state", "verdict", "reason", "reason_field", "caused_by", "inputs", "outputs", "error", "key", "preimage", "source", "is_left_out", "override_inputs", "candidate", "iteration_index", "item_identity", "component", "is_exit_task", "upstream", "created_ns", "started_ns", "ended_ns", "attempts", "history", "kill_method", "image", "end_order", "cache_key", "cache_use", "remakes", "lost_inputs")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREIMAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    IS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    ITERATION_INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDENTITY_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    IS_EXIT_TASK_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    CREATED_NS_FIELD_NUMBER: _ClassVar[int]
    STARTED_NS_FIELD_NUMBER: _ClassVar[int]
    ENDED_NS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    KILL_METHOD_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    END_ORDER_FIELD_NUMBER: _ClassVar[int]
    CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    CACHE_USE_FIELD_NUMBER: _ClassVar[int]
    REMAKES_FIELD_NUMBER: _ClassVar[int]
    LOST_INPUTS_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    parent_task_id: int
    name: str
    path: str
    kind: Kind
    state: State
    verdict: Verdict
    reason: Reason
    reason_field: str
    caused_by: str
    inputs: Values
    outputs: Values
    error: Failure
    key: bytes
    preimage: bytes
    source: Source
    is_left_out: bool
    override_inputs: Values
    candidate: TaskRecord
    iteration_index: int
    item_identity: str
    component: str
    is_exit_task: bool
    upstream: _containers.RepeatedScalarFieldContainer[int]
    created_ns: int
    started_ns: int
    ended_ns: int
    attempts: int
    history: _containers.RepeatedCompositeFieldContainer[StateChange]
    kill_method: str
    image: str
    end_order: int
    cache_key: bytes
    cache_use: CacheUse
    remakes: int
    lost_inputs: _containers.RepeatedCompositeFieldContainer[LostInputs]
    def __init__(self, task_id: _Optional[int] = ..., parent_task_id: _Optional[int] = ..., name: _Optional[str] = ..., path: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., state: _Optional[_Union[State, str]] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., inputs: _Optional[_Union[Values, _Mapping]] = ..., outputs: _Optional[_Union[Values, _Mapping]] = ..., error: _Optional[_Union[Failure, _Mapping]] = ..., key: _Optional[bytes] = ..., preimage: _Optional[bytes] = ..., source: _Optional[_Union[Source, _Mapping]] = ..., is_left_out: bool = ..., override_inputs: _Optional[_Union[Values, _Mapping]] = ..., candidate: _Optional[_Union[TaskRecord, _Mapping]] = ..., iteration_index: _Optional[int] = ..., item_identity: _Optional[str] = ..., component: _Optional[str] = ..., is_exit_task: bool = ..., upstream: _Optional[_Iterable[int]] = ..., created_ns: _Optional[int] = ..., started_ns: _Optional[int] = ..., ended_ns: _Optional[int] = ..., attempts: _Optional[int] = ..., history: _Optional[_Iterable[_Union[StateChange, _Mapping]]] = ..., kill_method: _Optional[str] = ..., image: _Optional[str] = ..., end_order: _Optional[int] = ..., cache_key: _Optional[bytes] = ..., cache_use: _Optional[_Union[CacheUse, _Mapping]] = ..., remakes: _Optional[int] = ..., lost_inputs: _Optional[_Iterable[_Union[LostInputs, _Mapping]]] = ...) -> None: ...

class LostInputs(_message.Message):
    __slots__ = ("order", "inputs")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    order: int
    inputs: Values
    def __init__(self, order: _Optional[int] = ..., inputs: _Optional[_Union[Values, _Mapping]] = ...) -> None: ...

class StateChange(_message.Message):
    __slots__ = ("at_ns", "state", "error")
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    state: State
    error: Failure
    def __init__(self, at_ns: _Optional[int] = ..., state: _Optional[_Union[State, str]] = ..., error: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class TaskRecords(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskRecord]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskRecord, _Mapping]]] = ...) -> None: ...

class RunSettings(_message.Message):
    __slots__ = ("job_id", "resource_name", "run_id", "create_time_utc", "schedule_time_utc", "pipeline_root", "parameters", "input_artifacts", "failure_policy", "salt", "workspace_path", "are_legacy_parameters", "timeouts")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TIME_UTC_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_ROOT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_POLICY_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_PATH_FIELD_NUMBER: _ClassVar[int]
    ARE_LEGACY_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    resource_name: str
    run_id: int
    create_time_utc: str
    schedule_time_utc: str
    pipeline_root: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    input_artifacts: _containers.RepeatedCompositeFieldContainer[ArtifactList]
    failure_policy: FailurePolicy
    salt: str
    workspace_path: str
    are_legacy_parameters: bool
    timeouts: _containers.RepeatedCompositeFieldContainer[ExecutorTimeout]
    def __init__(self, job_id: _Optional[str] = ..., resource_name: _Optional[str] = ..., run_id: _Optional[int] = ..., create_time_utc: _Optional[str] = ..., schedule_time_utc: _Optional[str] = ..., pipeline_root: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., input_artifacts: _Optional[_Iterable[_Union[ArtifactList, _Mapping]]] = ..., failure_policy: _Optional[_Union[FailurePolicy, str]] = ..., salt: _Optional[str] = ..., workspace_path: _Optional[str] = ..., are_legacy_parameters: bool = ..., timeouts: _Optional[_Iterable[_Union[ExecutorTimeout, _Mapping]]] = ...) -> None: ...

class ExecutorTimeout(_message.Message):
    __slots__ = ("executor", "timeout_ms")
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    executor: str
    timeout_ms: int
    def __init__(self, executor: _Optional[str] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class Original(_message.Message):
    __slots__ = ("run_id", "resource_name", "spec", "parameters", "records", "pipeline_root", "spec_digest", "records_digest")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_ROOT_FIELD_NUMBER: _ClassVar[int]
    SPEC_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECORDS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    run_id: int
    resource_name: str
    spec: bytes
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    records: bytes
    pipeline_root: str
    spec_digest: bytes
    records_digest: bytes
    def __init__(self, run_id: _Optional[int] = ..., resource_name: _Optional[str] = ..., spec: _Optional[bytes] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., records: _Optional[bytes] = ..., pipeline_root: _Optional[str] = ..., spec_digest: _Optional[bytes] = ..., records_digest: _Optional[bytes] = ...) -> None: ...

class Config(_message.Message):
    __slots__ = ("field", "task_id", "task_name", "has_inputs", "input_parameters", "input_artifacts", "skip_task", "skip_downstream_tasks", "drop_overrides")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    HAS_INPUTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    INPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    SKIP_TASK_FIELD_NUMBER: _ClassVar[int]
    SKIP_DOWNSTREAM_TASKS_FIELD_NUMBER: _ClassVar[int]
    DROP_OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    field: str
    task_id: int
    task_name: str
    has_inputs: bool
    input_parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    input_artifacts: _containers.RepeatedCompositeFieldContainer[ArtifactList]
    skip_task: bool
    skip_downstream_tasks: bool
    drop_overrides: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, field: _Optional[str] = ..., task_id: _Optional[int] = ..., task_name: _Optional[str] = ..., has_inputs: bool = ..., input_parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., input_artifacts: _Optional[_Iterable[_Union[ArtifactList, _Mapping]]] = ..., skip_task: bool = ..., skip_downstream_tasks: bool = ..., drop_overrides: _Optional[_Iterable[str]] = ...) -> None: ...

class CachedOutcome(_message.Message):
    __slots__ = ("key", "record", "source")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    record: TaskRecord
    source: Source
    def __init__(self, key: _Optional[bytes] = ..., record: _Optional[_Union[TaskRecord, _Mapping]] = ..., source: _Optional[_Union[Source, _Mapping]] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("spec", "settings", "original", "configs", "cache")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_FIELD_NUMBER: _ClassVar[int]
    CONFIGS_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    spec: bytes
    settings: RunSettings
    original: Original
    configs: _containers.RepeatedCompositeFieldContainer[Config]
    cache: _containers.RepeatedCompositeFieldContainer[CachedOutcome]
    def __init__(self, spec: _Optional[bytes] = ..., settings: _Optional[_Union[RunSettings, _Mapping]] = ..., original: _Optional[_Union[Original, _Mapping]] = ..., configs: _Optional[_Iterable[_Union[Config, _Mapping]]] = ..., cache: _Optional[_Iterable[_Union[CachedOutcome, _Mapping]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("field", "message")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    field: str
    message: str
    def __init__(self, field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class PlannedTask(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: TaskRecord
    def __init__(self, task: _Optional[_Union[TaskRecord, _Mapping]] = ...) -> None: ...

class PlanResult(_message.Message):
    __slots__ = ("problems", "warnings", "tasks", "digest", "pipeline_name", "requirements", "schema_version", "parameters")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUIREMENTS_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskRecord]
    digest: bytes
    pipeline_name: str
    requirements: _containers.RepeatedCompositeFieldContainer[Requirement]
    schema_version: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    def __init__(self, problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[_Union[TaskRecord, _Mapping]]] = ..., digest: _Optional[bytes] = ..., pipeline_name: _Optional[str] = ..., requirements: _Optional[_Iterable[_Union[Requirement, _Mapping]]] = ..., schema_version: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ...) -> None: ...

class CompiledRun(_message.Message):
    __slots__ = ("graph", "labels")
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    graph: bytes
    labels: bytes
    def __init__(self, graph: _Optional[bytes] = ..., labels: _Optional[bytes] = ...) -> None: ...

class UnchangedPlan(_message.Message):
    __slots__ = ("refusal", "digest", "verdicts", "reasons", "causes", "counts", "pipeline_name", "schema_version", "parameters", "has_artifacts", "cache_keys")
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    HAS_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_KEYS_FIELD_NUMBER: _ClassVar[int]
    refusal: str
    digest: bytes
    verdicts: bytes
    reasons: bytes
    causes: bytes
    counts: _containers.RepeatedScalarFieldContainer[int]
    pipeline_name: str
    schema_version: str
    parameters: _containers.RepeatedCompositeFieldContainer[Parameter]
    has_artifacts: bool
    cache_keys: bytes
    def __init__(self, refusal: _Optional[str] = ..., digest: _Optional[bytes] = ..., verdicts: _Optional[bytes] = ..., reasons: _Optional[bytes] = ..., causes: _Optional[bytes] = ..., counts: _Optional[_Iterable[int]] = ..., pipeline_name: _Optional[str] = ..., schema_version: _Optional[str] = ..., parameters: _Optional[_Iterable[_Union[Parameter, _Mapping]]] = ..., has_artifacts: bool = ..., cache_keys: _Optional[bytes] = ...) -> None: ...

class Requirement(_message.Message):
    __slots__ = ("path", "executor", "construct")
    PATH_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    CONSTRUCT_FIELD_NUMBER: _ClassVar[int]
    path: str
    executor: str
    construct: str
    def __init__(self, path: _Optional[str] = ..., executor: _Optional[str] = ..., construct: _Optional[str] = ...) -> None: ...

class Resources(_message.Message):
    __slots__ = ("cpu_limit", "cpu_request", "memory_limit_bytes", "memory_request_bytes", "accelerator_type", "accelerator_count")
    CPU_LIMIT_FIELD_NUMBER: _ClassVar[int]
    CPU_REQUEST_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ACCELERATOR_COUNT_FIELD_NUMBER: _ClassVar[int]
    cpu_limit: float
    cpu_request: float
    memory_limit_bytes: float
    memory_request_bytes: float
    accelerator_type: str
    accelerator_count: int
    def __init__(self, cpu_limit: _Optional[float] = ..., cpu_request: _Optional[float] = ..., memory_limit_bytes: _Optional[float] = ..., memory_request_bytes: _Optional[float] = ..., accelerator_type: _Optional[str] = ..., accelerator_count: _Optional[int] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("max_retry_count", "backoff_duration_s", "backoff_factor", "backoff_max_duration_s")
    MAX_RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_DURATION_S_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FACTOR_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MAX_DURATION_S_FIELD_NUMBER: _ClassVar[int]
    max_retry_count: int
    backoff_duration_s: float
    backoff_factor: float
    backoff_max_duration_s: float
    def __init__(self, max_retry_count: _Optional[int] = ..., backoff_duration_s: _Optional[float] = ..., backoff_factor: _Optional[float] = ..., backoff_max_duration_s: _Optional[float] = ...) -> None: ...

class OutputParameter(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class OutputArtifact(_message.Message):
    __slots__ = ("name", "schema_title", "schema_version", "instance_schema", "metadata_json", "is_list")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_TITLE_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    IS_LIST_FIELD_NUMBER: _ClassVar[int]
    name: str
    schema_title: str
    schema_version: str
    instance_schema: str
    metadata_json: str
    is_list: bool
    def __init__(self, name: _Optional[str] = ..., schema_title: _Optional[str] = ..., schema_version: _Optional[str] = ..., instance_schema: _Optional[str] = ..., metadata_json: _Optional[str] = ..., is_list: bool = ...) -> None: ...

class EnvVar(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Launch(_message.Message):
    __slots__ = ("task_id", "path", "name", "kind", "image", "command", "args", "env", "resources", "inputs", "output_parameters", "output_artifacts", "retry", "is_cache_enabled", "may_read_cache", "key", "preimage", "verdict", "reason", "reason_field", "caused_by", "override_inputs", "importer_uri", "importer_metadata_json", "is_reimport", "candidate", "input_types", "timeout_ms", "cache_key", "is_in_exit")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    IS_CACHE_ENABLED_FIELD_NUMBER: _ClassVar[int]
    MAY_READ_CACHE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREIMAGE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    IMPORTER_URI_FIELD_NUMBER: _ClassVar[int]
    IMPORTER_METADATA_JSON_FIELD_NUMBER: _ClassVar[int]
    IS_REIMPORT_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    INPUT_TYPES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    IS_IN_EXIT_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    path: str
    name: str
    kind: Kind
    image: str
    command: _containers.RepeatedScalarFieldContainer[str]
    args: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.RepeatedCompositeFieldContainer[EnvVar]
    resources: Resources
    inputs: Values
    output_parameters: _containers.RepeatedCompositeFieldContainer[OutputParameter]
    output_artifacts: _containers.RepeatedCompositeFieldContainer[OutputArtifact]
    retry: RetryPolicy
    is_cache_enabled: bool
    may_read_cache: bool
    key: bytes
    preimage: bytes
    verdict: Verdict
    reason: Reason
    reason_field: str
    caused_by: str
    override_inputs: Values
    importer_uri: str
    importer_metadata_json: str
    is_reimport: bool
    candidate: TaskRecord
    input_types: bytes
    timeout_ms: int
    cache_key: bytes
    is_in_exit: bool
    def __init__(self, task_id: _Optional[int] = ..., path: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., image: _Optional[str] = ..., command: _Optional[_Iterable[str]] = ..., args: _Optional[_Iterable[str]] = ..., env: _Optional[_Iterable[_Union[EnvVar, _Mapping]]] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., inputs: _Optional[_Union[Values, _Mapping]] = ..., output_parameters: _Optional[_Iterable[_Union[OutputParameter, _Mapping]]] = ..., output_artifacts: _Optional[_Iterable[_Union[OutputArtifact, _Mapping]]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., is_cache_enabled: bool = ..., may_read_cache: bool = ..., key: _Optional[bytes] = ..., preimage: _Optional[bytes] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., override_inputs: _Optional[_Union[Values, _Mapping]] = ..., importer_uri: _Optional[str] = ..., importer_metadata_json: _Optional[str] = ..., is_reimport: bool = ..., candidate: _Optional[_Union[TaskRecord, _Mapping]] = ..., input_types: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ..., cache_key: _Optional[bytes] = ..., is_in_exit: bool = ...) -> None: ...

class NodeCreated(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: TaskRecord
    def __init__(self, task: _Optional[_Union[TaskRecord, _Mapping]] = ...) -> None: ...

class NodeEnded(_message.Message):
    __slots__ = ("state", "verdict", "reason", "reason_field", "caused_by", "inputs", "outputs", "error", "source", "key", "preimage", "is_left_out", "override_inputs", "candidate")
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PREIMAGE_FIELD_NUMBER: _ClassVar[int]
    IS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    state: State
    verdict: Verdict
    reason: Reason
    reason_field: str
    caused_by: str
    inputs: Values
    outputs: Values
    error: Failure
    source: Source
    key: bytes
    preimage: bytes
    is_left_out: bool
    override_inputs: Values
    candidate: TaskRecord
    def __init__(self, state: _Optional[_Union[State, str]] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., inputs: _Optional[_Union[Values, _Mapping]] = ..., outputs: _Optional[_Union[Values, _Mapping]] = ..., error: _Optional[_Union[Failure, _Mapping]] = ..., source: _Optional[_Union[Source, _Mapping]] = ..., key: _Optional[bytes] = ..., preimage: _Optional[bytes] = ..., is_left_out: bool = ..., override_inputs: _Optional[_Union[Values, _Mapping]] = ..., candidate: _Optional[_Union[TaskRecord, _Mapping]] = ...) -> None: ...

class NodeStarted(_message.Message):
    __slots__ = ("inputs", "verdict", "reason")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    inputs: Values
    verdict: Verdict
    reason: Reason
    def __init__(self, inputs: _Optional[_Union[Values, _Mapping]] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., reason: _Optional[_Union[Reason, str]] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("task_id", "created", "started", "ended", "launch")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    LAUNCH_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    created: NodeCreated
    started: NodeStarted
    ended: NodeEnded
    launch: Launch
    def __init__(self, task_id: _Optional[int] = ..., created: _Optional[_Union[NodeCreated, _Mapping]] = ..., started: _Optional[_Union[NodeStarted, _Mapping]] = ..., ended: _Optional[_Union[NodeEnded, _Mapping]] = ..., launch: _Optional[_Union[Launch, _Mapping]] = ...) -> None: ...

class RunEnded(_message.Message):
    __slots__ = ("state", "error", "outputs")
    STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    state: State
    error: Failure
    outputs: Values
    def __init__(self, state: _Optional[_Union[State, str]] = ..., error: _Optional[_Union[Failure, _Mapping]] = ..., outputs: _Optional[_Union[Values, _Mapping]] = ...) -> None: ...

class Decisions(_message.Message):
    __slots__ = ("decisions", "run_ended")
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    RUN_ENDED_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[Decision]
    run_ended: RunEnded
    def __init__(self, decisions: _Optional[_Iterable[_Union[Decision, _Mapping]]] = ..., run_ended: _Optional[_Union[RunEnded, _Mapping]] = ...) -> None: ...

class LeafEnded(_message.Message):
    __slots__ = ("task_id", "state", "outputs", "error", "source")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    state: State
    outputs: Values
    error: Failure
    source: Source
    def __init__(self, task_id: _Optional[int] = ..., state: _Optional[_Union[State, str]] = ..., outputs: _Optional[_Union[Values, _Mapping]] = ..., error: _Optional[_Union[Failure, _Mapping]] = ..., source: _Optional[_Union[Source, _Mapping]] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("ended", "cancel")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[LeafEnded]
    cancel: bool
    def __init__(self, ended: _Optional[_Iterable[_Union[LeafEnded, _Mapping]]] = ..., cancel: bool = ...) -> None: ...

class RenderContext(_message.Message):
    __slots__ = ("settings", "task_uuid", "outputs_uri", "outputs_dir", "output_file", "parameters_dir", "local_paths", "are_uris_local")
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    TASK_UUID_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_URI_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_DIR_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FILE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_DIR_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PATHS_FIELD_NUMBER: _ClassVar[int]
    ARE_URIS_LOCAL_FIELD_NUMBER: _ClassVar[int]
    settings: RunSettings
    task_uuid: str
    outputs_uri: str
    outputs_dir: str
    output_file: str
    parameters_dir: str
    local_paths: _containers.RepeatedCompositeFieldContainer[LocalPath]
    are_uris_local: bool
    def __init__(self, settings: _Optional[_Union[RunSettings, _Mapping]] = ..., task_uuid: _Optional[str] = ..., outputs_uri: _Optional[str] = ..., outputs_dir: _Optional[str] = ..., output_file: _Optional[str] = ..., parameters_dir: _Optional[str] = ..., local_paths: _Optional[_Iterable[_Union[LocalPath, _Mapping]]] = ..., are_uris_local: bool = ...) -> None: ...

class LocalPath(_message.Message):
    __slots__ = ("uri", "path")
    URI_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    uri: str
    path: str
    def __init__(self, uri: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class OutputFile(_message.Message):
    __slots__ = ("name", "type", "path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    path: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class PreparedArtifact(_message.Message):
    __slots__ = ("name", "artifact", "path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    artifact: Artifact
    path: str
    def __init__(self, name: _Optional[str] = ..., artifact: _Optional[_Union[Artifact, _Mapping]] = ..., path: _Optional[str] = ...) -> None: ...

class Rendered(_message.Message):
    __slots__ = ("argv_command", "argv_args", "env", "image", "output_files", "output_artifacts", "problems", "resources", "uses_workspace", "output_file")
    ARGV_COMMAND_FIELD_NUMBER: _ClassVar[int]
    ARGV_ARGS_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FILES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    USES_WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FILE_FIELD_NUMBER: _ClassVar[int]
    argv_command: _containers.RepeatedScalarFieldContainer[str]
    argv_args: _containers.RepeatedScalarFieldContainer[str]
    env: _containers.RepeatedCompositeFieldContainer[EnvVar]
    image: str
    output_files: _containers.RepeatedCompositeFieldContainer[OutputFile]
    output_artifacts: _containers.RepeatedCompositeFieldContainer[PreparedArtifact]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    resources: Resources
    uses_workspace: bool
    output_file: str
    def __init__(self, argv_command: _Optional[_Iterable[str]] = ..., argv_args: _Optional[_Iterable[str]] = ..., env: _Optional[_Iterable[_Union[EnvVar, _Mapping]]] = ..., image: _Optional[str] = ..., output_files: _Optional[_Iterable[_Union[OutputFile, _Mapping]]] = ..., output_artifacts: _Optional[_Iterable[_Union[PreparedArtifact, _Mapping]]] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., resources: _Optional[_Union[Resources, _Mapping]] = ..., uses_workspace: bool = ..., output_file: _Optional[str] = ...) -> None: ...

class KeyDifference(_message.Message):
    __slots__ = ("field", "old", "new")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OLD_FIELD_NUMBER: _ClassVar[int]
    NEW_FIELD_NUMBER: _ClassVar[int]
    field: str
    old: KeyValue
    new: KeyValue
    def __init__(self, field: _Optional[str] = ..., old: _Optional[_Union[KeyValue, _Mapping]] = ..., new: _Optional[_Union[KeyValue, _Mapping]] = ...) -> None: ...

class KeyValue(_message.Message):
    __slots__ = ("json", "digest")
    JSON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    json: str
    digest: str
    def __init__(self, json: _Optional[str] = ..., digest: _Optional[str] = ...) -> None: ...

class KeyDifferences(_message.Message):
    __slots__ = ("differences", "is_comparable")
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    IS_COMPARABLE_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[KeyDifference]
    is_comparable: bool
    def __init__(self, differences: _Optional[_Iterable[_Union[KeyDifference, _Mapping]]] = ..., is_comparable: bool = ...) -> None: ...
