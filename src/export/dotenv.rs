//! Parses dotenv lines as the tools print them that hooks call. Dotenv has no standard, and parsers
//! disagree about many lines; so this accepts a line only if all tools that print it mean the same
//! value, and refuses the others (the table is in docs/hooks.md). No library does that: each has
//! one reading for every line.

use super::Variable;
use crate::environ::split_entry;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The reason why a line is refused, and the way out.
type Refusal = &'static str;

const NO_EQUALS: Refusal = "there is no \"=\"; print NAME=VALUE lines and nothing else";
const NO_NAME: Refusal = "there is no name before \"=\"; print NAME=VALUE lines and nothing else";
const BAD_NAME: Refusal = "the name before \"=\" may hold letters, digits, \"_\", \".\" and \"-\" \
                       alone; print NAME=VALUE lines and nothing else";
const UNCLOSED: Refusal =
    "a quote is not closed; close it, or write one inside of double quotes as \\\"";
const AFTER_QUOTE: Refusal = "something stands behind the closing quote; put the whole value into \
                         quotes, and a blank before a comment";
const TRIPLE_QUOTE: Refusal =
    "three quotes stand in a row, which readers take for different things; write one";
const DOUBLE_QUOTED_BACKSLASH: Refusal = "readers disagree about a backslash in double quotes \
                                          before anything but \\ \" $ ` ! n r t; write \\\\ \
                                          for a backslash";
const SINGLE_QUOTED_BACKSLASH: Refusal = "readers disagree about a backslash in single quotes \
                                          before a backslash or quote; write it in double quotes \
                                          as \\\\";
const UNQUOTED_BACKSLASH: Refusal =
    "readers disagree about a backslash outside quotes; put the value into single quotes";
const COMMAND: Refusal = "\"$(\" or \"`\" outside single quotes would run a command in a shell, \
                          and nothing is run here; put the value into single quotes, or a \
                          backslash before it in double quotes";
const SHELL_QUOTES: Refusal =
    "only a shell understands $'…' and $\"…\"; print with env -0, or write \\n in double quotes";
const NEXT_COMMAND: Refusal = "only a shell understands a \";\", \"&&\" or second NAME= behind \
                               the value; print one NAME=VALUE a line, or put the value into \
                               quotes";
const CARRIAGE_RETURN: Refusal = "readers disagree about a carriage return inside a value; write \
                                  it in double quotes as \\r, or end lines with \\n alone";

/// Parses the variables in their order, with duplicates. Output that ends in a NUL is that of
/// `env -0`.
///
/// # Errors
/// With the line or entry that is refused, why, and the way out.
pub fn parse(output: &[u8]) -> Result<Vec<Variable>, String> {
    if output.starts_with(b"\xff\xfe") || output.starts_with(b"\xfe\xff") {
        return Err("the output is UTF-16; print UTF-8".into());
    }
    if let Some(entries) = output.strip_suffix(b"\0") {
        return entries.split(|&byte| byte == 0).enumerate().map(parse_entry).collect();
    }
    let mut variables = Vec::new();
    let mut lines = Lines { rest: output, number: 1 };
    while !lines.rest.is_empty() {
        let line = lines.number;
        variables
            .extend(lines.take_variable().map_err(|refusal| format!("line {line}: {refusal}"))?);
    }
    Ok(variables)
}

/// Parses an entry of the output of `env -0`, whose value is everything up to its NUL.
fn parse_entry((index, entry): (usize, &[u8])) -> Result<Variable, String> {
    let (name, value) = split_entry(entry);
    let parts = value.ok_or(NO_EQUALS).and_then(|value| {
        let name = std::str::from_utf8(name)
            .map_err(|_| "the name before \"=\" is not UTF-8; rename it")?;
        if name.is_empty() {
            Err(NO_NAME)
        } else {
            Ok((name.to_owned(), OsString::from_vec(value.into())))
        }
    });
    parts.map_err(|refusal| format!("entry {} before a NUL: {refusal}", index + 1))
}

/// The lines that are left.
struct Lines<'o> {
    rest: &'o [u8],
    /// The number of the next line, from one.
    number: usize,
}

