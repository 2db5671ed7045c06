//! Variables that a person gives, in the words of `docker run`: `NAME=VALUE`, or a name alone for
//! the value that this shell has; in a file one a line, with blank lines and lines that begin with
//! `#` between them.

use crate::environ::Environ;
use crate::process;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

type Variable = (String, OsString);

/// # Errors
/// With the file, and the line in which something is wrong.
pub fn read_env_file(path: &Path, own: &Environ) -> Result<Vec<Variable>, String> {
    let name = path.display();
    let text = fs::read(path)
        .map_err(|error| format!("unable to read {name}: {}", process::cause(&error)))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut given = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        if !line.is_empty() && !line.starts_with(b"#") {
            let entry = parse_entry(OsStr::from_bytes(line), own);
            given.extend(entry.map_err(|cause| format!("{name}:{}: {cause}", index + 1))?);
        }
    }
    Ok(given)
}

/// Nothing, for a name alone that this shell has no value for.
pub fn parse_entry(entry: &OsStr, own: &Environ) -> Result<Option<Variable>, String> {
    let bytes = entry.as_bytes();
    let length = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
    let name = str::from_utf8(&bytes[..length]).map_err(|_| "the name is not UTF-8")?;
    if name.is_empty() {
        return Err("the name of the variable is missing".into());
    }
    if name.contains(char::is_whitespace) {
        return Err(format!("the name {name:?} holds white space"));
    }
    if bytes.contains(&0) {
        return Err(format!("{name} holds a NUL character, which no variable can"));
    }
    let value = match bytes.get(length + 1..) {
        Some(value) => Some(OsStr::from_bytes(value)),
        None if length < bytes.len() => Some(OsStr::new("")),
        None => own.value(name),
    };
    Ok(value.map(|value| (name.to_owned(), value.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_as_docker_has_them() {
        let own = Environ::from_entries([c"OWN=1"]);
        let entry = |text: &str| parse_entry(OsStr::new(text), &own);
        let variable = |name: &str, value: &str| Ok(Some((name.to_owned(), OsString::from(value))));
        assert_eq!(entry("A=1=2"), variable("A", "1=2"));
        assert_eq!(entry("A="), variable("A", ""));
        assert_eq!(entry("A=\"x\" # y "), variable("A", "\"x\" # y "));
        assert_eq!(entry("OWN"), variable("OWN", "1"));
        assert_eq!(entry("OTHER"), Ok(None));
        for wrong in ["=x", "", "A B=x", "A=\0"] {
            assert!(entry(wrong).is_err(), "{wrong:?}");
        }
    }
}
