//! What spawner and supervisor say to each other: messages of a SOCK_SEQPACKET socket, a line of JSON and, of an
//! attempt, its launch after that.

use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::launch::Exit;

/// More than any message has.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// What a supervisor is to do: look after an attempt, or stop the one that it looks after.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Order {
    /// The request of the server that it comes from.
    pub id: u64,
    /// Look after the attempt whose launch follows, and keep that as the file of this name. Where nothing follows it
    /// is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<PathBuf>,
    /// How many processes the kernel had killed for want of memory, at some time before the start.
    #[serde(default)]
    pub memory_kills: u64,
}

impl Order {
    /// To look after an attempt.
    pub fn attempt(id: u64, path: PathBuf, memory_kills: u64) -> Self {
        Self { id, launch: Some(path), memory_kills }
    }

    /// To stop the attempt of this request, if it is still that one.
    pub fn stop(id: u64) -> Self {
        Self { id, ..Self::default() }
    }

    /// As one message, with what follows its line.
    pub fn encode(&self, rest: &[u8]) -> io::Result<Vec<u8>> {
        let mut message = serde_json::to_vec(self).map_err(io::Error::other)?;
        if !rest.is_empty() {
            message.push(b'\n');
            message.extend_from_slice(rest);
        }
        Ok(message)
    }
}

/// What a supervisor tells of its attempt; the spawner passes it on to the server as it is.
#[derive(Debug, Serialize)]
pub struct Ended<'a> {
    /// The request that the attempt was started by.
    pub id: u64,
    /// Always true.
    pub ended: bool,
    /// What was spooled; absent where the attempt was somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<&'a Exit>,
    /// Why there was nothing that could be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The first line of a message, and what follows it.
pub fn parted(message: &[u8]) -> (&[u8], &[u8]) {
    match message.iter().position(|byte| *byte == b'\n') {
        Some(at) => (message.get(..at).unwrap_or_default(), message.get(at + 1..).unwrap_or_default()),
        None => (message, &[]),
    }
}

/// Waits for the next message; its length, or None when the other end is closed.
pub fn receive(socket: RawFd, buffer: &mut [u8]) -> Option<usize> {
    loop {
        // SAFETY: the buffer is writable for its whole length.
        let count = unsafe { libc::recv(socket, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        match usize::try_from(count) {
            Ok(0) => return None,
            Ok(count) => return Some(count),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
