//! The wrapper's story: read the configuration, plan, run the initialize hooks, hand the process to
//! other wrappers and take it back, become the runtime. It only puts the others in order: `plan`
//! decides, `hooks`, `chain` and `process` act.

use crate::chain::{self, Stage, StandInCall, Turn};
use crate::command_line::Interpreter;
use crate::condition::{Facts, RuntimeName};
use crate::config;
use crate::environ::Environ;
use crate::exit_status;
use crate::extension;
use crate::files;
use crate::hooks::{self, Deadline};
use crate::lambda::{ARCHITECTURE, LambdaContext, RUNTIME_API};
use crate::log::{self, LEVEL_VARIABLE};
use crate::metrics::Clock;
use crate::phase::Phase;
use crate::plan::saved::{self, SavedPlan};
use crate::plan::{NoSnapshot, Plan, SnapshotHooks};
use crate::process::{self, Program};
use crate::relay;
use crate::report::{Failure, Stop};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs;
use tracing::{Level, debug, enabled, warn};

/// Becomes the runtime whose program and arguments were received. Comes back only when that failed.
pub fn run(received: &[OsString], environ: &Environ) -> Stop {
    match become_runtime(received, environ) {
        Err(stop) => stop,
        Ok(never) => match never {},
    }
}

/// Goes on where a wrapper of the chain executed the stand-in. Comes back only when that failed.
pub fn resume(
    stage: &mut Stage,
    saved: &SavedPlan,
    returned: StandInCall,
    environ: Environ,
) -> Stop {
    match take_back(stage, saved, returned, environ) {
        Err(stop) => stop,
        Ok(never) => match never {},
    }
}

fn become_runtime(received: &[OsString], environ: &Environ) -> Result<Infallible, Stop> {
    let clock = Clock::start(environ);
    if received.is_empty() {
        let usage = "there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...";
        return Err(Failure::entrypoint(exit_status::FAILED, usage.into()).into());
    }
    if config::is_disabled(environ) {
        return execute(received, environ);
    }
    if let Some(warning) = log::describe_unknown_level(environ) {
        warn!("{warning}");
    }
    let sources = config::read_sources(environ)?;
    if sources.is_empty() {
        return execute(received, environ);
    }
    let documents = config::parse_sources(&sources);
    let rules = config::decode_rules(&documents)?;
    let runtime = RuntimeName::from_command(environ, received);
    let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
    let facts = Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
    let mut edited = environ.clone();
    let plan = Plan::new(received, &mut edited, &rules, &facts, |_, edit, change| {
        change.iter().for_each(|change| debug!("{}", edit.describe(change)));
    });
    plan.skipped.iter().for_each(|skipped| debug!("{}: this does not apply", skipped.place()));
    plan.check()?;

    let context = LambdaContext { environ, runtime: &runtime.identifier };
    let mut start = Start { plan, environ: edited, context, clock };
    start.warn_about_snapshot();
    start.run_hooks()?;
    let last_wrapper = start.hand_to_wrappers()?;
    start.finish(last_wrapper)
}

fn take_back(
    stage: &mut Stage,
    saved: &SavedPlan,
    returned: StandInCall,
    mut environ: Environ,
) -> Result<Infallible, Stop> {
    let clock = Clock::start(&environ);
    let (received, last_wrapper) = chain::take_back(stage, returned, &mut environ)?;
    let runtime = RuntimeName::from_command(&saved.context, &received);
    let context = LambdaContext { environ: &saved.context, runtime: &runtime.identifier };
    Start { plan: saved.plan(&received), environ, context, clock }.finish(last_wrapper)
}

/// A start on its way to the runtime.
struct Start<'s> {
    plan: Plan<'s>,
    /// The environment as far as it has come.
    environ: Environ<'s>,
    context: LambdaContext<'s>,
    clock: Clock,
}

