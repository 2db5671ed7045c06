//! The environment as the kernel hands it over (an ordered list of byte strings, with whatever
//! duplicates and oddities it holds) and the edits a configuration makes to it.
//! Entries that no edit names stay as they are, in their place; nothing here touches the process's own environment.

use crate::text::Text;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

#[derive(Clone, Default)]
pub struct Environ<'a> {
    entries: Vec<Entry<'a>>,
    /// Values that must not be shown and that no entry holds any more.
    forgotten: Vec<OsString>,
}

#[derive(Clone)]
struct Entry<'a> {
    text: Cow<'a, CStr>,
    /// Bytes before the `=`; `None` for an entry without one, which no name finds.
    name_length: Option<usize>,
    /// A hook exported the value, or a secret was put into it: it is shown nowhere.
    hidden: bool,
}

impl Entry<'_> {
    fn is(&self, name: &str) -> bool {
        self.name_length == Some(name.len()) && self.text.to_bytes().starts_with(name.as_bytes())
    }

    fn name(&self) -> Option<&[u8]> {
        self.name_length.map(|length| &self.text.to_bytes()[..length])
    }

    /// Whether its name says that it is a secret, a hook exported it, or one of these was put into it.
    fn is_hidden(&self) -> bool {
        self.hidden || self.name().is_some_and(says_secret)
    }

    fn value(&self) -> &OsStr {
        let start = self.name_length.map_or(0, |length| length + 1);
        OsStr::from_bytes(&self.text.to_bytes()[start..])
    }
}

