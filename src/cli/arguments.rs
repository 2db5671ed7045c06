//! The tool's command line. clap ends here: everyone else gets the types of `options`.

use super::help;
use super::options::{
    CheckOptions, EnvVariable, EventSource, FunctionOptions, OutputFormat, PlanOptions,
    SimulateOptions, ToolCommand,
};
use clap::builder::{OsStringValueParser, PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, ValueHint, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Parses a command line, the program's name first.
///
/// # Errors
/// With clap's usage error, or the help or version that was asked for.
pub fn parse(arguments: &[OsString]) -> Result<ToolCommand, clap::Error> {
    let mut matches = command().try_get_matches_from(arguments)?;
    let (name, mut matches) = matches.remove_subcommand().expect("a subcommand is required");
    Ok(match name.as_str() {
        "check" => ToolCommand::Check(CheckOptions {
            files: all(&mut matches, "files"),
            layers: all(&mut matches, "layers"),
            timeout: matches.remove_one("timeout"),
            prints_policy: matches.get_flag("iam"),
        }),
        "plan" => ToolCommand::Plan(PlanOptions {
            configs: all(&mut matches, "config"),
            format: one(&mut matches, "format"),
            function: function_options(&mut matches),
        }),
        "schema" => ToolCommand::Schema,
        "simulate" => ToolCommand::Simulate(SimulateOptions {
            snap_start: matches.get_flag("snap-start"),
            restores: one(&mut matches, "restores"),
            events: all(&mut matches, "events"),
            timeout: one(&mut matches, "timeout"),
            memory: one(&mut matches, "memory"),
            layers: all(&mut matches, "layers"),
            format: one(&mut matches, "format"),
            function: function_options(&mut matches),
        }),
        _ => unreachable!("clap knows no other command"),
    })
}

fn function_options(matches: &mut ArgMatches) -> FunctionOptions {
    FunctionOptions {
        env_files: all(matches, "env-file"),
        env: all(matches, "env"),
        runtime: matches.remove_one("runtime"),
        directory: matches.remove_one("directory"),
        command: all(matches, "command"),
    }
}

/// Takes the values of an argument that may be given several times.
fn all<T: Clone + Send + Sync + 'static>(matches: &mut ArgMatches, name: &str) -> Vec<T> {
    matches.remove_many(name).into_iter().flatten().collect()
}

/// Takes the value of an argument that has a default.
fn one<T: Clone + Send + Sync + 'static>(matches: &mut ArgMatches, name: &str) -> T {
    matches.remove_one(name).expect("the argument has a default")
}

impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

/// Describes the command line, for parsing, help, completions and man pages.
pub fn command() -> Command {
    Command::new("foreword")
        .version(env!("CARGO_PKG_VERSION"))
        .about(help::ABOUT)
        .override_usage(format!("{}\n       foreword COMMAND [ARGUMENT]...", help::USAGE))
        .after_help(help::SURROUNDINGS.trim_end())
        .subcommand_value_name("COMMAND")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(check())
        .subcommand(plan())
        .subcommand(schema())
        .subcommand(simulate())
}

fn check() -> Command {
    Command::new("check")
        .about(
            "Finds everything that is wrong with a configuration, and with the layers that it \
             relies on",
        )
        .arg(
            Arg::new("files")
                .value_name("FILES")
                .help(
                    "Configurations, or directories of code; without any, what a function here \
                     would load",
                )
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath),
        )
        .arg(
            Arg::new("layers")
                .long("layer")
                .value_name("DIR|ZIP")
                .help(
                    "Layers in the order in which the function has them: directories laid out as \
                     under /opt, or zips",
                )
                .num_args(1..)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("S")
                .help("The function's timeout in seconds, which the init has when it runs again")
                .value_parser(value_parser!(u64).range(1..=900).map(Duration::from_secs)),
        )
        .arg(
            Arg::new("iam")
                .long("iam")
                .help("Prints only the smallest IAM policy that lets the function get its secrets")
                .action(ArgAction::SetTrue),
        )
        .after_help("Exits with 1 when there are errors; warnings change nothing.")
}

