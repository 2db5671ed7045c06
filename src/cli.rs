//! What a person gets who starts foreword. The wrapper path never comes here.

use crate::environ::Environ;
use std::ffi::OsString;
use std::io::Write;

/// The tool's own commands, which no program in PATH hides; those that are not there yet are kept free.
pub const COMMANDS: [&str; 5] = ["check", "help", "plan", "schema", "simulate"];

const VERSION: &str = concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = "\
The exec wrapper for AWS Lambda: it injects options, arguments and environment from a declarative configuration, runs \
hook commands, and becomes the runtime.

Usage: foreword [--] PROGRAM [ARGUMENT]...

Options:
  -h, --help     Print help
  -V, --version  Print version

Configuration, in this order, all that exist:
  /opt/foreword.d/*.json            drop-ins of layers (FOREWORD_DROPIN_DIR names another folder)
  $LAMBDA_TASK_ROOT/foreword.json   beside the function's code
  $FOREWORD_CONFIG                  a path, or the JSON itself

Environment:
  FOREWORD_LOG        off, error, warn, info (default), debug or trace
  FOREWORD_DISABLED   1 executes the program untouched

In a function, set AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword. To try a command line here:
  FOREWORD_CONFIG='{\"options\": {\"append\": [\"-X\", \"importtime\"]}}' foreword -- python3 -c pass
";

/// Answers a person; gives the exit status.
pub fn run(arguments: &[OsString], environ: &Environ) -> i32 {
    let problem = match arguments.get(1).map(|word| word.to_string_lossy()).as_deref() {
        None => return print(std::io::stderr(), HELP, 2),
        Some("help" | "-h" | "--help") => return print(std::io::stdout(), HELP, 0),
        Some("-V" | "--version") => return print(std::io::stdout(), VERSION, 0),
        Some(word) if COMMANDS.contains(&word) => format!("this version has no command {word:?} yet"),
        Some(word) if word.starts_with('-') => format!("unexpected argument '{word}' found"),
        Some(word) => {
            let path = environ.lossy("PATH").unwrap_or("unset or empty".into());
            format!("there is no program {word:?} in PATH ({path})")
        }
    };
    let usage = "Usage: foreword [--] PROGRAM [ARGUMENT]...\n\nFor more information, try '--help'.";
    print(std::io::stderr(), &format!("error: {problem}\n\n{usage}\n"), 2)
}

fn print(mut to: impl Write, text: &str, status: i32) -> i32 {
    // Nobody is left to tell when standard output or error is closed.
    let _ = to.write_all(text.as_bytes());
    status
}
