//! Waiting for descriptors, until something happens or a time comes.

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
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
    let timeout = until.map_or(PollTimeout::NONE, |until| {
        // Rounded up, so that it does not wake just before the time and sleep for nothing.
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    match poll(watched, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}
