//! The only unsafe code: C's entry point, the clock, signals, the allocator, and what nix has no
//! call for. The entry point is C's because Rust's own start-up changes what must reach the runtime
//! untouched: it ignores SIGPIPE, opens closed standard descriptors and sets up a signal stack.

#![allow(unsafe_code)]

pub mod arena;
mod spawn;
#[cfg(all(target_env = "musl", panic = "abort", not(feature = "tool")))]
mod stubs;

pub use spawn::{Given, Refused, spawn};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{self, ForkResult, Pid};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// The strings of a list that ends in a null pointer: arguments, or an environment.
pub struct Strings {
    next: *const *const c_char,
}

impl Strings {
    /// Takes a list as `execve(2)` lays it out.
    ///
    /// # Safety
    /// The list and its strings must stay unchanged for the life of the process.
    pub unsafe fn new(list: *const *const c_char) -> Self {
        Self { next: list }
    }
}

impl Iterator for Strings {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: the list ends in a null pointer, which is where this stops.
        let string = unsafe { self.next.as_ref() }.filter(|string| !string.is_null())?;
        // SAFETY: the null pointer was not reached, so another element follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: a pointer before the null is to a string that ends in NUL; nothing in this
        // program changes it.
        Some(unsafe { CStr::from_ptr(*string) })
    }
}

/// The path by which this program was executed, which may be relative or that of a link
/// (`AT_EXECFN`, `getauxval(3)`).
pub fn executed_path() -> Option<&'static Path> {
    // SAFETY: it only looks something up.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: what is there is a string of the kernel's, which stays for the life of the process.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })?;
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// What happens on a signal, to be put back later.
pub struct Disposition {
    signal: Signal,
    previous: SigAction,
}

impl Disposition {
    /// Lets a signal do what it does by default.
    pub fn default_for(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::SigDfl)
    }

    /// Lets a signal pass without effect.
    pub fn ignore(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::SigIgn)
    }

    /// Lets a signal be noted.
    pub fn noting(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::Handler(note))
    }

    /// Whether it was ignored before.
    pub fn was_ignored(&self) -> bool {
        matches!(self.previous.handler(), SigHandler::SigIgn)
    }

    /// Leaves it as it is now.
    pub fn forget(self) {
        mem::forget(self);
    }

    fn set(signal: Signal, handler: SigHandler) -> nix::Result<Self> {
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: the only handler of ours does what a handler may.
        let previous = unsafe { sigaction(signal, &action) }?;
        Ok(Self { signal, previous })
    }
}

/// Makes a copy of this process; gives its number, and nothing in the copy. For a process with one
/// thread only.
///
/// # Errors
/// When the kernel refuses another process.
pub fn fork() -> nix::Result<Option<Pid>> {
    // SAFETY: there is one thread, so the copy finds no lock that another one held.
    Ok(match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Some(child),
        ForkResult::Child => None,
    })
}

/// A descriptor of this process (`pidfd_open(2)`), closed by `execve`.
///
/// # Errors
/// When the kernel is older than 5.3, a sandbox refuses the call, or there is no descriptor left.
pub fn pidfd_of_this() -> nix::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let descriptor =
        Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) })?;
    let descriptor = c_int::try_from(descriptor).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends SIGKILL (`pidfd_send_signal(2)`).
///
/// # Errors
/// When the process has ended, and where a sandbox refuses the call.
pub fn kill_by_pidfd(process: BorrowedFd) -> nix::Result<()> {
    let no_details = ptr::null::<libc::siginfo_t>();
    // SAFETY: without details about the signal the call reads no memory.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            no_details,
            0,
        )
    };
    Errno::result(sent).map(drop)
}

/// The signal that [`note`] was called with last, since it was taken; 0 for none.
static ARRIVED: AtomicI32 = AtomicI32::new(0);

/// Notes a signal that would have ended foreword. Only what may be done in a signal handler may
/// happen here (signal-safety(7)).
extern "C" fn note(signal: c_int) {
    if signal != Signal::SIGCHLD as c_int {
        ARRIVED.store(signal, Ordering::Relaxed);
    }
}

/// Takes the signal that was noted, if one was.
pub fn take_noted() -> Option<Signal> {
    Signal::try_from(ARRIVED.swap(0, Ordering::Relaxed)).ok()
}

impl Drop for Disposition {
    fn drop(&mut self) {
        // SAFETY: this was the disposition before, so whatever handler it names is there.
        let _ = unsafe { sigaction(self.signal, &self.previous) };
    }
}
