//! The unsafe code besides the entry point in `main`: signals, the allocator, the arrays of
//! arguments and environment, and the system calls that nix has no safe function for. Decides
//! nothing.

#![allow(unsafe_code)]

pub mod arena;
mod spawn;
#[cfg(all(target_env = "musl", panic = "abort", not(feature = "tool")))]
mod stubs;

pub use spawn::{SpawnError, StandardStreams, spawn};

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

/// Iterates over the strings of an array that ends in a null pointer: `argv` or `envp`.
pub struct Strings {
    next: *const *const c_char,
}

impl Strings {
    /// Takes an array as `execve(2)` passes it to a program.
    ///
    /// # Safety
    /// The array must end in a null pointer, each of its strings in NUL, and both must stay
    /// unchanged for the life of the process.
    pub unsafe fn new(array: *const *const c_char) -> Self {
        Self { next: array }
    }
}

impl Iterator for Strings {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: the array ends in a null pointer, and `next` never goes past it.
        let string = unsafe { self.next.as_ref() }.filter(|string| !string.is_null())?;
        // SAFETY: the null pointer was not reached, so another element follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: each pointer before the null points to a string that ends in NUL and that nothing
        // in this program changes.
        Some(unsafe { CStr::from_ptr(*string) })
    }
}

/// Returns the path by which this program was executed, which may be relative or a symlink
/// (`AT_EXECFN`, <https://man7.org/linux/man-pages/man3/getauxval.3.html>).
pub fn executed_path() -> Option<&'static Path> {
    // SAFETY: the call takes a number and reads the auxiliary vector.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const c_char;
    // SAFETY: the kernel's string ends in NUL and stays for the life of the process.
    let path = (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })?;
    Some(Path::new(OsStr::from_bytes(path.to_bytes())))
}

/// A change of a signal's disposition. Dropping it restores the previous disposition.
pub struct Disposition {
    signal: Signal,
    previous: SigAction,
}

impl Disposition {
    /// Sets a signal's disposition to its default.
    pub fn default_for(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::SigDfl)
    }

    /// Ignores a signal.
    pub fn ignore(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::SigIgn)
    }

    /// Records a signal for [`take_recorded`].
    pub fn record(signal: Signal) -> nix::Result<Self> {
        Self::set(signal, SigHandler::Handler(record))
    }

    /// Reports whether the previous disposition ignored the signal.
    pub fn was_ignored(&self) -> bool {
        matches!(self.previous.handler(), SigHandler::SigIgn)
    }

    /// Keeps the disposition for the rest of the process.
    pub fn keep(self) {
        mem::forget(self);
    }

    fn set(signal: Signal, handler: SigHandler) -> nix::Result<Self> {
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: the only handler, `record`, is async-signal-safe.
        let previous = unsafe { sigaction(signal, &action) }?;
        Ok(Self { signal, previous })
    }
}

/// Forks this process, which must have only one thread. Returns the child's process id in the
/// parent, and `None` in the child.
///
/// # Errors
/// When the kernel refuses another process.
pub fn fork() -> nix::Result<Option<Pid>> {
    // SAFETY: with one thread, the child inherits no lock that another thread held.
    Ok(match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Some(child),
        ForkResult::Child => None,
    })
}

/// Returns a file descriptor that refers to this process, with close-on-exec
/// (<https://man7.org/linux/man-pages/man2/pidfd_open.2.html>).
///
/// # Errors
/// When the kernel is older than 5.3, a sandbox refuses the call, or there is no file descriptor
/// left.
pub fn pidfd_of_this() -> nix::Result<OwnedFd> {
    // SAFETY: the calls take numbers.
    let descriptor =
        Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) })?;
    let descriptor = c_int::try_from(descriptor).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel has just opened it, so nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Reads entries of an open directory into a buffer (`getdents64(2)`); returns how many bytes it
/// filled, 0 at the end.
///
/// # Errors
/// When the file descriptor is not a directory's.
pub fn getdents64(directory: BorrowedFd, buffer: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let filled = Errno::result(unsafe {
        libc::syscall(
            libc::SYS_getdents64,
            directory.as_raw_fd(),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    })?;
    usize::try_from(filled).map_err(|_| Errno::EOVERFLOW)
}

/// Sends SIGKILL to the process of a pidfd
/// (<https://man7.org/linux/man-pages/man2/pidfd_send_signal.2.html>).
///
/// # Errors
/// When the process has ended, or a sandbox refuses the call.
pub fn kill_by_pidfd(process: BorrowedFd) -> nix::Result<()> {
    let no_info = ptr::null::<libc::siginfo_t>();
    // SAFETY: without a `siginfo_t` the call reads no memory.
    let sent = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, no_info, 0)
    };
    Errno::result(sent).map(drop)
}

/// The signal that [`record`] stored last; 0 for none.
static RECORDED: AtomicI32 = AtomicI32::new(0);

/// Records a signal that would have ended foreword. As a signal handler it does only what is
/// async-signal-safe (<https://man7.org/linux/man-pages/man7/signal-safety.7.html>). SIGCHLD only
/// has to interrupt a wait.
extern "C" fn record(signal: c_int) {
    if signal != Signal::SIGCHLD as c_int {
        RECORDED.store(signal, Ordering::Relaxed);
    }
}

/// Takes the last signal that [`Disposition::record`] has recorded, if any.
pub fn take_recorded() -> Option<Signal> {
    Signal::try_from(RECORDED.swap(0, Ordering::Relaxed)).ok()
}

impl Drop for Disposition {
    fn drop(&mut self) {
        // SAFETY: this was the disposition before, so its handler exists.
        let _ = unsafe { sigaction(self.signal, &self.previous) };
    }
}
