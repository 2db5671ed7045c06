//! What came out of a run, made comparable and readable.

use super::{DIRECTORY, TestDirectory};

/// Replaces what no test can know: the directory by `<folder>`, in `after 12 ms` and `"durationMs":12`
/// the number by `N`, and in `"timestamp":"…"` the time by `T`.
pub fn normalise(output: &[u8], directory: &TestDirectory) -> Vec<u8> {
    let mut output = replace(output, directory.as_bytes(), DIRECTORY.as_bytes());
    for (before, is_variable, placeholder) in [
        (&b"after "[..], u8::is_ascii_digit as fn(&u8) -> bool, b'N'),
        (b"\"durationMs\":", u8::is_ascii_digit, b'N'),
        (b"\"timestamp\":\"", |byte: &u8| *byte != b'"', b'T'),
    ] {
        output = blank(&output, before, is_variable, placeholder);
    }
    output
}

/// Puts the placeholder in the place of the run of variable bytes behind each `before`.
fn blank(output: &[u8], before: &[u8], is_variable: fn(&u8) -> bool, placeholder: u8) -> Vec<u8> {
    let mut blanked = Vec::with_capacity(output.len());
    let mut rest = output;
    while let Some(start) = find(rest, before) {
        let (head, tail) = rest.split_at(start + before.len());
        let length = tail.iter().take_while(|byte| is_variable(byte)).count();
        blanked.extend_from_slice(head);
        if length > 0 {
            blanked.push(placeholder);
        }
        rest = &tail[length..];
    }
    blanked.extend_from_slice(rest);
    blanked
}

pub fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = find(rest, from) {
        replaced.extend_from_slice(&rest[..start]);
        replaced.extend_from_slice(to);
        rest = &rest[start + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// Shows bytes as text that a test can hold: a NUL or what is not UTF-8 is escaped, a line stays a
/// line.
pub fn text(bytes: &[u8]) -> String {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| {
            line.escape_ascii()
                .to_string()
                .replace("\\n", "\n")
                .replace("\\\"", "\"")
                .replace("\\'", "'")
        })
        .collect()
}

pub fn difference(expected: &(String, String, i32), found: &(String, String, i32)) -> String {
    let mut report = String::new();
    for (what, expected, found) in [
        ("standard output", &expected.0, &found.0),
        ("standard error", &expected.1, &found.1),
        ("exit status", &expected.2.to_string(), &found.2.to_string()),
    ] {
        if expected == found {
            report += &format!("{what} as expected:\n{found}\n");
        } else {
            report += &format!("{what} expected:\n{expected}\n{what} found:\n{found}\n");
        }
    }
    report
}
