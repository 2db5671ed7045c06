//! Parses and edits the command line of an interpreter: its own options, the entry, and the
//! arguments of the entry. Each interpreter's grammar has a file; `options` and `arguments` have
//! the edits. The module does no input or output: the caller's `read` reads Java's argument files.

mod aliases;
mod arguments;
mod dotnet;
mod grammar;
mod interpreter;
mod java;
mod launcher;
mod node;
mod options;
#[cfg(feature = "tool")]
mod overridden;
#[cfg(feature = "tool")]
mod parts;
mod python;
#[cfg(all(test, feature = "real-parts"))]
mod real_interpreters;
mod ruby;

#[cfg(feature = "tool")]
pub use aliases::takes_value;
pub use interpreter::{Interpreter, base_name};
#[cfg(feature = "tool")]
pub use launcher::count_launcher_words;
pub use launcher::launched_program;
#[cfg(feature = "tool")]
pub use overridden::{OPTIONS_VARIABLES, SuggestedEdit, find_overridden};
#[cfg(feature = "tool")]
pub use parts::Parts;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// The meaning of a word to the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordKind {
    /// A word of a launcher, or the interpreter that the launcher starts.
    Launcher,
    /// `exec` of `dotnet exec`, before the options.
    Subcommand,
    Option,
    /// The separate value of the option before it.
    Value,
    /// Introduces the entry: `-m`, `-c`, `-e`, `-jar`, or a cluster that ends in one, such as
    /// `-Im`.
    Introduction,
    /// `--`. A script may follow as the entry.
    EndOfOptions,
    /// A script, module, code, main class, jar or dll. Its first `joined` bytes introduce it: 2 in
    /// `-mjson.tool`.
    Entry {
        joined: usize,
    },
    /// An argument of the entry.
    Argument,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    kind: WordKind,
    text: OsString,
}

impl Word {
    fn new(kind: WordKind, text: OsString) -> Self {
        Self { kind, text }
    }
}

/// A program and the words after it, in two parts. Appended options go between the parts.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// The interpreter, or its launcher.
    pub program: OsString,
    interpreter: Option<Interpreter>,
    /// The launcher's words, then the options before the entry and its introduction. Without an
    /// entry, no options.
    before: Vec<Word>,
    after: Vec<Word>,
    expansion: Option<Expansion>,
}

/// A command line in which argument files were replaced by their words. If no edit changes
/// `expanded`, the interpreter gets `received`.
#[derive(Clone, Debug)]
struct Expansion {
    received: Vec<OsString>,
    expanded: Vec<OsString>,
}

impl CommandLine {
    /// Parses a command line. The base name of the program, or of the interpreter that it launches,
    /// decides the grammar; all words of an unknown program are arguments. `read` reads a Java
    /// argument file; a file that cannot be read stays as it is.
    pub fn parse(
        program: OsString,
        arguments: Vec<OsString>,
        read: impl Fn(&OsStr) -> io::Result<Vec<u8>>,
    ) -> Self {
        let mut interpreter = Interpreter::from_program(&program);
        let (mut launching, mut arguments) = (Vec::new(), arguments);
        if interpreter.is_none() {
            let behind = arguments.split_off(launcher::count_words(&program, &arguments));
            launching = std::mem::replace(&mut arguments, behind);
            interpreter = launching.last().and_then(|program| Interpreter::from_program(program));
        }
        let (mut before, mut expansion) = match interpreter {
            Some(Interpreter::Java) => java::expand(arguments, read),
            _ => (parse_words(interpreter, arguments), None),
        };
        if !launching.is_empty() {
            if let Some(Expansion { received, expanded }) = &mut expansion {
                received.splice(0..0, launching.iter().cloned());
                expanded.splice(0..0, launching.iter().cloned());
            }
            before.splice(
                0..0,
                launching.into_iter().map(|text| Word::new(WordKind::Launcher, text)),
            );
        }
        let after = before.split_off(find_append_position(&before));
        Self { program, interpreter, before, after, expansion }
    }

    /// Returns the interpreter, if the program is one or launches one.
    #[cfg(feature = "tool")]
    pub fn interpreter(&self) -> Option<Interpreter> {
        self.interpreter
    }

    /// Returns the interpreter's own options, each with its separate value.
    #[cfg(test)]
    pub fn options(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        let mut words = self.words().peekable();
        std::iter::from_fn(move || {
            let option = words.find(|word| word.kind == WordKind::Option)?;
            let value = words.next_if(|word| word.kind == WordKind::Value);
            Some((option.text.as_os_str(), value.map(|word| word.text.as_os_str())))
        })
    }

    /// Returns the script, module, code, jar, dll or main class, without its introduction.
    pub fn entry(&self) -> Option<&OsStr> {
        self.after.iter().find_map(|word| match word.kind {
            WordKind::Entry { joined } => Some(OsStr::from_bytes(&word.text.as_bytes()[joined..])),
            _ => None,
        })
    }

