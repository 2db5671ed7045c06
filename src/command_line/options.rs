//! Edits of an interpreter's own options: remove, replace, edit a value, prepend, append. Inserted
//! options are parsed too, so that later edits recognize options and values.

use super::{CommandLine, Word, WordKind, aliases, count_leading, parse_words};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

impl CommandLine {
    /// Removes the options that match, with their values. An option matches in any of its
    /// spellings, alone or with its value after one space.
    pub fn remove_options(&mut self, matches: impl Fn(&OsStr) -> bool) {
        let interpreter = self.interpreter;
        self.retain_options(&mut |option, value| {
            let value = value.as_ref().map(|value| value.as_os_str());
            let pair = || value.map(|value| join(option, b' ', value));
            let spellings = || aliases::spellings(interpreter, option, value);
            !matches(option)
                && !pair().is_some_and(|pair| matches(&pair))
                && !spellings().iter().any(|spelling| matches(spelling))
        });
    }

    /// Replaces each option and each separate value for which `with` returns another; for an
    /// option, also by another of its names.
    pub fn replace_options(&mut self, with: impl Fn(&OsStr) -> Option<OsString>) {
        let interpreter = self.interpreter;
        for word in self.before.iter_mut().chain(&mut self.after) {
            let names = || {
                aliases::names(interpreter, word.text.as_bytes())
                    .iter()
                    .find_map(|name| with(OsStr::new(name)))
            };
            let text = match word.kind {
                WordKind::Option => with(&word.text).or_else(names),
                WordKind::Value => with(&word.text),
                _ => None,
            };
            if let Some(text) = text {
                word.text = text;
            }
        }
    }

    /// Edits the value, separate or joined, of each option that has this name, or another name for
    /// it. `None` removes the option. An option without a value stays as it is.
    pub fn edit_option_values(&mut self, name: &OsStr, edit: impl Fn(&OsStr) -> Option<OsString>) {
        let (interpreter, name) = (self.interpreter, name.as_bytes());
        self.retain_options(&mut |option, value| {
            if let (None, Some(at)) =
                (&value, aliases::find_joined_value(interpreter, option.as_bytes(), name))
            {
                let (front, value) = option.as_bytes().split_at(at);
                let edited =
                    edit(OsStr::from_bytes(value)).map(|value| [front, value.as_bytes()].concat());
                edited.map(|edited| *option = OsString::from_vec(edited)).is_some()
            } else if let Some(value) =
                value.filter(|_| aliases::is_same(interpreter, name, option.as_bytes()))
            {
                edit(value).map(|edited| *value = edited).is_some()
            } else {
                true
            }
        });
    }

    /// Inserts options directly after the program, or after the `exec` of dotnet.
    pub fn prepend_options(&mut self, options: Vec<OsString>) {
        let at = count_leading(&self.before);
        self.before.splice(at..at, self.parse_options(options));
    }

    /// Inserts options directly before the entry or its introduction, after those appended earlier.
    pub fn append_options(&mut self, options: Vec<OsString>) {
        let options = self.parse_options(options);
        self.before.extend(options);
    }

