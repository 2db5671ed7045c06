//! Texts of a configuration, which may hold `${NAME}`, `${NAME:-text}` and `$$`: checked once when
//! they are read, expanded against an environment when they are needed. What is put in is never
//! expanded again.

use crate::environ::Environ;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// How deep `${A:-${B:-…}}` may nest.
const MOST_NESTED: usize = 16;

/// A text whose every `${` is closed and holds a POSIX name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Template<'a> {
    written: &'a str,
    /// Whether it holds no `$`; most do not, and are taken as they are.
    is_plain: bool,
}

/// Where a piece of an expanded text comes from: a wildcard counts only where the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Written,
    Inserted,
}

impl<'a> Template<'a> {
    /// Checks the text; the error says what is wrong with it.
    pub fn new(text: &'a str) -> Result<Self, String> {
        let is_plain = !text.bytes().any(|byte| byte == b'$');
        if !is_plain {
            Walk::new(text, None, &mut |_, _| {}).walk(0, true)?;
        }
        Ok(Self { written: text, is_plain })
    }

    /// The text as the user wrote it.
    pub fn written(&self) -> &'a str {
        self.written
    }

    /// Whether it is the same in every environment.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub fn expand(&self, environ: &Environ) -> OsString {
        if self.is_plain {
            return self.written.into();
        }
        let mut expanded = Vec::with_capacity(self.written.len());
        self.pieces(environ, &mut |piece, _| expanded.extend_from_slice(piece));
        OsString::from_vec(expanded)
    }

    /// The variables that it takes for empty because they are unset, but for those that it has
    /// another text for.
    #[cfg(feature = "tool")]
    pub fn unset(&self, environ: &Environ) -> Vec<&'a str> {
        let each = &mut |_: &[u8], _| {};
        let mut walk = Walk::new(self.written, Some(environ), each);
        let walked = walk.walk(0, true);
        debug_assert!(walked.is_ok(), "texts are checked when they are made");
        walk.unset
    }

    /// Gives the expanded text piece by piece.
    pub fn pieces(&self, environ: &Environ, each: &mut dyn FnMut(&[u8], Origin)) {
        if self.is_plain {
            return each(self.written.as_bytes(), Origin::Written);
        }
        let walked = Walk::new(self.written, Some(environ), each).walk(0, true);
        debug_assert!(walked.is_ok(), "texts are checked when they are made");
    }
}

/// One pass over a text; without an environment it only checks.
struct Walk<'t, 'w> {
    rest: &'t str,
    environ: Option<&'w Environ<'w>>,
    each: &'w mut dyn FnMut(&[u8], Origin),
    /// The variables that were wanted and are unset.
    #[cfg(feature = "tool")]
    unset: Vec<&'t str>,
}

impl<'t, 'w> Walk<'t, 'w> {
    fn new(
        rest: &'t str,
        environ: Option<&'w Environ<'w>>,
        each: &'w mut dyn FnMut(&[u8], Origin),
    ) -> Self {
        Self {
            rest,
            environ,
            each,
            #[cfg(feature = "tool")]
            unset: Vec::new(),
        }
    }

    /// Walks to the end of the text or, when it is `depth` references deep, past the `}` that
    /// closes the innermost.
    fn walk(&mut self, depth: usize, wanted: bool) -> Result<(), String> {
        let origin = if depth == 0 { Origin::Written } else { Origin::Inserted };
        let stops = |byte: u8| byte == b'$' || byte == b'}' && depth > 0;
        loop {
            let literal = self.rest.bytes().position(stops).unwrap_or(self.rest.len());
            let (literal, rest) = self.rest.split_at(literal);
            self.put(literal.as_bytes(), origin, wanted);
            self.rest = rest;
            if let Some(reference) = rest.strip_prefix("${") {
                self.rest = reference;
                self.reference(depth, wanted)?;
            } else if let Some(after) = rest.strip_prefix('$') {
                self.put(b"$", origin, wanted);
                self.rest = after.strip_prefix('$').unwrap_or(after);
            } else if let Some(after) = rest.strip_prefix('}') {
                self.rest = after;
                return Ok(());
            } else {
                return if depth == 0 { Ok(()) } else { Err(unclosed()) };
            }
        }
    }

