//! The spawner: a small process of one thread that forks supervisors and gives them attempts.
//!
//! Invariant: a supervisor outlives the server and the spawner. A supervisor that is itself killed leaves its tree to
//! the spawner, which is a subreaper too and kills what it inherits; it stays for that until its last supervisor has
//! ended, also when the server has gone.
//!
//! Invariant: a supervisor that has looked after one attempt is given another only while the server is there. So who
//! takes over from a server that has gone finds, under the name of a supervisor, the attempt that it was named for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cgroup;
use crate::channel::{self, Order, MESSAGE_BYTES};
use crate::ending;
use crate::launch::Survivor;
use crate::process;
use crate::spool;
use crate::supervisor::{self, Outcome};
use crate::sys::{self, Epoll, FileLimit, Reaped, SignalQueue};

const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const ORPHAN_KILL_BOUND: Duration = Duration::from_secs(5);
/// So many supervisors without an attempt are kept, for so long, so that the next attempts need no fork.
const MOST_IDLE: usize = 32;
const LONGEST_IDLE: Duration = Duration::from_secs(3);

const SERVER: u64 = 0;
const SIGNALS: u64 = u64::MAX;

/// One message of the server: a request, and where it is to start an attempt, a line's end and the launch.
#[derive(Debug, Deserialize)]
struct Request {
    id: u64,
    /// Start the attempt that the rest of the message describes, keep that as the file of this name; without a rest
    /// it is there already. Answered when the attempt has ended.
    #[serde(default)]
    launch: Option<PathBuf>,
    /// The ends of these earlier requests are in the server's store.
    #[serde(default)]
    released: Vec<u64>,
    /// Ask the attempt of this earlier request to stop; one that has ended is left alone.
    #[serde(default)]
    stop: Option<u64>,
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
    /// The supervisor of an attempt has ended, and has told nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<bool>,
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
    /// This is a warm task, and this its launch.
    InTask(Vec<u8>),
}

/// The launch of the warm task that this process has become.
pub(crate) static WARM_LAUNCH: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A supervisor that was forked.
struct Supervisor {
    /// None once it is to end.
    channel: Option<OwnedFd>,
    attempt: Option<Attempt>,
}

/// An attempt that a supervisor has.
struct Attempt {
    /// The request that it comes from.
    id: u64,
    /// Where its end is spooled.
    folder: PathBuf,
}

struct Spawner {
    socket: RawFd,
    events: Epoll,
    signals: SignalQueue,
    boot_id: String,
    cgroup_root: Option<PathBuf>,
    file_limit: FileLimit,
    memory_kills: u64,
    looked_at: Instant,
    buffer: Vec<u8>,
    /// Living supervisors, by their numbers.
    supervisors: BTreeMap<i32, Supervisor>,
    /// Those without an attempt and since when; the one that was busy last comes last.
    idle: Vec<(i32, Instant)>,
    /// Where the ends are that the server was told of, by their requests, until it has committed them.
    told: BTreeMap<u64, PathBuf>,
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
    let events = Epoll::open()?;
    events.add(socket, SERVER)?;
    events.add(signals.as_raw_fd(), SIGNALS)?;
    let mut spawner = Spawner {
        socket,
        events,
        signals,
        boot_id: process::boot_id(),
        cgroup_root: cgroup::own_folder(),
        // A descriptor for each supervisor; tasks get the limit that was found.
        file_limit: FileLimit::raise(),
        memory_kills: ending::memory_kills(),
        looked_at: Instant::now(),
        buffer: vec![0_u8; MESSAGE_BYTES],
        supervisors: BTreeMap::new(),
        idle: Vec::new(),
        told: BTreeMap::new(),
    };
    let mut is_connected = true;
    while is_connected || !spawner.supervisors.is_empty() {
        for event in spawner.events.wait(spawner.idle_left()) {
            match event {
                SIGNALS => {
                    while spawner.signals.next().is_some() {}
                    spawner.reap();
                }
                SERVER => match channel::receive(spawner.socket, &mut spawner.buffer) {
                    Some(count) => {
                        let message = spawner.buffer.get(..count).unwrap_or_default().to_vec();
                        if let Some(launch) = spawner.answer(&message) {
                            // Its descriptors belong to the parent, and are closed here already.
                            std::mem::forget(spawner);
                            return Ok(Served::InTask(launch));
                        }
                    }
                    None => {
                        is_connected = false;
                        spawner.events.remove(spawner.socket);
                        spawner.go_on_alone();
                    }
                },
                pid => spawner.hear(i32::try_from(pid).unwrap_or(0)),
            }
        }
        spawner.dismiss(is_connected);
    }
    Ok(Served::Done)
}

