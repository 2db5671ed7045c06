//! A second process of foreword's that stays when the first becomes the runtime: nobody's child, and without anything
//! that it inherited but what it is to keep.

use super::raw::{self, Disposition};
use super::wait::{PollFd, PollFlags, happened, wait};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::dup2_stdin;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::exit;
use std::time::Instant;

/// A process, known by a descriptor: unlike a number, that never comes to mean another one.
pub struct Process(OwnedFd);

impl Process {
    /// The one that runs this, and whatever it becomes.
    ///
    /// # Errors
    /// When the kernel is older than 5.3.
    pub fn this() -> nix::Result<Self> {
        raw::pidfd_of_this().map(Self)
    }

    /// Waits for its end; says whether that came in time.
    pub fn ends_before(&self, until: Option<Instant>) -> bool {
        loop {
            let mut watched = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            let waited = wait(&mut watched, until);
            if happened(&watched[0]) {
                return true;
            }
            if waited.is_err() || until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
        }
    }

    pub fn kill(&self) {
        raw::kill_by_pidfd(self.0.as_fd());
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Fills the places of standard streams that are closed, so that nothing else is opened there.
///
/// # Errors
/// When there is no descriptor left.
pub fn fill_standard_streams() -> nix::Result<Vec<OwnedFd>> {
    let mut filled = Vec::new();
    loop {
        let null = open(c"/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
        if null.as_raw_fd() > 2 {
            return Ok(filled);
        }
        filled.push(null);
    }
}

/// Which of the two processes this is.
pub enum Side {
    /// The one that was there before, with the same children as before.
    First,
    /// The new one. It keeps standard output and error and the given descriptors; signals that are for the first one,
    /// or for their group, do not end it.
    Second,
}

/// Makes a second process out of this one, in its process group, as nobody's child.
///
/// # Errors
/// When the kernel refuses another process.
pub fn split(keep: &[BorrowedFd]) -> nix::Result<Side> {
    // Ignored, as some parents leave it, SIGCHLD would let the kernel throw the exit status away.
    let _child = Disposition::default_for(Signal::SIGCHLD)?;
    if let Some(child) = raw::fork()? {
        return match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => Ok(Side::First),
            Ok(_) => Err(Errno::EAGAIN),
            Err(errno) => Err(errno),
        };
    }
    // Here, where the first one hears of a failure, and before there is a process that a signal must not end.
    if shed(keep).is_err() {
        exit(1);
    }
    match raw::fork() {
        Ok(None) => {}
        Ok(Some(_)) => exit(0),
        // To go on as if this were the first one would start a second runtime.
        Err(_) => exit(1),
    }
    Ok(Side::Second)
}

/// Leaves behind what a new process inherited, and what would end it.
fn shed(keep: &[BorrowedFd]) -> nix::Result<()> {
    raw::arena::retire();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE] {
        Disposition::ignore(signal)?.forget();
    }
    let null = open(c"/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(null)?;
    let mut kept: Vec<i32> = keep.iter().map(AsRawFd::as_raw_fd).chain([2]).collect();
    kept.sort_unstable();
    let ends = kept[1..].iter().map(|next| next - 1).chain([i32::MAX]);
    for (before, end) in kept.iter().zip(ends) {
        raw::close_range(before + 1, end)?;
    }
    Ok(())
}
