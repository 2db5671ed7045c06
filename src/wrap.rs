//! The wrapper's story: read the configuration, plan, run the initialize hooks, become the runtime.

use crate::condition::{Facts, RuntimeName};
use crate::config::{self, Phase, Source};
use crate::environ::{Change, Environ, REDACTED, Shown};
use crate::files;
use crate::hooks::{self, Received};
use crate::plan::{EnvChange, Plan};
use crate::process;
use crate::report::{Failure, Log, Stop, status};
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;

/// Becomes the runtime whose program and arguments were received. Comes back only when that failed.
pub fn run(received: &[OsString], environ: &Environ, log: Log) -> Stop {
    match become_runtime(received, environ, log) {
        Err(stop) => stop,
        Ok(never) => match never {},
    }
}

fn become_runtime(received: &[OsString], environ: &Environ, log: Log) -> Result<Infallible, Stop> {
    if received.is_empty() {
        return Err(no_program().into());
    }
    if config::disabled(environ) {
        return execute(received, environ);
    }
    if log.is_detailed() {
        log.open();
    }
    if let Some(word) = Log::unknown_level(environ) {
        log.open();
        tracing::warn!("FOREWORD_LOG is {word:?}, which is no level; it takes off, error, warn, info, debug or trace");
    }
    let sources = config::sources(environ)?;
    if sources.is_empty() {
        return execute(received, environ);
    }
    let rules = config::rules(&sources)?;
    let runtime = RuntimeName::of(environ, &received[0]);
    let exists = |glob: &_| files::exist(glob, config::task_root(environ));
    let plan = Plan::new(received, environ.clone(), &rules, &Facts { environ, runtime: &runtime, exists: &exists });
    if log.is_detailed() {
        log_plan(&plan, &sources);
    }
    let initialize: Vec<_> = plan.hooks(Phase::Initialize).collect();
    let not_run: Vec<_> = plan.hooks_not_run().collect();
    if !initialize.is_empty() || !not_run.is_empty() {
        log.open();
    }
    not_run.iter().for_each(|what| tracing::warn!("{what}"));
    let mut last = plan.environ.clone();
    hooks::initialize(&initialize, &mut last, &Received { environ, runtime: &runtime.identifier })?;

    let execution = plan.execution(&last, &|path| fs::read(path), |rule, execution| {
        if log.is_detailed() {
            let words = shown(&execution.words(), &last);
            tracing::debug!("{}: command line becomes {words}", rule.place.within(&sources));
        }
    });
    if !execution.warnings.is_empty() {
        log.open();
    }
    execution.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    execute(&execution.words(), &last)
}

fn execute(words: &[OsString], environ: &Environ) -> Result<Infallible, Stop> {
    tracing::debug!("executing {}", shown(words, environ));
    let error = process::execute(words, environ);
    Err(Failure::entrypoint(error.status, error.message).into())
}

fn no_program() -> Failure {
    let message = "there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...";
    Failure::entrypoint(status::FAILED, message.into())
}

/// A command line as a list of quoted words, without secrets.
fn shown(words: &[OsString], environ: &Environ) -> String {
    let words: Vec<_> = words.iter().map(|word| environ.redact(word)).collect();
    format!("{words:?}")
}

/// Every edit of the environment with the place that it came from, and the rules that make none.
fn log_plan(plan: &Plan, sources: &[Source]) {
    for place in &plan.skipped {
        tracing::debug!("{}: the rule does not apply", place.within(sources));
    }
    for EnvChange { name, place, change: Change { before, after } } in &plan.changes {
        let shown = |value: &Option<Shown>| match value {
            None => "unset".to_owned(),
            Some(Shown::Redacted) => REDACTED.to_owned(),
            Some(Shown::Value(value)) => format!("{value:?}"),
        };
        tracing::debug!("{}: env {name}: {} becomes {}", place.within(sources), shown(before), shown(after));
    }
}
