//! The command line of an interpreter: which words are its own options, which one is the entry, and
//! what follows it. One file an interpreter holds its grammar; `options` and `arguments` hold the
//! edits. Nothing here runs anything; the only files that are read are Java's argument files, by
//! the caller's `read`.

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
pub use launcher::launched;
#[cfg(feature = "tool")]
pub use launcher::words_of_launcher;
#[cfg(feature = "tool")]
pub use overridden::{Instead, VARIABLES, overridden};
#[cfg(feature = "tool")]
pub use parts::Parts;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// What the interpreter takes a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of a launcher in front of the interpreter, or the interpreter itself behind one.
    Launcher,
    /// `exec` of `dotnet exec`; options follow it.
    Subcommand,
    Option,
    /// The separate value of the option before it.
    Value,
    /// Introduces the entry: `-m`, `-c`, `-e`, `-jar`, or a cluster that ends in one, such as
    /// `-Im`.
    Introduction,
    /// `--`; a script may follow it as the entry.
    EndOfOptions,
    /// Script, module, code, main class, jar or dll, behind `joined` bytes that introduce it: 2 in
    /// `-mjson.tool`.
    Entry {
        joined: usize,
    },
    /// What the entry receives.
    Argument,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    kind: Kind,
    text: OsString,
}

impl Word {
    fn new(kind: Kind, text: OsString) -> Self {
        Self { kind, text }
    }
}

/// A program and the words behind it, in two parts: options are appended between them.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// The interpreter, or a launcher of it.
    pub program: OsString,
    interpreter: Option<Interpreter>,
    /// A launcher's words, and the options that stand before the entry and what introduces it;
    /// without an entry no options.
    before: Vec<Word>,
    after: Vec<Word>,
    expansion: Option<Expansion>,
}

/// An argument file gave way to its words; where nothing is edited, it is passed on as it was
/// received.
#[derive(Clone, Debug)]
struct Expansion {
    received: Vec<OsString>,
    expanded: Vec<OsString>,
}

impl CommandLine {
    /// The base name of `program`, or of the interpreter that it launches, chooses the grammar; an
    /// unknown program has no options, all its words are arguments. `read` returns the content
    /// of a Java argument file; one that fails is left as it is.
    pub fn parse(
        program: OsString,
        arguments: Vec<OsString>,
        read: impl Fn(&OsStr) -> io::Result<Vec<u8>>,
    ) -> Self {
        let mut interpreter = Interpreter::of_program(&program);
        let (mut launching, mut arguments) = (Vec::new(), arguments);
        if interpreter.is_none() {
            let behind = arguments.split_off(launcher::length(&program, &arguments));
            launching = std::mem::replace(&mut arguments, behind);
            interpreter = launching.last().and_then(|program| Interpreter::of_program(program));
        }
        let (mut before, mut expansion) = match interpreter {
            Some(Interpreter::Java) => java::expand(arguments, read),
            _ => (words(interpreter, arguments), None),
        };
        if !launching.is_empty() {
            if let Some(Expansion { received, expanded }) = &mut expansion {
                received.splice(0..0, launching.iter().cloned());
                expanded.splice(0..0, launching.iter().cloned());
            }
            before.splice(0..0, launching.into_iter().map(|text| Word::new(Kind::Launcher, text)));
        }
        let after = before.split_off(append_position(&before));
        Self { program, interpreter, before, after, expansion }
    }

    /// The interpreter, if the program is one or launches one.
    #[cfg(feature = "tool")]
    pub fn interpreter(&self) -> Option<Interpreter> {
        self.interpreter
    }

    #[cfg(test)]
    /// The interpreter's own options, each with its separate value.
    pub fn options(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        let mut words = self.words().peekable();
        std::iter::from_fn(move || {
            let option = words.find(|word| word.kind == Kind::Option)?;
            let value = words.next_if(|word| word.kind == Kind::Value);
            Some((option.text.as_os_str(), value.map(|word| word.text.as_os_str())))
        })
    }

