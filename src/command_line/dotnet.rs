//! The command line of .NET's host: `dotnet [exec] [option VALUE]... APP.dll [argument]...`.
//! After "dotnet command", section "Options for running an application", and `command_line.cpp` of
//! hostfxr.

use super::{Kind, Word};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// All options of the host; the value is always the next word, and the case of letters does not
/// count.
pub(super) const OPTIONS: &[&str] = &[
    "--additional-deps",
    "--additionalprobingpath",
    "--depsfile",
    "--fx-version",
    "--roll-forward",
    "--roll-forward-on-no-candidate-fx",
    "--runtimeconfig",
];

/// What is neither an option nor an application, as in `dotnet build`, is for the SDK: arguments
/// without entry.
pub(super) fn words(arguments: Vec<OsString>) -> Vec<Word> {
    let mut words = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter().peekable();
    let exec = arguments.next_if(|word| word.eq_ignore_ascii_case("exec"));
    let runs_anything = exec.is_some();
    words.extend(exec.map(|text| Word::new(Kind::Subcommand, text)));
    while let Some(text) =
        arguments.next_if(|word| OPTIONS.iter().any(|name| word.eq_ignore_ascii_case(name)))
    {
        words.push(Word::new(Kind::Option, text));
        words.extend(arguments.next().map(|text| Word::new(Kind::Value, text)));
    }
    let entry = arguments.next_if(|word| runs_anything || is_application(word));
    words.extend(entry.map(|text| Word::new(Kind::Entry { joined: 0 }, text)));
    words.extend(arguments.map(|text| Word::new(Kind::Argument, text)));
    words
}

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
    fn options_stand_behind_exec_and_before_the_entry() {
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
    fn values_of_inserted_options_are_known() {
        let mut command_line = parse("dotnet exec a.dll");
        command_line.append_options(vec!["--depsfile".into(), "a.json".into()]);
        command_line.remove_options(|option| option == "--depsfile a.json");
        assert_eq!(text(command_line), "dotnet exec a.dll");
    }
}
