//! Chooses the role in which foreword was started, before anything is parsed: from its own path,
//! its first argument, and the variables of the wrapper chain and of the Runtime API.

use crate::chain::{self, StandInCall};
use crate::cli;
use crate::command_line::{Interpreter, base_name};
use crate::config;
use crate::environ::Environ;
use crate::lambda::RUNTIME_API;
use crate::process::{self, StandIn};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A role of foreword, with what it needs from the command line.
pub enum Role {
    /// Another wrapper of the chain executed foreword, most often as the interpreter.
    StandIn(StandInCall),
    /// Another wrapper executed the stand-in of this path without the variables of the chain.
    LostStandIn(OsString),
    /// Lambda, or an image's `ENTRYPOINT`, executed foreword with this command line of the runtime.
    Wrapper(Vec<OsString>),
    /// Lambda executed the extension of this name.
    Extension(OsString),
    /// An OS-only runtime executed `/opt/bootstrap`.
    Bootstrap,
    /// A person executed the command line tool.
    Tool,
}

/// Chooses the role. The first of these that matches decides: the stand-in, the
/// wrapper, the extension, the bootstrap, the tool.
pub fn choose(arguments: &[OsString], environ: &Environ) -> Role {
    let is_in_function = environ.non_empty(RUNTIME_API).is_some();
    let first = FirstArgument::of(arguments);
    // The stand-in: the variables of a chain are set.
    if chain::is_staged(environ) {
        return choose_in_chain(arguments, first, is_in_function, environ);
    }
    match (OwnPath::of(arguments), first) {
        // The stand-in without its chain: executing the interpreter would execute foreword again.
        (OwnPath::StandIn, _) => Role::LostStandIn(arguments[0].clone()),
        (_, FirstArgument::CommandLine([program, ..])) if is_own_stand_in(program) => {
            Role::LostStandIn(program.clone())
        }
        // The wrapper: `--`, an argument with a `/`, or in a function any word.
        (_, FirstArgument::CommandLine(words)) => Role::Wrapper(words.to_vec()),
        (_, FirstArgument::UnknownOption(words)) if has_slash(&words[0]) => {
            Role::Wrapper(words.to_vec())
        }
        (OwnPath::Other | OwnPath::InExtensions, FirstArgument::Word(words)) if is_in_function => {
            Role::Wrapper(words.to_vec())
        }
        // The extension: no arguments, in a directory `extensions`.
        (OwnPath::InExtensions, FirstArgument::Missing) => {
            Role::Extension(OsStr::from_bytes(base_name(&arguments[0])).to_owned())
        }
        // The bootstrap: its name alone.
        (OwnPath::Bootstrap, _) => Role::Bootstrap,
        // The tool. A word is a command of the tool and never a program in PATH: `foreword init`
        // must not run /sbin/init.
        (OwnPath::Other | OwnPath::InExtensions, _) => Role::Tool,
    }
}

/// Chooses the role in a wrapper chain: the stand-in, unless a person uses the tool there.
fn choose_in_chain(
    arguments: &[OsString],
    first: FirstArgument,
    is_in_function: bool,
    environ: &Environ,
) -> Role {
    let is_named_foreword = arguments.first().is_none_or(|path| base_name(path) == b"foreword");
    let is_stand_in = StandIn::executed().is_some() || !is_named_foreword;
    match first {
        // What executes the interpreter passes any arguments.
        _ if is_stand_in => Role::StandIn(call_without_program(arguments)),
        FirstArgument::Missing
        | FirstArgument::UnknownOption(_)
        | FirstArgument::CommandLine([]) => Role::StandIn(call_without_program(arguments)),
        // The tool: its options, and outside a function its commands.
        FirstArgument::ToolOption => Role::Tool,
        FirstArgument::Word([word, ..]) if !is_in_function && is_command(word) => Role::Tool,
        // A wrapper executed foreword with a program, as Lambda would.
        FirstArgument::CommandLine(words) | FirstArgument::Word(words)
            if config::is_disabled(environ) =>
        {
            Role::Wrapper(words.to_vec())
        }
        FirstArgument::CommandLine(words) | FirstArgument::Word(words) => {
            Role::StandIn(call_with_program(arguments, words))
        }
    }
}

/// The meaning of foreword's own path, outside a wrapper chain.
#[derive(Clone, Copy)]
enum OwnPath {
    /// The path of a stand-in, or the name of an interpreter.
    StandIn,
    /// A file in a directory named `extensions`.
    InExtensions,
    /// A file named `bootstrap`.
    Bootstrap,
    /// `foreword`, or a name without a meaning.
    Other,
}

impl OwnPath {
    fn of(arguments: &[OsString]) -> Self {
        let Some(path) = arguments.first() else { return Self::Other };
        let name = base_name(path);
        let is_interpreter = || StandIn::is_at(path) || Interpreter::from_program(path).is_some();
        let directory = path.as_bytes().rsplit(|&byte| byte == b'/').nth(1);
        match (directory, name) {
            _ if name != b"foreword" && is_interpreter() => Self::StandIn,
            (Some(b"extensions"), _) => Self::InExtensions,
            (_, b"bootstrap") => Self::Bootstrap,
            _ => Self::Other,
        }
    }
}

/// The meaning of the first argument.
#[derive(Clone, Copy)]
enum FirstArgument<'w> {
    Missing,
    /// The runtime's command line: what follows `--`, or begins with a path.
    CommandLine(&'w [OsString]),
    /// A word without a `/`, and what follows it.
    Word(&'w [OsString]),
    /// An option of foreword's tool.
    ToolOption,
    /// Another option, which may be the interpreter's, and what follows it.
    UnknownOption(&'w [OsString]),
}

impl<'w> FirstArgument<'w> {
    fn of(arguments: &'w [OsString]) -> Self {
        let Some(first) = arguments.get(1) else { return Self::Missing };
        match first.as_bytes() {
            b"--" => Self::CommandLine(&arguments[2..]),
            [b'-', ..] if cli::OPTIONS.iter().any(|option| first == option) => Self::ToolOption,
            [b'-', ..] => Self::UnknownOption(&arguments[1..]),
            _ if has_slash(first) => Self::CommandLine(&arguments[1..]),
            _ => Self::Word(&arguments[1..]),
        }
    }
}

/// Returns the call of a wrapper that executed foreword as the interpreter.
fn call_without_program(arguments: &[OsString]) -> StandInCall {
    StandInCall {
        name: StandIn::executed().unwrap_or_else(|| own_path(arguments)),
        program: None,
        arguments: arguments.get(1..).unwrap_or_default().to_vec(),
    }
}

/// Returns the call of a wrapper that executed foreword with a program and its arguments.
fn call_with_program(arguments: &[OsString], words: &[OsString]) -> StandInCall {
    StandInCall {
        name: own_path(arguments),
        program: Some(words[0].clone()),
        arguments: words[1..].to_vec(),
    }
}

fn own_path(arguments: &[OsString]) -> OsString {
    arguments.first().cloned().unwrap_or_default()
}

fn has_slash(word: &OsStr) -> bool {
    word.as_bytes().contains(&b'/')
}

fn is_command(word: &OsStr) -> bool {
    cli::COMMANDS.iter().any(|command| word == *command)
}

/// Tells whether a program is a stand-in that leads to the foreword that is running.
fn is_own_stand_in(program: &OsStr) -> bool {
    StandIn::is_at(program) && process::is_this_program(Path::new(program))
}
