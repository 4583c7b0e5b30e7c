//! The spawner: a small process of one thread that forks one supervisor for each attempt.
//!
//! Invariant: a supervisor outlives the server and the spawner. A supervisor that is itself killed leaves its tree to
//! the spawner, which is a subreaper too and kills what it inherits; it stays for that until its last supervisor has
//! ended, also when the server has gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cgroup;
use crate::ending;
use crate::launch::{Launch, Survivor};
use crate::process;
use crate::supervisor::{self, Host, Outcome};
use crate::sys::{self, Reaped, SignalQueue};

const MESSAGE_BYTES: usize = 64 * 1024;
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const ORPHAN_KILL_BOUND: Duration = Duration::from_secs(5);

/// One message of the server: a request, and for `inline` a line's end and a launch. Exactly one of the four.
#[derive(Debug, Deserialize)]
struct Request {
    id: u64,
    /// Start the attempt that the rest of the message describes, keep that as the file of this name, and answer when
    /// its supervisor has ended.
    #[serde(default)]
    inline: Option<PathBuf>,
    /// Start the attempt that this launch.json describes.
    launch: Option<PathBuf>,
    /// Answer when nothing is left of supervisors that were killed.
    #[serde(default)]
    settle: bool,
    /// Say what this host allows.
    #[serde(default)]
    probe: bool,
}

#[derive(Debug, Default, Serialize)]
struct Reply {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// The supervisor of an inline launch has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
    /// What it has spooled.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    survivors: Option<Vec<Survivor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup_root: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup_detail: Option<String>,
}

/// How `serve` came back.
pub enum Served {
    /// The server hung up and every supervisor has ended.
    Done,
    /// This is a warm task: its launch.json is at this path.
    InTask(PathBuf),
}

/// The launch.json of the warm task that this process has become.
pub(crate) static WARM_LAUNCH: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A supervisor that was forked.
struct Supervisor {
    /// The request that it came from.
    id: u64,
    /// Where it spools the end that the server waits for; None: the server looks for itself.
    exit_path: Option<PathBuf>,
}

struct Spawner {
    socket: RawFd,
    signals: SignalQueue,
    /// Living supervisors.
    supervisors: BTreeMap<i32, Supervisor>,
    host: Host,
    looked_at: Instant,
}

/// Serves requests from a SOCK_SEQPACKET socket until its other end is closed.
pub fn serve(socket: RawFd) -> io::Result<Served> {
    // SAFETY: plain calls. A session of its own keeps the terminal's signals away; it fails only for a group leader.
    unsafe {
        libc::setsid();
    }
    sys::set_name("reprise-spawner");
    sys::become_subreaper()?;
    let signals = SignalQueue::open(&[libc::SIGCHLD])?;
    let host = Host {
        boot_id: process::boot_id(),
        memory_kills: ending::memory_kills(),
    };
    let mut spawner = Spawner {
        socket,
        signals,
        supervisors: BTreeMap::new(),
        host,
        looked_at: Instant::now(),
    };
    let mut is_connected = true;
    let mut buffer = vec![0_u8; MESSAGE_BYTES];
    while is_connected || !spawner.supervisors.is_empty() {
        let socket = is_connected.then_some(spawner.socket);
        let [has_ended, has_message] = sys::poll([Some(spawner.signals.as_raw_fd()), socket], None);
        if has_ended {
            while spawner.signals.next().is_some() {}
            spawner.reap();
        }
        if has_message {
            match receive(spawner.socket, &mut buffer) {
                Some(message) => {
                    if let Some(launch) = spawner.answer(message) {
                        // Its descriptors belong to the parent, and are closed here already.
                        std::mem::forget(spawner);
                        return Ok(Served::InTask(launch));
                    }
                }
                None => is_connected = false,
            }
        }
    }
    Ok(Served::Done)
}

/// The next message; None when the other end is closed.
fn receive(socket: RawFd, buffer: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: the buffer is writable for its whole length.
    let count = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    match usize::try_from(count) {
        Ok(0) | Err(_) => None,
        Ok(count) => buffer.get(..count),
    }
}

impl Spawner {
    fn reap(&mut self) {
        let mut is_supervisor_killed = false;
        while let Reaped::Child(pid, status) = sys::reap() {
            is_supervisor_killed |= self.note_end(pid, status);
        }
        if is_supervisor_killed {
            self.kill_orphans();
        }
    }

