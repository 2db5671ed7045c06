//! Globs: `*`, `?`, `[a-z]` and `[!…]` over bytes, matching a whole text. An unclosed `[` is
//! literal, and so is everything that a variable put in.

use crate::environ::Environ;
use crate::template::{Origin, Template};

#[derive(Debug, PartialEq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, PartialEq, Clone)]
enum Token {
    Byte(u8),
    AnyByte,
    AnyBytes,
    OneOf { bytes: Vec<(u8, u8)>, negated: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    Insensitive,
}

impl Glob {
    /// The glob that a text comes to in an environment.
    pub fn new(text: &Template, environ: &Environ) -> Self {
        let mut symbols = Vec::new();
        text.pieces(environ, &mut |piece, origin| {
            symbols
                .extend(piece.iter().map(|&byte| Symbol { byte, wild: origin == Origin::Written }));
        });
        Self::parse(&symbols)
    }

    /// The glob that names one path and nothing else.
    pub fn from_literal(path: &str) -> Self {
        Self(path.bytes().map(Token::Byte).collect())
    }

    /// Says what is wrong with the sets of a glob that a user wrote: nothing, or why one can never
    /// match.
    pub fn validate(written: &str) -> Result<(), String> {
        let symbols: Vec<_> = written.bytes().map(|byte| Symbol { byte, wild: true }).collect();
        for token in Self::parse(&symbols).0 {
            let Token::OneOf { bytes, .. } = token else { continue };
            if let Some((low, high)) = bytes.iter().find(|(low, high)| low > high) {
                return Err(format!(
                    "the range {}-{} in \"{written}\" runs backwards",
                    *low as char, *high as char
                ));
            }
            if bytes.iter().any(|(low, high)| !low.is_ascii() || !high.is_ascii()) {
                return Err(format!(
                    "a set in \"{written}\" holds a character that is not ASCII (globs match \
                     bytes)"
                ));
            }
        }
        Ok(())
    }

    fn parse(mut symbols: &[Symbol]) -> Self {
        let mut tokens = Vec::with_capacity(symbols.len());
        while let Some((first, rest)) = symbols.split_first() {
            symbols = rest;
            tokens.push(match first.as_wildcard() {
                Some(b'*') => Token::AnyBytes,
                Some(b'?') => Token::AnyByte,
                Some(b'[') => match set(rest) {
                    None => Token::Byte(b'['),
                    Some((token, after)) => {
                        symbols = after;
                        token
                    }
                },
                _ => Token::Byte(first.byte),
            });
        }
        Self(tokens)
    }

    pub fn matches(&self, text: &[u8], case: Case) -> bool {
        // The classic loop: on a mismatch, let the last `*` take one byte more.
        let (mut at, mut token) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(token) {
                Some(Token::AnyBytes) => {
                    token += 1;
                    retry = Some((at, token));
                }
                Some(other) if other.takes(text[at], case) => {
                    at += 1;
                    token += 1;
                }
                _ => match retry {
                    None => return false,
                    Some((start, after_star)) => {
                        at = start + 1;
                        token = after_star;
                        retry = Some((at, token));
                    }
                },
            }
        }
        self.0[token..].iter().all(|token| *token == Token::AnyBytes)
    }

    /// The text, if the glob has no wildcard: then it matches this alone.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.0
            .iter()
            .map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None })
            .collect()
    }

    /// Texts that it matches; one, if it has no wildcard.
    #[cfg(feature = "tool")]
    pub fn samples(&self) -> Vec<String> {
        let sample = |many: &[u8]| {
            let mut sample = Vec::new();
            for token in &self.0 {
                match token {
                    Token::Byte(byte) => sample.push(*byte),
                    Token::AnyByte => sample.push(b'0'),
                    Token::AnyBytes => sample.extend_from_slice(many),
                    set => {
                        sample.extend((b' '..=b'~').find(|&byte| set.takes(byte, Case::Sensitive)))
                    }
                }
            }
            String::from_utf8_lossy(&sample).into_owned()
        };
        match self.literal() {
            Some(_) => vec![sample(b"")],
            None => vec![sample(b""), sample(b"0")],
        }
    }

    /// What it looks for in a folder, if it looks there.
    #[cfg(feature = "tool")]
    pub fn strip_directory(&self, folder: &str) -> Option<Glob> {
        let mut rest = self.0.iter();
        let leads_there =
            folder.bytes().chain([b'/']).all(|byte| rest.next() == Some(&Token::Byte(byte)));
        leads_there.then(|| Glob(rest.as_slice().to_vec()))
    }

    /// The globs between the `/` of a path.
    pub fn segments(&self) -> Vec<Glob> {
        self.0
            .split(|token| *token == Token::Byte(b'/'))
            .map(|tokens| Glob(tokens.to_vec()))
            .collect()
    }

    pub fn starts_with(&self, byte: u8) -> bool {
        self.0.first() == Some(&Token::Byte(byte))
    }
}

