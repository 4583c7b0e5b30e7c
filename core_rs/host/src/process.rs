//! Finding and killing the processes of an attempt through /proc.
//!
//! Invariant: a signal goes only to a process that was seen to belong to the attempt; it is held by descriptor while
//! its start time is compared, so that a number that was given anew is never hit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::launch::{Survivor, MARKER_VARIABLE};
use crate::sys::{self, PidHandle, Reaped};

/// How often `marked` looks for those that were born meanwhile: on a host that forks all the time it has to end.
const MOST_CHASES: usize = 1000;

/// A process as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Clock ticks since the boot.
    pub start_time: u64,
    /// R, S, D, Z, ...
    pub state: u8,
    /// Threads it still has.
    pub threads: u32,
    /// Its name, 15 bytes at most.
    pub command: String,
}

impl Process {
    /// Ended, and only waiting to be reaped. A process whose first thread has ended shows as a zombie too, and runs.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Reads /proc/<pid>/stat; None where there is no such process.
pub fn read(pid: i32) -> Option<Process> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // The name may hold spaces and brackets; the last bracket ends it.
    let (before, after) = text.rsplit_once(')')?;
    let command = before.split_once('(').map_or("", |(_, name)| name).to_owned();
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?.bytes().next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads = fields.nth(15)?.parse().ok()?;
    let start_time = fields.nth(1)?.parse().ok()?;
    Some(Process { pid, parent, start_time, state, threads, command })
}

/// Every process that this one may see.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(read).collect()
}

/// The boot that process numbers and start times belong to.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The direct children of this (single-threaded) process; None where the kernel does not list them.
pub fn children_of_this() -> Option<Vec<i32>> {
    let text = fs::read_to_string("/proc/thread-self/children").ok()?;
    Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// Living descendants of `roots`, the roots among them where `with_roots`.
fn closure(processes: &[Process], roots: &BTreeSet<i32>, with_roots: bool) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process);
    }
    let mut seen = roots.clone();
    let mut waiting: Vec<i32> = roots.iter().copied().collect();
    let mut found: Vec<Process> = Vec::new();
    if with_roots {
        found.extend(processes.iter().filter(|one| roots.contains(&one.pid)).cloned());
    }
    while let Some(pid) = waiting.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if seen.insert(child.pid) {
                waiting.push(child.pid);
                found.push((*child).clone());
            }
        }
    }
    found.retain(|process| !process.is_dead());
    found
}

/// Living descendants of this process, without those that stem from `except` (its children that belong elsewhere).
pub fn descendants(except: &BTreeSet<i32>) -> Vec<Process> {
    let this = i32::try_from(std::process::id()).unwrap_or(0);
    if let Some(children) = children_of_this() {
        if children.iter().all(|pid| except.contains(pid)) {
            return Vec::new();
        }
    }
    let mut processes = all();
    processes.retain(|process| !except.contains(&process.pid));
    closure(&processes, &BTreeSet::from([this]), false)
}

/// Whether the process was started with this entry in its environment.
fn has_entry(pid: i32, wanted: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|entry| entry == wanted))
}

/// The number that the kernel has given last.
fn last_pid() -> Option<i32> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// Living processes that carry the marker in their environment, and all that stem from them. None: there is none, and
/// none was born since this began to look; empty: none was seen, which is no proof.
///
/// A listing of /proc misses who is born while it is read, and a chain of forks is always somebody else by then. So
/// those that were born meanwhile are looked at one by one, and stopped at once, until nobody new has come.
pub fn marked(marker: &str) -> Option<Vec<Process>> {
    let wanted = format!("{MARKER_VARIABLE}={marker}");
    let this = i32::try_from(std::process::id()).unwrap_or(0);
    let before = last_pid();
    let processes = all();
    let roots = processes
        .iter()
        .filter(|process| process.pid != this && has_entry(process.pid, wanted.as_bytes()))
        .map(|process| process.pid)
        .collect();
    let mut found = closure(&processes, &roots, true);
    let Some(mut newest) = before else {
        return Some(found);
    };
    for _ in 0..MOST_CHASES {
        let now = last_pid()?;
        if now == newest {
            return (!found.is_empty()).then_some(found);
        }
        if now < newest {
            // The numbers have begun again from below.
            return Some(found);
        }
        for pid in newest.saturating_add(1)..=now {
            let born = read(pid).filter(|one| !one.is_dead() && one.pid != this);
            if let Some(process) = born.filter(|_| has_entry(pid, wanted.as_bytes())) {
                let _ = signal(&process, libc::SIGSTOP);
                found.push(process);
            }
        }
        newest = now;
    }
    Some(found)
}

