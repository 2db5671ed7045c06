//! What a person gets who starts foreword. The wrapper path never comes here. The tool itself is
//! not in the layer's binary, which only says where it is.

#[cfg(feature = "tool")]
mod arguments;
#[cfg(feature = "tool")]
mod check;
#[cfg(feature = "tool")]
mod colors;
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
mod plan;
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

use crate::config::near;
use crate::environ::Environ;
#[cfg(feature = "tool")]
use clap::ArgMatches;
#[cfg(feature = "tool")]
use colors::Colors;
use std::ffi::OsString;
use std::io::Write;
#[cfg(feature = "tool")]
use std::time::Duration;

/// The tool's own commands, which no program in PATH hides.
pub const COMMANDS: [&str; 5] = ["check", "help", "plan", "schema", "simulate"];

/// What else a person may ask for.
pub const OPTIONS: [&str; 4] = ["-h", "--help", "-V", "--version"];

/// Where the tool is, as the layer's binary says.
const ELSEWHERE: &str =
    "in the tool, which \"cargo install --path .\" installs from foreword's source";

/// The exit status after wrong use.
const WRONG_USE: i32 = 2;

/// Answers a person; gives the exit status.
#[cold]
pub fn run(arguments: &[OsString], environ: &Environ) -> i32 {
    match arguments.get(1).map(|word| word.to_string_lossy()) {
        Some(word) if !word.starts_with('-') && !COMMANDS.contains(&&*word) => {
            wrong_use(&no_command(&word))
        }
        _ => answer(arguments, environ),
    }
}

/// Makes the message about a word that is no command: it may be a command that is misspelled, or
/// meant as a program.
fn no_command(word: &str) -> String {
    let meant = near(word, &COMMANDS).map_or_else(
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
    let matches = match arguments::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(answer) if answer.use_stderr() => {
            return print(std::io::stderr(), &answer.render().to_string(), WRONG_USE);
        }
        Err(answer) => return print(std::io::stdout(), &answer.render().to_string(), 0),
    };
    match matches.subcommand() {
        Some(("check", matches)) => {
            let options = check::CheckOptions {
                files: all(matches, "files"),
                layers: all(matches, "layers"),
                timeout: matches.get_one::<u64>("timeout").copied().map(Duration::from_secs),
            };
            check::run(&options, environ)
        }
        Some(("plan", matches)) => {
            let asked =
                function::FunctionOptions { configs: all(matches, "config"), ..asked(matches) };
            let format = match matches.get_one::<String>("format").map(String::as_str) {
                Some("json") => plan::PlanFormat::Json,
                _ => plan::PlanFormat::Text,
            };
            plan::run(&asked, format, environ)
        }
        Some(("simulate", matches)) => simulate::run(&simulation(matches, environ), environ),
        Some(("schema", _)) => print(std::io::stdout(), schema::SCHEMA, 0),
        _ => unreachable!("clap knows no other command"),
    }
}

/// Everything that was given under a name.
#[cfg(feature = "tool")]
fn all<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<T> {
    matches.get_many(name).into_iter().flatten().cloned().collect()
}

/// How the function is started.
#[cfg(feature = "tool")]
fn asked(matches: &ArgMatches) -> function::FunctionOptions {
    function::FunctionOptions {
        configs: Vec::new(),
        env_files: all(matches, "env-file"),
        env: all(matches, "env"),
        runtime: matches.get_one::<String>("runtime").cloned(),
        directory: matches.get_one::<std::path::PathBuf>("directory").cloned(),
        command: all(matches, "command"),
    }
}

#[cfg(feature = "tool")]
fn simulation(matches: &ArgMatches, environ: &Environ) -> simulate::SimulateOptions {
    let number = |name| *matches.get_one::<u64>(name).expect("it has a default");
    simulate::SimulateOptions {
        snap_start: matches.get_flag("snap-start"),
        restores: number("restores"),
        events: all(matches, "events"),
        timeout: Duration::from_secs(number("timeout")),
        memory: number("memory"),
        asked: asked(matches),
        layers: all(matches, "layers"),
        format: match matches.get_one::<String>("format").map(String::as_str) {
            Some("json") => simulate::TimelineFormat::Json,
            _ => simulate::TimelineFormat::Text(Colors::of(std::io::stdout(), environ)),
        },
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
        None => print(std::io::stderr(), &help(), WRONG_USE),
        Some("help" | "-h" | "--help") => print(std::io::stdout(), &help(), 0),
        Some("-V" | "--version") => {
            print(std::io::stdout(), concat!("foreword ", env!("CARGO_PKG_VERSION"), "\n"), 0)
        }
        Some(word) if COMMANDS.contains(&word) => {
            let message = format!(
                "foreword: the layer's foreword has no command {word:?}; it is {ELSEWHERE}\n"
            );
            print(std::io::stderr(), &message, WRONG_USE)
        }
        Some(word) => wrong_use(&format!("unexpected argument '{word}' found")),
    }
}

#[cfg(feature = "tool")]
fn wrong_use(problem: &str) -> i32 {
    let usage = arguments::command().render_usage();
    print(
        std::io::stderr(),
        &format!("error: {problem}\n\n{usage}\n\nFor more information, try '--help'.\n"),
        WRONG_USE,
    )
}

#[cfg(not(feature = "tool"))]
fn wrong_use(problem: &str) -> i32 {
    let usage = format!("Usage: {}\n\nFor more information, try '--help'.", help::USAGE);
    print(std::io::stderr(), &format!("error: {problem}\n\n{usage}\n"), WRONG_USE)
}

fn print(mut to: impl Write, text: &str, status: i32) -> i32 {
    // Nobody is left to tell when standard output or error is closed.
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
    status
}
