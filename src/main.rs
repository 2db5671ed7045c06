//! foreword, the exec wrapper for AWS Lambda. This file says in which role it was started and how a failure ends;
//! what the wrapper does, in order, is in `wrap`.

#![cfg_attr(not(test), no_main)]

mod cli;
mod command_line;
mod condition;
mod config;
mod environ;
mod export;
mod files;
mod glob;
mod hooks;
mod json;
mod plan;
mod process;
mod report;
mod runtime_api;
mod text;
mod wrap;

use condition::base_name;
use environ::Environ;
use report::{Failure, Log, Stop, status};
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Called once, by C's start-up, with what the kernel handed over; gives the exit status.
fn start(arguments: Vec<&'static CStr>, environment: Vec<&'static CStr>) -> i32 {
    let environ = Environ::from_entries(environment);
    let arguments: Vec<_> = arguments.into_iter().map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
    let received = match role(&arguments, &environ) {
        Role::Tool => return cli::run(&arguments, &environ),
        Role::Wrapper(received) => Ok(received),
        Role::Bootstrap => handler(&environ).map(|program| vec![program]),
    };
    let log = Log::from_environ(&environ);
    end(received.map_or_else(Stop::Failure, |received| wrap::run(&received, &environ, log)), &environ, log)
}

enum Role {
    /// Lambda, or an `ENTRYPOINT`, started foreword with the runtime's command line.
    Wrapper(Vec<OsString>),
    /// An OS-only runtime started `/opt/bootstrap`.
    Bootstrap,
    /// A person started foreword.
    Tool,
}

fn role(arguments: &[OsString], environ: &Environ) -> Role {
    let name = arguments.first().map(|name| base_name(name));
    match arguments.get(1).map(|first| first.as_bytes()) {
        Some(b"--") => Role::Wrapper(arguments[2..].to_vec()),
        Some(first) if first.contains(&b'/') => Role::Wrapper(arguments[1..].to_vec()),
        _ if name == Some(OsStr::new("bootstrap")) => Role::Bootstrap,
        Some(first) if !first.starts_with(b"-") && process::find_in_path(&arguments[1], environ) => {
            Role::Wrapper(arguments[1..].to_vec())
        }
        _ => Role::Tool,
    }
}

/// The function's own executable: on OS-only runtimes `Handler` names it, in the folder of the function's code.
fn handler(environ: &Environ) -> Result<OsString, Failure> {
    let handler = environ.non_empty("_HANDLER").ok_or_else(|| {
        let message = "unable to find the function's executable: _HANDLER, which names it, is not set";
        Failure::entrypoint(status::NOT_FOUND, message.into())
    })?;
    Ok(config::task_root(environ).join(handler).into_os_string())
}

/// Tells whoever waits for the runtime why it does not start: the log, the Runtime API, the parent.
fn end(stop: Stop, environ: &Environ, log: Log) -> i32 {
    let failure = match stop {
        Stop::Signal(signal) => return process::die_of(signal),
        Stop::Failure(failure) => failure,
    };
    log.failure(&failure);
    if let Some(address) = environ.lossy("AWS_LAMBDA_RUNTIME_API")
        && let Err(error) = runtime_api::post_init_error(&address, &failure)
    {
        tracing::debug!("unable to report the failure to the Runtime API at {address}: {error:#}");
    }
    failure.status
}
