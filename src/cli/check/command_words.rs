//! The words of a command line that name what is executed: the program, the one behind a launcher,
//! the script that is given to an interpreter, the text that is given to a shell.

use crate::command_line::{CommandLine, Interpreter, words_of_launcher};
use std::ffi::{OsStr, OsString};
use std::io;

/// How a file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// The kernel executes it.
    Executed,
    /// A shell is told to read it.
    ReadByShell,
    /// Another interpreter is told to read it.
    Read,
}

/// What the words of a command line come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommandFiles {
    /// The places of words that name files.
    pub files: Vec<(usize, FileUse)>,
    /// The place of a text that a shell takes for commands.
    pub shell: Option<usize>,
}

const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ash", "zsh"];

/// Launchers that look for the program elsewhere than in `PATH`, or for no program at all (their
/// own documentation).
const PACKAGE_MANAGERS: [&str; 13] = [
    "bundle", "conda", "hatch", "npm", "npx", "pdm", "pipenv", "pixi", "pnpm", "poetry", "rye",
    "uv", "yarn",
];

/// Options of launchers after which a relative path is another's, or the next word is a whole
/// command line.
const MOVES: [&str; 9] =
    ["-C", "--chdir", "--directory", "--cwd", "--dir", "-S", "--split-string", "-vS", "--command"];

/// The options of shells whose value is the next word (bash(1)).
const SHELL_OPTIONS_WITH_VALUE: [&str; 2] = ["--rcfile", "--init-file"];

/// Finds them; none stands for a word that only the function knows.
pub fn files_in_command(words: &[Option<&str>]) -> CommandFiles {
    let mut command = CommandFiles::default();
    let mut at = 0;
    let mut is_looked_up = true;
    while let Some(Some(program)) = words.get(at).copied() {
        if is_looked_up || program.contains('/') {
            command.files.push((at, FileUse::Executed));
        }
        let behind = &words[at + 1..];
        let name = program.rsplit('/').next().unwrap_or_default();
        if SHELLS.contains(&name) {
            add_shell(behind, at + 1, &mut command);
            return command;
        }
        if Interpreter::of_program(OsStr::new(program)).is_some() {
            add_script(program, behind, at + 1, &mut command);
            return command;
        }
        // Any word may stand where a launcher has a value; `env` may have any number of words.
        let is_env = name == "env";
        let known: Vec<_> = behind.iter().map(|word| OsString::from(word.unwrap_or("?"))).collect();
        let Some(length) = words_of_launcher(OsStr::new(program), &known) else { return command };
        let own = &behind[..length];
        let moves = |word: &str| {
            MOVES.iter().any(|option| {
                word == *option
                    || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=') || is_env)
            })
        };
        if own.iter().flatten().any(|word| moves(word)) || is_env && own.contains(&None) {
            return command;
        }
        let is_package_manager = PACKAGE_MANAGERS.contains(&name);
        is_looked_up &= !is_package_manager;
        is_looked_up &= !is_env
            || !own.iter().flatten().any(|word| word.starts_with('-') || word.starts_with("PATH="));
        at += 1 + length;
        let is_interpreter =
            words[at].is_some_and(|word| Interpreter::of_program(OsStr::new(word)).is_some());
        // `uv run ./app.py` has Python read it; packages have names of their own.
        if is_package_manager && !is_interpreter {
            return command;
        }
    }
    command
}

/// Adds what a shell reads: a script, or the text behind `-c`.
fn add_shell(arguments: &[Option<&str>], before: usize, command: &mut CommandFiles) {
    let mut has_text = false;
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        match *word {
            // The text itself may hold what only the function knows.
            None if has_text => return command.shell = Some(before + at),
            None => return,
            Some("--") => {
                at += 1;
                break;
            }
            Some(word) if word.starts_with("--") => {
                at += usize::from(SHELL_OPTIONS_WITH_VALUE.contains(&word))
            }
            Some(word) if word.len() > 1 && word.starts_with(['-', '+']) => {
                if word.contains('s') && word.starts_with('-') {
                    return;
                }
                has_text |= word.starts_with('-') && word.contains('c');
                at += usize::from(word.contains(['o', 'O']));
            }
            Some(_) => break,
        }
        at += 1;
    }
    match arguments.get(at) {
        Some(_) if has_text => command.shell = Some(before + at),
        Some(Some(script)) if !script.is_empty() && *script != "-" => {
            command.files.push((before + at, FileUse::ReadByShell));
        }
        _ => {}
    }
}

