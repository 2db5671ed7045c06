//! Parses what a hook exports, as a JSON object or dotenv lines. Takes values literally, without
//! expansion or evaluation, and no message quotes a value. `hooks` puts the variables into the
//! environment.

mod dotenv;

use crate::config::Export;
use crate::json::{self, Node, Value};
use crate::position::LineColumn;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// An environment variable's name and value.
pub type Variable = (String, OsString);

/// Parses the variables in a hook's output, in their order. Ignores a byte order mark.
///
/// # Errors
/// With a message that completes "hook X …": what is wrong, where, and the way out.
pub fn parse(format: Export, output: &[u8]) -> Result<Vec<Variable>, String> {
    let output = output.strip_prefix(b"\xef\xbb\xbf").unwrap_or(output);
    if output.trim_ascii().is_empty() {
        return Err(exported_nothing("its output is empty"));
    }
    let parsed = match format {
        Export::Json => parse_json(output),
        Export::Dotenv => dotenv::parse(output),
    };
    let checked =
        parsed.and_then(|variables| variables.iter().try_for_each(check).map(|()| variables));
    let variables = checked.map_err(|cause| format!("exported something unreadable: {cause}"))?;
    match format {
        Export::Dotenv if variables.is_empty() => {
            Err(exported_nothing("there is no NAME=VALUE line in its output"))
        }
        _ => Ok(variables),
    }
}

/// Returns the number of different variables.
pub fn count(variables: &[Variable]) -> usize {
    let mut names = sorted_names(variables);
    names.dedup();
    names.len()
}

/// Returns the message for a hook that succeeds without exporting anything, such as a pipeline
/// whose first command fails.
fn exported_nothing(cause: &str) -> String {
    format!(
        "exported nothing: {cause}; let the command fail when it gets nothing (a pipeline \
         succeeds with its last part), or where that is right print {{}} with \"export\": \"json\""
    )
}

/// Checks that an environment can hold a variable.
///
/// # Errors
/// With the reason why it cannot.
fn check((name, value): &Variable) -> Result<(), String> {
    let wrong = match name {
        _ if name.is_empty() => "is empty",
        _ if name.contains('=') => "holds \"=\"",
        _ if name.contains('\0') => "holds a NUL character",
        _ if value.as_bytes().contains(&0) => {
            return Err(format!(
                "the value of {name:?} holds a NUL character; print it encoded, such as in base64"
            ));
        }
        _ => return Ok(()),
    };
    Err(format!("the name {name:?} cannot be that of a variable: it {wrong}; print another name"))
}

/// Parses an object of strings, numbers and booleans. Numbers keep their digits.
fn parse_json(output: &[u8]) -> Result<Vec<Variable>, String> {
    let text =
        std::str::from_utf8(output).map_err(|_| "the output is not UTF-8; print JSON as UTF-8")?;
    let node = json::parse(text).map_err(|problem| {
        let line = LineColumn::of(text, problem.offset).line;
        format!("line {line}: {}; print one JSON object and nothing else", problem.message)
    })?;
    let Value::Object(members) = node.value else {
        return Err(format!(
            "expected one JSON object, found {}; print {{\"NAME\": \"value\"}}",
            node.value.kind()
        ));
    };
    let variable = |((key, node), written): ((Node, Node), &str)| {
        let Value::String(name) = key.value else { unreachable!("every key is a string") };
        let value = match node.value {
            Value::String(text) => text.into_owned(),
            Value::Number(_) | Value::Boolean(_) => written.to_owned(),
            other => {
                let found = other.kind();
                return Err(format!(
                    "the value of {name:?} is {found}, not a string, number or boolean; print it \
                     as a string, or leave it out"
                ));
            }
        };
        Ok((name.into_owned(), value.into()))
    };
    let variables: Vec<Variable> = members
        .into_vec()
        .into_iter()
        .zip(json::written_values(text))
        .map(variable)
        .collect::<Result<_, _>>()?;
    match sorted_names(&variables).windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(format!("{:?} stands twice in the object; print every name once", pair[0]))
        }
        None => Ok(variables),
    }
}

fn sorted_names(variables: &[Variable]) -> Vec<&str> {
    let mut names: Vec<_> = variables.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_object_is_parsed_and_anything_else_refused() {
        let list =
            parse(Export::Json, br#"{"A": "x\ny$HOME", "B": 1.50, "C": true}"#).expect("variables");
        assert_eq!(
            list,
            [
                ("A".into(), "x\ny$HOME".into()),
                ("B".into(), "1.50".into()),
                ("C".into(), "true".into())
            ]
        );
        for (text, cause) in [
            (r#"{"A": null}"#, "the value of \"A\" is null, not a string, number or boolean; "),
            (r#"{"A": [1]}"#, "the value of \"A\" is an array, not a string, number or boolean; "),
            (
                r#"{"A=B": "hidden"}"#,
                "the name \"A=B\" cannot be that of a variable: it holds \"=\"; ",
            ),
            (r#"{"": "hidden"}"#, "the name \"\" cannot be that of a variable: it is empty; "),
            (
                r#"{"A\u0000": "hidden"}"#,
                "the name \"A\\0\" cannot be that of a variable: it holds a NUL character; ",
            ),
            (r#"["hidden"]"#, "expected one JSON object, found an array; "),
            ("{}\nhidden", "line 2: this is not JSON: trailing characters; "),
            ("{", "line 1: this is not JSON: EOF while parsing an object; "),
        ] {
            let error = parse(Export::Json, text.as_bytes()).expect_err(text);
            let expected = format!("exported something unreadable: {cause}");
            assert!(error.starts_with(&expected) && !error.contains("hidden"), "{text}: {error}");
        }
    }

    #[test]
    fn variable_exported_twice_counts_once() {
        for (output, expected) in [("A=1", 1), ("A=1\nB=2\nA=3", 2)] {
            assert_eq!(
                count(&parse(Export::Dotenv, output.as_bytes()).expect("variables")),
                expected,
                "{output}"
            );
        }
        assert_eq!(count(&parse(Export::Json, b"{}").expect("nothing")), 0);
    }
}
