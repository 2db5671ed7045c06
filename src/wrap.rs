//! The wrapper's story: read the configuration, plan, run the initialize hooks, hand the process to
//! other wrappers and take it back, become the runtime. It only puts the others in order: `plan`
//! decides, `hooks`, `chain` and `process` act.

use crate::chain::{self, Rest, Returned, Stage, Turn};
use crate::condition::{ARCHITECTURE, Facts, RuntimeName};
use crate::config::{self, EnvEdit, Phase};
use crate::environ::{Change, Environ};
use crate::extension;
use crate::files;
use crate::hooks::{self, Deadline, Received};
use crate::log::Log;
use crate::metrics;
use crate::plan::{AroundSnapshot, NoSnapshot, Plan};
use crate::process;
use crate::relay;
use crate::report::{Failure, Stop, status};
use crate::runtime_api::ADDRESS;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

/// Becomes the runtime whose program and arguments were received. Comes back only when that failed.
pub fn run(received: &[OsString], environ: &Environ, log: Log) -> Stop {
    match become_runtime(received, environ, log) {
        Err(stop) => stop,
        Ok(never) => match never {},
    }
}

/// The same, from where a wrapper of the chain executed the stand-in.
pub fn resume(
    stage: &mut Stage,
    rest: &Rest,
    returned: Returned,
    environ: Environ,
    log: Log,
) -> Stop {
    match take_back(stage, rest, returned, environ, log) {
        Err(stop) => stop,
        Ok(never) => match never {},
    }
}

fn become_runtime(received: &[OsString], environ: &Environ, log: Log) -> Result<Infallible, Stop> {
    let mut clock = metrics::Clock::start(environ);
    if received.is_empty() {
        let usage = "there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...";
        return Err(Failure::entrypoint(status::FAILED, usage.into()).into());
    }
    if config::disabled(environ) {
        return execute(received, environ, log);
    }
    if let Some(word) = Log::unknown_level(environ) {
        log.warn(&Log::about_level(&word));
    }
    let sources = config::sources(environ)?;
    if sources.is_empty() {
        return execute(received, environ, log);
    }
    let documents = config::documents(&sources);
    let rules = config::rules(&documents)?;
    let runtime = RuntimeName::of_command(environ, received);
    let exists = |glob: &_| files::exist(glob, config::task_root(environ));
    let facts = Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
    let mut plan = Plan::new(received, environ.clone(), &rules, &facts, |_, edit, change| {
        say_edit(edit, change, log)
    });
    plan.skipped
        .iter()
        .for_each(|skipped| log.debug(|| format!("{}: this does not apply", skipped.place())));

    let around_snapshot = plan.around_snapshot(&facts, |path| Path::new(path).exists())?;
    plan.check_last(around_snapshot)?;
    if plan.no_snapshot(&facts) == Some(NoSnapshot::NoRuntimeApi) {
        log.warn(
            "the hooks around the snapshot are not run: AWS_LAMBDA_RUNTIME_API is not set; \
             foreword simulate runs them",
        );
    }

    let mut last = std::mem::take(&mut plan.environ);
    let handed_over = Received { environ, runtime: &runtime.identifier };
    clock.pause();
    hooks::run_in_wrapper(&plan.hooks(Phase::Initialize), &mut last, &handed_over, None, log)?;
    if around_snapshot == AroundSnapshot::Wrapper {
        let until = Some(Deadline::after(relay::AFTER_RESTORE));
        hooks::run_in_wrapper(
            &plan.hooks(Phase::AfterRestore),
            &mut last,
            &handed_over,
            until,
            log,
        )?;
    }

    clock.go_on();
    let wrapper = chain::begin(&plan, around_snapshot, &mut last, environ, log)?;
    finish(&plan, around_snapshot, wrapper, last, &handed_over, clock, log)
}

fn take_back(
    stage: &mut Stage,
    rest: &Rest,
    returned: Returned,
    mut last: Environ,
    log: Log,
) -> Result<Infallible, Stop> {
    let clock = metrics::Clock::start(&last);
    let (words, wrapper) = chain::take_back(stage, returned, &mut last, log)?;
    let plan = Plan::resumed(&words, rest);
    let runtime = RuntimeName::of_command(&rest.received, &words);
    let handed_over = Received { environ: &rest.received, runtime: &runtime.identifier };
    finish(&plan, stage.around_snapshot, wrapper, last, &handed_over, clock, log)
}

