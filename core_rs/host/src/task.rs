//! Starting the task of an attempt: a process of its own session, with nothing of the supervisor's left in it.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

use crate::cgroup::Cgroup;
use crate::launch::{Launch, MARKER_VARIABLE};
use crate::sys;

const STACK_BYTES: usize = 64 * 1024;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
const OOM_SCORE: &[u8] = b"500";

/// How the start went.
pub enum Started {
    /// The task runs; its process number.
    Running(libc::pid_t),
    /// This is the (warm) task itself: go on as it.
    InTask,
}

/// What the child reports when it cannot become the task. Lies in memory that both see.
#[repr(C)]
struct Report {
    stage: libc::c_int,
    error: libc::c_int,
}

const STAGE_NONE: libc::c_int = 0;
const STAGE_FOLDER: libc::c_int = 1;
const STAGE_PROGRAM: libc::c_int = 2;
const STAGE_STREAMS: libc::c_int = 3;

/// All that the child needs, made before it is born: it may not allocate.
struct Plan {
    candidates: Vec<CString>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    cwd: CString,
    stdin: RawFd,
    output: RawFd,
    cgroup_procs: RawFd,
    is_warm: bool,
    report: *mut Report,
}

struct Shared(*mut Report);

impl Shared {
    fn new() -> io::Result<Self> {
        // SAFETY: a new anonymous mapping; zeroes are a valid Report.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                std::mem::size_of::<Report>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(address.cast()))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping made by `new`.
        unsafe {
            libc::munmap(self.0.cast(), std::mem::size_of::<Report>());
        }
    }
}

/// What a supervisor needs for every start, made at the first: mapping memory takes longer than most of the rest.
#[derive(Default)]
pub struct Starter {
    stdin: Option<File>,
    shared: Option<Shared>,
    stack: Vec<u8>,
}

fn c_string(text: &[u8], what: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{what} contains a NUL character"))
}

/// Where `program` may lie: itself if it has a slash, else in each folder of PATH.
fn candidates(program: &str, path: Option<&str>) -> Result<Vec<CString>, String> {
    if program.contains('/') {
        return Ok(vec![c_string(program.as_bytes(), "the name of the program")?]);
    }
    path.unwrap_or("/usr/local/bin:/usr/bin:/bin")
        .split(':')
        .map(|folder| if folder.is_empty() { "." } else { folder })
        .map(|folder| c_string(format!("{folder}/{program}").as_bytes(), "the name of the program"))
        .collect()
}

impl Starter {
    /// Starts the task with `output` as its standard output and error. An error is a message for a person, and then
    /// nothing has been started.
    pub fn start(&mut self, launch: &Launch, output: OwnedFd, cgroup: Option<&Cgroup>) -> Result<Started, String> {
        let is_warm = launch.warm.is_some();
        let Some(program) = launch.argv.first().filter(|program| !program.is_empty() || is_warm) else {
            return Err("there is no command to run".to_owned());
        };
        let arguments = launch
            .argv
            .iter()
            .map(|argument| c_string(argument.as_bytes(), "an argument"))
            .collect::<Result<Vec<_>, _>>()?;
        let mut variables = launch
            .env
            .iter()
            .filter(|(name, _)| *name != MARKER_VARIABLE)
            .map(|(name, value)| c_string(format!("{name}={value}").as_bytes(), "an environment variable"))
            .collect::<Result<Vec<_>, _>>()?;
        variables.push(c_string(format!("{MARKER_VARIABLE}={}", launch.marker).as_bytes(), "the marker")?);
        let (stdin, report) = self.prepared(is_warm)?;
        let null_ended = |list: &[CString]| {
            let mut pointers: Vec<*const libc::c_char> = list.iter().map(|one| one.as_ptr()).collect();
            pointers.push(ptr::null());
            pointers
        };
        let mut plan = Plan {
            candidates: candidates(program, launch.env.get("PATH").map(String::as_str))?,
            argv: null_ended(&arguments),
            envp: null_ended(&variables),
            cwd: c_string(launch.cwd.as_os_str().as_bytes(), "the working folder")?,
            stdin,
            output: output.as_raw_fd(),
            cgroup_procs: -1,
            is_warm,
            report,
        };
        let pid = clone(&mut plan, cgroup, (!is_warm).then_some(&mut self.stack))
            .map_err(|error| format!("the host refused a new process: {error}"))?;
        if pid == 0 {
            // Warm: this is the task. Its descriptors are closed already but for the standard streams.
            std::mem::forget(output);
            mark_environment(&launch.marker);
            return Ok(Started::InTask);
        }
        // SAFETY: the child has executed or ended (CLONE_VFORK), or is warm and past its last write.
        let (stage, error) =
            unsafe { (ptr::read_volatile(&raw const (*report).stage), ptr::read_volatile(&raw const (*report).error)) };
        if stage == STAGE_NONE {
            return Ok(Started::Running(pid));
        }
        let mut status = 0;
        // SAFETY: our own child, which has ended.
        unsafe {
            libc::waitpid(pid, &mut status, 0);
        }
        Err(explain(launch, program, stage, io::Error::from_raw_os_error(error)))
    }