impl Spawner {
    /// Passes on what a supervisor tells of its attempt; it is free for another then.
    fn hear(&mut self, pid: i32) {
        let Some(supervisor) = self.supervisors.get_mut(&pid) else {
            return;
        };
        let Some(channel) = &supervisor.channel else {
            return;
        };
        match channel::receive(channel.as_raw_fd(), &mut self.buffer) {
            Some(count) => {
                sys::send(self.socket, self.buffer.get(..count).unwrap_or_default());
                if let Some(attempt) = supervisor.attempt.take() {
                    // Not heard by a server that has gone: that is seen at the next receive.
                    self.told.insert(attempt.id, attempt.folder);
                }
                self.idle.push((pid, Instant::now()));
            }
            // It ends: what follows is its death.
            None => self.let_go(pid),
        }
    }

    /// Gives the supervisor no more attempts: without an attempt it ends at once, else after that.
    fn let_go(&mut self, pid: i32) {
        self.idle.retain(|(idle, _)| *idle != pid);
        if let Some(supervisor) = self.supervisors.get_mut(&pid) {
            if let Some(channel) = supervisor.channel.take() {
                self.events.remove(channel.as_raw_fd());
            }
        }
    }

    /// The server has gone. Supervisors are told no more and heard no more, so that they sync what they spool; what they
    /// have told before that, and nobody has committed, is synced here.
    fn go_on_alone(&mut self) {
        let pids: Vec<i32> = self.supervisors.keys().copied().collect();
        for pid in pids {
            self.let_go(pid);
        }
        let busy = self.supervisors.values().filter_map(|supervisor| supervisor.attempt.as_ref());
        for folder in self.told.values().chain(busy.map(|attempt| &attempt.folder)) {
            // Has not ended, or was deleted.
            let _ = spool::sync(folder);
        }
        self.told.clear();
    }

    /// How long the supervisor that has been idle for longest may stay.
    fn idle_left(&self) -> Option<Duration> {
        let (_, since) = self.idle.first()?;
        Some(LONGEST_IDLE.saturating_sub(since.elapsed()))
    }

