//! Java's command line: `java [option]... MAINCLASS | -jar JAR | -m MODULE | FILE.java [argument]...`, and the
//! argument files that the launcher expands. After the JDK's manual page java(1), sections "Synopsis" and "java
//! Command-Line Argument Files", and `java.c` and `args.c` of its launcher, JDK 11 to 25.

use super::grammar::contains;
use super::{Expansion, Kind, Word};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Options whose value is the next word.
const WITH_VALUE: &[&str] = &[
    "--add-exports",
    "--add-modules",
    "--add-opens",
    "--add-reads",
    "--class-path",
    "--describe-module",
    "--enable-native-access",
    "--limit-modules",
    "--module-path",
    "--patch-module",
    "--source",
    "--upgrade-module-path",
    "-classpath",
    "-cp",
    "-d",
    "-p",
];

/// The words of options on their own, argument files left as they are.
pub(super) fn words(options: Vec<OsString>) -> Vec<Word> {
    expand(options, |_| Err(io::ErrorKind::Unsupported.into())).0
}

/// The words of a command line. An argument file of whole options stays one option; one that holds the entry,
/// or begins or ends between an option and its value, gives way to its words.
pub(super) fn expand(
    arguments: Vec<OsString>,
    read: impl Fn(&OsStr) -> io::Result<Vec<u8>>,
) -> (Vec<Word>, Option<Expansion>) {
    let mut words: Vec<Word> = Vec::with_capacity(arguments.len());
    let mut received = None;
    let mut launcher = Launcher::default();
    let mut arguments = arguments.into_iter();
    while let Some(text) = arguments.next() {
        let content = match launcher.argument_file(&text).map(&read) {
            None => {
                words.push(launcher.argument(text));
                continue;
            }
            Some(Err(_)) => {
                words.push(Word::new(Kind::Option, text));
                continue;
            }
            Some(Ok(content)) => content,
        };
        let inside_value = launcher.expects_value;
        let contents: Vec<Word> = split(&content).into_iter().map(|word| launcher.word_of_file(word)).collect();
        if launcher.has_entry || launcher.expects_value || inside_value {
            received.get_or_insert_with(|| {
                let before = words.iter().map(|word| &word.text);
                before.chain([&text]).chain(arguments.as_slice()).cloned().collect()
            });
            words.extend(contents);
        } else {
            words.push(Word::new(Kind::Option, text));
        }
    }
    let expansion = received.map(|received| {
        let expanded = words.iter().map(|word| word.text.clone()).collect();
        Expansion { received, expanded }
    });
    (words, expansion)
}

/// How far the launcher is: what its next word means depends on nothing else.
#[derive(Default)]
struct Launcher {
    expects_value: bool,
    has_entry: bool,
    /// `--disable-@files` was seen: `@` has no meaning any more.
    literal: bool,
}

impl Launcher {
    /// The file that a word of the command line stands for.
    fn argument_file<'a>(&self, word: &'a OsStr) -> Option<&'a OsStr> {
        match word.as_bytes() {
            [b'@', path @ ..] if self.expands(word) && path[0] != b'@' => Some(OsStr::from_bytes(path)),
            _ => None,
        }
    }

    /// A word of the command line; `@@x` stands for `@x`.
    fn argument(&mut self, text: OsString) -> Word {
        let escaped = self.expands(&text);
        let kind = self.kind(&text);
        Word::new(if escaped { behind_escape(kind) } else { kind }, text)
    }

    /// A word of an argument file, where `@` has no meaning, as it must stand on the command line.
    fn word_of_file(&mut self, text: OsString) -> Word {
        let escape = self.expands(&text);
        let kind = self.kind(&text);
        if !escape {
            return Word::new(kind, text);
        }
        let mut escaped = OsString::from("@");
        escaped.push(text);
        Word::new(behind_escape(kind), escaped)
    }

    /// Whether `@` has its meaning at the front of this word; alone it has none.
    fn expands(&self, word: &OsStr) -> bool {
        !self.has_entry && !self.literal && matches!(word.as_bytes(), [b'@', _, ..])
    }

    fn kind(&mut self, word: &OsStr) -> Kind {
        let word = word.as_bytes();
        if self.has_entry {
            return Kind::Argument;
        }
        if !word.starts_with(b"-") {
            self.has_entry = !std::mem::take(&mut self.expects_value);
            return if self.has_entry { Kind::Entry { joined: 0 } } else { Kind::Value };
        }
        self.expects_value = contains(WITH_VALUE, word);
        self.literal |= word == b"--disable-@files";
        if word.starts_with(MODULE) {
            self.has_entry = true;
            return Kind::Entry { joined: MODULE.len() };
        }
        match word {
            b"-jar" | b"-m" | b"--module" => Kind::Introduction,
            _ => Kind::Option,
        }
    }
}

const MODULE: &[u8] = b"--module=";

fn behind_escape(kind: Kind) -> Kind {
    match kind {
        Kind::Entry { joined } => Kind::Entry { joined: joined + 1 },
        kind => kind,
    }
}

#[derive(Clone, Copy)]
enum State {
    Between,
    Comment,
    Word,
    Quoted {
        quote: u8,
    },
    /// Behind a backslash, which has a meaning only inside of quotes.
    Escape {
        quote: u8,
    },
    /// Behind a backslash at the end of a line: white space that leads the next one is skipped.
    Continuation {
        quote: u8,
    },
}

/// The words of an argument file. As in the launcher, a line's end closes a quote, and a `#` outside of quotes
/// begins a comment even inside of a word, whose text since the last quote is dropped.
fn split(content: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut begun = false;
    let mut start = 0;
    let mut state = State::Between;
    for (at, &byte) in content.iter().enumerate() {
        let line_end = matches!(byte, b'\n' | b'\r');
        let space = line_end || matches!(byte, b' ' | b'\t' | b'\x0c');
        match state {
            State::Between | State::Continuation { .. } if space => continue,
            State::Between => (state, start) = (State::Word, at),
            State::Continuation { quote } => (state, start) = (State::Quoted { quote }, at),
            State::Comment if line_end => {
                state = State::Between;
                continue;
            }
            State::Comment => continue,
            State::Escape { quote } if line_end => {
                state = State::Continuation { quote };
                continue;
            }
            State::Escape { quote } => {
                word.push(unescaped(byte));
                (state, start) = (State::Quoted { quote }, at + 1);
                continue;
            }
            State::Word | State::Quoted { .. } => {}
        }
        match (state, byte) {
            (State::Quoted { .. }, _) if space && !line_end => {}
            _ if space => {
                word.extend(&content[start..at]);
                words.push(OsString::from_vec(std::mem::take(&mut word)));
                (state, begun) = (State::Between, false);
            }
            (State::Word, b'#') => state = State::Comment,
            (State::Quoted { quote }, b'\\') => {
                word.extend(&content[start..at]);
                (state, begun) = (State::Escape { quote }, true);
            }
            (State::Word, b'"' | b'\'') => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (State::Quoted { quote: byte }, at + 1);
            }
            (State::Quoted { quote }, _) if byte == quote => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (State::Word, at + 1);
            }
            _ => {}
        }
    }
    if matches!(state, State::Word | State::Quoted { .. }) {
        word.extend(&content[start..]);
        if begun || start < content.len() {
            words.push(OsString::from_vec(word));
        }
    }
    words
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'f' => b'\x0c',
        _ => byte,
    }
}
