//! The words of an argument file of the `java` launcher, after java(1), section "java Command-Line
//! Argument Files", and `nextToken` in the launcher's `args.c`. `@` has no meaning inside of a
//! file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

#[derive(Clone, Copy)]
enum State {
    Between,
    Comment,
    Word,
    Quoted {
        quote: u8,
    },
    /// Behind a backslash, which has a meaning only inside of quotes.
    Escape {
        quote: u8,
    },
    /// Behind a backslash at the end of a line: white space that leads the next one is skipped.
    Continuation {
        quote: u8,
    },
}

/// The words of an argument file. As in the launcher, a line's end closes a quote, and a `#`
/// outside of quotes begins a comment even inside of a word, whose text since the last quote is
/// dropped.
pub(super) fn split(content: &[u8]) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut begun = false;
    let mut start = 0;
    let mut state = State::Between;
    for (at, &byte) in content.iter().enumerate() {
        let line_end = matches!(byte, b'\n' | b'\r');
        let space = line_end || matches!(byte, b' ' | b'\t' | b'\x0c');
        match state {
            State::Between | State::Continuation { .. } if space => continue,
            State::Between => (state, start) = (State::Word, at),
            State::Continuation { quote } => (state, start) = (State::Quoted { quote }, at),
            State::Comment if line_end => {
                state = State::Between;
                continue;
            }
            State::Comment => continue,
            State::Escape { quote } if line_end => {
                state = State::Continuation { quote };
                continue;
            }
            State::Escape { quote } => {
                word.push(unescaped(byte));
                (state, start) = (State::Quoted { quote }, at + 1);
                continue;
            }
            State::Word | State::Quoted { .. } => {}
        }
        match (state, byte) {
            (State::Quoted { .. }, _) if space && !line_end => {}
            _ if space => {
                word.extend(&content[start..at]);
                words.push(OsString::from_vec(std::mem::take(&mut word)));
                (state, begun) = (State::Between, false);
            }
            (State::Word, b'#') => state = State::Comment,
            (State::Quoted { quote }, b'\\') => {
                word.extend(&content[start..at]);
                (state, begun) = (State::Escape { quote }, true);
            }
            (State::Word, b'"' | b'\'') => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (State::Quoted { quote: byte }, at + 1);
            }
            (State::Quoted { quote }, _) if byte == quote => {
                word.extend(&content[start..at]);
                begun |= start < at;
                (state, start) = (State::Word, at + 1);
            }
            _ => {}
        }
    }
    if matches!(state, State::Word | State::Quoted { .. }) {
        word.extend(&content[start..]);
        if begun || start < content.len() {
            words.push(OsString::from_vec(word));
        }
    }
    words
}

fn unescaped(byte: u8) -> u8 {
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
    fn words_of_an_argument_file() {
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