/// Sends `signal` to the process that was seen, never to a later one of its number.
pub fn signal(process: &Process, signal: libc::c_int) -> io::Result<()> {
    match PidHandle::open(process.pid) {
        Ok(handle) => {
            if read(process.pid).is_some_and(|now| now.start_time == process.start_time) {
                handle.signal(signal)
            } else {
                Ok(())
            }
        }
        // SAFETY: plain call; only for kernels without pidfd.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => unsafe {
            sys::check(libc::kill(process.pid, signal)).map(|_| ())
        },
        Err(error) => Err(error),
    }
}

/// Stops, then kills, all that `find` gives, until it knows that there is nothing (None) or `bound` has passed. What is
/// left is given back. Stopping first keeps a tree that forks from outrunning the killer.
pub fn kill_all(
    mut find: impl FnMut() -> Option<Vec<Process>>,
    mut settle: impl FnMut(Duration),
    bound: Duration,
) -> Vec<Survivor> {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_millis(1);
    loop {
        let Some(mut found) = find() else {
            return Vec::new();
        };
        let mut stopped: BTreeSet<(i32, u64)> = BTreeSet::new();
        // Each round stops what the round before had missed; a bounded number, since a process in the kernel's
        // hands shows up for ever.
        for _ in 0..16 {
            let fresh: Vec<Process> =
                found.iter().filter(|one| !stopped.contains(&(one.pid, one.start_time))).cloned().collect();
            if fresh.is_empty() {
                break;
            }
            for process in &fresh {
                stopped.insert((process.pid, process.start_time));
                let _ = signal(process, libc::SIGSTOP);
            }
            match find() {
                Some(again) => found = again,
                None => return Vec::new(),
            }
        }
        for process in &found {
            let _ = signal(process, libc::SIGKILL);
        }
        settle(pause);
        if Instant::now() >= deadline {
            return find().map_or_else(Vec::new, |left| survivors_of(&left));
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Never empty: what was not seen may be alive all the same.
fn survivors_of(left: &[Process]) -> Vec<Survivor> {
    if left.is_empty() {
        return vec![Survivor { pid: 0, start_time: 0, command: "(never there when looked for)".to_owned() }];
    }
    left.iter().map(|one| Survivor { pid: one.pid, start_time: one.start_time, command: one.command.clone() }).collect()
}

/// Kills every descendant of this subreaper but those of `except` (its children that belong elsewhere), reaping as it
/// goes. `on_end` is told of every child that was reaped.
///
/// Being left without children proves that nothing is left, and nothing else does: every orphan becomes a child of
/// this process in the moment in which its parent ends.
pub fn kill_descendants(
    except: &BTreeSet<i32>,
    mut on_end: impl FnMut(libc::pid_t, libc::c_int),
    bound: Duration,
) -> Vec<Survivor> {
    let on_end = std::cell::RefCell::new(&mut on_end);
    let drain = || loop {
        match sys::reap() {
            Reaped::Child(pid, status) => (on_end.borrow_mut())(pid, status),
            Reaped::NoneEnded => return false,
            Reaped::NoChildren => return true,
        }
    };
    // None: the kernel does not list them.
    let orphans = || -> Option<Vec<i32>> {
        if drain() {
            return Some(Vec::new());
        }
        let mut children = children_of_this()?;
        children.retain(|pid| !except.contains(pid));
        Some(children)
    };
    let mut empty_looks = 0;
    let find = || {
        if orphans().is_some_and(|children| children.is_empty()) {
            return None;
        }
        let found = descendants(except);
        empty_looks = if found.is_empty() { empty_looks + 1 } else { 0 };
        // The best there is where the kernel lists no children and some may stay.
        let is_over = empty_looks == 2 && !except.is_empty() && children_of_this().is_none();
        (!is_over).then_some(found)
    };
    let chase = |pause| {
        let until = Instant::now() + pause;
        let mut before = Vec::new();
        while Instant::now() < until {
            let now = match orphans() {
                Some(children) if children.is_empty() => return,
                Some(children) => children,
                None => Vec::new(),
            };
            for pid in &now {
                // SAFETY: plain call. A child that nobody has reaped keeps its number, and only `orphans` reaps.
                unsafe {
                    libc::kill(*pid, libc::SIGKILL);
                }
            }
            // A chain of forks is somebody else each time: it is won by being faster than its next fork.
            if now == before {
                std::thread::sleep(Duration::from_micros(200));
            }
            before = now;
        }
    };
    kill_all(find, chase, bound)
}
