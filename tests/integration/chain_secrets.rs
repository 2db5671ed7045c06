//! What foreword's own variables hold: nothing of any other variable, whoever of all that it starts
//! looks at them. A wrapper may execute something else than the stand-in, and that may show its
//! environment to anybody.

use crate::support::extension::lambda;
use crate::support::{Finished, PATH, Test};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Values that must be found in their own variables only; bytes of every kind that the stage
/// escapes.
const PLANTED: [(&str, &[u8]); 7] = [
    ("DB_PASSWORD", b"planted-1 of a name that says so"),
    ("DB_URL", b"planted-2://user:p%41~`ss\n\xff@host"),
    ("AWS_SESSION_TOKEN", b"planted-3+/=="),
    ("PLAIN", b"planted-4"),
    ("WRAPPERS", b"./planted-5"),
    ("LITERAL", b"planted-6"),
    ("EXPORTED", b"planted-7 exported"),
];

/// The variables by which users tell foreword something.
const OF_THE_USER: [&[u8]; 3] = [b"FOREWORD_CONFIG", b"FOREWORD_LOG", b"FOREWORD_DROPIN_DIR"];

/// Writes down the environment that it was given, and goes on.
fn looking(name: &str, then: &str) -> String {
    format!("#!/bin/sh\ncat /proc/$$/environ >>\"$LAMBDA_TASK_ROOT/seen-{name}\"\n{then}\n")
}

fn hook(name: &str) -> Value {
    json!({"name": name, "command": looking(name, ""), "env": {"OF_HOOK": "${PLAIN}"}})
}

/// A function with planted values, whose configuration uses them wherever it can.
pub fn test(wrappers: Value) -> Test {
    let export = looking("export", "echo 'EXPORTED=planted-7 exported'");
    let config = json!({
        "env": {"LITERAL": "planted-6", "COPY": "<${DB_PASSWORD}>", "GONE": "planted-8"},
        "rules": [{"env": {"GONE": null}}, {"wrappers": wrappers}],
        "hooks": {
            "initialize": [{"name": "export", "command": export, "export": "dotenv"}],
            "before_snapshot": [hook("before")],
            "after_restore": [hook("after")],
            "pre_stop": [{"name": "stop", "command": "cat /proc/$$/environ"}]
        }
    });
    let test =
        Test::new().config(&config.to_string()).env("PATH", PATH).env("FOREWORD_LOG", "debug");
    let test = test.script("planted-5/one", looking("one", "export FROM=one; exec \"$@\""));
    let test = test.script("two", looking("two", "exec \"$@\" \"$FROM\""));
    let test = test.script("drop", looking("drop", "exec \"$LAMBDA_TASK_ROOT/own\""));
    let test = test
        .script("own", looking("own", "exit 0"))
        .script("bin/python3.12", looking("runtime", "exec bin/client"));
    let given = PLANTED[..5]
        .iter()
        .fold(test, |test, (name, value)| test.env(name, OsStr::from_bytes(value)));
    given.env("_HANDLER", "app.handler").args(["bin/python3.12", "x"])
}

