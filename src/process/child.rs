//! Running one command in a process group of its own: it is started, watched, and stopped at its
//! deadline with all that it started.

use super::diagnosis::{ExecError, ends_in_carriage_return};
use super::execute::attempt;
use super::latch::Latch;
use super::raw::{Refused, spawn};
use super::stat::Stat;
use super::streams::{OrphanOutput, Streams};
use super::wait::{PollFd, PollFlags, sleep};
use super::watch::Watch;
use crate::environ::Environ;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, chdir, fchdir};
use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a process group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// How often a group whose leader is gone is looked at: no signal tells of the others' end.
const LOOK: Duration = Duration::from_millis(10);

/// A command and all that it needs.
pub struct Job<'r> {
    pub words: &'r [OsString],
    pub environ: &'r Environ<'r>,
    pub cwd: Option<&'r OsStr>,
    pub input: &'r [u8],
    /// Most bytes of standard output to take; `None` lets the command inherit it.
    pub capture: Option<usize>,
    pub deadline: Instant,
    /// When what is left of it after SIGTERM is killed at the latest; before that it has
    /// [`GRACE`].
    pub kill_by: Option<Instant>,
    /// Once set, the command is of no use any more: its group is killed without a grace.
    pub stop: Option<&'r Latch>,
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnd {
    Exited(i32),
    /// `None`: by a real-time signal.
    Killed(Option<Signal>),
    /// The deadline passed; the group was stopped.
    TimedOut,
    /// It wrote more than was to be taken; the group was stopped.
    TooMuchOutput,
    /// foreword itself was told to end; the group was stopped.
    Interrupted(Signal),
    /// The request's latch was set; the group was killed.
    Cancelled,
}

/// What is known of a command when it has ended.
#[derive(Debug)]
pub struct Ended {
    pub end: CommandEnd,
    /// Its standard output, if that was captured.
    pub output: Vec<u8>,
    /// The end of what it wrote to standard error.
    pub last_errors: Vec<u8>,
    /// Those that it has left behind still write.
    pub left: Option<OrphanOutput>,
}

impl Watch {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, request: &Job) -> Result<Ended, ExecError> {
        let mut child = Child::spawn(request)?;
        self.note_running(child.pid.as_raw());
        let mut stopped: Option<(CommandEnd, Instant)> = None;
        let end = loop {
            let wake = stopped.map_or(request.deadline, |(_, kill_at)| kill_at);
            let stop =
                request.stop.filter(|_| !matches!(stopped, Some((CommandEnd::Cancelled, _))));
            let mut watched = child.streams.watched();
            watched.extend(stop.map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)));
            let signal = self.sleep(&mut watched, wake);
            let signal = signal
                .map_err(|errno| ExecError::system("wait for a command", errno))?
                .map(CommandEnd::Interrupted);
            child.streams.advance();
            let status = child.status().map_err(|errno| {
                // Nobody could tell when it ends.
                child.kill();
                ExecError::system("wait for a command", errno)
            })?;
            if let Some(status) = status {
                child.streams.advance();
                // One that arrived while nobody waited.
                let missed =
                    self.sleep(&mut [], Instant::now()).ok().flatten().map(CommandEnd::Interrupted);
                break signal.or(missed).or(stopped.map(|(why, _)| why)).unwrap_or(status);
            }
            if stop.is_some_and(Latch::is_set) {
                child.kill();
                stopped = Some((CommandEnd::Cancelled, Instant::now() + GRACE));
                continue;
            }
            let late = || (Instant::now() >= request.deadline).then_some(CommandEnd::TimedOut);
            let reason = signal
                .or(child.streams.has_too_much().then_some(CommandEnd::TooMuchOutput))
                .or_else(late);
            match (stopped, reason) {
                (None, _) => stopped = reason.map(|why| (why, child.terminate(request.kill_by))),
                (Some((_, kill_at)), Some(why @ CommandEnd::Interrupted(_))) => {
                    stopped = Some((why, kill_at))
                }
                (Some((why, kill_at)), _) if Instant::now() >= kill_at => {
                    child.kill();
                    stopped = Some((why, Instant::now() + GRACE));
                }
                (Some(_), _) => {}
            }
        };
        // One that was killed had no chance to end what it has started.
        let killed = || matches!(end, CommandEnd::Killed(_)).then(Instant::now);
        if let Some(kill_at) = stopped.map(|(_, kill_at)| kill_at).or_else(killed) {
            child.outlive_group(kill_at, request.stop);
        }
        self.note_running(0);
        let flooded = child.streams.has_too_much()
            && matches!(end, CommandEnd::Exited(_) | CommandEnd::Killed(_));
        let end = if flooded { CommandEnd::TooMuchOutput } else { end };
        let (output, last_errors, left) = child.streams.end();
        Ok(Ended { end, output, last_errors, left })
    }
}

