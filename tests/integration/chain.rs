//! The wrapper chain: whatever wrappers run, in whatever order, the runtime gets the command line
//! and the environment that each of them alone would have made of what the one before it left.

use crate::support::{DIRECTORY, PATH, Test};
use serde_json::json;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What other wrappers do, each as a fixture. The one in Python is in `real_parts::chain`.
pub const WRAPPERS: [&str; 8] = [
    "after_program.sh",
    "before_last.sh",
    "prefix.sh",
    "address.sh",
    "by_variable.sh",
    "plain.sh",
    "looks_at_name.sh",
    "child.sh",
];

/// Those that put options directly behind the program, so that in front of another wrapper they
/// break its command line.
pub const INSERTING: [&str; 2] = ["after_program.sh", "plain.sh"];

/// The one that needs Python.
pub const IN_PYTHON: &str = "instrument.py";

/// An interpreter that runs nothing and writes down what it received.
const RUNTIME: &str =
    "#!/bin/sh\n/bin/cat /proc/$$/cmdline >words\n/bin/cat /proc/$$/environ >environ\n";

pub const JAVA: [&[u8]; 6] = [
    b"-XX:-TieredCompilation",
    b"-cp",
    b"a.jar",
    b"-XX:-TieredCompilation",
    b"lambdainternal.AWSLambda",
    b"pkg.H",
];

const ODD: [&[u8]; 9] = [
    b"",
    b" a  b ",
    b"it's \"quoted\" \\",
    b"line\nline\n",
    b"\xff\xfe=\x80",
    b"$HOME `id` * ~",
    b"\n",
    b"%41+,.",
    b"-",
];

type Words = Vec<Vec<u8>>;

/// Arguments behind the program, and the environment; the test's directory is `<folder>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    arguments: Words,
    environ: Words,
}

impl Start {
    pub fn new(arguments: &[&[u8]], environ: &[&[u8]]) -> Self {
        let lambda: [&[u8]; 7] = [
            &[b"PATH=", PATH.as_bytes()].concat(),
            b"LAMBDA_TASK_ROOT=<folder>",
            b"FOREWORD_DROPIN_DIR=<folder>/foreword.d",
            b"TMPDIR=<folder>",
            b"AWS_LAMBDA_EXEC_WRAPPER=/opt/bin/foreword",
            b"_HANDLER=app.handler",
            b"NODE_OPTIONS=--max-old-space-size=64",
        ];
        let words = |list: &[&[u8]]| list.iter().map(|word| word.to_vec()).collect::<Words>();
        Self { arguments: words(arguments), environ: words(&[&lambda, environ].concat()) }
    }

    fn set(&mut self, name: &str, value: &str) {
        let entry = format!("{name}={value}").into_bytes();
        let known =
            self.environ.iter_mut().find(|known| known.starts_with(format!("{name}=").as_bytes()));
        *known.expect("a known variable") = entry;
    }

    /// What the runtime gets when this is started behind a command.
    #[track_caller]
    fn behind(&self, command: Test, first: &[&str]) -> Self {
        let directory = command.path("").into_os_string().into_vec();
        let directory = directory.strip_suffix(b"/").unwrap_or(&directory).to_vec();
        let resolved =
            |word: &Vec<u8>| OsString::from_vec(replace(word, DIRECTORY.as_bytes(), &directory));
        let defaults = ["PATH", "LAMBDA_TASK_ROOT", "FOREWORD_DROPIN_DIR"];
        let test = defaults.iter().fold(command, |test, name| test.env_remove(name));
        let test = self.environ.iter().fold(test, |test, entry| test.raw_env(resolved(entry)));
        let first = first.iter().map(|word| OsString::from(*word));
        let test = test.args(
            first.chain(["<folder>/python3.12".into()]).chain(self.arguments.iter().map(resolved)),
        );
        let scripts = WRAPPERS.iter().chain(&[IN_PYTHON]);
        let test = scripts.fold(test.script("python3.12", RUNTIME), |test, name| {
            test.script(name, wrapper(name))
        });
        let finished = test.run();
        let list = |name: &str| -> Words {
            let file = std::fs::read(finished.directory.path(name)).expect("the runtime ran");
            let words = file.strip_suffix(b"\0").expect("an end").split(|byte| *byte == 0);
            words.map(|word| replace(word, &directory, DIRECTORY.as_bytes())).collect()
        };
        let words = list("words");
        assert_eq!(words[..2], [b"/bin/sh".to_vec(), b"<folder>/python3.12".to_vec()]);
        let mut environ = list("environ");
        environ.sort();
        Self { arguments: words[2..].to_vec(), environ }
    }

    /// What each of these wrappers alone makes of what the one before it left.
    #[track_caller]
    fn composed(&self, wrappers: &[&str]) -> Self {
        let mut start = self.clone();
        for name in wrappers {
            start.set("AWS_LAMBDA_EXEC_WRAPPER", &format!("<folder>/{name}"));
            start = start.behind(Test::new().without_foreword(), &[&format!("<folder>/{name}")]);
        }
        start.set("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword");
        start.environ.sort();
        start
    }

