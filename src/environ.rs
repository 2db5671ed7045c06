//! The environment as the kernel hands it over: an ordered list of byte strings, with whatever
//! duplicates and oddities it holds.
//! Entries that no edit names stay as they are, in their place; nothing here touches the process's
//! own environment.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

#[derive(Default)]
pub struct Environ<'a> {
    entries: Vec<Entry<'a>>,
    /// Entries that gave way to others; their values may still have to be kept from being shown.
    past: Vec<Entry<'a>>,
}

#[derive(Clone)]
struct Entry<'a> {
    text: Cow<'a, CStr>,
    /// Bytes before the `=`; `NO_NAME` for an entry without one.
    name_length: u32,
    /// Whether its value must not be shown, whatever its name says.
    exported: bool,
}

/// The length of no name: none is as long, nor is any variable (`MAX_ARG_STRLEN`, `execve(2)`).
const NO_NAME: u32 = u32::MAX;

/// How many more entries a copy has room for: it is made to be edited, and to grow would mean to
/// copy it once more.
const ROOM: usize = 16;

impl Clone for Environ<'_> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len() + ROOM);
        entries.extend_from_slice(&self.entries);
        Self { entries, past: self.past.clone() }
    }
}

/// Splits `NAME=VALUE` at the first `=`; an entry without one has no value.
pub fn split_entry(entry: &[u8]) -> (&[u8], Option<&[u8]>) {
    match entry.iter().position(|&byte| byte == b'=') {
        Some(length) => (&entry[..length], Some(&entry[length + 1..])),
        None => (entry, None),
    }
}

impl<'a> Entry<'a> {
    fn new(text: &'a CStr) -> Self {
        let (name, value) = split_entry(text.to_bytes());
        let name_length = value.map_or(NO_NAME, |_| name.len() as u32);
        Self { text: Cow::Borrowed(text), name_length, exported: false }
    }

    fn is(&self, name: &str) -> bool {
        // Names begin alike more often than they end alike.
        self.name_length as usize == name.len()
            && self.text.to_bytes()[..name.len()].last() == name.as_bytes().last()
            && self.text.to_bytes().starts_with(name.as_bytes())
    }

    /// Whether its name says that it is a secret, or a hook exported it.
    fn is_secret(&self) -> bool {
        self.exported || is_secret_name(self.name())
    }

    /// Empty for an entry without a name.
    fn name(&self) -> &[u8] {
        if self.name_length == NO_NAME {
            b""
        } else {
            &self.text.to_bytes()[..self.name_length as usize]
        }
    }

    fn value(&self) -> &OsStr {
        let start = if self.name_length == NO_NAME { 0 } else { self.name_length as usize + 1 };
        OsStr::from_bytes(&self.text.to_bytes()[start..])
    }
}

impl<'a> Environ<'a> {
    pub fn from_entries(entries: impl IntoIterator<Item = &'a CStr>) -> Self {
        Self { entries: entries.into_iter().map(Entry::new).collect(), ..Self::default() }
    }