struct Child<'r> {
    /// Also its process group.
    pid: Pid,
    streams: Streams<'r>,
}

impl<'r> Child<'r> {
    fn spawn(request: &Job<'r>) -> Result<Self, ExecError> {
        let (streams, theirs) = Streams::new(request.input, request.capture)
            .map_err(|errno| ExecError::system("make a command's standard streams", errno))?;
        let entries = request.environ.entries();
        let home = request.cwd.map(|folder| enter(folder, request.environ)).transpose()?;
        // What no file has to do with.
        let refused = Cell::new(None);
        let spawned = attempt(request.words, request.environ, |file, words| {
            match ends_in_carriage_return(file) {
                true => Err(Errno::ENOENT),
                false => spawn(file, words, &entries, theirs.given()).map_err(|unable| {
                    let (what, errno) = match unable {
                        Refused::Process(errno) => ("make a process", errno),
                        Refused::Preparation(errno) => {
                            ("give a process a group and standard streams of its own", errno)
                        }
                        Refused::Execution(errno) => return errno,
                    };
                    refused.set(Some(ExecError::system(what, errno)));
                    errno
                }),
            }
        });
        if let Some(home) = home {
            fchdir(&home)
                .map_err(|errno| ExecError::system("return to the working directory", errno))?;
        }
        match refused.take() {
            Some(error) if spawned.is_err() => Err(error),
            _ => Ok(Self { pid: spawned?, streams }),
        }
    }

    /// How it ended, if it has; it is gone for good then.
    fn status(&self) -> nix::Result<Option<CommandEnd>> {
        match waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) {
            Ok(WaitStatus::Exited(_, status)) => Ok(Some(CommandEnd::Exited(status))),
            Ok(WaitStatus::Signaled(_, signal, _)) => Ok(Some(CommandEnd::Killed(Some(signal)))),
            Ok(_) => Ok(None),
            // nix has no name for real-time signals.
            Err(Errno::EINVAL) => Ok(Some(CommandEnd::Killed(None))),
            Err(errno) => Err(errno),
        }
    }

    /// Asks the group to end; says when it has to be gone.
    fn terminate(&self, kill_by: Option<Instant>) -> Instant {
        let _ = killpg(self.pid, Signal::SIGTERM);
        // Stopped processes take the signal only when they go on.
        let _ = killpg(self.pid, Signal::SIGCONT);
        let kill_at = Instant::now() + GRACE;
        kill_by.map_or(kill_at, |by| by.min(kill_at))
    }

    fn kill(&self) {
        let _ = killpg(self.pid, Signal::SIGKILL);
    }

    /// Whether a process of the group still runs. Dead ones count only for `killpg`: under an init
    /// that reaps late, or when foreword itself is the first process and nobody reaps, they
    /// would be waited for in vain.
    fn group_lives(&self) -> bool {
        if killpg(self.pid, None).is_err() {
            return false;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        let stats =
            processes.flatten().filter_map(|process| fs::read(process.path().join("stat")).ok());
        let mut members =
            stats.filter_map(|stat| Stat::of(&stat)).filter(|stat| stat.group == self.pid.as_raw());
        members.any(|stat| stat.lives)
    }

    /// Waits for the rest of the group when its leader is gone, until it has to be gone too.
    fn outlive_group(&self, kill_at: Instant, stop: Option<&Latch>) {
        while self.group_lives() {
            if Instant::now() >= kill_at || stop.is_some_and(Latch::is_set) {
                return self.kill();
            }
            sleep(LOOK);
        }
    }
}

/// Enters a folder, where `spawn` starts the command; gives the way back.
fn enter(folder: &OsStr, environ: &Environ) -> Result<OwnedFd, ExecError> {
    let unable = |errno| ExecError::system(&format!("enter {:?}", environ.redact(folder)), errno);
    let home = open(c".", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(unable)?;
    chdir(folder).map_err(unable)?;
    Ok(home)
}
