//! What is kept of a task: [`TaskRecord`] and what it holds.
#![allow(missing_docs)] // Where a field says no more than its name.

use super::enums::{CacheAnswer, Kind, Presence, Reason, State, Verdict};
use crate::message::message;

message! {
    Parameter {
        name: String = 1,
        /// JSON text of the value; absent parameters are not listed.
        json: String = 2,
    }
}

message! {
    Artifact {
        /// Resource id, unique in the store.
        name: String = 1,
        uri: String = 2,
        /// E.g. system.Model.
        schema_title: String = 3,
        schema_version: String = 4,
        /// JSON object text.
        metadata_json: String = 5,
        /// "sha256:<hex>" of the content; empty: unknown.
        digest: String = 6,
        instance_schema: String = 7,
        /// Filled for a plan only.
        presence: Presence = 8,
        /// Metadata was set by the component, not only prepared.
        author_metadata: bool = 9,
        /// Cheap mark of the content when the digest was taken (size, mtime, inode); opaque to the core.
        fingerprint: String = 10,
        /// Opaque to the core.
        custom_path: String = 11,
        /// The name of the output that it was made as: what a component sees as its name.
        output_name: String = 12,
    }
}

message! {
    ArtifactList {
        name: String = 1,
        artifacts: Vec<Artifact> = 2,
        /// Declared as a list of artifacts.
        is_list: bool = 3,
    }
}

message! {
    Values {
        /// Sorted by name.
        parameters: Vec<Parameter> = 1,
        /// Sorted by name.
        artifacts: Vec<ArtifactList> = 2,
    }
}

message! {
    Failure {
        /// Google.rpc.Code.
        code: i32 = 1,
        message: String = 2,
    }
}

message! {
    /// Names the run and the task in which a reused outcome was really produced.
    Source {
        /// Full resource name.
        run_name: String = 1,
        run_id: i64 = 2,
        task_id: i64 = 3,
        path: String = 4,
    }
}

message! {
    /// What the cross-run cache had to say when a task was about to run.
    CacheUse {
        answer: CacheAnswer = 1,
        /// For a person: which outcome, and what was wrong with it.
        note: String = 2,
        /// Of the outcome that was found, or the task that is waited for.
        source: Option<Source> = 3,
    }
}

message! {
    /// Everything that is kept of one task of a run; a finished run's records are stored one after the other
    /// as TaskRecords.
    TaskRecord {
        task_id: i64 = 1,
        /// 0: a child of the root.
        parent_task_id: i64 = 2,
        /// The task's name in its DAG; an iteration's is that of its loop with [index].
        name: String = 3,
        /// Task_unique_name.
        path: String = 4,
        kind: Kind = 5,
        state: State = 6,
        verdict: Verdict = 7,
        reason: Reason = 8,
        /// The key field that differs, e.g. inputs.parameters.x, executor.args.
        reason_field: String = 9,
        /// Path of the upstream task that caused the verdict.
        caused_by: String = 10,
        /// Resolved.
        inputs: Option<Values> = 11,
        outputs: Option<Values> = 12,
        error: Option<Failure> = 13,
        /// 32 bytes; empty: no key.
        key: Vec<u8> = 14,
        /// The encoding that was hashed.
        preimage: Vec<u8> = 15,
        /// Set where the outcome was reused.
        source: Option<Source> = 16,
        /// SKIPPED by request, without outputs.
        is_left_out: bool = 17,
        /// Inputs given by a config of this run or inherited from the original.
        override_inputs: Option<Values> = 18,
        /// An ancestor's outcome for a task that has none of its own here.
        candidate: Option<Box<TaskRecord>> = 19,
        /// Of an ITERATION.
        iteration_index: i64 = 20,
        /// Of an ITERATION, see the guide: digest and ordinal.
        item_identity: String = 21,
        component: String = 22,
        is_exit_task: bool = 23,
        /// Task ids, siblings in the same DAG.
        upstream: Vec<i64> = 24,
        /// Since the epoch.
        created_ns: i64 = 30,
        started_ns: i64 = 31,
        ended_ns: i64 = 32,
        attempts: i32 = 33,
        history: Vec<StateChange> = 34,
        kill_method: String = 35,
        image: String = 36,
        /// The how-manieth LeafEnded event this was, from 1; 0: ended without one.
        end_order: i64 = 37,
        /// In a plan, of a task that would run and that the cross-run cache may answer: under which key.
        cache_key: Vec<u8> = 38,
        cache_use: Option<CacheUse> = 39,
        /// Of a task that made lost artifacts anew: the task that had made them.
        remakes: i64 = 40,
        lost_inputs: Vec<LostInputs> = 41,
    }
}

message! {
    /// Kept of a LeafEnded with the state PENDING, so that it can be told to the machine again.
    LostInputs {
        /// The how-manieth LeafEnded event it was.
        order: i64 = 1,
        inputs: Option<Values> = 2,
    }
}

message! {
    StateChange {
        at_ns: i64 = 1,
        state: State = 2,
        error: Option<Failure> = 3,
    }
}

message! {
    TaskRecords {
        tasks: Vec<TaskRecord> = 1,
    }
}

message! {
    /// One field in which two keys differ.
    KeyDifference {
        /// E.g. inputs.parameters.x.
        field: String = 1,
        /// Absent: the first has no such field.
        old: Option<KeyText> = 2,
        new: Option<KeyText> = 3,
    }
}

message! {
    /// A value of a key, as a person reads it.
    KeyText {
        /// Empty where only the digest is kept.
        json: String = 1,
        /// "sha256:<hex>" of a value too long to be kept in a key.
        digest: String = 2,
    }
}

message! {
    KeyDifferences {
        /// In the order of the fields.
        differences: Vec<KeyDifference> = 1,
        /// False: one of the two is no key of this version.
        is_comparable: bool = 2,
    }
}
