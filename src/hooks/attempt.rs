//! One attempt of a hook: waits for its port, then runs its command or asks its server, and reads
//! what it exports.

use super::client::{Trouble, Until};
use super::{Deadline, Runner, why_shell, words};
use crate::config::{Command, Hook};
use crate::environ::Environ;
use crate::export::{self, Variable};
use crate::loopback::{self, Address};
use crate::process::{CommandEnd, Job, Signal};
use crate::report::{HookEnd, HookOutcome, Stop};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

/// Most bytes that a hook may export.
const MOST_EXPORTED: usize = 1 << 20;

/// Most lines and bytes of standard error that are shown to the caller of the function.
const MOST_LINES: usize = 3;
const MOST_SAID: usize = 500;

pub struct Attempt<'a> {
    pub runner: &'a Runner<'a>,
    pub hook: &'a Hook<'a>,
    /// What the command is given.
    pub environ: &'a Environ<'a>,
    /// When the first attempt began.
    pub started: Instant,
    pub deadline: Deadline,
}

/// Why an attempt came to nothing.
pub enum Miss {
    /// `what` follows the name of the hook; `said` is the end of its standard error.
    Failed { what: String, said: String },
    /// `why` follows what is said about the time.
    TimedOut { why: String, said: String },
    /// It is not about the hook.
    Stop(Stop),
}

impl Miss {
    fn failed(what: String) -> Self {
        Self::Failed { what, said: String::new() }
    }
}

