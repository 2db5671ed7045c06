//! foreword, the exec wrapper for AWS Lambda. This file says in which role it was started and how a
//! failure ends; what the wrapper does, in order, is in `wrap`. The library is the program's own:
//! it is no interface for others.

mod chain;
mod cli;
mod command_line;
mod condition;
mod config;
mod elf;
mod environ;
mod exit_status;
mod export;
mod extension;
mod files;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod glob;
mod hooks;
mod http;
mod json;
mod lambda;
mod log;
mod loopback;
mod marker;
mod metrics;
mod phase;
mod plan;
mod position;
mod process;
mod relay;
mod report;
mod role;
mod runtime_api;
#[doc(hidden)]
pub mod simulated_lambda;
mod template;
mod timestamp;
mod wire;
mod wrap;

pub use process::{Arena, Strings};

/// The tool's command line, for what writes its man pages.
#[cfg(feature = "tool")]
#[doc(hidden)]
pub use cli::command;

use chain::{Stage, StandInCall};
use environ::Environ;
use lambda::HANDLER;
use plan::saved::SavedPlan;
use report::{ErrorType, Failure, Stop};
use role::Role;
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tracing::debug;

/// Does what foreword was started for, with what the kernel handed over; returns the exit status.
pub fn start(
    arguments: impl Iterator<Item = &'static CStr>,
    environment: impl Iterator<Item = &'static CStr>,
) -> i32 {
    let environ = Environ::from_entries(environment);
    let arguments: Vec<_> =
        arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
    match role::choose(&arguments, &environ) {
        Role::StandIn(returned) => resume(returned, environ),
        Role::LostStandIn(name) => end(lost_stand_in(&name).into(), &environ),
        Role::Wrapper(received) => wrap(&received, &environ),
        Role::Extension(name) => {
            log::start(&environ);
            extension::run(&name, &environ)
        }
        Role::Bootstrap => match handler(&environ) {
            Ok(program) => wrap(&[program], &environ),
            Err(failure) => end(failure.into(), &environ),
        },
        Role::Tool => cli::run(&arguments, &environ),
    }
}

fn wrap(received: &[OsString], environ: &Environ) -> i32 {
    log::start(environ);
    end(wrap::run(received, environ), environ)
}

/// Goes on with a wrapper chain. The environment is a stranger's: failures and the log go where
/// Lambda said.
#[cold]
fn resume(returned: StandInCall, mut environ: Environ) -> i32 {
    let taken = chain::take_stage(&mut environ);
    let stage = taken.as_deref().and_then(|bytes| Stage::decode(bytes, &mut environ));
    let Some((mut stage, saved)) =
        stage.and_then(|(stage, saved)| Some((stage, SavedPlan::decode(saved)?)))
    else {
        let message = format!(
            "{} is not as foreword left it; it is foreword's own variable, let nothing set it",
            chain::STAGE
        );
        return end(Failure::configuration(message).into(), &environ);
    };
    log::start(&saved.context);
    end(wrap::resume(&mut stage, &saved, returned, environ), &saved.context)
}

#[cold]
fn lost_stand_in(name: &OsStr) -> Failure {
    let message = format!(
        "foreword was started as {name:?} without {}: let wrappers hand on their environment",
        chain::STAGE
    );
    Failure::wrapper(exit_status::CANNOT_EXECUTE, message)
}

/// Finds the function's own executable: on OS-only runtimes `Handler` names it, in the directory of
/// the function's code.
#[cold]
fn handler(environ: &Environ) -> Result<OsString, Failure> {
    let program = config::handler_path(environ).ok_or_else(|| {
        let message = format!(
            "unable to find the function's executable: {HANDLER}, which names it, is not set"
        );
        Failure::entrypoint(exit_status::NOT_FOUND, message)
    })?;
    if process::is_this_program(Path::new(&program)) {
        let message = format!(
            "{program:?} ({HANDLER}) is foreword itself; let Handler name the function's executable"
        );
        return Err(Failure::entrypoint(exit_status::CANNOT_EXECUTE, message));
    }
    Ok(program)
}

/// Tells whoever waits for the runtime why it does not start: the log, the Runtime API, the parent.
/// Returns the exit status.
fn end(stop: Stop, environ: &Environ) -> i32 {
    log::start(environ);
    let failure = match stop {
        Stop::Signal(signal) => return process::end_by_signal(signal),
        Stop::Cancelled => return exit_status::FAILED,
        Stop::Failure(failure) => failure,
    };
    log::log_failure(&failure);
    let Some(address) = environ.lossy(lambda::RUNTIME_API) else { return failure.status };
    if failure.error_type == ErrorType::ConfigInvalid {
        extension::meet(&address);
    }
    if let Err(error) = runtime_api::post_init_error(&address, &failure) {
        debug!("unable to report the failure to the Runtime API at {address}: {error:#}");
    }
    failure.status
}