    /// The descriptor of an empty standard input, and where the child reports.
    fn prepared(&mut self, is_warm: bool) -> Result<(RawFd, *mut Report), String> {
        let stdin = match &mut self.stdin {
            Some(stdin) => stdin,
            none => none.insert(File::open("/dev/null").map_err(|error| format!("cannot open /dev/null: {error}"))?),
        };
        let shared = match &mut self.shared {
            Some(shared) => shared,
            none => none.insert(Shared::new().map_err(|error| format!("cannot map memory: {error}"))?),
        };
        if !is_warm {
            self.stack.resize(STACK_BYTES, 0);
        }
        // SAFETY: the mapping is ours, and no child is left that writes to it.
        unsafe {
            ptr::write_volatile(shared.0, Report { stage: STAGE_NONE, error: 0 });
        }
        Ok((stdin.as_raw_fd(), shared.0))
    }
}

/// Writes the marker into the environment that this process was started with, where /proc shows it. The warm
/// interpreter is started with a place for it; programs that the task executes get it in the ordinary way.
fn mark_environment(marker: &str) {
    let Ok(name) = CString::new(MARKER_VARIABLE) else {
        return;
    };
    // SAFETY: this process has one thread. The value lies in memory of this process's own, and no more than its
    // length is written.
    unsafe {
        let place = libc::getenv(name.as_ptr());
        if !place.is_null() {
            let room = libc::strlen(place);
            ptr::write_bytes(place, 0, room);
            ptr::copy_nonoverlapping(marker.as_ptr().cast(), place, marker.len().min(room));
        }
    }
}

fn explain(launch: &Launch, program: &str, stage: libc::c_int, error: io::Error) -> String {
    let code = error.raw_os_error().unwrap_or(0);
    match stage {
        STAGE_FOLDER => format!("cannot enter the working folder {}: {error}", launch.cwd.display()),
        STAGE_STREAMS => format!("cannot set up the standard streams: {error}"),
        _ if code == libc::ENOENT && program.contains('/') && std::path::Path::new(program).exists() => {
            format!("{program} cannot be run: the interpreter that its first line or header names does not exist")
        }
        _ if code == libc::ENOENT || code == libc::ENOTDIR => {
            let place = if program.contains('/') {
                String::new()
            } else {
                format!(" in PATH={}", launch.env.get("PATH").map_or("", String::as_str))
            };
            format!("no such program: {program}{place}")
        }
        _ if code == libc::EACCES => format!("{program} is not executable: {error}"),
        _ if code == libc::ENOEXEC => format!("{program} is no program of this machine: {error}"),
        _ if code == libc::E2BIG => {
            format!("{program} cannot be run: an argument of more than 128 KiB, or too many of them: {error}")
        }
        _ => format!("{program} cannot be run: {error}"),
    }
}

/// Gives the child's number in the parent; 0 in a warm child. A program's child never returns here.
///
/// With a `stack` the child borrows this process's memory until it executes: no page tables are copied.
fn clone(plan: &mut Plan, cgroup: Option<&Cgroup>, mut stack: Option<&mut Vec<u8>>) -> io::Result<libc::pid_t> {
    let procs;
    if let Some(cgroup) = cgroup {
        match clone_into_cgroup(plan, cgroup.handle(), stack.as_deref_mut().map(Vec::as_mut_slice)) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ENOMEM)) => return Err(error),
            // A kernel that cannot: the child moves by itself.
            Err(_) => {
                procs = cgroup.open_procs().ok();
                plan.cgroup_procs = procs.as_ref().map_or(-1, AsRawFd::as_raw_fd);
            }
            Ok(pid) => return Ok(pid),
        }
    }
    let Some(stack) = stack else {
        // SAFETY: this process has one thread.
        let pid = unsafe { sys::check(libc::fork())? };
        if pid == 0 {
            // SAFETY: in the new child, with a plan that is its own copy.
            unsafe { become_task(plan) };
        }
        return Ok(pid);
    };
    let top = stack.as_mut_ptr_range().end as usize & !15;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack outlives the child's use of it, since CLONE_VFORK holds this thread until then; all signals
    // are blocked, so no handler runs in the borrowed memory; the child only makes system calls.
    sys::check(unsafe { libc::clone(enter, top as *mut libc::c_void, flags, (plan as *mut Plan).cast()) })
}

