//! Globs: `*`, `?`, `[a-z]` and `[!…]` over bytes, which match a whole string
//! (<https://man7.org/linux/man-pages/man7/glob.7.html>). An unclosed `[` is literal, and so is
//! everything that a variable inserted. This is why no library does it: those take a pattern as one
//! string, without the origin of its bytes.

use crate::environ::Environ;
use crate::template::{Origin, Template};

/// A pattern.
#[derive(Debug, PartialEq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, PartialEq, Clone)]
enum Token {
    Byte(u8),
    /// `?`
    AnyByte,
    /// `*`
    AnyBytes,
    /// `[…]`: ranges with their first and last byte.
    OneOf {
        ranges: Vec<(u8, u8)>,
        negated: bool,
    },
}

/// Whether a match distinguishes ASCII letters by their case.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    Insensitive,
}

impl Glob {
    /// Expands a template in an environment to a glob.
    pub fn new(text: &Template, environ: &Environ) -> Self {
        let mut symbols = Vec::new();
        text.pieces(environ, &mut |piece, origin| {
            symbols.extend(
                piece.iter().map(|&byte| Symbol { byte, is_written: origin == Origin::Written }),
            );
        });
        Self::parse(&symbols)
    }

    /// Returns the glob that matches one string only.
    pub fn from_literal(text: &str) -> Self {
        Self(text.bytes().map(Token::Byte).collect())
    }

    /// Checks the bracket expressions of a written glob.
    ///
    /// # Errors
    /// With the reason why one can never match what was meant.
    pub fn validate(written: &str) -> Result<(), String> {
        let symbols: Vec<_> =
            written.bytes().map(|byte| Symbol { byte, is_written: true }).collect();
        for token in Self::parse(&symbols).0 {
            let Token::OneOf { ranges, .. } = token else { continue };
            if let Some((low, high)) = ranges.iter().find(|(low, high)| low > high) {
                return Err(format!(
                    "the range {}-{} in \"{written}\" runs backwards",
                    *low as char, *high as char
                ));
            }
            if ranges.iter().any(|(low, high)| !low.is_ascii() || !high.is_ascii()) {
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
                Some(b'[') => match parse_bracket(rest) {
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

    /// Reports whether the glob matches a whole string. Takes time in proportion to the product of
    /// both lengths at most.
    pub fn matches(&self, text: &[u8], case: Case) -> bool {
        let (mut at, mut token) = (0, 0);
        // The last `*`: the position where it ends so far, and the token after it. On a mismatch it
        // takes one byte more; an earlier `*` never has to.
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(token) {
                Some(Token::AnyBytes) => {
                    token += 1;
                    retry = Some((at, token));
                }
                Some(other) if other.matches(text[at], case) => {
                    at += 1;
                    token += 1;
                }
                _ => {
                    let Some((end, after_star)) = retry else { return false };
                    (at, token) = (end + 1, after_star);
                    retry = Some((at, token));
                }
            }
        }
        self.0[token..].iter().all(|token| *token == Token::AnyBytes)
    }

    /// Returns the only string that the glob matches, if it has no wildcard.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.0
            .iter()
            .map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None })
            .collect()
    }

