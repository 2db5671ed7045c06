//! Runs the hooks of a phase in order, each within its timeout and as often as `attempts` says; logs
//! the end of each, and adds what it exports to the environment. `attempt` makes one attempt,
//! `background` runs a hook beside the runtime.

mod attempt;
mod background;
mod client;
mod init_marker;

use crate::config::{Change, Command, Edit, EnvEdit, Hook, OnFailure, Place, edit};
use crate::environ::Environ;
use crate::exit_status;
use crate::export::{self, Variable};
use crate::lambda::{CERTIFICATES, EMPTY_CERTIFICATES, LambdaContext, RUNTIME_API};
use crate::log;
use crate::metrics;
use crate::phase::Phase;
use crate::process::{Latch, OrphanOutput, Watch};
use crate::report::{Failure, HookEnd, HookOutcome, Stop};
use attempt::{Attempt, AttemptError};
use init_marker::InitMarker;
use serde::Serialize;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{debug, warn};

/// The limit of a hook without a timeout: ten years, longer than any environment lives.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A deadline, on the monotonic clock for foreword and on the wall clock for hooks.
#[derive(Clone, Copy)]
pub struct Deadline {
    pub instant: Instant,
    /// Milliseconds since the epoch.
    epoch_ms: u64,
    /// The time from the start to the deadline.
    limit: Duration,
}

impl Deadline {
    /// Returns the deadline that is `limit` away from now.
    pub fn after(limit: Duration) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + limit;
        let epoch_ms = u64::try_from(epoch.as_millis()).unwrap_or(u64::MAX);
        Self { instant: Instant::now() + limit, epoch_ms, limit }
    }
}

/// A runner of hooks, with what the hooks of one phase have in common.
pub struct Runner<'r> {
    pub context: &'r LambdaContext<'r>,
    pub watch: &'r Watch,
    /// The deadline of the phase, which its hooks share, if there is one.
    pub phase_deadline: Option<Deadline>,
    /// Cancels the hooks once it is set.
    pub cancel: Option<&'r Latch>,
    /// The time at which a hook that survives SIGTERM is killed at the latest.
    pub kill_by: Option<Instant>,
    /// Lambda's reason to shut the environment down.
    pub shutdown_reason: Option<&'r str>,
    /// Forwards what processes write that a hook has left behind.
    pub forward_orphan_output: &'r dyn Fn(OrphanOutput),
    /// Receives the name of each hook that starts.
    pub on_start: &'r dyn Fn(&str),
}

/// Runs the hooks of a phase in the wrapper, before the runtime exists.
///
/// # Errors
/// Those of [`Runner::run`], and when the kernel refuses to watch signals.
pub fn run_in_wrapper(
    hooks: &[&Hook],
    environ: &mut Environ,
    context: &LambdaContext,
    phase_deadline: Option<Deadline>,
) -> Result<(), Stop> {
    let Some(first) = hooks.first() else { return Ok(()) };
    let watch = Watch::start().map_err(|errno| {
        let message = format!("unable to watch hooks: {}", errno.desc());
        Failure::in_phase(first.phase, message)
    })?;
    // Only Lambda cuts an init off and starts another one in the same environment.
    let may_be_cut_off = first.phase == Phase::Initialize && context.runtime_api().is_some();
    let marker = may_be_cut_off.then(InitMarker::open);
    let on_start = |name: &str| {
        if let Some(marker) = &marker {
            marker.set_hook(name);
        }
    };
    let runner = Runner {
        context,
        watch: &watch,
        phase_deadline,
        cancel: None,
        kill_by: None,
        shutdown_reason: None,
        forward_orphan_output: &OrphanOutput::forward_in_process,
        on_start: &on_start,
    };
    runner.run(hooks, environ)
}

