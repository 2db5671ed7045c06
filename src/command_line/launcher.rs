//! Launchers, which are programs that execute another program: `dumb-init -- node app.js`, `uv run
//! python app.py`, `timeout 5 java …`. Finds the interpreter that a launcher executes, so that
//! inserted options go to the interpreter.

use super::interpreter::{Interpreter, base_name};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// A launcher: its name, its subcommand, its options that take the next word as their value (`*`
/// for all long ones), and the number of other words before the program.
type Launcher = (&'static str, &'static str, &'static str, usize);

/// Sources: the manual pages of coreutils (<https://www.gnu.org/software/coreutils/manual/>) and
/// util-linux (<https://man7.org/linux/man-pages/>), and each launcher's own documentation.
const LAUNCHERS: &[Launcher] = &[
    ("aws-lambda-rie", "", "*", 0),
    ("aws-vault", "exec", "*", 1),
    ("bundle", "exec", "--gemfile", 0),
    ("catatonit", "", "", 0),
    ("catchsegv", "", "", 0),
    ("chamber", "exec", "-b --backend", 1),
    ("conda", "run", "-n --name -p --prefix --cwd", 0),
    ("ddtrace-run", "", "", 0),
    ("docker-init", "", "-e -p", 0),
    (
        "doppler",
        "run",
        "-p --project -c --config -t --token --name-transformer --fallback --mount --format",
        0,
    ),
    ("dotenv", "run", "-f --file", 0),
    ("dotenvx", "run", "-f --env-file -e --env", 0),
    ("dumb-init", "", "-r --rewrite", 0),
    ("env", "", "-u --unset -C --chdir", 0),
    ("gosu", "", "", 1),
    ("hatch", "run", "-e --env", 0),
    ("infisical", "run", "-e --env --path --projectId --token", 0),
    ("ionice", "", "-c --class -n --classdata", 0),
    ("newrelic-admin", "run-program", "", 0),
    ("nice", "", "-n --adjustment", 0),
    ("nohup", "", "", 0),
    ("npm", "exec", "-p --package -c --call -w --workspace", 0),
    ("npx", "", "-p --package -c --call -w --workspace", 0),
    ("op", "run", "--env-file --account", 0),
    ("opentelemetry-instrument", "", "*", 0),
    ("pdm", "run", "-p --project", 0),
    ("pipenv", "run", "", 0),
    ("pixi", "run", "-e --environment --manifest-path", 0),
    ("pnpm", "exec", "-C --dir --filter", 0),
    ("poetry", "run", "-C --directory -P --project", 0),
    ("rye", "run", "", 0),
    ("setsid", "", "", 0),
    ("stdbuf", "", "-i --input -o --output -e --error", 0),
    ("su-exec", "", "", 1),
    ("taskset", "", "", 1),
    ("timeout", "", "-k --kill-after -s --signal", 1),
    ("tini", "", "-e -p", 0),
    ("tini-static", "", "-e -p", 0),
    (
        "uv",
        "run",
        "-p --python --project --directory --package --env-file --with --with-editable \
         --with-requirements --extra --group --only-group --no-group --no-extra --config-file \
         --cache-dir --index --default-index --color",
        0,
    ),
    (
        "xvfb-run",
        "",
        "-e --error-file -f --auth-file -n --server-num -p --xauth-protocol -s --server-args -w \
         --wait",
        0,
    ),
    ("yarn", "", "--cwd", 0),
];

/// Counts the words after a program that belong to launchers, with the interpreter at their end.
/// Returns 0 if the program is no launcher, or if no interpreter follows.
#[inline(never)]
pub(super) fn count_words(program: &OsStr, arguments: &[OsString]) -> usize {
    let mut at = 0;
    let mut program = program;
    loop {
        let name = base_name(program);
        let Some(launcher) = LAUNCHERS.iter().find(|launcher| launcher.0.as_bytes() == name) else {
            return 0;
        };
        at += count_own_words(launcher, &arguments[at..]);
        let Some(next) = arguments.get(at) else { return 0 };
        at += 1;
        if Interpreter::from_program(next).is_some() {
            return at;
        }
        program = next;
    }
}

/// Returns the interpreter that the launchers of a command line execute, or else its program.
pub fn launched_program(command: &[OsString]) -> &OsStr {
    let (program, arguments) =
        command.split_first().expect("a command line begins with its program");
    match Interpreter::from_program(program) {
        None => &command[count_words(program, arguments)],
        Some(_) => program,
    }
}

/// Counts the words between a launcher and the program that it executes. Returns `None` if the
/// program is no launcher, or executes nothing.
#[cfg(feature = "tool")]
pub fn count_launcher_words(program: &OsStr, arguments: &[OsString]) -> Option<usize> {
    let name = base_name(program);
    let launcher = LAUNCHERS.iter().find(|launcher| launcher.0.as_bytes() == name)?;
    Some(count_own_words(launcher, arguments)).filter(|&length| length < arguments.len())
}

/// Counts the words before the program that a launcher executes; all words if it executes none.
#[inline(never)]
fn count_own_words(
    &(name, subcommand, with_value, mut others): &Launcher,
    arguments: &[OsString],
) -> usize {
    let mut is_subcommand_missing = !subcommand.is_empty();
    let mut at = 0;
    while let Some(word) = arguments.get(at).map(|word| word.as_bytes()) {
        at += 1;
        if word.starts_with(b"-") {
            if word == b"--" {
                return at;
            }
            let is_any = with_value == "*" && word.starts_with(b"--") && !word.contains(&b'=');
            at += usize::from(
                is_any || with_value.split(' ').any(|option| option.as_bytes() == word),
            );
        } else if is_subcommand_missing {
            is_subcommand_missing = false;
            if word != subcommand.as_bytes() {
                return arguments.len();
            }
        } else if name == "env" && word.contains(&b'=') {
        } else if others > 0 {
            others -= 1;
        } else {
            return at - 1;
        }
    }
    arguments.len()
}

#[cfg(test)]
mod tests {
    use crate::command_line::tests::{check, edited, parse, split};

    #[test]
    fn options_are_inserted_after_the_interpreter_of_a_launcher() {
        check(&[
            "npx node < --expose-gc > [app.js] -x",
            "npx -y -p tsx node < > [app.js]",
            "uv run python < -u > -m [awslambdaric] app.handler",
            "uv --directory python run --python python3.12 --with node python3 < > [app.py]",
            "/usr/bin/dumb-init -- node < > [app.js]",
            "dumb-init --rewrite 15:2 node < > [app.js]",
            "tini -g -e 143 -- ruby < > [app.rb]",
            "env -i A=1 B=node python3.12 < > [app.py]",
            "env -u node -C /tmp A=1 node < > [app.js]",
            "nice -n 5 java < -cp a > [Main]",
            "nice -5 java < > [Main]",
            "timeout -k 1 --signal=KILL 5 dotnet < > [a.dll]",
            "timeout 5 dotnet exec < > [a.dll]",
            "stdbuf -oL -e 0 python3 < > [app.py]",
            "setsid -w catchsegv python3 < > [app.py]",
            "poetry --no-ansi run python < > [app.py]",
            "bundle exec ruby < > [app.rb]",
            "pipenv run python < > [app.py]",
            "xvfb-run -a --server-args=-nolisten -n 5 node < > [app.js]",
            "doppler run --project x -- node < > [app.js]",
            "aws-lambda-rie --log-level debug python3 < > -m [awslambdaric] app.handler",
            "opentelemetry-instrument --traces_exporter console python3 < > [app.py]",
            "ddtrace-run -d python3 < > [app.py]",
            "newrelic-admin run-program python3 < > [app.py]",
            "chamber exec orders -- node < > [app.js]",
            "gosu app python3 < > [app.py]",
            "yarn node < > [app.js]",
        ]);
    }

    #[test]
    fn interpreter_of_nested_launchers_is_found() {
        check(&["dumb-init -- timeout 5 env A=1 uv run python < > [app.py]"]);
    }

    #[test]
    fn launcher_without_an_interpreter_is_an_unknown_program() {
        check(&[
            "npx < > tsx node app.js",
            "npx < > -c node",
            "uv < > pip install python",
            "uv < > run app.py python",
            "poetry < > install",
            "timeout < > python3",
            "env < > -S app python3",
            "nice < >",
            "dumb-init < > --",
            "newrelic-admin < > run-python app.py",
            "mytool < > python3 app.py",
        ]);
    }

    #[test]
    fn words_of_a_launcher_are_not_edited() {
        let edit = |line: &mut crate::command_line::CommandLine| {
            line.remove_options(|option| option == "-n");
            line.remove_arguments(|word| word == "5");
            line.prepend_options(split("-X dev"));
            line.set_entry("other.py".as_ref());
        };
        edited("nice -n 5 python3 -u app.py 5", edit, "nice -n 5 python3 -X dev -u other.py");
    }

    #[test]
    fn argument_file_after_a_launcher_stays_without_edits() {
        let words = split("5 java @file x");
        let read = |_: &std::ffi::OsStr| Ok(b"-cp a Main".to_vec());
        let mut line =
            crate::command_line::CommandLine::parse("timeout".into(), words.clone(), read);
        assert_eq!(line.clone().into_arguments(), words);
        line.append_options(split("-Da"));
        assert_eq!(line.into_arguments(), split("5 java -cp a -Da Main x"));
    }

    #[test]
    #[cfg(feature = "tool")]
    fn any_program_of_a_launcher_is_found() {
        for (line, expected) in [
            ("timeout -k 1 5 ./x a", Some(3)),
            ("/usr/bin/nohup ./x", Some(0)),
            ("nice -n 5 ./x", Some(2)),
            ("env -i A=1 ./x", Some(2)),
            ("setsid -w ./x", Some(1)),
            ("timeout 5", None),
            ("npx -c x", None),
            ("uv pip install x", None),
            ("./x timeout", None),
        ] {
            let words = split(line);
            assert_eq!(super::count_launcher_words(&words[0], &words[1..]), expected, "{line}");
        }
    }

    #[test]
    fn entry_after_a_launcher_is_found() {
        assert_eq!(parse("uv run python -m app").entry(), Some("app".as_ref()));
    }
}
