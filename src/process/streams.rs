//! The standard streams of a command: feeds standard input, captures standard output, and forwards
//! standard error as it comes while keeping its end. After the command has ended, forwards what its
//! background processes still write.

use super::detach::{Fork, double_fork};
use super::raw::{Disposition, StandardStreams};
use super::wait::{PollFd, PollFlags, is_ready, wait};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stdout, pipe2, read, write};
use std::fs::File;
use std::io::{self, Stderr};
use std::os::fd::{AsFd, OwnedFd};
use std::process::exit;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// A page in bytes. Every pipe holds at least one, and a pipe that is ready for writing takes one
/// without blocking (`PIPE_BUF`, <https://man7.org/linux/man-pages/man7/pipe.7.html>).
const PAGE: usize = 4096;

/// The treatment of a command's standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardErrors {
    /// It goes to foreword's as it comes, and its end is kept.
    Forward,
    /// It is only kept.
    Keep,
}

impl StandardErrors {
    /// Returns how many bytes of the end to keep. Of what is forwarded that is more than a report
    /// shows, because secrets are redacted before it is cut.
    fn kept(self) -> usize {
        match self {
            Self::Forward => 8192,
            Self::Keep => 1 << 16,
        }
    }
}

/// How many pages of standard error to forward before looking at anything else.
const PAGES_AT_ONCE: usize = 16;

/// The stack in bytes of a thread that forwards output.
const STACK: usize = 64 << 10;

/// foreword's ends of a command's pipes.
pub struct Streams<'r> {
    /// The pipe, and the rest of the input that did not fit into it.
    input: Option<(File, &'r [u8])>,
    output: Option<File>,
    /// The largest number of bytes of output to capture.
    limit: usize,
    captured: Vec<u8>,
    errors: Option<Errors>,
}

/// The command's ends of its pipes.
pub struct CommandStreams {
    input: OwnedFd,
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
}

impl CommandStreams {
    /// Borrows the file descriptors for [`spawn`](super::raw::spawn).
    pub fn as_standard_streams(&self) -> StandardStreams<'_> {
        let [output, errors] =
            [&self.output, &self.errors].map(|end| end.as_ref().map(AsFd::as_fd));
        StandardStreams { input: self.input.as_fd(), output, errors }
    }
}

impl<'r> Streams<'r> {
    /// Creates the pipes. The command inherits standard output unless `capture` is given, and
    /// standard error if foreword's is closed.
    ///
    /// # Errors
    /// When there is no file descriptor left.
    pub fn new(
        input: &'r [u8],
        capture: Option<usize>,
        errors: StandardErrors,
    ) -> nix::Result<(Self, CommandStreams)> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let input = match input.len() {
            0..=PAGE => write(&writer, input).map(|_| None)?,
            _ => Some((set_nonblocking(writer)?, input)),
        };
        let (output, their_output) = capture.map(|_| output_pipe()).transpose()?.unzip();
        // Nothing can be forwarded to a closed standard error.
        let is_wanted =
            errors == StandardErrors::Keep || fcntl(io::stderr(), FcntlArg::F_GETFD).is_ok();
        let (pipe, their_errors) = is_wanted.then(output_pipe).transpose()?.unzip();
        let theirs = CommandStreams { input: reader, output: their_output, errors: their_errors };
        let errors = pipe.map(|pipe| Errors::new(pipe, errors));
        let limit = capture.unwrap_or(0);
        Ok((Self { input, output, limit, captured: Vec::new(), errors }, theirs))
    }

    /// Returns the file descriptors to wait for before [`Streams::advance`] can do anything.
    pub fn watched(&self) -> Vec<PollFd<'_>> {
        let mut watched = Vec::with_capacity(4);
        watched.extend(
            self.input.as_ref().map(|(input, _)| PollFd::new(input.as_fd(), PollFlags::POLLOUT)),
        );
        watched.extend(
            self.output.as_ref().map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN)),
        );
        watched.extend(self.errors.as_ref().and_then(Errors::watched));
        watched
    }

    /// Reads and writes what is possible without blocking.
    pub fn advance(&mut self) {
        self.write_input();
        while !self.has_too_much()
            && let Some(chunk) = read_from(&mut self.output)
        {
            self.captured.extend_from_slice(&chunk);
        }
        if self.has_too_much() {
            self.output = None;
        }
        if let Some(errors) = &mut self.errors {
            errors.advance();
        }
    }

    /// Writes as much of the remaining input as fits into the pipe; drops it when the command has
    /// closed standard input.
    fn write_input(&mut self) {
        let Some((pipe, rest)) = &mut self.input else { return };
        let _ignored = Disposition::ignore(Signal::SIGPIPE);
        match write(&*pipe, rest) {
            Ok(written) if written < rest.len() => *rest = &rest[written..],
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            _ => self.input = None,
        }
    }

    /// Reports whether the command wrote more than the limit.
    pub fn has_too_much(&self) -> bool {
        self.captured.len() > self.limit
    }

    /// Returns the captured output, the end of standard error, and the streams that background
    /// processes of the command still have open.
    pub fn end(self) -> (Vec<u8>, Vec<u8>, Option<OrphanOutput>) {
        let last = self.errors.as_ref().map(Errors::last_lines).unwrap_or_default();
        let left = OrphanOutput { output: self.output, errors: self.errors };
        (self.captured, last, Some(left).filter(|left| !left.is_over()))
    }
}

