//! The wrapper, step by step: read the configuration, plan, run the initialize hooks, give the
//! process to other wrappers and take it back, become the runtime. It only puts other modules in
//! order: `plan` decides, `hooks`, `chain`, `relay` and `process` act.

use crate::chain::{self, Stage, StandInCall, Turn};
use crate::command_line::Interpreter;
use crate::condition::{Facts, RuntimeName};
use crate::config::{self, Source};
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
use crate::secrets;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs;
use tracing::{Level, debug, enabled, warn};

/// Becomes the runtime whose command line was received.
///
/// # Errors
/// With the reason why there is no runtime; `run` does not return otherwise.
pub fn run(received: &[OsString], environ: &Environ) -> Result<Infallible, Stop> {
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
    run_configured(received, environ, &sources, clock)
}

/// Runs what the sources of a configuration say. A function of its own, because its frame fills
/// most of a page, which a start without a configuration need not touch.
#[inline(never)]
fn run_configured(
    received: &[OsString],
    environ: &Environ,
    sources: &[Source],
    mut clock: Clock,
) -> Result<Infallible, Stop> {
    let documents = config::parse_sources(sources);
    let rules = config::decode_rules(&documents)?;
    let runtime = RuntimeName::from_command(environ, received);
    let context = LambdaContext { environ, runtime: &runtime.identifier };
    let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
    let facts = Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
    let mut plan = Plan::new(received, &rules, &facts);
    let mut edited = environ.clone();
    clock.pause();
    secrets::resolve(&plan.secrets(environ)?, &mut edited, &context)?;
    clock.resume();
    edit_environ(&mut plan, &mut edited, &facts)?;
    let mut startup = Startup { plan, environ: edited, context, clock };
    startup.warn_about_skipped_snapshot_hooks();
    startup.run_hooks()?;
    let last_wrapper = startup.begin_chain()?;
    startup.become_runtime(last_wrapper)
}

/// Continues where another wrapper of the chain executed the stand-in.
///
/// # Errors
/// With the reason why there is no runtime; `resume` does not return otherwise.
pub fn resume(
    stage: &mut Stage,
    saved: &SavedPlan,
    call: StandInCall,
    mut environ: Environ,
) -> Result<Infallible, Stop> {
    let clock = Clock::start(&environ);
    let (received, last_wrapper) = chain::take_back(stage, call, &mut environ)?;
    let runtime = RuntimeName::from_command(&saved.context, &received);
    let context = LambdaContext { environ: &saved.context, runtime: &runtime.identifier };
    Startup { plan: saved.to_plan(&received), environ, context, clock }.become_runtime(last_wrapper)
}

/// Performs the edits of the environment, and logs them.
///
/// # Errors
/// When parts of the plan cannot be performed together.
fn edit_environ(plan: &mut Plan, environ: &mut Environ, facts: &Facts) -> Result<(), Failure> {
    plan.edit_environ(environ, facts, |_, edit, change| {
        if let Some(change) = change {
            debug!("{}", edit.describe(change));
        }
    });
    for skipped in &plan.skipped {
        debug!("{}: this does not apply", skipped.place());
    }
    Ok(plan.check()?)
}

/// A start of a runtime, with what is known and what is left to do.
struct Startup<'s> {
    plan: Plan<'s>,
    /// The runtime's environment so far.
    environ: Environ<'s>,
    context: LambdaContext<'s>,
    clock: Clock,
}

