//! In which role foreword was started. It is chosen before anything is parsed, from the name and the
//! arguments that foreword was started with and two variables.

use crate::chain::{self, StandInCall};
use crate::cli;
use crate::command_line::Interpreter;
use crate::config;
use crate::environ::Environ;
use crate::lambda::RUNTIME_API;
use crate::process::{self, StandIn};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub enum Role {
    /// A wrapper of the chain started foreword, most often in the belief that it is the interpreter.
    StandIn(StandInCall),
    /// The same, but without the variable that carries the chain.
    LostStandIn(OsString),
    /// Lambda, or an `ENTRYPOINT`, started foreword with this command line of the runtime.
    Wrapper(Vec<OsString>),
    /// Lambda started an extension of this name.
    Extension(OsString),
    /// An OS-only runtime started `/opt/bootstrap`.
    Bootstrap,
    /// A person started the command line tool.
    Tool,
}

/// What foreword's own path says.
#[derive(Clone, Copy, PartialEq)]
enum Called {
    /// `foreword`, or a name that means nothing here.
    ByName,
    /// A stand-in's path, or in a chain any name but foreword's.
    AsStandIn,
    InExtensions,
    AsBootstrap,
}

/// What the first argument says.
#[derive(Clone, Copy)]
enum Given<'w> {
    Nothing,
    /// The runtime's command line: what follows `--`, or begins with a path.
    CommandLine(&'w [OsString]),
    /// A bare word and what follows it.
    Word(&'w [OsString]),
    /// An option of an interpreter's, which foreword does not have, and what follows it.
    InterpretersOption(&'w [OsString]),
    /// An option of foreword's own.
    Option,
}

/// Chooses the role. Lambda names the program by its path, so what a person types is told apart by
/// having no `/`.
pub fn choose(arguments: &[OsString], environ: &Environ) -> Role {
    use Called::{AsBootstrap, AsStandIn, ByName, InExtensions};
    use Given::{CommandLine, InterpretersOption, Nothing, Option, Word};
    let is_in_chain = chain::is_staged(environ);
    let is_in_function = environ.non_empty(RUNTIME_API).is_some();
    match (is_in_chain, called(arguments, is_in_chain), given(arguments)) {
        (true, AsStandIn, _) | (true, _, Nothing | InterpretersOption(_) | CommandLine([])) => {
            Role::StandIn(returned(arguments, None))
        }
        (true, _, CommandLine(words)) => in_chain(arguments, words, environ),
        (true, _, Word(words)) if is_in_function || !is_command(&words[0]) => {
            in_chain(arguments, words, environ)
        }
        (true, _, Word(_) | Option) => Role::Tool,

        (false, AsStandIn, _) => Role::LostStandIn(arguments[0].clone()),
        // Starting over would loop forever.
        (false, _, CommandLine([program, ..])) if is_this_stand_in(program) => {
            Role::LostStandIn(program.clone())
        }
        (false, _, CommandLine(words)) => Role::Wrapper(words.to_vec()),
        (false, _, InterpretersOption(words)) if words[0].as_bytes().contains(&b'/') => {
            Role::Wrapper(words.to_vec())
        }
        (false, InExtensions, Nothing) => {
            Role::Extension(OsStr::from_bytes(own_name(arguments)).to_owned())
        }
        (false, AsBootstrap, _) => Role::Bootstrap,
        // In a function, where nobody reads usage, every word is a program.
        (false, _, Word(words)) if is_in_function => Role::Wrapper(words.to_vec()),
        // Elsewhere it is a command of the tool, whatever PATH has: `foreword init` must never run
        // /sbin/init.
        (false, ByName | InExtensions, Nothing | Word(_) | InterpretersOption(_) | Option) => {
            Role::Tool
        }
    }
}

fn called(arguments: &[OsString], is_in_chain: bool) -> Called {
    let Some(path) = arguments.first() else { return Called::ByName };
    let is_foreword = own_name(arguments) == b"foreword";
    let is_stand_in = match is_in_chain {
        true => StandIn::executed().is_some() || !is_foreword,
        false => !is_foreword && (StandIn::is_at(path) || Interpreter::of_program(path).is_some()),
    };
    match path.as_bytes().rsplit(|&byte| byte == b'/').nth(1) {
        _ if is_stand_in => Called::AsStandIn,
        Some(b"extensions") => Called::InExtensions,
        _ if own_name(arguments) == b"bootstrap" => Called::AsBootstrap,
        _ => Called::ByName,
    }
}

fn given(arguments: &[OsString]) -> Given<'_> {
    let Some(first) = arguments.get(1) else { return Given::Nothing };
    match first.as_bytes() {
        b"--" => Given::CommandLine(&arguments[2..]),
        [b'-', ..] if cli::OPTIONS.iter().any(|option| first == option) => Given::Option,
        [b'-', ..] => Given::InterpretersOption(&arguments[1..]),
        word if word.contains(&b'/') => Given::CommandLine(&arguments[1..]),
        _ => Given::Word(&arguments[1..]),
    }
}

/// A wrapper of the chain started foreword with a program.
fn in_chain(arguments: &[OsString], words: &[OsString], environ: &Environ) -> Role {
    match config::is_disabled(environ) {
        true => Role::Wrapper(words.to_vec()),
        false => Role::StandIn(returned(arguments, Some(words))),
    }
}

fn returned(arguments: &[OsString], words: Option<&[OsString]>) -> StandInCall {
    let own_path = arguments.first().cloned().unwrap_or_default();
    match words.and_then(<[_]>::split_first) {
        Some((program, rest)) => {
            StandInCall { name: own_path, program: Some(program.clone()), arguments: rest.to_vec() }
        }
        None => StandInCall {
            name: StandIn::executed().unwrap_or(own_path),
            program: None,
            arguments: arguments.get(1..).unwrap_or_default().to_vec(),
        },
    }
}

fn own_name(arguments: &[OsString]) -> &[u8] {
    let path = arguments.first().map_or(&b""[..], |path| path.as_bytes());
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

fn is_command(word: &OsStr) -> bool {
    cli::COMMANDS.iter().any(|command| word == *command)
}

fn is_this_stand_in(program: &OsStr) -> bool {
    StandIn::is_at(program) && process::is_this_program(Path::new(program))
}