    /// Returns examples of strings that the glob matches: two, or one if it has no wildcard.
    #[cfg(feature = "tool")]
    pub fn samples(&self) -> Vec<String> {
        let sample = |star: &[u8]| {
            let mut sample = Vec::new();
            for token in &self.0 {
                match token {
                    Token::Byte(byte) => sample.push(*byte),
                    Token::AnyByte => sample.push(b'0'),
                    Token::AnyBytes => sample.extend_from_slice(star),
                    bracket @ Token::OneOf { .. } => {
                        let is_taken = |&byte: &u8| bracket.matches(byte, Case::Sensitive);
                        sample.extend((b' '..=b'~').find(is_taken));
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

    /// Returns the glob relative to a directory, if it begins with the directory literally.
    #[cfg(feature = "tool")]
    pub fn strip_directory(&self, directory: &str) -> Option<Glob> {
        let mut rest = self.0.iter();
        let is_prefix =
            directory.bytes().chain([b'/']).all(|byte| rest.next() == Some(&Token::Byte(byte)));
        is_prefix.then(|| Glob(rest.as_slice().to_vec()))
    }

    /// Splits the glob at each `/`.
    pub fn segments(&self) -> Vec<Glob> {
        self.0
            .split(|token| *token == Token::Byte(b'/'))
            .map(|tokens| Glob(tokens.to_vec()))
            .collect()
    }

    /// Reports whether the glob begins with a literal byte.
    pub fn starts_with(&self, byte: u8) -> bool {
        self.0.first() == Some(&Token::Byte(byte))
    }
}

impl Token {
    /// Reports whether the token matches one byte. `*` does not: [`Glob::matches`] handles it.
    fn matches(&self, byte: u8, case: Case) -> bool {
        let is_in_range = |low: u8, high: u8| match case {
            Case::Sensitive => (low..=high).contains(&byte),
            Case::Insensitive => {
                (low..=high).contains(&byte.to_ascii_lowercase())
                    || (low..=high).contains(&byte.to_ascii_uppercase())
            }
        };
        match self {
            Token::Byte(own) => is_in_range(*own, *own),
            Token::AnyByte => true,
            Token::AnyBytes => false,
            Token::OneOf { ranges, negated } => {
                ranges.iter().any(|&(low, high)| is_in_range(low, high)) != *negated
            }
        }
    }
}

/// A byte of a glob.
#[derive(Clone, Copy)]
struct Symbol {
    byte: u8,
    /// Whether it may be a wildcard, because no variable inserted it.
    is_written: bool,
}

impl Symbol {
    /// Returns the byte, if it may be a wildcard.
    fn as_wildcard(self) -> Option<u8> {
        self.is_written.then_some(self.byte)
    }
}

/// Parses a bracket expression behind its `[`. A `]` that comes first is literal. Returns `None`
/// for one that is not closed.
fn parse_bracket(symbols: &[Symbol]) -> Option<(Token, &[Symbol])> {
    let negated = symbols.first()?.as_wildcard() == Some(b'!');
    let members = &symbols[usize::from(negated)..];
    let length =
        1 + members.iter().skip(1).position(|symbol| symbol.as_wildcard() == Some(b']'))?;
    let (mut rest, after) = (&members[..length], &members[length + 1..]);
    let mut ranges = Vec::new();
    while let Some((first, tail)) = rest.split_first() {
        let is_range = tail.len() >= 2 && tail[0].as_wildcard() == Some(b'-');
        let last = if is_range { &tail[1] } else { first };
        ranges.push((first.byte, last.byte));
        rest = if is_range { &tail[2..] } else { tail };
    }
    Some((Token::OneOf { ranges, negated }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(
            &Template::new(text).expect("a template"),
            &Environ::from_entries([c"STAR=*a[b]?"]),
        )
    }

    #[test]
    fn glob_matches_whole_strings() {
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
    fn glob_matches_any_byte_and_ignores_case_on_request() {
        assert!(glob("a?b").matches(b"a\xffb", Case::Sensitive));
        assert!(glob("[!a]").matches(b"\xff", Case::Sensitive));
        assert!(glob("tR[u-v]e").matches(b"TrUe", Case::Insensitive));
        assert!(!glob("true").matches(b"TRUE", Case::Sensitive));
    }

    #[test]
    fn glob_of_many_stars_fails_fast() {
        assert!(!glob(&"*a".repeat(50)).matches(&[b'a'; 49], Case::Sensitive));
        assert!(!glob(&format!("{}c", "*a".repeat(50))).matches(&[b'a'; 5000], Case::Sensitive));
    }

    #[test]
    fn bracket_that_matches_nothing_meant_is_refused() {
        assert!(Glob::validate("[z-a]").is_err());
        assert!(Glob::validate("[é]").is_err());
        assert!(Glob::validate("[a-z]é*").is_ok());
        assert!(Glob::validate("[unclosed").is_ok());
    }
}