    /// Returns the arguments of the entry.
    #[cfg(test)]
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.words()
            .filter(|word| word.kind == WordKind::Argument)
            .map(|word| word.text.as_os_str())
    }

    /// Returns all words after the program; without an edit, byte for byte those received.
    pub fn into_arguments(mut self) -> Vec<OsString> {
        self.close_options();
        let words = self.before.into_iter().chain(self.after).map(|word| word.text).collect();
        match self.expansion {
            Some(expansion) if expansion.expanded == words => expansion.received,
            _ => words,
        }
    }

    /// Replaces the words of some kinds for which `with` returns another.
    fn replace(
        &mut self,
        which: impl Fn(WordKind) -> bool,
        with: impl Fn(&OsStr) -> Option<OsString>,
    ) {
        for word in self.before.iter_mut().chain(&mut self.after).filter(|word| which(word.kind)) {
            if let Some(text) = with(&word.text) {
                word.text = text;
            }
        }
    }

    #[cfg(test)]
    fn words(&self) -> impl Iterator<Item = &Word> {
        self.before.iter().chain(&self.after)
    }
}

/// Parses the words after an interpreter, or options on their own.
fn parse_words(interpreter: Option<Interpreter>, arguments: Vec<OsString>) -> Vec<Word> {
    match interpreter {
        Some(Interpreter::Python) => grammar::parse(&python::GRAMMAR, arguments),
        Some(Interpreter::Node) => grammar::parse(&node::GRAMMAR, arguments),
        Some(Interpreter::Ruby) => grammar::parse(&ruby::GRAMMAR, arguments),
        Some(Interpreter::Java) => java::parse(arguments),
        Some(Interpreter::Dotnet) => dotnet::parse(arguments),
        None => arguments.into_iter().map(|text| Word::new(WordKind::Argument, text)).collect(),
    }
}

/// Returns the index at which options are appended: that of the entry or its introduction, or
/// without an entry that of the first word after a launcher and a subcommand.
fn find_append_position(words: &[Word]) -> usize {
    let is_entry = |word: &Word| matches!(word.kind, WordKind::Entry { .. });
    let begins_entry = |word: &Word| {
        matches!(word.kind, WordKind::Introduction | WordKind::EndOfOptions) || is_entry(word)
    };
    let position = words.iter().position(begins_entry).filter(|_| words.iter().any(is_entry));
    position.unwrap_or_else(|| count_leading(words))
}

/// Counts the words before all options: those of a launcher, and a subcommand.
fn count_leading(words: &[Word]) -> usize {
    words
        .iter()
        .take_while(|word| matches!(word.kind, WordKind::Launcher | WordKind::Subcommand))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn parse(line: &str) -> CommandLine {
        let mut words = line.split_whitespace().map(OsString::from);
        let program = words.next().expect("a program");
        CommandLine::parse(program, words.collect(), |_| Err(io::ErrorKind::NotFound.into()))
    }

    pub(super) fn text(command_line: CommandLine) -> String {
        let program = command_line.program.clone();
        let words: Vec<_> = std::iter::once(program).chain(command_line.into_arguments()).collect();
        words.join(OsStr::new(" ")).into_string().expect("text")
    }

    /// Checks rows. A row is a command line with the entry in brackets, and with `<` and `>` where
    /// options are prepended and appended.
    pub(super) fn check(rows: &[&str]) {
        for row in rows {
            let edited = row.replace(['[', ']'], "");
            let received = edited.replace(" <", "").replace(" >", "");
            let mut command_line = parse(&received);
            let entry = row
                .split_once('[')
                .and_then(|(_, rest)| rest.split_once(']'))
                .map(|(entry, _)| entry);
            assert_eq!(command_line.entry(), entry.map(OsStr::new), "{row}");
            assert_eq!(text(command_line.clone()), received);
            command_line.prepend_options(vec!["<".into()]);
            command_line.append_options(vec![">".into()]);
            assert_eq!(text(command_line), edited);
        }
    }

    /// Checks an edit of a command line.
    pub(super) fn edited(line: &str, edit: impl FnOnce(&mut CommandLine), expected: &str) {
        let mut command_line = parse(line);
        edit(&mut command_line);
        assert_eq!(text(command_line), expected);
    }

    pub(super) fn split(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    pub(super) fn replacement(
        key: &'static str,
        text: &'static str,
    ) -> impl Fn(&OsStr) -> Option<OsString> {
        move |word| (word == key).then(|| text.into())
    }

    #[test]
    fn unknown_program_has_only_arguments() {
        check(&["/var/task/app < > -x y", "bash < > -c python", "app < >"]);
        let command_line = parse("app -x y");
        assert_eq!(command_line.options().count(), 0);
        assert_eq!(command_line.arguments().count(), 2);
    }

    #[test]
    fn options_are_distinguished_from_values_and_arguments() {
        let command_line = parse("node -r ./a.js --expose-gc app.mjs -x");
        let options: Vec<_> = command_line.options().collect();
        let module = (OsStr::new("-r"), Some(OsStr::new("./a.js")));
        assert_eq!(options, [module, (OsStr::new("--expose-gc"), None)]);
        assert_eq!(command_line.arguments().collect::<Vec<_>>(), ["-x"]);
    }

    #[test]
    fn words_that_are_not_utf_8_stay_as_they_are() {
        let odd = OsStr::from_bytes(b"\xff=\xfe").to_owned();
        for program in ["python3", "node", "java", "ruby", "dotnet", "app"] {
            let arguments = vec!["-W".into(), odd.clone(), odd.clone(), odd.clone()];
            let command_line =
                CommandLine::parse(program.into(), arguments.clone(), |_| Ok(Vec::new()));
            assert_eq!(command_line.into_arguments(), arguments);
        }
    }
}
