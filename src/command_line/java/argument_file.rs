//! Splits an argument file of the `java` launcher into words, as `nextToken` of the launcher does
//! (<https://github.com/openjdk/jdk/blob/master/src/java.base/share/native/libjli/args.c>). `@` has
//! no meaning in a file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The state of the lexer.
#[derive(Clone, Copy)]
enum LexerState {
    BetweenWords,
    Comment,
    Word,
    Quoted {
        quote: u8,
    },
    /// After a backslash, which has a meaning only in quotes.
    Escape {
        quote: u8,
    },
    /// After a backslash at the end of a line, where the white space of the next line is skipped.
    Continuation {
        quote: u8,
    },
}

/// Splits the content of a file into words. As in the launcher, the end of a line closes a quote. A
/// `#` outside quotes begins a comment, even in a word, which loses its text since the last quote.
pub(super) fn split(content: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut begun = false;
    let mut start = 0;
    let mut state = LexerState::BetweenWords;
    for (at, &byte) in content.iter().enumerate() {
        let line_end = matches!(byte, b'\n' | b'\r');
        let space = line_end || matches!(byte, b' ' | b'\t' | b'\x0c');
        match state {
            LexerState::BetweenWords | LexerState::Continuation { .. } if space => continue,
            LexerState::BetweenWords => (state, start) = (LexerState::Word, at),
            LexerState::Continuation { quote } => {
                (state, start) = (LexerState::Quoted { quote }, at);
            }
            LexerState::Comment if line_end => {
                state = LexerState::BetweenWords;
                continue;
            }
            LexerState::Comment => continue,
            LexerState::Escape { quote } if line_end => {
                state = LexerState::Continuation { quote };
                continue;
            }
            LexerState::Escape { quote } => {
                word.push(unescape(byte));
                (state, start) = (LexerState::Quoted { quote }, at + 1);
                continue;
            }
            LexerState::Word | LexerState::Quoted { .. } => {}
        }
        match (state, byte) {
            (LexerState::Quoted { .. }, _) if space && !line_end => {}
            _ if space => {
                word.extend(&content[start..at]);
                words.push(OsString::from_vec(std::mem::take(&mut word)));
                (state, begun) = (LexerState::BetweenWords, false);
            }
            (LexerState::Word, b'#') => state = LexerState::Comment,
            (LexerState::Quoted { quote }, b'\\') => {
                word.extend(&content[start..at]);
                (state, begun) = (LexerState::Escape { quote }, true);
            }
            (LexerState::Word, b'"' | b'\'') => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (LexerState::Quoted { quote: byte }, at + 1);
            }
            (LexerState::Quoted { quote }, _) if byte == quote => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (LexerState::Word, at + 1);
            }
            _ => {}
        }
    }
    if matches!(state, LexerState::Word | LexerState::Quoted { .. }) {
        word.extend(&content[start..]);
        if begun || start < content.len() {
            words.push(OsString::from_vec(word));
        }
    }
    words
}

/// Returns the byte that an escape stands for.
fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'f' => b'\x0c',
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn argument_file_is_split_as_the_launcher_does() {
        let rows: [(&str, &[&str]); 12] = [
            ("", &[]),
            (" a\tb\r\n\x0cc ", &["a", "b", "c"]),
            ("# a\nb # c\n#", &["b"]),
            ("\"a b\" 'c d'e", &["a b", "c de"]),
            ("\"a 'b'\" '\"'", &["a 'b'", "\""]),
            ("'' a", &["", "a"]),
            ("c:\\a\\b", &["c:\\a\\b"]),
            (r#""c:\\a" "\t\"\q""#, &["c:\\a", "\t\"q"]),
            ("\"a,\\\n   b\" c", &["a,b", "c"]),
            ("\"a\nb\"", &["a", "b"]),
            ("a#b\nc", &["c"]),
            ("'open", &["open"]),
        ];
        for (content, words) in rows {
            assert_eq!(split(content.as_bytes()), words, "{content:?}");
        }
    }
}
