//! A flag that is set once and that any number of threads wait for, together with other file
//! descriptors.

use super::wait::{PollFd, PollFlags, is_ready, wait};
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// A flag whose file descriptor is readable as soon as it is set, and stays readable.
pub struct Latch {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Latch {
    /// Creates a latch that is not set.
    ///
    /// # Errors
    /// When there is no file descriptor left.
    pub fn new() -> nix::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Sets the latch.
    pub fn set(&self) {
        // Writing fails only when the pipe is full, and then the latch is set.
        let _ = write(&self.writer, &[0]);
    }

    /// Reports whether the latch is set.
    pub fn is_set(&self) -> bool {
        let mut watched = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        wait(&mut watched, Some(Instant::now())).is_ok() && is_ready(&watched[0])
    }
}

impl AsFd for Latch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
