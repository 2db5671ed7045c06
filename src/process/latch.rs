//! Something that happens once and that any number of threads wait for, together with what else
//! they wait for.

use super::wait::{PollFd, PollFlags, is_ready, wait};
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

/// Readable from the moment when it is set, and ever after.
pub struct Latch {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Latch {
    /// # Errors
    /// When there is no descriptor left for it.
    pub fn new() -> nix::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    pub fn set(&self) {
        // It only fails when the pipe is full, and then it is set.
        let _ = write(&self.writer, &[0]);
    }

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
