//! One attempt of a hook: waits for its port, runs its command or sends its request, and parses
//! what it exports.

use super::client::{Client, ClientError};
use super::{Deadline, Runner, command_words, explain_shell_status};
use crate::config::{Command, Hook};
use crate::environ::Environ;
use crate::export::{self, Variable};
use crate::loopback::{Address, Request};
use crate::process::{CommandEnd, Job, Signal, StandardErrors};
use crate::report::{Failure, HookEnd, HookOutcome, Stop};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

/// Most bytes that a hook may export.
const MAX_EXPORT: usize = 1 << 20;

/// Most lines and bytes of standard error that a report to the Runtime API quotes.
const MAX_TAIL_LINES: usize = 3;
const MAX_TAIL_BYTES: usize = 500;

/// A hook that is being run, and all that its attempts have in common.
pub struct Attempt<'a> {
    pub runner: &'a Runner<'a>,
    pub hook: &'a Hook<'a>,
    /// The environment of the command.
    pub environ: &'a Environ<'a>,
    /// The start of the first attempt.
    pub started: Instant,
    pub deadline: Deadline,
}

/// The end of an attempt that did not succeed.
pub enum AttemptError {
    /// The problem, in words that follow the name of the hook, and the last lines of standard
    /// error.
    Failed { problem: String, stderr_tail: String },
    /// The cause, in words that follow the limit, and the last lines of standard error.
    TimedOut { cause: String, stderr_tail: String },
    /// Something that ends foreword, not only this hook.
    Stop(Stop),
}

impl AttemptError {
    fn failed(problem: String) -> Self {
        Self::Failed { problem, stderr_tail: String::new() }
    }

    fn timed_out(cause: String) -> Self {
        Self::TimedOut { cause, stderr_tail: String::new() }
    }
}

impl From<ClientError> for AttemptError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Failed(cause) => Self::failed(cause),
            ClientError::TimedOut => Self::timed_out(String::new()),
            ClientError::Interrupted(signal) => Self::Stop(Stop::Signal(signal)),
            ClientError::Cancelled => Self::Stop(Stop::Cancelled),
        }
    }
}

