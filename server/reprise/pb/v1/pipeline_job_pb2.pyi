import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from reprise.pb.v1 import pipeline_state_pb2 as _pipeline_state_pb2
from reprise.pb.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PipelineJob(_message.Message):
    __slots__ = ("name", "display_name", "create_time", "start_time", "end_time", "update_time", "pipeline_spec", "state", "job_detail", "error", "labels", "runtime_config", "encryption_spec", "service_account", "network", "template_uri", "template_metadata", "schedule_name", "reserved_ip_ranges", "preflight_validations", "satisfies_pzs", "satisfies_pzi", "original_pipeline_job_id", "pipeline_task_rerun_configs", "psc_interface_config", "platform_spec", "warnings", "original_pipeline_job")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class RuntimeConfig(_message.Message):
        __slots__ = ("parameters", "gcs_output_directory", "parameter_values", "failure_policy", "input_artifacts", "default_runtime")
        class ParametersEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: _values_pb2.Value
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_values_pb2.Value, _Mapping]] = ...) -> None: ...
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
            value: PipelineJob.RuntimeConfig.InputArtifact
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PipelineJob.RuntimeConfig.InputArtifact, _Mapping]] = ...) -> None: ...
        class InputArtifact(_message.Message):
            __slots__ = ("artifact_id",)
            ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
            artifact_id: str
            def __init__(self, artifact_id: _Optional[str] = ...) -> None: ...
        class DefaultRuntime(_message.Message):
            __slots__ = ("persistent_resource_runtime_detail",)
            PERSISTENT_RESOURCE_RUNTIME_DETAIL_FIELD_NUMBER: _ClassVar[int]
            persistent_resource_runtime_detail: PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail
            def __init__(self, persistent_resource_runtime_detail: _Optional[_Union[PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail, _Mapping]] = ...) -> None: ...
        class PersistentResourceRuntimeDetail(_message.Message):
            __slots__ = ("persistent_resource_name", "task_resource_unavailable_wait_time_ms", "task_resource_unavailable_timeout_behavior")
            class TaskResourceUnavailableTimeoutBehavior(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
                __slots__ = ()
                TASK_RESOURCE_UNAVAILABLE_TIMEOUT_BEHAVIOR_UNSPECIFIED: _ClassVar[PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior]
                FAIL: _ClassVar[PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior]
                FALL_BACK_TO_ON_DEMAND: _ClassVar[PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior]
            TASK_RESOURCE_UNAVAILABLE_TIMEOUT_BEHAVIOR_UNSPECIFIED: PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior
            FAIL: PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior
            FALL_BACK_TO_ON_DEMAND: PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior
            PERSISTENT_RESOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
            TASK_RESOURCE_UNAVAILABLE_WAIT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
            TASK_RESOURCE_UNAVAILABLE_TIMEOUT_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
            persistent_resource_name: str
            task_resource_unavailable_wait_time_ms: int
            task_resource_unavailable_timeout_behavior: PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior
            def __init__(self, persistent_resource_name: _Optional[str] = ..., task_resource_unavailable_wait_time_ms: _Optional[int] = ..., task_resource_unavailable_timeout_behavior: _Optional[_Union[PipelineJob.RuntimeConfig.PersistentResourceRuntimeDetail.TaskResourceUnavailableTimeoutBehavior, str]] = ...) -> None: ...
        PARAMETERS_FIELD_NUMBER: _ClassVar[int]
        GCS_OUTPUT_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
        PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
        FAILURE_POLICY_FIELD_NUMBER: _ClassVar[int]
        INPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
        DEFAULT_RUNTIME_FIELD_NUMBER: _ClassVar[int]
        parameters: _containers.MessageMap[str, _values_pb2.Value]
        gcs_output_directory: str
        parameter_values: _containers.MessageMap[str, _struct_pb2.Value]
        failure_policy: _pipeline_state_pb2.PipelineFailurePolicy
        input_artifacts: _containers.MessageMap[str, PipelineJob.RuntimeConfig.InputArtifact]
        default_runtime: PipelineJob.RuntimeConfig.DefaultRuntime
        def __init__(self, parameters: _Optional[_Mapping[str, _values_pb2.Value]] = ..., gcs_output_directory: _Optional[str] = ..., parameter_values: _Optional[_Mapping[str, _struct_pb2.Value]] = ..., failure_policy: _Optional[_Union[_pipeline_state_pb2.PipelineFailurePolicy, str]] = ..., input_artifacts: _Optional[_Mapping[str, PipelineJob.RuntimeConfig.InputArtifact]] = ..., default_runtime: _Optional[_Union[PipelineJob.RuntimeConfig.DefaultRuntime, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    JOB_DETAIL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_CONFIG_FIELD_NUMBER: _ClassVar[int]
    ENCRYPTION_SPEC_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_URI_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_METADATA_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_NAME_FIELD_NUMBER: _ClassVar[int]
    RESERVED_IP_RANGES_FIELD_NUMBER: _ClassVar[int]
    PREFLIGHT_VALIDATIONS_FIELD_NUMBER: _ClassVar[int]
    SATISFIES_PZS_FIELD_NUMBER: _ClassVar[int]
    SATISFIES_PZI_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PIPELINE_JOB_ID_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_TASK_RERUN_CONFIGS_FIELD_NUMBER: _ClassVar[int]
    PSC_INTERFACE_CONFIG_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_SPEC_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_PIPELINE_JOB_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    pipeline_spec: _struct_pb2.Struct
    state: _pipeline_state_pb2.PipelineState
    job_detail: PipelineJobDetail
    error: _status_pb2.Status
    labels: _containers.ScalarMap[str, str]
    runtime_config: PipelineJob.RuntimeConfig
    encryption_spec: EncryptionSpec
    service_account: str
    network: str
    template_uri: str
    template_metadata: PipelineTemplateMetadata
    schedule_name: str
    reserved_ip_ranges: _containers.RepeatedScalarFieldContainer[str]
    preflight_validations: bool
    satisfies_pzs: bool
    satisfies_pzi: bool
    original_pipeline_job_id: int
    pipeline_task_rerun_configs: _containers.RepeatedCompositeFieldContainer[PipelineTaskRerunConfig]
    psc_interface_config: PscInterfaceConfig
    platform_spec: _struct_pb2.Struct
    warnings: _containers.RepeatedScalarFieldContainer[str]
    original_pipeline_job: str
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pipeline_spec: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., state: _Optional[_Union[_pipeline_state_pb2.PipelineState, str]] = ..., job_detail: _Optional[_Union[PipelineJobDetail, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., runtime_config: _Optional[_Union[PipelineJob.RuntimeConfig, _Mapping]] = ..., encryption_spec: _Optional[_Union[EncryptionSpec, _Mapping]] = ..., service_account: _Optional[str] = ..., network: _Optional[str] = ..., template_uri: _Optional[str] = ..., template_metadata: _Optional[_Union[PipelineTemplateMetadata, _Mapping]] = ..., schedule_name: _Optional[str] = ..., reserved_ip_ranges: _Optional[_Iterable[str]] = ..., preflight_validations: bool = ..., satisfies_pzs: bool = ..., satisfies_pzi: bool = ..., original_pipeline_job_id: _Optional[int] = ..., pipeline_task_rerun_configs: _Optional[_Iterable[_Union[PipelineTaskRerunConfig, _Mapping]]] = ..., psc_interface_config: _Optional[_Union[PscInterfaceConfig, _Mapping]] = ..., platform_spec: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ..., original_pipeline_job: _Optional[str] = ...) -> None: ...

class EncryptionSpec(_message.Message):
    __slots__ = ("kms_key_name",)
    KMS_KEY_NAME_FIELD_NUMBER: _ClassVar[int]
    kms_key_name: str
    def __init__(self, kms_key_name: _Optional[str] = ...) -> None: ...

class PscInterfaceConfig(_message.Message):
    __slots__ = ("network_attachment", "dns_peering_configs")
    NETWORK_ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    DNS_PEERING_CONFIGS_FIELD_NUMBER: _ClassVar[int]
    network_attachment: str
    dns_peering_configs: _containers.RepeatedCompositeFieldContainer[DnsPeeringConfig]
    def __init__(self, network_attachment: _Optional[str] = ..., dns_peering_configs: _Optional[_Iterable[_Union[DnsPeeringConfig, _Mapping]]] = ...) -> None: ...

class DnsPeeringConfig(_message.Message):
    __slots__ = ("domain", "target_project", "target_network")
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    TARGET_PROJECT_FIELD_NUMBER: _ClassVar[int]
    TARGET_NETWORK_FIELD_NUMBER: _ClassVar[int]
    domain: str
    target_project: str
    target_network: str
    def __init__(self, domain: _Optional[str] = ..., target_project: _Optional[str] = ..., target_network: _Optional[str] = ...) -> None: ...

class PipelineTemplateMetadata(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: str
    def __init__(self, version: _Optional[str] = ...) -> None: ...

class PipelineJobDetail(_message.Message):
    __slots__ = ("pipeline_context", "pipeline_run_context", "task_details", "outputs", "output_artifacts")
    class OutputArtifactsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: PipelineTaskDetail.ArtifactList
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PipelineTaskDetail.ArtifactList, _Mapping]] = ...) -> None: ...
    PIPELINE_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_RUN_CONTEXT_FIELD_NUMBER: _ClassVar[int]
    TASK_DETAILS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    pipeline_context: _values_pb2.Context
    pipeline_run_context: _values_pb2.Context
    task_details: _containers.RepeatedCompositeFieldContainer[PipelineTaskDetail]
    outputs: _struct_pb2.Struct
    output_artifacts: _containers.MessageMap[str, PipelineTaskDetail.ArtifactList]
    def __init__(self, pipeline_context: _Optional[_Union[_values_pb2.Context, _Mapping]] = ..., pipeline_run_context: _Optional[_Union[_values_pb2.Context, _Mapping]] = ..., task_details: _Optional[_Iterable[_Union[PipelineTaskDetail, _Mapping]]] = ..., outputs: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., output_artifacts: _Optional[_Mapping[str, PipelineTaskDetail.ArtifactList]] = ...) -> None: ...

class PipelineTaskDetail(_message.Message):
    __slots__ = ("task_id", "task_name", "create_time", "start_time", "end_time", "executor_detail", "state", "execution", "error", "inputs", "outputs", "parent_task_id", "pipeline_task_status", "task_unique_name", "verdict", "reason", "reason_field", "caused_by", "reused_from", "is_left_out", "attempts", "kill_method", "overridden_inputs", "cache_answer", "cache_note")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[PipelineTaskDetail.State]
        PENDING: _ClassVar[PipelineTaskDetail.State]
        RUNNING: _ClassVar[PipelineTaskDetail.State]
        SUCCEEDED: _ClassVar[PipelineTaskDetail.State]
        CANCEL_PENDING: _ClassVar[PipelineTaskDetail.State]
        CANCELLING: _ClassVar[PipelineTaskDetail.State]
        CANCELLED: _ClassVar[PipelineTaskDetail.State]
        FAILED: _ClassVar[PipelineTaskDetail.State]
        SKIPPED: _ClassVar[PipelineTaskDetail.State]
        NOT_TRIGGERED: _ClassVar[PipelineTaskDetail.State]
    STATE_UNSPECIFIED: PipelineTaskDetail.State
    PENDING: PipelineTaskDetail.State
    RUNNING: PipelineTaskDetail.State
    SUCCEEDED: PipelineTaskDetail.State
    CANCEL_PENDING: PipelineTaskDetail.State
    CANCELLING: PipelineTaskDetail.State
    CANCELLED: PipelineTaskDetail.State
    FAILED: PipelineTaskDetail.State
    SKIPPED: PipelineTaskDetail.State
    NOT_TRIGGERED: PipelineTaskDetail.State
    class InputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: PipelineTaskDetail.ArtifactList
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PipelineTaskDetail.ArtifactList, _Mapping]] = ...) -> None: ...
    class OutputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: PipelineTaskDetail.ArtifactList
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PipelineTaskDetail.ArtifactList, _Mapping]] = ...) -> None: ...
    class PipelineTaskStatus(_message.Message):
        __slots__ = ("update_time", "state", "error")
        UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        update_time: _timestamp_pb2.Timestamp
        state: PipelineTaskDetail.State
        error: _status_pb2.Status
        def __init__(self, update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[PipelineTaskDetail.State, str]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...
    class ArtifactList(_message.Message):
        __slots__ = ("artifacts",)
        ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
        artifacts: _containers.RepeatedCompositeFieldContainer[_values_pb2.Artifact]
        def __init__(self, artifacts: _Optional[_Iterable[_Union[_values_pb2.Artifact, _Mapping]]] = ...) -> None: ...
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_DETAIL_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_ID_FIELD_NUMBER: _ClassVar[int]
    PIPELINE_TASK_STATUS_FIELD_NUMBER: _ClassVar[int]
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_FIELD_NUMBER: _ClassVar[int]
    CAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    REUSED_FROM_FIELD_NUMBER: _ClassVar[int]
    IS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    KILL_METHOD_FIELD_NUMBER: _ClassVar[int]
    OVERRIDDEN_INPUTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_ANSWER_FIELD_NUMBER: _ClassVar[int]
    CACHE_NOTE_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    task_name: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    executor_detail: PipelineTaskExecutorDetail
    state: PipelineTaskDetail.State
    execution: _values_pb2.Execution
    error: _status_pb2.Status
    inputs: _containers.MessageMap[str, PipelineTaskDetail.ArtifactList]
    outputs: _containers.MessageMap[str, PipelineTaskDetail.ArtifactList]
    parent_task_id: int
    pipeline_task_status: _containers.RepeatedCompositeFieldContainer[PipelineTaskDetail.PipelineTaskStatus]
    task_unique_name: str
    verdict: _pipeline_state_pb2.Verdict
    reason: _pipeline_state_pb2.Reason
    reason_field: str
    caused_by: str
    reused_from: ReusedFrom
    is_left_out: bool
    attempts: int
    kill_method: str
    overridden_inputs: _containers.RepeatedScalarFieldContainer[str]
    cache_answer: _pipeline_state_pb2.CacheAnswer
    cache_note: str
    def __init__(self, task_id: _Optional[int] = ..., task_name: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., executor_detail: _Optional[_Union[PipelineTaskExecutorDetail, _Mapping]] = ..., state: _Optional[_Union[PipelineTaskDetail.State, str]] = ..., execution: _Optional[_Union[_values_pb2.Execution, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., inputs: _Optional[_Mapping[str, PipelineTaskDetail.ArtifactList]] = ..., outputs: _Optional[_Mapping[str, PipelineTaskDetail.ArtifactList]] = ..., parent_task_id: _Optional[int] = ..., pipeline_task_status: _Optional[_Iterable[_Union[PipelineTaskDetail.PipelineTaskStatus, _Mapping]]] = ..., task_unique_name: _Optional[str] = ..., verdict: _Optional[_Union[_pipeline_state_pb2.Verdict, str]] = ..., reason: _Optional[_Union[_pipeline_state_pb2.Reason, str]] = ..., reason_field: _Optional[str] = ..., caused_by: _Optional[str] = ..., reused_from: _Optional[_Union[ReusedFrom, _Mapping]] = ..., is_left_out: bool = ..., attempts: _Optional[int] = ..., kill_method: _Optional[str] = ..., overridden_inputs: _Optional[_Iterable[str]] = ..., cache_answer: _Optional[_Union[_pipeline_state_pb2.CacheAnswer, str]] = ..., cache_note: _Optional[str] = ...) -> None: ...

class ReusedFrom(_message.Message):
    __slots__ = ("pipeline_job", "task_id", "task_unique_name")
    PIPELINE_JOB_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_UNIQUE_NAME_FIELD_NUMBER: _ClassVar[int]
    pipeline_job: str
    task_id: int
    task_unique_name: str
    def __init__(self, pipeline_job: _Optional[str] = ..., task_id: _Optional[int] = ..., task_unique_name: _Optional[str] = ...) -> None: ...

class PipelineTaskExecutorDetail(_message.Message):
    __slots__ = ("container_detail", "custom_job_detail")
    class ContainerDetail(_message.Message):
        __slots__ = ("main_job", "pre_caching_check_job", "failed_main_jobs", "failed_pre_caching_check_jobs")
        MAIN_JOB_FIELD_NUMBER: _ClassVar[int]
        PRE_CACHING_CHECK_JOB_FIELD_NUMBER: _ClassVar[int]
        FAILED_MAIN_JOBS_FIELD_NUMBER: _ClassVar[int]
        FAILED_PRE_CACHING_CHECK_JOBS_FIELD_NUMBER: _ClassVar[int]
        main_job: str
        pre_caching_check_job: str
        failed_main_jobs: _containers.RepeatedScalarFieldContainer[str]
        failed_pre_caching_check_jobs: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, main_job: _Optional[str] = ..., pre_caching_check_job: _Optional[str] = ..., failed_main_jobs: _Optional[_Iterable[str]] = ..., failed_pre_caching_check_jobs: _Optional[_Iterable[str]] = ...) -> None: ...
    class CustomJobDetail(_message.Message):
        __slots__ = ("job", "failed_jobs")
        JOB_FIELD_NUMBER: _ClassVar[int]
        FAILED_JOBS_FIELD_NUMBER: _ClassVar[int]
        job: str
        failed_jobs: _containers.RepeatedScalarFieldContainer[str]
        def __init__(self, job: _Optional[str] = ..., failed_jobs: _Optional[_Iterable[str]] = ...) -> None: ...
    CONTAINER_DETAIL_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_JOB_DETAIL_FIELD_NUMBER: _ClassVar[int]
    container_detail: PipelineTaskExecutorDetail.ContainerDetail
    custom_job_detail: PipelineTaskExecutorDetail.CustomJobDetail
    def __init__(self, container_detail: _Optional[_Union[PipelineTaskExecutorDetail.ContainerDetail, _Mapping]] = ..., custom_job_detail: _Optional[_Union[PipelineTaskExecutorDetail.CustomJobDetail, _Mapping]] = ...) -> None: ...

class PipelineTaskRerunConfig(_message.Message):
    __slots__ = ("task_id", "task_name", "inputs", "skip_task", "skip_downstream_tasks", "dropped_override_inputs")
    class Inputs(_message.Message):
        __slots__ = ("artifacts", "parameter_values")
        class ArtifactsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: PipelineTaskRerunConfig.ArtifactList
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PipelineTaskRerunConfig.ArtifactList, _Mapping]] = ...) -> None: ...
        class ParameterValuesEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: _struct_pb2.Value
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...
        ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
        PARAMETER_VALUES_FIELD_NUMBER: _ClassVar[int]
        artifacts: _containers.MessageMap[str, PipelineTaskRerunConfig.ArtifactList]
        parameter_values: _containers.MessageMap[str, _struct_pb2.Value]
        def __init__(self, artifacts: _Optional[_Mapping[str, PipelineTaskRerunConfig.ArtifactList]] = ..., parameter_values: _Optional[_Mapping[str, _struct_pb2.Value]] = ...) -> None: ...
    class ArtifactList(_message.Message):
        __slots__ = ("artifacts",)
        ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
        artifacts: _containers.RepeatedCompositeFieldContainer[_values_pb2.RuntimeArtifact]
        def __init__(self, artifacts: _Optional[_Iterable[_Union[_values_pb2.RuntimeArtifact, _Mapping]]] = ...) -> None: ...
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    SKIP_TASK_FIELD_NUMBER: _ClassVar[int]
    SKIP_DOWNSTREAM_TASKS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_OVERRIDE_INPUTS_FIELD_NUMBER: _ClassVar[int]
    task_id: int
    task_name: str
    inputs: PipelineTaskRerunConfig.Inputs
    skip_task: bool
    skip_downstream_tasks: bool
    dropped_override_inputs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, task_id: _Optional[int] = ..., task_name: _Optional[str] = ..., inputs: _Optional[_Union[PipelineTaskRerunConfig.Inputs, _Mapping]] = ..., skip_task: bool = ..., skip_downstream_tasks: bool = ..., dropped_override_inputs: _Optional[_Iterable[str]] = ...) -> None: ...
