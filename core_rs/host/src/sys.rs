//! Thin, safe faces of the system calls that std lacks. Every descriptor made here is close-on-exec.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const WIDE_PIPE_BYTES: libc::c_int = 256 * 1024;

/// Turns the -1 of a system call into the error it stands for.
pub fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Wall clock, nanoseconds since the epoch.
pub fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
        .unwrap_or(0)
}

/// A pipe: read end, write end. The read end does not block.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [libc::c_int; 2] = [-1, -1];
    // SAFETY: `ends` has room for two descriptors; on success both are open and owned by nobody else.
    let (read, write) = unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    // SAFETY: plain calls on a descriptor that is open.
    unsafe {
        check(libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK))?;
    }
    Ok((read, write))
}

/// Gives a pipe more room, once. The host may refuse it.
pub fn widen(pipe: RawFd) {
    // SAFETY: plain calls.
    unsafe {
        if libc::fcntl(pipe, libc::F_GETPIPE_SZ) < WIDE_PIPE_BYTES {
            libc::fcntl(pipe, libc::F_SETPIPE_SZ, WIDE_PIPE_BYTES);
        }
    }
}

/// Two connected sockets that carry whole messages.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [libc::c_int; 2] = [-1, -1];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` has room for two descriptors; on success both are open and owned by nobody else.
    unsafe {
        check(libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()))?;
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Sends one message; false where the other end has gone.
pub fn send(socket: RawFd, message: &[u8]) -> bool {
    // SAFETY: the buffer is readable for its length.
    let count = unsafe { libc::send(socket, message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL) };
    count >= 0
}

/// Whether the other end of the socket is closed, also where messages of it have not been read yet.
pub fn is_hung_up(socket: RawFd) -> bool {
    let mut entry = libc::pollfd { fd: socket, events: 0, revents: 0 };
    // SAFETY: one entry, which outlives the call.
    let count = unsafe { libc::poll(&mut entry, 1, 0) };
    count > 0 && entry.revents & (libc::POLLHUP | libc::POLLERR) != 0
}

/// Gives a descriptor another number. It is closed on exec.
pub fn move_descriptor(descriptor: OwnedFd, number: RawFd) -> io::Result<()> {
    if descriptor.as_raw_fd() == number {
        std::mem::forget(descriptor);
        return Ok(());
    }
    // SAFETY: called where nobody owns the number; dup3 closes what has it.
    check(unsafe { libc::dup3(descriptor.as_raw_fd(), number, libc::O_CLOEXEC) }).map(|_| ())
}

/// Many descriptors waited for at once.
pub struct Epoll(OwnedFd);

impl Epoll {
    const MOST_AT_ONCE: usize = 64;

    /// With nothing to wait for yet.
    pub fn open() -> io::Result<Self> {
        // SAFETY: a new descriptor, which is ours.
        unsafe {
            let descriptor = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            Ok(Self(OwnedFd::from_raw_fd(descriptor)))
        }
    }

    /// Waits for this descriptor too; `name` is what `wait` calls it.
    pub fn add(&self, descriptor: RawFd, name: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: name };
        // SAFETY: the event outlives the call.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &mut event) }).map(|_| ())
    }

    /// Waits for it no more.
    pub fn remove(&self, descriptor: RawFd) {
        // SAFETY: no event is read for this operation.
        unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_DEL, descriptor, std::ptr::null_mut());
        }
    }

    /// The names of those that are readable or hung up, once there are some or `timeout` has passed.
    pub fn wait(&self, timeout: Option<Duration>) -> Vec<u64> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; Self::MOST_AT_ONCE];
        // SAFETY: `events` has room for as many as are asked for.
        let count = unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr(),
                Self::MOST_AT_ONCE as libc::c_int,
                milliseconds(timeout),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        events.iter().take(count).map(|event| event.u64).collect()
    }
}

/// For `poll` and its like. Rounded up, else the last millisecond before a deadline is spent turning.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |wait| libc::c_int::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX))
}

/// How many descriptors a process may have.
pub struct FileLimit(Option<libc::rlimit>);

impl FileLimit {
    /// Raises it as far as this process may, and remembers what it was.
    pub fn raise() -> Self {
        // SAFETY: the limit is filled in before it is read.
        unsafe {
            let mut found: libc::rlimit = std::mem::zeroed();
            if libc::getrlimit(libc::RLIMIT_NOFILE, &mut found) != 0 {
                return Self(None);
            }
            let raised = libc::rlimit { rlim_cur: found.rlim_max, rlim_max: found.rlim_max };
            libc::setrlimit(libc::RLIMIT_NOFILE, &raised);
            Self(Some(found))
        }
    }

    /// Makes it what it was.
    pub fn restore(&self) {
        if let Some(found) = &self.0 {
            // SAFETY: a limit that the kernel has given.
            unsafe {
                libc::setrlimit(libc::RLIMIT_NOFILE, found);
            }
        }
    }
}

