//! The walk over a command line that Python, Node and Ruby share: options, then the entry, then its
//! arguments. What a word is by itself is up to the interpreter's `form`.

use super::{Kind, Word};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// What a word is where options are expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// An option that is complete.
    Option,
    /// An option whose value is the next word.
    TakesValue,
    /// `-c`, or a cluster that ends in it: the next word is code, or a module.
    Introduction,
    /// Code or a module behind `joined` bytes of introduction.
    Joined(usize),
    /// `--`: the next word is the script, unless there is code.
    EndOfOptions,
    /// Not an option: the script, or behind code the first argument.
    Plain,
}

/// What stands behind code, and what a second piece of code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterCode {
    /// Arguments only.
    Arguments,
    /// Options go on; further code is added to the first.
    OptionsFirstCodeIsEntry,
    /// Options go on; further code replaces what came before.
    OptionsLastCodeIsEntry,
}

pub(super) struct Grammar {
    /// Sees the word and the one behind it.
    pub(super) form: fn(&[u8], Option<&[u8]>) -> Form,
    pub(super) after_code: AfterCode,
}

pub(super) fn walk(grammar: &Grammar, arguments: Vec<OsString>) -> Vec<Word> {
    let mut words = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    let mut code = false;
    while let Some(text) = arguments.next() {
        let next = arguments.as_slice().first().map(|next| next.as_bytes());
        let form = (grammar.form)(text.as_bytes(), next);
        if matches!(form, Form::Introduction | Form::Joined(_))
            && grammar.after_code == AfterCode::OptionsLastCodeIsEntry
        {
            words.iter_mut().for_each(demote);
            code = false;
        }
        let (kind, value) = match form {
            Form::Option => (Kind::Option, None),
            Form::TakesValue => (Kind::Option, Some(Kind::Value)),
            Form::Introduction if code => (Kind::Option, Some(Kind::Value)),
            Form::Joined(_) if code => (Kind::Option, None),
            Form::Introduction => (Kind::Introduction, Some(Kind::Entry { joined: 0 })),
            Form::Joined(joined) => (Kind::Entry { joined }, None),
            Form::EndOfOptions if code => (Kind::EndOfOptions, None),
            Form::EndOfOptions => (Kind::EndOfOptions, Some(Kind::Entry { joined: 0 })),
            Form::Plain if code => (Kind::Argument, None),
            Form::Plain => (Kind::Entry { joined: 0 }, None),
        };
        words.push(Word::new(kind, text));
        if let Some(kind) = value {
            words.extend(arguments.next().map(|text| Word::new(kind, text)));
        }
        code |= matches!(form, Form::Introduction | Form::Joined(_));
        let ends = matches!(form, Form::EndOfOptions | Form::Plain);
        if ends || (code && grammar.after_code == AfterCode::Arguments) {
            break;
        }
    }
    words.extend(arguments.map(|text| Word::new(Kind::Argument, text)));
    words
}

/// Code that later code replaces is an option with its value.
fn demote(word: &mut Word) {
    word.kind = match word.kind {
        Kind::Introduction | Kind::Entry { joined: 1.. } => Kind::Option,
        Kind::Entry { joined: 0 } => Kind::Value,
        kind => kind,
    };
}

/// Whether `table` has the option; tables are short, and a search is cheaper than anything that is
/// prepared.
pub(super) fn contains(table: &[&str], option: &[u8]) -> bool {
    table.iter().any(|name| name.as_bytes() == option)
}
