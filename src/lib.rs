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
mod export;
mod extension;
mod files;
mod glob;
mod hooks;
mod http;
mod json;
mod lambda;
mod log;
mod loopback;
mod metrics;
mod plan;
mod position;
mod process;
mod relay;
mod report;
mod runtime_api;
#[doc(hidden)]
pub mod simulated_lambda;
mod text;
mod wire;
mod wrap;

pub use process::{Arena, Strings};

/// The tool's command line, for what writes its man pages.
#[cfg(feature = "tool")]
#[doc(hidden)]
pub use cli::command;

use chain::{Returned, Stage};
use command_line::Interpreter;
use environ::Environ;
use log::Log;
use process::StandIn;
use report::{ErrorType, Failure, Stop, status};
use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Called once, by C's start-up, with what the kernel handed over; gives the exit status.
pub fn start(
    arguments: impl Iterator<Item = &'static CStr>,
    environment: impl Iterator<Item = &'static CStr>,
) -> i32 {
    let environ = Environ::from_entries(environment);
    let arguments: Vec<_> =
        arguments.map(|word| OsStr::from_bytes(word.to_bytes()).to_owned()).collect();
    let received = match role(&arguments, &environ) {
        Role::StandIn(returned) => return resume(returned, environ),
        Role::Tool => return cli::run(&arguments, &environ),
        Role::Wrapper(received) => Ok(received),
        Role::Extension(name) => {
            return extension::run(&name, &environ, Log::from_environ(&environ));
        }
        Role::Bootstrap => handler(&environ).map(|program| vec![program]),
        Role::LostStandIn(name) => Err(Failure::wrapper(
            status::CANNOT_EXECUTE,
            format!(
                "foreword was started as {name:?} without {}: let wrappers hand on their \
                 environment",
                chain::STAGE
            ),
        )),
    };
    let log = Log::from_environ(&environ);
    end(
        received.map_or_else(Stop::Failure, |received| wrap::run(&received, &environ, log)),
        &environ,
        log,
    )
}

/// Goes on with a wrapper chain. The environment is a stranger's: what failures and the log are
/// about is what Lambda gave.
#[cold]
fn resume(returned: Returned, mut environ: Environ) -> i32 {
    let taken = chain::take(&mut environ);
    let Some((mut stage, rest)) =
        taken.as_deref().and_then(|bytes| Stage::decode(bytes, &mut environ))
    else {
        let message = format!(
            "{} is not as foreword left it; it is foreword's own variable, let nothing set it",
            chain::STAGE
        );
        return end(Failure::configuration(message).into(), &environ, Log::from_environ(&environ));
    };
    let log = Log::from_environ(&rest.received);
    end(wrap::resume(&mut stage, &rest, returned, environ, log), &rest.received, log)
}

enum Role {
    /// A wrapper of the chain started foreword, most often in the belief that it is the
    /// interpreter.
    StandIn(Returned),
    /// The same, but nothing is known of the chain.
    LostStandIn(OsString),
    /// Lambda, or an `ENTRYPOINT`, started foreword with the runtime's command line.
    Wrapper(Vec<OsString>),
    /// An OS-only runtime started `/opt/bootstrap`.
    Bootstrap,
    /// Lambda started an extension of this name.
    Extension(OsString),
    /// A person started foreword.
    Tool,
}

