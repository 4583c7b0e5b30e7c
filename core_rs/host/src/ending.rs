//! How the end of an attempt is told: its cause, and words for a person.

use std::path::Path;

use crate::cgroup::count_of;
use crate::launch::{Cause, Exit, Launch};

/// Fills in cause, code, signal and message. `status` is the main process's wait status, `requested` why it was asked
/// to stop, if it was; `no_memory`: it was killed, and the kernel has killed for want of memory.
pub fn conclude(
    launch: &Launch,
    status: Option<libc::c_int>,
    requested: Option<Cause>,
    no_memory: bool,
    exit: &mut Exit,
) {
    if let Some(status) = status {
        if libc::WIFEXITED(status) {
            exit.exit_code = Some(libc::WEXITSTATUS(status));
        } else if libc::WIFSIGNALED(status) {
            exit.signal = Some(libc::WTERMSIG(status));
        }
    }
    let how = match (exit.exit_code, exit.signal) {
        (Some(0), _) => String::new(),
        (Some(code), _) => format!("the program ended with exit code {code}"),
        (None, Some(signal)) => format!("the program was ended by signal {signal}{}", signal_name(signal)),
        (None, None) => "the program has not ended".to_owned(),
    };
    exit.cause = requested.unwrap_or(Cause::Exited);
    exit.message = match exit.cause {
        Cause::Cancelled => "stopped because the run was cancelled".to_owned(),
        Cause::TimedOut => {
            format!("stopped because it ran longer than its limit of {} s", launch.timeout_s.unwrap_or(0.0))
        }
        _ if no_memory => {
            exit.cause = Cause::OutOfMemory;
            "the program was killed by the kernel because memory ran out".to_owned()
        }
        _ => how,
    };
}

/// Adds a sentence to a message.
pub fn append(message: &mut String, more: &str) {
    if !message.is_empty() {
        message.push_str("; ");
    }
    message.push_str(more);
}

/// How many processes the kernel has killed on this host for want of memory.
pub fn memory_kills() -> u64 {
    count_of(Path::new("/proc/vmstat"), "oom_kill")
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGHUP => " (SIGHUP)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGINT => " (SIGINT)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGPIPE => " (SIGPIPE)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGXCPU => " (SIGXCPU)",
        _ => "",
    }
}