    /// True where processes of an attempt may have been left to this one.
    fn note_end(&mut self, pid: i32, status: libc::c_int) -> bool {
        let Some(Supervisor { id, exit_path }) = self.supervisors.remove(&pid) else {
            return true;
        };
        if let Some(path) = exit_path {
            // Without one the server finds out what became of the attempt.
            let exit = fs::read(path)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok());
            let reply = Reply {
                id,
                ended: Some(true),
                exit,
                ..Reply::default()
            };
            send(self.socket, &reply);
            return status != 0;
        }
        if status == 0 {
            return false;
        }
        // A supervisor answers for itself when it has claimed its attempt; this one may not have come so far. A
        // second answer to one request does no harm.
        let error = Some("the supervisor ended before its attempt did".to_owned());
        send(
            self.socket,
            &Reply {
                id,
                error,
                ..Reply::default()
            },
        );
        true
    }

    /// Kills all that supervisors which are gone have left behind.
    fn kill_orphans(&mut self) -> Vec<Survivor> {
        let living: BTreeSet<i32> = self.supervisors.keys().copied().collect();
        let mut ended = Vec::new();
        let survivors = process::kill_descendants(
            &living,
            |pid, status| ended.push((pid, status)),
            ORPHAN_KILL_BOUND,
        );
        for (pid, status) in ended {
            self.note_end(pid, status);
        }
        survivors
    }

    /// Answers one message. Gives a path in a forked child that is to go on as a warm task.
    fn answer(&mut self, message: &[u8]) -> Option<PathBuf> {
        let mut reply = Reply::default();
        let (head, rest) = match message.iter().position(|byte| *byte == b'\n') {
            Some(at) => (
                message.get(..at).unwrap_or_default(),
                message.get(at + 1..).unwrap_or_default(),
            ),
            None => (message, &[][..]),
        };
        match serde_json::from_slice::<Request>(head) {
            Ok(request) => {
                reply.id = request.id;
                if let Some(path) = request.inline {
                    match self.fork(request.id, path, rest, true) {
                        Ok(_) => return None,
                        Err(message) => reply.error = Some(message),
                    }
                } else if let Some(path) = request.launch {
                    match self.launch(request.id, path) {
                        Ok(in_task) => return in_task,
                        Err(message) => reply.error = Some(message),
                    }
                } else if request.settle {
                    self.reap();
                    reply.survivors = Some(self.kill_orphans());
                } else if request.probe {
                    match cgroup::probe() {
                        Ok(root) => reply.cgroup_root = Some(root),
                        Err(detail) => reply.cgroup_detail = Some(detail),
                    }
                }
            }
            Err(error) => reply.error = Some(format!("not a request: {error}")),
        }
        send(self.socket, &reply);
        None
    }

    /// As `fork`, with the launch in the file.
    fn launch(&mut self, id: u64, path: PathBuf) -> Result<Option<PathBuf>, String> {
        let bytes =
            fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        self.fork(id, path, &bytes, false)
    }

    /// Forks a supervisor, which answers the request itself when it has claimed the attempt; an inline one is answered
    /// when the supervisor has ended.
    fn fork(
        &mut self,
        id: u64,
        path: PathBuf,
        bytes: &[u8],
        is_inline: bool,
    ) -> Result<Option<PathBuf>, String> {
        let launch: Launch = serde_json::from_slice(bytes)
            .map_err(|error| format!("{} is not a launch: {error}", path.display()))?;
        if self.looked_at.elapsed() > LOOK_AGAIN_AFTER {
            self.host.memory_kills = ending::memory_kills();
            self.looked_at = Instant::now();
        }
        // SAFETY: this process has one thread; signals are blocked until the child reads them from its own queue.
        let pid =
            sys::check(unsafe { libc::fork() }).map_err(|error| format!("cannot fork: {error}"))?;
        if pid == 0 {
            let on_claimed = |is_ours: bool| {
                if !is_inline {
                    let reply = Reply {
                        id,
                        pid: Some(std::process::id()),
                        ..Reply::default()
                    };
                    send(self.socket, &reply);
                } else if is_ours {
                    // For whoever has to look after the attempt when this supervisor is gone.
                    let _ = keep(&path, bytes);
                }
            };
            match supervisor::supervise(&launch, &self.host, on_claimed) {
                Outcome::InTask => return Ok(Some(path)),
                Outcome::Ended(result) => {
                    // SAFETY: ends this process without running what its parent has registered.
                    unsafe { libc::_exit(libc::c_int::from(result.is_err())) }
                }
            }
        }
        let exit_path = is_inline.then_some(launch.exit_path);
        self.supervisors.insert(pid, Supervisor { id, exit_path });
        Ok(None)
    }
}

/// Writes a launch to its file, for the owner alone: an environment may hold secrets.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}

fn send(socket: RawFd, reply: &Reply) {
    if let Ok(bytes) = serde_json::to_vec(reply) {
        // SAFETY: the buffer is readable for its length. A server that has gone is seen at the next receive.
        unsafe {
            libc::send(
                socket,
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL,
            );
        }
    }
}