fn plan() -> Command {
    Command::new("plan")
        .about("Shows what foreword would do: command line, environment, hooks, and why")
        .override_usage("foreword plan [OPTIONS] [DIR] [-- PROGRAM [ARGUMENT]...]")
        .args(function_arguments())
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help(
                    "A configuration in the place of those that a function here would load; may \
                     be given several times",
                )
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath),
        )
        .arg(Arg::new("runtime").long("runtime").value_name("NAME").help(
            "The environment and the command line that Lambda gives this runtime, such as \
             python3.12",
        ))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help("For people or for programs")
                .value_parser(value_parser!(OutputFormat))
                .default_value("text"),
        )
        .after_help(
            "Nothing is started or changed. Exits with 1 when the configuration has errors.",
        )
}

/// The arguments that `function_options` reads, but for the runtime.
fn function_arguments() -> [Arg; 4] {
    [
        Arg::new("directory")
            .value_name("DIR")
            .help("The directory of the function's code [default: LAMBDA_TASK_ROOT, or this one]")
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::DirPath),
        Arg::new("env")
            .long("env")
            .value_name("NAME=VALUE")
            .help("A variable; a name alone takes the value from this shell")
            .action(ArgAction::Append)
            .value_parser(OsStringValueParser::new().try_map(|entry| EnvVariable::parse(&entry))),
        Arg::new("env-file")
            .long("env-file")
            .value_name("FILE")
            .help("Variables, one a line, as docker run --env-file has them")
            .action(ArgAction::Append)
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::FilePath),
        Arg::new("command")
            .value_name("PROGRAM")
            .help(
                "The runtime's command line, as foreword receives it, or an image's ENTRYPOINT \
                 and CMD; --runtime knows it",
            )
            .last(true)
            .num_args(0..)
            .value_parser(value_parser!(OsString))
            .value_hint(ValueHint::CommandWithArguments),
    ]
}

fn schema() -> Command {
    Command::new("schema")
        .about("Prints the JSON Schema of the configuration, for editors")
        .after_help(
            "An editor that knows \"$schema\" completes from it: foreword schema \
             >foreword.schema.json",
        )
}

fn simulate() -> Command {
    let numbers = |from, to| value_parser!(u64).range(from..=to);
    Command::new("simulate")
        .about(
            "Runs a function here as Lambda would, from its init through snapshot and restore to \
             its shutdown",
        )
        .override_usage("foreword simulate [OPTIONS] [DIR] [-- PROGRAM [ARGUMENT]...]")
        .args(function_arguments())
        .arg(
            Arg::new("snap-start")
                .long("snap-start")
                .help("Takes the function through a snapshot and a restore")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("restores")
                .long("restores")
                .value_name("N")
                .help("So many environments of the same function, one after the other")
                .requires("snap-start")
                .default_value("1")
                .value_parser(numbers(1, 1000)),
        )
        .arg(
            Arg::new("events")
                .long("event")
                .value_name("JSON|@FILE")
                .help("Invokes the function with this; may be given several times [default: {}]")
                .action(ArgAction::Append)
                .value_parser(StringValueParser::new().map(EventSource::from)),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("S")
                .help("The function's timeout in seconds")
                .default_value("3")
                .value_parser(numbers(1, 900).map(Duration::from_secs)),
        )
        .arg(
            Arg::new("memory")
                .long("memory")
                .value_name("MB")
                .help("The function's memory, which it is told; nothing limits it here")
                .default_value("128")
                .value_parser(numbers(128, 10240)),
        )
        .arg(Arg::new("runtime").long("runtime").value_name("NAME").help(
            "Lambda's identifier of the runtime, such as python3.12; without a program, starts \
             its client here",
        ))
        .arg(
            Arg::new("layers")
                .long("layer")
                .value_name("DIR|ZIP")
                .help(
                    "Layers to lay under /opt, with their extensions, in the order in which the \
                     function has them",
                )
                .num_args(1..)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help("A timeline for people, or one JSON object a line")
                .default_value("text")
                .value_parser(value_parser!(OutputFormat)),
        )
        .after_help(
            "Exits with 1 when something did not go well, and with 128 and the signal's number \
             when interrupted.",
        )
}
