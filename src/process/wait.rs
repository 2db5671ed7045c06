//! Waiting for descriptors, until something happens or a time comes.

use nix::errno::Errno;
use nix::poll::ppoll;
use nix::sys::signal::SigSet;
use nix::sys::time::TimeSpec;
use std::time::{Duration, Instant};

pub use nix::poll::{PollFd, PollFlags};

/// The other side has ended its half of a connection (`poll(2)`), which nix has no name for.
pub const PEER_ENDED: PollFlags = PollFlags::from_bits_retain(nix::libc::POLLRDHUP);

/// Whether what a descriptor was watched for has happened, or an error or end came in its place.
pub fn happened(watched: &PollFd) -> bool {
    // nix gives nothing for events that it has no name for.
    watched.any() != Some(false)
}

/// Sleeps until something happens to one of the descriptors, or the time comes; it may come back for nothing.
///
/// # Errors
/// When the kernel has no memory for it.
pub fn wait(watched: &mut [PollFd], until: Option<Instant>) -> nix::Result<()> {
    wait_with(watched, until, None)
}

/// The same, with this mask of blocked signals meanwhile; a signal that arrives ends the sleep.
pub(super) fn wait_with(watched: &mut [PollFd], until: Option<Instant>, mask: Option<SigSet>) -> nix::Result<()> {
    let left = until.map(|until| TimeSpec::from_duration(until.saturating_duration_since(Instant::now())));
    match ppoll(watched, left, mask) {
        // After a thaw, sandboxes that refuse `restart_syscall` let a sleep end with EPERM (Lambda did so until 2019).
        Ok(_) | Err(Errno::EINTR | Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Sleeps for that long. The standard library's function panics where `restart_syscall` is refused.
pub fn sleep(duration: Duration) {
    let until = Instant::now() + duration;
    while Instant::now() < until && wait(&mut [], Some(until)).is_ok() {}
}