    /// What `getenv` would give: of a variable that stands twice the first counts.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.entries.iter().find(|entry| entry.is(name)).map(Entry::value)
    }

    /// The value, unless the variable is unset or empty.
    pub fn non_empty(&self, name: &str) -> Option<&OsStr> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// The value for showing or for comparing with plain words; bytes that are not UTF-8 are
    /// replaced.
    pub fn lossy(&self, name: &str) -> Option<Cow<'_, str>> {
        self.non_empty(name).map(OsStr::to_string_lossy)
    }

    /// Sets a variable in its first place, or at the end; further copies of it go.
    pub fn set(&mut self, name: &str, value: &OsStr) {
        let place = self.place(name);
        self.put(place, name, value, false);
    }

    /// Sets a variable to what a hook exported, which must never be shown.
    pub fn export(&mut self, name: &str, value: &OsStr) {
        let place = self.place(name);
        self.put(place, name, value, true);
    }

    pub fn unset(&mut self, name: &str) {
        self.past.extend(self.entries.extract_if(.., |entry| entry.is(name)));
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.is(name))
    }

    fn put(&mut self, place: Option<usize>, name: &str, value: &OsStr, exported: bool) {
        let mut bytes = Vec::with_capacity(name.len() + 1 + value.len() + 1);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        let text =
            CString::new(bytes).expect("names and values are checked for NUL when they are read");
        let entry = Entry { text: Cow::Owned(text), name_length: name.len() as u32, exported };
        match place {
            None => self.entries.push(entry),
            Some(first) => {
                self.past.push(std::mem::replace(&mut self.entries[first], entry));
                self.past.extend(self.entries.extract_if(first + 1.., |entry| entry.is(name)));
            }
        }
    }

    /// The value of a variable for a log.
    pub fn redact_value(&self, name: &str, value: &OsStr) -> String {
        let secret = is_secret_name(name.as_bytes())
            || self.entries.iter().any(|entry| entry.is(name) && entry.exported);
        if secret { REDACTED.into() } else { format!("{:?}", self.redact(value)) }
    }

    /// A command line for a log, as a list of quoted words without secrets.
    pub fn redact_words(&self, words: &[OsString]) -> String {
        let words: Vec<_> = words.iter().map(|word| self.redact(word)).collect();
        format!("{words:?}")
    }

    /// A text for a log or an error message: the values of secrets are replaced, also inside words
    /// unless they are too short.
    pub fn redact(&self, text: &OsStr) -> String {
        String::from_utf8_lossy(&self.redact_bytes(text)).into_owned()
    }

    /// The same, with bytes that are not UTF-8 as they are.
    pub fn redact_bytes(&self, text: &OsStr) -> Vec<u8> {
        let secrets = self.entries.iter().chain(&self.past).filter(|entry| entry.is_secret());
        let mut values: Vec<&[u8]> = secrets.map(|entry| entry.value().as_bytes()).collect();
        if values.contains(&text.as_bytes()) && !text.is_empty() {
            return REDACTED.as_bytes().to_vec();
        }
        values.retain(|value| value.len() >= SHORTEST);
        // Who shows a part of a secret of several lines, such as a private key, shows whole lines
        // of it.
        let lines = |value: &&[u8]| value.contains(&b'\n');
        let parts: Vec<_> = values
            .iter()
            .copied()
            .filter(lines)
            .flat_map(|value| value.split(|&byte| byte == b'\n'))
            .collect();
        values.extend(parts.into_iter().filter(|line| line.len() >= SHORTEST_LINE));
        // The longest first, where one begins like another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut rest = text.as_bytes();
        let mut shown = Vec::with_capacity(rest.len());
        while let Some((&first, tail)) = rest.split_first() {
            match values.iter().find(|value| rest.starts_with(value)) {
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
        shown
    }

    /// All entries as they may be shown.
    #[cfg(feature = "tool")]
    pub fn redacted_entries(&self) -> Vec<Vec<u8>> {
        let redacted = |entry: &Entry| {
            let name = &entry.text.to_bytes()[..entry.text.count_bytes() - entry.value().len()];
            let value =
                if entry.is_secret() { REDACTED.into() } else { self.redact_bytes(entry.value()) };
            [name, &value].concat()
        };
        self.entries.iter().map(redacted).collect()
    }

    /// Writes everything down for another process of foreword's.
    pub fn encode(&self, to: &mut Vec<u8>) {
        let past = self.past.iter().map(|entry| (entry, b'2'));
        for (entry, mark) in self.entries.iter().map(|entry| (entry, b'0')).chain(past) {
            to.push(mark + u8::from(entry.exported));
            to.extend_from_slice(entry.text.to_bytes_with_nul());
        }
        to.push(0);
    }

    /// Takes what `encode` wrote off the front of the bytes; nothing when it is something else.
    pub fn decode(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut environ = Self::default();
        loop {
            let (&mark, rest) = bytes.split_first()?;
            *bytes = rest;
            let bits = match mark {
                0 => return Some(environ),
                b'0'..=b'3' => mark - b'0',
                _ => return None,
            };
            let text = CStr::from_bytes_until_nul(rest).ok()?;
            *bytes = &rest[text.count_bytes() + 1..];
            let entry = Entry { exported: bits & 1 != 0, ..Entry::new(text) };
            if bits & 2 != 0 { environ.past.push(entry) } else { environ.entries.push(entry) }
        }
    }

    /// The entries of these variables, as the kernel handed them over or as they were edited.
    pub fn restricted_to(&self, names: &[&str]) -> Environ<'_> {
        let is_one = |entry: &&Entry| names.iter().any(|name| entry.is(name));
        let entries = self.entries.iter().filter(is_one);
        Environ {
            entries: entries.map(|entry| Entry::new(&entry.text)).collect(),
            past: Vec::new(),
        }
    }

    /// The variables whose values must not be shown although their names do not say so: what hooks
    /// exported, and what a secret was put into. Another process that knows these names finds
    /// the values in its own environment.
    pub fn secret_names(&self) -> Vec<&[u8]> {
        let are_secret: Vec<_> = self.entries.iter().map(Entry::is_secret).collect();
        let present = self
            .entries
            .iter()
            .zip(&are_secret)
            .filter_map(|(entry, is_secret)| is_secret.then_some(entry));
        let secrets = present.chain(self.past.iter().filter(|entry| entry.is_secret()));
        let values: Vec<_> = secrets
            .map(|entry| entry.value().as_bytes())
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        // The values of all secrets would be compared with everything; few of them begin alike.
        let mut begins = [false; 256];
        values.iter().for_each(|value| begins[usize::from(value[0])] = true);
        let holds_secret = |text: &[u8]| {
            (0..text.len()).any(|at| {
                let rest = &text[at..];
                begins[usize::from(rest[0])] && values.iter().any(|value| rest.starts_with(value))
            })
        };
        let is_one = |(entry, is_secret): &(&Entry, &bool)| match is_secret {
            true => entry.exported && !is_secret_name(entry.name()),
            false => holds_secret(entry.value().as_bytes()),
        };
        let named = self.entries.iter().zip(&are_secret).filter(is_one);
        named.map(|(entry, _)| entry.name()).filter(|name| !name.is_empty()).collect()
    }

    /// Keeps the value of a variable from being shown, whatever its name says.
    pub fn mark_secret(&mut self, name: &[u8]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.name() == name) {
            entry.exported = true;
        }
    }

    /// Names and values of the entries whose name is text.
    #[cfg(feature = "tool")]
    pub fn variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let named = self.entries.iter().filter(|entry| entry.name_length != NO_NAME);
        named.filter_map(|entry| {
            let name = &entry.text.to_bytes()[..entry.name_length as usize];
            Some((str::from_utf8(name).ok()?, entry.value()))
        })
    }

    /// The entries in the form that `execve` takes.
    pub fn entries(&self) -> Vec<&CStr> {
        self.entries.iter().map(|entry| entry.text.as_ref()).collect()
    }
}

