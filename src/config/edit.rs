//! Edits of the environment, and of the values of options: what a configuration makes of one value,
//! given the environment that its texts refer to.

use super::Place;
use crate::environ::{Environ, REDACTED, is_secret_name};
use crate::template::Template;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// What the user wrote about one variable, or about the value of one option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edit<'a> {
    Set(Template<'a>),
    Unset,
    /// Sets when unset or empty.
    Default(Template<'a>),
    Prepend {
        text: Template<'a>,
        separator: Template<'a>,
    },
    Append {
        text: Template<'a>,
        separator: Template<'a>,
    },
}

/// The edit of one environment variable.
#[derive(Clone, Copy)]
pub struct EnvEdit<'a> {
    pub name: &'a str,
    pub edit: Edit<'a>,
    pub place: Place<'a>,
}

/// What an edit is about to change in an environment.
pub struct Change<'c> {
    /// `None` stands for unset.
    pub before: Option<&'c OsStr>,
    pub after: Option<&'c OsStr>,
    /// The environment before the edit.
    environ: &'c Environ<'c>,
}

/// Performs edits of an environment in their order, each seeing the ones before it. `each` is told
/// of every edit before it is performed, with what it changes, if it changes something.
pub fn apply<'e, 'a: 'e>(
    environ: &mut Environ,
    edits: impl IntoIterator<Item = &'e EnvEdit<'a>>,
    each: &mut impl FnMut(&EnvEdit<'a>, Option<&Change>),
) {
    for edit in edits {
        let before = environ.value(edit.name);
        let after = match edit.edit.effect(before, environ) {
            Effect::Keep => {
                each(edit, None);
                continue;
            }
            Effect::Unset => None,
            Effect::Set(value) => Some(value),
        };
        each(edit, Some(&Change { before, after: after.as_deref(), environ }));
        match after {
            None => environ.unset(edit.name),
            Some(value) => environ.set(edit.name, &value),
        }
    }
}

impl EnvEdit<'_> {
    /// Returns the line of the log about a change, without secrets.
    pub fn describe(&self, change: &Change) -> String {
        let environ = change.environ;
        let before =
            change.before.map_or("unset".into(), |value| environ.redact_value(self.name, value));
        let after = match change.after {
            None => "unset".into(),
            // Unlike the value before it, this one was not exported by a hook.
            Some(_) if is_secret_name(self.name.as_bytes()) => REDACTED.into(),
            Some(value) => format!("{:?}", environ.redact(value)),
        };
        format!("{}: env {}: {before} becomes {after}", self.place, self.name)
    }
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
    pub fn texts(&self) -> Vec<&Template<'a>> {
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
    separator: &Template,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn text(text: &str) -> Template<'_> {
        Template::new(text).expect("a text")
    }

    fn joining(part: &'static str, separator: &'static str) -> [Edit<'static>; 2] {
        [
            Edit::Prepend { text: text(part), separator: text(separator) },
            Edit::Append { text: text(part), separator: text(separator) },
        ]
    }

    fn after(entries: &[&CStr], name: &str, edit: &Edit) -> Vec<String> {
        let mut environ = Environ::from_entries(entries.iter().copied());
        let edit = EnvEdit { name, edit: *edit, place: Place::Formatted("") };
        apply(&mut environ, &[edit], &mut |_, _| {});
        environ.entries().iter().map(|entry| entry.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn edits_a_variable_in_its_place_and_leaves_one_of_it() {
        let entries = [c"A=1", c"B=2", c"A=3", c"odd", c"=x"];
        assert_eq!(
            after(&entries, "A", &Edit::Set(text("${A}${B}"))),
            ["A=12", "B=2", "odd", "=x"]
        );
        assert_eq!(after(&entries, "A", &Edit::Unset), ["B=2", "odd", "=x"]);
        assert_eq!(
            after(&entries, "odd", &Edit::Set(text("1"))),
            ["A=1", "B=2", "A=3", "odd", "=x", "odd=1"]
        );
    }

    #[test]
    fn what_is_no_edit_leaves_duplicates_alone() {
        let entries = [c"A=1", c"A=3"];
        assert_eq!(after(&entries, "A", &Edit::Default(text("2"))), ["A=1", "A=3"]);
        for edit in joining("${UNSET}", ":") {
            assert_eq!(after(&entries, "A", &edit), ["A=1", "A=3"]);
        }
    }

    #[test]
    fn default_and_joining_treat_empty_as_unset() {
        for entries in [&[c"A="] as &[&CStr], &[]] {
            assert_eq!(after(entries, "A", &Edit::Default(text("2"))), ["A=2"]);
            assert_eq!(after(entries, "A", &Edit::Default(text(""))), ["A="]);
            for edit in joining("x", ":") {
                assert_eq!(after(entries, "A", &edit), ["A=x"]);
            }
        }
        let [prepend, append] = joining("x", ":");
        assert_eq!(after(&[c"A=1"], "A", &prepend), ["A=x:1"]);
        assert_eq!(after(&[c"A=1"], "A", &append), ["A=1:x"]);
    }
}
