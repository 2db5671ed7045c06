//! The signals that foreword must not die of while something else is to be ended first, and waiting
//! for them together with whatever else may happen.

use super::latch::Latch;
use super::raw::{Disposition, take_noted};
use super::wait::{PollFd, PollFlags, is_ready, wait_with};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, pthread_sigmask};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

/// While it lives, signals that would end foreword, and the end of children, are only noticed by
/// who waits here. Afterwards mask and dispositions are what they were.
pub struct Watch {
    /// The process group of the command that is running; 0 when none is, or none has been started
    /// quite yet.
    running: AtomicI32,
    /// The mask from before, and what it is while somebody waits: signals arrive then and at no
    /// other time.
    previous: SigSet,
    waiting: SigSet,
    noted: Vec<Disposition>,
}

impl Watch {
    /// Blocks the signals that would end foreword, and that of children.
    ///
    /// # Errors
    /// When the kernel refuses one of these; the signals are as before then.
    pub fn start() -> nix::Result<Self> {
        let previous = SigSet::thread_get_mask()?;
        let (mut watched, mut waiting) = (SigSet::from(Signal::SIGCHLD), previous);
        waiting.remove(Signal::SIGCHLD);
        // What is blocked or ignored already was not meant to end foreword.
        let ending = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];
        watched.extend(ending.into_iter().filter(|&signal| !previous.contains(signal)));
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&watched), None)?;
        // From here on, its end puts back what was changed.
        let mut watch =
            Self { running: AtomicI32::new(0), previous, waiting, noted: Vec::with_capacity(5) };
        for signal in watched.iter() {
            let noted = Disposition::noting(signal)?;
            // Ignored, as some parents leave it, SIGCHLD would let the kernel throw exit statuses
            // away.
            if signal == Signal::SIGCHLD || !noted.was_ignored() {
                watch.noted.push(noted);
            }
        }
        take_noted();
        Ok(watch)
    }

    /// Kills what is running, for somebody who cannot wait until it has ended.
    pub fn kill(&self) {
        match self.running.load(Ordering::Relaxed) {
            0 => {}
            group => drop(killpg(Pid::from_raw(group), Signal::SIGKILL)),
        }
    }

    /// Notes whose process group [`Watch::kill`] kills; 0 stands for nobody's.
    pub(super) fn note_running(&self, group: i32) {
        self.running.store(group, Ordering::Relaxed);
    }

    /// Sleeps until something happens to one of the descriptors, a signal arrives, or the time
    /// comes; of signals that would have ended foreword, gives one.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub(super) fn sleep(
        &self,
        watched: &mut [PollFd],
        until: Instant,
    ) -> nix::Result<Option<Signal>> {
        wait_with(watched, Some(until), Some(self.waiting))?;
        Ok(take_noted())
    }

    /// Waits for one descriptor, if one is given, until a time.
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

    /// Waits until the latch is set or one of the signals that would end foreword came, and gives
    /// that.
    pub fn wait_for(&self, latch: &Latch) -> Option<Signal> {
        loop {
            let mut watched = [PollFd::new(latch.as_fd(), PollFlags::POLLIN)];
            let waited = wait_with(&mut watched, None, Some(self.waiting));
            let signal = take_noted();
            if signal.is_some() || waited.is_err() || latch.is_set() {
                return signal;
            }
        }
    }
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something is_ready to the descriptor.
    Ready,
    /// The time has come.
    Late,
    /// One arrived that would have ended foreword.
    Signal(Signal),
    /// The latch is set.
    Stopped,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // In this order: one that is waiting to arrive does what it would have done before.
        self.noted.clear();
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.previous), None);
    }
}

/// Ends this process the way a signal would have, had it not been held back; gives the exit status
/// in case the signal cannot: the kernel spares the first process of a PID namespace.
pub fn end_by_signal(signal: Signal) -> i32 {
    let _ = kill(Pid::this(), signal);
    128 + signal as i32
}