impl<'a> Environ<'a> {
    pub fn from_entries(entries: impl IntoIterator<Item = &'a CStr>) -> Self {
        let entry = |text: &'a CStr| Entry {
            name_length: text.to_bytes().iter().position(|&byte| byte == b'='),
            text: Cow::Borrowed(text),
            hidden: false,
        };
        Self { entries: entries.into_iter().map(entry).collect(), forgotten: Vec::new() }
    }

    /// What `getenv` would give: of a variable that stands twice the first counts.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.entries.iter().find(|entry| entry.is(name)).map(Entry::value)
    }

    /// The value, unless the variable is unset or empty.
    pub fn non_empty(&self, name: &str) -> Option<&OsStr> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// The value for showing or for comparing with plain words; bytes that are not UTF-8 are replaced.
    pub fn lossy(&self, name: &str) -> Option<Cow<'_, str>> {
        self.non_empty(name).map(OsStr::to_string_lossy)
    }

    /// Sets a variable in its first place, or at the end; further copies of it go.
    pub fn set(&mut self, name: &str, value: &OsStr) {
        self.put(name, value, false);
    }

    /// Sets a variable to a value that must never be shown.
    pub fn set_hidden(&mut self, name: &str, value: &OsStr) {
        self.put(name, value, true);
    }

    fn put(&mut self, name: &str, value: &OsStr, hidden: bool) {
        self.remember(name);
        let bytes = [name.as_bytes(), b"=", value.as_bytes()].concat();
        let text = CString::new(bytes).expect("names and values are checked for NUL when they are read");
        let entry = Entry { text: Cow::Owned(text), name_length: Some(name.len()), hidden };
        match self.entries.iter().position(|entry| entry.is(name)) {
            None => self.entries.push(entry),
            Some(first) => {
                self.entries[first] = entry;
                self.remove_from(first + 1, name);
            }
        }
    }

    pub fn unset(&mut self, name: &str) {
        self.remember(name);
        self.remove_from(0, name);
    }

    /// Keeps the value of a variable that is about to go, if it must not be shown.
    fn remember(&mut self, name: &str) {
        let hidden = self.entries.iter().filter(|entry| entry.is(name) && entry.is_hidden());
        self.forgotten.extend(hidden.map(|entry| entry.value().to_owned()));
    }

    fn remove_from(&mut self, start: usize, name: &str) {
        let mut index = 0;
        self.entries.retain(|entry| {
            index += 1;
            index <= start || !entry.is(name)
        });
    }

    /// Performs one edit and says what it changed, if it changed anything.
    pub fn apply(&mut self, name: &str, edit: &Edit) -> Option<Change> {
        let before = self.value(name);
        let effect = edit.effect(before, self);
        if effect == Effect::Keep {
            return None;
        }
        let hidden = edit.texts().any(|text| text.names().any(|name| self.hides(name)))
            || (edit.keeps_old_value() && self.hides(name));
        let shown = |value: &OsStr, hidden: bool| if hidden { Shown::Redacted } else { Shown::Value(value.to_owned()) };
        let before = before.map(|value| shown(value, self.hides(name)));
        let after = match effect {
            Effect::Keep => None,
            Effect::Unset => {
                self.unset(name);
                None
            }
            Effect::Set(value) => {
                self.put(name, &value, hidden);
                Some(shown(&value, self.hides(name)))
            }
        };
        Some(Change { before, after })
    }

    fn hides(&self, name: &str) -> bool {
        says_secret(name.as_bytes()) || self.entries.iter().any(|entry| entry.is(name) && entry.is_hidden())
    }

    /// A text for a log or an error message: every value that must not be shown is replaced wherever it occurs.
    pub fn redact(&self, text: &OsStr) -> String {
        let present = self.entries.iter().filter(|entry| entry.is_hidden()).map(Entry::value);
        let mut values: Vec<&[u8]> =
            present.chain(self.forgotten.iter().map(OsString::as_os_str)).map(OsStrExt::as_bytes).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut rest = text.as_bytes();
        let mut shown = Vec::with_capacity(rest.len());
        while let Some((&first, tail)) = rest.split_first() {
            match values.iter().find(|value| !value.is_empty() && rest.starts_with(value)) {
                Some(value) => {
                    shown.extend_from_slice(REDACTED.as_bytes());
                    rest = &rest[value.len()..];
                }
                None => {
                    shown.push(first);
                    rest = tail;
                }
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The entries in the form that `execve` takes.
    pub fn entries(&self) -> Vec<&CStr> {
        self.entries.iter().map(|entry| entry.text.as_ref()).collect()
    }
}

/// Stands for a value that is not shown.
pub const REDACTED: &str = "[redacted]";

fn says_secret(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 5] = [b"secret", b"token", b"password", b"key", b"credential"];
    WORDS.iter().any(|word| name.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// What an edit did to a variable; `None` stands for unset.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub before: Option<Shown>,
    pub after: Option<Shown>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// May still hold a secret that came from elsewhere: `Environ::redact` shows it.
    Value(OsString),
    Redacted,
}

/// What the user wrote about one variable, or about the value of one option.
#[derive(Debug, PartialEq)]
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

impl Edit<'_> {
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

    fn texts(&self) -> impl Iterator<Item = &Text<'_>> {
        let (text, separator) = match self {
            Edit::Unset => (None, None),
            Edit::Set(text) | Edit::Default(text) => (Some(text), None),
            Edit::Prepend { text, separator } | Edit::Append { text, separator } => (Some(text), Some(separator)),
        };
        text.into_iter().chain(separator)
    }

    fn keeps_old_value(&self) -> bool {
        matches!(self, Edit::Prepend { .. } | Edit::Append { .. })
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
            Effect::Set(OsString::from_vec([first, separator.expand(environ).as_bytes(), second].concat()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text<'_> {
        Text::new(text.into()).expect("a text")
    }

    fn joining(part: &'static str, separator: &'static str) -> [Edit<'static>; 2] {
        [
            Edit::Prepend { text: text(part), separator: text(separator) },
            Edit::Append { text: text(part), separator: text(separator) },
        ]
    }

    fn after(entries: &[&CStr], name: &str, edit: &Edit) -> Vec<String> {
        let mut environ = Environ::from_entries(entries.iter().copied());
        environ.apply(name, edit);
        environ.entries().iter().map(|entry| entry.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn edits_a_variable_in_its_place_and_leaves_one_of_it() {
        let entries = [c"A=1", c"B=2", c"A=3", c"odd", c"=x"];
        assert_eq!(after(&entries, "A", &Edit::Set(text("${A}${B}"))), ["A=12", "B=2", "odd", "=x"]);
        assert_eq!(after(&entries, "A", &Edit::Unset), ["B=2", "odd", "=x"]);
        assert_eq!(after(&entries, "odd", &Edit::Set(text("1"))), ["A=1", "B=2", "A=3", "odd", "=x", "odd=1"]);
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

    #[test]
    fn hides_secrets_and_what_they_were_put_into() {
        let mut environ = Environ::from_entries([c"DB_PASSWORD=hunter2", c"URL=x"]);
        let change = environ.apply("COPY", &Edit::Set(text("pw=${DB_PASSWORD}"))).expect("a change");
        assert_eq!(change, Change { before: None, after: Some(Shown::Redacted) });
        let change = environ.apply("COPY", &Edit::Append { text: text("!"), separator: text("") }).expect("a change");
        assert_eq!(change.after, Some(Shown::Redacted));
        let change = environ.apply("URL", &Edit::Unset).expect("a change");
        assert_eq!(change, Change { before: Some(Shown::Value("x".into())), after: None });
        environ.set_hidden("EXPORTED", OsStr::new("topsecret"));
        assert_eq!(environ.redact(OsStr::new("-p hunter2 topsecret")), "-p [redacted] [redacted]");
    }
}
