//! The environment as the kernel passes it: byte strings in their order, with duplicates and
//! entries without `=`. An entry that nothing edits stays unchanged in its place. Knows which
//! values are secret and redacts them. Never touches the process's own environment.

use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// An environment.
#[derive(Default)]
pub struct Environ<'a> {
    entries: Vec<Entry<'a>>,
    /// Entries that were replaced or unset; their values may still have to be redacted.
    former: Vec<Entry<'a>>,
}

#[derive(Clone)]
struct Entry<'a> {
    /// `NAME=VALUE`.
    text: Cow<'a, CStr>,
    /// The number of bytes before the `=`; `NO_NAME` for an entry without one.
    name_length: u32,
    /// Whether the value is secret, whatever the name is.
    marked_secret: bool,
}

/// The name length of an entry without `=`.
const NO_NAME: u32 = u32::MAX;

/// How many more entries a clone has room for: it is cloned to be edited, and growing would copy
/// all entries once more.
const SPARE_CAPACITY: usize = 16;

impl Clone for Environ<'_> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len() + SPARE_CAPACITY);
        entries.extend_from_slice(&self.entries);
        Self { entries, former: self.former.clone() }
    }
}

/// Splits `NAME=VALUE` at the first `=`. Returns `None` as the value of an entry without one.
pub fn split_entry(entry: &[u8]) -> (&[u8], Option<&[u8]>) {
    match entry.iter().position(|&byte| byte == b'=') {
        Some(length) => (&entry[..length], Some(&entry[length + 1..])),
        None => (entry, None),
    }
}

impl<'a> Entry<'a> {
    fn new(text: &'a CStr) -> Self {
        let (name, value) = split_entry(text.to_bytes());
        let name_length = value.map_or(NO_NAME, |_| length(name));
        Self { text: Cow::Borrowed(text), name_length, marked_secret: false }
    }

    /// Reports whether the entry has this name.
    fn has_name(&self, name: &str) -> bool {
        // The last byte tells more names apart than the first ones (AWS_LAMBDA_…).
        self.name_length as usize == name.len()
            && self.text.to_bytes()[..name.len()].last() == name.as_bytes().last()
            && self.text.to_bytes().starts_with(name.as_bytes())
    }

    /// Reports whether the value is secret.
    fn is_secret(&self) -> bool {
        self.marked_secret || is_secret_name(self.name())
    }

    /// Returns the name, which is empty for an entry without `=`.
    fn name(&self) -> &[u8] {
        if self.name_length == NO_NAME {
            b""
        } else {
            &self.text.to_bytes()[..self.name_length as usize]
        }
    }

    /// Returns the value, which is the whole of an entry without `=`.
    fn value(&self) -> &OsStr {
        let start = if self.name_length == NO_NAME { 0 } else { self.name_length as usize + 1 };
        OsStr::from_bytes(&self.text.to_bytes()[start..])
    }
}

/// Returns the length of a name.
#[expect(clippy::cast_possible_truncation, reason = "names of 4 GiB would not fit into memory")]
fn length(name: &[u8]) -> u32 {
    name.len() as u32
}

impl<'a> Environ<'a> {
    /// Takes the entries of an environment in their order.
    pub fn from_entries(entries: impl IntoIterator<Item = &'a CStr>) -> Self {
        Self { entries: entries.into_iter().map(Entry::new).collect(), ..Self::default() }
    }