impl Attempt<'_> {
    /// Makes an attempt and returns the variables that the hook exports.
    pub fn make(&self) -> Result<Vec<Variable>, AttemptError> {
        if let Some(address) = &self.hook.wait_for {
            self.wait_for(&address.expand(self.environ))?;
        }
        let output = match &self.hook.command {
            Command::Words(_) | Command::Shell(_) => self.run_command()?,
            Command::Http(request) => self.send_request(&request.expand(self.environ))?,
            Command::Nothing => Vec::new(),
        };
        match self.hook.export {
            Some(format) => export::parse(format, &output).map_err(AttemptError::failed),
            None => Ok(Vec::new()),
        }
    }

    /// Waits before the next attempt. A pause that lasts until the deadline is no error: the next
    /// attempt times out.
    ///
    /// # Errors
    /// When something ends foreword.
    pub fn pause(&self, pause: Duration) -> Result<(), Stop> {
        match self.client().pause(pause).map_err(AttemptError::from) {
            Err(AttemptError::Stop(stop)) => Err(stop),
            _ => Ok(()),
        }
    }

    /// Returns the end of the hook, now.
    pub fn end(&self, outcome: HookOutcome) -> HookEnd {
        HookEnd {
            phase: self.hook.phase,
            name: self.hook.name.to_string(),
            outcome,
            duration: self.started.elapsed(),
            exported: None,
        }
    }

    /// Returns the failure of the hook, now; `problem` follows its name in the message.
    pub fn failure(&self, outcome: HookOutcome, problem: &str, stderr_tail: String) -> Failure {
        self.end(outcome).into_failure(problem).with_stderr_tail(stderr_tail)
    }

    /// Returns the time since the start as "after N ms".
    pub fn describe_elapsed(&self) -> String {
        format!("after {} ms", self.started.elapsed().as_millis())
    }

    fn client(&self) -> Client<'_> {
        let Self { runner, deadline, .. } = self;
        Client { watch: runner.watch, deadline: deadline.instant, cancel: runner.cancel }
    }

    /// Waits until something accepts connections at an address of this machine.
    fn wait_for(&self, address: &OsStr) -> Result<(), AttemptError> {
        let redacted = self.environ.redact(address);
        let parsed = Address::parse(&address.to_string_lossy()).map_err(|problem| {
            AttemptError::failed(format!("cannot wait for {redacted:?}: {problem}"))
        })?;
        self.client().wait_until_accepting(&parsed).map_err(|error| match error.into() {
            AttemptError::TimedOut { .. } => {
                AttemptError::timed_out(format!(": nothing accepts connections at {redacted}"))
            }
            other => other,
        })
    }

    /// Runs the command and returns its standard output, if that is exported.
    fn run_command(&self) -> Result<Vec<u8>, AttemptError> {
        let Self { runner, hook, environ, deadline, .. } = self;
        let cwd = hook.cwd.as_ref().map(|cwd| cwd.expand(environ));
        let ended = runner.watch.run(&Job {
            words: &command_words(&hook.command, environ),
            environ,
            cwd: cwd.as_deref(),
            input: &runner.encode_context(hook, *deadline),
            capture: hook.export.map(|_| MAX_EXPORT),
            errors: StandardErrors::Forward,
            deadline: deadline.instant,
            kill_by: runner.kill_by,
            stop: runner.cancel,
        });
        let ended = ended.map_err(|error| {
            AttemptError::failed(format!("could not be started: {}", error.message))
        })?;
        if let Some(output) = ended.left {
            (runner.forward_orphan_output)(output);
        }
        if ended.end == CommandEnd::Exited(0) {
            return Ok(ended.output);
        }
        // The output of a hook that exports is secret even if the hook fails.
        let secrets = || {
            let format = hook.export?;
            export::parse(format, &ended.output).ok()
        };
        let stderr_tail = || self.redact_tail(&ended.last_errors, &secrets().unwrap_or_default());
        let failed =
            |problem: String| Err(AttemptError::Failed { problem, stderr_tail: stderr_tail() });
        match ended.end {
            CommandEnd::Exited(status) => {
                let explanation = explain_shell_status(&hook.command, status);
                let elapsed = self.describe_elapsed();
                failed(format!("exited with status {status} {elapsed}{explanation}"))
            }
            CommandEnd::Killed(signal) => {
                let signal = signal.map_or("a real-time signal", Signal::as_str);
                failed(format!("was killed by {signal} {}", self.describe_elapsed()))
            }
            CommandEnd::TooMuchOutput => {
                failed(format!("wrote more than the {MAX_EXPORT} bytes that it can export"))
            }
            CommandEnd::TimedOut => {
                Err(AttemptError::TimedOut { cause: String::new(), stderr_tail: stderr_tail() })
            }
            CommandEnd::Interrupted(signal) => Err(AttemptError::Stop(Stop::Signal(signal))),
            CommandEnd::Cancelled => Err(AttemptError::Stop(Stop::Cancelled)),
        }
    }

    /// Sends the request and returns the body of the response.
    fn send_request(&self, text: &OsStr) -> Result<Vec<u8>, AttemptError> {
        let redacted = self.environ.redact(text);
        let text = text.to_string_lossy();
        let request = Request::parse(&text).map_err(|problem| {
            let problem = self.environ.redact(OsStr::new(&problem));
            AttemptError::failed(format!("cannot ask {redacted:?}: {problem}"))
        })?;
        let body = self.runner.encode_context(self.hook, self.deadline);
        let response = self.client().send(&request, &body).map_err(|error| match error.into() {
            AttemptError::Failed { problem: cause, .. } => AttemptError::failed(format!(
                "got no response to {redacted:?} {}: {cause}",
                self.describe_elapsed()
            )),
            AttemptError::TimedOut { .. } => {
                AttemptError::timed_out(format!(": no response to {redacted:?}"))
            }
            stop @ AttemptError::Stop(_) => stop,
        })?;
        let explanation = match response.status {
            200..300 => return Ok(response.body()),
            300..400 => "; redirects are not followed",
            _ => "",
        };
        Err(AttemptError::failed(format!(
            "got the response {} to {redacted:?} {}{explanation}",
            response.status,
            self.describe_elapsed()
        )))
    }

    /// Returns the last lines of standard error for the caller of the function, without secrets.
    fn redact_tail(&self, errors: &[u8], exported: &[Variable]) -> String {
        let mut environ = self.environ.clone();
        for (name, value) in exported {
            environ.export(name, value);
        }
        let redacted = environ.redact(OsStr::from_bytes(errors));
        let lines: Vec<_> =
            redacted.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(MAX_TAIL_LINES)..].join("\n");
        tail[tail.ceil_char_boundary(tail.len().saturating_sub(MAX_TAIL_BYTES))..].to_owned()
    }
}
