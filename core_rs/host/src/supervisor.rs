//! A supervisor: looks after one attempt at a time, each from its start to its spooled end.
//!
//! Invariant: an attempt is started at most once: the supervisor first makes the link `process_path`, whose target
//! names it (`<boot id> <pid> <start time>`). A link appears with its content in one step and never over another, so
//! whoever else makes it first (a second supervisor, or a server that gives the attempt up) has forbidden the start.
//!
//! Invariant: it takes another attempt only when nothing is left of the one before: its end is spooled, and this
//! process has no children.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::attempt::{self, Ran, Workplace};
use crate::cgroup::KeptCgroup;
use crate::channel::{self, Ended, Order, MESSAGE_BYTES};
use crate::launch::{Exit, Launch};
use crate::process;
use crate::spool::{self, Spool};
use crate::sys::{self, SignalQueue};

const CHANNEL: libc::c_int = 3;

/// How `serve` came back.
pub enum Outcome {
    /// There is nothing more to do (or, with the error, the end of an attempt could not be spooled).
    Ended(io::Result<()>),
    /// This is a warm task, with its streams, session and folder set: go on as it. Its launch.
    InTask(Vec<u8>),
}

/// What became of one order, which the spawner has been told of.
enum Done {
    /// The supervisor may take another.
    Free,
    /// It may not: processes that it cannot kill are still its children.
    Bound,
    InTask(Vec<u8>),
}

/// Makes a supervisor of this process, which must be a fresh fork with one thread, and does what the spawner orders
/// until that hangs up.
pub fn serve(channel: OwnedFd, boot_id: &str) -> Outcome {
    let mut workplace = match settle_in(channel) {
        Ok(workplace) => workplace,
        Err(error) => return Outcome::Ended(Err(error)),
    };
    let pid = i32::try_from(std::process::id()).unwrap_or(0);
    let Some(own) = process::read(pid) else {
        return Outcome::Ended(Err(io::Error::other("/proc does not show this process")));
    };
    workplace.cgroup = KeptCgroup::of(pid, own.start_time);
    let who = format!("{boot_id} {pid} {}", own.start_time);
    let mut buffer = vec![0_u8; MESSAGE_BYTES];
    while let Some(count) = channel::receive(workplace.channel, &mut buffer) {
        let (head, rest) = channel::parted(buffer.get(..count).unwrap_or_default());
        let Ok(order) = serde_json::from_slice::<Order>(head) else {
            continue;
        };
        // An order to stop is for an attempt that has ended.
        let Some(path) = &order.launch else {
            continue;
        };
        match look_after(&mut workplace, &who, &order, path, rest) {
            Ok(Done::Free) => {}
            Ok(Done::Bound) => break,
            Ok(Done::InTask(launch)) => {
                // What they hold is closed already.
                std::mem::forget(workplace);
                return Outcome::InTask(launch);
            }
            Err(error) => {
                workplace.cgroup.remove();
                return Outcome::Ended(Err(error));
            }
        }
        if workplace.has_hung_up {
            break;
        }
    }
    workplace.cgroup.remove();
    Outcome::Ended(Ok(()))
}

fn settle_in(channel: OwnedFd) -> io::Result<Workplace> {
    // SAFETY: plain call; fails only for the leader of a process group, which a fresh fork is not.
    unsafe {
        libc::setsid();
    }
    sys::set_name("reprise-attempt");
    sys::silence_standard_streams()?;
    sys::move_descriptor(channel, CHANNEL)?;
    sys::close_from(CHANNEL + 1);
    sys::become_subreaper()?;
    sys::forget_signal_handlers();
    let signals = SignalQueue::open(&[libc::SIGCHLD, libc::SIGTERM])?;
    Ok(Workplace::new(CHANNEL, signals))
}

/// From the claim to the spooled end. An error: the end could not be spooled, or nothing could be claimed.
fn look_after(workplace: &mut Workplace, who: &str, order: &Order, path: &Path, rest: &[u8]) -> io::Result<Done> {
    let stored;
    let bytes = if rest.is_empty() {
        match fs::read(path) {
            Ok(found) => {
                stored = found;
                &stored
            }
            Err(error) => return refused(workplace, order, path, &error.to_string()),
        }
    } else {
        rest
    };
    let launch: Launch = match serde_json::from_slice(bytes) {
        Ok(launch) => launch,
        Err(error) => return refused(workplace, order, path, &format!("it is not a launch: {error}")),
    };
    // What came late for the attempt before.
    while workplace.signals.next().is_some() {}
    launch.reach("before_claim");
    let is_ours = claim(&launch, who)?;
    launch.reach("claimed");
    if !is_ours {
        tell(workplace, order, None, None)?;
        return Ok(Done::Free);
    }
    let spool = Spool::reserve(path, rest, &launch.exit_path)?;
    match attempt::run(&launch, workplace, order) {
        Ran::InTask => {
            std::mem::forget(spool);
            Ok(Done::InTask(bytes.to_vec()))
        }
        Ran::Ended(exit) => {
            launch.reach("tree_dead");
            spool.commit(&exit, |place| launch.reach(place))?;
            if !tell(workplace, order, Some(&exit), None)? {
                // Nobody is there to commit it.
                let _ = launch.exit_path.parent().map(spool::sync);
            }
            launch.reach("told");
            Ok(if exit.survivors.is_empty() { Done::Free } else { Done::Bound })
        }
    }
}

fn refused(workplace: &Workplace, order: &Order, path: &Path, why: &str) -> io::Result<Done> {
    let error = format!("cannot read {}: {why}", path.display());
    tell(workplace, order, None, Some(error))?;
    Ok(Done::Free)
}

/// False where nobody hears it.
fn tell(workplace: &Workplace, order: &Order, exit: Option<&Exit>, error: Option<String>) -> io::Result<bool> {
    let ended = Ended { id: order.id, ended: true, exit, error };
    let message = serde_json::to_vec(&ended).map_err(io::Error::other)?;
    Ok(sys::send(workplace.channel, &message))
}

/// False where the attempt has been claimed before.
fn claim(launch: &Launch, who: &str) -> io::Result<bool> {
    if let Some(folder) = launch.process_path.parent() {
        make_folder(folder)?;
    }
    match symlink(who, &launch.process_path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// As `create_dir_all`, from the top: of a first attempt neither the task's folder nor its own is there.
fn make_folder(folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        // What keeps it from being made keeps the next one too.
        let _ = fs::create_dir(parent);
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder),
        made => made,
    }
}