impl Start<'_> {
    fn warn_about_snapshot(&self) {
        if self.plan.snapshot_hooks == SnapshotHooks::Nobody(NoSnapshot::NoRuntimeApi) {
            warn!(
                "the hooks around the snapshot are not run: {RUNTIME_API} is not set; \
                 foreword simulate runs them"
            );
        }
    }

    /// Runs the hooks that come before everything else: those of initialize, and in an environment
    /// that was reset after its restore those of after_restore.
    fn run_hooks(&mut self) -> Result<(), Stop> {
        self.clock.pause();
        self.run_phase(Phase::Initialize, None)?;
        if self.plan.snapshot_hooks == SnapshotHooks::Wrapper {
            let budget = Phase::AfterRestore.budget().map(Deadline::after);
            self.run_phase(Phase::AfterRestore, budget)?;
        }
        self.clock.resume();
        Ok(())
    }

    fn run_phase(&mut self, phase: Phase, until: Option<Deadline>) -> Result<(), Stop> {
        let hooks = self.plan.hooks(phase);
        hooks::run_in_wrapper(&hooks, &mut self.environ, &self.context, until)
    }

    /// Becomes the first wrapper of the chain, if there is one. Comes back with a wrapper that never
    /// returns the process: it takes the runtime's place.
    fn hand_to_wrappers(&mut self) -> Result<Option<Turn>, Stop> {
        let Self { plan, context, .. } = self;
        let saved = || {
            let context = LambdaContext::only(context.environ, LEVEL_VARIABLE);
            saved::encode(plan, &context, enabled!(Level::DEBUG))
        };
        Ok(chain::begin(&plan.wrappers, plan.received, &mut self.environ, saved)?)
    }

    /// Does what comes after hooks and wrappers, whose work environment and command line show.
    fn finish(mut self, last_wrapper: Option<Turn>) -> Result<Infallible, Stop> {
        if let Some(wrapper) = last_wrapper {
            self.tell_extension();
            let Self { plan, environ, .. } = &mut self;
            return Err(chain::execute_last(&wrapper, plan.received, environ).into());
        }
        let words = self.command_line()?;
        self.tell_extension();
        if self.plan.snapshot_hooks == SnapshotHooks::Relay {
            self.start_relay()?;
        }
        self.clock.emit(&self.environ, &self.context);
        execute(&words, &self.environ)
    }

    /// Edits the command line.
    ///
    /// # Errors
    /// When it would start foreword once more.
    fn command_line(&self) -> Result<Vec<OsString>, Failure> {
        let Self { plan, environ, .. } = self;
        let execution = plan.execution(environ, &|path| fs::read(path), |rule, execution| {
            debug!("{}", {
                let words = environ.redact_words(&execution.clone().into_words());
                format!("{}: command line becomes {words}", rule.place)
            });
        });
        execution.warnings.iter().for_each(|warning| warn!("{}", warning));
        if let Some((key, program)) = plan
            .programs(&execution)
            .find(|(_, word)| process::would_start_this_program(word, environ))
        {
            let program = environ.redact(program);
            let message = format!("{program:?} is foreword itself; take it out of {key:?}");
            return Err(Failure::configuration(message));
        }
        Ok(execution.into_words())
    }

    /// Lets the extension know which pre_stop hooks to run, and what the runtime's environment is.
    fn tell_extension(&self) {
        let pre_stop = self.plan.hooks(Phase::PreStop);
        let address = self.context.runtime_api();
        if address.is_none() && !pre_stop.is_empty() {
            warn!(
                "pre_stop hooks are not run: {RUNTIME_API} is not set, so nobody tells \
                 when the environment ends; foreword simulate runs them"
            );
        }
        // Also that none of them applies, which an extension cannot always tell.
        if let (Some(address), true) = (address, self.plan.has_pre_stop) {
            let told = extension::hand_over(&pre_stop, &self.context, &self.environ, &address);
            if let (Err(error), false) = (told, pre_stop.is_empty()) {
                warn!(
                    "pre_stop hooks are not run: there is no extension of foreword's to run them, \
                     which the layer foreword-prestop has ({error})"
                );
            }
        }
    }

    /// Puts the relay between the runtime and the Runtime API.
    fn start_relay(&mut self) -> Result<(), Failure> {
        let hooks = relay::Hooks {
            before_snapshot: self.plan.hooks(Phase::BeforeSnapshot),
            after_restore: self.plan.hooks(Phase::AfterRestore),
            environ: &self.environ,
            context: &self.context,
        };
        let upstream = self.environ.lossy(RUNTIME_API).unwrap_or_default();
        let address = relay::start(&hooks, &upstream)?;
        debug!("the relay listens on {address}, in front of {upstream}");
        self.environ.set(RUNTIME_API, OsStr::new(&address));
        Ok(())
    }
}

fn execute(words: &[OsString], environ: &Environ) -> Result<Infallible, Stop> {
    debug!("executing {}", environ.redact_words(words));
    let kind = match words.first().and_then(|program| Interpreter::of_program(program)) {
        Some(_) => Program::Binary,
        None => Program::Unknown,
    };
    let error = process::execute(words, kind, environ);
    let is_handler = error.status == exit_status::NOT_FOUND
        && config::handler_path(environ).is_some_and(|handler| handler == words[0]);
    let way_out = if is_handler { "; let Handler name the function's executable" } else { "" };
    Err(Failure::entrypoint(error.status, error.message + way_out).into())
}
