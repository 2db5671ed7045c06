//! The only unsafe code: C's entry point, the clock, signals, the allocator, and what nix has no call for.
//! The entry point is C's because Rust's own start-up changes what must reach the runtime untouched: it ignores
//! SIGPIPE, opens closed standard descriptors and sets up a signal stack.

#![allow(unsafe_code)]

pub mod arena;
mod spawn;

pub use spawn::spawn;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, ForkResult, Pid};
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::time::Duration;

/// Called by C's start-up; in tests, which have a `main` of their own, by nobody.
#[cfg_attr(test, allow(dead_code))]
// SAFETY: nothing else in the program defines `main`; the crate is `no_main`.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(_argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int {
    // SAFETY: C's start-up passes the two lists that the kernel made.
    let (arguments, environment) = unsafe { (strings(argv), strings(envp)) };
    crate::start(arguments, environment)
}

/// Tells the time, also to the standard library, by a system call. The C library would look for the kernel's code that
/// needs none, which costs as much as dozens of calls, and a start asks a few times.
#[cfg_attr(test, allow(dead_code))]
// SAFETY: it does what the C library's function of this name does.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    // SAFETY: the caller passes a place for the time, as it would to the C library.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int }
}

/// The strings of a list that ends in a null pointer.
///
/// # Safety
/// The list and its strings must be as `execve` lays them out, and stay so for the life of the process.
unsafe fn strings(mut next: *const *const c_char) -> impl Iterator<Item = &'static CStr> {
    std::iter::from_fn(move || {
        // SAFETY: the list ends in a null pointer, which is where this stops.
        let string = unsafe { next.as_ref() }.filter(|string| !string.is_null())?;
        // SAFETY: the null pointer was not reached, so another element follows.
        next = unsafe { next.add(1) };
        // SAFETY: a pointer before the null is to a string that ends in NUL; nothing in this program changes it.
        Some(unsafe { CStr::from_ptr(*string) })
    })
}

/// The path by which this program was executed, which may be relative or that of a link (`AT_EXECFN`, `getauxval(3)`).
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

    /// Leaves it as it is now.
    pub fn forget(self) {
        mem::forget(self);
    }

    fn set(signal: Signal, handler: SigHandler) -> nix::Result<Self> {
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: neither the default nor ignoring calls a handler of ours.
        let previous = unsafe { sigaction(signal, &action) }?;
        Ok(Self { signal, previous })
    }
}

/// Makes a copy of this process; gives its number, and nothing in the copy. For a process with one thread only.
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
/// When the kernel is older than 5.3 or there is no descriptor left.
pub fn pidfd_of_this() -> nix::Result<OwnedFd> {
    // SAFETY: the call takes two numbers.
    let descriptor = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0) })?;
    let descriptor = c_int::try_from(descriptor).map_err(|_| Errno::EOVERFLOW)?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sends SIGKILL; to a process that has ended, nothing.
pub fn kill_by_pidfd(process: BorrowedFd) {
    let no_details = ptr::null::<libc::siginfo_t>();
    // SAFETY: without details about the signal the call reads no memory.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, no_details, 0) };
}

/// Closes all descriptors from the first to the last.
///
/// # Errors
/// When the kernel is older than 5.9.
pub fn close_range(first: c_int, last: c_int) -> nix::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: the caller owns none of them in a way that would be closed again.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Whether a signal is ignored; this only asks.
pub fn is_ignored(signal: Signal) -> bool {
    let mut current = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only asks, and fills `current` when it gives 0.
    unsafe {
        libc::sigaction(signal as c_int, ptr::null(), current.as_mut_ptr()) == 0
            && current.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Takes one of some signals, which are blocked; waits for one until the time is over, or for a shorter time.
///
/// # Errors
/// When the kernel does not take the set or the time.
pub fn take_signal(signals: &SigSet, limit: Duration) -> nix::Result<Option<Signal>> {
    let set: *const libc::sigset_t = signals.as_ref();
    let limit = TimeSpec::from_duration(limit);
    let limit: *const libc::timespec = limit.as_ref();
    let no_details = ptr::null_mut::<libc::siginfo_t>();
    // The C library's function would wait anew for all of the time when this process goes on after a stop.
    // SAFETY: the call reads the first word of the set, where the kernel's signals are, and the time.
    let number = unsafe { libc::syscall(libc::SYS_rt_sigtimedwait, set, no_details, limit, size_of::<u64>()) };
    match Errno::result(number) {
        Ok(number) => Ok(c_int::try_from(number).ok().and_then(|number| Signal::try_from(number).ok())),
        Err(Errno::EAGAIN) => Ok(None),
        // It goes on after a stop, during which one may have come.
        Err(Errno::EINTR) => take_signal(signals, Duration::ZERO),
        Err(errno) => Err(errno),
    }
}

impl Drop for Disposition {
    fn drop(&mut self) {
        // SAFETY: this was the disposition before, so whatever handler it names is there.
        let _ = unsafe { sigaction(self.signal, &self.previous) };
    }
}
