//! Text for people: styles where a terminal has them, indentation, columns, and characters that do
//! nothing to a terminal.

use crate::environ::Environ;
use anstyle::{AnsiColor, Style};
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

pub const PLAIN: Style = Style::new();
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const RED: Style = AnsiColor::Red.on_default();
pub const BOLD_RED: Style = RED.bold();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
pub const BOLD_YELLOW: Style = YELLOW.bold();

/// Asides stand in one column, unless a line is longer than this.
const WIDEST_LINE: usize = 72;

/// Whether styles are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colors {
    On,
    Off,
}

impl Colors {
    /// Decides for a stream: styles are for terminals whose user did not switch them off with
    /// `NO_COLOR` (<https://no-color.org>).
    pub fn of(stream: impl IsTerminal, environ: &Environ) -> Self {
        let term = environ.lossy("TERM");
        let is_plain =
            environ.non_empty("NO_COLOR").is_some() || term.is_none_or(|term| term == "dumb");
        if stream.is_terminal() && !is_plain { Colors::On } else { Colors::Off }
    }

    /// Returns a text in a style.
    pub fn paint(self, style: Style, text: &str) -> String {
        match self {
            Colors::On => format!("{style}{text}{style:#}"),
            Colors::Off => text.into(),
        }
    }
}

/// Collects lines. What it is given for a line has no control characters, which `escaped` and
/// `printable` take out.
pub struct Printer {
    text: String,
    colors: Colors,
}

/// A line of a list, and what is said at its end.
pub struct ListLine {
    /// The width without styles.
    pub width: usize,
    pub text: String,
    pub aside: String,
}

impl Printer {
    pub fn new(colors: Colors) -> Self {
        Self { text: String::new(), colors }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// Returns a text in a style, for a part of a line.
    pub fn paint(&self, style: Style, text: &str) -> String {
        self.colors.paint(style, text)
    }

    /// Begins a section, with a blank line in front of every one but the first.
    pub fn section(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.heading(BOLD, title);
    }

    /// Adds a line without indentation.
    pub fn heading(&mut self, style: Style, text: &str) {
        let text = self.paint(style, text);
        self.raw(&text);
    }

    /// Adds an indented line.
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "  {text}");
    }

    /// Adds an indented line in a style.
    pub fn styled_line(&mut self, style: Style, text: &str) {
        let text = self.paint(style, text);
        self.line(&text);
    }

    /// Adds a line as it is.
    pub fn raw(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Adds indented lines with their asides in one column.
    pub fn list(&mut self, lines: Vec<ListLine>) {
        let widths = lines.iter().map(|line| line.width).filter(|&width| width <= WIDEST_LINE);
        let column = widths.max().unwrap_or(0);
        for line in lines {
            let gap = " ".repeat(column.saturating_sub(line.width));
            let aside = self.paint(DIM, &escaped(&line.aside));
            self.line(&format!("{}{gap}  {aside}", line.text));
        }
    }
}

/// Writes control characters as escapes, so that a text stays on its line.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => escaped.extend(character.escape_default()),
            false => escaped.push(character),
        }
    }
    escaped
}

/// Replaces each control character but tabs by one that is visible, so that the others stay at
/// their columns.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

pub fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_is_printed_only_with_colors() {
        assert_eq!(Colors::On.paint(BOLD, "x"), "\x1b[1mx\x1b[0m");
        assert_eq!(Colors::On.paint(PLAIN, "x"), "x");
        assert_eq!(Colors::Off.paint(BOLD, "x"), "x");
    }

    #[test]
    fn asides_stand_in_one_column() {
        let mut printer = Printer::new(Colors::Off);
        let line = |text: &str| ListLine {
            width: text.len(),
            text: text.to_owned(),
            aside: "aside\n".to_owned(),
        };
        printer.list(vec![line("a"), line("abc"), line(&"x".repeat(WIDEST_LINE + 1))]);
        let long = "x".repeat(WIDEST_LINE + 1);
        let expected = format!("  a    aside\\n\n  abc  aside\\n\n  {long}  aside\\n\n");
        assert_eq!(printer.into_text(), expected);
    }

    #[test]
    fn control_characters_do_nothing_to_a_terminal() {
        assert_eq!(escaped("a\x1b[2J\tb"), "a\\u{1b}[2J\\tb");
        assert_eq!(printable("a\x1b[2J\tb"), "a\u{fffd}[2J\tb");
    }
}
