//! The parser that Python, Node and Ruby share: options, then the entry, then its arguments. The
//! interpreter's own `form` classifies each word.

use super::{Word, WordKind};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// The form of a word where options may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A complete option.
    Option,
    /// An option whose value is the next word.
    TakesValue,
    /// `-c`, or a cluster of options that ends in it: the next word is code or a module.
    Introduction,
    /// Code or a module after this many bytes of introduction.
    Joined(usize),
    /// `--`: the next word is the script, unless there was code.
    EndOfOptions,
    /// No option: the script, or after code the first argument.
    Plain,
}

/// The words that may follow code, and the meaning of more code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterCode {
    /// Arguments only.
    Arguments,
    /// Options may follow; more code is added to the first.
    OptionsFirstCodeIsEntry,
    /// Options may follow; more code replaces the first.
    OptionsLastCodeIsEntry,
}

/// The grammar of an interpreter.
pub(super) struct Grammar {
    /// Classifies a word, given the next one.
    pub(super) form: fn(&[u8], Option<&[u8]>) -> Form,
    pub(super) after_code: AfterCode,
}

/// Parses the words after the interpreter.
pub(super) fn parse(grammar: &Grammar, arguments: Vec<OsString>) -> Vec<Word> {
    let mut words = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    let mut has_code = false;
    while let Some(text) = arguments.next() {
        let next = arguments.as_slice().first().map(|next| next.as_bytes());
        let form = (grammar.form)(text.as_bytes(), next);
        if matches!(form, Form::Introduction | Form::Joined(_))
            && grammar.after_code == AfterCode::OptionsLastCodeIsEntry
        {
            words.iter_mut().for_each(demote);
            has_code = false;
        }
        let (kind, value) = match form {
            Form::Option => (WordKind::Option, None),
            Form::TakesValue => (WordKind::Option, Some(WordKind::Value)),
            Form::Introduction if has_code => (WordKind::Option, Some(WordKind::Value)),
            Form::Joined(_) if has_code => (WordKind::Option, None),
            Form::Introduction => (WordKind::Introduction, Some(WordKind::Entry { joined: 0 })),
            Form::Joined(joined) => (WordKind::Entry { joined }, None),
            Form::EndOfOptions if has_code => (WordKind::EndOfOptions, None),
            Form::EndOfOptions => (WordKind::EndOfOptions, Some(WordKind::Entry { joined: 0 })),
            Form::Plain if has_code => (WordKind::Argument, None),
            Form::Plain => (WordKind::Entry { joined: 0 }, None),
        };
        words.push(Word::new(kind, text));
        if let Some(kind) = value {
            words.extend(arguments.next().map(|text| Word::new(kind, text)));
        }
        has_code |= matches!(form, Form::Introduction | Form::Joined(_));
        let ends = matches!(form, Form::EndOfOptions | Form::Plain);
        if ends || (has_code && grammar.after_code == AfterCode::Arguments) {
            break;
        }
    }
    words.extend(arguments.map(|text| Word::new(WordKind::Argument, text)));
    words
}

/// Turns code that later code replaces into an option with its value.
fn demote(word: &mut Word) {
    word.kind = match word.kind {
        WordKind::Introduction | WordKind::Entry { joined: 1.. } => WordKind::Option,
        WordKind::Entry { joined: 0 } => WordKind::Value,
        kind => kind,
    };
}

/// Tells whether a table has an option.
pub(super) fn contains(table: &[&str], option: &[u8]) -> bool {
    table.iter().any(|name| name.as_bytes() == option)
}