impl Token {
    fn takes(&self, byte: u8, case: Case) -> bool {
        let lies_in = |low: u8, high: u8, byte: u8| low <= byte && byte <= high;
        let within = |low: u8, high: u8| match case {
            Case::Sensitive => lies_in(low, high, byte),
            Case::Insensitive => {
                lies_in(low, high, byte.to_ascii_lowercase())
                    || lies_in(low, high, byte.to_ascii_uppercase())
            }
        };
        match self {
            Token::Byte(own) => within(*own, *own),
            Token::AnyByte => true,
            Token::AnyBytes => false,
            Token::OneOf { bytes, negated } => {
                bytes.iter().any(|&(low, high)| within(low, high)) != *negated
            }
        }
    }
}

/// A byte of a glob, and whether it may be a wildcard.
#[derive(Clone, Copy)]
struct Symbol {
    byte: u8,
    wild: bool,
}

impl Symbol {
    fn as_wildcard(self) -> Option<u8> {
        self.wild.then_some(self.byte)
    }
}

/// Reads a set behind its `[`: as in POSIX a `]` that stands first is a member. `None` when it is
/// not closed.
fn set(symbols: &[Symbol]) -> Option<(Token, &[Symbol])> {
    let negated = symbols.first()?.as_wildcard() == Some(b'!');
    let members = &symbols[usize::from(negated)..];
    let length =
        1 + members.iter().skip(1).position(|symbol| symbol.as_wildcard() == Some(b']'))?;
    let (mut rest, after) = (&members[..length], &members[length + 1..]);
    let mut bytes = Vec::new();
    while let Some((first, tail)) = rest.split_first() {
        let range = tail.len() >= 2 && tail[0].as_wildcard() == Some(b'-');
        let last = if range { &tail[1] } else { first };
        bytes.push((first.byte, last.byte));
        rest = if range { &tail[2..] } else { tail };
    }
    Some((Token::OneOf { bytes, negated }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(&Template::new(text).expect("a text"), &Environ::from_entries([c"STAR=*a[b]?"]))
    }

    #[test]
    fn matches_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*.json", ".json", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "ax", false),
            ("[]a]", "]", true),
            ("[!]a]", "]", false),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("[]", "[]", true),
            ("[!]", "[!]", true),
            ("nodejs2[24].x", "nodejs22.x", true),
            ("${STAR}", "*a[b]?", true),
            ("${STAR}", "xxa[b]?", false),
            ("[${STAR}]", "*", true),
            ("[${STAR}]", "x", false),
        ] {
            assert_eq!(
                glob(pattern).matches(text.as_bytes(), Case::Sensitive),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn matches_any_byte_and_ignores_case_where_it_is_asked_to() {
        assert!(glob("a?b").matches(b"a\xffb", Case::Sensitive));
        assert!(glob("[!a]").matches(b"\xff", Case::Sensitive));
        assert!(glob("tR[u-v]e").matches(b"TrUe", Case::Insensitive));
        assert!(!glob("true").matches(b"TRUE", Case::Sensitive));
    }

    #[test]
    fn stays_fast_on_many_stars() {
        assert!(!glob(&"*a".repeat(50)).matches(&[b'a'; 49], Case::Sensitive));
        assert!(!glob(&format!("{}c", "*a".repeat(50))).matches(&[b'a'; 5000], Case::Sensitive));
    }

    #[test]
    fn finds_sets_that_cannot_be_meant() {
        assert!(Glob::validate("[z-a]").is_err());
        assert!(Glob::validate("[é]").is_err());
        assert!(Glob::validate("[a-z]é*").is_ok());
        assert!(Glob::validate("[unclosed").is_ok());
    }
}
