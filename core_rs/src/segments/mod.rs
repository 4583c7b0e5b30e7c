//! What one write of a run says of its tasks and of their attempts, worked out to the rows that a store keeps of it.
//!
//! Tasks are kept by segments of neighbours: a row of fixed length says what each of them and its last attempt have come
//! to, and every write adds an entry for what it says. Invariants: a task's state moves only along the moves that were
//! given; at most one of its attempts lives, and at most one has succeeded; an outcome, once said, stays. No rows make
//! this module panic.

mod entries;
mod rules;
mod segment;

use crate::message::enumeration;

pub use rules::{Known, Segments, Unknown, WriteError, Written};
pub use segment::{SegmentRow, StoredSegment, SEGMENT_BITS};

use crate::task_rows::TaskRows;

enumeration! {
    /// The states of an attempt; the numbers are stored and never change.
    AttemptState {
        /// There is no attempt.
        Unspecified = 0,
        /// Written before anything is done.
        Starting = 1,
        /// Its executor has it.
        Running = 2,
        /// What its task is for has been done.
        Succeeded = 3,
        /// It has ended without that.
        Failed = 4,
        /// It was ended by request.
        Cancelled = 5,
        /// Neither alive nor with an exit: nothing is known of its end.
        Lost = 6,
    }
}

impl AttemptState {
    fn has_ended(self) -> bool {
        self > Self::Running
    }
}

/// One execution of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt<'a> {
    /// Of the task.
    pub task_id: i64,
    /// From 1.
    pub number: u32,
    /// What it has come to.
    pub state: AttemptState,
    /// The name of its executor.
    pub executor: &'a str,
    /// The executor's own.
    pub handle: &'a [u8],
    /// Since the epoch.
    pub started_ns: i64,
    /// Since the epoch.
    pub ended_ns: i64,
    /// Whether it uses up one of the user's retries.
    pub is_counted: bool,
    /// How it ended.
    pub exit: &'a [u8],
}

/// What one write says.
#[derive(Debug, Clone, Copy, Default)]
pub struct TaskWrite<'a> {
    /// What tasks have come to, group after group.
    pub tasks: &'a [&'a TaskRows],
    /// What attempts have come to that were started before: said before `starts`.
    pub attempts: &'a [Attempt<'a>],
    /// Attempts that begin.
    pub starts: &'a [Attempt<'a>],
    /// Under which the writer holds the run.
    pub fence: i64,
}

#[cfg(test)]
mod tests;
