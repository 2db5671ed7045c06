//! A second process of foreword's that stays when the first becomes the runtime: nobody's child,
//! and without anything that it inherited but what it is to keep.

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

/// How often to look whether a process has ended that no descriptor tells of.
const LOOK: Duration = Duration::from_millis(20);

/// A process. Its number alone could come to mean another one.
pub struct Process {
    pid: Pid,
    start_time: u64,
    /// None where a sandbox or an old kernel has none.
    pidfd: Option<OwnedFd>,
}

impl Process {
    /// The one that runs this, and whatever it becomes.
    ///
    /// # Errors
    /// When there is neither a descriptor for it nor a `/proc`.
    pub fn this() -> io::Result<Self> {
        let pidfd = raw::pidfd_of_this().ok();
        let start_time = fs::read("/proc/self/stat")
            .map(|stat| Stat::of(&stat).map_or(0, |stat| stat.start_time));
        match start_time {
            Err(error) if pidfd.is_none() => Err(error),
            start_time => Ok(Self { pid: Pid::this(), start_time: start_time.unwrap_or(0), pidfd }),
        }
    }

    /// Waits for its end; says whether that came in time.
    pub fn ends_before(&self, until: Option<Instant>) -> bool {
        loop {
            let (waited, has_ended) = match &self.pidfd {
                Some(pidfd) => {
                    let mut watched = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                    (wait(&mut watched, until), is_ready(&watched[0]))
                }
                None if self.lives() => {
                    let next = Instant::now() + LOOK;
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

    /// Sends SIGKILL; to a process that has ended, nothing.
    pub fn kill(&self) {
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| raw::kill_by_pidfd(pidfd.as_fd()));
        if !matches!(by_pidfd, Some(Ok(()))) && self.lives() {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }

    /// The descriptors that a second process has to keep to know it.
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Looks it up. Where that fails for another reason than its end, such as a lack of
    /// descriptors, it counts as alive.
    fn lives(&self) -> bool {
        match fs::read(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => {
                Stat::of(&stat).is_none_or(|stat| stat.lives && stat.start_time == self.start_time)
            }
            // The process may end between the two calls that open and read.
            Err(error) => !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)),
        }
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
pub enum Fork {
    /// The one that was there before, with the same children as before.
    Original,
    /// The new one. It keeps standard output and error and the given descriptors; signals that are
    /// for the first one, or for their group, do not end it.
    Detached,
}

/// Makes a second process out of this one, in its process group, as nobody's child.
///
/// # Errors
/// When the kernel refuses another process.
pub fn double_fork(keep: &[BorrowedFd]) -> nix::Result<Fork> {
    // Ignored, as some parents leave it, SIGCHLD would let the kernel throw the exit status away.
    let _child = Disposition::default_for(Signal::SIGCHLD)?;
    let null = open(c"/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    if let Some(child) = raw::fork()? {
        return match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(Fork::Original),
            WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
            // Somebody else ended it.
            _ => Err(Errno::EINTR),
        };
    }
    // Here, where the first one hears of a failure, and before there is a process that a signal
    // must not end.
    let made = shed(null, keep).and_then(|()| raw::fork());
    match made {
        Ok(None) => Ok(Fork::Detached),
        Ok(Some(_)) => exit(0),
        // To go on as if this were the first one would start a second runtime.
        Err(errno) => exit(errno as i32),
    }
}

/// Leaves behind what a new process inherited, and what would end it.
fn shed(null: OwnedFd, keep: &[BorrowedFd]) -> nix::Result<()> {
    raw::arena::retire();
    for signal in
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE]
    {
        Disposition::ignore(signal)?.forget();
    }
    dup2_stdin(null)?;
    let is_kept =
        |descriptor: i32| descriptor <= 2 || keep.iter().any(|kept| kept.as_raw_fd() == descriptor);
    open_descriptors().into_iter().filter(|&descriptor| !is_kept(descriptor)).for_each(
        |descriptor| {
            // The one with which they were listed is closed by now.
            let _ = close(descriptor);
        },
    );
    Ok(())
}

/// The numbers of the descriptors that are open, and perhaps some more.
fn open_descriptors() -> Vec<i32> {
    let listed = fs::read_dir("/proc/self/fd").map(|entries| {
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect::<Vec<_>>()
    });
    // Without a /proc, all that there can be.
    listed.unwrap_or_else(|_| {
        let most =
            sysconf(SysconfVar::OPEN_MAX).ok().flatten().and_then(|most| i32::try_from(most).ok());
        (0..most.unwrap_or(1024)).collect()
    })
}
