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
    let command = before
        .split_once('(')
        .map_or("", |(_, name)| name)
        .to_owned();
    let mut fields = after.split_ascii_whitespace();
    let state = fields.next()?.bytes().next()?;
    let parent = fields.next()?.parse().ok()?;
    let threads = fields.nth(15)?.parse().ok()?;
    let start_time = fields.nth(1)?.parse().ok()?;
    Some(Process {
        pid,
        parent,
        start_time,
        state,
        threads,
        command,
    })
}

/// Every process that this one may see.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .collect()
}

/// The boot that process numbers and start times belong to.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The direct children of this (single-threaded) process; None where the kernel does not list them.
pub fn children_of_this() -> Option<Vec<i32>> {
    let text = fs::read_to_string("/proc/thread-self/children").ok()?;
    Some(
        text.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
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
        found.extend(
            processes
                .iter()
                .filter(|one| roots.contains(&one.pid))
                .cloned(),
        );
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

/// Living processes that carry the marker in their environment, and all that stem from them.
pub fn marked(marker: &str) -> Vec<Process> {
    let wanted = format!("{MARKER_VARIABLE}={marker}");
    let this = i32::try_from(std::process::id()).unwrap_or(0);
    let processes = all();
    let roots = processes
        .iter()
        .filter(|process| process.pid != this)
        .filter(|process| {
            fs::read(format!("/proc/{}/environ", process.pid)).is_ok_and(|bytes| {
                bytes
                    .split(|byte| *byte == 0)
                    .any(|entry| entry == wanted.as_bytes())
            })
        })
        .map(|process| process.pid)
        .collect();
    closure(&processes, &roots, true)
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

/// Stops, then kills, all that `find` gives, until it gives nothing twice in a row or `bound` has passed. What is
/// left is given back. Stopping first keeps a tree that forks from outrunning the killer.
pub fn kill_all(
    mut find: impl FnMut() -> Vec<Process>,
    mut settle: impl FnMut(Duration),
    bound: Duration,
) -> Vec<Survivor> {
    let deadline = Instant::now() + bound;
    let mut empty_scans = 0;
    let mut pause = Duration::from_millis(1);
    loop {
        let mut found = find();
        if found.is_empty() {
            empty_scans += 1;
            if empty_scans == 2 {
                return Vec::new();
            }
            continue;
        }
        empty_scans = 0;
        let mut stopped: BTreeSet<(i32, u64)> = BTreeSet::new();
        // Each round stops what the round before had missed; a bounded number, since a process in the kernel's
        // hands shows up for ever.
        for _ in 0..16 {
            let fresh: Vec<Process> = found
                .iter()
                .filter(|one| !stopped.contains(&(one.pid, one.start_time)))
                .cloned()
                .collect();
            if fresh.is_empty() {
                break;
            }
            for process in &fresh {
                stopped.insert((process.pid, process.start_time));
                let _ = signal(process, libc::SIGSTOP);
            }
            found = find();
        }
        for process in &found {
            let _ = signal(process, libc::SIGKILL);
        }
        settle(pause);
        if Instant::now() >= deadline {
            return find()
                .into_iter()
                .map(|one| Survivor {
                    pid: one.pid,
                    start_time: one.start_time,
                    command: one.command,
                })
                .collect();
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Kills every descendant of this subreaper but those of `except`, reaping as it goes. `on_end` is told of every
/// child that was reaped. Being left without children proves that nothing is left; where `except` is empty that is
/// the test.
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
    let find = || {
        if drain() {
            Vec::new()
        } else {
            descendants(except)
        }
    };
    kill_all(
        find,
        |pause| {
            let until = Instant::now() + pause;
            while !drain() && Instant::now() < until {
                std::thread::sleep(Duration::from_micros(200));
            }
        },
        bound,
    )
}
