//! The tool's command line, as clap knows it. The example that writes completions and man pages
//! reads this file too, so it uses nothing of foreword's but `help`.

use super::help;
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;

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
                    "Layers in the order in which the function has them: folders laid out as \
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
                .value_parser(value_parser!(u64).range(1..=900)),
        )
        .after_help("Exits with 1 when there are errors; warnings change nothing.")
}

fn plan() -> Command {
    Command::new("plan")
        .about("Shows what foreword would do: command line, environment, hooks, and why")
        .override_usage("foreword plan [OPTIONS] [DIR] [-- PROGRAM [ARGUMENT]...]")
        .args(function())
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
                .value_parser(["text", "json"])
                .default_value("text"),
        )
        .after_help(
            "Nothing is started or changed. Exits with 1 when the configuration has errors.",
        )
}

/// What says how a function is started.
fn function() -> [Arg; 4] {
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
            .value_parser(value_parser!(OsString)),
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
        .args(function())
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
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("S")
                .help("The function's timeout in seconds")
                .default_value("3")
                .value_parser(numbers(1, 900)),
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
                .value_parser(["text", "json"]),
        )
        .after_help(
            "Exits with 1 when something did not go well, and with 128 and the signal's number \
             when interrupted.",
        )
}
