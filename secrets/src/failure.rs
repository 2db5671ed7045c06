//! What went wrong, in the words that are printed. No text here is made from a value.

use std::fmt::Write;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// A reference that could not be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it was for: a variable, or a prefix.
    pub variable: String,
    pub reference: String,
    pub cause: String,
}

impl Failure {
    /// Exit statuses.
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;

    fn line(&self) -> String {
        let Self { variable, reference, cause } = self;
        format!("unable to get {variable} from {reference}: {cause}")
    }

    /// Names every one of them, a line each.
    pub fn report_all(failures: &[Self]) -> ExitCode {
        let lines: Vec<String> = failures.iter().map(Self::line).collect();
        report(&lines, Self::FAILED)
    }

    pub fn report_line(message: &str) -> ExitCode {
        report(&[message.to_owned()], Self::FAILED)
    }
}

/// Writes the lines to standard error at once. What a server sent may hold line ends: the lines
/// stay lines.
pub fn report(lines: &[String], status: u8) -> ExitCode {
    let mut text = String::new();
    for line in lines {
        let printable = |character: char| if character.is_control() { ' ' } else { character };
        let line: String = line.chars().map(printable).collect();
        let _ = writeln!(text, "foreword-secrets: {line}");
    }
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::from(status)
}
