//! The command line and the environment are lists of byte strings: whatever they hold reaches the
//! runtime as it is and where it was, but for what an edit names.

use crate::support::{DUMP, Test, foreword};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

type Words = Vec<Vec<u8>>;

/// A start of `runtime`, which prints what it received.
fn test(arguments: &Words, environment: &Words) -> Test {
    let test = Test::new()
        .script("runtime", DUMP)
        .args(command(&["./runtime"], arguments))
        .without_foreword();
    environment.iter().fold(test, |test, entry| test.raw_env(OsStr::from_bytes(entry)))
}

fn command<'w>(first: &'w [&'w str], arguments: &'w Words) -> Vec<&'w OsStr> {
    first
        .iter()
        .map(OsStr::new)
        .chain(arguments.iter().map(|word| OsStr::from_bytes(word)))
        .collect()
}

/// The list as the kernel shows it.
fn joined(words: &Words) -> Vec<u8> {
    words.iter().flat_map(|word| [word, &b"\0"[..]].concat()).collect()
}

/// What comes out without foreword has to come out with it under every configuration; gives that.
#[track_caller]
fn unchanged(arguments: &Words, environment: &Words) -> Vec<u8> {
    let mut test = test(arguments, environment);
    let alone = test.capture();
    assert!(
        alone.stdout.ends_with(&joined(environment)),
        "the start itself changes the environment"
    );
    test = test.args(command(&[foreword(), "./runtime"], arguments));
    for configuration in
        [None, Some("{}"), Some(r#"{"when": {"env": {"NO": true}}, "env": {"A": "1"}}"#)]
    {
        if let Some(json) = configuration {
            test = test.file("foreword.json", json);
        }
        let captured = test.capture();
        assert_eq!(captured, alone, "{configuration:?}");
    }
    alone.stdout
}

fn words(list: &[&[u8]]) -> Words {
    list.iter().map(|word| word.to_vec()).collect()
}

#[test]
fn environment_with_odd_entries_is_unchanged() {
    unchanged(
        &Words::new(),
        &words(&[
            b"B=2",
            b"A=1",
            b"B=3",
            b"no equals sign",
            b"=no name",
            b"=",
            b"",
            b"E=",
            b"",
            b"A=1",
            b"C==x=",
            b"\n=\n",
        ]),
    );
}

#[test]
fn arguments_with_odd_bytes_are_unchanged() {
    unchanged(
        &words(&[
            b"",
            b" ",
            b"--",
            b"-",
            b"\n",
            b"a=b",
            b"$HOME ${PATH} $$ * [a]",
            b"\xff\xfe",
            b"",
        ]),
        &Words::new(),
    );
}

#[test]
fn every_byte_but_nul_is_unchanged() {
    let every = (1..=255).collect::<Vec<u8>>();
    let each: Words = (1..=255).map(|byte| vec![byte]).collect();
    unchanged(
        &[each.clone(), vec![every.clone()]].concat(),
        &[each, vec![every, b"LAST=".to_vec()]].concat(),
    );
}

#[test]
fn random_command_lines_and_environments_are_unchanged() {
    let mut random = Random(1);
    for _ in 0..20 {
        unchanged(&random.words(), &random.words());
    }
}

#[test]
fn edit_of_one_variable_keeps_the_others_in_place() {
    let mut random = Random(2);
    for round in 0..20 {
        let (arguments, mut environment) = (random.words(), random.words());
        let places = 1 + random.below(3);
        for copy in 0..places {
            let at = random.below(environment.len() + 1);
            environment.insert(at, format!("EDITED=old {copy}").into_bytes());
        }
        let (json, kept) = match round % 2 {
            0 => (r#"{"env": {"EDITED": "new"}}"#, Some(b"EDITED=new".to_vec())),
            _ => (r#"{"env": {"EDITED": null}}"#, None),
        };
        let mut expected = environment.clone();
        let mut kept = kept.into_iter();
        expected.retain_mut(|entry| match entry.starts_with(b"EDITED=") {
            true => kept.next().map(|edited| *entry = edited).is_some(),
            false => true,
        });

        let mut test = test(&arguments, &environment).file("foreword.json", json);
        let alone = test.capture().stdout;
        test = test.args(command(&[foreword(), "./runtime"], &arguments));
        let captured = test.capture();
        let start = alone.len() - joined(&environment).len();
        let found = captured.stdout.strip_prefix(&alone[..start]).expect("the same start");
        assert_eq!(
            found.escape_ascii().to_string(),
            joined(&expected).escape_ascii().to_string(),
            "round {round}"
        );
        assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
    }
}

#[test]
fn new_variable_comes_last() {
    let environment = words(&[b"B=\xff", b"nothing", b"A=1"]);
    let test = test(&Words::new(), &environment).args([foreword(), "./runtime"]);
    let captured = test.file("foreword.json", r#"{"env": {"NEW": "\u00ff${B}"}}"#).capture();
    let expected = words(&[b"B=\xff", b"nothing", b"A=1", b"NEW=\xc3\xbf\xff"]);
    assert!(captured.stdout.ends_with(&joined(&expected)), "{}", captured.stdout.escape_ascii());
}

#[test]
fn argv_0_is_the_program_as_written() {
    for program in ["cat", "/bin/../bin/cat", "/bin//cat"] {
        for (command, json) in [
            ([program, "/proc/self/cmdline"], "{}".to_owned()),
            (["/opt/other", "/proc/self/cmdline"], format!(r#"{{"program": "{program}"}}"#)),
            (
                ["/proc/self/cmdline", "x"],
                format!(r#"{{"prefix": ["{program}"], "arguments": {{"remove": ["x"]}}}}"#),
            ),
        ] {
            let test =
                Test::new().file("foreword.json", json).args([&["--"], &command[..]].concat());
            test.stdout(format!("{program}\0/proc/self/cmdline\0")).run();
        }
    }
}

/// Xorshift (Marsaglia, 2003), so that every run tries the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        for shift in [13, -7, 17] {
            self.0 ^= if shift > 0 { self.0 << shift } else { self.0 >> -shift };
        }
        (self.0 >> 16) as usize % limit
    }

    /// Up to thirty words of up to forty bytes; every fourth word starts like a variable, some are
    /// empty.
    fn words(&mut self) -> Words {
        (0..self.below(30)).map(|_| self.word()).collect()
    }

    fn word(&mut self) -> Vec<u8> {
        let start = [&b""[..], b"", b"", b"A="][self.below(4)];
        let length = self.below(40);
        let rest = (0..length).map(|_| 1 + self.below(255) as u8);
        start.iter().copied().chain(rest).collect()
    }
}
