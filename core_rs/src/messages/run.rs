//! What a plan and a run are asked, and what they answer.
#![allow(missing_docs)] // Where a field says no more than its name.

use super::decision::Decision;
use super::enums::{FailurePolicy, Reason, State, Verdict};
use super::record::{ArtifactList, Failure, Parameter, Source, TaskRecord, Values};
use crate::message::message;

message! {
    RunSettings {
        /// Last segment of the resource name.
        job_id: String = 1,
        resource_name: String = 2,
        run_id: i64 = 3,
        /// RFC 3339.
        create_time_utc: String = 4,
        schedule_time_utc: String = 5,
        /// The output directory, without trailing slash.
        pipeline_root: String = 6,
        /// The run parameters that were given.
        parameters: Vec<Parameter> = 7,
        input_artifacts: Vec<ArtifactList> = 8,
        failure_policy: FailurePolicy = 9,
        /// Of the project, in every key.
        salt: String = 10,
        workspace_path: String = 11,
        /// `parameters` came as typed values (schema 2.0.0): JSON text in strings is decoded.
        are_legacy_parameters: bool = 12,
        /// Sorted by executor; of the platformSpec.
        timeouts: Vec<ExecutorTimeout> = 13,
    }
}

message! {
    /// How long each attempt of the tasks of an executor may run.
    ExecutorTimeout {
        /// Its label in `deploymentSpec.executors`.
        executor: String = 1,
        timeout_ms: i64 = 2,
    }
}

message! {
    /// One PipelineTaskRerunConfig.
    Config {
        /// Path of the field in the request, for errors: pipeline_job.pipeline_task_rerun_configs[3].
        field: String = 1,
        /// 0: not given.
        task_id: i64 = 2,
        /// A path, or a plain name where that is unique.
        task_name: String = 3,
        has_inputs: bool = 4,
        input_parameters: Vec<Parameter> = 5,
        /// Looked up and digested by the server.
        input_artifacts: Vec<ArtifactList> = 6,
        skip_task: bool = 7,
        skip_downstream_tasks: bool = 8,
        /// Inputs whose inherited override is given up.
        drop_overrides: Vec<String> = 9,
    }
}

message! {
    CachedOutcome {
        key: Vec<u8> = 1,
        record: Option<TaskRecord> = 2,
        source: Option<Source> = 3,
    }
}

message! {
    /// Something wrong with the request. Any problem means that no run is made.
    Problem {
        /// E.g. pipeline_job.pipeline_spec.root.dag.tasks['x'].inputs.parameters['y'].
        field: String = 1,
        /// What is wrong and what was expected.
        message: String = 2,
    }
}

message! {
    PlannedTask {
        /// Identity, verdict, reason, field, caused_by, source; of a reused one the outputs too.
        task: Option<TaskRecord> = 1,
    }
}

message! {
    PlanResult {
        problems: Vec<Problem> = 1,
        warnings: Vec<String> = 2,
        /// In id order; DROPPED ones last, with the original's ids.
        tasks: Vec<TaskRecord> = 3,
        /// 32 bytes over the canonical request, for the etag.
        digest: Vec<u8> = 4,
        pipeline_name: String = 5,
        requirements: Vec<Requirement> = 6,
        schema_version: String = 7,
        /// Effective run parameters: given, inherited, defaults not included.
        parameters: Vec<Parameter> = 8,
    }
}

message! {
    /// What a run that has ended leaves for its reruns; see `compiled`.
    CompiledRun {
        graph: Vec<u8> = 1,
        labels: Vec<u8> = 2,
    }
}

message! {
    /// The plan of a rerun with the spec and the parameters of its original; task `id` is at `id - 1` of every list.
    UnchangedPlan {
        /// Why the general planner has to decide; empty: this is the plan.
        refusal: String = 1,
        /// As PlanResult.digest.
        digest: Vec<u8> = 2,
        /// A byte a task.
        verdicts: Vec<u8> = 3,
        /// A byte a task.
        reasons: Vec<u8> = 4,
        /// Ids of the tasks that caused the verdicts, four bytes each, little endian; 0: none.
        causes: Vec<u8> = 5,
        /// How many tasks have each verdict, by its number.
        counts: Vec<i64> = 6,
        pipeline_name: String = 7,
        schema_version: String = 8,
        /// As PlanResult.parameters.
        parameters: Vec<Parameter> = 9,
        /// Some outcome of the original has artifacts.
        has_artifacts: bool = 10,
        /// 32 bytes each: what the cross-run cache may be asked for. Where it has an answer, this is not the plan.
        cache_keys: Vec<u8> = 11,
    }
}

message! {
    /// What the executors of the spec ask of a host, so that Create can refuse what cannot run.
    Requirement {
        path: String = 1,
        /// Executor label.
        executor: String = 2,
        /// E.g. customJob, accelerator, image under gcr.io/ml-pipeline/.
        construct: String = 3,
    }
}

message! {
    NodeCreated {
        /// Identity, state PENDING.
        task: Option<TaskRecord> = 1,
    }
}

message! {
    /// A task that reached a final state without being launched by the server, or a DAG that ended with its
    /// children.
    NodeEnded {
        state: State = 1,
        verdict: Verdict = 2,
        reason: Reason = 3,
        reason_field: String = 4,
        caused_by: String = 5,
        inputs: Option<Values> = 6,
        outputs: Option<Values> = 7,
        error: Option<Failure> = 8,
        source: Option<Source> = 9,
        key: Vec<u8> = 10,
        preimage: Vec<u8> = 11,
        is_left_out: bool = 12,
        override_inputs: Option<Values> = 13,
        candidate: Option<Box<TaskRecord>> = 14,
    }
}

message! {
    /// A DAG, a loop or an iteration whose children may run.
    NodeStarted {
        inputs: Option<Values> = 1,
        verdict: Verdict = 2,
        reason: Reason = 3,
    }
}

message! {
    RunEnded {
        /// SUCCEEDED, FAILED or CANCELLED.
        state: State = 1,
        error: Option<Failure> = 2,
        /// Of the root.
        outputs: Option<Values> = 3,
    }
}

message! {
    Decisions {
        /// To be applied in this order.
        decisions: Vec<Decision> = 1,
        run_ended: Option<RunEnded> = 2,
    }
}

message! {
    /// A launched leaf has ended for good (retries are the server's).
    LeafEnded {
        task_id: i64 = 1,
        /// SUCCEEDED, FAILED, CANCELLED, SKIPPED (answered by the cache), NOT_TRIGGERED (the policy FAIL_FAST kept it
        /// from starting); PENDING: it did not start, for artifacts that it reads are lost.
        state: State = 2,
        /// Of PENDING: the lost inputs.
        outputs: Option<Values> = 3,
        error: Option<Failure> = 4,
        source: Option<Source> = 5,
    }
}

message! {
    Events {
        ended: Vec<LeafEnded> = 1,
        /// The run is being cancelled: nothing starts any more.
        cancel: bool = 2,
    }
}