/// Adds what an interpreter reads.
fn add_script(
    program: &str,
    arguments: &[Option<&str>],
    before: usize,
    command: &mut CommandFiles,
) {
    let known: Vec<OsString> =
        arguments.iter().map_while(|word| word.map(OsString::from)).collect();
    let line = CommandLine::parse(program.into(), known, |_| Err(io::ErrorKind::NotFound.into()));
    let Some(at) = line.file() else { return };
    let options: Vec<&str> = arguments[..at].iter().copied().flatten().collect();
    let interpreter = line.interpreter();
    if interpreter == Some(Interpreter::Node) {
        let modules = options.iter().enumerate().filter(|(index, _)| {
            *index > 0 && matches!(options[index - 1], "-r" | "--require" | "--import" | "--loader")
        });
        let is_file = |word: &str| {
            word.starts_with(['.', '/'])
                && [".js", ".cjs", ".mjs"].iter().any(|end| word.ends_with(end))
        };
        command.files.extend(
            modules
                .filter(|(_, word)| is_file(word))
                .map(|(index, _)| (before + index, FileUse::Read)),
        );
    }
    let file = arguments[at].unwrap_or_default();
    // Ruby looks for it in another directory, or in PATH.
    let moves = |word: &&str| {
        word.starts_with('-') && !word.starts_with("--") && word.contains(['C', 'S', 'x'])
    };
    let is_elsewhere = interpreter == Some(Interpreter::Ruby) && options.iter().any(moves);
    let is_debugger = interpreter == Some(Interpreter::Node) && file == "inspect";
    let is_no_file = matches!(file, "" | "-") || is_debugger;
    if !is_no_file && !is_elsewhere {
        command.files.push((before + at, FileUse::Read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row is a command line in which what is executed stands in `<>`, what a shell reads in
    /// `[]`, what another interpreter reads in `{}`, and the text for a shell in `()`; `?` is a
    /// word that only the function knows.
    #[track_caller]
    fn check(rows: &[&str]) {
        for row in rows {
            let plain: Vec<&str> = row
                .split(' ')
                .map(|word| word.trim_matches(['<', '>', '[', ']', '{', '}', '(', ')']))
                .collect();
            let words: Vec<_> =
                plain.iter().map(|&word| Some(word).filter(|&word| word != "?")).collect();
            let command = files_in_command(&words);
            let shown = |(at, word): (usize, &&str)| {
                let kind =
                    command.files.iter().find(|(place, _)| *place == at).map(|(_, kind)| *kind);
                match kind {
                    Some(FileUse::Executed) => format!("<{word}>"),
                    Some(FileUse::ReadByShell) => format!("[{word}]"),
                    Some(FileUse::Read) => format!("{{{word}}}"),
                    None if command.shell == Some(at) => format!("({word})"),
                    None => (*word).to_owned(),
                }
            };
            let shown: Vec<_> = plain.iter().enumerate().map(shown).collect();
            assert_eq!(shown.join(" "), *row);
        }
    }

    #[test]
    fn the_words_that_are_executed_are_found_behind_env_and_interpreters() {
        check(&[
            "</opt/x> a",
            "<sh> [./x]",
            "</bin/sh> -c (x)",
            "<python3> {x.py} y",
            "<python3> -m x",
            "<java> Main",
            "<env> A=1 <node> {x}",
            "<env> -i node",
            "<env>",
            "? x",
            "<sh> ?",
        ]);
    }

    #[test]
    fn the_program_behind_a_launcher_is_found() {
        check(&[
            "<timeout> 5 <./q.sh> a",
            "<timeout> ? <./q.sh>",
            "<nohup> <./m.sh>",
            "<nice> -n 5 <./x>",
            "<stdbuf> -oL <./x>",
            "<setsid> <./x>",
            "<dumb-init> -- <timeout> 5 <python3> -u {x.py}",
            "<timeout> 5 <sh> -c (x)",
            "<env> -i <./x>",
            "<env> PATH=/x jq",
        ]);
    }

    #[test]
    fn the_program_behind_a_launcher_that_looks_elsewhere_is_not_judged() {
        check(&[
            "<npx> tsx app.ts",
            "<uv> run ./app.py",
            "<uv> run python {app.py}",
            "<uv> --directory x run python app.py",
            "<env> -C /tmp ./x",
            "<env> -S ./x",
            "<doppler> run --command ./x",
            "<env> ? ./x",
            "<timeout> 5 ?",
        ]);
    }

    #[test]
    fn the_script_behind_an_interpreters_options_is_found() {
        check(&[
            "<python3> -u {./miss.py}",
            "<python3> ? x.py",
            "<bash> -e [b.sh]",
            "<bash> -eo pipefail [b.sh]",
            "<bash> --norc +x -- [b.sh]",
            "<bash> -euo pipefail -c (x) y",
            "<bash> -lc (x)",
            "<bash> -s x",
            "<bash> --version",
            "<node> --require {./x.js} {app.js}",
            "<node> -r dotenv/config {app.js}",
            "<node> inspect app.js",
            "<java> -jar {a.jar}",
            "<ruby> -w {x.rb}",
            "<ruby> -C lib x.rb",
        ]);
    }
}