impl Startup<'_> {
    fn warn_about_skipped_snapshot_hooks(&self) {
        if self.plan.snapshot_hooks == SnapshotHooks::Nobody(NoSnapshot::NoRuntimeApi) {
            warn!(
                "the hooks around the snapshot are not run: {RUNTIME_API} is not set; \
                 foreword simulate runs them"
            );
        }
    }

    /// Runs the initialize hooks; in an environment that was reset after its restore, then the
    /// `after_restore` hooks.
    fn run_hooks(&mut self) -> Result<(), Stop> {
        self.clock.pause();
        self.run_phase(Phase::Initialize, None)?;
        if self.plan.snapshot_hooks == SnapshotHooks::Wrapper {
            let deadline = Phase::AfterRestore.budget().map(Deadline::after);
            self.run_phase(Phase::AfterRestore, deadline)?;
        }
        self.clock.resume();
        Ok(())
    }

    fn run_phase(&mut self, phase: Phase, deadline: Option<Deadline>) -> Result<(), Stop> {
        let hooks = self.plan.hooks(phase);
        hooks::run_in_wrapper(&hooks, &mut self.environ, &self.context, deadline)
    }

    /// Becomes the first wrapper of the chain. Returns without a wrapper when there is no chain,
    /// and with one that never executes the runtime, which therefore takes the runtime's place.
    fn begin_chain(&mut self) -> Result<Option<Turn>, Stop> {
        let Self { plan, context, .. } = self;
        let saved = || {
            let context = LambdaContext::only(context.environ, LEVEL_VARIABLE);
            saved::encode(plan, &context, enabled!(Level::DEBUG))
        };
        Ok(chain::begin(&plan.wrappers, plan.received, &mut self.environ, saved)?)
    }

    /// Does what has to come after hooks and wrappers, then becomes the runtime or the last
    /// wrapper.
    fn become_runtime(mut self, last_wrapper: Option<Turn>) -> Result<Infallible, Stop> {
        if let Some(wrapper) = last_wrapper {
            self.hand_over_to_extension();
            let Self { plan, environ, .. } = &mut self;
            return Err(chain::execute_last(&wrapper, plan.received, environ).into());
        }
        let words = self.edit_command_line()?;
        self.hand_over_to_extension();
        if self.plan.snapshot_hooks == SnapshotHooks::Relay {
            self.start_relay()?;
        }
        self.clock.emit(&self.environ, &self.context);
        execute(&words, &self.environ)
    }

    /// Returns the runtime's command line.
    ///
    /// # Errors
    /// When the command line would execute foreword again.
    fn edit_command_line(&self) -> Result<Vec<OsString>, Failure> {
        let Self { plan, environ, .. } = self;
        let execution = plan.execution(environ, &|path| fs::read(path), |rule, execution| {
            debug!("{}", {
                let words = environ.redact_words(&execution.clone().into_words());
                format!("{}: command line becomes {words}", rule.place)
            });
        });
        for warning in &execution.warnings {
            warn!("{warning}");
        }
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

    /// Tells the extension the `pre_stop` hooks and the runtime's environment. The extension is
    /// also told if no such hook applies, which it cannot always find out.
    fn hand_over_to_extension(&self) {
        let hooks = self.plan.hooks(Phase::PreStop);
        let Some(address) = self.context.runtime_api() else {
            if !hooks.is_empty() {
                warn!(
                    "pre_stop hooks are not run: {RUNTIME_API} is not set, so nobody \
                     tells when the environment ends; foreword simulate runs them"
                );
            }
            return;
        };
        if !self.plan.has_pre_stop {
            return;
        }
        let handed_over = extension::hand_over(&hooks, &self.context, &self.environ, &address);
        if let (Err(error), false) = (handed_over, hooks.is_empty()) {
            warn!(
                "pre_stop hooks are not run: there is no extension of foreword's to run them, \
                 which the layer foreword-prestop has ({error})"
            );
        }
    }

    /// Starts the relay, and points the runtime to it instead of the Runtime API.
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

/// Becomes a program; returns only why it cannot.
fn execute(words: &[OsString], environ: &Environ) -> Result<Infallible, Stop> {
    debug!("executing {}", environ.redact_words(words));
    let kind = match words.first().and_then(|program| Interpreter::from_program(program)) {
        Some(_) => Program::Binary,
        None => Program::Unknown,
    };
    let error = process::execute(words, kind, environ);
    let is_handler = error.status == exit_status::NOT_FOUND
        && config::handler_path(environ).is_some_and(|handler| handler == words[0]);
    let way_out = if is_handler { "; let Handler name the function's executable" } else { "" };
    Err(Failure::entrypoint(error.status, error.message + way_out).into())
}
