//! Ruby's command line: `ruby [option]... [-e CODE]... [--] [SCRIPT] [argument]...`; with code, options may
//! follow it and there is no script. After ruby(1) and `proc_options` in `ruby.c` of 3.1 to 3.4.

use super::grammar::{AfterCode, Form, Grammar, contains};

pub(super) const GRAMMAR: Grammar = Grammar { form, after_code: AfterCode::OptionsFirstCodeIsEntry };

/// Long options whose value is the next word where it is not joined by `=`.
const LONG_WITH_VALUE: &[&str] = &[
    "backtrace-limit",
    "crash-report",
    "disable",
    "dump",
    "enable",
    "encoding",
    "external-encoding",
    "internal-encoding",
    "parser",
    "source-encoding",
];

/// Short options stand in clusters. `e`, `r`, `I`, `C`, `X` and `E` take the rest of their word, or else the
/// next one; `F`, `i` and `x` only the rest; `0`, `K`, `T` and `W` a few characters, and the cluster goes on.
fn form(word: &[u8], _next: Option<&[u8]>) -> Form {
    if word.len() < 2 || word[0] != b'-' {
        return Form::Plain;
    }
    let mut at = 1;
    while let Some(letter) = word.get(at) {
        at += 1;
        let rest = &word[at..];
        match letter {
            b'e' if rest.is_empty() => return Form::Introduction,
            b'e' => return Form::Joined(at),
            b'r' | b'I' | b'C' | b'X' | b'E' if rest.is_empty() => return Form::TakesValue,
            b'r' | b'I' | b'C' | b'X' | b'E' | b'F' | b'i' | b'x' | b'h' => return Form::Option,
            b'W' if rest.starts_with(b":") => return Form::Option,
            b'W' => at += octal_digits(rest, 1),
            b'T' => at += octal_digits(rest, 2),
            b'0' => at += octal_digits(rest, 3),
            b'K' => at += 1,
            b'-' if matches!(rest, b"" | b"\r") => return Form::EndOfOptions,
            b'-' if contains(LONG_WITH_VALUE, rest) => return Form::TakesValue,
            b'-' => return Form::Option,
            _ => {}
        }
    }
    Form::Option
}

fn octal_digits(text: &[u8], limit: usize) -> usize {
    text.iter().take(limit).take_while(|byte| matches!(byte, b'0'..=b'7')).count()
}