    /// Takes what follows a `${` off the rest.
    fn reference(&mut self, depth: usize, wanted: bool) -> Result<(), String> {
        let (name, after) = self.rest.split_at(name_length(self.rest));
        let value = self
            .environ
            .and_then(|environ| environ.value(name))
            .map(OsStrExt::as_bytes)
            .unwrap_or_default();
        if name.is_empty() || !(after.starts_with('}') || after.starts_with(":-")) {
            // What stands in the braces is not quoted: it may be part of a secret.
            self.rest.find('}').ok_or_else(unclosed)?;
            return Err("a \"${\" begins neither ${NAME} nor ${NAME:-text} (a literal \"${\" is \
                        written \"$${\")"
                .into());
        }
        #[cfg(feature = "tool")]
        if wanted
            && after.starts_with('}')
            && self.environ.is_some_and(|environ| environ.value(name).is_none())
        {
            self.unset.push(name);
        }
        self.put(value, Origin::Inserted, wanted);
        match after.strip_prefix(":-") {
            None => {
                self.rest = &after[1..];
                Ok(())
            }
            Some(_) if depth == MOST_NESTED => {
                Err(format!("more than {MOST_NESTED} \"${{\" stand inside each other"))
            }
            Some(instead) => {
                self.rest = instead;
                self.walk(depth + 1, wanted && value.is_empty())
            }
        }
    }

    fn put(&mut self, piece: &[u8], origin: Origin, wanted: bool) {
        if wanted && !piece.is_empty() {
            (self.each)(piece, origin);
        }
    }
}

fn unclosed() -> String {
    "a \"${\" is not closed (a literal \"${\" is written \"$${\")".into()
}

/// How long the POSIX name is that a text begins with.
fn name_length(text: &str) -> usize {
    let ends_name = |(index, byte): (usize, u8)| {
        !(byte == b'_' || byte.is_ascii_alphabetic() || index > 0 && byte.is_ascii_digit())
    };
    text.bytes().enumerate().position(ends_name).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let environ = Environ::from_entries([c"A=1", c"EMPTY=", c"B=${A}", c"_X9=under"]);
        Template::new(text).expect(text).expand(&environ).into_string().expect("UTF-8")
    }

    #[test]
    fn expands_references_and_leaves_the_rest() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${UNSET}", ""),
            ("${UNSET:-other}", "other"),
            ("${EMPTY:-other}", "other"),
            ("${A:-other}", "1"),
            ("${UNSET:-${EMPTY:-${A}}}!", "1!"),
            ("${A:-${UNSET:-x}}!", "1!"),
            ("${UNSET:-}", ""),
            ("${UNSET:-a{b}c}", "a{bc}"),
            ("${UNSET:-a$$b$c}", "a$b$c"),
            ("${B}", "${A}"),
            ("${_X9}", "under"),
            ("$A $ $$ $$A $${A} $(x)", "$A $ $ $A ${A} $(x)"),
            ("cost: 5$", "cost: 5$"),
            ("}", "}"),
        ] {
            assert_eq!(expanded(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_closed_or_not_a_name() {
        for text in [
            "${",
            "${A",
            "${A:-",
            "${A:-x",
            "${A:-${B}",
            "a${}",
            "${1}",
            "${A B}",
            "${A:+x}",
            "${A-x}",
            "${é}",
        ] {
            assert!(Template::new(text).is_err(), "{text}");
        }
        assert!(Template::new(&"${A:-".repeat(10_000)).is_err());
    }

    #[test]
    fn keeps_apart_what_was_written_and_what_was_put_in() {
        let environ = Environ::from_entries([c"A=*"]);
        let mut pieces = Vec::new();
        let text = Template::new("*${A}${B:-?}").expect("a text");
        text.pieces(&environ, &mut |piece, origin| pieces.push((piece.to_vec(), origin)));
        assert_eq!(
            pieces,
            [
                (b"*".to_vec(), Origin::Written),
                (b"*".to_vec(), Origin::Inserted),
                (b"?".to_vec(), Origin::Inserted)
            ]
        );
    }
}
