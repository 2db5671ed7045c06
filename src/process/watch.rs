//! Holds back the signals that would end foreword while a command runs, so that the command is
//! stopped first. Waits for these signals together with file descriptors and a deadline.

use super::latch::Latch;
use super::raw::{Disposition, take_recorded};
use super::wait::{PollFd, PollFlags, is_ready, wait_with};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, pthread_sigmask};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

/// Control over signals while commands run: SIGCHLD and the signals that would end foreword arrive
/// only during a wait of this type. Dropping it restores the signal mask and the dispositions.
pub struct Watch {
    /// The process group of the running command; 0 when none runs or none has been recorded yet.
    running: AtomicI32,
    /// The signal mask from before.
    previous_mask: SigSet,
    /// The signal mask during a wait.
    wait_mask: SigSet,
    dispositions: Vec<Disposition>,
}

impl Watch {
    /// Blocks SIGCHLD and the signals that would end foreword, and records them instead.
    ///
    /// # Errors
    /// When the kernel refuses a system call; mask and dispositions are then as before.
    pub fn start() -> nix::Result<Self> {
        let previous_mask = SigSet::thread_get_mask()?;
        let (mut watched, mut wait_mask) = (SigSet::from(Signal::SIGCHLD), previous_mask);
        wait_mask.remove(Signal::SIGCHLD);
        // A signal that a parent has blocked or ignored would not end foreword.
        let ending = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];
        watched.extend(ending.into_iter().filter(|&signal| !previous_mask.contains(signal)));
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&watched), None)?;
        // Returning early from here on drops it, which restores the mask.
        let mut watch = Self {
            running: AtomicI32::new(0),
            previous_mask,
            wait_mask,
            dispositions: Vec::with_capacity(5),
        };
        for signal in &watched {
            let disposition = Disposition::record(signal)?;
            // Some parents leave SIGCHLD ignored; the kernel would then discard exit statuses.
            if signal == Signal::SIGCHLD || !disposition.was_ignored() {
                watch.dispositions.push(disposition);
            }
        }
        take_recorded();
        Ok(watch)
    }

    /// Sends SIGKILL to the process group of the running command, from another thread than the one
    /// that waits for it.
    pub fn kill(&self) {
        match self.running.load(Ordering::Relaxed) {
            0 => {}
            group => drop(killpg(Pid::from_raw(group), Signal::SIGKILL)),
        }
    }

    /// Sets the process group that [`Watch::kill`] kills; 0 stands for none.
    pub(super) fn set_running(&self, group: i32) {
        self.running.store(group, Ordering::Relaxed);
    }

    /// Waits until one of the file descriptors is ready, a signal arrives, or the time comes.
    /// Returns a signal that would have ended foreword, if one arrived.
    ///
    /// # Errors
    /// When the kernel refuses to wait.
    pub(super) fn sleep(
        &self,
        watched: &mut [PollFd],
        until: Instant,
    ) -> nix::Result<Option<Signal>> {
        wait_with(watched, Some(until), Some(self.wait_mask))?;
        Ok(take_recorded())
    }

    /// Waits until a time for one file descriptor, if one is given, and for a latch, if one is
    /// given.
    pub fn wait_until(
        &self,
        until: Instant,
        descriptor: Option<(BorrowedFd, PollFlags)>,
        stop: Option<&Latch>,
    ) -> Wake {
        loop {
            let mut watched: Vec<_> =
                descriptor.iter().map(|(one, events)| PollFd::new(*one, *events)).collect();
            watched.extend(stop.map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)));
            match self.sleep(&mut watched, until) {
                Ok(Some(signal)) => return Wake::Signal(signal),
                _ if stop.is_some_and(Latch::is_set) => return Wake::Stopped,
                _ if descriptor.is_some() && is_ready(&watched[0]) => return Wake::Ready,
                Err(_) => return Wake::Late,
                Ok(None) if Instant::now() >= until => return Wake::Late,
                Ok(None) => {}
            }
        }
    }

    /// Waits until the latch is set or a signal that would end foreword arrives. Returns the
    /// signal, if one arrived.
    pub fn wait_for(&self, latch: &Latch) -> Option<Signal> {
        loop {
            let mut watched = [PollFd::new(latch.as_fd(), PollFlags::POLLIN)];
            let waited = wait_with(&mut watched, None, Some(self.wait_mask));
            let signal = take_recorded();
            if signal.is_some() || waited.is_err() || latch.is_set() {
                return signal;
            }
        }
    }
}

/// The reason why [`Watch::wait_until`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The file descriptor is ready.
    Ready,
    /// The time has come, or the kernel refuses to wait.
    Late,
    /// A signal arrived that would have ended foreword.
    Signal(Signal),
    /// The latch is set.
    Stopped,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The mask comes last, so that a pending signal meets its previous disposition.
        self.dispositions.clear();
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.previous_mask), None);
    }
}

/// Sends a signal that was held back to this process, which it ends. Returns the exit status for
/// the case that the process survives: as the first of its PID namespace it does not get the signal
/// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
pub fn end_by_signal(signal: Signal) -> i32 {
    let _ = kill(Pid::this(), signal);
    128 + signal as i32
}