    /// Keeps the options for which `keep` returns true. `keep` gets the option and its separate
    /// value, and may change both.
    #[inline(never)]
    fn retain_options(
        &mut self,
        keep: &mut dyn FnMut(&mut OsString, Option<&mut OsString>) -> bool,
    ) {
        for words in [&mut self.before, &mut self.after] {
            let mut at = 0;
            while at < words.len() {
                let (kept, rest) = match &mut words[at..] {
                    [option, value, ..]
                        if option.kind == WordKind::Option && value.kind == WordKind::Value =>
                    {
                        (keep(&mut option.text, Some(&mut value.text)), 2)
                    }
                    [option, ..] if option.kind == WordKind::Option => {
                        (keep(&mut option.text, None), 1)
                    }
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

    /// Parses options to insert. They become options and values only, never an entry or arguments.
    fn parse_options(&self, texts: Vec<OsString>) -> Vec<Word> {
        let mut inserted = parse_words(self.interpreter, texts);
        let mut introduced = false;
        for word in &mut inserted {
            word.kind = match word.kind {
                WordKind::Value => WordKind::Value,
                WordKind::Entry { joined: 0 } if introduced => WordKind::Value,
                kind => {
                    introduced = matches!(kind, WordKind::Introduction | WordKind::EndOfOptions);
                    WordKind::Option
                }
            };
        }
        inserted
    }
}

fn join(left: &OsStr, separator: u8, right: &OsStr) -> OsString {
    OsString::from_vec([left.as_bytes(), &[separator], right.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use crate::command_line::CommandLine;
    use crate::command_line::tests::{edited, replacement, split};
    use std::ffi::OsStr;

    #[test]
    fn later_prepend_comes_first_and_later_append_last() {
        let edit = |line: &mut CommandLine| {
            for (first, last) in [("-1", "-3"), ("-0", "-4")] {
                line.prepend_options(split(first));
                line.append_options(split(last));
            }
        };
        edited("python3 -2 -m app -5", edit, "python3 -0 -1 -2 -3 -4 -m app -5");
        edited("app -5", edit, "app -0 -1 -3 -4 -5");
        edited("python3 --version", edit, "python3 -0 -1 -3 -4 --version");
        edited("dotnet exec a.dll", edit, "dotnet exec -0 -1 -3 -4 a.dll");
    }

    #[test]
    fn option_is_removed_with_its_value_and_arguments_stay() {
        let remove = |text: &'static str| {
            move |line: &mut CommandLine| line.remove_options(|option| option == text)
        };
        edited("node -r a -r b app.js -r a", remove("-r a"), "node -r b app.js -r a");
        edited("node -r a -r b app.js -r a", remove("-r"), "node app.js -r a");
        edited("node -r a app.js", remove("a"), "node -r a app.js");
        edited("ruby -e a -W0 -e b x", remove("-W0"), "ruby -e a -e b x");
        edited("ruby -e a -e b x", remove("-e b"), "ruby -e a x");
        edited("java -jar -Xmx64m a.jar", remove("-Xmx64m"), "java -jar a.jar");
        edited("python3 -m app", remove("-m"), "python3 -m app");
        edited("app -x", remove("-x"), "app -x");
    }

    #[test]
    fn options_and_separate_values_are_replaced_in_one_pass() {
        let edit = |line: &mut CommandLine| line.replace_options(replacement("a", "b"));
        edited("java -cp a -Da a a", edit, "java -cp b -Da a a");
        edited("ruby -e a -r a x", edit, "ruby -e a -r b x");
        let swap = |word: &OsStr| match word.to_str() {
            Some("-a") => Some("-b".into()),
            Some("-b") => Some("-a".into()),
            _ => None,
        };
        edited("java -a -b A", |line| line.replace_options(swap), "java -b -a A");
    }

    #[test]
    fn value_is_edited_joined_or_separate() {
        let append = |name: &'static str| {
            move |line: &mut CommandLine| {
                line.edit_option_values(OsStr::new(name), |value| {
                    Some([value, OsStr::new(":x")].join(OsStr::new("")))
                });
            }
        };
        edited("java -cp a -cp b A -cp c", append("-cp"), "java -cp a:x -cp b:x A -cp c");
        edited("java --class-path=a A", append("--class-path"), "java --class-path=a:x A");
        edited("java -Dp=a=b -Dp -Dpq=a A", append("-Dp"), "java -Dp=a=b:x -Dp -Dpq=a A");
        edited("node --inspect=1 app.js", append("--inspect"), "node --inspect=1:x app.js");
        edited("node app.js", append("--inspect"), "node app.js");
        let remove = |line: &mut CommandLine| line.edit_option_values(OsStr::new("-cp"), |_| None);
        edited("java -cp a -Da -cp=b A", remove, "java -Da A");
    }

    #[test]
    fn inserted_option_is_edited_by_later_edits() {
        let edit = |line: &mut CommandLine| {
            line.append_options(split("-X importtime -W ignore"));
            line.prepend_options(split("-X dev"));
            line.edit_option_values(OsStr::new("-W"), replacement("ignore", "error"));
            line.remove_options(|option| option == "-X importtime");
        };
        edited("python3 app.py", edit, "python3 -X dev -W error app.py");
        let edit = |line: &mut CommandLine| {
            line.append_options(split("-e a -e b"));
            line.remove_options(|option| option == "-e a");
        };
        edited("ruby app.rb", edit, "ruby -e b app.rb");
    }
}