/// What a variable of foreword's says, as far as it is escaped.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let (mut rest, mut bytes) = (value, Vec::new());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'~', _) => 0,
            (b'`', _) => b'\n',
            (b'%', &[high, low, ..]) if digit(high).is_some() && digit(low).is_some() => {
                rest = &tail[2..];
                digit(high).unwrap_or(0) << 4 | digit(low).unwrap_or(0)
            }
            _ => first,
        });
    }
    bytes
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Who looked found every planted value in its own variable, and none in one of foreword's, which
/// is there for those who run in the chain alone.
#[track_caller]
pub fn check(finished: &Finished, names: &[&str], in_chain: &[&str]) {
    for name in names {
        let path = finished.directory.path(&format!("seen-{name}"));
        let environ =
            std::fs::read(path).unwrap_or_else(|error| panic!("{name} did not look: {error}"));
        let entries: Vec<&[u8]> = environ.split(|byte| *byte == 0).collect();
        let planted = if *name == "export" { &PLANTED[..6] } else { &PLANTED };
        for (variable, value) in planted {
            let entry = [variable.as_bytes(), b"=", value].concat();
            assert!(entries.contains(&&*entry), "{name} lacks {variable}");
        }
        let is_own = |entry: &&&[u8]| {
            entry.starts_with(b"FOREWORD_") && !OF_THE_USER.iter().any(|of| entry.starts_with(of))
        };
        let own: Vec<u8> = entries.iter().filter(is_own).flat_map(|entry| entry.to_vec()).collect();
        assert_eq!(
            holds(&own, b"FOREWORD_STAGE="),
            in_chain.contains(name),
            "{name}: {}",
            own.escape_ascii()
        );
        let digits = |bytes: &[u8]| {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
        };
        let read = unescaped(&own);
        for value in planted.iter().map(|(_, value)| *value).chain([&b"planted-8"[..], b"planted-"])
        {
            let reversed: Vec<u8> = value.iter().rev().copied().collect();
            for form in
                [value.to_vec(), digits(value), digits(value).to_ascii_uppercase(), reversed]
            {
                assert!(
                    !holds(&own, &form) && !holds(&read, &form),
                    "{name}: {}",
                    own.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn programs_of_a_chain_find_no_value_of_another_variable() {
    let finished = test(json!(["${WRAPPERS}/one", "./two"])).script("bin/client", "#!/bin/sh\n");
    let captured = finished.capture();
    assert_eq!(captured.status, 0, "{}", String::from_utf8_lossy(&captured.stderr));
    check(&finished.finished(), &["export", "one", "two", "runtime"], &["one", "two"]);
}

#[test]
fn wrapper_that_executes_its_own_program_leaks_no_value() {
    let test = test(json!(["${WRAPPERS}/one", "./drop", "./two"]));
    assert_eq!(test.capture().status, 0);
    check(&test.finished(), &["export", "one", "drop", "own"], &["one", "drop", "own"]);
}

/// It is known for it: nothing of foreword's is left to it.
#[test]
fn last_wrapper_finds_no_variable_of_foreword() {
    let last = json!({"path": "${UNSET}./drop", "last": true});
    let test = test(json!(["${WRAPPERS}/one", last]));
    assert_eq!(test.capture().status, 0);
    check(&test.finished(), &["export", "one", "drop", "own"], &["one"]);
}

/// Whether what is handed over comes behind the chain or before the last wrapper.
#[test]
fn hooks_of_the_extension_find_no_value_of_another_variable() {
    let last = json!({"path": "./drop", "last": true});
    for wrappers in
        [json!(["${WRAPPERS}/one", "./two"]), json!(["${WRAPPERS}/one", last]), json!([last])]
    {
        let lambda = lambda();
        let wrapper =
            test(wrappers.clone()).script("bin/client", "#!/bin/sh\n").runtime_api(&lambda);
        let mut extension = test(wrappers.clone());
        let wrapper = wrapper.beside(&mut extension);
        let run = extension.args([""; 0]).waits(&lambda);
        let captured = wrapper.capture();
        let log = String::from_utf8_lossy(&captured.stderr);
        assert!(
            captured.status == 0 && !log.contains("pre_stop hooks are not run"),
            "{wrappers} {log}"
        );
        lambda.shutdown("spindown", std::time::Duration::from_millis(1900));
        // The directory is the wrapper's user's.
        std::fs::write(wrapper.path("seen-stop"), run.finish().stdout).expect("unable to write");
        check(&wrapper.finished(), &["export", "stop"], &[]);
    }
}

/// In the log at its most detailed and in messages: exports, what edits put a secret into, and what
/// a wrapper copied, moved to the end of the environment or added to.
#[test]
fn secrets_that_wrappers_move_are_redacted() {
    let config = r#"{
        "env": {"COPY": "<${DB_PASSWORD}>", "DB_PASSWORD": null},
        "hooks": {"initialize": [{"name": "h", "command": "echo SESSION=exported-1", "export": "dotenv"}]},
        "wrappers": ["./moves", {"path": "./adds", "env": {"LATER": "${SESSION}/${COPY}"}}, "/usr/bin/env"],
        "options": {"append": ["-D${COPY}", "-D${SESSION}", "-D${MOVED}", "-D${LATER}"]},
        "program": "/missing/${SESSION}/${LATER}"
    }"#;
    let moves = "#!/bin/sh\nexec env -u SESSION -u COPY MOVED=\"$SESSION\" COPY=\"$COPY\" \
                 SESSION=\"$SESSION\" \"$@\" \"--word=$SESSION\"\n";
    let adds = "#!/bin/sh\nexport COPY=\"more $COPY\"\nexec \"$@\" \"--word=$COPY\"\n";
    let test = Test::new()
        .script("moves", moves)
        .script("adds", adds)
        .config(config)
        .env("DB_PASSWORD", "hunter22");
    let captured =
        test.env("FOREWORD_LOG", "debug").args(["bin/python3.12", "bootstrap.py"]).capture();
    let log = String::from_utf8(captured.stderr).expect("text");
    for secret in ["exported-1", "hunter22"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
    let last = log.lines().last().expect("a line");
    assert_eq!(
        last,
        "foreword: unable to execute \"/missing/[redacted]/[redacted]\": no such file; write each \
         word as a string of its own",
        "{log}"
    );
    assert_eq!(captured.status, 127);
}
