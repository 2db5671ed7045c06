//! Resolves references to secrets: runs `foreword-secrets` and adds what it prints to the
//! environment. `plan::secret_request` decides what it is asked for; how the two programs speak is
//! told in the crate `foreword_secrets`.

use crate::config::Export;
use crate::environ::Environ;
use crate::exit_status;
use crate::export::{self, Variable};
use crate::lambda::{ARCHITECTURE, FOREWORD, LambdaContext};
use crate::log;
use crate::plan::SecretRequest;
use crate::process::{self, CommandEnd, Finished, Job, Signal, StandardErrors, Watch};
use crate::report::{Failure, Stop};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tracing::debug;

/// The program, which lies beside foreword in a layer of its own.
pub const PROGRAM: &str = "foreword-secrets";

/// The limit of all requests of a configuration that names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// The time that the program has beyond its own limit before it is stopped.
const GRACE: Duration = Duration::from_millis(500);

/// Most bytes of output. An environment of more could not be handed to any program: the kernel
/// takes less (`execve(2)`, "Limits on size of arguments and environment",
/// <https://man7.org/linux/man-pages/man2/execve.2.html>).
const MAX_OUTPUT: usize = 4 << 20;

/// The exit status for wrong use, such as a reference that cannot be read.
const WRONG_USE: i32 = 2;

/// Resolves secrets and adds them to the environment. Starts nothing when there are none.
///
/// # Errors
/// With all references that cannot be resolved; when a signal ends foreword.
pub fn resolve(
    request: &SecretRequest,
    environ: &mut Environ,
    context: &LambdaContext,
) -> Result<(), Stop> {
    if request.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    let timeout = request.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let program = program_path().map_err(Failure::secret)?;
    let watch = Watch::start()
        .map_err(|errno| Failure::secret(format!("unable to watch {PROGRAM}: {}", errno.desc())))?;
    let ended = watch.run(&Job {
        words: &command_line(request, &program, timeout),
        environ: context.environ,
        cwd: None,
        input: b"",
        capture: Some(MAX_OUTPUT),
        errors: StandardErrors::Keep,
        deadline: started + timeout + GRACE,
        kill_by: None,
        stop: None,
    });
    let ended = ended.map_err(|error| {
        Failure::secret(match error.status {
            exit_status::NOT_FOUND => format!(
                "there is no {}, which resolves secrets: attach the layer {PROGRAM}-{ARCHITECTURE}",
                program.display()
            ),
            _ => error.message,
        })
    })?;
    let variables = read_variables(&ended, context.environ)?;
    for (name, value) in &variables {
        debug!("{PROGRAM} exports {name}");
        environ.export(name, value);
    }
    log::log_secrets(export::count(&variables), started.elapsed());
    Ok(())
}

/// Returns the path of the program: beside foreword, or where its layer has it, which is another
/// place when foreword is part of a container image or the tool.
///
/// # Errors
/// When the kernel does not tell where foreword is.
pub fn program_path() -> Result<PathBuf, String> {
    let beside = process::this_program()?.with_file_name(PROGRAM);
    let of_layer = program_of_layer();
    Ok(if !beside.exists() && of_layer.exists() { of_layer } else { beside })
}

/// Returns the path at which the layer has the program.
pub fn program_of_layer() -> PathBuf {
    Path::new(FOREWORD).with_file_name(PROGRAM)
}

/// Returns the program's words.
fn command_line(request: &SecretRequest, program: &Path, timeout: Duration) -> Vec<OsString> {
    let mut words = vec![
        program.into(),
        "--keep-existing".into(),
        "--timeout-ms".into(),
        timeout.as_millis().to_string().into(),
    ];
    let paths = request.paths.iter();
    words.extend(paths.map(|path| format!("--path={}={}", path.prefix, path.path).into()));
    words.push("--".into());
    words.extend(
        request
            .unset_variables()
            .map(|variable| format!("{}={}", variable.name, variable.reference).into()),
    );
    words
}

/// Returns what the program printed.
///
/// # Errors
/// With what it wrote to standard error, which names all references that failed and no value.
fn read_variables(ended: &Finished, environ: &Environ) -> Result<Vec<Variable>, Stop> {
    let failed = |how: String| Err(Failure::secret(format!("{PROGRAM} {how}")).into());
    match ended.end {
        CommandEnd::Exited(0) => export::parse(Export::Json, &ended.output).or_else(failed),
        CommandEnd::Exited(status) => {
            let errors = environ.redact(OsStr::from_bytes(&ended.last_errors));
            let prefix = format!("{PROGRAM}: ");
            let lines: Vec<_> = errors
                .lines()
                .map(|line| line.strip_prefix(&prefix).unwrap_or(line).trim())
                .filter(|line| !line.is_empty())
                .collect();
            match (status, lines.join("; ")) {
                (_, message) if message.is_empty() => {
                    failed(format!("exited with status {status} and gave no reason"))
                }
                (WRONG_USE, message) => Err(Failure::configuration(message).into()),
                (_, message) => Err(Failure::secret(message).into()),
            }
        }
        CommandEnd::Killed(signal) => {
            failed(format!("was killed by {}", signal.map_or("a real-time signal", Signal::as_str)))
        }
        CommandEnd::TooMuchOutput => {
            failed(format!("printed more than the {MAX_OUTPUT} bytes that an environment can hold"))
        }
        CommandEnd::TimedOut => {
            failed("did not end at its limit (secrets_timeout_ms), and was stopped".into())
        }
        CommandEnd::Interrupted(signal) => Err(Stop::Signal(signal)),
        CommandEnd::Cancelled => Err(Stop::Cancelled),
    }
}