/// What comes behind hooks and wrappers, whose work the environment and the plan's command line
/// show; a wrapper that never comes back takes the runtime's place.
fn finish(
    plan: &Plan,
    around_snapshot: AroundSnapshot,
    wrapper: Option<Turn>,
    mut last: Environ,
    handed_over: &Received,
    clock: metrics::Clock,
    log: Log,
) -> Result<Infallible, Stop> {
    if let Some(wrapper) = wrapper {
        tell_extension(plan, &last, handed_over, log);
        return Err(chain::execute_last(&wrapper, plan.received, &mut last, log).into());
    }
    let execution = plan.execution(&last, &|path| fs::read(path), |rule, execution| {
        log.debug(|| {
            format!(
                "{}: command line becomes {}",
                rule.place,
                shown(&execution.clone().into_words(), &last)
            )
        });
    });
    execution.warnings.iter().for_each(|warning| log.warn(warning));
    if let Some((key, program)) =
        plan.programs(&execution).find(|(_, word)| process::would_start_this_program(word, &last))
    {
        let message =
            format!("{:?} is foreword itself; take it out of {key:?}", last.redact(program));
        return Err(Failure::configuration(message).into());
    }
    tell_extension(plan, &last, handed_over, log);
    if around_snapshot == AroundSnapshot::Relay {
        let before_snapshot = plan.hooks(Phase::BeforeSnapshot);
        let after_restore = plan.hooks(Phase::AfterRestore);
        let hooks =
            relay::Hooks { before_snapshot, after_restore, environ: &last, received: handed_over };
        let upstream = last.lossy(ADDRESS).unwrap_or_default();
        let address = relay::start(&hooks, &upstream, log)?;
        log.debug(|| format!("the relay listens on {address}, in front of {upstream}"));
        last.set(ADDRESS, OsStr::new(&address));
    }
    clock.tell(&last, handed_over);
    execute(&execution.into_words(), &last, log)
}

/// Lets the extension know which pre_stop hooks to run, and what the runtime's environment is.
fn tell_extension(plan: &Plan, last: &Environ, handed_over: &Received, log: Log) {
    let pre_stop = plan.hooks(Phase::PreStop);
    let address = handed_over.environ.lossy(ADDRESS);
    if address.is_none() && !pre_stop.is_empty() {
        log.warn(
            "pre_stop hooks are not run: AWS_LAMBDA_RUNTIME_API is not set, so nobody tells when \
             the environment ends; foreword simulate runs them",
        );
    }
    // Also that none of them applies, which an extension cannot always tell.
    if let (Some(address), true) = (address, plan.has_pre_stop) {
        let told = extension::hand_over(&pre_stop, handed_over, last, &address);
        if let (Err(error), false) = (told, pre_stop.is_empty()) {
            log.warn(&format!(
                "pre_stop hooks are not run: there is no extension of foreword's to run them, \
                 which the layer foreword-prestop has ({error})"
            ));
        }
    }
}

fn execute(words: &[OsString], environ: &Environ, log: Log) -> Result<Infallible, Stop> {
    log.debug(|| format!("executing {}", shown(words, environ)));
    let error = process::execute(words, environ);
    let is_handler = error.status == status::NOT_FOUND
        && config::handler(environ).is_some_and(|handler| handler == words[0]);
    let way_out = if is_handler { "; let Handler name the function's executable" } else { "" };
    Err(Failure::entrypoint(error.status, error.message + way_out).into())
}

/// Says in detail what an edit changed, if it changed anything.
pub fn say_edit(edit: &EnvEdit, change: Option<&Change>, log: Log) {
    let Some(change) = change else { return };
    let shown = |value: Option<&OsStr>| {
        value.map_or("unset".into(), |value| change.environ.shown(edit.name, value))
    };
    let (before, after) = (change.before, change.after);
    log.debug(|| {
        format!("{}: env {}: {} becomes {}", edit.place, edit.name, shown(before), shown(after))
    });
}

/// A command line as a list of quoted words, without secrets.
pub fn shown(words: &[OsString], environ: &Environ) -> String {
    let words: Vec<_> = words.iter().map(|word| environ.redact(word)).collect();
    format!("{words:?}")
}