#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// As `clone`, with the child born into the cgroup: moving it there later takes the kernel milliseconds. With a
/// `stack` the child borrows this process's memory, where this machine's way of doing that is known.
fn clone_into_cgroup(plan: &mut Plan, folder: RawFd, stack: Option<&mut [u8]>) -> io::Result<libc::pid_t> {
    let mut arguments = CloneArguments {
        flags: CLONE_INTO_CGROUP,
        exit_signal: libc::SIGCHLD as u64,
        cgroup: u64::try_from(folder).unwrap_or(0),
        ..CloneArguments::default()
    };
    if let Some(stack) = stack {
        arguments.flags |= libc::CLONE_VFORK as u64;
        #[cfg(target_arch = "x86_64")]
        {
            arguments.flags |= libc::CLONE_VM as u64;
            arguments.stack = stack.as_mut_ptr() as u64;
            arguments.stack_size = (stack.len() & !15) as u64;
            // SAFETY: as for the clone in `clone`.
            return unsafe { clone_on_stack(&arguments, plan) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = stack;
    }
    // SAFETY: without CLONE_VM this is a fork of a process with one thread: the child has its own copy of all memory.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, std::mem::size_of::<CloneArguments>()) };
    let pid = sys::check(libc::c_int::try_from(pid).unwrap_or(-1))?;
    if pid == 0 {
        // SAFETY: in the new child, with a plan that is its own copy.
        unsafe { become_task(plan) };
    }
    Ok(pid)
}

/// `clone3` with a stack, for which the C library has no function. The child calls `enter` and never returns.
///
/// # Safety
/// `arguments` must name a stack that nobody else uses, aligned to 16 bytes at its end, and hold this thread by
/// CLONE_VFORK until the child has left this process's memory.
#[cfg(target_arch = "x86_64")]
unsafe fn clone_on_stack(arguments: &CloneArguments, plan: &mut Plan) -> io::Result<libc::pid_t> {
    let result: libc::c_long;
    // SAFETY: in the parent this is a system call like any other. In the child, which has an empty stack, the plan is
    // in r12 and the function in r13: both survive the call, which overwrites rax, rcx and r11 only.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments as *const CloneArguments,
            in("rsi") std::mem::size_of::<CloneArguments>(),
            in("r12") plan as *mut Plan,
            in("r13") enter as extern "C" fn(*mut libc::c_void) -> libc::c_int,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    if result < 0 {
        return Err(io::Error::from_raw_os_error(libc::c_int::try_from(-result).unwrap_or(libc::EINVAL)));
    }
    libc::pid_t::try_from(result).map_err(io::Error::other)
}

extern "C" fn enter(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone` passed a Plan, which outlives the child's use of it.
    unsafe {
        become_task(&*plan.cast::<Plan>());
        libc::_exit(127)
    }
}

/// Turns this new process into the task: streams, session, signals, folder, program. Returns only in a warm task.
///
/// # Safety
/// Called once, in a child that has just been made. Makes system calls only: memory may be the parent's.
unsafe fn become_task(plan: &Plan) {
    // SAFETY: as promised by the caller; all pointers in the plan are to NUL-terminated strings that outlive it.
    unsafe {
        libc::setsid();
        let descriptor = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if descriptor >= 0 {
            libc::write(descriptor, OOM_SCORE.as_ptr().cast(), OOM_SCORE.len());
            libc::close(descriptor);
        }
        if plan.cgroup_procs >= 0 {
            // Refused: the supervisor still finds all of the tree as its subreaper.
            libc::write(plan.cgroup_procs, c"0".as_ptr().cast(), 1);
        }
        if libc::dup2(plan.stdin, 0) < 0 || libc::dup2(plan.output, 1) < 0 || libc::dup2(plan.output, 2) < 0 {
            give_up(plan, STAGE_STREAMS);
        }
        if plan.is_warm {
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0);
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
        }
        if libc::chdir(plan.cwd.as_ptr()) < 0 {
            give_up(plan, STAGE_FOLDER);
        }
        // The supervisor ignores and handles none, and blocks all.
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        if plan.is_warm {
            return;
        }
        let mut error = libc::ENOENT;
        for candidate in &plan.candidates {
            libc::execve(candidate.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr());
            match *libc::__errno_location() {
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => error = libc::EACCES,
                other => {
                    error = other;
                    break;
                }
            }
        }
        *libc::__errno_location() = error;
        give_up(plan, STAGE_PROGRAM);
    }
}

/// # Safety
/// As for `become_task`.
unsafe fn give_up(plan: &Plan, stage: libc::c_int) -> ! {
    // SAFETY: the report is a shared mapping that outlives the child.
    unsafe {
        ptr::write_volatile(&raw mut (*plan.report).error, *libc::__errno_location());
        ptr::write_volatile(&raw mut (*plan.report).stage, stage);
        libc::_exit(127)
    }
}
