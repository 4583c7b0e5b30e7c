//! The functions that Python calls through ctypes.
//!
//! Invariant: no call unwinds into C, and what is written to a caller's buffer ends with NUL and fits.

use std::ffi::{c_char, c_int, CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cgroup::{self, Cgroup};
use crate::launch::Survivor;
use crate::log::LogWriter;
use crate::process;
use crate::spawner::{self, Served, WARM_LAUNCH};

#[derive(Deserialize)]
struct KillRequest {
    marker: String,
    #[serde(default)]
    cgroup_dir: Option<PathBuf>,
    #[serde(default = "default_bound")]
    bound_s: f64,
}

const fn default_bound() -> f64 {
    10.0
}

#[derive(Serialize)]
struct KillReply {
    killed: usize,
    survivors: Vec<Survivor>,
    kill_method: String,
}

#[derive(Serialize)]
struct ProbeReply {
    cgroup_root: Option<PathBuf>,
    cgroup_detail: Option<String>,
}

/// Writes `text` with its final NUL; -1 where it does not fit.
fn put(text: &[u8], buffer: *mut c_char, capacity: usize) -> c_int {
    if buffer.is_null() || text.len() >= capacity {
        return -1;
    }
    // SAFETY: the caller gave a buffer of `capacity` bytes, and text and NUL fit.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast::<u8>(), text.len());
        *buffer.add(text.len()) = 0;
    }
    0
}

/// Serves as the spawner on a SOCK_SEQPACKET socket. 0: the other end was closed; 1: this process is now a warm task
/// (see `reprise_warm_launch`); -1: an error.
#[no_mangle]
pub extern "C" fn reprise_spawner(socket: c_int) -> c_int {
    match std::panic::catch_unwind(|| spawner::serve(socket)) {
        Ok(Ok(Served::Done)) => 0,
        Ok(Ok(Served::InTask(launch))) => {
            if let Ok(mut place) = WARM_LAUNCH.lock() {
                *place = Some(launch);
            }
            1
        }
        _ => -1,
    }
}

/// The launch of the warm task that this process is, as JSON text; null where it is none. It stays where it is.
#[no_mangle]
pub extern "C" fn reprise_warm_launch() -> *const c_char {
    match WARM_LAUNCH.lock() {
        Ok(mut place) => place.as_mut().map_or(std::ptr::null(), |launch| {
            if launch.last() != Some(&0) {
                launch.push(0);
            }
            launch.as_ptr().cast()
        }),
        Err(_) => std::ptr::null(),
    }
}

/// Kills what is left of an attempt whose supervisor is gone: by its cgroup, and by the marker in the environment of
/// its processes. `request`: {"marker", "cgroup_dir"?, "bound_s"?}; the answer: {"killed", "survivors",
/// "kill_method"}. 0, or -1 for a request that cannot be read. Blocks until all are dead or the bound has passed.
///
/// # Safety
/// `request` must be a NUL-terminated string, `buffer` writable for `capacity` bytes.
#[no_mangle]
pub unsafe extern "C" fn reprise_kill_tree(request: *const c_char, buffer: *mut c_char, capacity: usize) -> c_int {
    if request.is_null() {
        return -1;
    }
    // SAFETY: as promised by the caller.
    let bytes = unsafe { CStr::from_ptr(request) }.to_bytes();
    let Ok(request) = serde_json::from_slice::<KillRequest>(bytes) else {
        return -1;
    };
    match std::panic::catch_unwind(|| serde_json::to_vec(&kill_tree(&request))) {
        Ok(Ok(answer)) => put(&answer, buffer, capacity),
        _ => -1,
    }
}

fn kill_tree(request: &KillRequest) -> KillReply {
    let bound = Duration::try_from_secs_f64(request.bound_s).unwrap_or(Duration::from_secs(10));
    let mut kill_method = "marker".to_owned();
    let cgroup = request.cgroup_dir.as_deref().and_then(Cgroup::existing);
    let mut is_empty = true;
    if let Some(cgroup) = &cgroup {
        if let Ok(emptied) = cgroup.kill(bound) {
            kill_method = "cgroup.kill".to_owned();
            is_empty = emptied;
        }
    }
    let mut killed: Vec<(i32, u64)> = Vec::new();
    let find = || {
        let found = process::marked(&request.marker);
        for one in found.iter().flatten() {
            if !killed.contains(&(one.pid, one.start_time)) {
                killed.push((one.pid, one.start_time));
            }
        }
        found
    };
    let mut survivors = process::kill_all(find, std::thread::sleep, bound);
    if let Some(cgroup) = cgroup {
        if is_empty || cgroup.is_empty() {
            cgroup.remove();
        } else if survivors.is_empty() {
            survivors.push(Survivor { pid: 0, start_time: 0, command: "(in the attempt's cgroup)".to_owned() });
        }
    }
    KillReply { killed: killed.len(), survivors, kill_method }
}

/// What this host allows: {"cgroup_root", "cgroup_detail"}, tried with real children. 0 or -1.
///
/// # Safety
/// `buffer` must be writable for `capacity` bytes. The process must not be reaping children of its own meanwhile.
#[no_mangle]
pub unsafe extern "C" fn reprise_probe(buffer: *mut c_char, capacity: usize) -> c_int {
    let reply = match std::panic::catch_unwind(cgroup::probe) {
        Ok(Ok(root)) => ProbeReply { cgroup_root: Some(root), cgroup_detail: None },
        Ok(Err(detail)) => ProbeReply { cgroup_root: None, cgroup_detail: Some(detail) },
        Err(_) => return -1,
    };
    serde_json::to_vec(&reply).map_or(-1, |bytes| put(&bytes, buffer, capacity))
}

/// Opens the log of a task whose output will be told from its beginning, be it for the first time or again
/// (`LogWriter::replay`). Null where that fails.
///
/// # Safety
/// `path` must be a NUL-terminated string. What is returned belongs to the caller until `reprise_log_finish`, which
/// uses it in one thread at a time.
#[no_mangle]
pub unsafe extern "C" fn reprise_log_open(
    path: *const c_char,
    log_limit_bytes: u64,
    line_limit_bytes: u64,
) -> *mut LogWriter {
    if path.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: as promised by the caller.
    let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let opened = std::panic::catch_unwind(|| LogWriter::replay(path, log_limit_bytes, line_limit_bytes));
    match opened {
        Ok(Ok(writer)) => Box::into_raw(Box::new(writer)),
        _ => std::ptr::null_mut(),
    }
}

/// Takes what the task has written. A failure is told by `reprise_log_finish`.
///
/// # Safety
/// `log` comes from `reprise_log_open` and was not finished; `bytes` must be readable for `length` bytes.
#[no_mangle]
pub unsafe extern "C" fn reprise_log_write(log: *mut LogWriter, bytes: *const u8, length: usize) {
    if log.is_null() || bytes.is_null() {
        return;
    }
    // SAFETY: as promised by the caller.
    let (log, bytes) = unsafe { (&mut *log, std::slice::from_raw_parts(bytes, length)) };
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.write(bytes)));
}

/// Completes the log, and lets go of it. 0, or the error number of what kept it from being whole (-1: unknown).
///
/// # Safety
/// As for `reprise_log_write`; `log` may not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn reprise_log_finish(log: *mut LogWriter) -> c_int {
    if log.is_null() {
        return -1;
    }
    // SAFETY: as promised by the caller.
    let mut log = unsafe { Box::from_raw(log) };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| log.finish())) {
        Ok(None) => 0,
        Ok(Some(error)) => error.raw_os_error().unwrap_or(-1),
        Err(_) => -1,
    }
}
