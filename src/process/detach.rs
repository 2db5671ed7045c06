//! Detaches a second process of foreword's that stays when the first one becomes the runtime. A
//! double fork keeps it from being the runtime's child, and it closes what it inherited. Also
//! watches the first process from the second.

use super::raw::{self, Disposition};
use super::stat::Stat;
use super::wait::{PollFd, PollFlags, is_ready, wait};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, SysconfVar, close, dup2_stdin, sysconf};
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::exit;
use std::time::{Duration, Instant};

/// How often to poll a process for which there is no pidfd.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A process, identified by a pidfd or by its process id and start time: a process id alone may be
/// reused.
pub struct Process {
    pid: Pid,
    /// Clock ticks since boot.
    start_time: u64,
    /// `None` in a sandbox that refuses it, or on a kernel older than 5.3.
    pidfd: Option<OwnedFd>,
}

impl Process {
    /// Returns the current process, which stays the same through `execve`.
    ///
    /// # Errors
    /// When there is neither a pidfd for it nor a `/proc`.
    pub fn this() -> io::Result<Self> {
        let pidfd = raw::pidfd_of_this().ok();
        let start_time = fs::read("/proc/self/stat")
            .map(|stat| Stat::parse(&stat).map_or(0, |stat| stat.start_time));
        match start_time {
            Err(error) if pidfd.is_none() => Err(error),
            start_time => Ok(Self { pid: Pid::this(), start_time: start_time.unwrap_or(0), pidfd }),
        }
    }

    /// Waits until a time for the process to end; reports whether it did.
    pub fn wait_for_end(&self, until: Option<Instant>) -> bool {
        loop {
            let (waited, has_ended) = match &self.pidfd {
                Some(pidfd) => {
                    let mut watched = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                    (wait(&mut watched, until), is_ready(&watched[0]))
                }
                None if self.is_alive() => {
                    let next = Instant::now() + POLL_INTERVAL;
                    (wait(&mut [], Some(until.map_or(next, |until| until.min(next)))), false)
                }
                None => (Ok(()), true),
            };
            if has_ended {
                return true;
            }
            if waited.is_err() || until.is_some_and(|until| Instant::now() >= until) {
                return false;
            }
        }
    }

    /// Sends SIGKILL, unless the process has ended.
    pub fn kill(&self) {
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| raw::kill_by_pidfd(pidfd.as_fd()));
        if !matches!(by_pidfd, Some(Ok(()))) && self.is_alive() {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }

    /// Returns the file descriptor that a second process has to keep to watch this one.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Reports whether `/proc` has the process, also when `/proc` cannot be read, such as for lack
    /// of file descriptors.
    fn is_alive(&self) -> bool {
        match fs::read(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => {
                let stat = Stat::parse(&stat);
                stat.is_none_or(|stat| stat.is_alive && stat.start_time == self.start_time)
            }
            // Reading fails with ESRCH when the process ends after the file was opened.
            Err(error) => !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)),
        }
    }
}

/// Opens `/dev/null` for each standard stream that is closed, so that nothing else is opened there.
/// Returns what it opened.
///
/// # Errors
/// When there is no file descriptor left.
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

/// The process in which [`double_fork`] returns.
pub enum Fork {
    /// The process from before, with the same children as before.
    Original,
    /// The new process. It keeps standard output, standard error and the given file descriptors,
    /// and ignores the signals that would end the original process and its group.
    Detached,
}

/// Forks twice, so that the new process is not a child of this one. It stays in the process group.
///
/// # Errors
/// When the kernel refuses another process.
pub fn double_fork(keep: &[BorrowedFd]) -> nix::Result<Fork> {
    // Some parents leave SIGCHLD ignored; the kernel would then discard the exit status.
    let _child = Disposition::default_for(Signal::SIGCHLD)?;
    let null = open(c"/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    if let Some(child) = raw::fork()? {
        return match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(Fork::Original),
            WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
            // A signal killed it.
            _ => Err(Errno::EINTR),
        };
    }
    // The intermediate process does this: it can still report a failure by its exit status, and the
    // detached process ignores signals from its first moment on.
    match shed_inherited(null, keep).and_then(|()| raw::fork()) {
        Ok(None) => Ok(Fork::Detached),
        Ok(Some(_)) => exit(0),
        // Returning would start a second runtime.
        Err(errno) => exit(errno as i32),
    }
}

/// Ignores the signals that would end this process, and closes the file descriptors that it does
/// not keep; standard input becomes `null`.
fn shed_inherited(null: OwnedFd, keep: &[BorrowedFd]) -> nix::Result<()> {
    raw::arena::retire();
    for signal in
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE]
    {
        Disposition::ignore(signal)?.keep();
    }
    dup2_stdin(null)?;
    let is_kept =
        |descriptor: i32| descriptor <= 2 || keep.iter().any(|kept| kept.as_raw_fd() == descriptor);
    for descriptor in open_descriptors().into_iter().filter(|&descriptor| !is_kept(descriptor)) {
        // The descriptor of the listing itself is closed already.
        let _ = close(descriptor);
    }
    Ok(())
}

/// Returns the numbers of all open file descriptors, and perhaps of some that are closed.
fn open_descriptors() -> Vec<i32> {
    let listed = fs::read_dir("/proc/self/fd").map(|entries| {
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect::<Vec<_>>()
    });
    // Without a /proc, every number below the limit.
    listed.unwrap_or_else(|_| {
        let limit = sysconf(SysconfVar::OPEN_MAX).ok().flatten();
        (0..limit.and_then(|limit| i32::try_from(limit).ok()).unwrap_or(1024)).collect()
    })
}
