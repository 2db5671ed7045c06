//! Starting a command in a process that borrows this one's memory until it executes something. The
//! C library's `posix_spawn` does so too, but its allocator's first memory and its pipe to hear of
//! a failure are a good part of what a short hook costs.

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

/// Bytes of stack for the few calls of the new process.
const STACK: usize = 2048;

/// The number of the last signal (`_NSIG`).
const LAST_SIGNAL: c_int = 64;

#[repr(align(16))]
struct Stack {
    _bytes: MaybeUninit<[u8; STACK]>,
}

/// What the new process needs, and the place where it leaves word.
struct Start {
    file: *const c_char,
    words: *const *const c_char,
    entries: *const *const c_char,
    input: c_int,
    output: Option<c_int>,
    errors: Option<c_int>,
    /// Why nothing was executed; 0 when something was, and `NO_WORD` before that is known.
    errno: AtomicI32,
    /// Whether that is the kernel's answer to `execve`.
    is_prepared: AtomicBool,
}

const NO_WORD: c_int = -1;

/// What the kernel refused.
#[derive(Debug, Clone, Copy)]
pub enum Refused {
    /// Another process.
    Process(Errno),
    /// To let the new process lead a group or have its standard streams.
    Preparation(Errno),
    /// To execute the file.
    Execution(Errno),
}

/// The descriptors that become the standard streams of a new process; the others are inherited.
pub struct Given<'d> {
    pub input: BorrowedFd<'d>,
    pub output: Option<BorrowedFd<'d>>,
    pub errors: Option<BorrowedFd<'d>>,
}

/// Executes a file in a new process that leads a process group of its own, with default signal
/// dispositions, an empty mask and the given standard streams.
///
/// # Errors
/// When there can be no new process, and when it cannot execute the file.
pub fn spawn(
    file: &CStr,
    words: &[impl AsRef<CStr>],
    entries: &[&CStr],
    given: Given,
) -> Result<Pid, Refused> {
    let words: Vec<_> =
        words.iter().map(|word| word.as_ref().as_ptr()).chain(iter::once(ptr::null())).collect();
    let entries: Vec<_> =
        entries.iter().map(|entry| entry.as_ptr()).chain(iter::once(ptr::null())).collect();
    let start = Start {
        file: file.as_ptr(),
        words: words.as_ptr(),
        entries: entries.as_ptr(),
        input: given.input.as_raw_fd(),
        output: given.output.map(|output| output.as_raw_fd()),
        errors: given.errors.map(|errors| errors.as_raw_fd()),
        errno: AtomicI32::new(NO_WORD),
        is_prepared: AtomicBool::new(false),
    };
    let mut stack = MaybeUninit::<Stack>::uninit();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack grows down from its end. This thread is suspended until the new process has
    // executed something or is gone, so what it lends it outlives the loan. The signals that
    // have a handler are blocked, and it only notes.
    let pid = unsafe {
        libc::clone(
            begin,
            stack.as_mut_ptr().add(1).cast(),
            flags,
            (&raw const start).cast_mut().cast(),
        )
    };
    let pid = Pid::from_raw(Errno::result(pid).map_err(Refused::Process)?);
    let outcome = match start.errno.load(Ordering::Acquire) {
        0 => Ok(pid),
        NO_WORD => word_of_a_copy(pid).map_err(Refused::Execution),
        errno if start.is_prepared.load(Ordering::Relaxed) => {
            Err(Refused::Execution(Errno::from_raw(errno)))
        }
        errno => Err(Refused::Preparation(Errno::from_raw(errno))),
    };
    if outcome.is_err() {
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED);
    }
    outcome
}

/// An emulator of another machine gives the new process a copy of the memory and does not wait for
/// it. But a process that has executed something can no longer be moved to a group (`setpgid(2)`),
/// and one that has not tells why as it ends.
fn word_of_a_copy(pid: Pid) -> nix::Result<Pid> {
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
            // Also EINVAL, which is nix's word for a real-time signal that ended it.
            _ => return Ok(pid),
        }
    }
}

/// What the new process does; gives the errno when that comes to nothing. Only what is safe after
/// `vfork` may happen here.
extern "C" fn begin(start: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes a `Start` and keeps it as it is until this process lets go of it.
    let start = unsafe { &*start.cast::<Start>() };
    let refused = prepare(start).and_then(|()| {
        start.is_prepared.store(true, Ordering::Relaxed);
        start.errno.store(0, Ordering::Release);
        // SAFETY: the lists end in null pointers, and their strings in NUL.
        Errno::result(unsafe { libc::execve(start.file, start.words, start.entries) })
    });
    let errno = refused.map_or_else(|errno| errno as c_int, |_| 0);
    start.errno.store(errno, Ordering::Release);
    errno
}

fn prepare(start: &Start) -> nix::Result<()> {
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    // When whoever started it is killed, nobody else is left to end the command in time. Where
    // `prctl` is refused, as Lambda does, the command outlives a killed foreword, and nothing
    // else changes. SAFETY: the call takes two numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // To ask which ones are ignored would cost as much.
    for signal in 1..=LAST_SIGNAL {
        restore_default(signal);
    }
    place(start.input, 0)?;
    start.output.map_or(Ok(()), |output| place(output, 1))?;
    start.errors.map_or(Ok(()), |errors| place(errors, 2))?;
    SigSet::empty().thread_set_mask()
}

/// Lets a signal do what it does by default; the two that always do refuse. The C library would
/// also refuse those that it keeps for itself, which a parent may have left ignored.
fn restore_default(signal: c_int) {
    // The kernel's `struct sigaction`: handler, flags, restorer and mask have a word each, and zero
    // is the default.
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

/// Makes a descriptor the one of this number, which stays open when something is executed.
fn place(descriptor: c_int, number: c_int) -> nix::Result<()> {
    // SAFETY: neither call takes memory, and the new process's descriptors are nobody else's.
    let placed = unsafe {
        match descriptor == number {
            true => libc::fcntl(number, libc::F_SETFD, 0),
            false => libc::dup2(descriptor, number),
        }
    };
    Errno::result(placed).map(drop)
}