    /// The script, module, code, jar, dll or main class, without what introduces it.
    pub fn entry(&self) -> Option<&OsStr> {
        self.after.iter().find_map(|word| match word.kind {
            Kind::Entry { joined } => Some(OsStr::from_bytes(&word.text.as_bytes()[joined..])),
            _ => None,
        })
    }

    #[cfg(test)]
    /// What the entry receives.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.words().filter(|word| word.kind == Kind::Argument).map(|word| word.text.as_os_str())
    }

    /// All words behind the program; what was received, byte for byte, where nothing was edited.
    pub fn into_arguments(mut self) -> Vec<OsString> {
        self.close_options();
        let words = self.before.into_iter().chain(self.after).map(|word| word.text).collect();
        match self.expansion {
            Some(expansion) if expansion.expanded == words => expansion.received,
            _ => words,
        }
    }

    fn replace(&mut self, which: impl Fn(Kind) -> bool, with: impl Fn(&OsStr) -> Option<OsString>) {
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

/// Words of an interpreter's command line, or of options on their own.
fn words(interpreter: Option<Interpreter>, arguments: Vec<OsString>) -> Vec<Word> {
    match interpreter {
        Some(Interpreter::Python) => grammar::walk(&python::GRAMMAR, arguments),
        Some(Interpreter::Node) => grammar::walk(&node::GRAMMAR, arguments),
        Some(Interpreter::Ruby) => grammar::walk(&ruby::GRAMMAR, arguments),
        Some(Interpreter::Java) => java::words(arguments),
        Some(Interpreter::Dotnet) => dotnet::words(arguments),
        None => arguments.into_iter().map(|text| Word::new(Kind::Argument, text)).collect(),
    }
}

/// Before the entry and what introduces it; without an entry behind the program or its subcommand.
fn append_position(words: &[Word]) -> usize {
    let entry = |word: &Word| matches!(word.kind, Kind::Entry { .. });
    let introduced =
        |word: &Word| matches!(word.kind, Kind::Introduction | Kind::EndOfOptions) || entry(word);
    let position = if words.iter().any(entry) { words.iter().position(introduced) } else { None };
    position.unwrap_or_else(|| ahead(words))
}

/// How many words stand in front of all options: a launcher's, and a subcommand.
fn ahead(words: &[Word]) -> usize {
    words.iter().take_while(|word| matches!(word.kind, Kind::Launcher | Kind::Subcommand)).count()
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

    /// A row is a command line in which `<` and `>` stand where options are prepended and appended,
    /// and the entry in brackets.
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

    /// A command line, an edit of it, and what comes out.
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
    fn an_unknown_program_has_arguments_only() {
        check(&["/var/task/app < > -x y", "bash < > -c python", "app < >"]);
        let command_line = parse("app -x y");
        assert_eq!(command_line.options().count(), 0);
        assert_eq!(command_line.arguments().count(), 2);
    }

    #[test]
    fn options_are_told_from_values_and_arguments() {
        let command_line = parse("node -r ./a.js --expose-gc app.mjs -x");
        let options: Vec<_> = command_line.options().collect();
        let module = (OsStr::new("-r"), Some(OsStr::new("./a.js")));
        assert_eq!(options, [module, (OsStr::new("--expose-gc"), None)]);
        assert_eq!(command_line.arguments().collect::<Vec<_>>(), ["-x"]);
    }

    #[test]
    fn bytes_that_are_not_text_survive() {
        let odd = OsStr::from_bytes(b"\xff=\xfe").to_owned();
        for program in ["python3", "node", "java", "ruby", "dotnet", "app"] {
            let arguments = vec!["-W".into(), odd.clone(), odd.clone(), odd.clone()];
            let command_line =
                CommandLine::parse(program.into(), arguments.clone(), |_| Ok(Vec::new()));
            assert_eq!(command_line.into_arguments(), arguments);
        }
    }
}