    /// Returns the value of a variable. As with `getenv`, the first of several entries counts.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.entries.iter().find(|entry| entry.has_name(name)).map(Entry::value)
    }

    /// Returns the value of a variable, unless it is unset or empty.
    pub fn non_empty(&self, name: &str) -> Option<&OsStr> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that is not empty, with replacement characters for bytes
    /// that are not UTF-8.
    pub fn lossy(&self, name: &str) -> Option<Cow<'_, str>> {
        self.non_empty(name).map(OsStr::to_string_lossy)
    }

    /// Sets a variable in the place of its first entry, or at the end. Removes its other entries.
    pub fn set(&mut self, name: &str, value: &OsStr) {
        self.put(name, value, false);
    }

    /// Sets a variable to a secret value, such as one that a hook exported.
    pub fn export(&mut self, name: &str, value: &OsStr) {
        self.put(name, value, true);
    }

    /// Removes all entries of a variable.
    pub fn unset(&mut self, name: &str) {
        self.former.extend(self.entries.extract_if(.., |entry| entry.has_name(name)));
    }

    fn put(&mut self, name: &str, value: &OsStr, marked_secret: bool) {
        let mut bytes = Vec::with_capacity(name.len() + 1 + value.len() + 1);
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
        let text =
            CString::new(bytes).expect("names and values are checked for NUL when they are read");
        let name_length = length(name.as_bytes());
        let entry = Entry { text: Cow::Owned(text), name_length, marked_secret };
        match self.entries.iter().position(|entry| entry.has_name(name)) {
            None => self.entries.push(entry),
            Some(first) => {
                self.former.push(std::mem::replace(&mut self.entries[first], entry));
                self.former
                    .extend(self.entries.extract_if(first + 1.., |entry| entry.has_name(name)));
            }
        }
    }

    /// Returns a value of a variable for a log: quoted, with secrets redacted.
    pub fn redact_value(&self, name: &str, value: &OsStr) -> String {
        let is_secret = is_secret_name(name.as_bytes())
            || self.entries.iter().any(|entry| entry.has_name(name) && entry.marked_secret);
        if is_secret { REDACTED.into() } else { format!("{:?}", self.redact(value)) }
    }

    /// Returns a command line for a log: an array of quoted words, with secrets redacted.
    pub fn redact_words(&self, words: &[OsString]) -> String {
        let words: Vec<_> = words.iter().map(|word| self.redact(word)).collect();
        format!("{words:?}")
    }

    /// Returns a string for a log or a message, with secrets redacted and replacement characters
    /// for bytes that are not UTF-8.
    pub fn redact(&self, text: &OsStr) -> String {
        String::from_utf8_lossy(&self.redact_bytes(text)).into_owned()
    }

    /// Returns a byte string with secrets redacted: the string as a whole if it is the value of a
    /// secret, else each value of [`SHORTEST`] bytes or more inside it.
    pub fn redact_bytes(&self, text: &OsStr) -> Vec<u8> {
        let secrets = self.entries.iter().chain(&self.former).filter(|entry| entry.is_secret());
        let mut values: Vec<&[u8]> = secrets.map(|entry| entry.value().as_bytes()).collect();
        if values.contains(&text.as_bytes()) && !text.is_empty() {
            return REDACTED.as_bytes().to_vec();
        }
        values.retain(|value| value.len() >= SHORTEST);
        // A program that prints a part of a secret of several lines, such as a private key, prints
        // whole lines of it.
        let has_lines = |value: &&[u8]| value.contains(&b'\n');
        let lines: Vec<_> = values
            .iter()
            .copied()
            .filter(has_lines)
            .flat_map(|value| value.split(|&byte| byte == b'\n'))
            .collect();
        values.extend(lines.into_iter().filter(|line| line.len() >= SHORTEST_LINE));
        // A value that begins with a shorter one comes first.
        values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
        let mut rest = text.as_bytes();
        let mut redacted = Vec::with_capacity(rest.len());
        while let Some((&first, tail)) = rest.split_first() {
            if let Some(value) = values.iter().find(|value| rest.starts_with(value)) {
                redacted.extend_from_slice(REDACTED.as_bytes());
                rest = &rest[value.len()..];
            } else {
                redacted.push(first);
                rest = tail;
            }
        }
        redacted
    }

    /// Returns all entries, with secrets redacted in their values.
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

    /// Serializes the environment, with what it knows about secrets, for another process of
    /// foreword's. Each entry is a digit and the text with its NUL; a NUL ends the environment. The
    /// digit is 0, plus 1 for a marked secret, plus 2 for a former entry.
    pub fn encode(&self, to: &mut Vec<u8>) {
        let former = self.former.iter().map(|entry| (entry, b'2'));
        for (entry, digit) in self.entries.iter().map(|entry| (entry, b'0')).chain(former) {
            to.push(digit + u8::from(entry.marked_secret));
            to.extend_from_slice(entry.text.to_bytes_with_nul());
        }
        to.push(0);
    }

    /// Deserializes an environment from the front of the bytes and advances them past it. Returns
    /// `None` for anything that [`Environ::encode`] did not write.
    pub fn decode(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut environ = Self::default();
        loop {
            let (&digit, rest) = bytes.split_first()?;
            *bytes = rest;
            let bits = match digit {
                0 => return Some(environ),
                b'0'..=b'3' => digit - b'0',
                _ => return None,
            };
            let text = CStr::from_bytes_until_nul(rest).ok()?;
            *bytes = &rest[text.count_bytes() + 1..];
            let entry = Entry { marked_secret: bits & 1 != 0, ..Entry::new(text) };
            let entries = if bits & 2 == 0 { &mut environ.entries } else { &mut environ.former };
            entries.push(entry);
        }
    }

    /// Returns an environment of these variables only, without what is known about secrets.
    pub fn restricted_to(&self, names: &[&str]) -> Environ<'_> {
        let is_one = |entry: &&Entry| names.iter().any(|name| entry.has_name(name));
        let entries = self.entries.iter().filter(is_one);
        Environ {
            entries: entries.map(|entry| Entry::new(&entry.text)).collect(),
            former: Vec::new(),
        }
    }

    /// Returns the names of the variables whose values are secret although their names are not:
    /// those marked secret, and those whose value holds a secret. A process with the same
    /// environment redacts the same values when it passes each name to [`Environ::mark_secret`].
    pub fn secret_names(&self) -> Vec<&[u8]> {
        let are_secret: Vec<_> = self.entries.iter().map(Entry::is_secret).collect();
        let present = self
            .entries
            .iter()
            .zip(&are_secret)
            .filter_map(|(entry, is_secret)| is_secret.then_some(entry));
        let secrets = present.chain(self.former.iter().filter(|entry| entry.is_secret()));
        let values: Vec<_> = secrets
            .map(|entry| entry.value().as_bytes())
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        // Comparing only where a secret's first byte stands saves most of the comparisons of every
        // secret with every place of every value.
        let mut begins = [false; 256];
        for value in &values {
            begins[usize::from(value[0])] = true;
        }
        let holds_secret = |text: &[u8]| {
            (0..text.len()).any(|at| {
                let rest = &text[at..];
                begins[usize::from(rest[0])] && values.iter().any(|value| rest.starts_with(value))
            })
        };
        let is_named = |(entry, is_secret): &(&Entry, &bool)| match is_secret {
            true => entry.marked_secret && !is_secret_name(entry.name()),
            false => holds_secret(entry.value().as_bytes()),
        };
        let named = self.entries.iter().zip(&are_secret).filter(is_named);
        named.map(|(entry, _)| entry.name()).filter(|name| !name.is_empty()).collect()
    }

    /// Marks the value of a variable as secret, whatever its name is.
    pub fn mark_secret(&mut self, name: &[u8]) {
        for entry in self.entries.iter_mut().filter(|entry| entry.name() == name) {
            entry.marked_secret = true;
        }
    }

    /// Iterates over the names and values of the entries with a name that is UTF-8.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let named = self.entries.iter().filter(|entry| entry.name_length != NO_NAME);
        named.filter_map(|entry| {
            let name = &entry.text.to_bytes()[..entry.name_length as usize];
            Some((str::from_utf8(name).ok()?, entry.value()))
        })
    }

    /// Returns the entries for `execve`.
    pub fn entries(&self) -> Vec<&CStr> {
        self.entries.iter().map(|entry| entry.text.as_ref()).collect()
    }
}

/// The shortest line of a secret, in bytes, that is redacted inside a string: a shorter one may be
/// a word that has nothing to do with the secret.
const SHORTEST_LINE: usize = 12;

/// The shortest secret, in bytes, that is redacted inside a string: a shorter one would be found in
/// words by chance.
const SHORTEST: usize = 4;

/// Replaces a secret value.
pub const REDACTED: &str = "[redacted]";

/// Reports whether a variable's name says that its value is secret: it holds one of five words,
/// ignoring case.
pub fn is_secret_name(name: &[u8]) -> bool {
    // Each of the words has another first byte.
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
    fn encoded_environ_is_decoded_with_its_secrets() {
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
    fn environ_with_marked_names_redacts_the_same_values() {
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
    fn secrets_and_copies_of_secrets_are_redacted() {
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
