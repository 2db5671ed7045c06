//! Something that happens once and that any number of threads wait for, together with what else they wait for.

use super::wait::{PollFd, PollFlags, happened, wait};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// Readable from the moment when it is set, and ever after.
pub struct Latch(EventFd);

impl Latch {
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn new() -> nix::Result<Self> {
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).map(Self)
    }

    pub fn set(&self) {
        // It only fails when the count is at its end, and then it is set.
        let _ = self.0.write(1);
    }

    pub fn is_set(&self) -> bool {
        let mut watched = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        wait(&mut watched, Some(Instant::now())).is_ok() && happened(&watched[0])
    }
}

impl AsFd for Latch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
