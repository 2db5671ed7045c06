//! Templates: strings of a configuration that may hold `${NAME}`, `${NAME:-default}` and `$$`. They
//! are checked once, when they are read, and expanded against an environment when they are needed.
//! An inserted value is never expanded again.

use crate::environ::Environ;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The largest depth of `${A:-${B:-…}}`.
const MOST_NESTED: usize = 16;

/// A string in which every `${` is closed and names a variable by a POSIX name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Template<'a> {
    written: &'a str,
    /// Whether it holds no `$`. Most templates do not, and need no expansion.
    is_plain: bool,
}

/// The origin of a piece of an expanded template. Globs take wildcards only from written pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The configuration has it literally.
    Written,
    /// It is the value or the default of a variable.
    Inserted,
}

impl<'a> Template<'a> {
    /// Checks a string.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn new(text: &'a str) -> Result<Self, String> {
        let is_plain = !text.bytes().any(|byte| byte == b'$');
        if !is_plain {
            Walk::new(text, None, &mut |_, _| {}).walk(0, true)?;
        }
        Ok(Self { written: text, is_plain })
    }

    /// Returns the string as it is written.
    pub fn written(&self) -> &'a str {
        self.written
    }

    /// Reports whether it expands to the same string in every environment.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Expands the template; an unset variable is empty.
    pub fn expand(&self, environ: &Environ) -> OsString {
        if self.is_plain {
            return self.written.into();
        }
        let mut expanded = Vec::with_capacity(self.written.len());
        self.pieces(environ, &mut |piece, _| expanded.extend_from_slice(piece));
        OsString::from_vec(expanded)
    }

    /// Returns the unset variables that it needs and has no default for.
    #[cfg(feature = "tool")]
    pub fn unset_variables(&self, environ: &Environ) -> Vec<&'a str> {
        let each = &mut |_: &[u8], _| {};
        let mut walk = Walk::new(self.written, Some(environ), each);
        let walked = walk.walk(0, true);
        debug_assert!(walked.is_ok(), "templates are checked when they are made");
        walk.unset
    }

    /// Returns the string with another one in the place of each `${…}`.
    #[cfg(feature = "tool")]
    pub fn with_each_reference_as(&self, other: &str) -> String {
        let (mut replaced, mut rest, mut depth) = (String::new(), self.written, 0);
        let mut put = |depth: usize, text: &str| {
            if depth == 0 {
                replaced += text;
            }
        };
        while let Some(at) = rest.find(['$', '}']) {
            put(depth, &rest[..at]);
            rest = &rest[at..];
            let length = if let Some(after) = rest.strip_prefix("${") {
                put(depth, other);
                depth += 1;
                rest.len() - after.len()
            } else if rest.starts_with('}') && depth > 0 {
                depth -= 1;
                1
            } else {
                put(depth, &rest[..1]);
                if rest.starts_with("$$") { 2 } else { 1 }
            };
            rest = &rest[length..];
        }
        put(depth, rest);
        replaced
    }

    /// Calls `each` with the pieces of the expanded template, in their order.
    pub fn pieces(&self, environ: &Environ, each: &mut dyn FnMut(&[u8], Origin)) {
        if self.is_plain {
            return each(self.written.as_bytes(), Origin::Written);
        }
        let walked = Walk::new(self.written, Some(environ), each).walk(0, true);
        debug_assert!(walked.is_ok(), "templates are checked when they are made");
    }
}

/// One pass over a string. Without an environment it only checks the syntax.
struct Walk<'t, 'w> {
    rest: &'t str,
    environ: Option<&'w Environ<'w>>,
    each: &'w mut dyn FnMut(&[u8], Origin),
    /// The unset variables that were needed.
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

    /// Walks to the end of the string or, inside `depth` references, past the `}` that closes the
    /// innermost one. Passes pieces on only where they are `needed`: a default is not when its
    /// variable has a value.
    fn walk(&mut self, depth: usize, needed: bool) -> Result<(), String> {
        let origin = if depth == 0 { Origin::Written } else { Origin::Inserted };
        let stops = |byte: u8| byte == b'$' || byte == b'}' && depth > 0;
        loop {
            let literal = self.rest.bytes().position(stops).unwrap_or(self.rest.len());
            let (literal, rest) = self.rest.split_at(literal);
            self.put(literal.as_bytes(), origin, needed);
            self.rest = rest;
            if let Some(reference) = rest.strip_prefix("${") {
                self.rest = reference;
                self.reference(depth, needed)?;
            } else if let Some(after) = rest.strip_prefix('$') {
                self.put(b"$", origin, needed);
                self.rest = after.strip_prefix('$').unwrap_or(after);
            } else if let Some(after) = rest.strip_prefix('}') {
                self.rest = after;
                return Ok(());
            } else {
                return if depth == 0 { Ok(()) } else { Err(unclosed()) };
            }
        }
    }

    /// Consumes a reference behind its `${`.
    fn reference(&mut self, depth: usize, needed: bool) -> Result<(), String> {
        let (name, after) = self.rest.split_at(name_length(self.rest));
        let value = self
            .environ
            .and_then(|environ| environ.value(name))
            .map(OsStrExt::as_bytes)
            .unwrap_or_default();
        if name.is_empty() || !(after.starts_with('}') || after.starts_with(":-")) {
            // The message does not quote what stands in the braces: it may be part of a secret.
            self.rest.find('}').ok_or_else(unclosed)?;
            return Err("a \"${\" begins neither ${NAME} nor ${NAME:-text} (a literal \"${\" is \
                        written \"$${\")"
                .into());
        }
        #[cfg(feature = "tool")]
        if needed
            && after.starts_with('}')
            && self.environ.is_some_and(|environ| environ.value(name).is_none())
        {
            self.unset.push(name);
        }
        self.put(value, Origin::Inserted, needed);
        match after.strip_prefix(":-") {
            None => {
                self.rest = &after[1..];
                Ok(())
            }
            Some(_) if depth == MOST_NESTED => {
                Err(format!("more than {MOST_NESTED} \"${{\" stand inside each other"))
            }
            Some(default) => {
                self.rest = default;
                self.walk(depth + 1, needed && value.is_empty())
            }
        }
    }

    fn put(&mut self, piece: &[u8], origin: Origin, needed: bool) {
        if needed && !piece.is_empty() {
            (self.each)(piece, origin);
        }
    }
}

fn unclosed() -> String {
    "a \"${\" is not closed (a literal \"${\" is written \"$${\")".into()
}

/// Returns the length of the POSIX name at the beginning of a string
/// ("Name", <https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/V1_chap03.html>).
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
    fn references_are_expanded_and_the_rest_stays() {
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
    fn reference_that_is_unclosed_or_no_name_is_refused() {
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

    #[cfg(feature = "tool")]
    #[test]
    fn each_reference_is_replaced_as_a_whole() {
        for (text, expected) in [
            ("plain } text", "plain } text"),
            ("a/${A}/b${B}", "a/*/b*"),
            ("${A:-x${B:-${C}}y}/z", "*/z"),
            ("$${A}$x$", "${A}$x$"),
            ("${A:-$$}}", "*}"),
        ] {
            let template = Template::new(text).expect("a template");
            assert_eq!(template.with_each_reference_as("*"), expected, "{text}");
        }
    }

    #[test]
    fn pieces_tell_written_from_inserted() {
        let environ = Environ::from_entries([c"A=*"]);
        let mut pieces = Vec::new();
        let text = Template::new("*${A}${B:-?}").expect("a template");
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
