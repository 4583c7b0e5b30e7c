//! The cgroup v2 of an attempt: the strongest way to kill all that a task has started.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::launch::Launch;

const NAME: &str = "reprise";
const CPU_PERIOD_US: f64 = 100_000.0;

/// Removes what a supervisor that was killed has left empty; what holds processes stays.
pub fn remove_left(root: &Path, pid: i32) {
    let prefix = format!("{NAME}-{pid}-");
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A cgroup for the processes of one attempt.
pub struct Cgroup {
    folder: PathBuf,
    handle: File,
    is_limited: bool,
    was_killed: Cell<bool>,
}

/// The cgroup of a supervisor, which serves its attempts in turn: making one costs more than a short task does.
///
/// Invariant: it goes to another attempt only when it is empty and nothing is known of the one before that could be
/// felt there: it has no limits, and was not killed (who is born into a cgroup that once was dies of it on some
/// kernels). Its name follows from the supervisor's, so that who finds that dead finds it.
#[derive(Default)]
pub struct KeptCgroup {
    name: String,
    kept: Option<Cgroup>,
}

impl KeptCgroup {
    /// Of the supervisor with this number and start time.
    pub fn of(pid: i32, start_time: u64) -> Self {
        Self { name: format!("{NAME}-{pid}-{start_time}"), kept: None }
    }

    /// One for an attempt, with its limits; None where the host allows none.
    pub fn take(&mut self, launch: &Launch) -> Option<Cgroup> {
        let folder = launch.cgroup_root.as_ref()?.join(&self.name);
        let is_limited = launch.memory_limit_bytes.is_some() || launch.cpu_limit.is_some();
        match self.kept.take() {
            Some(kept) if kept.folder == folder && !is_limited => return Some(kept),
            Some(kept) => kept.remove(),
            None => {}
        }
        Cgroup::create(&folder, launch.memory_limit_bytes, launch.cpu_limit).ok()
    }

    /// It is empty, and may serve the next attempt.
    pub fn put_back(&mut self, cgroup: Option<Cgroup>) {
        match cgroup {
            Some(cgroup) if cgroup.is_limited || cgroup.was_killed.get() => cgroup.remove(),
            Some(cgroup) => self.kept = Some(cgroup),
            None => {}
        }
    }

    /// There are no more attempts.
    pub fn remove(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.remove();
        }
    }
}

impl Cgroup {
    /// Makes the cgroup, and limits its memory and processors where the controllers are there.
    pub fn create(folder: &Path, memory_limit_bytes: Option<u64>, cpu_limit: Option<f64>) -> io::Result<Self> {
        // Not one that is there: it could not be removed, and what was done to it is not known.
        fs::create_dir(folder)?;
        let cgroup = Self {
            folder: folder.to_owned(),
            handle: File::open(folder)?,
            is_limited: memory_limit_bytes.is_some() || cpu_limit.is_some(),
            was_killed: Cell::new(false),
        };
        if let Some(limit) = memory_limit_bytes {
            let _ = fs::write(folder.join("memory.max"), limit.to_string());
            let _ = fs::write(folder.join("memory.swap.max"), "0");
            let _ = fs::write(folder.join("memory.oom.group"), "1");
        }
        if let Some(cpus) = cpu_limit.filter(|cpus| cpus.is_finite() && *cpus > 0.0) {
            // The kernel takes no quota below a millisecond.
            let quota_us = (cpus * CPU_PERIOD_US).max(1000.0).round();
            let _ = fs::write(folder.join("cpu.max"), format!("{quota_us:.0} {CPU_PERIOD_US:.0}"));
        }
        Ok(cgroup)
    }

    /// One that is there already, whoever made it.
    pub fn existing(folder: &Path) -> Option<Self> {
        // Only a cgroup has this file.
        fs::metadata(folder.join("cgroup.procs")).ok()?;
        Some(Self {
            folder: folder.to_owned(),
            handle: File::open(folder).ok()?,
            is_limited: false,
            was_killed: Cell::new(false),
        })
    }