/// A command's standard error.
#[derive(Debug)]
struct Errors {
    /// `None` when no process has the other end open any more.
    pipe: Option<File>,
    treatment: StandardErrors,
    /// Bytes that were read and not written yet: a full standard error must not block foreword.
    pending: Vec<u8>,
    /// The last bytes, at most [`StandardErrors::kept`].
    last: Vec<u8>,
    /// Whether bytes before `last` were dropped.
    is_cut: bool,
    log: Stderr,
}

impl Errors {
    fn new(pipe: File, treatment: StandardErrors) -> Self {
        Self {
            pipe: Some(pipe),
            treatment,
            pending: Vec::new(),
            last: Vec::new(),
            is_cut: false,
            log: io::stderr(),
        }
    }

    fn watched(&self) -> Option<PollFd<'_>> {
        if self.pending.is_empty() {
            self.pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
        } else {
            Some(PollFd::new(self.log.as_fd(), PollFlags::POLLOUT))
        }
    }

    /// Forwards what is possible without blocking, at most [`PAGES_AT_ONCE`], so that a command
    /// that writes without end does not keep foreword from its deadline.
    fn advance(&mut self) {
        for _ in 0..PAGES_AT_ONCE {
            if self.pending.is_empty() {
                let Some(chunk) = read_from(&mut self.pipe) else { return };
                self.keep(&chunk);
                if self.treatment == StandardErrors::Keep {
                    continue;
                }
                self.pending = chunk;
            }
            let mut watched = [PollFd::new(self.log.as_fd(), PollFlags::POLLOUT)];
            if wait(&mut watched, Some(Instant::now())).is_err() || !is_ready(&watched[0]) {
                return;
            }
            let _ignored = Disposition::ignore(Signal::SIGPIPE);
            match write(&self.log, &self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(Errno::EINTR | Errno::EAGAIN) => return,
                // Neither a closed pipe nor a full disk may stop the command.
                Err(_) => self.pending.clear(),
            }
        }
    }

    fn keep(&mut self, chunk: &[u8]) {
        self.last.extend_from_slice(chunk);
        if let Some(excess @ 1..) = self.last.len().checked_sub(self.treatment.kept()) {
            self.last.drain(..excess);
            self.is_cut = true;
        }
    }

    /// Returns the last complete lines: a line whose beginning was dropped may begin with half of a
    /// secret, which redaction would not find.
    fn last_lines(&self) -> Vec<u8> {
        let start = if self.is_cut {
            let first_end = self.last.iter().position(|&byte| byte == b'\n');
            first_end.map_or(self.last.len(), |end| end + 1)
        } else {
            0
        };
        self.last[start..].to_vec()
    }

    /// Reports whether everything was read and written.
    fn is_over(&self) -> bool {
        self.pipe.is_none() && self.pending.is_empty()
    }
}

/// The streams that background processes of an ended command, such as a daemon, still have open.
/// Without a reader SIGPIPE would kill them, so their captured standard output is read and dropped,
/// and their standard error is forwarded.
#[derive(Debug)]
pub struct OrphanOutput {
    output: Option<File>,
    errors: Option<Errors>,
}

impl OrphanOutput {
    /// Forwards in a detached process, which ends with the last background process. This process
    /// must have only one thread. When it cannot fork, SIGPIPE kills the background processes.
    pub fn forward_in_process(self) {
        let Self { output, errors } = &self;
        let pipe = errors.as_ref().and_then(|errors| errors.pipe.as_ref());
        let keep: Vec<_> = [output.as_ref(), pipe].into_iter().flatten().map(AsFd::as_fd).collect();
        if !matches!(double_fork(&keep), Ok(Fork::Detached)) {
            return;
        }
        // A reader of foreword's standard output must see its end when the runtime has ended.
        if let Ok(null) = open(c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            let _ = dup2_stdout(null);
        }
        self.forward();
        exit(0)
    }

    /// Forwards in a thread, which ends with this process or the last background process.
    ///
    /// # Errors
    /// When the kernel refuses another thread; SIGPIPE then kills the background processes.
    pub fn forward_in_thread(self) -> io::Result<JoinHandle<()>> {
        Builder::new().stack_size(STACK).spawn(|| self.forward())
    }

    /// Forwards until the last background process has closed the streams.
    pub fn forward(mut self) {
        loop {
            while read_from(&mut self.output).is_some() {}
            if let Some(errors) = &mut self.errors {
                errors.advance();
            }
            if self.is_over() {
                return;
            }
            let output =
                self.output.as_ref().map(|output| PollFd::new(output.as_fd(), PollFlags::POLLIN));
            let mut watched: Vec<_> =
                output.into_iter().chain(self.errors.as_ref().and_then(Errors::watched)).collect();
            if wait(&mut watched, None).is_err() {
                return;
            }
        }
    }

    /// Reports whether both streams are closed and everything is written.
    fn is_over(&self) -> bool {
        self.output.is_none() && self.errors.as_ref().is_none_or(Errors::is_over)
    }
}

/// Reads up to a page from a pipe without blocking. Closes the pipe at its end.
fn read_from(pipe: &mut Option<File>) -> Option<Vec<u8>> {
    let mut chunk = vec![0; PAGE];
    loop {
        match read(pipe.as_ref()?, &mut chunk) {
            Ok(0) => *pipe = None,
            Ok(length) => {
                chunk.truncate(length);
                return Some(chunk);
            }
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

/// Creates a pipe that foreword reads without blocking.
fn output_pipe() -> nix::Result<(File, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((set_nonblocking(reader)?, writer))
}

fn set_nonblocking(pipe: OwnedFd) -> nix::Result<File> {
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(pipe))
}
