//! The wrapper's story: read the configuration, plan, run the initialize hooks, become the runtime.
//! It only puts the others in order: `plan` decides, `hooks` and `process` act.

use crate::condition::{Facts, RuntimeName};
use crate::config::{self, Phase, Source};
use crate::environ::{Change, Environ, REDACTED, Shown};
use crate::files;
use crate::hooks::{self, Received};
use crate::log::Log;
use crate::plan::{EnvChange, Plan};
use crate::process;
use crate::report::{Failure, Stop, status};
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
        let usage = "there is no program to start; usage: foreword -- PROGRAM [ARGUMENT]...";
        return Err(Failure::entrypoint(status::FAILED, usage.into()).into());
    }
    if config::disabled(environ) {
        return execute(received, environ, log);
    }
    if let Some(word) = Log::unknown_level(environ) {
        log.warn(&format!("FOREWORD_LOG is {word:?}, none of off, error, warn, info, debug and trace"));
    }
    let sources = config::sources(environ)?;
    if sources.is_empty() {
        return execute(received, environ, log);
    }
    let rules = config::rules(&sources)?;
    let runtime = RuntimeName::of(environ, &received[0]);
    let exists = |glob: &_| files::exist(glob, config::task_root(environ));
    let plan = Plan::new(received, environ.clone(), &rules, &Facts { environ, runtime: &runtime, exists: &exists });
    say(&plan, &sources, log);

    let mut last = plan.environ.clone();
    let initialize: Vec<_> = plan.hooks(Phase::Initialize).collect();
    hooks::initialize(&initialize, &mut last, &Received { environ, runtime: &runtime.identifier }, log)?;

    let execution = plan.execution(&last, &|path| fs::read(path), |rule, execution| {
        log.debug(|| {
            format!("{}: command line becomes {}", rule.place.within(&sources), shown(&execution.words(), &last))
        });
    });
    execution.warnings.iter().for_each(|warning| log.warn(warning));
    execute(&execution.words(), &last, log)
}

fn execute(words: &[OsString], environ: &Environ, log: Log) -> Result<Infallible, Stop> {
    log.debug(|| format!("executing {}", shown(words, environ)));
    let error = process::execute(words, environ);
    Err(Failure::entrypoint(error.status, error.message).into())
}

/// A command line as a list of quoted words, without secrets.
fn shown(words: &[OsString], environ: &Environ) -> String {
    let words: Vec<_> = words.iter().map(|word| environ.redact(word)).collect();
    format!("{words:?}")
}

/// What is decided before anything runs: in detail, what does not apply and every edit of the environment, each
/// with its place; always, what is not done although it was asked for.
fn say(plan: &Plan, sources: &[Source], log: Log) {
    for place in &plan.skipped {
        log.debug(|| format!("{}: this does not apply", place.within(sources)));
    }
    for EnvChange { name, place, change: Change { before, after } } in &plan.changes {
        let value = |value: &Option<Shown>| match value {
            None => "unset".to_owned(),
            Some(Shown::Redacted) => REDACTED.to_owned(),
            Some(Shown::Value(value)) => format!("{:?}", plan.environ.redact(value)),
        };
        log.debug(|| format!("{}: env {name}: {} becomes {}", place.within(sources), value(before), value(after)));
    }
    plan.hooks_not_run().for_each(|what| log.warn(&what));
}
