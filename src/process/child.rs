//! Running one command in a process group of its own: it is started, watched, stopped at its deadline with
//! all that it started, and leaves nothing of foreword's behind.

use super::detach::{Side, split};
use super::diagnosis::{ExecError, ends_in_carriage_return};
use super::execute::attempt;
use super::latch::Latch;
use super::raw::{Disposition, spawn, take_noted};
use super::stat::Stat;
use super::wait::{PollFd, PollFlags, sleep, wait, wait_with};
use crate::environ::Environ;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, pthread_sigmask};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, chdir, dup2_stderr, dup2_stdout, fchdir, pipe2, write};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// How long a process group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(500);

/// How often a group whose leader is gone is looked at: no signal tells of the others' end.
const LOOK: Duration = Duration::from_millis(10);

/// A command and all that it needs.
pub struct Request<'r> {
    pub words: &'r [OsString],
    pub environ: &'r Environ<'r>,
    pub cwd: Option<&'r OsStr>,
    pub input: &'r [u8],
    /// Most bytes of standard output to take; `None` lets the command inherit it.
    pub capture: Option<usize>,
    pub deadline: Instant,
    /// When what is left of it after SIGTERM is killed at the latest; before that it has [`GRACE`].
    pub kill_by: Option<Instant>,
    /// Once set, the command is of no use any more: its group is killed without a grace.
    pub stop: Option<&'r Latch>,
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
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

/// The end of a pipe to write to, and what is to be written there.
type Unwritten<'r> = (File, &'r [u8]);

/// What a command wrote to standard output.
pub type Captured = Vec<u8>;

/// While it lives, signals that would end foreword, and the end of children, are only noticed by who waits here.
/// Afterwards mask and dispositions are what they were.
pub struct Watch {
    /// The process group of the command that is running; 0 when none is, or none has been started quite yet.
    running: AtomicI32,
    /// The mask from before, and what it is while somebody waits: signals arrive then and at no other time.
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
        let mut watch = Self { running: AtomicI32::new(0), previous, waiting, noted: Vec::with_capacity(5) };
        for signal in watched.iter() {
            let noted = Disposition::noting(signal)?;
            // Ignored, as some parents leave it, SIGCHLD would let the kernel throw exit statuses away.
            if signal == Signal::SIGCHLD || !noted.was_ignored() {
                watch.noted.push(noted);
            }
        }
        take_noted();
        Ok(watch)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, request: &Request) -> Result<(End, Captured), ExecError> {
        let mut child = Child::spawn(request)?;
        self.running.store(child.pid.as_raw(), Ordering::Relaxed);
        let mut stopped: Option<(End, Instant)> = None;
        let end = loop {
            let wake = stopped.map_or(request.deadline, |(_, kill_at)| kill_at);
            let stop = request.stop.filter(|_| !matches!(stopped, Some((End::Cancelled, _))));
            let signal = self.wait(&child, stop, wake);
            let signal = signal.map_err(|errno| ExecError::system("wait for a command", errno))?.map(End::Interrupted);
            child.give_input();
            child.take_output();
            if let Some(status) = child.status() {
                child.take_output();
                break signal.or(stopped.map(|(why, _)| why)).unwrap_or(status);
            }
            if stop.is_some_and(Latch::is_set) {
                child.kill();
                stopped = Some((End::Cancelled, Instant::now() + GRACE));
                continue;
            }
            let late = || (Instant::now() >= request.deadline).then_some(End::TimedOut);
            let reason = signal.or(child.has_too_much().then_some(End::TooMuchOutput)).or_else(late);
            match (stopped, reason) {
                (None, _) => stopped = reason.map(|why| (why, child.terminate(request.kill_by))),
                (Some((_, kill_at)), Some(why @ End::Interrupted(_))) => stopped = Some((why, kill_at)),
                (Some((why, kill_at)), _) if Instant::now() >= kill_at => {
                    child.kill();
                    stopped = Some((why, Instant::now() + GRACE));
                }
                (Some(_), _) => {}
            }
        };
        // One that was killed had no chance to end what it has started.
        let killed = || matches!(end, End::Killed(_)).then(Instant::now);
        if let Some(kill_at) = stopped.map(|(_, kill_at)| kill_at).or_else(killed) {
            child.outlive_group(kill_at, request.stop);
        }
        self.running.store(0, Ordering::Relaxed);
        if let Some(output) = child.output.take() {
            leave_reader(&output);
        }
        let flooded = child.has_too_much() && matches!(end, End::Exited(_) | End::Killed(_));
        let end = if flooded { End::TooMuchOutput } else { end };
        Ok((end, child.captured))
    }

    /// Kills what is running, for somebody who cannot wait until it has ended.
    pub fn kill(&self) {
        match self.running.load(Ordering::Relaxed) {
            0 => {}
            group => drop(killpg(Pid::from_raw(group), Signal::SIGKILL)),
        }
    }

    /// Sleeps until a signal, output, room for input, the latch, or the time comes; of signals that would have ended
    /// foreword, gives one.
    fn wait(&self, child: &Child, stop: Option<&Latch>, until: Instant) -> nix::Result<Option<Signal>> {
        let mut watched = Vec::with_capacity(3);
        watched.extend(child.output.as_ref().map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)));
        watched.extend(child.input.as_ref().map(|(input, _)| PollFd::new(input.as_fd(), PollFlags::POLLOUT)));
        watched.extend(stop.map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)));
        wait_with(&mut watched, Some(until), Some(self.waiting))?;
        Ok(take_noted())
    }

    /// Waits until the latch is set or one of the signals that would end foreword came, and gives that.
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