impl Attempt<'_> {
    /// Gives what the hook exports.
    pub fn make(&self) -> Result<Vec<Variable>, Miss> {
        if let Some(address) = &self.hook.wait_for {
            self.wait_for(&address.expand(self.environ))?;
        }
        let output = match &self.hook.command {
            Command::Words(_) | Command::Shell(_) => self.run()?,
            Command::Http(request) => self.ask(&request.expand(self.environ))?,
            Command::Nothing => Vec::new(),
        };
        let exported =
            self.hook.export.map_or(Ok(Vec::new()), |format| export::variables(format, &output));
        exported.map_err(Miss::failed)
    }

    /// Returns the end of the hook, if it is now.
    pub fn end(&self, outcome: HookOutcome) -> HookEnd {
        HookEnd {
            phase: self.hook.phase,
            name: self.hook.name.to_string(),
            outcome,
            took: self.started.elapsed(),
            exported: None,
        }
    }

    pub fn after(&self) -> String {
        format!("after {} ms", self.started.elapsed().as_millis())
    }

    pub fn until(&self) -> Until<'_> {
        let Self { runner, deadline, .. } = self;
        Until { watch: runner.watch, deadline: deadline.instant, stop: runner.stop }
    }

    /// What a pause that did not come to its end comes to.
    pub fn stopped(&self, trouble: Trouble) -> Result<(), Stop> {
        match trouble {
            Trouble::Interrupted(signal) => Err(Stop::Signal(signal)),
            Trouble::Cancelled => Err(Stop::Cancelled),
            Trouble::Failed(_) | Trouble::TimedOut => Ok(()),
        }
    }

    fn wait_for(&self, address: &OsStr) -> Result<(), Miss> {
        let shown = self.environ.redact(address);
        let parsed = Address::parse(&address.to_string_lossy());
        let parsed =
            parsed.map_err(|why| Miss::failed(format!("cannot wait for {shown:?}: {why}")))?;
        self.until().accepts(&parsed).map_err(|trouble| match trouble {
            Trouble::Interrupted(signal) => Miss::Stop(Stop::Signal(signal)),
            Trouble::Cancelled => Miss::Stop(Stop::Cancelled),
            Trouble::Failed(_) | Trouble::TimedOut => Miss::TimedOut {
                why: format!(": nothing accepts connections at {shown}"),
                said: String::new(),
            },
        })
    }

    /// Runs the command; gives what it wrote to standard output, if that is exported.
    fn run(&self) -> Result<Vec<u8>, Miss> {
        let Self { runner, hook, environ, deadline, .. } = self;
        let cwd = hook.cwd.as_ref().map(|cwd| cwd.expand(environ));
        let ended = runner.watch.run(&Job {
            words: &words(&hook.command, environ),
            environ,
            cwd: cwd.as_deref(),
            input: &runner.context(hook, *deadline),
            capture: hook.export.map(|_| MOST_EXPORTED),
            deadline: deadline.instant,
            kill_by: runner.kill_by,
            stop: runner.stop,
        });
        let ended = ended
            .map_err(|error| Miss::failed(format!("could not be started: {}", error.message)))?;
        if let Some(left) = ended.left {
            (runner.left)(left);
        }
        if ended.end == CommandEnd::Exited(0) {
            return Ok(ended.output);
        }
        // What was to be exported is a secret, also when nothing came of it.
        let exported = || {
            hook.export
                .and_then(|format| export::variables(format, &ended.output).ok())
                .unwrap_or_default()
        };
        let said = || self.last_words(&ended.last_errors, &exported());
        let failed = |what: String| Err(Miss::Failed { what, said: said() });
        match ended.end {
            CommandEnd::Exited(status) => {
                let why = why_shell(&hook.command, status);
                failed(format!("exited with status {status} {}{why}", self.after()))
            }
            CommandEnd::Killed(signal) => {
                let signal = signal.map_or("a real-time signal", Signal::as_str);
                failed(format!("was killed by {signal} {}", self.after()))
            }
            CommandEnd::TooMuchOutput => {
                failed(format!("wrote more than the {MOST_EXPORTED} bytes that it can export"))
            }
            CommandEnd::TimedOut => Err(Miss::TimedOut { why: String::new(), said: said() }),
            CommandEnd::Interrupted(signal) => Err(Miss::Stop(Stop::Signal(signal))),
            CommandEnd::Cancelled => Err(Miss::Stop(Stop::Cancelled)),
        }
    }

    /// Asks the server; gives the body of its answer.
    fn ask(&self, request: &OsStr) -> Result<Vec<u8>, Miss> {
        let shown = self.environ.redact(request);
        let text = request.to_string_lossy();
        let request = loopback::Request::parse(&text);
        let request = request.map_err(|why| {
            Miss::failed(format!("cannot ask {shown:?}: {}", self.redacted(&why)))
        })?;
        let body = self.runner.context(self.hook, self.deadline);
        match self.until().ask(&request, &body) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.body()),
            Ok(answer) => {
                let why = if (300..400).contains(&answer.status) {
                    "; redirects are not followed"
                } else {
                    ""
                };
                Err(Miss::failed(format!(
                    "got the answer {} to {shown:?} {}{why}",
                    answer.status,
                    self.after()
                )))
            }
            Err(Trouble::Failed(cause)) => {
                Err(Miss::failed(format!("got no answer to {shown:?} {}: {cause}", self.after())))
            }
            Err(Trouble::TimedOut) => Err(Miss::TimedOut {
                why: format!(": no answer to {shown:?}"),
                said: String::new(),
            }),
            Err(Trouble::Interrupted(signal)) => Err(Miss::Stop(Stop::Signal(signal))),
            Err(Trouble::Cancelled) => Err(Miss::Stop(Stop::Cancelled)),
        }
    }

    fn redacted(&self, text: &str) -> String {
        self.environ.redact(OsStr::new(text))
    }

    /// The last lines of standard error, as the caller of the function may see them.
    fn last_words(&self, errors: &[u8], exported: &[Variable]) -> String {
        let mut environ = self.environ.clone();
        exported.iter().for_each(|(name, value)| environ.export(name, value));
        let shown = environ.redact(OsStr::from_bytes(errors));
        let lines: Vec<_> =
            shown.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
        last[last.ceil_char_boundary(last.len().saturating_sub(MOST_SAID))..].to_owned()
    }
}
