//! Lines and columns of a text.

use std::fmt;

/// A place in a text as compilers and editors show it; displays as `LINE:COLUMN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn {
    /// From one.
    pub line: usize,
    /// From one, in characters.
    pub column: usize,
}

impl LineColumn {
    /// Returns the place of the byte at an offset.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1 }
    }
}

impl fmt::Display for LineColumn {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::LineColumn;

    #[test]
    fn columns_are_counted_in_characters() {
        for (text, offset, line, column) in [
            ("", 0, 1, 1),
            ("ab", 1, 1, 2),
            ("a\nb", 1, 1, 2),
            ("a\nb", 2, 2, 1),
            ("\u{e4}b", 2, 1, 2),
            ("\u{e4}b", 1, 1, 1),
            ("a\n", 2, 2, 1),
        ] {
            assert_eq!(LineColumn::of(text, offset), LineColumn { line, column }, "{text:?}");
        }
    }
}
