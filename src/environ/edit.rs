//! An edit of one value, a variable's or an option's, and what it comes to. Changes nothing.

use super::Environ;
use crate::text::Text;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What the user wrote about one variable, or about the value of one option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit<'a> {
    Set(Text<'a>),
    Unset,
    /// Sets when unset or empty.
    Default(Text<'a>),
    Prepend {
        text: Text<'a>,
        separator: Text<'a>,
    },
    Append {
        text: Text<'a>,
        separator: Text<'a>,
    },
}

/// What an edit comes to, given the value that it meets.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    Keep,
    Set(OsString),
    Unset,
}

impl<'a> Edit<'a> {
    /// The texts in it.
    pub fn texts(&self) -> Vec<&Text<'a>> {
        match self {
            Edit::Unset => Vec::new(),
            Edit::Set(text) | Edit::Default(text) => vec![text],
            Edit::Prepend { text, separator } | Edit::Append { text, separator } => {
                vec![text, separator]
            }
        }
    }

    /// Works out the edit of a value; its texts see `environ`.
    pub fn effect(&self, current: Option<&OsStr>, environ: &Environ) -> Effect {
        let current = current.filter(|value| !value.is_empty());
        match self {
            Edit::Set(text) => Effect::Set(text.expand(environ)),
            Edit::Unset => Effect::Unset,
            Edit::Default(_) if current.is_some() => Effect::Keep,
            Edit::Default(text) => Effect::Set(text.expand(environ)),
            Edit::Prepend { text, separator } => {
                joined(text.expand(environ), separator, current, environ, |text, old| [text, old])
            }
            Edit::Append { text, separator } => {
                joined(text.expand(environ), separator, current, environ, |text, old| [old, text])
            }
        }
    }
}

fn joined<'v>(
    text: OsString,
    separator: &Text,
    current: Option<&'v OsStr>,
    environ: &Environ,
    order: impl for<'t> Fn(&'t [u8], &'t [u8]) -> [&'t [u8]; 2],
) -> Effect {
    match current {
        _ if text.is_empty() => Effect::Keep,
        None => Effect::Set(text),
        Some(old) => {
            let [first, second] = order(text.as_bytes(), old.as_bytes());
            Effect::Set(OsString::from_vec(
                [first, separator.expand(environ).as_bytes(), second].concat(),
            ))
        }
    }
}
