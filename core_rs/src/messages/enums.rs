//! The enums of engine.proto; their numbers are stored and never change.
#![allow(missing_docs)] // Where a value says no more than its name.

use crate::message::enumeration;

enumeration! {
    /// The states of a task, with the numbers of the public API.
    State {
        Unspecified = 0,
        Pending = 1,
        Running = 2,
        Succeeded = 3,
        CancelPending = 4,
        Cancelling = 5,
        Cancelled = 6,
        Failed = 7,
        Skipped = 8,
        NotTriggered = 9,
    }
}

enumeration! {
    Kind {
        Unspecified = 0,
        Container = 1,
        Importer = 2,
        /// A sub-pipeline, an exit handler's body, a condition, a branch group.
        Dag = 3,
        /// A DAG with an iterator; its children are ITERATIONs.
        Loop = 4,
        Iteration = 5,
    }
}

enumeration! {
    Verdict {
        /// The run is no rerun.
        Unspecified = 0,
        Reuse = 1,
        ReEvaluate = 2,
        Execute = 3,
        Skip = 4,
        NotTriggered = 5,
        Dropped = 6,
    }
}

enumeration! {
    Reason {
        Unspecified = 0,
        /// EXECUTE: the run has no original.
        FirstRun = 1,
        /// REUSE: the key is that of the original's outcome.
        Unchanged = 2,
        /// REUSE: an equal task succeeded in another run.
        CacheHit = 3,
        /// EXECUTE or SKIP: asked for by a config on the task.
        Requested = 4,
        /// EXECUTE or SKIP: asked for by a config on a DAG above.
        RequestedByParent = 5,
        /// SKIP: downstream of a task with skip_downstream_tasks.
        SkipDownstream = 6,
        /// SKIP: left out in the original and not named since.
        Inherited = 7,
        /// EXECUTE: a config gives other inputs.
        InputOverridden = 8,
        /// EXECUTE: a field of the key differs (see `field`).
        KeyChanged = 9,
        /// RE_EVALUATE: an upstream task is not reused (see `caused_by`).
        UpstreamChanged = 10,
        /// EXECUTE: the original has no outcome (failed, cancelled, never started).
        NotSucceeded = 11,
        /// EXECUTE: only the new spec has it.
        NotInOriginal = 12,
        /// EXECUTE: exit tasks always run.
        ExitTask = 13,
        /// NOT_TRIGGERED.
        ConditionFalse = 14,
        /// RE_EVALUATE: its condition or items wait for a task that will run.
        ConditionUnknown = 15,
        /// NOT_TRIGGERED at run time.
        UpstreamFailed = 16,
        /// EXECUTE.
        ArtifactMissing = 17,
        /// EXECUTE.
        ArtifactChanged = 18,
        /// EXECUTE: an importer that asks to run each time.
        Reimport = 19,
        /// REUSE under another path.
        Renamed = 20,
        /// DROPPED: not in the new spec.
        Removed = 21,
        /// DROPPED: the item left the list.
        ItemRemoved = 22,
        /// A DAG's verdict sums up its children.
        Children = 23,
        /// EXECUTE: the original's outcome carries no comparable key.
        NotComparable = 24,
        /// NOT_TRIGGERED at run time: another task failed and the policy stops new starts.
        FailFast = 25,
        /// CANCELLED at run time.
        CancelledByRequest = 26,
    }
}

enumeration! {
    Presence {
        /// Not looked at.
        Unspecified = 0,
        Present = 1,
        Missing = 2,
        Changed = 3,
        Uncheckable = 4,
    }
}

enumeration! {
    /// What the cross-run cache had to say when a task was about to run.
    CacheAnswer {
        /// It had no say.
        Unspecified = 0,
        Off = 1,
        /// Not asked: the task was to run in any case.
        Requested = 2,
        /// Not asked.
        ExitTask = 3,
        /// Not asked.
        Reimport = 4,
        NoEntry = 5,
        Expired = 6,
        /// Gone or changed.
        ArtifactsGone = 7,
        SameRun = 8,
        Answered = 9,
        /// Waits for an equal task that runs now in another run.
        Follows = 10,
    }
}

enumeration! {
    FailurePolicy {
        /// Fail slow.
        Unspecified = 0,
        FailSlow = 1,
        FailFast = 2,
    }
}
