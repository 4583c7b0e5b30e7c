//! The life of one attempt, from its start to its spooled end.
//!
//! Invariant: an attempt is started at most once: the supervisor first makes the link `process_path`, whose target
//! names it (`<boot id> <pid> <start time>`). A link appears with its content in one step and never over another, so
//! whoever else makes it first (a second supervisor, or a server that gives the attempt up) has forbidden the start.
//!
//! Invariant: `exited` is spooled only if the main process was seen to have ended before it was asked to stop; and
//! the end is spooled only when no descendant is left, which a subreaper knows for certain (it has no children), or
//! with the names of those that could not be killed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::ending::{append, conclude, memory_kills};
use crate::launch::{Cause, Exit, Launch, Survivor, VERSION};
use crate::log::LogWriter;
use crate::process;
use crate::spool::Spool;
use crate::sys::{self, Reaped, SignalQueue};
use crate::task::{self, Started};

const READ_BYTES: usize = 64 * 1024;
const LONGEST_WAIT_S: f64 = 1e9;

/// What the spawner knows of the host, so that not every supervisor has to look.
#[derive(Debug)]
pub struct Host {
    /// The boot that process numbers belong to.
    pub boot_id: String,
    /// How many processes the kernel had killed for want of memory, at some time before the start.
    pub memory_kills: u64,
}

/// How `supervise` came back.
pub enum Outcome {
    /// The attempt has ended and its end is spooled (or, with the error, could not be).
    Ended(io::Result<()>),
    /// This is the warm task itself, with its streams, session and folder set: go on as it.
    InTask,
}

struct Attempt {
    main: libc::pid_t,
    main_status: Option<libc::c_int>,
    has_children: bool,
}

impl Attempt {
    fn reap(&mut self) {
        loop {
            match sys::reap() {
                Reaped::Child(pid, status) => self.note(pid, status),
                Reaped::NoneEnded => return,
                Reaped::NoChildren => {
                    self.has_children = false;
                    return;
                }
            }
        }
    }

    fn note(&mut self, pid: libc::pid_t, status: libc::c_int) {
        if pid == self.main && self.main_status.is_none() {
            self.main_status = Some(status);
        }
    }
}

/// Runs one attempt in this process, which must have one thread and no children, and becomes its supervisor.
/// `on_claimed` is called once when the attempt is claimed; with false, by somebody before this supervisor.
pub fn supervise(launch: &Launch, host: &Host, on_claimed: impl FnOnce(bool)) -> Outcome {
    launch.reach("before_claim");
    match claim(launch, &host.boot_id) {
        Ok(is_ours) => {
            launch.reach("claimed");
            on_claimed(is_ours);
            if !is_ours {
                return Outcome::Ended(Ok(()));
            }
        }
        Err(error) => return Outcome::Ended(Err(error)),
    }
    let (spool, signals) = match prepare(launch) {
        Ok(prepared) => prepared,
        Err(error) => return Outcome::Ended(Err(error)),
    };
    let started_ns = sys::now_ns();
    let mut exit = Exit {
        version: VERSION,
        cause: Cause::NotStarted,
        exit_code: None,
        signal: None,
        message: String::new(),
        started_ns,
        ended_ns: started_ns,
        survivors: Vec::new(),
        kill_method: String::new(),
        log_bytes: 0,
        log_was_cut: false,
    };
    match run(launch, host, &signals, &mut exit) {
        Ok(true) => {
            std::mem::forget((spool, signals));
            return Outcome::InTask;
        }
        Ok(false) => {}
        Err(message) => exit.message = message,
    }
    exit.ended_ns = sys::now_ns();
    launch.reach("tree_dead");
    Outcome::Ended(spool.commit(&exit, |place| launch.reach(place)))
}

