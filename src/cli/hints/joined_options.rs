//! Options that share a string, which an interpreter takes for one word.

use crate::command_line::{Interpreter, takes_value};

/// What is hardly meant in an option that a rule adds.
pub fn joined_option(text: &str) -> Option<String> {
    let (name, rest) =
        text.split_once(char::is_whitespace).filter(|(name, _)| name.starts_with('-'))?;
    let rest = rest.trim();
    let is_option = |interpreter: &Interpreter| takes_value(Some(*interpreter), name.as_bytes());
    let next = rest.split_whitespace().next().unwrap_or_default();
    if !name.contains('=') && Interpreter::ALL.iter().any(is_option) {
        return Some(format!("an option and its value are two strings: {name:?}, {rest:?}"));
    }
    // The JVM is told commands in such options.
    let is_command = name.contains("OnError=") || name.contains("OnOutOfMemoryError=");
    let other = rest.split_whitespace().find(|word| {
        word.strip_prefix('-')
            .is_some_and(|word| word.starts_with(|c: char| c == '-' || c.is_ascii_alphabetic()))
    });
    let is_quoted = text.contains(['"', '\'']);
    match other {
        Some(other) if !is_command && !is_quoted => {
            let (name, other) = (shown(name), shown(other));
            Some(format!("two options are two strings: \"{name}\", \"{other}\""))
        }
        _ if !name.contains(['=', ':']) && name.starts_with("--") && !next.is_empty() => Some(
            format!("an option and its value are two strings, or joined by \"=\": \"{name}=…\""),
        ),
        _ => None,
    }
}

/// An option without its value, which may be a secret.
fn shown(option: &str) -> String {
    option.split_once('=').map_or(option.into(), |(name, _)| format!("{name}=…"))
}
