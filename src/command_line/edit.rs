//! The edits of a command line: options and arguments are removed, replaced, prepended and appended, the
//! entry is replaced. What is inserted is read by the grammar too, so that later edits see options and values.

use super::{CommandLine, Kind, Word, words};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl CommandLine {
    /// Removes the options, with their values, of which the text or `option value`, joined by one space, matches.
    pub fn remove_options(&mut self, matches: impl Fn(&OsStr) -> bool) {
        self.retain_options(|option, value| {
            let pair = || value.as_ref().map(|value| join(option, b' ', value));
            !matches(option) && !pair().is_some_and(|pair| matches(&pair))
        });
    }

    /// Replaces options and separate values, each as a whole, where `with` has a text for it.
    pub fn replace_options(&mut self, with: impl Fn(&OsStr) -> Option<OsString>) {
        self.replace(|kind| matches!(kind, Kind::Option | Kind::Value), with);
    }

    /// Edits the value, separate or joined by `=`, of every option of this name; `None` removes the option
    /// with its value. An option without a value is left alone.
    pub fn edit_option_values(&mut self, name: &OsStr, edit: impl Fn(&OsStr) -> Option<OsString>) {
        self.retain_options(|option, value| {
            let joined = option.as_bytes().strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            if let Some(joined) = joined {
                let edited = edit(OsStr::from_bytes(joined)).map(|value| join(name, b'=', &value));
                edited.map(|edited| *option = edited).is_some()
            } else if let Some(value) = value.filter(|_| option.as_os_str() == name) {
                edit(value).map(|edited| *value = edited).is_some()
            } else {
                true
            }
        });
    }

    /// Inserts options directly after the program, or after the `exec` of dotnet.
    pub fn prepend_options(&mut self, options: Vec<OsString>) {
        let at = self.before.iter().take_while(|word| word.kind == Kind::Subcommand).count();
        self.before.splice(at..at, self.as_options(options));
    }

    /// Inserts options directly before the entry and what introduces it, after those appended earlier.
    pub fn append_options(&mut self, options: Vec<OsString>) {
        let options = self.as_options(options);
        self.before.extend(options);
    }

    /// Removes the arguments that match.
    pub fn remove_arguments(&mut self, matches: impl Fn(&OsStr) -> bool) {
        self.after.retain(|word| word.kind != Kind::Argument || !matches(&word.text));
    }

    /// Replaces arguments, each as a whole, where `with` has a text for it.
    pub fn replace_arguments(&mut self, with: impl Fn(&OsStr) -> Option<OsString>) {
        self.replace(|kind| kind == Kind::Argument, with);
    }

    /// Inserts arguments before all others.
    pub fn prepend_arguments(&mut self, arguments: Vec<OsString>) {
        let first = self.after.iter().position(|word| word.kind == Kind::Argument);
        let at = first.unwrap_or(self.after.len());
        self.after.splice(at..at, as_arguments(arguments));
    }

    /// Adds arguments behind all others.
    pub fn append_arguments(&mut self, arguments: Vec<OsString>) {
        self.after.extend(as_arguments(arguments));
    }

    /// Replaces the entry, but not what is joined in front of it; without an entry nothing happens.
    pub fn set_entry(&mut self, entry: OsString) {
        for word in &mut self.after {
            if let Kind::Entry { joined } = word.kind {
                let mut text = word.text.as_bytes()[..joined].to_vec();
                text.extend(entry.as_bytes());
                word.text = OsString::from_vec(text);
                return;
            }
        }
    }

    /// Removes options, each with its separate value, that `keep` does not want; it may change both.
    fn retain_options(&mut self, mut keep: impl FnMut(&mut OsString, Option<&mut OsString>) -> bool) {
        for words in [&mut self.before, &mut self.after] {
            let mut at = 0;
            while at < words.len() {
                let (kept, rest) = match &mut words[at..] {
                    [option, value, ..] if option.kind == Kind::Option && value.kind == Kind::Value => {
                        (keep(&mut option.text, Some(&mut value.text)), 2)
                    }
                    [option, ..] if option.kind == Kind::Option => (keep(&mut option.text, None), 1),
                    _ => (true, 1),
                };
                if kept {
                    at += rest;
                } else {
                    words.drain(at..at + rest);
                }
            }
        }
    }

    fn replace(&mut self, which: impl Fn(Kind) -> bool, with: impl Fn(&OsStr) -> Option<OsString>) {
        for word in self.before.iter_mut().chain(&mut self.after).filter(|word| which(word.kind)) {
            if let Some(text) = with(&word.text) {
                word.text = text;
            }
        }
    }

    /// Inserted options are nothing but options and values, whatever their grammar takes them for.
    fn as_options(&self, texts: Vec<OsString>) -> Vec<Word> {
        let mut inserted = words(self.interpreter, texts);
        let mut introduced = false;
        for word in &mut inserted {
            word.kind = match word.kind {
                Kind::Value => Kind::Value,
                Kind::Entry { joined: 0 } if introduced => Kind::Value,
                kind => {
                    introduced = matches!(kind, Kind::Introduction | Kind::EndOfOptions);
                    Kind::Option
                }
            };
        }
        inserted
    }
}

fn as_arguments(texts: Vec<OsString>) -> impl Iterator<Item = Word> {
    texts.into_iter().map(|text| Word::new(Kind::Argument, text))
}

fn join(left: &OsStr, separator: u8, right: &OsStr) -> OsString {
    OsString::from_vec([left.as_bytes(), &[separator], right.as_bytes()].concat())
}