/// A shorter line of a secret may be a word that stands elsewhere, too.
const SHORTEST_LINE: usize = 12;

/// Secrets that have fewer bytes are found by chance inside words.
const SHORTEST: usize = 4;

/// Stands for a value that is not shown.
pub const REDACTED: &str = "[redacted]";

pub fn is_secret_name(name: &[u8]) -> bool {
    // No two of the words begin alike, so that each byte is looked at once.
    (0..name.len()).any(|at| {
        let word: &[u8] = match name[at].to_ascii_lowercase() {
            b's' => b"secret",
            b't' => b"token",
            b'p' => b"password",
            b'k' => b"key",
            b'c' => b"credential",
            _ => return false,
        };
        name[at..].get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_knows_what_this_one_knew() {
        let mut environ =
            Environ::from_entries([c"A=1", c"odd", c"", c"A=2", c"DB_PASSWORD=hunter2"]);
        environ.unset("DB_PASSWORD");
        environ.export("E", OsStr::new("first value"));
        environ.export("E", OsStr::new("\n=second"));
        let mut bytes = Vec::new();
        environ.encode(&mut bytes);
        bytes.extend_from_slice(b"rest");
        let mut rest = &bytes[..];
        let decoded = Environ::decode(&mut rest).expect("what was encoded");
        assert_eq!(rest, b"rest");
        assert_eq!(decoded.entries(), environ.entries());
        assert_eq!(
            decoded.redact(OsStr::new("hunter2 first value \n=second")),
            "[redacted] [redacted] [redacted]"
        );
        for wrong in [&b""[..], b"0", b"0A=1", b"0A=1\0", b"x\0"] {
            assert!(Environ::decode(&mut &*wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn another_process_that_knows_the_names_of_secrets_shows_none() {
        let mut environ = Environ::from_entries([
            c"DB_PASSWORD=hunter2",
            c"URL=pw=hunter2!",
            c"A=1",
            c"odd hunter2",
        ]);
        environ.export("E", OsStr::new("exported"));
        environ.export("SHORT", OsStr::new("123"));
        environ.export("API_TOKEN", OsStr::new("abcd"));
        environ.set("COPY", OsStr::new("<exported>"));
        environ.set("E2", OsStr::new("123"));
        environ.unset("DB_PASSWORD");
        let names = environ.secret_names();
        assert_eq!(names, [&b"URL"[..], b"E", b"SHORT", b"COPY"]);

        let mut other = Environ::from_entries([
            c"COPY=/more:<exported>",
            c"URL=pw=hunter2!",
            c"E=x",
            c"A=1",
            c"E=yyyy",
        ]);
        names.iter().for_each(|name| other.mark_secret(name));
        assert_eq!(
            other.redact(OsStr::new("A=1 -D/more:<exported> yyyy pw=hunter2!")),
            "A=1 -D[redacted] [redacted] [redacted]"
        );
        assert_eq!(other.redact_value("COPY", OsStr::new("any")), "[redacted]");
        assert_eq!(other.secret_names(), [&b"COPY"[..], b"URL", b"E", b"E"]);
    }

    #[test]
    fn shows_no_secret_and_nothing_that_one_was_put_into() {
        let mut environ = Environ::from_entries([c"DB_PASSWORD=hunter2", c"URL=x", c"KEY_ON=1"]);
        environ.set("COPY", OsStr::new("pw=hunter2!"));
        environ.unset("DB_PASSWORD");
        environ.export("EXPORTED", OsStr::new("first value"));
        environ.export("EXPORTED", OsStr::new("topsecret"));
        for (name, value, shown) in [
            ("URL", "x", "\"x\""),
            ("COPY", "pw=hunter2!", "\"pw=[redacted]!\""),
            ("API_TOKEN", "any", "[redacted]"),
            ("Client_Secret", "any", "[redacted]"),
            ("MyKeyId", "any", "[redacted]"),
            ("AWS_CREDENTIALS", "any", "[redacted]"),
            ("EXPORTED", "any", "[redacted]"),
            ("VERSION", "3.11", "\"3.11\""),
        ] {
            assert_eq!(environ.redact_value(name, OsStr::new(value)), shown, "{name}");
        }
        let words = OsStr::new("-p hunter2 topsecret first value");
        assert_eq!(environ.redact(words), "-p [redacted] [redacted] [redacted]");
        assert_eq!(environ.redact(OsStr::new("1")), "[redacted]");
    }
}
