//! What a hook exports, read literally: nothing is expanded or evaluated, and no message quotes a value.
//! Only reads; `hooks` puts the variables into the environment.

use crate::config::Export;
use crate::json::{self, Node, Value};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A variable's name and value.
pub type Variable = (String, OsString);

/// The variables in a hook's output; the error says what is wrong with it, and where.
pub fn variables(format: Export, output: &[u8]) -> Result<Vec<Variable>, String> {
    let variables = match format {
        Export::Json => json(output)?,
        Export::Dotenv => {
            Dotenv { rest: output.strip_prefix(b"\xef\xbb\xbf").unwrap_or(output), line: 1 }.variables()?
        }
    };
    for (name, value) in &variables {
        let wrong = match name {
            _ if name.is_empty() => "is empty",
            _ if name.contains('=') => "holds \"=\"",
            _ if name.contains('\0') => "holds a NUL character",
            _ if value.as_bytes().contains(&0) => return Err(format!("the value of {name:?} holds a NUL character")),
            _ => continue,
        };
        return Err(format!("the name {name:?} cannot be that of a variable: it {wrong}"));
    }
    Ok(variables)
}

/// One object of texts, numbers and booleans; numbers stay as they were written.
fn json(output: &[u8]) -> Result<Vec<Variable>, String> {
    let text = std::str::from_utf8(output).map_err(|_| "the output is not UTF-8")?;
    let node = json::parse(text).map_err(|problem| {
        let before = &text[..text.floor_char_boundary(problem.offset)];
        format!("line {}: {}", before.matches('\n').count() + 1, problem.message)
    })?;
    let Value::Object(members) = node.value else {
        return Err(format!("expected one JSON object, found {}", node.value.described()));
    };
    let variable = |((key, node), written): ((Node, Node), &str)| {
        let Value::Text(name) = key.value else { unreachable!("a key is a text") };
        let value = match node.value {
            Value::Text(text) => text.into_owned(),
            Value::Number(_) | Value::Boolean(_) => written.to_owned(),
            other => {
                return Err(format!("the value of {name:?} is {}, not a text, number or boolean", other.described()));
            }
        };
        Ok((name.into_owned(), value.into()))
    };
    members.into_vec().into_iter().zip(json::written_values(text)).map(variable).collect()
}

/// `KEY=value` lines as dotenv files have them: `export` in front, comments, quotes, values over several lines.
struct Dotenv<'o> {
    rest: &'o [u8],
    line: usize,
}