impl Drop for Watch {
    fn drop(&mut self) {
        // In this order: one that is waiting to arrive does what it would have done before.
        self.noted.clear();
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.previous), None);
    }
}

/// Ends this process the way a signal would have, had it not been held back; gives the exit status in case the
/// signal cannot: the kernel spares the first process of a PID namespace.
pub fn die_of(signal: Signal) -> i32 {
    let _ = kill(Pid::this(), signal);
    128 + signal as i32
}

struct Child<'r> {
    /// Also its process group.
    pid: Pid,
    /// What of the input did not fit into the pipe.
    input: Option<Unwritten<'r>>,
    output: Option<File>,
    /// Most bytes of output to take.
    most: usize,
    captured: Captured,
}

impl<'r> Child<'r> {
    fn spawn(request: &Request<'r>) -> Result<Self, ExecError> {
        let unable = |errno: Errno| ExecError::system("start a command", errno);
        let (input, rest) =
            input_pipe(request.input).map_err(|errno| ExecError::system("make a command's standard input", errno))?;
        let pipe = request.capture.map(|_| pipe2(OFlag::O_CLOEXEC)).transpose().map_err(unable)?;
        let output = pipe.as_ref().map(|(_, writer)| writer.as_fd());
        let entries = request.environ.entries();
        let home = request.cwd.map(|folder| enter(folder, request.environ)).transpose()?;
        let spawned = attempt(request.words, request.environ, |file, words| match ends_in_carriage_return(file) {
            true => Err(Errno::ENOENT),
            false => spawn(file, words, &entries, input.as_fd(), output),
        });
        if let Some(home) = home {
            fchdir(&home).map_err(|errno| ExecError::system("return to the working directory", errno))?;
        }
        let output = pipe.map(|(reader, _)| without_blocking(reader)).transpose().map_err(unable)?;
        Ok(Self { pid: spawned?, input: rest, output, most: request.capture.unwrap_or(0), captured: Captured::new() })
    }

    /// Writes what there is room for of the input that is left; one that nobody reads any more is lost.
    fn give_input(&mut self) {
        let Some((pipe, rest)) = &mut self.input else { return };
        let _ignored = Disposition::ignore(Signal::SIGPIPE);
        match write(&*pipe, rest) {
            Ok(written) if written < rest.len() => *rest = &rest[written..],
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            _ => self.input = None,
        }
    }

    /// Reads what is there, up to the first byte that is too much.
    fn take_output(&mut self) {
        // Not on the stack, whose pages every hook would touch, also one that exports nothing.
        let mut chunk = if self.output.is_some() { vec![0; 16_384] } else { Vec::new() };
        while let Some(output) = &mut self.output {
            match output.read(&mut chunk) {
                Ok(0) => self.output = None,
                Ok(length) => self.captured.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            if self.has_too_much() {
                self.output = None;
            }
        }
    }

    fn has_too_much(&self) -> bool {
        self.captured.len() > self.most
    }

    /// How it ended, if it has; it is gone for good then.
    fn status(&self) -> Option<End> {
        match waitid(Id::Pid(self.pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG) {
            Ok(WaitStatus::Exited(_, status)) => Some(End::Exited(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(End::Killed(Some(signal))),
            Ok(_) => None,
            // nix has no name for real-time signals.
            Err(_) => Some(End::Killed(None)),
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

    /// Whether a process of the group still runs. Dead ones count only for `killpg`: under an init that reaps late, or
    /// when foreword itself is the first process and nobody reaps, they would be waited for in vain.
    fn group_lives(&self) -> bool {
        if killpg(self.pid, None).is_err() {
            return false;
        }
        let Ok(processes) = fs::read_dir("/proc") else { return true };
        let stats = processes.flatten().filter_map(|process| fs::read(process.path().join("stat")).ok());
        let mut members = stats.filter_map(|stat| Stat::of(&stat)).filter(|stat| stat.group == self.pid.as_raw());
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

/// Leaves a process behind that reads, and forgets, what is still written by those that a command has left behind: without
/// a reader, they would die of SIGPIPE. It ends with the last of them. Where there can be no process, they do die.
fn leave_reader(output: &File) {
    if !matches!(split(&[output.as_fd()]), Ok(Side::Second)) {
        return;
    }
    // Whoever reads what foreword writes must not wait for them.
    if let Ok(null) = open(c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
        let _ = dup2_stdout(&null).and_then(|()| dup2_stderr(&null));
    }
    let mut chunk = [0; 4096];
    loop {
        let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let waited = wait(&mut watched, None);
        match (&*output).read(&mut chunk) {
            Ok(1..) => {}
            Err(error) if waited.is_ok() && error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => exit(0),
        }
    }
}

/// A pipe that holds the input, or to which it is still to be written.
fn input_pipe(input: &[u8]) -> nix::Result<(OwnedFd, Option<Unwritten<'_>>)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    // Every pipe holds a page (pipe(7)).
    if input.len() > 4096 {
        return Ok((reader, Some((without_blocking(writer)?, input))));
    }
    write(&writer, input)?;
    Ok((reader, None))
}

/// Enters a folder, where `spawn` starts the command; gives the way back.
fn enter(folder: &OsStr, environ: &Environ) -> Result<OwnedFd, ExecError> {
    let unable = |errno| ExecError::system(&format!("enter {:?}", environ.redact(folder)), errno);
    let home = open(c".", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(unable)?;
    chdir(folder).map_err(unable)?;
    Ok(home)
}

fn without_blocking(pipe: OwnedFd) -> nix::Result<File> {
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(pipe))
}