    /// Lets go of supervisors that have nothing to do.
    fn dismiss(&mut self, is_connected: bool) {
        while let Some((pid, since)) = self.idle.first().copied() {
            let is_wanted = self.idle.len() <= MOST_IDLE && since.elapsed() < LONGEST_IDLE;
            if is_connected && is_wanted {
                return;
            }
            self.let_go(pid);
        }
    }

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
        if !self.supervisors.contains_key(&pid) {
            return true;
        }
        // The last that it has told may not have been read yet.
        while self.supervisors.get(&pid).is_some_and(|one| one.channel.is_some()) {
            self.hear(pid);
        }
        if let Some(Supervisor { attempt: Some(attempt), .. }) = self.supervisors.remove(&pid) {
            // The server finds out what became of the attempt.
            self.reply(&Reply { id: attempt.id, ended: Some(true), ..Reply::default() });
        }
        if status != 0 {
            if let Some(root) = &self.cgroup_root {
                cgroup::remove_left(root, pid);
            }
        }
        status != 0
    }

    /// Kills all that supervisors which are gone have left behind.
    fn kill_orphans(&mut self) -> Vec<Survivor> {
        let living: BTreeSet<i32> = self.supervisors.keys().copied().collect();
        let mut ended = Vec::new();
        let survivors = process::kill_descendants(&living, |pid, status| ended.push((pid, status)), ORPHAN_KILL_BOUND);
        for (pid, status) in ended {
            self.note_end(pid, status);
        }
        survivors
    }

    /// Answers one message. Gives a launch in a forked child that is to go on as a warm task.
    fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let mut reply = Reply::default();
        let (head, rest) = channel::parted(message);
        match serde_json::from_slice::<Request>(head) {
            Ok(request) => {
                reply.id = request.id;
                for id in &request.released {
                    self.told.remove(id);
                }
                if let Some(path) = request.launch {
                    match self.launch(request.id, path, rest) {
                        Ok(in_task) => return in_task,
                        Err(error) => reply.error = Some(format!("cannot start a supervisor: {error}")),
                    }
                } else if let Some(id) = request.stop {
                    self.stop(id);
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
        self.reply(&reply);
        None
    }

    /// Gives the attempt to a supervisor, which answers the request when it has ended.
    fn launch(&mut self, id: u64, path: PathBuf, rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if self.looked_at.elapsed() > LOOK_AGAIN_AFTER {
            self.memory_kills = ending::memory_kills();
            self.looked_at = Instant::now();
        }
        let folder = path.parent().unwrap_or(&path).to_owned();
        let order = Order::attempt(id, path, self.memory_kills).encode(rest)?;
        // Not once the server has gone, also where this message was sent before.
        if !sys::is_hung_up(self.socket) {
            while let Some((pid, _)) = self.idle.pop() {
                if let Some(supervisor) = self.supervisors.get_mut(&pid) {
                    let channel = supervisor.channel.as_ref();
                    if channel.is_some_and(|channel| sys::send(channel.as_raw_fd(), &order)) {
                        supervisor.attempt = Some(Attempt { id, folder });
                        return Ok(None);
                    }
                }
                self.let_go(pid);
            }
        }
        let (ours, theirs) = sys::socket_pair()?;
        // SAFETY: this process has one thread; signals are blocked until the child reads them from its own queue.
        let pid = sys::check(unsafe { libc::fork() })?;
        if pid == 0 {
            self.file_limit.restore();
            match supervisor::serve(theirs, &self.boot_id) {
                Outcome::InTask(launch) => {
                    std::mem::forget(ours);
                    return Ok(Some(launch));
                }
                Outcome::Ended(result) => {
                    // SAFETY: ends this process without running what its parent has registered.
                    unsafe { libc::_exit(libc::c_int::from(result.is_err())) }
                }
            }
        }
        self.events.add(ours.as_raw_fd(), u64::from(pid.unsigned_abs()))?;
        sys::send(ours.as_raw_fd(), &order);
        let supervisor = Supervisor { channel: Some(ours), attempt: Some(Attempt { id, folder }) };
        self.supervisors.insert(pid, supervisor);
        Ok(None)
    }

    /// Tells the supervisor that has the attempt of this request to stop it. By its channel and not by a signal: it
    /// may be about to take another attempt.
    fn stop(&self, id: u64) {
        let mut all = self.supervisors.values();
        let busy = all.find(|supervisor| supervisor.attempt.as_ref().is_some_and(|one| one.id == id));
        if let Some(channel) = busy.and_then(|supervisor| supervisor.channel.as_ref()) {
            if let Ok(order) = Order::stop(id).encode(&[]) {
                sys::send(channel.as_raw_fd(), &order);
            }
        }
    }

    fn reply(&self, reply: &Reply) {
        if let Ok(bytes) = serde_json::to_vec(reply) {
            // A server that has gone is seen at the next receive.
            sys::send(self.socket, &bytes);
        }
    }
}