impl Dotenv<'_> {
    fn variables(mut self) -> Result<Vec<Variable>, String> {
        let mut variables = Vec::new();
        while !self.rest.is_empty() {
            let line = self.line;
            let variable = self.variable().map_err(|cause| format!("line {line}: {cause}"))?;
            variables.extend(variable);
        }
        Ok(variables)
    }

    /// Takes one line, or as many as a quoted value has.
    fn variable(&mut self) -> Result<Option<Variable>, String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let line = self.rest[..end].trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            self.skip(end + 1);
            return Ok(None);
        }
        let equals = self.rest[..end].iter().position(|&byte| byte == b'=').ok_or("there is no \"=\"")?;
        let name = self.rest[..equals].trim_ascii();
        let exported = name.strip_prefix(b"export").filter(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"));
        let name = exported.map_or(name, <[u8]>::trim_ascii);
        if name.iter().any(u8::is_ascii_whitespace) {
            return Err("the name before \"=\" holds a space".into());
        }
        let name = String::from_utf8(name.to_vec()).map_err(|_| "the name before \"=\" is not UTF-8")?;
        let blanks = self.rest[equals + 1..end].iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
        self.skip(equals + 1);
        let value = match self.rest.get(blanks) {
            Some(&quote @ (b'"' | b'\'')) => {
                self.skip(blanks);
                self.quoted(quote)?
            }
            _ => self.unquoted(),
        };
        Ok(Some((name, OsString::from_vec(value))))
    }

    /// Up to the end of the line, or to a `#` with a blank before it.
    fn unquoted(&mut self) -> Vec<u8> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        let comment = (1..line.len()).find(|&at| line[at] == b'#' && line[at - 1].is_ascii_whitespace());
        let value = line[..comment.unwrap_or(end)].trim_ascii().to_vec();
        self.skip(end + 1);
        value
    }

    /// Single quotes keep everything; double quotes know `\n`, `\r`, `\t`, `\"`, `\\` and `\$`.
    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, String> {
        let mut value = Vec::new();
        let mut at = 1;
        loop {
            match (self.rest.get(at), self.rest.get(at + 1)) {
                (None, _) => return Err("a quote is not closed".into()),
                (Some(&byte), _) if byte == quote => break,
                (Some(b'\\'), Some(&escaped)) if quote == b'"' && b"nrt\"\\$".contains(&escaped) => {
                    value.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    });
                    at += 1;
                }
                (Some(&byte), _) => value.push(byte),
            }
            at += 1;
        }
        self.skip(at + 1);
        let end = self.rest.iter().position(|&byte| byte == b'\n').unwrap_or(self.rest.len());
        let behind = self.rest[..end].trim_ascii();
        if !behind.is_empty() && !behind.starts_with(b"#") {
            return Err("something stands behind the closing quote".into());
        }
        self.skip(end + 1);
        Ok(value)
    }

    fn skip(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.line += taken.iter().filter(|&&byte| byte == b'\n').count();
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dotenv(text: &str) -> Result<Vec<(String, String)>, String> {
        let text_value = |(name, value): Variable| (name, value.into_string().expect("UTF-8"));
        variables(Export::Dotenv, text.as_bytes()).map(|list| list.into_iter().map(text_value).collect())
    }

    #[test]
    fn reads_dotenv_as_dotenv_files_have_it() {
        for (text, expected) in [
            ("A=1\nB=2", vec![("A", "1"), ("B", "2")]),
            ("\n# comment\n  A = x y \r\n", vec![("A", "x y")]),
            ("export A=1\nexport\tB='2'\nexported=3", vec![("A", "1"), ("B", "2"), ("exported", "3")]),
            ("A=x # comment\nB=x#y\nC=#x\nD= # comment", vec![("A", "x"), ("B", "x#y"), ("C", "#x"), ("D", "")]),
            ("A='$HOME `id` \\n' # c\nB=\"a\\tb\\\"\\$\\q\"", vec![("A", "$HOME `id` \\n"), ("B", "a\tb\"$\\q")]),
            ("A=\"one\ntwo\"\nB='x\n y'\nC=", vec![("A", "one\ntwo"), ("B", "x\n y"), ("C", "")]),
            ("A=1\nA=2", vec![("A", "1"), ("A", "2")]),
            ("A=b=c", vec![("A", "b=c")]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
            assert_eq!(dotenv(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_the_line_and_never_the_value() {
        for (text, expected) in [
            ("A=1\nhidden", "line 2: there is no \"=\""),
            ("A='hidden", "line 1: a quote is not closed"),
            ("A=\"1\n2\"\nB='hidden' x", "line 3: something stands behind the closing quote"),
            ("A B=hidden", "line 1: the name before \"=\" holds a space"),
            ("=hidden", "the name \"\" cannot be that of a variable: it is empty"),
            ("A=hid\0den", "the value of \"A\" holds a NUL character"),
        ] {
            assert_eq!(dotenv(text), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn reads_one_json_object() {
        let list = variables(Export::Json, br#"{"A": "x\ny$HOME", "B": 1.50, "C": true}"#).expect("variables");
        assert_eq!(list, [("A".into(), "x\ny$HOME".into()), ("B".into(), "1.50".into()), ("C".into(), "true".into())]);
        for (text, expected) in [
            (r#"{"A": null}"#, "the value of \"A\" is null, not a text, number or boolean"),
            (r#"{"A": [1]}"#, "the value of \"A\" is a list, not a text, number or boolean"),
            (r#"{"A=B": "hidden"}"#, "the name \"A=B\" cannot be that of a variable: it holds \"=\""),
            (r#"{"": "hidden"}"#, "the name \"\" cannot be that of a variable: it is empty"),
            (r#"{"A\u0000": "hidden"}"#, "the name \"A\\0\" cannot be that of a variable: it holds a NUL character"),
            (r#"["hidden"]"#, "expected one JSON object, found a list"),
            ("{}\nhidden", "line 2: this is not JSON: trailing characters"),
            ("", "line 1: this is not JSON: EOF while parsing a value"),
        ] {
            assert_eq!(variables(Export::Json, text.as_bytes()), Err(expected.to_owned()), "{text}");
        }
    }
}