    /// The folder, open: for a child to be born into it.
    pub fn handle(&self) -> RawFd {
        self.handle.as_raw_fd()
    }

    /// The file that a process writes 0 to in order to move here.
    pub fn open_procs(&self) -> io::Result<File> {
        File::options().write(true).open(self.folder.join("cgroup.procs"))
    }

    /// Kills everything in it and below, in one step that no fork can outrun. Waits until it is empty; false where
    /// it is not within `bound`.
    pub fn kill(&self, bound: Duration) -> io::Result<bool> {
        self.was_killed.set(true);
        fs::write(self.folder.join("cgroup.kill"), "1")?;
        let deadline = Instant::now() + bound;
        let mut pause = Duration::from_micros(100);
        while !self.is_empty() {
            if Instant::now() >= deadline {
                return Ok(false);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        Ok(true)
    }

    /// Whether no living process is in it or below.
    pub fn is_empty(&self) -> bool {
        match fs::read_to_string(self.folder.join("cgroup.events")) {
            Ok(text) => text.lines().any(|line| line == "populated 0"),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Whether the kernel has killed processes of this attempt at its limit of memory.
    pub fn has_memory_kills(&self) -> bool {
        self.is_limited && count_of(&self.folder.join("memory.events"), "oom_kill") > 0
    }

    /// Removes it, with the cgroups that the task may have made below.
    pub fn remove(&self) {
        remove_tree(&self.folder);
    }
}

fn remove_tree(folder: &Path) {
    // A cgroup that was emptied a moment ago can still be busy.
    for _ in 0..20 {
        match fs::remove_dir(folder) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(_) => {}
        }
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_tree(&entry.path());
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The number after `name` in a file of lines "name number"; 0 where it is not there.
pub fn count_of(path: &Path, name: &str) -> u64 {
    let Ok(text) = fs::read_to_string(path) else {
        return 0;
    };
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or(0)
}

/// The cgroup v2 that this process is in, whether v2 is mounted alone or beside v1; None where it is not mounted.
pub fn own_folder() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let (root, mount_point) = mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        if kind.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = fields.split(' ').skip(3);
        Some((fields.next()?.to_owned(), PathBuf::from(fields.next()?)))
    })?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    // In a container the mount may show only the part of the hierarchy below `root`.
    let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(path);
    let below = below.trim_matches('/');
    Some(if below.is_empty() { mount_point } else { mount_point.join(below) })
}

/// Whether this process may make cgroups, be moved, and kill by them: tried with a real child. Gives the folder in
/// which cgroups can be made, or what stood in the way.
pub fn probe() -> Result<PathBuf, String> {
    let parent = own_folder().ok_or("no cgroup v2 is mounted")?;
    let folder = parent.join(format!("reprise-probe-{}", std::process::id()));
    let cgroup =
        Cgroup::create(&folder, None, None).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let outcome = probe_with_child(&cgroup);
    cgroup.remove();
    outcome.map(|()| parent)
}

fn probe_with_child(cgroup: &Cgroup) -> Result<(), String> {
    // Two processes, one below the other in a session of its own.
    let mut child = Command::new("/bin/sh")
        .args(["-c", "read line; setsid sleep 60 & wait"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start a child: {error}"))?;
    let moved = fs::write(cgroup.folder.join("cgroup.procs"), child.id().to_string());
    drop(child.stdin.take());
    let killed = match moved {
        Ok(()) => cgroup.kill(Duration::from_secs(2)).map_err(|error| format!("cgroup.kill: {error}")),
        Err(error) => Err(format!("cannot move a process: {error}")),
    };
    let _ = child.kill();
    let _ = child.wait();
    match killed {
        Ok(true) => Ok(()),
        Ok(false) => Err("cgroup.kill left a process alive".to_owned()),
        Err(error) => Err(error),
    }
}
