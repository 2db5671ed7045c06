//! What `check` found, and how it is shown: the place as compilers write it, what is wrong and what
//! to do about it, the line, and a caret under the place. Values of variables whose name says that
//! they are secret are not shown.

mod secrets;

use super::printer::{BOLD, BOLD_RED, BOLD_YELLOW, Colors, Printer, printable};
use crate::config::Source;
use crate::position::LineColumn;

/// Most characters of a line that are shown; of a longer one half as many on either side of the
/// place.
const MOST_SHOWN: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It does not work.
    Error,
    /// It is legal, but will hurt.
    Warning,
}

pub struct Finding {
    pub severity: Severity,
    /// The file, as far as one is to blame.
    file: Option<String>,
    excerpt: Option<SourceExcerpt>,
    message: String,
}

/// A place in a text.
struct SourceExcerpt {
    position: LineColumn,
    /// The part of the line that is shown, and the part of it before the place.
    shown: String,
    before: String,
}

impl Finding {
    /// About something in a text.
    pub fn at(severity: Severity, source: &Source, offset: usize, message: String) -> Self {
        let excerpt = Some(SourceExcerpt::of(&source.text, offset));
        Self { severity, file: Some(source.name.clone()), excerpt, message }
    }

    /// About a whole file.
    pub fn about(severity: Severity, file: &str, message: String) -> Self {
        Self { severity, file: Some(file.into()), excerpt: None, message }
    }

    /// About everything.
    pub fn general(severity: Severity, message: String) -> Self {
        Self { severity, file: None, excerpt: None, message }
    }

    /// Returns the text that is printed.
    pub fn render(&self, colors: Colors) -> String {
        let (severity, style) = match self.severity {
            Severity::Error => ("error", BOLD_RED),
            Severity::Warning => ("warning", BOLD_YELLOW),
        };
        let mut place = self.file.as_deref().unwrap_or("foreword").to_owned();
        if let Some(excerpt) = &self.excerpt {
            place += &format!(":{}:{}", excerpt.position.line, excerpt.position.column);
        }
        let mut printer = Printer::new(colors);
        let (place, severity) = (printer.paint(BOLD, &place), printer.paint(style, severity));
        printer.raw(&format!("{place}: {severity}: {}", self.message));
        if let Some(excerpt) = &self.excerpt {
            let number = excerpt.position.line.to_string();
            // A tab before the caret is as wide as the one above it.
            let blank = |c: char| if c == '\t' { '\t' } else { ' ' };
            let gap: String = excerpt.before.chars().map(blank).collect();
            let caret = printer.paint(style, "^");
            printer.raw(&format!(" {number} | {}", excerpt.shown));
            printer.raw(&format!(" {:width$} | {gap}{caret}", "", width = number.len()));
        }
        printer.into_text()
    }
}

impl SourceExcerpt {
    fn of(text: &str, offset: usize) -> Self {
        let offset = text.floor_char_boundary(offset);
        let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
        let end = text[offset..].find('\n').map_or(text.len(), |end| offset + end);
        let before = secrets::hidden(text, start..offset);
        let after = secrets::hidden(text, offset..end);
        let (before, after) = (printable(&before), printable(after.trim_end()));
        let is_long = before.chars().count() + after.chars().count() > MOST_SHOWN;
        let side = if is_long { MOST_SHOWN / 2 } else { MOST_SHOWN };
        let cut = before.chars().count().saturating_sub(side);
        let mut shown_before: String = before.chars().skip(cut).collect();
        if cut > 0 {
            shown_before.insert(0, '…');
        }
        let mut shown = shown_before.clone();
        shown.extend(after.chars().take(side));
        if after.chars().count() > side {
            shown.push('…');
        }
        Self { position: LineColumn::of(text, offset), shown, before: shown_before }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let offset = text.find('»').expect("a mark");
        let source = Source { name: "file".into(), text: text.replace('»', "") };
        Finding::at(Severity::Error, &source, offset, "wrong".into()).render(Colors::Off)
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            shown("{\n  »\"a\": 1\n}"),
            "file:2:3: error: wrong\n 2 |   \"a\": 1\n   |   ^\n"
        );
        assert_eq!(shown("\n\t»x"), "file:2:2: error: wrong\n 2 | \tx\n   | \t^\n");
        assert_eq!(
            shown("{\"ä\": »1}\r\n"),
            "file:1:7: error: wrong\n 1 | {\"ä\": 1}\n   |       ^\n"
        );
        assert_eq!(shown("»"), "file:1:1: error: wrong\n 1 | \n   | ^\n");
        assert_eq!(shown("{}\n»"), "file:2:1: error: wrong\n 2 | \n   | ^\n");
        assert_eq!(shown("»\x1b[2Jx"), "file:1:1: error: wrong\n 1 | \u{fffd}[2Jx\n   | ^\n");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let long = shown(&format!("{}»{}", "a".repeat(500), "b".repeat(500)));
        let (a, b) = ("a".repeat(60), "b".repeat(60));
        assert_eq!(
            long,
            format!("file:1:501: error: wrong\n 1 | …{a}{b}…\n   |  {}^\n", " ".repeat(60))
        );
    }

    #[test]
    fn secrets_are_hidden_and_the_caret_stays() {
        let line = r#"{"env": {"API_TOKEN": "hidden", "B": »1}}"#;
        let expected = r#" 1 | {"env": {"API_TOKEN": [redacted], "B": 1}}"#;
        let caret =
            format!("   | {}^", " ".repeat(r#"{"env": {"API_TOKEN": [redacted], "B": "#.len()));
        assert_eq!(shown(line), format!("file:1:38: error: wrong\n{expected}\n{caret}\n"));
        for line in [
            r#"{"env": {"API_TOKEN": »"hidden${"}}"#,
            r#"{"env": {"MY_SECRET": {»"prepend": "hid\"den"}}}"#,
            r#"{"when": {"env": {"Db_Password": [»1, "hidden"]}}}"#,
            r#"{"env": {"A_KEY": »"hidden"#,
            "{\"env\": {\"A_KEY\":\n »\"hidden\"",
            "{\"env\": {\"A_KEY\": {\n\"default\":\n »\"hidden\"",
        ] {
            assert!(!shown(line).contains("hid"), "{}", shown(line));
        }
        assert!(shown(r#"{"env": {"A_KEY": "x"}, "b": »"seen"}"#).contains("seen"));
        assert!(shown(r#"{"env": {"A_KEY": null, "b": »"seen"}"#).contains("seen"));
    }
}
