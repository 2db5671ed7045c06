//! Tests of the grammars with real interpreters: entry and arguments must be those that the
//! interpreter takes, before and after an edit. `python3`, `node`, `java` with `javac`, and `ruby`
//! must be in PATH. The fixtures are scripts that print their name, whether they saw the appended
//! option, and their arguments.

mod java;
mod node;
mod python;
mod ruby;

use super::CommandLine;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A real interpreter in a directory of its own. In command lines, `{x}` is code that prints the
/// name x, and `''` is an empty word.
struct RealInterpreter {
    program: &'static str,
    directory: PathBuf,
    /// Returns code that prints this name; as an argument (true) or for a file.
    code: fn(&str, bool) -> String,
    /// An option whose only effect is that the fixtures see it.
    option: &'static [&'static str],
}

/// The output of a fixture.
#[derive(Debug, PartialEq)]
struct FixtureOutput {
    name: String,
    option: bool,
    arguments: Vec<String>,
}

impl Drop for RealInterpreter {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl RealInterpreter {
    fn new(
        program: &'static str,
        test: &str,
        code: fn(&str, bool) -> String,
        option: &'static [&'static str],
    ) -> Self {
        let directory =
            std::env::temp_dir().join(format!("foreword-{program}-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("a temporary directory");
        Self { program, directory, code, option }
    }

    fn script(self, file: &str) -> Self {
        let text = (self.code)(file.split('.').next().unwrap_or(file), false);
        self.file(file, &text)
    }

    fn file(self, name: &str, content: &str) -> Self {
        let path = self.directory.join(name);
        fs::create_dir_all(path.parent().expect("a directory"))
            .expect("a directory for the fixture");
        fs::write(path, content).expect("a fixture");
        self
    }

    fn run_tool(self, line: &str) -> Self {
        let mut words = line.split(' ');
        let tool = words.next().expect("a tool");
        let status = Command::new(tool).args(words).current_dir(&self.directory).status();
        let status = status.unwrap_or_else(|error| {
            panic!("{tool} is needed by this test, run scripts/real-parts.sh: {error}")
        });
        assert!(status.success(), "{line}");
        self
    }

    fn words(&self, line: &str) -> Vec<OsString> {
        let word = |word: &str| match word
            .split_once('{')
            .and_then(|(joined, rest)| Some((joined, rest.strip_suffix('}')?)))
        {
            Some((joined, name)) => format!("{joined}{}", (self.code)(name, true)).into(),
            None if word == "''" => OsString::new(),
            None => word.into(),
        };
        line.split_whitespace().map(word).collect()
    }

    /// Runs the interpreter and parses the line that the fixture prints. Code from standard input
    /// prints the name `stdin`.
    fn run(&self, arguments: &[OsString]) -> FixtureOutput {
        let mut child = Command::new(self.program)
            .args(arguments)
            .current_dir(&self.directory)
            .env_remove("NODE_OPTIONS")
            .env_remove("RUBYOPT")
            .env_remove("JDK_JAVA_OPTIONS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{} is needed by this test, run scripts/real-parts.sh: {error}",
                    self.program
                )
            });
        let input = (self.code)("stdin", false);
        // An interpreter that does not read its input may be gone by now.
        let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().expect("the interpreter's output");
        let text = String::from_utf8_lossy(&output.stdout);
        let took =
            text.lines().find_map(|line| line.strip_prefix("took\x1f")).unwrap_or_else(|| {
                panic!(
                    "{} {arguments:?}: no fixture ran: {}",
                    self.program,
                    String::from_utf8_lossy(&output.stderr)
                )
            });
        let mut fields = took.split('\x1f').map(str::to_owned);
        let name = fields.next().expect("a name");
        let option = fields.next().expect("the option") == "true";
        FixtureOutput { name, option, arguments: fields.collect() }
    }

    fn parse(&self, arguments: Vec<OsString>) -> CommandLine {
        CommandLine::parse(self.program.into(), arguments, |path| {
            fs::read(self.directory.join(path))
        })
    }

    /// Checks that the interpreter takes the entry and the arguments that foreword parses, as
    /// received and after edits.
    fn check(&self, line: &str) {
        let arguments = self.words(line);
        let mut command_line = self.parse(arguments.clone());
        let mut expected = FixtureOutput {
            name: fixture_name(command_line.entry()),
            option: false,
            arguments: command_line
                .arguments()
                .map(|word| word.to_str().expect("text").to_owned())
                .collect(),
        };
        assert_eq!(self.parse(arguments.clone()).into_arguments(), arguments, "{line}: unedited");
        assert_eq!(self.run(&arguments), expected, "{line}");

        command_line.append_options(self.option.iter().map(OsString::from).collect());
        expected.option = true;
        if command_line.entry().is_some() {
            command_line.prepend_arguments(vec!["--first".into()]);
            expected.arguments.insert(0, "--first".to_owned());
        }
        let edited = command_line.into_arguments();
        assert_eq!(self.run(&edited), expected, "{line} became {edited:?}");
    }

    /// Checks one command line for each line; `(none)` has no words.
    fn check_all(&self, lines: &str) {
        let lines = lines.lines().map(|line| line.trim().trim_start_matches("(none)"));
        lines.skip(1).for_each(|line| self.check(line));
    }

    /// Checks generated command lines, the same ones every time: options, then an entry or code
    /// with options after it, then arguments. `|` separates the choices.
    fn check_generated(&self, count: usize, options: &str, entries: &str, code: &str) {
        let mut dice = Dice(0x0123_4567_89ab_cdef);
        for _ in 0..count {
            let mut line = dice.some(3, options);
            if !code.is_empty() && dice.roll(3) == 0 {
                for _ in 0..=dice.roll(2) {
                    line.push(dice.choose(code));
                    line.extend(dice.some(1, options));
                }
                line.push(dice.choose("-- | -- -- | x | ''"));
            } else {
                line.push(dice.choose(entries));
            }
            line.extend(dice.some(3, "x | -x | -- | - | '' | -c | -e | -m | @x | a.py"));
            self.check(&line.join(" "));
        }
    }
}

/// Returns the name that an entry prints: the second string of code, or the name of a file without
/// its extension.
fn fixture_name(entry: Option<&OsStr>) -> String {
    let Some(entry) = entry.filter(|entry| *entry != "-") else {
        return "stdin".to_owned();
    };
    let entry = entry.to_str().expect("text");
    if let Some((_, rest)) = entry.split_once("'took','") {
        return rest.split('\'').next().expect("a name").to_owned();
    }
    let file = Path::new(entry).file_name().and_then(OsStr::to_str).expect("a file");
    let endings = [".py", ".js", ".rb", ".jar", ".java"];
    endings.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file).to_owned()
}

/// A pseudo-random generator (xorshift), with the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("a small number")
    }

    fn choose<'a>(&mut self, choices: &'a str) -> &'a str {
        let index = self.roll(choices.split('|').count());
        choices.split('|').nth(index).expect("a choice")
    }

    fn some<'a>(&mut self, most: usize, choices: &'a str) -> Vec<&'a str> {
        (0..self.roll(most + 1)).map(|_| self.choose(choices)).collect()
    }
}
