//! Starts a command in a child that borrows this process's memory until it executes the command
//! (`vfork`, <https://man7.org/linux/man-pages/man2/vfork.2.html>). The C library's `posix_spawn`
//! does so too, but the first memory of its allocator and its pipe for reporting a failure are a
//! good part of what a short hook costs.

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::SigSet;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, setpgid};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::iter;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

/// The child's stack in bytes: enough for the few system calls that it makes.
const STACK: usize = 2048;

/// The number of the last signal (`_NSIG`).
const LAST_SIGNAL: c_int = 64;

/// Stands in [`Setup::errno`] until the child has stored a result.
const PENDING: c_int = -1;

#[repr(align(16))]
struct Stack {
    _bytes: MaybeUninit<[u8; STACK]>,
}

/// What the child needs, and where it stores its result.
struct Setup {
    file: *const c_char,
    words: *const *const c_char,
    entries: *const *const c_char,
    input: c_int,
    output: Option<c_int>,
    errors: Option<c_int>,
    /// Why nothing was executed; 0 when something was, and `PENDING` at first.
    errno: AtomicI32,
    /// Set when the child calls `execve`; an errno before that is the setup's.
    is_prepared: AtomicBool,
}

/// The system call for which a command could not be started.
#[derive(Debug, Clone, Copy)]
pub enum SpawnError {
    /// There can be no new process.
    Clone(Errno),
    /// The new process cannot lead a process group or have these standard streams.
    Setup(Errno),
    /// The file cannot be executed.
    Execve(Errno),
}

/// The file descriptors that become the standard streams of a new process; where there is none, the
/// process inherits the stream.
pub struct StandardStreams<'d> {
    pub input: BorrowedFd<'d>,
    pub output: Option<BorrowedFd<'d>>,
    pub errors: Option<BorrowedFd<'d>>,
}

/// Executes a file in a new process that leads a process group of its own, with default signal
/// dispositions, an empty signal mask and these standard streams.
///
/// # Errors
/// When there can be no new process, and when it cannot execute the file.
pub fn spawn(
    file: &CStr,
    words: &[impl AsRef<CStr>],
    entries: &[&CStr],
    streams: &StandardStreams,
) -> Result<Pid, SpawnError> {
    let words: Vec<_> =
        words.iter().map(|word| word.as_ref().as_ptr()).chain(iter::once(ptr::null())).collect();
    let entries: Vec<_> =
        entries.iter().map(|entry| entry.as_ptr()).chain(iter::once(ptr::null())).collect();
    let setup = Setup {
        file: file.as_ptr(),
        words: words.as_ptr(),
        entries: entries.as_ptr(),
        input: streams.input.as_raw_fd(),
        output: streams.output.map(|output| output.as_raw_fd()),
        errors: streams.errors.map(|errors| errors.as_raw_fd()),
        errno: AtomicI32::new(PENDING),
        is_prepared: AtomicBool::new(false),
    };
    let mut stack = MaybeUninit::<Stack>::uninit();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack grows down from its end. CLONE_VFORK suspends this thread until the child
    // has executed something or exited, so `setup` and `stack` outlive the child's use of them. The
    // signals that have a handler are blocked, and the handler only stores a number.
    let pid = unsafe {
        libc::clone(
            run_child,
            stack.as_mut_ptr().add(1).cast(),
            flags,
            (&raw const setup).cast_mut().cast(),
        )
    };
    let pid = Pid::from_raw(Errno::result(pid).map_err(SpawnError::Clone)?);
    let outcome = match setup.errno.load(Ordering::Acquire) {
        0 => Ok(pid),
        PENDING => wait_for_copy(pid).map_err(SpawnError::Execve),
        errno if setup.is_prepared.load(Ordering::Relaxed) => {
            Err(SpawnError::Execve(Errno::from_raw(errno)))
        }
        errno => Err(SpawnError::Setup(Errno::from_raw(errno))),
    };
    if outcome.is_err() {
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED);
    }
    outcome
}

/// Waits until a child that does not share this process's memory has executed the file or failed.
///
/// User-mode emulators such as QEMU treat `clone` with CLONE_VM and CLONE_VFORK as `fork`, so the
/// child changes a copy of `Setup`, and nothing suspends this thread. Two signs tell the outcome: a
/// child that has executed a file can no longer be moved to another process group (EACCES,
/// <https://man7.org/linux/man-pages/man2/setpgid.2.html>), and one that has failed exits with the
/// errno.
fn wait_for_copy(pid: Pid) -> nix::Result<Pid> {
    loop {
        let status = waitid(
            Id::Pid(pid),
            WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT,
        );
        if setpgid(pid, pid).is_err() {
            return Ok(pid);
        }
        match status {
            Ok(WaitStatus::StillAlive) => thread::yield_now(),
            Ok(WaitStatus::Exited(_, errno)) => return Err(Errno::from_raw(errno)),
            // nix returns EINVAL for a child that a real-time signal killed.
            _ => return Ok(pid),
        }
    }
}

/// Sets the child up and executes the file; returns the errno when that fails. Calls only what is
/// safe after `vfork`.
extern "C" fn run_child(setup: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a `Setup` and leaves it unchanged until this process has executed
    // something or exited.
    let setup = unsafe { &*setup.cast::<Setup>() };
    let result = prepare(setup).and_then(|()| {
        setup.is_prepared.store(true, Ordering::Relaxed);
        setup.errno.store(0, Ordering::Release);
        // SAFETY: the arrays end in null pointers, and their strings in NUL.
        Errno::result(unsafe { libc::execve(setup.file, setup.words, setup.entries) })
    });
    let errno = result.map_or_else(|errno| errno as c_int, |_| 0);
    setup.errno.store(errno, Ordering::Release);
    errno
}

fn prepare(setup: &Setup) -> nix::Result<()> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // The command dies with foreword, which enforces its deadline. A sandbox may refuse `prctl`, as
    // Lambda's does; then the command outlives a killed foreword, and nothing else changes.
    // SAFETY: the call takes two numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // Asking first which signals are ignored would take as many system calls.
    for signal in 1..=LAST_SIGNAL {
        restore_default(signal);
    }
    duplicate_to(setup.input, 0)?;
    setup.output.map_or(Ok(()), |output| duplicate_to(output, 1))?;
    setup.errors.map_or(Ok(()), |errors| duplicate_to(errors, 2))?;
    SigSet::empty().thread_set_mask()
}

/// Sets a signal's disposition to its default. The kernel refuses SIGKILL and SIGSTOP, whose
/// disposition cannot change. The C library's `sigaction` would also refuse the signals that it
/// reserves for itself, which a parent may have left ignored.
fn restore_default(signal: c_int) {
    // The kernel's `struct sigaction` has four words: handler, flags, restorer and mask. Zero is
    // the default.
    const DEFAULT: [usize; 4] = [0; 4];
    let no_previous = ptr::null_mut::<c_void>();
    // SAFETY: the call reads a structure of this size and writes nothing.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            DEFAULT.as_ptr(),
            no_previous,
            size_of::<u64>(),
        )
    };
}

/// Duplicates a file descriptor to this number, without close-on-exec.
fn duplicate_to(descriptor: c_int, number: c_int) -> nix::Result<()> {
    // SAFETY: the calls take numbers, and the child's file descriptors are its own.
    let duplicated = unsafe {
        if descriptor == number {
            libc::fcntl(number, libc::F_SETFD, 0)
        } else {
            libc::dup2(descriptor, number)
        }
    };
    Errno::result(duplicated).map(drop)
}
