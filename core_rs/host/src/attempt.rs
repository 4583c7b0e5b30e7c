//! One attempt, from where it is claimed to where nothing is left of it.
//!
//! Invariant: `exited` is told only if the main process was seen to have ended before it was asked to stop; and an end
//! is told only when no descendant is left, which a subreaper knows for certain (it has no children), or with the names
//! of those that could not be killed.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::cgroup::{Cgroup, KeptCgroup};
use crate::channel::{self, Order};
use crate::ending::{append, conclude, memory_kills};
use crate::launch::{Cause, Exit, Launch, Remembered, Survivor, VERSION};
use crate::log::LogWriter;
use crate::process;
use crate::sys::{self, Reaped, SignalQueue};
use crate::task::{Started, Starter};

const READ_BYTES: usize = 64 * 1024;
const LONGEST_WAIT_S: f64 = 1e9;

/// What a supervisor has from one attempt to the next.
pub struct Workplace {
    /// Where the spawner orders.
    pub channel: RawFd,
    /// Whether the spawner has gone.
    pub has_hung_up: bool,
    /// Ends of children, and requests to stop.
    pub signals: SignalQueue,
    /// Where tasks run.
    pub cgroup: KeptCgroup,
    starter: Starter,
    buffer: Vec<u8>,
}

impl Workplace {
    /// Of a supervisor that has had no attempt yet.
    pub fn new(channel: RawFd, signals: SignalQueue) -> Self {
        Self {
            channel,
            has_hung_up: false,
            signals,
            cgroup: KeptCgroup::default(),
            starter: Starter::default(),
            buffer: vec![0_u8; READ_BYTES],
        }
    }

    /// Whether this attempt is to be stopped, as far as is told now.
    fn takes_stop(&mut self, order: &Order) -> bool {
        match channel::receive(self.channel, &mut self.buffer) {
            Some(count) => {
                let message = self.buffer.get(..count).unwrap_or_default();
                serde_json::from_slice::<Order>(message).is_ok_and(|one| one.id == order.id)
            }
            None => {
                self.has_hung_up = true;
                false
            }
        }
    }

    /// Reads what the task has written, `rounds` times at most. True at its end.
    fn drain(&mut self, pipe: &OwnedFd, log: &mut LogWriter, rounds: usize) -> bool {
        for _ in 0..rounds {
            match sys::read_now(pipe.as_raw_fd(), &mut self.buffer) {
                Ok(Some(0)) | Err(_) => return true,
                Ok(Some(count)) => {
                    if count == READ_BYTES {
                        // A loud task: it fills the pipe faster than it is emptied.
                        sys::widen(pipe.as_raw_fd());
                    }
                    log.write(self.buffer.get(..count).unwrap_or_default());
                }
                Ok(None) => return false,
            }
        }
        false
    }
}

/// How `run` came back.
pub enum Ran {
    /// The attempt has ended so.
    Ended(Exit),
    /// This is the (warm) task itself: go on as it.
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

/// Runs the attempt, which this supervisor has claimed.
pub fn run(launch: &Launch, workplace: &mut Workplace, order: &Order) -> Ran {
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
        launch: None,
    };
    match follow(launch, workplace, order, &mut exit) {
        Ok(true) => return Ran::InTask,
        Ok(false) => {}
        Err(message) => exit.message = message,
    }
    exit.ended_ns = sys::now_ns();
    exit.launch = Remembered::of(launch, exit.cause, &exit.survivors);
    Ran::Ended(exit)
}

