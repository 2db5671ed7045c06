//! What a person gets who starts foreword. The wrapper path never comes here. The tool itself is
//! not in the layer's binary, which only says where it is.

#[cfg(feature = "tool")]
mod arguments;
#[cfg(feature = "tool")]
mod check;
#[cfg(feature = "tool")]
mod finding;
#[cfg(feature = "tool")]
mod function;
mod help;
#[cfg(feature = "tool")]
mod hints;
#[cfg(feature = "tool")]
mod layer;
#[cfg(feature = "tool")]
mod options;
#[cfg(feature = "tool")]
mod plan;
#[cfg(feature = "tool")]
mod printer;
#[cfg(feature = "tool")]
mod schema;
#[cfg(feature = "tool")]
mod side_effects;
#[cfg(feature = "tool")]
mod simulate;
#[cfg(feature = "tool")]
mod snap_start;
#[cfg(feature = "tool")]
mod unset_variables;

#[cfg(feature = "tool")]
pub use arguments::command;

use crate::config::find_nearest;
use crate::environ::Environ;
#[cfg(feature = "tool")]
use options::ToolCommand;
use std::ffi::OsString;
use std::io::Write;

/// The tool's own commands, which no program in PATH hides.
pub const COMMANDS: [&str; 5] = ["check", "help", "plan", "schema", "simulate"];

/// What else a person may ask for.
pub const OPTIONS: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// Where the tool is, as the layer's binary says.
const ELSEWHERE: &str =
    "in the tool, which \"cargo install --path .\" installs from foreword's source";

/// The exit status after a usage error.
const USAGE_ERROR: i32 = 2;

/// Answers a person; gives the exit status.
#[cold]
pub fn run(arguments: &[OsString], environ: &Environ) -> i32 {
    match arguments.get(1).map(|word| word.to_string_lossy()) {
        Some(word) if !word.starts_with('-') && !COMMANDS.contains(&&*word) => {
            usage_error(&no_command(&word))
        }
        _ => answer(arguments, environ),
    }
}

/// Makes the message about a word that is no command: it may be a command that is misspelled, or
/// meant as a program.
fn no_command(word: &str) -> String {
    let meant = find_nearest(word, &COMMANDS).map_or_else(
        || format!("the commands are {}", COMMANDS.join(", ")),
        |command| format!("did you mean \"{command}\"?"),
    );
    let elsewhere =
        if cfg!(feature = "tool") { String::new() } else { format!("; they are {ELSEWHERE}") };
    format!(
        "there is no command {word:?}; {meant} (a program of this name: foreword -- \
         {word}){elsewhere}"
    )
}

#[cfg(feature = "tool")]
fn answer(arguments: &[OsString], environ: &Environ) -> i32 {
    match arguments::parse(arguments) {
        Ok(ToolCommand::Check(options)) => check::run(&options, environ),
        Ok(ToolCommand::Plan(options)) => plan::run(&options, environ),
        Ok(ToolCommand::Simulate(options)) => simulate::run(&options, environ),
        Ok(ToolCommand::Schema) => print(std::io::stdout(), schema::SCHEMA, 0),
        Err(usage) if usage.use_stderr() => {
            print(std::io::stderr(), &usage.render().to_string(), USAGE_ERROR)
        }
        Err(help) => print(std::io::stdout(), &help.render().to_string(), 0),
    }
}

#[cfg(not(feature = "tool"))]
fn answer(arguments: &[OsString], _: &Environ) -> i32 {
    let help = || {
        let options = "  -h, --help     Print help\n  -V, --version  Print version";
        format!(
            "{}\n\nUsage: {}\n\nOptions:\n{options}\n\n{}",
            help::ABOUT,
            help::USAGE,
            help::SURROUNDINGS
        )
    };
    match arguments.get(1).map(|word| word.to_string_lossy()).as_deref() {
        None => print(std::io::stderr(), &help(), USAGE_ERROR),
        Some("help" | "-h" | "--help") => print(std::io::stdout(), &help(), 0),
        Some("-V" | "--version") => {
            print(std::io::stdout(), concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n"), 0)
        }
        Some(word) if COMMANDS.contains(&word) => {
            let message = format!(
                "foreword: the layer's foreword has no command {word:?}; it is {ELSEWHERE}\n"
            );
            print(std::io::stderr(), &message, USAGE_ERROR)
        }
        Some(word) => usage_error(&format!("unexpected argument '{word}' found")),
    }
}

#[cfg(feature = "tool")]
fn usage_error(problem: &str) -> i32 {
    let usage = arguments::command().render_usage();
    print(
        std::io::stderr(),
        &format!("error: {problem}\n\n{usage}\n\nFor more information, try '--help'.\n"),
        USAGE_ERROR,
    )
}

#[cfg(not(feature = "tool"))]
fn usage_error(problem: &str) -> i32 {
    let usage = format!("Usage: {}\n\nFor more information, try '--help'.", help::USAGE);
    print(std::io::stderr(), &format!("error: {problem}\n\n{usage}\n"), USAGE_ERROR)
}

fn print(mut to: impl Write, text: &str, status: i32) -> i32 {
    // Nobody is left to tell when standard output or error is closed.
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    status
}
