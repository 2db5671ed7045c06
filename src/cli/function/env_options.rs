//! The variables that `--env` and `--env-file` set, in the notation of `docker run`: `NAME=VALUE`,
//! or a name alone for the value that this shell has; in a file one a line, with blank lines and
//! lines that begin with `#` between them
//! (<https://docs.docker.com/reference/cli/docker/container/run/#env>).

use crate::cli::options::EnvVariable;
use crate::environ::{Environ, split_entry};
use crate::export::Variable;
use crate::process;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Reads the variables of a file.
///
/// # Errors
/// With the file, and the line in it that is wrong.
pub fn read_env_file(path: &Path, own: &Environ) -> Result<Vec<Variable>, String> {
    let name = path.display();
    let text = fs::read(path)
        .map_err(|error| format!("unable to read {name}: {}", process::cause(&error)))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut variables = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        if !line.is_empty() && !line.starts_with(b"#") {
            let variable = EnvVariable::parse(OsStr::from_bytes(line))
                .map_err(|cause| format!("{name}:{}: {cause}", index + 1))?;
            variables.extend(variable.resolve(own));
        }
    }
    Ok(variables)
}

impl EnvVariable {
    /// Parses `NAME=VALUE` or `NAME`.
    ///
    /// # Errors
    /// With what is wrong with the name or the value.
    pub fn parse(entry: &OsStr) -> Result<Self, String> {
        let bytes = entry.as_bytes();
        let (name, value) = split_entry(bytes);
        let name = str::from_utf8(name).map_err(|_| "the name is not UTF-8")?;
        if name.is_empty() {
            return Err("the name of the variable is missing".into());
        }
        if name.contains(char::is_whitespace) {
            return Err(format!("the name {name:?} holds white space"));
        }
        if bytes.contains(&0) {
            return Err(format!("{name} holds a NUL character, which no variable can"));
        }
        let value = value.map(|value| OsStr::from_bytes(value).to_owned());
        Ok(Self { name: name.to_owned(), value })
    }

    /// Returns the variable with its value; nothing for a name alone that this shell does not set.
    pub fn resolve(&self, own: &Environ) -> Option<Variable> {
        let value = self.value.clone().or_else(|| own.value(&self.name).map(OsStr::to_owned))?;
        Some((self.name.clone(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn entry_is_parsed_as_docker_does() {
        let own = Environ::from_entries([c"OWN=1"]);
        let entry = |text: &str| {
            EnvVariable::parse(OsStr::new(text)).map(|variable| variable.resolve(&own))
        };
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
