//! What is said of a leaf that runs: [`Launch`], and what `render` makes of it.
#![allow(missing_docs)] // Where a field says no more than its name.

use super::enums::{Kind, Reason, Verdict};
use super::record::{Artifact, TaskRecord, Values};
use super::run::{Problem, RunSettings};
use crate::message::message;

message! {
    Resources {
        cpu_limit: f64 = 1,
        cpu_request: f64 = 2,
        memory_limit_bytes: f64 = 3,
        memory_request_bytes: f64 = 4,
        accelerator_type: String = 5,
        accelerator_count: i64 = 6,
    }
}

message! {
    RetryPolicy {
        max_retry_count: i32 = 1,
        backoff_duration_s: f64 = 2,
        backoff_factor: f64 = 3,
        backoff_max_duration_s: f64 = 4,
    }
}

message! {
    OutputParameter {
        name: String = 1,
        /// STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN, LIST, STRUCT, TASK_FINAL_STATUS.
        parameter_type: String = 2,
    }
}

message! {
    OutputArtifact {
        name: String = 1,
        schema_title: String = 2,
        schema_version: String = 3,
        instance_schema: String = 4,
        metadata_json: String = 5,
        is_list: bool = 6,
    }
}

message! {
    EnvVar {
        name: String = 1,
        value: String = 2,
    }
}

message! {
    /// A leaf whose inputs are known and that has to run now.
    Launch {
        task_id: i64 = 1,
        path: String = 2,
        name: String = 3,
        /// CONTAINER or IMPORTER.
        kind: Kind = 4,
        image: String = 5,
        /// Placeholders unresolved.
        command: Vec<String> = 6,
        args: Vec<String> = 7,
        env: Vec<EnvVar> = 8,
        resources: Option<Resources> = 9,
        inputs: Option<Values> = 10,
        output_parameters: Vec<OutputParameter> = 11,
        output_artifacts: Vec<OutputArtifact> = 12,
        retry: Option<RetryPolicy> = 13,
        /// The cross-run cache may answer, and is fed.
        is_cache_enabled: bool = 14,
        /// False: REQUESTED or exit task.
        may_read_cache: bool = 15,
        key: Vec<u8> = 16,
        preimage: Vec<u8> = 17,
        verdict: Verdict = 18,
        reason: Reason = 19,
        reason_field: String = 20,
        caused_by: String = 21,
        override_inputs: Option<Values> = 22,
        /// Resolved.
        importer_uri: String = 23,
        importer_metadata_json: String = 24,
        is_reimport: bool = 25,
        /// The original's outcome, if any: kept when this task never starts.
        candidate: Option<Box<TaskRecord>> = 26,
        /// Opaque to the server; render() reads it.
        input_types: Vec<u8> = 27,
        /// 0: none.
        timeout_ms: i64 = 28,
        /// Under which the cross-run cache knows it: the key, unless the task names the run's identity.
        cache_key: Vec<u8> = 29,
        /// An exit task, or inside one: the policy FAIL_FAST does not keep it from starting.
        is_in_exit: bool = 40,
    }
}

message! {
    /// Where one attempt reads and writes, as the process sees it.
    RenderContext {
        settings: Option<RunSettings> = 1,
        task_uuid: String = 2,
        /// {root}/{job_id}/{task_id}: what artifact URIs begin with.
        outputs_uri: String = 3,
        /// The local view of it; equal to outputs_uri for local roots.
        outputs_dir: String = 4,
        /// Local path of executor_output.json.
        output_file: String = 5,
        /// Local folder of the output parameter files.
        parameters_dir: String = 6,
        /// Of input artifacts whose uri is not a local path.
        local_paths: Vec<LocalPath> = 7,
        /// Artifacts show their local path as uri in the executor input.
        are_uris_local: bool = 8,
    }
}

message! {
    LocalPath {
        uri: String = 1,
        path: String = 2,
    }
}

message! {
    OutputFile {
        name: String = 1,
        parameter_type: String = 2,
        path: String = 3,
    }
}

message! {
    PreparedArtifact {
        name: String = 1,
        /// With its final uri.
        artifact: Option<Artifact> = 2,
        /// Local path.
        path: String = 3,
    }
}

message! {
    Rendered {
        argv_command: Vec<String> = 1,
        argv_args: Vec<String> = 2,
        env: Vec<EnvVar> = 3,
        image: String = 5,
        output_files: Vec<OutputFile> = 6,
        output_artifacts: Vec<PreparedArtifact> = 7,
        /// A placeholder that cannot be resolved.
        problems: Vec<Problem> = 8,
        resources: Option<Resources> = 9,
        /// An argument names the folder that the tasks of a run share.
        uses_workspace: bool = 10,
        /// Local path of executor_output.json.
        output_file: String = 11,
    }
}
