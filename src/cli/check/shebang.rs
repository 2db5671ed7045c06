//! The `#!` line of a script, against the interpreters that the function has (execve(2), env(1)).

use super::files::{FunctionFiles, Lookup};
use super::missing_program::missing_program_message;
use super::runtimes::CandidateRuntimes;
use crate::cli::finding::Severity;
use crate::lambda::{self, LAYERS};

/// Programs of every image that Lambda's runtimes run in.
const EVERYWHERE: [&str; 6] =
    ["/bin/sh", "/bin/bash", "/bin/env", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/env"];

/// What is wrong with a `#!` line, and at which byte of the file. The severity is that of what
/// nothing can execute.
pub fn fault(
    line: &[u8],
    files: &FunctionFiles,
    runtimes: &CandidateRuntimes,
    severity: Severity,
) -> Option<(Severity, usize, String)> {
    if line.ends_with(b"\r") {
        let message = "the #! line ends in a carriage return, so that nothing can execute the \
                       file; save it with Unix line endings (sed -i 's/\\r$//')";
        return Some((Severity::Error, 1 + line.len(), message.into()));
    }
    let text = String::from_utf8_lossy(line).into_owned();
    let Some(named) = text.split_ascii_whitespace().next() else {
        return Some((Severity::Error, 0, "the #! line names no interpreter".into()));
    };
    let column = |word: &str| 2 + text.find(word).unwrap_or_default();
    let is_in_layers = lambda::strip_layers(named).is_some();
    if is_in_layers || lambda::strip_task_root(named).is_some() {
        let message = match files.look_up(named) {
            Lookup::Nothing(_) if is_in_layers => {
                format!(
                    "the interpreter {named:?} is in none of the layers; add the layer that has it"
                )
            }
            Lookup::Nothing(_) => {
                format!("the interpreter {named:?} is not beside the code; add it")
            }
            Lookup::Directory => {
                format!("the interpreter {named:?} is a directory; name a program")
            }
            Lookup::File(file) if file.mode.is_none_or(|mode| mode & 0o001 == 0) => {
                format!(
                    "the interpreter {named:?} has no execute permission for other users; chmod \
                     a+rx {}",
                    file.name
                )
            }
            Lookup::File(_) | Lookup::Unknown | Lookup::NoLayers | Lookup::Astray(_) => {
                return None;
            }
        };
        return Some((Severity::Warning, column(named), message));
    }
    if named.rsplit('/').next() == Some("env") && EVERYWHERE.contains(&named) {
        let arguments = text[text.find(named)? + named.len()..].trim();
        return match program_of_env(arguments, runtimes) {
            Ok(program) => missing_program_message(program, runtimes, files)
                .map(|message| (Severity::Warning, column(program), message)),
            Err(message) => message.map(|message| (Severity::Warning, column(arguments), message)),
        };
    }
    if EVERYWHERE.contains(&named) {
        return None;
    }
    let is_in_image = named.starts_with("/usr/bin/")
        || named.starts_with("/bin/")
        || named.starts_with("/var/lang/");
    let whose = match runtimes.lacking(named) {
        Some(whose) => whose,
        // What no image is known to have elsewhere, none has.
        None if !is_in_image => "Lambda's runtimes have".into(),
        None => return None,
    };
    let name = named.rsplit('/').next().unwrap_or_default();
    let in_layer = format!("{LAYERS}/bin/{name}");
    let instead = match runtimes.interpreter_like(name) {
        None if matches!(files.look_up(&in_layer), Lookup::File(_)) => format!("write {in_layer}"),
        Some(_) if runtimes.lacking(name).is_none() => format!("write /usr/bin/env {name}"),
        Some(other) => format!("write /usr/bin/env {other}"),
        None => "write one that is, such as /bin/sh, or bring it in a layer".into(),
    };
    let whose = match whose.as_str() {
        "Lambda's runtimes have" => "is not in Lambda's runtimes".to_owned(),
        whose => format!("is not where {whose} programs"),
    };
    // Some images have one or the other of these.
    let severity = if is_in_image { Severity::Warning } else { severity };
    Some((severity, column(named), format!("the interpreter {named:?} {whose}; {instead}")))
}

/// The program that `env` looks up, given what follows it in a `#!` line; or what is wrong with
/// that (env(1)).
fn program_of_env<'t>(
    arguments: &'t str,
    runtimes: &CandidateRuntimes,
) -> Result<&'t str, Option<String>> {
    let first = arguments.split_ascii_whitespace().next().ok_or(None)?;
    let splits =
        first.starts_with("-S") || first.starts_with("-vS") || first.starts_with("--split-string");
    if splits && runtimes.are_amazon_linux_2() {
        return Err(Some(
            "the env of Amazon Linux 2 has no option -S; name the interpreter without options"
                .into(),
        ));
    }
    if !splits {
        // The kernel gives everything behind the interpreter as one argument.
        return match arguments.contains(char::is_whitespace)
            && !first.starts_with('-')
            && !first.contains('=')
        {
            true => Err(Some(format!(
                "the kernel gives env {arguments:?} as one word, and there is no such program; \
                 write /usr/bin/env -S {arguments}"
            ))),
            false => {
                Some(first).filter(|word| !word.starts_with('-') && !word.contains('=')).ok_or(None)
            }
        };
    }
    let joined = first
        .strip_prefix("--split-string=")
        .or(first.strip_prefix("-S"))
        .filter(|rest| !rest.is_empty());
    let mut words = joined.into_iter().chain(arguments.split_ascii_whitespace().skip(1));
    while let Some(word) = words.next() {
        match word {
            "-u" | "--unset" | "-C" | "--chdir" => drop(words.next()),
            word if word.starts_with('-') || word.contains('=') => {}
            word => return Ok(word),
        }
    }
    Err(None)
}