/// Signals blocked and read from a descriptor instead of interrupting.
pub struct SignalQueue {
    descriptor: OwnedFd,
}

impl SignalQueue {
    /// Blocks every signal for this thread and queues `wanted`. SIGCHLD goes back to its default disposition: a
    /// parent that ignores it would lose the exit codes of its children.
    pub fn open(wanted: &[libc::c_int]) -> io::Result<Self> {
        // SAFETY: the sets are initialised by sigfillset and sigemptyset before use.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            check(libc::sigprocmask(libc::SIG_SETMASK, &all, std::ptr::null_mut()))?;
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
            let mut queued: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut queued);
            for signal in wanted {
                libc::sigaddset(&mut queued, *signal);
            }
            let descriptor = check(libc::signalfd(-1, &queued, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
            Ok(Self { descriptor: OwnedFd::from_raw_fd(descriptor) })
        }
    }

    /// The next queued signal, if there is one.
    pub fn next(&self) -> Option<libc::c_int> {
        // SAFETY: the buffer is a whole signalfd_siginfo, which the kernel fills or leaves alone.
        unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = std::mem::size_of::<libc::signalfd_siginfo>();
            let count = libc::read(self.descriptor.as_raw_fd(), (&raw mut info).cast(), size);
            if usize::try_from(count).ok() == Some(size) {
                libc::c_int::try_from(info.ssi_signo).ok()
            } else {
                None
            }
        }
    }
}

impl AsRawFd for SignalQueue {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// Waits until one of the descriptors is readable or hung up, or until `timeout` (None: for ever) has passed. Gives,
/// for each, whether it is ready.
pub fn poll<const N: usize>(descriptors: [Option<RawFd>; N], timeout: Option<Duration>) -> [bool; N] {
    let mut entries =
        descriptors.map(|descriptor| libc::pollfd { fd: descriptor.unwrap_or(-1), events: libc::POLLIN, revents: 0 });
    // SAFETY: `entries` outlives the call and its length is given.
    unsafe {
        libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, milliseconds(timeout));
    }
    entries.map(|entry| entry.revents != 0)
}

/// Reads what is there; `Ok(None)` where nothing is there yet.
pub fn read_now(descriptor: RawFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        // SAFETY: the buffer is writable for its whole length.
        let count = unsafe { libc::read(descriptor, buffer.as_mut_ptr().cast(), buffer.len()) };
        if let Ok(count) = usize::try_from(count) {
            return Ok(Some(count));
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// What waitpid found.
pub enum Reaped {
    /// A child that ended, with its wait status.
    Child(libc::pid_t, libc::c_int),
    /// Children are alive, none has ended.
    NoneEnded,
    /// There are no children at all. For a subreaper this proves that no descendant is left.
    NoChildren,
}

/// Reaps one child if one has ended.
pub fn reap() -> Reaped {
    let mut status: libc::c_int = 0;
    loop {
        // SAFETY: `status` is writable.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
        if pid > 0 {
            return Reaped::Child(pid, status);
        }
        if pid == 0 {
            return Reaped::NoneEnded;
        }
        if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return Reaped::NoChildren;
        }
    }
}

/// A process held by descriptor, so that its number cannot come to mean another one.
pub struct PidHandle(OwnedFd);

impl PidHandle {
    /// Opens the process that has this number now.
    pub fn open(pid: libc::pid_t) -> io::Result<Self> {
        // SAFETY: pidfd_open takes two integers and gives a new descriptor (close-on-exec by itself).
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let descriptor = check(libc::c_int::try_from(descriptor).unwrap_or(-1))?;
        // SAFETY: the descriptor is new and ours.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Sends a signal to exactly this process.
    pub fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        // SAFETY: no siginfo is given.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        check(libc::c_int::try_from(result).unwrap_or(-1)).map(|_| ())
    }
}

/// Gives every signal back what it does by default. Tasks inherit that, once and for all.
pub fn forget_signal_handlers() {
    for signal in 1..=64 {
        // SAFETY: no handler is installed. The two that cannot be changed, and the C library's own, are refused.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Makes this process the parent of every orphaned descendant.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: an integer option.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(|_| ())
}

/// Shows `name` (15 bytes at most) in ps.
pub fn set_name(name: &str) {
    if let Ok(name) = CString::new(name) {
        // SAFETY: a NUL-terminated string that outlives the call.
        unsafe {
            libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0);
        }
    }
}

/// Points standard input, output and error to /dev/null.
pub fn silence_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    for descriptor in 0..=2 {
        // SAFETY: both descriptors are open, or dup2 opens the second.
        check(unsafe { libc::dup2(null.as_raw_fd(), descriptor) })?;
    }
    Ok(())
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: RawFd) {
    // SAFETY: called where nothing that lives on owns a descriptor at or above `first`.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) != 0 {
            for descriptor in first..1024 {
                libc::close(descriptor);
            }
        }
    }
}
