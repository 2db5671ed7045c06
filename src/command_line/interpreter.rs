//! Recognizes an interpreter, and with it the grammar of its command line, by the name of the
//! program.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// An interpreter, whatever its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    Python,
    Node,
    Java,
    Ruby,
    Dotnet,
}

impl Interpreter {
    #[cfg(feature = "tool")]
    pub const ALL: [Self; 5] = [Self::Python, Self::Node, Self::Java, Self::Ruby, Self::Dotnet];

    /// Recognizes an interpreter by the base name of a program, which may end in a version:
    /// `python3.12`, `ruby3.1`, `node-22`.
    pub fn from_program(program: &OsStr) -> Option<Self> {
        let base = base_name(program);
        let versioned = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let end = base.iter().rposition(|byte| !versioned(byte)).map_or(0, |last| last + 1);
        match &base[..end] {
            b"python" => Some(Self::Python),
            b"node" | b"nodejs" => Some(Self::Node),
            b"java" => Some(Self::Java),
            b"ruby" => Some(Self::Ruby),
            b"dotnet" => Some(Self::Dotnet),
            _ => None,
        }
    }
}

/// Returns the part of a path after the last `/`.
pub fn base_name(program: &OsStr) -> &[u8] {
    program.as_bytes().rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreter_is_recognized_by_base_name() {
        let rows = [
            ("/var/lang/bin/python3.12", Some(Interpreter::Python)),
            ("python", Some(Interpreter::Python)),
            ("./node", Some(Interpreter::Node)),
            ("nodejs", Some(Interpreter::Node)),
            ("node-22", Some(Interpreter::Node)),
            ("/usr/bin/java", Some(Interpreter::Java)),
            ("ruby3.1", Some(Interpreter::Ruby)),
            ("dotnet", Some(Interpreter::Dotnet)),
            ("/opt/python/bin/bash", None),
            ("javac", None),
            ("mypython", None),
            ("python/", None),
            ("3", None),
            ("", None),
        ];
        for (program, interpreter) in rows {
            assert_eq!(Interpreter::from_program(OsStr::new(program)), interpreter, "{program}");
        }
    }
}