/// False where the attempt has been claimed before.
fn claim(launch: &Launch, boot_id: &str) -> io::Result<bool> {
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let own =
        process::read(pid).ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    let who = format!("{boot_id} {pid} {}", own.start_time);
    let mut made = symlink(&who, &launch.process_path);
    if made
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    {
        if let Some(folder) = launch.process_path.parent() {
            fs::create_dir_all(folder)?;
        }
        made = symlink(&who, &launch.process_path);
    }
    match made {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn prepare(launch: &Launch) -> io::Result<(Spool, SignalQueue)> {
    // SAFETY: plain call; fails only for the leader of a process group, which a fresh fork is not.
    unsafe {
        libc::setsid();
    }
    sys::set_name("reprise-attempt");
    sys::silence_standard_streams()?;
    sys::close_from(3);
    sys::become_subreaper()?;
    let signals = SignalQueue::open(&[libc::SIGCHLD, libc::SIGTERM])?;
    Ok((Spool::reserve(&launch.exit_path)?, signals))
}

/// Ok(true) in a warm task. An error means that nothing was started.
fn run(
    launch: &Launch,
    host: &Host,
    signals: &SignalQueue,
    exit: &mut Exit,
) -> Result<bool, String> {
    for folder in &launch.folders {
        fs::create_dir_all(folder)
            .map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    }
    let mut log = LogWriter::open(
        &launch.log_path,
        launch.log_limit_bytes,
        launch.line_limit_bytes,
    )
    .map_err(|error| format!("cannot open the log {}: {error}", launch.log_path.display()))?;
    let cgroup = launch
        .cgroup_dir
        .as_deref()
        .and_then(|folder| Cgroup::create(folder, launch.memory_limit_bytes, launch.cpu_limit).ok())
        .map(|(cgroup, _)| cgroup);
    let started = sys::pipe()
        .map_err(|error| format!("cannot make a pipe: {error}"))
        .and_then(|(read, write)| {
            exit.started_ns = sys::now_ns();
            task::start(launch, write, cgroup.as_ref()).map(|started| (started, read))
        });
    let (main, output) = match started {
        Ok((Started::Running(main), output)) => (main, output),
        Ok((Started::InTask, output)) => {
            std::mem::forget((output, log, cgroup));
            return Ok(true);
        }
        Err(message) => {
            if let Some(cgroup) = cgroup {
                cgroup.remove();
            }
            return Err(message);
        }
    };
    let mut attempt = Attempt {
        main,
        main_status: None,
        has_children: true,
    };
    let mut output = Some(output);
    launch.reach("started");
    let requested = watch(launch, signals, &mut attempt, &mut output, &mut log);
    let leftovers = end_tree(launch, &mut attempt, cgroup.as_ref(), exit);
    if let Some(pipe) = output.take() {
        // Bounded: a survivor may write for ever.
        drain(&pipe, &mut log, 4096);
    }
    let was_killed = attempt
        .main_status
        .is_some_and(|status| libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
    let was_killed_for_memory = was_killed
        && (cgroup
            .as_ref()
            .is_some_and(|cgroup| cgroup.memory_kills() > 0)
            || memory_kills() > host.memory_kills);
    if let Some(cgroup) = &cgroup {
        if exit.survivors.is_empty() {
            cgroup.remove();
        }
    }
    let log_failure = log.finish();
    exit.log_bytes = log.received();
    exit.log_was_cut = log.was_cut();
    conclude(
        launch,
        attempt.main_status,
        requested,
        was_killed_for_memory,
        exit,
    );
    if !leftovers.is_empty() && requested.is_none() {
        append(
            &mut exit.message,
            &format!("left behind and killed: {}", leftovers.join(", ")),
        );
    }
    if let Some(error) = log_failure {
        append(
            &mut exit.message,
            &format!("the log is incomplete: {error}"),
        );
    }
    Ok(false)
}

/// Follows the task until its tree is to be ended. Gives the reason for which it was asked to stop, if it was.
fn watch(
    launch: &Launch,
    signals: &SignalQueue,
    attempt: &mut Attempt,
    output: &mut Option<OwnedFd>,
    log: &mut LogWriter,
) -> Option<Cause> {
    let time_limit = launch
        .timeout_s
        .map(|limit| Instant::now() + seconds(limit));
    let mut requested: Option<Cause> = None;
    let mut kill_at: Option<Instant> = None;
    let mut is_cancel_asked = false;
    loop {
        // Before anything else is decided: an end that came first is an end by itself.
        attempt.reap();
        if !attempt.has_children || (attempt.main_status.is_some() && requested.is_none()) {
            return requested;
        }
        let now = Instant::now();
        if requested.is_none() {
            if is_cancel_asked {
                requested = Some(Cause::Cancelled);
            } else if time_limit.is_some_and(|limit| now >= limit) {
                requested = Some(Cause::TimedOut);
            }
            if requested.is_some() {
                terminate();
                kill_at = Some(now + seconds(launch.grace_s));
            }
        }
        if kill_at.is_some_and(|kill| now >= kill) {
            return requested;
        }
        let wake_at = kill_at.or(time_limit);
        let wait = wake_at.map(|at| at.saturating_duration_since(now));
        let pipe = output.as_ref().map(AsRawFd::as_raw_fd);
        let [_, is_readable] = sys::poll([Some(signals.as_raw_fd()), pipe], wait);
        while let Some(signal) = signals.next() {
            is_cancel_asked |= signal == libc::SIGTERM;
        }
        if is_readable {
            if let Some(pipe) = output.take() {
                if !drain(&pipe, log, 16) {
                    *output = Some(pipe);
                }
            }
        }
    }
}

/// SIGTERM to every descendant; SIGCONT after it, so that stopped ones see it.
fn terminate() {
    for process in process::descendants(&BTreeSet::new()) {
        let _ = process::signal(&process, libc::SIGTERM);
        let _ = process::signal(&process, libc::SIGCONT);
    }
}

/// Kills what is left. Gives the names of what was alive.
fn end_tree(
    launch: &Launch,
    attempt: &mut Attempt,
    cgroup: Option<&Cgroup>,
    exit: &mut Exit,
) -> Vec<String> {
    let bound = seconds(launch.kill_bound_s);
    exit.kill_method = "subreaper".to_owned();
    attempt.reap();
    if !attempt.has_children {
        if cgroup.is_some() {
            exit.kill_method = "cgroup.kill".to_owned();
        }
        return Vec::new();
    }
    let alive = process::descendants(&BTreeSet::new());
    let mut names: Vec<String> = alive
        .iter()
        .take(5)
        .map(|one| format!("{} (pid {})", one.command, one.pid))
        .collect();
    if alive.len() > names.len() {
        names.push(format!("{} more", alive.len() - names.len()));
    }
    if let Some(cgroup) = cgroup {
        if cgroup.kill(bound.min(Duration::from_secs(2))).is_ok() {
            exit.kill_method = "cgroup.kill".to_owned();
        }
    }
    // Also after the cgroup: a task may have moved a process out of it, and only this proves that none is left.
    exit.survivors = process::kill_descendants(
        &BTreeSet::new(),
        |pid, status| attempt.note(pid, status),
        bound,
    );
    attempt.reap();
    if exit.survivors.is_empty() && attempt.has_children {
        // Children that /proc does not show to this user.
        let hidden = process::children_of_this().unwrap_or_default();
        exit.survivors = hidden
            .into_iter()
            .map(|pid| Survivor {
                pid,
                start_time: 0,
                command: "(hidden)".to_owned(),
            })
            .collect();
    }
    names
}

/// Reads what the task has written, `rounds` times at most. True at its end.
fn drain(pipe: &OwnedFd, log: &mut LogWriter, rounds: usize) -> bool {
    let mut buffer = [0_u8; READ_BYTES];
    for _ in 0..rounds {
        match sys::read_now(pipe.as_raw_fd(), &mut buffer) {
            Ok(Some(0)) | Err(_) => return true,
            Ok(Some(count)) => log.write(buffer.get(..count).unwrap_or_default()),
            Ok(None) => return false,
        }
    }
    false
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(if count.is_finite() {
        count.clamp(0.0, LONGEST_WAIT_S)
    } else {
        LONGEST_WAIT_S
    })
}
