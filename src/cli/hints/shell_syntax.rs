//! Commands that are written as for a shell, where an array is executed as it is.

use crate::command_line::base_name;
use crate::template::Template;
use std::ffi::OsStr;

/// Words that mean something to a shell alone.
const OPERATORS: [&str; 14] =
    ["|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>>", "2>&1", ">&2", "&>"];

/// Commands that only a shell has.
const BUILTINS: [&str; 15] = [
    ".", "alias", "cd", "eval", "exec", "export", "read", "set", "shift", "source", "trap", "type",
    "ulimit", "umask", "unset",
];

const STRING: &str = "there is no shell; write the command as a string";

/// What is hardly meant in the words of a command, each with the index of its word.
pub fn shell_syntax_in(words: &[Template]) -> Vec<(usize, String)> {
    if runs_shell(words) {
        return Vec::new();
    }
    let mut messages = Vec::new();
    for (index, text) in words.iter().enumerate() {
        let word = text.written();
        let is_redirection =
            [">/", ">>/", "</", "2>/", "&>/"].iter().any(|start| word.starts_with(start));
        let is_operator = OPERATORS.contains(&word)
            || is_redirection
            || index > 0 && word.ends_with(';') && word.len() > 1;
        let before = index.checked_sub(1).map_or("", |before| words[before].written());
        if is_operator {
            messages.push((index, format!("{word:?} is an argument like any other: {STRING}")));
        } else if index > 0 && (word == "~" || word.starts_with("~/")) {
            messages.push((index, format!("{word:?} is no home directory: {STRING}")));
        } else if index > 0 && is_wildcard(word) && !before.starts_with('-') {
            messages.push((index, format!("{word:?} names no files: {STRING}")));
        } else if index == 0 {
            messages.extend(space_in_program(word).map(|message| (index, message)));
            if BUILTINS.contains(&word) {
                messages.push((index, format!("{word:?} is no program: {STRING}")));
            }
        }
    }
    messages
}

/// What is hardly meant in the name of a program.
pub fn space_in_program(word: &str) -> Option<String> {
    let (name, rest) = word.trim().split_once(' ')?;
    if let Some((variable, _)) = name.split_once('=')
        && !variable.contains('/')
    {
        return Some(format!(
            "{variable}=… is taken for a part of the program's name; put the variable into \"env\""
        ));
    }
    // A directory may have a space in its name.
    if rest.split(' ').any(|part| {
        part.find('/').is_some_and(|at| at > 0) && !part.starts_with(['-', '.', '/', '$'])
    }) {
        return None;
    }
    let first = rest.split(' ').next().unwrap_or_default();
    let more = if rest.trim().contains(' ') { ", …" } else { "" };
    let form = if first.contains('=') { "\"…\"".to_owned() } else { format!("{first:?}{more}") };
    Some(format!(
        "this names one program with a space in its name; write each word as a string: {name:?}, \
         {form}"
    ))
}

/// Whether a shell is given a text of its own.
pub fn runs_shell(words: &[Template]) -> bool {
    let program = words.first().map_or("", |word| word.written());
    let is_one = [&b"sh"[..], b"bash", b"dash", b"ash", b"zsh", b"busybox", b"env"]
        .contains(&base_name(OsStr::new(program)));
    is_one
        && words
            .iter()
            .any(|word| matches!(word.written(), "-c" | "-ec" | "-lc" | "-xc" | "-euc" | "-exc"))
}

fn is_wildcard(word: &str) -> bool {
    word == "*" || word.starts_with('/') && word.contains('*')
}