    /// What they make of it one after the other through foreword.
    #[track_caller]
    fn chained(&self, wrappers: &[&str]) -> Self {
        let paths: Vec<_> =
            wrappers.iter().map(|name| format!("${{LAMBDA_TASK_ROOT}}/{name}")).collect();
        let config = json!({"wrappers": paths}).to_string();
        self.behind(Test::new().file("foreword.json", config), &[])
    }

    #[track_caller]
    pub fn check(&self, wrappers: &[&str]) {
        let (composed, chained) = (self.composed(wrappers), self.chained(wrappers));
        assert_eq!(shown(&chained), shown(&composed), "{wrappers:?}");
    }
}

fn wrapper(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/wrappers/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut replaced = Vec::new();
    while let Some(start) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..start]);
        replaced.extend_from_slice(to);
        rest = &rest[start + from.len()..];
    }
    [replaced, rest.to_vec()].concat()
}

fn shown(start: &Start) -> String {
    let words = start.arguments.iter().chain(&start.environ);
    words.map(|word| format!("{}\n", word.escape_ascii())).collect()
}

#[test]
fn wrappers_in_every_pair_and_order_start_the_runtime() {
    let start = Start::new(&JAVA, &[]);
    for first in WRAPPERS {
        for second in WRAPPERS {
            start.check(&[first, second]);
        }
    }
}

#[test]
fn wrappers_in_any_number_start_the_runtime() {
    let start = Start::new(&JAVA, &[]);
    start.check(&[]);
    for name in WRAPPERS {
        start.check(&[name]);
    }
    start.check(&WRAPPERS);
    let mut reversed = WRAPPERS;
    reversed.reverse();
    start.check(&reversed);
    start.check(&[INSERTING, INSERTING, INSERTING].concat());
}

#[test]
fn every_byte_in_every_chain_is_preserved() {
    let start = odd();
    for name in WRAPPERS {
        start.check(&[name, name]);
    }
    start.check(&WRAPPERS);
    every_byte().check(&["after_program.sh", "plain.sh"]);
}

/// A start with words and values that no shell and no language should make anything else of.
pub fn odd() -> Start {
    let names = ["A", "B", "C", "D", "E", "F", "G", "H", "I"];
    let entries: Words = names
        .iter()
        .zip(ODD)
        .map(|(name, value)| [name.as_bytes(), b"=", value].concat())
        .collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    Start::new(&ODD, &entries)
}

/// A start with a word and a value of all bytes that these can have.
pub fn every_byte() -> Start {
    let every: Vec<u8> = (1..=255).collect();
    Start::new(&[&every, b"last"], &[&[b"EVERY=", &every[..]].concat()])
}

#[test]
fn wrappers_nested_by_hand_fail() {
    for first in INSERTING {
        for second in INSERTING {
            fail_nested_by_hand(first, second);
        }
    }
}

/// Each takes the next one for the interpreter and gives it options of the interpreter's.
#[track_caller]
pub fn fail_nested_by_hand(first: &str, second: &str) {
    // Whoever starts the second one is no shell, which alone would make up for a first line that is
    // not there.
    let whole = |name: &str| match wrapper(name) {
        script if script.starts_with(b"#!") => script,
        script => [b"#!/bin/sh\n".to_vec(), script].concat(),
    };
    let test =
        [first, second].iter().fold(Test::new(), |test, name| test.script(name, whole(name)));
    let test = test.script("python3.12", RUNTIME).without_foreword();
    let test = test.args([&format!("./{first}"), &format!("./{second}"), "./python3.12", "app.py"]);
    assert_ne!(test.capture().status, 0, "{first} {second}");
    assert!(!test.path("words").exists(), "{first} {second}: the runtime ran");
}

#[test]
fn last_wrapper_in_every_pair_ends_the_chain() {
    WRAPPERS.into_iter().for_each(never_comes_back_beside);
}

/// Whatever runs before it, and nothing runs behind it.
#[track_caller]
pub fn never_comes_back_beside(name: &str) {
    let handler = "#!/bin/sh\necho handler $#\n";
    for pair in [[name, "drop.sh"], ["drop.sh", name]] {
        let test = pair.iter().fold(Test::new(), |test, name| test.script(name, wrapper(name)));
        let test = test.script("python3.12", RUNTIME).script("app.handler", handler);
        let test = test.script("instrument.py.handler", handler).env("_HANDLER", "app.handler");
        let config = json!({"wrappers": pair.map(|name| format!("./{name}"))}).to_string();
        let test = test.config(&config).env("TMPDIR", "<folder>").args(["./python3.12", "app.py"]);
        let finished = test.stdout("handler 0\n").run();
        assert!(!finished.directory.path("words").exists(), "{pair:?}: the runtime ran");
    }
}