impl Runner<'_> {
    /// Runs hooks one after the other and adds what they export to `environ`.
    ///
    /// # Errors
    /// With the first hook that fails, unless it has `"on_failure": "continue"` or runs at pre_stop;
    /// when a signal ends foreword; when the hooks are cancelled.
    pub fn run(&self, hooks: &[&Hook], environ: &mut Environ) -> Result<(), Stop> {
        for hook in hooks {
            if self.cancel.is_some_and(Latch::is_set) {
                return Err(Stop::Cancelled);
            }
            if hook.background {
                background::start(self, hook, environ)?;
                continue;
            }
            (self.on_start)(hook.name);
            match self.run_one(hook, environ) {
                Ok((end, exported)) => {
                    for (name, value) in exported {
                        debug!("{}: hook {:?} exports {name}", hook.place, hook.name);
                        environ.export(&name, &value);
                    }
                    metrics::emit_hook(&end, environ, self.context);
                    log::log_success(&end);
                }
                Err(Stop::Failure(mut failure)) => {
                    if let Some(end) = &failure.hook {
                        metrics::emit_hook(end, environ, self.context);
                    }
                    match (hook.on_failure, hook.phase) {
                        (OnFailure::Continue, _) => {
                            failure.message += " (on_failure: continue)";
                            log::log_failure(&failure);
                        }
                        // The environment ends in any case, so the other hooks run too.
                        (_, Phase::PreStop) => log::log_failure(&failure),
                        _ => return Err(failure.into()),
                    }
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Runs one hook, attempt by attempt; returns its end and what it exports.
    fn run_one(&self, hook: &Hook, environ: &Environ) -> Result<(HookEnd, Vec<Variable>), Stop> {
        let own_environ = environment(hook, environ, self.context, |_, _| {});
        let (deadline, limited_by) = self.deadline(hook);
        let started = Instant::now();
        let attempt = Attempt { runner: self, hook, environ: &own_environ, started, deadline };
        if deadline.instant <= started {
            let limit = deadline.limit.as_millis();
            let problem = format!("was not started: the {limit} ms of the phase are over");
            return Err(attempt.failure(HookOutcome::Timeout, &problem, String::new()).into());
        }
        let (mut number, mut pause) = (1, hook.pause);
        loop {
            let attempts = match number {
                1 => String::new(),
                _ => format!(" (attempt {number} of {})", hook.attempts),
            };
            let failure = match attempt.make() {
                Ok(variables) => {
                    let exported = hook.export.map(|_| export::count(&variables));
                    let end = HookEnd { exported, ..attempt.end(HookOutcome::Success) };
                    return Ok((end, variables));
                }
                Err(AttemptError::Stop(stop)) => return Err(stop),
                Err(AttemptError::TimedOut { cause, stderr_tail }) => {
                    let when = limited_by.describe(&attempt);
                    let problem = format!("timed out {when}{cause}{attempts}");
                    return Err(attempt
                        .failure(HookOutcome::Timeout, &problem, stderr_tail)
                        .into());
                }
                Err(AttemptError::Failed { problem, stderr_tail }) => {
                    let problem = problem + &attempts;
                    attempt.failure(HookOutcome::Failure, &problem, stderr_tail)
                }
            };
            let is_time_left = Instant::now() + pause < deadline.instant;
            if number >= hook.attempts || !is_time_left {
                return Err(failure.into());
            }
            warn!("{}; it is tried again in {} ms", failure.message, pause.as_millis());
            attempt.pause(pause)?;
            number += 1;
            pause *= 2;
        }
    }

    /// Returns the deadline of a hook that starts now, and the limit that it comes from.
    fn deadline(&self, hook: &Hook) -> (Deadline, LimitedBy) {
        let own = Deadline::after(hook.limit().unwrap_or(NO_LIMIT));
        match self.phase_deadline {
            Some(phase) if phase.instant <= own.instant => (phase, LimitedBy::Phase),
            _ => (own, LimitedBy::Hook),
        }
    }

    /// Encodes the JSON object that a hook gets on its standard input or as the body of its request,
    /// as one line.
    fn encode_context(&self, hook: &Hook, deadline: Deadline) -> Vec<u8> {
        let function = self.context;
        let deadline_ms = Some(deadline.epoch_ms).filter(|_| deadline.limit < NO_LIMIT);
        let mut line = Vec::with_capacity(512);
        put(&mut line, "{\"phase\":", Some(hook.phase.name()));
        put(&mut line, ",\"hook\":", Some(hook.name));
        put(&mut line, ",\"function\":{\"name\":", function.function_name().as_deref());
        put(&mut line, ",\"version\":", function.function_version().as_deref());
        put(&mut line, ",\"memory\":", function.memory_size());
        put(&mut line, ",\"handler\":", function.handler().as_deref());
        put(&mut line, "},\"runtime\":", Some(function.runtime));
        put(&mut line, ",\"initialization\":", function.initialization().as_deref());
        put(&mut line, ",\"deadline_ms\":", deadline_ms);
        if self.shutdown_reason.is_some() {
            put(&mut line, ",\"shutdown_reason\":", self.shutdown_reason);
        }
        line.extend(b"}\n");
        line
    }
}

/// Appends text and a JSON value, `null` for `None`. A `serde_json::Value` would sort the names.
fn put(line: &mut Vec<u8>, before: &str, value: Option<impl Serialize>) {
    line.extend(before.as_bytes());
    line.extend(serde_json::to_vec(&value).expect("a string or a number is JSON"));
}

/// The limit that a hook's deadline comes from.
enum LimitedBy {
    Hook,
    Phase,
}

impl LimitedBy {
    /// Describes when a hook timed out, in words that follow "timed out".
    fn describe(&self, attempt: &Attempt) -> String {
        let limit = attempt.deadline.limit.as_millis();
        match self {
            Self::Hook => format!("after {limit} ms (timeout_ms)"),
            Self::Phase => {
                let elapsed = attempt.describe_elapsed();
                format!("{elapsed} (the {limit} ms of the phase are over)")
            }
        }
    }
}

/// Explains an exit status of the shell's own
/// (<https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_08_02>).
fn explain_shell_status(command: &Command, status: i32) -> &'static str {
    match (command, status) {
        (Command::Shell(_), exit_status::CANNOT_EXECUTE) => {
            ": /bin/sh found a file that it cannot execute; chmod +x, or name its interpreter"
        }
        (Command::Shell(_), exit_status::NOT_FOUND) => {
            ": /bin/sh found no such command; name it by its path, or add its directory to PATH"
        }
        _ => "",
    }
}

/// The place of an edit that no configuration file has.
pub const BUILT_IN: Place = Place::Formatted("foreword itself");

/// Returns the environment of a hook: that of the runtime so far, with the address of the Runtime API
/// that Lambda gave, and with the hook's own edits. `on_edit` receives every edit.
///
/// `SSL_CERT_FILE` is unset where it names dotnet8's empty file ([`EMPTY_CERTIFICATES`]): with it, a
/// program that uses OpenSSL trusts no server.
pub fn environment<'s, 'e>(
    hook: &Hook,
    environ: &'s Environ<'e>,
    context: &LambdaContext,
    mut on_edit: impl FnMut(&EnvEdit, Option<&Change>),
) -> Cow<'s, Environ<'e>> {
    let mut own = Cow::Borrowed(environ);
    match context.environ.value(RUNTIME_API) {
        given if given == environ.value(RUNTIME_API) => {}
        Some(given) => own.to_mut().set(RUNTIME_API, given),
        None => own.to_mut().unset(RUNTIME_API),
    }
    if environ.value(CERTIFICATES) == Some(OsStr::new(EMPTY_CERTIFICATES)) {
        let unset = EnvEdit { name: CERTIFICATES, edit: Edit::Unset, place: BUILT_IN };
        edit::apply(own.to_mut(), &[unset], &mut on_edit);
    }
    if !hook.env.is_empty() {
        edit::apply(own.to_mut(), &hook.env, &mut on_edit);
    }
    own
}

/// Returns the words of a command, or the one word of a request, with variables expanded.
pub fn command_words(command: &Command, environ: &Environ) -> Vec<OsString> {
    match command {
        Command::Words(words) => words.iter().map(|word| word.expand(environ)).collect(),
        Command::Shell(text) => vec!["/bin/sh".into(), "-c".into(), OsStr::new(text).to_owned()],
        Command::Http(request) => vec![request.expand(environ)],
        Command::Nothing => Vec::new(),
    }
}
