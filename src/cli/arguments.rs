//! The tool's command line, as clap knows it. The example that writes completions and man pages reads this file too,
//! so it uses nothing of foreword's but `help`.

use super::help;
use clap::{Arg, ArgAction, Command, ValueHint, value_parser};
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
        .subcommand(schema())
}

fn check() -> Command {
    Command::new("check")
        .about("Finds everything that is wrong with a configuration, and with the layers that it relies on")
        .arg(
            Arg::new("files")
                .value_name("FILES")
                .help("Configurations; without any, those that a function here would load")
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::FilePath),
        )
        .arg(
            Arg::new("layers")
                .long("layer")
                .value_name("DIR|ZIP")
                .help("Layers in the order in which the function has them: folders laid out as under /opt, or zips")
                .num_args(1..)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .value_hint(ValueHint::AnyPath),
        )
        .after_help("Exits with 1 when there are errors; warnings change nothing.")
}

fn schema() -> Command {
    Command::new("schema")
        .about("Prints the JSON Schema of the configuration, for editors")
        .after_help("An editor that knows \"$schema\" completes from it: foreword schema >foreword.schema.json")
}
