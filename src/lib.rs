//! foreword, an exec wrapper for AWS Lambda. [`start`] runs the role that `role` chooses; the roles
//! are told in `wrap`, `extension`, `relay` and `cli`. The library is no interface for other
//! programs: it exists for foreword's own program, tests, fuzz targets and man pages.

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
mod secrets;
#[doc(hidden)]
pub mod simulated_lambda;
mod template;
mod timestamp;
mod wire;
mod wrap;

pub use process::{Arena, Strings};

/// Builds the tool's command line, from which its man pages are made.
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

/// Runs the role in which foreword was started, and returns the exit status. A role that becomes
/// another program does not return.
pub fn start(
    arguments: impl Iterator<Item = &'static CStr>,
    environment: impl Iterator<Item = &'static CStr>,
) -> i32 {
    let environ = Environ::from_entries(environment);
    let arguments: Vec<_> =
        arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
    match role::choose(&arguments, &environ) {
        Role::StandIn(call) => run_stand_in(call, environ),
        Role::LostStandIn(path) => fail(&lost_stand_in(&path), &environ),
        Role::Wrapper(received) => run_wrapper(&received, &environ),
        Role::Extension(name) => run_extension(&name, &environ),
        Role::Bootstrap => run_bootstrap(&environ),
        Role::Tool => cli::run(&arguments, &environ),
    }
}

fn run_wrapper(received: &[OsString], environ: &Environ) -> i32 {
    log::start(environ);
    let Err(stop) = wrap::run(received, environ);
    end(stop, environ)
}

/// Continues a wrapper chain. Log and reports go where Lambda's own environment says, which the
/// chain carries: another wrapper made the environment of this process.
#[cold]
#[inline(never)]
fn run_stand_in(call: StandInCall, mut environ: Environ) -> i32 {
    let taken = chain::take_stage(&mut environ);
    let stage = taken.as_deref().and_then(|bytes| Stage::decode(bytes, &mut environ));
    let Some((mut stage, saved)) =
        stage.and_then(|(stage, saved)| Some((stage, SavedPlan::decode(saved)?)))
    else {
        let message = format!(
            "{} is not as foreword left it; it is foreword's own variable, let nothing set it",
            chain::STAGE
        );
        return fail(&Failure::configuration(message), &environ);
    };
    log::start(&saved.context);
    let Err(stop) = wrap::resume(&mut stage, &saved, call, environ);
    end(stop, &saved.context)
}

#[cold]
#[inline(never)]
fn run_extension(name: &OsStr, environ: &Environ) -> i32 {
    log::start(environ);
    extension::run(name, environ)
}

/// Runs the wrapper with the function's own executable, as Lambda's `bootstrap` would.
#[cold]
#[inline(never)]
fn run_bootstrap(environ: &Environ) -> i32 {
    match find_handler(environ) {
        Ok(program) => run_wrapper(&[program], environ),
        Err(failure) => fail(&failure, environ),
    }
}

/// Finds the function's own executable: the file that `Handler` names in the directory of the code.
/// Lambda passes the name in `_HANDLER`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>).
fn find_handler(environ: &Environ) -> Result<OsString, Failure> {
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

#[cold]
fn lost_stand_in(path: &OsStr) -> Failure {
    let message = format!(
        "foreword was started as {path:?} without {}: let wrappers hand on their environment",
        chain::STAGE
    );
    Failure::wrapper(exit_status::CANNOT_EXECUTE, message)
}

/// Ends foreword without a runtime, and returns the exit status.
fn end(stop: Stop, environ: &Environ) -> i32 {
    match stop {
        Stop::Failure(failure) => fail(&failure, environ),
        Stop::Signal(signal) => process::end_by_signal(signal),
        Stop::Cancelled => exit_status::FAILED,
    }
}

/// Reports a failure in the log and to the Runtime API, and returns the exit status.
fn fail(failure: &Failure, environ: &Environ) -> i32 {
    log::start(environ);
    log::log_failure(failure);
    let Some(address) = environ.lossy(lambda::RUNTIME_API) else { return failure.status };
    if failure.error_type == ErrorType::ConfigInvalid {
        extension::announce_wrapper(&address);
    }
    if let Err(error) = runtime_api::post_init_error(&address, failure) {
        debug!("unable to report the failure to the Runtime API at {address}: {error:#}");
    }
    failure.status
}
