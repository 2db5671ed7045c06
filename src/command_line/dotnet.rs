//! The grammar of .NET's host: `dotnet [exec] [option VALUE]... APP.dll [argument]...`. Sources:
//! "dotnet command", section "Options for running an application"
//! (<https://learn.microsoft.com/dotnet/core/tools/dotnet>), and `command_line.cpp` of hostfxr
//! (<https://github.com/dotnet/runtime>).

use super::{Word, WordKind};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// The options of the host. Each takes the next word as its value. Case is ignored.
pub(super) const OPTIONS: &[&str] = &[
    "--additional-deps",
    "--additionalprobingpath",
    "--depsfile",
    "--fx-version",
    "--roll-forward",
    "--roll-forward-on-no-candidate-fx",
    "--runtimeconfig",
];

/// Parses the words after `dotnet`. A word that is neither an option nor an application is a
/// command of the SDK, such as `build`: then there are only arguments.
pub(super) fn parse(arguments: Vec<OsString>) -> Vec<Word> {
    let mut words = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter().peekable();
    let exec = arguments.next_if(|word| word.eq_ignore_ascii_case("exec"));
    let runs_anything = exec.is_some();
    words.extend(exec.map(|text| Word::new(WordKind::Subcommand, text)));
    while let Some(text) =
        arguments.next_if(|word| OPTIONS.iter().any(|name| word.eq_ignore_ascii_case(name)))
    {
        words.push(Word::new(WordKind::Option, text));
        words.extend(arguments.next().map(|text| Word::new(WordKind::Value, text)));
    }
    let entry = arguments.next_if(|word| runs_anything || is_application(word));
    words.extend(entry.map(|text| Word::new(WordKind::Entry { joined: 0 }, text)));
    words.extend(arguments.map(|text| Word::new(WordKind::Argument, text)));
    words
}

/// Tells whether a word ends in `.dll` or `.exe`.
fn is_application(word: &OsStr) -> bool {
    let ending = word.as_bytes().last_chunk::<4>();
    ending.is_some_and(|ending| {
        ending.eq_ignore_ascii_case(b".dll") || ending.eq_ignore_ascii_case(b".exe")
    })
}

#[cfg(test)]
mod tests {
    use crate::command_line::tests::{check, parse, text};

    #[test]
    fn options_are_inserted_after_exec_and_before_the_entry() {
        check(&[
            "/var/lang/bin/dotnet exec < --depsfile a.deps.json --runtimeconfig a.json > \
             [RuntimeSupport.dll] A::T::M",
            "dotnet < --fx-version 8.0.1 --ROLL-FORWARD Major > [App.DLL] --depsfile x",
            "dotnet < > [a.exe]",
            "dotnet exec < > [app] x",
            "dotnet EXEC < --depsfile a.dll > [b.dll]",
            "dotnet exec < >",
            "dotnet < > build a.dll",
            "dotnet < > --info",
            "dotnet < >",
        ]);
    }

    #[test]
    fn inserted_option_is_removed_with_its_value() {
        let mut command_line = parse("dotnet exec a.dll");
        command_line.append_options(vec!["--depsfile".into(), "a.json".into()]);
        command_line.remove_options(|option| option == "--depsfile a.json");
        assert_eq!(text(command_line), "dotnet exec a.dll");
    }
}
