//! The cgroup v2 of an attempt: the strongest way to kill all that a task has started.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const CPU_PERIOD_US: f64 = 100_000.0;

/// A cgroup made for one attempt.
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// Makes the cgroup, and limits its memory and processors where the controllers are there. The flag says whether
    /// the limit of memory holds.
    pub fn create(
        folder: &Path,
        memory_limit_bytes: Option<u64>,
        cpu_limit: Option<f64>,
    ) -> io::Result<(Self, bool)> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let cgroup = Self {
            folder: folder.to_owned(),
        };
        let mut is_limited = false;
        if let Some(limit) = memory_limit_bytes {
            is_limited = fs::write(folder.join("memory.max"), limit.to_string()).is_ok();
            let _ = fs::write(folder.join("memory.swap.max"), "0");
            let _ = fs::write(folder.join("memory.oom.group"), "1");
        }
        if let Some(cpus) = cpu_limit.filter(|cpus| cpus.is_finite() && *cpus > 0.0) {
            // The kernel takes no quota below a millisecond.
            let quota_us = (cpus * CPU_PERIOD_US).max(1000.0).round();
            let _ = fs::write(
                folder.join("cpu.max"),
                format!("{quota_us:.0} {CPU_PERIOD_US:.0}"),
            );
        }
        Ok((cgroup, is_limited))
    }

    /// One that is there already, whoever made it.
    pub fn existing(folder: &Path) -> Option<Self> {
        folder.join("cgroup.procs").exists().then(|| Self {
            folder: folder.to_owned(),
        })
    }

    /// The folder, open: for a child to be born into it.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.folder)
    }

    /// The file that a process writes 0 to in order to move here.
    pub fn open_procs(&self) -> io::Result<File> {
        File::options()
            .write(true)
            .open(self.folder.join("cgroup.procs"))
    }

    /// Kills everything in it and below, in one step that no fork can outrun. Waits until it is empty; false where
    /// it is not within `bound`.
    pub fn kill(&self, bound: Duration) -> io::Result<bool> {
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

    /// How many processes the kernel has killed here for want of memory.
    pub fn memory_kills(&self) -> u64 {
        count_of(&self.folder.join("memory.events"), "oom_kill")
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
    let below = path
        .strip_prefix(root.trim_end_matches('/'))
        .unwrap_or(path);
    let below = below.trim_matches('/');
    Some(if below.is_empty() {
        mount_point
    } else {
        mount_point.join(below)
    })
}

/// Whether this process may make cgroups, be moved, and kill by them: tried with a real child. Gives the folder in
/// which cgroups can be made, or what stood in the way.
pub fn probe() -> Result<PathBuf, String> {
    let parent = own_folder().ok_or("no cgroup v2 is mounted")?;
    let folder = parent.join(format!("reprise-probe-{}", std::process::id()));
    let (cgroup, _) = Cgroup::create(&folder, None, None)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
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
        Ok(()) => cgroup
            .kill(Duration::from_secs(2))
            .map_err(|error| format!("cgroup.kill: {error}")),
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