impl Lines<'_> {
    /// Takes a line, or several if a quoted value has several. Returns its variable, if it has one.
    fn take_variable(&mut self) -> Result<Option<Variable>, Refusal> {
        let line = self.line();
        let text = line.trim_ascii();
        if text.is_empty() || text.starts_with(b"#") || strip_export(text).is_some_and(is_name) {
            // bash prints `export NAME` for a variable without a value.
            self.skip(line.len() + 1);
            return Ok(None);
        }
        let (name, value) = split_entry(line);
        let (name, value) = (name.trim_ascii(), value.ok_or(NO_EQUALS)?);
        let value_start = line.len() - value.len();
        let name = strip_export(name).unwrap_or(name);
        if !is_name(name) {
            return Err(if name.is_empty() { NO_NAME } else { BAD_NAME });
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let blanks = value.iter().take_while(|&&byte| is_blank(byte)).count();
        let value = match &value[blanks..] {
            [b'"' | b'\'', ..] => {
                self.skip(value_start + blanks);
                self.take_word(AFTER_QUOTE, b"'\"", |_| false)?
            }
            bare => {
                // A `#` after a blank begins a comment, also directly after the `=`.
                let is_comment = |at: &usize| value[*at] == b'#' && is_blank(value[*at - 1]);
                let bare = match (1..value.len()).find(is_comment) {
                    Some(comment) => value[..comment].trim_ascii(),
                    None => bare.trim_ascii_end(),
                };
                if bare.starts_with(b"$'") || bare.starts_with(b"$\"") {
                    return Err(SHELL_QUOTES);
                }
                if bare.contains(&b'\\') {
                    // bash's `printf %q` writes it, with a backslash before every character that is
                    // special to a shell.
                    self.skip(value_start + blanks);
                    self.take_word(UNQUOTED_BACKSLASH, b"", |byte| {
                        byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte) || byte > 127
                    })?
                } else {
                    check_unquoted(bare)?;
                    self.skip(line.len() + 1);
                    bare.to_vec()
                }
            }
        };
        Ok(Some((name, OsString::from_vec(value))))
    }

    /// Takes a word as tools quote it for a shell, and the rest of its line, which may hold a
    /// comment. The word consists of parts in these `quotes`, of characters after a backslash, and
    /// of `plain` ones; it ends at a blank.
    fn take_word(
        &mut self,
        refusal: Refusal,
        quotes: &[u8],
        plain: fn(u8) -> bool,
    ) -> Result<Vec<u8>, Refusal> {
        if self.rest.starts_with(b"\"\"\"") || self.rest.starts_with(b"'''") {
            return Err(TRIPLE_QUOTE);
        }
        let mut value = Vec::new();
        let mut at = 0;
        while let Some(&byte) = self.rest.get(at) {
            match (byte, self.rest.get(at + 1)) {
                (b'"', _) if quotes.contains(&byte) => {
                    at = self.unquote_double(at + 1, &mut value)?;
                }
                (b'\'', _) if quotes.contains(&byte) => {
                    at = self.unquote_single(at + 1, &mut value)?;
                }
                (b'\\', Some(&escaped))
                    if escaped == b' ' || escaped.is_ascii_punctuation() && escaped != b'\\' =>
                {
                    value.push(escaped);
                    at += 2;
                }
                _ if plain(byte) => {
                    value.push(byte);
                    at += 1;
                }
                _ if byte.is_ascii_whitespace() => break,
                _ => return Err(refusal),
            }
        }
        self.skip(at);
        let after = self.line();
        if !matches!(after.trim_ascii(), [] | [b'#', ..]) {
            return Err(refusal);
        }
        self.skip(after.len() + 1);
        Ok(value)
    }

    /// Appends the content of double quotes, which begins at `at`; returns the position after them.
    fn unquote_double(&self, mut at: usize, value: &mut Vec<u8>) -> Result<usize, Refusal> {
        loop {
            let next = self.rest.get(at + 1);
            value.push(match (*self.rest.get(at).ok_or(UNCLOSED)?, next) {
                (b'"', _) => return Ok(at + 1),
                (b'\r', _) => return Err(CARRIAGE_RETURN),
                (b'`', _) | (b'$', Some(b'(')) => return Err(COMMAND),
                (b'\\', Some(&escaped)) => {
                    at += 1;
                    match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'\\' | b'"' | b'$' | b'`' | b'!' => escaped,
                        _ => return Err(DOUBLE_QUOTED_BACKSLASH),
                    }
                }
                (byte, _) => byte,
            });
            at += 1;
        }
    }

    /// Appends the content of single quotes, which begins at `start`; returns the position after
    /// them.
    fn unquote_single(&self, start: usize, value: &mut Vec<u8>) -> Result<usize, Refusal> {
        let length = self.rest[start..].iter().position(|&byte| byte == b'\'').ok_or(UNCLOSED)?;
        let part = &self.rest[start..start + length];
        if part.contains(&b'\r') {
            return Err(CARRIAGE_RETURN);
        }
        if part.ends_with(b"\\") || part.windows(2).any(|pair| pair == b"\\\\") {
            return Err(SINGLE_QUOTED_BACKSLASH);
        }
        value.extend(part);
        Ok(start + length + 1)
    }

    /// Returns the rest of the line, without its line ending.
    fn line<'l>(&self) -> &'l [u8]
    where
        Self: 'l,
    {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        &self.rest[..end]
    }

    /// Skips bytes and counts the lines in them.
    fn skip(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.number += taken.iter().filter(|&&byte| byte == b'\n').count();
        self.rest = rest;
    }
}

