//! The command line tool, for people. The wrapper path never comes here, and clap goes no further than here.

use crate::environ::Environ;
use clap::Command;
use clap::error::ErrorKind;
use std::ffi::OsString;

/// The tool's own commands, which no program in PATH hides; those that are not there yet are kept free.
pub const COMMANDS: [&str; 5] = ["check", "help", "plan", "schema", "simulate"];

const ABOUT: &str = "The exec wrapper for AWS Lambda: it injects options, arguments and environment from a declarative \
configuration, runs hook commands, and becomes the runtime.";

const USAGE: &str = "foreword [--] PROGRAM [ARGUMENT]...";

const AFTER_HELP: &str = "\
Configuration, in this order, all that exist:
  /opt/foreword.d/*.json            drop-ins of layers (FOREWORD_DROPIN_DIR names another folder)
  $LAMBDA_TASK_ROOT/foreword.json   beside the function's code
  $FOREWORD_CONFIG                  a path, or the JSON itself

Environment:
  FOREWORD_LOG        off, error, warn, info (default), debug or trace
  FOREWORD_DISABLED   1 executes the program untouched

In a function, set AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword. To try a command line here:
  FOREWORD_CONFIG='{\"options\": {\"append\": [\"-X\", \"importtime\"]}}' foreword -- python3 -c pass";

/// Answers a person; gives the exit status.
pub fn run(arguments: &[OsString], environ: &Environ) -> i32 {
    let mut command = Command::new("foreword")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .override_usage(USAGE)
        .after_help(AFTER_HELP)
        .arg_required_else_help(true);
    let word = arguments.get(1).map(|word| word.to_string_lossy());
    let error = match word.as_deref() {
        Some("help") => command.try_get_matches_from(["foreword", "--help"]).expect_err("help is no match"),
        Some(word) if COMMANDS.contains(&word) => {
            command.error(ErrorKind::InvalidSubcommand, format!("this version has no command {word:?} yet"))
        }
        Some(word) if !word.starts_with('-') => {
            let path = environ.lossy("PATH").unwrap_or("unset or empty".into());
            command.error(ErrorKind::InvalidSubcommand, format!("there is no program {word:?} in PATH ({path})"))
        }
        _ => match command.try_get_matches_from(arguments) {
            Ok(_) => return 0,
            Err(error) => error,
        },
    };
    // Nobody is left to tell when standard output or error is closed.
    let _ = error.print();
    error.exit_code()
}
