//! The command line, read into a `Request`. Fetches nothing.

use crate::failure::{self, Failure};
use crate::output::Format;
use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser, value_parser};
use foreword_secrets::reference::{Path, Reference};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What to resolve, and what becomes of it.
#[derive(Debug)]
pub struct Request {
    /// Each name once, in the order given.
    pub variables: Vec<(String, Reference)>,
    /// Prefixes, and the paths whose parameters they are for.
    pub paths: Vec<(String, Path)>,
    pub keep_existing: bool,
    pub format: Format,
    /// Standard output, unless given.
    pub file: Option<PathBuf>,
    /// For all requests together.
    pub timeout: Duration,
}

/// Why there is nothing to resolve.
#[derive(Debug)]
pub enum End {
    /// Help, the version, or a mistake that clap describes.
    Clap(clap::Error),
    /// Mistakes in references, all of them.
    References(Vec<String>),
}

impl End {
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Clap(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Failure::USAGE))
            }
            Self::References(lines) => failure::report(lines, Failure::USAGE),
        }
    }
}

pub fn command() -> Command {
    Command::new("foreword-secrets")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Resolves references to parameters and secrets of AWS")
        .after_help(
            "References:\n  \
             ssm:NAME                  a parameter; ssm:NAME:3 a version, ssm:NAME:LABEL a \
             label\n  \
             secretsmanager:ID         a secret; ID#KEY a field of its JSON, ID@STAGE a stage\n  \
             arn:…                     the ARN of either, as in ECS's valueFrom\n\n\
             Exit status: 0 all were resolved, 1 not all were, 2 wrong use.",
        )
        .arg(
            Arg::new("variables")
                .value_name("NAME=REFERENCE")
                .help("A variable, and where its value is")
                .action(ArgAction::Append)
                .required_unless_present("path"),
        )
        .arg(
            Arg::new("path")
                .long("path")
                .value_name("PREFIX=PATH")
                .help("Everything below a path, such as APP_=ssm:/prod/app/; PREFIX may be empty")
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help("How the values are written")
                .value_parser(PossibleValuesParser::new(Format::NAMES))
                .default_value("json"),
        )
        .arg(
            Arg::new("file")
                .long("file")
                .value_name("PATH")
                .help("Write to a file that only its owner can read, and print nothing")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("keep-existing")
                .long("keep-existing")
                .help("Leave out variables that have another value already")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("timeout-ms")
                .long("timeout-ms")
                .value_name("MILLISECONDS")
                .help("The limit for all requests together")
                .value_parser(value_parser!(u64).range(1..))
                .default_value("3000"),
        )
}

/// Parses the command line; `arguments` begins with the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, End> {
    let mut matches = command().try_get_matches_from(arguments).map_err(End::Clap)?;
    let mut all =
        |id: &str| -> Vec<String> { matches.remove_many(id).into_iter().flatten().collect() };
    let (variables, paths) = (all("variables"), all("path"));
    let format = matches.get_one::<String>("format").and_then(|name| Format::parse(name));
    let request = Request {
        variables: Vec::new(),
        paths: Vec::new(),
        keep_existing: matches.get_flag("keep-existing"),
        format: format.unwrap_or(Format::Json),
        file: matches.remove_one("file"),
        timeout: Duration::from_millis(matches.remove_one("timeout-ms").unwrap_or(3000)),
    };
    with_references(request, &variables, &paths)
}

/// Reads the references; every mistake is named. What stands in the place of a reference is not
/// quoted: it may be a value.
fn with_references(
    mut request: Request,
    variables: &[String],
    paths: &[String],
) -> Result<Request, End> {
    let mut mistakes = Vec::new();
    let mut names = BTreeSet::new();
    for variable in variables {
        let Some((name, text)) = variable.split_once('=') else {
            mistakes.push("an argument has no =; write NAME=REFERENCE".to_owned());
            continue;
        };
        if let Err(cause) = check_name(name, request.format) {
            mistakes.push(format!("unable to set {name:?}: {cause}"));
        } else if !names.insert(name) {
            mistakes.push(format!("unable to set {name:?}: it is given twice"));
        }
        match Reference::parse(text) {
            Ok(reference) => request.variables.push((name.to_owned(), reference)),
            Err(cause) => {
                mistakes.push(format!("unable to read the reference for {name}: {cause}"));
            }
        }
    }
    for path in paths {
        let Some((prefix, text)) = path.split_once('=') else {
            mistakes.push("--path has no =; write PREFIX=ssm:/PATH/".to_owned());
            continue;
        };
        match Path::parse(text) {
            Ok(path) => request.paths.push((prefix.to_owned(), path)),
            Err(cause) => {
                mistakes.push(format!("unable to read the path for {prefix:?}: {cause}"));
            }
        }
    }
    if mistakes.is_empty() { Ok(request) } else { Err(End::References(mistakes)) }
}

/// What no environment can hold, and what dotenv's readers do not read.
pub fn check_name(name: &str, format: Format) -> Result<(), &'static str> {
    let posix = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match format {
        _ if name.is_empty() => Err("the name is empty"),
        Format::Dotenv if !name.bytes().all(posix) || name.as_bytes()[0].is_ascii_digit() => {
            Err("dotenv has names of letters, digits and _ only; use --format json")
        }
        _ => Ok(()),
    }
}
