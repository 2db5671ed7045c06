//! Runs the hooks of a phase: in order, each within its limit and as often as it may be tried; says
//! how each one ended and turns what it exports into edits of the environment. `attempt` makes one
//! attempt.

mod attempt;
mod background;
mod client;
mod cut_off;

use crate::config::edit;
use crate::config::{Change, Edit};
use crate::config::{Command, EnvEdit, Hook, OnFailure, Place};
use crate::environ::Environ;
use crate::export::{self, Variable};
use crate::lambda::{CERTIFICATES, EMPTY_CERTIFICATES, LambdaContext, RUNTIME_API};
use crate::log;
use crate::metrics;
use crate::phase::Phase;
use crate::process::{Latch, OrphanOutput, Watch};
use crate::report::{Failure, HookEnd, HookOutcome, Stop};
use attempt::{Attempt, Miss};
use cut_off::Note;
use serde::Serialize;
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tracing::{debug, warn};

/// What stands for no limit at all; no environment lives so long.
const NO_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A point in time, on the clock that counts and on the one that hooks are told.
#[derive(Clone, Copy)]
pub struct Deadline {
    pub instant: Instant,
    /// Milliseconds since the epoch.
    epoch_ms: u64,
    /// How far away it was.
    limit: Duration,
}

impl Deadline {
    pub fn after(limit: Duration) -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + limit;
        let epoch_ms = u64::try_from(epoch.as_millis()).unwrap_or(u64::MAX);
        Self { instant: Instant::now() + limit, epoch_ms, limit }
    }
}

/// What runs hooks: everything that those of one phase have in common.
pub struct Runner<'r> {
    pub context: &'r LambdaContext<'r>,
    pub watch: &'r Watch,
    /// The end of the phase, in which all of its hooks share, if it has one.
    pub until: Option<Deadline>,
    /// Once set, nobody waits for hooks any more.
    pub stop: Option<&'r Latch>,
    /// When hooks that do not end at SIGTERM are killed at the latest.
    pub kill_by: Option<Instant>,
    /// Why Lambda shuts the environment down.
    pub shutdown_reason: Option<&'r str>,
    /// Goes on with what those write that a hook has left behind.
    pub left: &'r dyn Fn(OrphanOutput),
    /// Is told the name of each hook that begins.
    pub runs: &'r dyn Fn(&str),
}

/// Runs the hooks of a phase in the wrapper itself: nothing has been started yet that would wait
/// for signals.
pub fn run_in_wrapper(
    hooks: &[&Hook],
    environ: &mut Environ,
    context: &LambdaContext,
    until: Option<Deadline>,
) -> Result<(), Stop> {
    let Some(first) = hooks.first() else { return Ok(()) };
    let watch = Watch::start().map_err(|errno| {
        let message = format!("unable to watch hooks: {}", errno.desc());
        Failure::of_phase(first.phase, message)
    })?;
    let left = &OrphanOutput::forward_in_process;
    // Only Lambda cuts an init off, and starts another in the same environment.
    let is_cut_off = first.phase == Phase::Initialize && context.runtime_api().is_some();
    let note = is_cut_off.then(|| Note::begin());
    let runs = |name: &str| note.iter().for_each(|note| note.runs(name));
    Runner {
        context,
        watch: &watch,
        until,
        stop: None,
        kill_by: None,
        shutdown_reason: None,
        left,
        runs: &runs,
    }
    .run(hooks, environ)
}