/// Ok(true) in a warm task. An error means that nothing was started.
fn follow(launch: &Launch, workplace: &mut Workplace, order: &Order, exit: &mut Exit) -> Result<bool, String> {
    for folder in &launch.folders {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make the folder {}: {error}", folder.display()))?;
    }
    let mut log = LogWriter::new(&launch.log_path, launch.log_limit_bytes, launch.line_limit_bytes);
    let cgroup = workplace.cgroup.take(launch);
    let started = sys::pipe().map_err(|error| format!("cannot make a pipe: {error}")).and_then(|(read, write)| {
        exit.started_ns = sys::now_ns();
        workplace.starter.start(launch, write, cgroup.as_ref()).map(|started| (started, read))
    });
    let (main, output) = match started {
        Ok((Started::Running(main), output)) => (main, output),
        Ok((Started::InTask, output)) => {
            std::mem::forget((output, log, cgroup));
            return Ok(true);
        }
        Err(message) => {
            workplace.cgroup.put_back(cgroup);
            return Err(message);
        }
    };
    let mut attempt = Attempt { main, main_status: None, has_children: true };
    let mut output = Some(output);
    launch.reach("started");
    let requested = watch(launch, workplace, order, &mut attempt, &mut output, &mut log);
    let leftovers = end_tree(launch, &mut attempt, cgroup.as_ref(), exit);
    if let Some(pipe) = output.take() {
        // Bounded: a survivor may write for ever.
        workplace.drain(&pipe, &mut log, 4096);
    }
    let was_killed =
        attempt.main_status.is_some_and(|status| libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
    let was_killed_for_memory =
        was_killed && (cgroup.as_ref().is_some_and(Cgroup::has_memory_kills) || memory_kills() > order.memory_kills);
    if let Some(cgroup) = cgroup {
        if was_killed && exit.survivors.is_empty() {
            // Perhaps by the task itself, by way of its cgroup.
            cgroup.remove();
        } else if exit.survivors.is_empty() {
            workplace.cgroup.put_back(Some(cgroup));
        }
    }
    let log_failure = log.finish();
    exit.log_bytes = log.received();
    exit.log_was_cut = log.was_cut();
    conclude(launch, attempt.main_status, requested, was_killed_for_memory, exit);
    if !leftovers.is_empty() && requested.is_none() {
        append(&mut exit.message, &format!("left behind and killed: {}", leftovers.join(", ")));
    }
    if let Some(error) = log_failure {
        append(&mut exit.message, &format!("the log is incomplete: {error}"));
    }
    Ok(false)
}

/// Follows the task until its tree is to be ended. Gives the reason for which it was asked to stop, if it was.
fn watch(
    launch: &Launch,
    workplace: &mut Workplace,
    order: &Order,
    attempt: &mut Attempt,
    output: &mut Option<OwnedFd>,
    log: &mut LogWriter,
) -> Option<Cause> {
    let time_limit = launch.timeout_s.map(|limit| Instant::now() + seconds(limit));
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
        let channel = (!workplace.has_hung_up).then_some(workplace.channel);
        let signals = Some(workplace.signals.as_raw_fd());
        let [_, is_readable, has_order] = sys::poll([signals, pipe, channel], wait);
        while let Some(signal) = workplace.signals.next() {
            is_cancel_asked |= signal == libc::SIGTERM;
        }
        if has_order {
            is_cancel_asked |= workplace.takes_stop(order);
        }
        if is_readable {
            if let Some(pipe) = output.take() {
                if !workplace.drain(&pipe, log, 16) {
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
fn end_tree(launch: &Launch, attempt: &mut Attempt, cgroup: Option<&Cgroup>, exit: &mut Exit) -> Vec<String> {
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
    let mut names: Vec<String> = alive.iter().take(5).map(|one| format!("{} (pid {})", one.command, one.pid)).collect();
    if alive.len() > names.len() {
        names.push(format!("{} more", alive.len() - names.len()));
    }
    if let Some(cgroup) = cgroup {
        if cgroup.kill(bound.min(Duration::from_secs(2))).is_ok() {
            exit.kill_method = "cgroup.kill".to_owned();
        }
    }
    // Also after the cgroup: a task may have moved a process out of it, and only this proves that none is left.
    exit.survivors = process::kill_descendants(&BTreeSet::new(), |pid, status| attempt.note(pid, status), bound);
    attempt.reap();
    if exit.survivors.is_empty() && attempt.has_children {
        // Children that /proc does not show to this user.
        let hidden = process::children_of_this().unwrap_or_default();
        exit.survivors =
            hidden.into_iter().map(|pid| Survivor { pid, start_time: 0, command: "(hidden)".to_owned() }).collect();
    }
    names
}

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(if count.is_finite() { count.clamp(0.0, LONGEST_WAIT_S) } else { LONGEST_WAIT_S })
}
