//! What to do about a configuration that is no JSON. Looks at the text only when it was refused.

use crate::json::{NO_JSON, Problem};

/// What to do about a text that is no JSON.
#[cold]
pub fn way_out(text: &str, problem: &Problem) -> &'static str {
    let here = text.as_bytes().get(problem.offset..).unwrap_or_default();
    let cause = problem.message.strip_prefix(NO_JSON).unwrap_or(&problem.message);
    if let Some(language) = other_language(text) {
        return language;
    }
    match (here, cause) {
        (_, "trailing comma") => "; remove the comma in front of it",
        (_, "trailing characters") => match text.trim_ascii_start().starts_with('{') {
            true => "; the object has ended, remove what follows",
            false => "; put all of it in braces",
        },
        (_, "invalid escape") => "; write a backslash as \\\\ (paths in a function have /)",
        (_, cause) if cause.starts_with("control character") => {
            "; write a line break as \\n, a tab as \\t"
        }
        (_, cause) if cause.starts_with("EOF") => match text.trim_ascii().is_empty() {
            true => "; it is empty, write {}",
            false => "; it ends before all brackets and quotes are closed",
        },
        ([b'/', b'/' | b'*', ..] | [b'#', ..], _) => "; JSON has no comments, use \"description\"",
        ([b'\'' | b'`', ..], _) => "; put it in double quotes",
        // U+2018 to U+201F, « and ».
        ([0xe2, 0x80, 0x98..=0x9f, ..] | [0xc2, 0xab | 0xbb, ..], _) => {
            "; these are typographic quotes, write \""
        }
        ([first, ..], _) if !first.is_ascii() => {
            "; this character stands outside of quotes, remove it"
        }
        ([b',', ..], "key must be a string") => "; remove one comma",
        (_, "key must be a string") => "; put the key in double quotes",
        ([b'=', ..], "expected `:`") => "; write a colon",
        (_, "expected `:`") => "; a colon is missing in front of it",
        ([b'}', ..], "expected `,` or `]`") => "; a ] is missing in front of it",
        ([b']', ..], "expected `,` or `}`") => "; a } is missing in front of it",
        (_, "expected `,` or `}`" | "expected `,` or `]`") => "; a comma is missing in front of it",
        (_, "expected value" | "expected ident") => {
            "; put a string in double quotes (true, false and null are lower case)"
        }
        _ => "",
    }
}

/// The language that a text is in, if it looks like YAML or TOML from its first line on.
#[cold]
pub fn other_language(text: &str) -> Option<&'static str> {
    let mut lines = text.as_bytes().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !matches!(line, [] | [b'#', ..]))?;
    let length = |line: &[u8]| {
        line.iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.$".contains(byte))
            .count()
    };
    let (name, behind) = first.split_at(length(first));
    match (name, behind) {
        (b"---", []) | (b"-", [b' ', ..]) | ([_, ..], [b':'] | [b':', b' ', ..]) => {
            Some("; it looks like YAML, and has to be JSON (yq -o json converts it)")
        }
        ([_, ..], _) if behind.trim_ascii_start().starts_with(b"=") => Some(TOML),
        ([], [b'[', table @ .., b']'])
            if !table.is_empty() && length(table) == table.len() && !table[0].is_ascii_digit() =>
        {
            Some(TOML)
        }
        _ => None,
    }
}

const TOML: &str = "; it looks like TOML, and has to be JSON (yq -o json converts it)";
