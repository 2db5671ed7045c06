//! Runs one command in a process group of its own: starts it, feeds and reads its standard streams,
//! and at its deadline stops the whole process group.

use super::diagnosis::{ExecError, ends_in_carriage_return};
use super::execute::try_candidates;
use super::latch::Latch;
use super::raw::{SpawnError, spawn};
use super::stat::Stat;
use super::streams::{OrphanOutput, StandardErrors, Streams};
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

/// How often to poll a process group whose leader has ended: no signal reports the end of processes
/// that are not children.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A command to run, with its environment, streams and limits.
pub struct Job<'r> {
    /// The program and its arguments; a program without `/` is looked up in PATH.
    pub words: &'r [OsString],
    pub environ: &'r Environ<'r>,
    /// The working directory; `None` inherits foreword's.
    pub cwd: Option<&'r OsStr>,
    /// Bytes for its standard input, which ends after them.
    pub input: &'r [u8],
    /// The largest number of bytes of standard output to capture; `None` lets the command inherit
    /// standard output.
    pub capture: Option<usize>,
    pub errors: StandardErrors,
    /// When to send SIGTERM to its process group.
    pub deadline: Instant,
    /// When to send SIGKILL at the latest, if that is sooner than [`GRACE`] after SIGTERM.
    pub kill_by: Option<Instant>,
    /// Kills the process group at once when it is set.
    pub stop: Option<&'r Latch>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandEnd {
    /// It exited with this status.
    Exited(i32),
    /// A signal killed it; `None` stands for a real-time signal.
    Killed(Option<Signal>),
    /// foreword stopped it at its deadline.
    TimedOut,
    /// foreword stopped it because it wrote more than [`Job::capture`] bytes.
    TooMuchOutput,
    /// foreword stopped it because foreword itself received this signal.
    Interrupted(Signal),
    /// foreword killed it because [`Job::stop`] was set.
    Cancelled,
}

/// The result of a command that has ended.
#[derive(Debug)]
pub struct Finished {
    pub end: CommandEnd,
    /// Its standard output, if that was captured.
    pub output: Vec<u8>,
    /// The end of its standard error.
    pub last_errors: Vec<u8>,
    /// The streams that its background processes still write to.
    pub left: Option<OrphanOutput>,
}

impl Watch {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the command cannot be started or waited for.
    pub fn run(&self, job: &Job) -> Result<Finished, ExecError> {
        let mut child = Child::spawn(job)?;
        self.set_running(child.pid.as_raw());
        // Why the command is being stopped, and when to send the next SIGKILL.
        let mut stopped: Option<(CommandEnd, Instant)> = None;
        let end = loop {
            let wake = stopped.map_or(job.deadline, |(_, kill_at)| kill_at);
            let stop = job.stop.filter(|_| !matches!(stopped, Some((CommandEnd::Cancelled, _))));
            let mut watched = child.streams.watched();
            watched.extend(stop.map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)));
            let waited = self.sleep(&mut watched, wake);
            child.streams.advance();
            let waited = waited.and_then(|signal| Ok((signal, child.status()?)));
            let (signal, status) = waited.map_err(|errno| {
                // Nothing would enforce the deadline.
                child.kill();
                ExecError::system("wait for a command", errno)
            })?;
            let signal = signal.map(CommandEnd::Interrupted);
            if let Some(status) = status {
                child.streams.advance();
                // A signal may have arrived after the last wait.
                let missed =
                    self.sleep(&mut [], Instant::now()).ok().flatten().map(CommandEnd::Interrupted);
                break signal.or(missed).or(stopped.map(|(why, _)| why)).unwrap_or(status);
            }
            if stop.is_some_and(Latch::is_set) {
                child.kill();
                stopped = Some((CommandEnd::Cancelled, Instant::now() + GRACE));
                continue;
            }
            let late = || (Instant::now() >= job.deadline).then_some(CommandEnd::TimedOut);
            let reason = signal
                .or(child.streams.has_too_much().then_some(CommandEnd::TooMuchOutput))
                .or_else(late);
            match (stopped, reason) {
                (None, _) => stopped = reason.map(|why| (why, child.terminate(job.kill_by))),
                (Some((_, kill_at)), Some(why @ CommandEnd::Interrupted(_))) => {
                    stopped = Some((why, kill_at));
                }
                (Some((why, kill_at)), _) if Instant::now() >= kill_at => {
                    child.kill();
                    stopped = Some((why, Instant::now() + GRACE));
                }
                (Some(_), _) => {}
            }
        };
        // A command that a signal killed could not stop its background processes.
        let killed = || matches!(end, CommandEnd::Killed(_)).then(Instant::now);
        if let Some(kill_at) = stopped.map(|(_, kill_at)| kill_at).or_else(killed) {
            child.wait_for_group(kill_at, job.stop);
        }
        self.set_running(0);
        let flooded = child.streams.has_too_much()
            && matches!(end, CommandEnd::Exited(_) | CommandEnd::Killed(_));
        let end = if flooded { CommandEnd::TooMuchOutput } else { end };
        let (output, last_errors, left) = child.streams.end();
        Ok(Finished { end, output, last_errors, left })
    }
}

