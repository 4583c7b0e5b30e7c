//! What a supervisor is told (launch.json) and what it leaves behind (exit.json, which takes its place).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The version of both files. Fields are only ever added.
pub const VERSION: u32 = 1;

/// The variable that marks every process of an attempt: the second net when a supervisor itself has been killed.
pub const MARKER_VARIABLE: &str = "REPRISE_ATTEMPT";

const fn default_log_limit() -> u64 {
    64 * 1024 * 1024
}

const fn default_line_limit() -> u64 {
    256 * 1024
}

const fn default_grace() -> f64 {
    10.0
}

const fn default_kill_bound() -> f64 {
    30.0
}

/// One attempt, ready to start. Paths are absolute.
#[derive(Debug, Clone, Deserialize)]
pub struct Launch {
    /// Version of this format.
    pub version: u32,
    /// The program, looked up in the PATH of `env` unless it has a slash, and its arguments.
    pub argv: Vec<String>,
    /// The whole environment of the task; the marker is added.
    pub env: BTreeMap<String, String>,
    /// Where the task starts.
    pub cwd: PathBuf,
    /// Standard output and error.
    pub log_path: PathBuf,
    /// Where the end is spooled.
    pub exit_path: PathBuf,
    /// Where the supervisor says who it is, as a symbolic link (see `supervisor`).
    pub process_path: PathBuf,
    /// Seconds between SIGTERM and SIGKILL.
    #[serde(default = "default_grace")]
    pub grace_s: f64,
    /// Seconds the task may run.
    #[serde(default)]
    pub timeout_s: Option<f64>,
    /// Half of it for the first, half for the last bytes of the output.
    #[serde(default = "default_log_limit")]
    pub log_limit_bytes: u64,
    /// Longer lines are cut.
    #[serde(default = "default_line_limit")]
    pub line_limit_bytes: u64,
    /// The cgroup v2 below which the supervisor has one for its tasks (see `KeptCgroup`).
    #[serde(default)]
    pub cgroup_root: Option<PathBuf>,
    /// Enforced where the cgroup has a memory controller.
    #[serde(default)]
    pub memory_limit_bytes: Option<u64>,
    /// Processors, enforced where the cgroup has a cpu controller.
    #[serde(default)]
    pub cpu_limit: Option<f64>,
    /// Made before the task starts.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// Value of REPRISE_ATTEMPT, unique to the attempt.
    pub marker: String,
    /// Seconds for which killing is tried before what is left is called a survivor.
    #[serde(default = "default_kill_bound")]
    pub kill_bound_s: f64,
    /// The image that its author named, where the server wants that remembered.
    #[serde(default)]
    pub image: Option<String>,
    /// Present: the task is not a program, it goes on in the (forked) interpreter that the spawner runs in.
    #[serde(default)]
    pub warm: Option<serde_json::Value>,
    /// The place at which this supervisor kills itself (see `reach`); none but in tests.
    #[serde(default)]
    pub crash_at: Option<String>,
}

impl Launch {
    /// This place has been come by: ends this process, as `kill -9` would, where the tests want that.
    pub fn reach(&self, place: &str) {
        if self.crash_at.as_deref() == Some(place) {
            // SAFETY: plain calls; nothing is left to be done by this process.
            unsafe {
                libc::kill(libc::getpid(), libc::SIGKILL);
            }
        }
    }
}

/// Why an attempt ended; the words of exit.json.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The program ended by itself.
    Exited,
    /// It had been asked to stop.
    Cancelled,
    /// It ran longer than it may.
    TimedOut,
    /// No such program, or the host refused.
    NotStarted,
    /// The kernel killed it for want of memory.
    OutOfMemory,
}

/// A process that could not be killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survivor {
    /// Its number.
    pub pid: i32,
    /// In clock ticks since the boot: tells it from a later process of the same number.
    pub start_time: u64,
    /// Its name.
    pub command: String,
}

/// The end of an attempt, as it is spooled.
#[derive(Debug, Clone, Serialize)]
pub struct Exit {
    /// Version of this format.
    pub version: u32,
    /// Why it ended.
    pub cause: Cause,
    /// Exit code of the main process, if it exited.
    pub exit_code: Option<i32>,
    /// The signal that ended the main process, if one did.
    pub signal: Option<i32>,
    /// For a person.
    pub message: String,
    /// Nanoseconds since the epoch.
    pub started_ns: i64,
    /// Nanoseconds since the epoch.
    pub ended_ns: i64,
    /// Processes of the attempt that are not dead.
    pub survivors: Vec<Survivor>,
    /// How the death of the tree was brought about and proven.
    pub kill_method: String,
    /// Bytes that the task wrote to its log.
    pub log_bytes: u64,
    /// Whether some of them were left out.
    pub log_was_cut: bool,
    /// What the launch said, where that is asked for after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<Box<Remembered>>,
}

/// What is asked for after the end of an attempt that did not start, or has survivors (and in tests).
#[derive(Debug, Clone, Serialize)]
pub struct Remembered {
    marker: String,
    image: Option<String>,
    cgroup_root: Option<PathBuf>,
    crash_at: Option<String>,
}

impl Remembered {
    /// What is needed for this end.
    pub fn of(launch: &Launch, cause: Cause, survivors: &[Survivor]) -> Option<Box<Self>> {
        let is_asked_for = cause == Cause::NotStarted || !survivors.is_empty() || launch.crash_at.is_some();
        is_asked_for.then(|| {
            Box::new(Self {
                marker: launch.marker.clone(),
                image: launch.image.clone(),
                cgroup_root: launch.cgroup_root.clone(),
                crash_at: launch.crash_at.clone(),
            })
        })
    }
}