impl Runner<'_> {
    /// Runs hooks one after the other; what they export goes into `environ`. The first that fails
    /// is the last, unless it says otherwise.
    pub fn run(&self, hooks: &[&Hook], environ: &mut Environ) -> Result<(), Stop> {
        for hook in hooks {
            if self.stop.is_some_and(Latch::is_set) {
                return Err(Stop::Cancelled);
            }
            if hook.background {
                background::start(self, hook, environ)?;
                continue;
            }
            (self.runs)(hook.name);
            match self.run_one(hook, environ) {
                Ok((end, exported)) => {
                    for (name, value) in exported {
                        debug!("{}: hook {:?} exports {name}", hook.place, hook.name);
                        environ.export(&name, &value);
                    }
                    metrics::of_hook(&end, environ, self.context);
                    log::success(&end);
                }
                Err(Stop::Failure(mut failure)) => {
                    if let Some(end) = &failure.hook {
                        metrics::of_hook(end, environ, self.context);
                    }
                    match (hook.on_failure, hook.phase) {
                        (OnFailure::Continue, _) => {
                            failure.message += " (on_failure: continue)";
                            log::failure(&failure);
                        }
                        // The environment ends whatever comes of it; so the others get their turn.
                        (_, Phase::PreStop) => log::failure(&failure),
                        _ => return Err(failure.into()),
                    }
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(())
    }

    /// Runs one hook to its end, as often as it may be tried; returns what it exported.
    fn run_one(&self, hook: &Hook, environ: &Environ) -> Result<(HookEnd, Vec<Variable>), Stop> {
        let own = environment(hook, environ, self.context, |_, _| {});
        let (deadline, whose) = self.deadline(hook);
        let started = Instant::now();
        let attempt = Attempt { runner: self, hook, environ: &own, started, deadline };
        if deadline.instant <= started {
            let limit = deadline.limit.as_millis();
            let what = format!("was not started: the {limit} ms of the phase are over");
            return Err(attempt.end(HookOutcome::Timeout).failure(&what).into());
        }
        let mut pause = hook.pause;
        for number in 1.. {
            let of_all = match number {
                1 => String::new(),
                _ => format!(" (attempt {number} of {})", hook.attempts),
            };
            match attempt.make() {
                Ok(variables) => {
                    let exported = hook.export.map(|_| export::count(&variables));
                    let end = HookEnd { exported, ..attempt.end(HookOutcome::Success) };
                    return Ok((end, variables));
                }
                Err(Miss::Stop(stop)) => return Err(stop),
                Err(Miss::TimedOut { why, said }) => {
                    let when = whose.describe(&attempt);
                    let what = format!("timed out {when}{why}{of_all}");
                    return Err(attempt
                        .end(HookOutcome::Timeout)
                        .failure(&what)
                        .saying(said)
                        .into());
                }
                Err(Miss::Failed { what, said }) => {
                    let what = format!("{what}{of_all}");
                    let failure = attempt.end(HookOutcome::Failure).failure(&what).saying(said);
                    let is_time_left = Instant::now() + pause < deadline.instant;
                    if number >= hook.attempts || !is_time_left {
                        return Err(failure.into());
                    }
                    warn!("{}; it is tried again in {} ms", failure.message, pause.as_millis());
                    attempt.until().pause(pause).or_else(|trouble| attempt.stopped(trouble))?;
                    pause *= 2;
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Decides until when a hook may run, and whether the hook's own limit or that of its phase says
    /// so.
    fn deadline(&self, hook: &Hook) -> (Deadline, Whose) {
        let own = Deadline::after(hook.limit().unwrap_or(NO_LIMIT));
        match self.until {
            Some(until) if until.instant <= own.instant => (until, Whose::Phase),
            _ => (own, Whose::Hook),
        }
    }

    /// The JSON object that a hook finds on its standard input, as one line.
    fn context(&self, hook: &Hook, deadline: Deadline) -> Vec<u8> {
        let function = self.context;
        let mut line = Vec::with_capacity(512);
        put(&mut line, "{\"phase\":", Some(hook.phase.name()));
        put(&mut line, ",\"hook\":", Some(hook.name));
        put(&mut line, ",\"function\":{\"name\":", function.function_name().as_deref());
        put(&mut line, ",\"version\":", function.function_version().as_deref());
        put(&mut line, ",\"memory\":", function.memory_size());
        put(&mut line, ",\"handler\":", function.handler().as_deref());
        put(&mut line, "},\"runtime\":", Some(function.runtime));
        put(&mut line, ",\"initialization\":", function.initialization().as_deref());
        put(
            &mut line,
            ",\"deadline_ms\":",
            Some(deadline.epoch_ms).filter(|_| deadline.limit < NO_LIMIT),
        );
        if self.shutdown_reason.is_some() {
            put(&mut line, ",\"shutdown_reason\":", self.shutdown_reason);
        }
        line.extend(b"}\n");
        line
    }
}

/// What the shell says with a status of its own (POSIX, "Shell Command Language", 2.8.2).
fn why_shell(command: &Command, status: i32) -> &'static str {
    match (command, status) {
        (Command::Shell(_), 126) => {
            ": /bin/sh found a file that it cannot execute; chmod +x, or name its interpreter"
        }
        (Command::Shell(_), 127) => {
            ": /bin/sh found no such command; name it by its path, or add its directory to PATH"
        }
        _ => "",
    }
}

/// Adds a JSON value behind the text that leads to it. To make a tree of all of them first would
/// cost more than they do.
fn put(line: &mut Vec<u8>, before: &str, value: Option<impl Serialize>) {
    line.extend(before.as_bytes());
    line.extend(serde_json::to_vec(&value).expect("a text or a number is JSON"));
}

/// Whose deadline a hook meets first.
enum Whose {
    Hook,
    Phase,
}

impl Whose {
    /// Says when a hook timed out, after the word "out".
    fn describe(&self, attempt: &Attempt) -> String {
        let limit = attempt.deadline.limit.as_millis();
        match self {
            Self::Hook => format!("after {limit} ms (timeout_ms)"),
            Self::Phase => format!("{} (the {limit} ms of the phase are over)", attempt.after()),
        }
    }
}

/// What `plan` calls the place of an edit that no configuration has.
pub const OF_FOREWORD: Place = Place::Told("foreword itself");

/// The runtime's environment so far with the hook's own edits, and the Runtime API at the address
/// that Lambda gave; `each` sees every edit. A hook is no .NET program: it does not get the empty
/// file of dotnet8 for its authorities.
pub fn environment<'s, 'e>(
    hook: &Hook,
    environ: &'s Environ<'e>,
    context: &LambdaContext,
    mut each: impl FnMut(&EnvEdit, Option<&Change>),
) -> Cow<'s, Environ<'e>> {
    let mut own = Cow::Borrowed(environ);
    match context.environ.value(RUNTIME_API) {
        given if given == environ.value(RUNTIME_API) => {}
        Some(given) => own.to_mut().set(RUNTIME_API, given),
        None => own.to_mut().unset(RUNTIME_API),
    }
    if environ.value(CERTIFICATES) == Some(OsStr::new(EMPTY_CERTIFICATES)) {
        let unset = EnvEdit { name: CERTIFICATES, edit: Edit::Unset, place: OF_FOREWORD };
        edit::apply(own.to_mut(), &[unset], &mut each);
    }
    if !hook.env.is_empty() {
        edit::apply(own.to_mut(), &hook.env, &mut each);
    }
    own
}

/// What is executed, or asked.
pub fn words(command: &Command, environ: &Environ) -> Vec<OsString> {
    match command {
        Command::Words(words) => words.iter().map(|word| word.expand(environ)).collect(),
        Command::Shell(text) => vec!["/bin/sh".into(), "-c".into(), OsStr::new(text).to_owned()],
        Command::Http(request) => vec![request.expand(environ)],
        Command::Nothing => Vec::new(),
    }
}