/// Lambda names the program by its path, so what a person types is told apart by having no `/`. A
/// bare word is a command of the tool, whatever PATH has: `foreword init` must never run
/// /sbin/init. In a function, where nobody reads usage, it is a program.
fn role(arguments: &[OsString], environ: &Environ) -> Role {
    let mut own_path =
        arguments.first().map_or(&b""[..], |path| path.as_bytes()).rsplit(|&byte| byte == b'/');
    let own_name = own_path.next().unwrap_or_default();
    let is_staged = chain::is_staged(environ);
    if is_staged {
        let executed = StandIn::executed();
        if executed.is_some() || own_name != b"foreword" || names_no_program(arguments) {
            return Role::StandIn(Returned {
                name: executed.or_else(|| arguments.first().cloned()).unwrap_or_default(),
                program: None,
                arguments: arguments.get(1..).unwrap_or_default().to_vec(),
            });
        }
    } else if own_name != b"foreword"
        && let Some(name) = arguments.first()
        && (StandIn::is_at(name) || Interpreter::of_program(name).is_some())
    {
        return Role::LostStandIn(name.clone());
    }
    let wrapper = |words: &[OsString]| match words.split_first() {
        Some((program, rest)) if is_staged && !config::disabled(environ) => {
            Role::StandIn(Returned {
                name: arguments[0].clone(),
                program: Some(program.clone()),
                arguments: rest.to_vec(),
            })
        }
        // To begin anew would be to begin for ever.
        Some((program, _))
            if !is_staged
                && StandIn::is_at(program)
                && process::is_this_program(Path::new(program)) =>
        {
            Role::LostStandIn(program.clone())
        }
        _ => Role::Wrapper(words.to_vec()),
    };
    let Some(first) = arguments.get(1).map(|first| first.as_bytes()) else {
        return match own_path.next() {
            Some(b"extensions") => Role::Extension(OsStr::from_bytes(own_name).to_owned()),
            _ if own_name == b"bootstrap" => Role::Bootstrap,
            _ => Role::Tool,
        };
    };
    let is_program = |first: &[u8]| {
        let is_command = || cli::COMMANDS.iter().any(|command| command.as_bytes() == first);
        let is_in_function =
            || environ.non_empty(runtime_api::ADDRESS).is_some() || is_staged && !is_command();
        !first.starts_with(b"-") && is_in_function()
    };
    match first {
        b"--" => wrapper(&arguments[2..]),
        _ if first.contains(&b'/') => wrapper(&arguments[1..]),
        _ if own_name == b"bootstrap" => Role::Bootstrap,
        _ if is_program(first) => wrapper(&arguments[1..]),
        _ => Role::Tool,
    }
}

/// Whether what follows foreword's own name in a chain is meant for an interpreter: no program, and
/// no question of a person's.
fn names_no_program(arguments: &[OsString]) -> bool {
    match arguments.get(1).map(|first| first.as_bytes()) {
        None => true,
        Some(b"--") => arguments.len() == 2,
        Some(first) => {
            first.starts_with(b"-") && !cli::OPTIONS.iter().any(|option| option.as_bytes() == first)
        }
    }
}

/// The function's own executable: on OS-only runtimes `Handler` names it, in the folder of the
/// function's code.
#[cold]
fn handler(environ: &Environ) -> Result<OsString, Failure> {
    let program = config::handler(environ).ok_or_else(|| {
        let message =
            "unable to find the function's executable: _HANDLER, which names it, is not set";
        Failure::entrypoint(status::NOT_FOUND, message.into())
    })?;
    if process::is_this_program(Path::new(&program)) {
        let message = format!(
            "{program:?} (_HANDLER) is foreword itself; let Handler name the function's executable"
        );
        return Err(Failure::entrypoint(status::CANNOT_EXECUTE, message));
    }
    Ok(program)
}

/// Tells whoever waits for the runtime why it does not start: the log, the Runtime API, the parent.
fn end(stop: Stop, environ: &Environ, log: Log) -> i32 {
    let failure = match stop {
        Stop::Signal(signal) => return process::die_of(signal),
        Stop::Cancelled => return status::FAILED,
        Stop::Failure(failure) => failure,
    };
    log.failure(&failure);
    if failure.error_type == ErrorType::ConfigInvalid
        && let Some(address) = environ.lossy(runtime_api::ADDRESS)
    {
        extension::meet(&address);
    }
    if let Some(address) = environ.lossy(runtime_api::ADDRESS)
        && let Err(error) = runtime_api::post_init_error(&address, &failure)
    {
        log.debug(|| {
            format!("unable to report the failure to the Runtime API at {address}: {error:#}")
        });
    }
    failure.status
}
