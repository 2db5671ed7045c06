//! Whether what the tool prints has colours.

use crate::environ::Environ;
use std::io::IsTerminal;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    On,
    Off,
}

impl Colors {
    /// Colours are for people, who may have asked for none (https://no-color.org).
    pub fn of(stream: impl IsTerminal, environ: &Environ) -> Self {
        let term = environ.lossy("TERM");
        let is_plain =
            environ.non_empty("NO_COLOR").is_some() || term.is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !is_plain { Colors::On } else { Colors::Off }
    }

    /// A text in a colour, by its number among ANSI's.
    pub fn paint(self, color: &str, text: &str) -> String {
        match self {
            Colors::On => format!("\x1b[{color}m{text}\x1b[0m"),
            Colors::Off => text.into(),
        }
    }
}