/// Returns what follows `export` or `declare -x`, if the text begins with either.
fn strip_export(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(b"export").or_else(|| text.strip_prefix(b"declare -x"))?;
    rest.first().is_some_and(|&byte| is_blank(byte)).then(|| rest.trim_ascii())
}

/// Reports whether a parser of dotenv files may accept the text as a name.
fn is_name(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Refuses an unquoted value in which a shell would see a command or a second variable. A `$` alone
/// is like any other character.
fn check_unquoted(value: &[u8]) -> Result<(), Refusal> {
    if value.contains(&b'\r') {
        return Err(CARRIAGE_RETURN);
    }
    for (at, &byte) in value.iter().enumerate() {
        let rest = &value[at + 1..];
        match byte {
            b'`' => return Err(COMMAND),
            b'$' if rest.starts_with(b"(") => return Err(COMMAND),
            b'&' if rest.starts_with(b"&") => return Err(NEXT_COMMAND),
            b';' if rest.first().is_none_or(|&next| is_blank(next))
                || rest.starts_with(b"export") =>
            {
                return Err(NEXT_COMMAND);
            }
            b' ' | b'\t' => {
                let name =
                    rest.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_'));
                if name.is_some_and(|end| end > 0 && rest[end] == b'=') {
                    return Err(NEXT_COMMAND);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &[u8]) -> Result<Vec<(String, String)>, String> {
        let text = |(name, value): Variable| (name, value.into_string().expect("UTF-8"));
        parse(output).map(|list| list.into_iter().map(text).collect())
    }

    /// Returns the code spans of a piece of Markdown.
    fn spans(mut text: &str) -> Vec<String> {
        let mut spans = Vec::new();
        while let Some(start) = text.find('`') {
            let fence =
                &text[start..][..text[start..].len() - text[start..].trim_start_matches('`').len()];
            let (span, rest) =
                text[start + fence.len()..].split_once(fence).expect("a span has an end");
            spans.push(span.replace('⏎', "\n"));
            text = rest;
        }
        spans
    }

    #[test]
    fn table_of_the_documentation_is_true() {
        let mut lines = 0;
        let page = include_str!("../../docs/hooks.md");
        let table =
            page.split_once("| printed | value |\n").expect("the table").1.split("\n\n").next();
        let rows = table
            .expect("its end")
            .lines()
            .filter_map(|row| row.trim_matches(['|', ' ']).split_once(" | "));
        for (printed, means) in rows {
            for line in spans(printed) {
                lines += 1;
                let found = read(line.as_bytes());
                if let Some(reason) = means.strip_prefix("refused: ") {
                    let reason = reason.split(" (").next().expect("a reason").replace('`', "");
                    let refusal = found.expect_err(&line).replace(['`', '"'], "");
                    assert!(refusal.contains(&reason.replace('"', "")), "{line}: {refusal}");
                } else {
                    let value = spans(means).into_iter().next().unwrap_or_default();
                    let last = found.expect(&line).pop();
                    assert_eq!(last, Some(("A".to_owned(), value)), "{line}");
                }
            }
        }
        assert!(lines > 50, "the table has {lines} lines");
    }

    #[test]
    fn lines_are_parsed_in_their_order() {
        for (output, expected) in [
            ("A=1\nB=2", vec![("A", "1"), ("B", "2")]),
            ("\n# comment\n  A = x y \r\n", vec![("A", "x y")]),
            (
                "export A=1\nexport\tB='2'\nexported=3",
                vec![("A", "1"), ("B", "2"), ("exported", "3")],
            ),
            (
                "A=x # comment\nB=x#y\nC=#x\nD= # comment",
                vec![("A", "x"), ("B", "x#y"), ("C", "#x"), ("D", "")],
            ),
            (
                "A='$HOME `id` \\n' # c\nB=\"a\\tb\\\"\\$\"",
                vec![("A", "$HOME `id` \\n"), ("B", "a\tb\"$")],
            ),
            ("A=\"one\ntwo\"\nB='x\n y'\nC=", vec![("A", "one\ntwo"), ("B", "x\n y"), ("C", "")]),
            ("A=1\nA=2", vec![("A", "1"), ("A", "2")]),
            (
                "A=b=c\nB=https://x/?a=1&b=2\nC=Server=x;Database=y",
                vec![("A", "b=c"), ("B", "https://x/?a=1&b=2"), ("C", "Server=x;Database=y")],
            ),
            ("A=-Xmx1g -Dx=y", vec![("A", "-Xmx1g -Dx=y")]),
            ("a.b-c=1\n1=2", vec![("a.b-c", "1"), ("1", "2")]),
            ("", vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            assert_eq!(read(output.as_bytes()), Ok(expected), "{output}");
        }
    }

    /// Lines that tools print, taken from their source or their output.
    #[test]
    fn lines_of_tools_have_the_value_that_the_tool_means() {
        for (tool, line, value) in [
            (
                "godotenv, chamber export",
                r#"A="bang\!mark \$5 \`x\` \"q\" \\ a\nb\rc""#,
                "bang!mark $5 `x` \"q\" \\ a\nb\rc",
            ),
            ("godotenv of a number", "A=-5", "-5"),
            ("doppler", "A=\"a $b \\\\ \\\"c\\\"\nd\"", "a $b \\ \"c\"\nd"),
            ("infisical", "A='a \"b\" $c'", "a \"b\" $c"),
            ("chamber env, shlex.quote, dash's export -p", "export A='it'\"'\"'s'", "it's"),
            ("dotenvx", r"A='it'\''s'", "it's"),
            (
                "bash's export -p",
                r#"declare -x A="\$HOME \`id\` !x \"q\" \\""#,
                "$HOME `id` !x \"q\" \\",
            ),
            (
                "bash's printf %q",
                r#"A=\$HOME\ \`id\`\ \!x\ \"q\"\ \(b\)"#,
                "$HOME `id` !x \"q\" (b)",
            ),
            ("printf %q of nothing", "A=''", ""),
            ("aws-vault", "AWS_SESSION_TOKEN=IQoJ+/b3==", "IQoJ+/b3=="),
        ] {
            let read = read(line.as_bytes()).unwrap_or_else(|refusal| panic!("{tool}: {refusal}"));
            assert_eq!(read[0].1, value, "{tool}: {line}");
        }
        for (tool, line) in [
            ("python-dotenv", r"A='it\'s'"),
            ("python-dotenv", r"A='a\\b'"),
            ("sops", r"A=one\ntwo"),
            ("direnv", "export A=$'b';export B=c;"),
            ("direnv", "export A=b;export B=c;"),
            ("ssh-agent", "SSH_AUTH_SOCK=/tmp/x; export SSH_AUTH_SOCK;"),
            ("ruby's shellescape", "A=a'\n'b"),
            ("bash's export -p of a line end", r"declare -x A=$'one\ntwo'"),
            ("GitHub Actions", "A<<END\nb\nEND"),
            ("PowerShell", "$env:A = \"b\""),
            ("csh", "setenv A b"),
            ("JSON", "{\"A\": \"b\"}"),
        ] {
            let refusal = read(line.as_bytes()).expect_err(tool);
            assert!(refusal.starts_with("line ") && refusal.contains("; "), "{tool}: {refusal}");
        }
    }

    #[test]
    fn refusal_names_the_line_and_the_way_out_and_no_value() {
        for (output, expected) in [
            ("A=1\nhidden", "line 2: there is no \"=\"; print NAME=VALUE lines and nothing else"),
            ("A='hidden", "line 1: a quote is not closed; "),
            ("A=\"1\n2\"\nB='hidden' x", "line 3: something stands behind the closing quote; "),
            ("A B=hidden", "line 1: the name before \"=\" may hold letters, "),
            ("=hidden", "line 1: there is no name before \"=\"; "),
            ("A\0=hidden", "line 1: the name before \"=\" may hold letters, "),
            (
                "A=hid\r\nB=hid\rden",
                "line 2: readers disagree about a carriage return inside a value; ",
            ),
            (
                "A='hid\r\nden'\r\n",
                "line 1: readers disagree about a carriage return inside a value; ",
            ),
            (
                "A=\"hid\r\nden\"\r\n",
                "line 1: readers disagree about a carriage return inside a value; ",
            ),
            ("A=\"hidden\"\rB=1", "line 1: something stands behind the closing quote; "),
            ("A=-----BEGIN KEY-----\nhidden==\n-----END KEY-----", "line 3: there is no \"=\"; "),
            ("A=hidden&&b", "line 1: only a shell understands "),
            ("A=hidden;export B=1;", "line 1: only a shell understands "),
            ("A='''hidden'''", "line 1: three quotes stand in a row, "),
            ("A=hid\\\\den", "line 1: readers disagree about a backslash outside quotes; "),
            ("A=hidden\\", "line 1: readers disagree about a backslash outside quotes; "),
            ("A=x\\ hidden y", "line 1: readers disagree about a backslash outside quotes; "),
            ("A='hid'$'\\n''den'", "line 1: something stands behind the closing quote; "),
            (
                "A='hidden\\''\nB='x'",
                "line 1: readers disagree about a backslash in single quotes ",
            ),
            ("\u{feff}A=hidden", "line 1: the name before \"=\" may hold letters, "),
        ] {
            let refusal = read(output.as_bytes()).expect_err(output);
            let (_, way_out) = refusal.split_once("; ").expect("a way out");
            assert!(
                refusal.starts_with(expected) && !refusal.contains("hid") && !way_out.is_empty(),
                "{output}: {refusal}"
            );
        }
        assert_eq!(read(b"\xff\xfeA\0=\0b\0\n\0"), Err("the output is UTF-16; print UTF-8".into()));
    }

    #[test]
    fn output_of_env_0_is_taken_literally() {
        let list = [("A", "it's \"x\"\n$B # c"), ("B", ""), ("f%%", "() { :; }")]
            .map(|(a, b)| (a.into(), b.into()));
        assert_eq!(read(b"A=it's \"x\"\n$B # c\0B=\0f%%=() { :; }\0"), Ok(list.to_vec()));
        for (output, expected) in [
            (&b"A=1\0hidden\0"[..], "entry 2 before a NUL: there is no \"=\"; "),
            (b"A=1\0=hidden\0", "entry 2 before a NUL: there is no name before \"=\"; "),
            (b"\0", "entry 1 before a NUL: there is no \"=\"; "),
            (b"A\xff=hidden\0", "entry 1 before a NUL: the name before \"=\" is not UTF-8; "),
        ] {
            let refusal = read(output).expect_err("a refusal");
            assert!(refusal.starts_with(expected) && !refusal.contains("hid"), "{refusal}");
        }
    }
}
