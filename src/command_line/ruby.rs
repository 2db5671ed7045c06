//! The grammar of Ruby: `ruby [option]... [-e CODE]... [--] [SCRIPT] [argument]...`; with code,
//! there is no script, and options may follow. Sources: ruby(1), and `proc_options` in `ruby.c` of
//! 3.1 to 3.4 (<https://github.com/ruby/ruby/blob/master/ruby.c>).

use super::grammar::{AfterCode, Form, Grammar, contains};

pub(super) const GRAMMAR: Grammar =
    Grammar { form, after_code: AfterCode::OptionsFirstCodeIsEntry };

/// Long options that take the next word as their value unless it is joined by `=`.
pub(super) const LONG_WITH_VALUE: &[&str] = &[
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

/// The letters of short options that take a value.
pub(super) const SHORT_WITH_VALUE: &[u8] = b"rICXE";

/// Classifies a word. Short options form clusters. `e`, `r`, `I`, `C`, `X` and `E` take the rest of
/// the word as their value, or else the next word; `F`, `i`, `x` and `W:` only the rest. `K` takes
/// one letter, and `0`, `T` and `W` take digits; the cluster continues after them.
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
            b'K' => at += 1,
            b'-' if matches!(rest, b"" | b"\r") => return Form::EndOfOptions,
            b'-' if contains(LONG_WITH_VALUE, rest) => return Form::TakesValue,
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
            "/var/lang/bin/ruby < > [/var/runtime/index.rb]",
            "ruby < -W0 > [app.rb] -e x",
            "ruby < > -e [a] -W0 -e b x",
            "ruby < > -e[a] -eb -- -x",
            "ruby < -w > -W0e [a] x",
            "ruby < > -Kule[a] x",
            "ruby < -Ke > [app.rb]",
            "ruby < > -0777ne[a] x",
            "ruby < -w > -- [-app.rb] --",
            "ruby < > -w- [app.rb]",
            "ruby < > [-] x",
            "ruby < -r json -rset -wI lib -Ce -E UTF-8 > [app.rb]",
            "ruby < -F -i -x > [app.rb]",
            "ruby < -W:no-deprecated -Fe -i.e > [app.rb]",
            "ruby < --enable gems --enable=gems --enable-gems --yjit > [app.rb]",
            "ruby < --encoding UTF-8 -w-disable gems > [app.rb]",
            "ruby < >",
            "ruby < > --version",
            "ruby < > -e",
        ]);
    }
}
