//! The command line of an interpreter: which words are its own options, which one is the entry, and what
//! follows it. One file an interpreter holds its grammar, `edit` changes the options and arguments.
//! Nothing here runs anything; the only files that are read are Java's argument files, by the caller's `read`.

mod dotnet;
mod edit;
mod grammar;
mod java;
mod node;
mod python;
#[cfg(test)]
mod real_interpreters;
mod ruby;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;

/// A family of programs that share the grammar of their command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    Python,
    Node,
    Java,
    Ruby,
    Dotnet,
}

impl Interpreter {
    /// By the base name of the program, which may end in a version: `python3.12`, `ruby3.1`, `node-22`.
    pub fn of_program(program: &OsStr) -> Option<Self> {
        let path = program.as_bytes();
        let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        let versioned = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let end = base.iter().rposition(|byte| !versioned(byte)).map_or(0, |last| last + 1);
        match &base[..end] {
            b"python" => Some(Self::Python),
            b"node" | b"nodejs" => Some(Self::Node),
            b"java" => Some(Self::Java),
            b"ruby" => Some(Self::Ruby),
            b"dotnet" => Some(Self::Dotnet),
            _ => None,
        }
    }
}

/// What the interpreter takes a word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `exec` of `dotnet exec`; options follow it.
    Subcommand,
    Option,
    /// The separate value of the option before it.
    Value,
    /// Introduces the entry: `-m`, `-c`, `-e`, `-jar`, or a cluster that ends in one, such as `-Im`.
    Introduction,
    /// `--`; a script may follow it as the entry.
    EndOfOptions,
    /// Script, module, code, main class, jar or dll, behind `joined` bytes that introduce it: 2 in `-mjson.tool`.
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
    pub program: OsString,
    interpreter: Option<Interpreter>,
    /// The options that stand before the entry and what introduces it; without an entry only a subcommand.
    before: Vec<Word>,
    after: Vec<Word>,
    expansion: Option<Expansion>,
}

/// An argument file gave way to its words; where nothing is edited, it is passed on as it was received.
#[derive(Clone, Debug)]
struct Expansion {
    received: Vec<OsString>,
    expanded: Vec<OsString>,
}

impl CommandLine {
    /// The base name of `program` chooses the grammar; an unknown program has no options, all its words are
    /// arguments. `read` returns the content of a Java argument file; one that fails is left as it is.
    pub fn parse(program: OsString, arguments: Vec<OsString>, read: impl Fn(&OsStr) -> io::Result<Vec<u8>>) -> Self {
        let interpreter = Interpreter::of_program(&program);
        let (mut before, expansion) = match interpreter {
            Some(Interpreter::Java) => java::expand(arguments, read),
            _ => (words(interpreter, arguments), None),
        };
        let after = before.split_off(append_position(&before));
        Self { program, interpreter, before, after, expansion }
    }

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

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.before.iter().chain(&self.after)
    }

    /// Where options may follow the entry (`node -e CODE`), an edit can bring an argument that looks like one
    /// to the front; `--` keeps it an argument.
    fn close_options(&mut self) {
        let argument = self.after.iter().position(|word| word.kind == Kind::Argument);
        let Some((first, leading)) = argument.map(|first| (first, &self.after[..first])) else {
            return;
        };
        let continued = matches!(self.interpreter, Some(Interpreter::Node | Interpreter::Ruby))
            && matches!(leading, [Word { kind: Kind::Introduction | Kind::Entry { joined: 1.. }, .. }, ..])
            && leading.iter().all(|word| word.kind != Kind::EndOfOptions);
        if continued && matches!(self.after[first].text.as_bytes(), [b'-', _, ..]) {
            self.after.insert(first, Word::new(Kind::EndOfOptions, "--".into()));
        }
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
    let introduced = |word: &Word| matches!(word.kind, Kind::Introduction | Kind::EndOfOptions) || entry(word);
    let position = if words.iter().any(entry) { words.iter().position(introduced) } else { None };
    position.unwrap_or_else(|| words.iter().take_while(|word| word.kind == Kind::Subcommand).count())
}