/// A running command.
struct Child<'r> {
    /// The process id, which is also that of its process group.
    pid: Pid,
    streams: Streams<'r>,
}

impl<'r> Child<'r> {
    /// Starts a command.
    ///
    /// # Errors
    /// When there are no file descriptors left, the working directory cannot be entered, or the
    /// program cannot be executed.
    fn spawn(job: &Job<'r>) -> Result<Self, ExecError> {
        let (streams, theirs) = Streams::new(job.input, job.capture, job.errors)
            .map_err(|errno| ExecError::system("create pipes for standard streams", errno))?;
        let entries = job.environ.entries();
        let home = job.cwd.map(|directory| change_directory(directory, job.environ)).transpose()?;
        // Set when the failure has nothing to do with the file.
        let system_error = Cell::new(None);
        let spawned = try_candidates(job.words, job.environ, |file, words| {
            if ends_in_carriage_return(file) {
                return Err(Errno::ENOENT);
            }
            spawn(file, words, &entries, &theirs.as_standard_streams()).map_err(|error| {
                let (action, errno) = match error {
                    SpawnError::Clone(errno) => ("fork a process", errno),
                    SpawnError::Setup(errno) => {
                        ("set the process group and standard streams of a process", errno)
                    }
                    SpawnError::Execve(errno) => return errno,
                };
                system_error.set(Some(ExecError::system(action, errno)));
                errno
            })
        });
        if let Some(home) = home {
            fchdir(&home)
                .map_err(|errno| ExecError::system("return to the working directory", errno))?;
        }
        match system_error.take() {
            Some(error) if spawned.is_err() => Err(error),
            _ => Ok(Self { pid: spawned?, streams }),
        }
    }

    /// Returns how the command ended, or `None` while it runs. Reaps the process.
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

    /// Sends SIGTERM to the process group; returns when to send SIGKILL.
    fn terminate(&self, kill_by: Option<Instant>) -> Instant {
        let _ = killpg(self.pid, Signal::SIGTERM);
        // A stopped process handles SIGTERM only after SIGCONT.
        let _ = killpg(self.pid, Signal::SIGCONT);
        let kill_at = Instant::now() + GRACE;
        kill_by.map_or(kill_at, |by| by.min(kill_at))
    }

    /// Sends SIGKILL to the process group.
    fn kill(&self) {
        let _ = killpg(self.pid, Signal::SIGKILL);
    }

    /// Reports whether a process of the group still runs. `killpg` alone would also find zombies,
    /// which stay forever where process 1 does not reap them, as foreword does not.
    fn is_group_alive(&self) -> bool {
        if killpg(self.pid, None).is_err() {
            return false;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        let stats =
            processes.flatten().filter_map(|process| fs::read(process.path().join("stat")).ok());
        let mut members = stats
            .filter_map(|stat| Stat::parse(&stat))
            .filter(|stat| stat.group == self.pid.as_raw());
        members.any(|stat| stat.is_alive)
    }

    /// Waits until the process group is empty; kills the rest at `kill_at` or when `stop` is set.
    fn wait_for_group(&self, kill_at: Instant, stop: Option<&Latch>) {
        while self.is_group_alive() {
            if Instant::now() >= kill_at || stop.is_some_and(Latch::is_set) {
                return self.kill();
            }
            sleep(POLL_INTERVAL);
        }
    }
}

/// Changes foreword's working directory, which the command inherits; returns the one before.
fn change_directory(directory: &OsStr, environ: &Environ) -> Result<OwnedFd, ExecError> {
    let unable = |errno| {
        let directory = environ.redact(directory);
        ExecError::system(&format!("change the working directory to {directory:?}"), errno)
    };
    let home = open(c".", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(unable)?;
    chdir(directory).map_err(unable)?;
    Ok(home)
}
