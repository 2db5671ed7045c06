//! The standard streams of a command as foreword sees them: input that it feeds, output that it
//! captures, and standard error, which it passes on as it comes and whose end it keeps.

use super::detach::{Fork, double_fork};
use super::raw::{Disposition, Given};
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

/// Every pipe holds a page, and takes as much at once when it has room for anything (pipe(7)).
const PAGE: usize = 4096;

/// How much of the end of standard error is kept. It is more than is shown, because secrets are
/// looked for before it is cut.
const KEPT: usize = 8192;

/// How many pages of standard error are passed on before something else is looked at.
const AT_ONCE: usize = 16;

/// Most memory for the thread that goes on reading; what it never touches costs nothing.
const STACK: usize = 64 << 10;

/// foreword's ends of the pipes.
pub struct Streams<'r> {
    /// What of the input did not fit into the pipe, and where to write it.
    input: Option<(File, &'r [u8])>,
    output: Option<File>,
    /// Most bytes of output to take.
    most: usize,
    captured: Vec<u8>,
    errors: Option<Errors>,
}

/// The command's ends.
pub struct Theirs {
    input: OwnedFd,
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
}

impl Theirs {
    pub fn given(&self) -> Given<'_> {
        let [output, errors] =
            [&self.output, &self.errors].map(|end| end.as_ref().map(AsFd::as_fd));
        Given { input: self.input.as_fd(), output, errors }
    }
}

impl<'r> Streams<'r> {
    /// Makes pipes for what is fed, captured and passed on; a stream without one is inherited.
    ///
    /// # Errors
    /// When there is no descriptor left for them.
    pub fn new(input: &'r [u8], capture: Option<usize>) -> nix::Result<(Self, Theirs)> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
        let input = match input.len() {
            0..=PAGE => write(&writer, input).map(|_| None)?,
            _ => Some((without_blocking(writer)?, input)),
        };
        let (output, their_output) = capture.map(|_| output_pipe()).transpose()?.unzip();
        // Nothing can be passed on to a standard error that is closed.
        let is_open = fcntl(io::stderr(), FcntlArg::F_GETFD).is_ok();
        let (errors, their_errors) = is_open.then(output_pipe).transpose()?.unzip();
        let theirs = Theirs { input: reader, output: their_output, errors: their_errors };
        let errors = errors.map(Errors::new);
        Ok((
            Self { input, output, most: capture.unwrap_or(0), captured: Vec::new(), errors },
            theirs,
        ))
    }

    /// The descriptors to wait for before there is something to move.
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

    /// Moves what can be moved at once.
    pub fn advance(&mut self) {
        self.give_input();
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

    /// Writes what there is room for of the input that is left; what nobody reads any more is lost.
    fn give_input(&mut self) {
        let Some((pipe, rest)) = &mut self.input else { return };
        let _ignored = Disposition::ignore(Signal::SIGPIPE);
        match write(&*pipe, rest) {
            Ok(written) if written < rest.len() => *rest = &rest[written..],
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            _ => self.input = None,
        }
    }

    pub fn has_too_much(&self) -> bool {
        self.captured.len() > self.most
    }

    /// What was captured, the end of standard error, and what those still write that the command
    /// has left behind.
    pub fn end(self) -> (Vec<u8>, Vec<u8>, Option<OrphanOutput>) {
        let last = self.errors.as_ref().map(Errors::last_lines).unwrap_or_default();
        let left = OrphanOutput { output: self.output, errors: self.errors };
        (self.captured, last, Some(left).filter(|left| !left.is_over()))
    }
}

/// A command's standard error on its way to foreword's.
#[derive(Debug)]
struct Errors {
    /// Nothing when everybody who could write to it has ended.
    pipe: Option<File>,
    /// What was read and not passed on yet. A log that nobody reads must not hold foreword up.
    pending: Vec<u8>,
    last: Vec<u8>,
    /// Whether there was more than is kept.
    is_cut: bool,
    log: Stderr,
}

impl Errors {
    fn new(pipe: File) -> Self {
        Self {
            pipe: Some(pipe),
            pending: Vec::new(),
            last: Vec::new(),
            is_cut: false,
            log: io::stderr(),
        }
    }

    fn watched(&self) -> Option<PollFd<'_>> {
        match self.pending.is_empty() {
            true => self.pipe.as_ref().map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)),
            false => Some(PollFd::new(self.log.as_fd(), PollFlags::POLLOUT)),
        }
    }

    /// Moves a bounded amount: somebody who writes without end must not keep foreword from looking
    /// at the time.
    fn advance(&mut self) {
        for _ in 0..AT_ONCE {
            if self.pending.is_empty() {
                let Some(chunk) = read_from(&mut self.pipe) else { return };
                self.keep(&chunk);
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
                // Neither a reader that went away nor a full disk may keep the command from its
                // work.
                Err(_) => self.pending.clear(),
            }
        }
    }

    fn keep(&mut self, chunk: &[u8]) {
        self.last.extend_from_slice(chunk);
        if let Some(excess @ 1..) = self.last.len().checked_sub(KEPT) {
            self.last.drain(..excess);
            self.is_cut = true;
        }
    }

    /// The end, from the beginning of a line: half of a secret could not be told to be one.
    fn last_lines(&self) -> Vec<u8> {
        let start = match self.is_cut {
            false => 0,
            true => self
                .last
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(self.last.len(), |end| end + 1),
        };
        self.last[start..].to_vec()
    }

    fn is_over(&self) -> bool {
        self.pipe.is_none() && self.pending.is_empty()
    }
}

/// What is still written by those that a command has left behind, such as a daemon. Without a
/// reader they would die of SIGPIPE: what they write to a captured standard output is thrown away,
/// standard error is passed on.
#[derive(Debug)]
pub struct OrphanOutput {
    output: Option<File>,
    errors: Option<Errors>,
}

impl OrphanOutput {
    /// Goes on in a process of its own, which ends with the last of them. For a process with one
    /// thread only. Where there can be no process, they die of SIGPIPE.
    pub fn forward_in_process(self) {
        let Self { output, errors } = &self;
        let pipe = errors.as_ref().and_then(|errors| errors.pipe.as_ref());
        let keep: Vec<_> = [output.as_ref(), pipe].into_iter().flatten().map(AsFd::as_fd).collect();
        if !matches!(double_fork(&keep), Ok(Fork::Detached)) {
            return;
        }
        // Whoever waits for the end of foreword's output must not wait for them.
        if let Ok(null) = open(c"/dev/null", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
            let _ = dup2_stdout(null);
        }
        self.forward();
        exit(0)
    }

    /// Goes on in a thread, which ends with the process or with the last of them.
    ///
    /// # Errors
    /// When the kernel refuses another thread; they die of SIGPIPE then.
    pub fn forward_in_thread(self) -> io::Result<JoinHandle<()>> {
        Builder::new().stack_size(STACK).spawn(|| self.forward())
    }

    /// Goes on until the last of them has ended.
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

    fn is_over(&self) -> bool {
        self.output.is_none() && self.errors.as_ref().is_none_or(Errors::is_over)
    }
}

/// Reads what is there, if anything is; a pipe that nobody can write to any more is closed.
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

fn output_pipe() -> nix::Result<(File, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((without_blocking(reader)?, writer))
}

fn without_blocking(pipe: OwnedFd) -> nix::Result<File> {
    fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(File::from(pipe))
}
