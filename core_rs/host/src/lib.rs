//! What touches the system for Reprise: the supervisor of an attempt, the spawner that starts supervisors, and the
//! digests of artifacts.
//!
//! Invariant: a supervisor spools the end of its attempt only when every process of the attempt is dead, or names
//! those that are not. The pure crate may not depend on anything here but through the C functions below.

pub mod attempt;
pub mod c_api;
pub mod cgroup;
pub mod channel;
pub mod digest;
pub mod ending;
pub mod launch;
pub mod log;
pub mod presence;
pub mod process;
pub mod spawner;
pub mod spool;
pub mod supervisor;
mod sys;
pub mod task;
