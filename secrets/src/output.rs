//! What is printed or written when every reference was resolved: JSON, or lines of dotenv that
//! foreword, shells and dotenv's readers understand alike. Decides no name and no value.

use crate::value::Value;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Dotenv,
}

impl Format {
    pub const NAMES: [&str; 2] = ["json", "dotenv"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "dotenv" => Some(Self::Dotenv),
            _ => None,
        }
    }

    /// The whole output, a line end behind it.
    pub fn serialize(self, variables: &BTreeMap<String, Value>) -> String {
        match self {
            Self::Json => json(variables),
            Self::Dotenv => variables.iter().map(|(name, value)| line(name, value)).collect(),
        }
    }
}

fn json(variables: &BTreeMap<String, Value>) -> String {
    let mut object = serde_json::Map::new();
    for (name, value) in variables {
        object.insert(name.clone(), value.expose().into());
    }
    let mut text = serde_json::Value::Object(object).to_string();
    text.push('\n');
    text
}

/// `NAME=value`. Single quotes where nothing has to be escaped, because no reader changes anything
/// in them; a backslash there is one to some readers and an escape to others.
fn line(name: &str, value: &Value) -> String {
    let value = value.expose();
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b',' | b'=')
    };
    if value.bytes().all(plain) {
        return format!("{name}={value}\n");
    }
    if !value.contains(['\'', '\\', '\r']) {
        return format!("{name}='{value}'\n");
    }
    let mut quoted = String::with_capacity(value.len() + 16);
    for character in value.chars() {
        match character {
            '\r' => quoted.push_str("\\r"),
            '\\' | '"' | '$' | '`' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    format!("{name}=\"{quoted}\"\n")
}

/// Prints all of it.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes a file that only its owner can read. Whoever opens `path` finds the old content or the
/// new one, never a part.
pub fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let new = beside(path)?;
    let written = write_new(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What was written of it is a part of the secrets.
        let _ = fs::remove_file(&new);
    }
    written
}

/// A name in the same directory, so that the file can be renamed.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Errno::EISDIR.into());
    };
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(format!(".{}", std::process::id()));
    Ok(path.with_file_name(new))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // A link that somebody laid there is not followed.
    options.write(true).create_new(true).mode(0o600);
    let mut file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)?
        }
        opened => opened?,
    };
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    }

    #[test]
    fn json_escapes_what_json_has_to() {
        let text = Format::Json.serialize(&variables(&[("A", "\"\\\n\u{1}é"), ("B", "")]));
        assert_eq!(text, "{\"A\":\"\\\"\\\\\\n\\u0001é\",\"B\":\"\"}\n");
    }

    #[test]
    fn dotenv_quotes_as_little_as_it_can() {
        for (value, expected) in [
            ("", "A=\n"),
            ("mysql2://u:p@host:3306", "A=mysql2://u:p@host:3306\n"),
            ("b c", "A='b c'\n"),
            ("$(id) `id` \"x\" $HOME #", "A='$(id) `id` \"x\" $HOME #'\n"),
            ("b\nc", "A='b\nc'\n"),
            ("it's", "A=\"it's\"\n"),
            ("it's $HOME `\"\\n", "A=\"it's \\$HOME \\`\\\"\\\\n\"\n"),
            ("a\r\nb", "A=\"a\\r\nb\"\n"),
        ] {
            assert_eq!(Format::Dotenv.serialize(&variables(&[("A", value)])), expected);
        }
    }
}
