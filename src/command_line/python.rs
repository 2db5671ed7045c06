//! The grammar of Python: `python [option]... [-c CODE | -m MODULE | SCRIPT | -] [argument]...`.
//! Sources: "Command line and environment" (<https://docs.python.org/3/using/cmdline.html>), and
//! `Python/getopt.c` of CPython 3.8 to 3.14 (<https://github.com/python/cpython>).

use super::grammar::{AfterCode, Form, Grammar};

pub(super) const GRAMMAR: Grammar = Grammar { form, after_code: AfterCode::Arguments };

/// The letters of short options that take a value.
pub(super) const SHORT_WITH_VALUE: &[u8] = b"WX";

/// Classifies a word. Short options form clusters: `c`, `m`, `W` and `X` take the rest of the word
/// as their value, or else the next word. A `-` in a cluster begins a long option; one of these
/// takes a value, always the next word.
fn form(word: &[u8], _next: Option<&[u8]>) -> Form {
    if word.len() < 2 || word[0] != b'-' {
        return Form::Plain;
    }
    for (at, letter) in word.iter().enumerate().skip(1) {
        let rest = &word[at + 1..];
        match letter {
            b'c' | b'm' if rest.is_empty() => return Form::Introduction,
            b'c' | b'm' => return Form::Joined(at + 1),
            b'W' | b'X' if rest.is_empty() => return Form::TakesValue,
            b'W' | b'X' => return Form::Option,
            b'-' if rest.is_empty() => return Form::EndOfOptions,
            b'-' if rest == b"check-hash-based-pycs" => return Form::TakesValue,
            b'-' => return Form::Option,
            _ => {}
        }
    }
    Form::Option
}

#[cfg(test)]
mod tests {
    use crate::command_line::tests::check;

    #[test]
    fn options_are_inserted_before_the_entry_and_its_introduction() {
        check(&[
            "/var/lang/bin/python3.12 < > [/var/runtime/bootstrap.py]",
            "python3 < -u > [app.py] -m x",
            "python3 < > -m [awslambdaric] app.handler",
            "python3 < > -m[awslambdaric] app.handler",
            "python3 < -X dev > -Im [awslambdaric] -X",
            "python3 < > -Im[json.tool]",
            "python3 < > -c [print()] -c",
            "python3 < > -Bc[print()] -x",
            "python3 < -u > -- [-app.py] --",
            "python3 < -u > -b- [app.py]",
            "python3 < > [-] x",
            "python3 < -W ignore -Wm -BX m -OO > [app.py]",
            "python3 < --check-hash-based-pycs always > [app.py]",
            "python3 < -u-check-hash-based-pycs always > [app.py]",
            "python3 < >",
            "python3 < > -V",
            "python3 < > -X",
            "python3 < > -m",
            "python3 < > --",
        ]);
    }
}
