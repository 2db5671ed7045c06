//! What `foreword plan` prints is what the runtime receives: compared for hundreds of starts that
//! are put together at random, the same ones every time.

mod case;

use crate::support::{DUMP, PATH, Test};
use case::{Case, PROGRAMS, SECRET};
use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

const CASES: u64 = 300;

/// As the tool shows what it does not.
const REDACTED: &[u8] = b"[redacted]";

/// The bytes that stand for a text in the plan.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        _ => {
            let digits = value["bytes"].as_str().expect("the bytes of what is no text");
            let byte = |at: usize| {
                u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits")
            };
            (0..digits.len()).step_by(2).map(byte).collect()
        }
    }
}

fn all(list: &Value) -> Vec<Vec<u8>> {
    list.as_array().expect("a list").iter().map(bytes).collect()
}

/// Whether this is what was shown, but for secrets that stand for any bytes.
fn is_shown_as(shown: &[u8], real: &[u8]) -> bool {
    match shown.windows(REDACTED.len()).position(|window| window == REDACTED) {
        None => shown == real,
        Some(at) => {
            let (before, after) = (&shown[..at], &shown[at + REDACTED.len()..]);
            let Some(rest) = real.strip_prefix(before) else { return false };
            (0..=rest.len()).any(|end| is_shown_as(after, &rest[end..]))
        }
    }
}

#[track_caller]
fn compare(what: &str, shown: &[Vec<u8>], real: &[&[u8]], context: &str) {
    let is_same = shown.len() == real.len()
        && shown.iter().zip(real).all(|(shown, real)| is_shown_as(shown, real));
    let escaped = |words: Vec<&[u8]>| {
        words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>()
    };
    assert!(
        is_same,
        "the {what} of {context}\nplanned {:#?}\nreceived {:#?}",
        escaped(shown.iter().map(Vec::as_slice).collect()),
        escaped(real.to_vec())
    );
}

/// What a run of `DUMP` printed: the command line without the shell that runs it, and the
/// environment.
fn dumped(output: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let end =
        output.windows(2).position(|pair| pair == b"\0\n").expect("the end of the command line")
            + 1;
    (entries(&output[..end]).split_off(1), entries(&output[end + 1..]))
}

/// What stands before each NUL.
fn entries(bytes: &[u8]) -> Vec<&[u8]> {
    let mut entries: Vec<_> = bytes.split(|byte| *byte == 0).collect();
    entries.pop();
    entries
}

/// Compares what is planned for one start with what its runtime receives; gives the plan.
fn check(seed: u64) -> Value {
    let case = Case::new(seed);
    let mut test =
        Test::new().env("PATH", format!("<folder>/bin:{PATH}")).env("FOREWORD_LOG", "off");
    for program in PROGRAMS {
        test = test.script(program, DUMP);
    }
    test =
        test.script("bin/in-path", DUMP).file("there.txt", "").file("foreword.json", &case.config);
    for (name, content) in
        [("options", "-Da=b -cp x"), ("whole", "-cp a Main y"), ("entry", "Main -x")]
    {
        test = test.file(name, content);
    }
    if let Some(dropin) = &case.dropin {
        test = test.file("foreword.d/a.json", dropin);
    }
    for entry in &case.environment {
        test = test.raw_env(OsStr::from_bytes(entry));
    }
    let words: Vec<_> = case.command.iter().map(|word| OsStr::from_bytes(word)).collect();
    let plan = ["plan", "--format", "json", "--"].map(OsStr::new);
    test = test.args(plan.iter().chain(&words));
    let planned = test.capture();
    let context =
        format!("seed {seed}, {words:?}, {}\n{}", case.config, case.dropin.unwrap_or_default());
    assert_eq!(
        (planned.status, String::from_utf8_lossy(&planned.stderr)),
        (0, "".into()),
        "{context}"
    );
    let output = String::from_utf8(planned.stdout).expect("UTF-8");
    assert!(!output.contains(SECRET), "a secret is shown, {context}\n{output}");
    let plan: Value = serde_json::from_str(&output).expect("JSON");
    test = test.args(&words);
    let ran = test.capture();
    assert_eq!(ran.status, 0, "{context}");

    let mut line = all(&plan["command_line"]["words"]);
    if line[0] == b"in-path" {
        line[0] = test.path("bin/in-path").into_os_string().into_encoded_bytes();
    }
    let (received_line, received_environment) = dumped(&ran.stdout);
    compare("command line", &line, &received_line, &context);
    compare("environment", &all(&plan["environment"]["entries"]), &received_environment, &context);
    is_consistent(&plan, &context);
    plan
}

/// The parts of a plan say the same.
fn is_consistent(plan: &Value, context: &str) {
    let line = &plan["command_line"];
    let mut parts: Vec<_> = ["prefix", "options", "entry", "arguments"]
        .iter()
        .flat_map(|part| all(&line[*part]))
        .collect();
    parts.push(bytes(&line["program"]));
    let mut words = all(&line["words"]);
    parts.sort();
    words.sort();
    assert_eq!(parts, words, "the parts of the command line, {context}");
    for skipped in plan["skipped"].as_array().expect("a list") {
        assert_ne!(
            skipped["why"],
            serde_json::json!([]),
            "what does not apply has a reason, {context}"
        );
    }
    let entries = all(&plan["environment"]["entries"]);
    for edit in plan["environment"]["edits"].as_array().expect("a list").iter().rev() {
        let name = edit["name"].as_str().expect("a name");
        let is_last = |other: &&Value| other["name"] == name;
        let last = plan["environment"]["edits"]
            .as_array()
            .expect("a list")
            .iter()
            .rfind(is_last)
            .expect("itself");
        let value =
            |entry: &Vec<u8>| entry.strip_prefix(format!("{name}=").as_bytes()).map(<[u8]>::to_vec);
        let after = Some(&last["after"]).filter(|after| !after.is_null()).map(bytes);
        assert_eq!(entries.iter().find_map(value), after, "{name}, {context}");
    }
}

#[test]
fn generated_plan_equals_what_the_runtime_receives() {
    let plans: Vec<_> = (0..CASES).map(check).collect();
    // Starts of which hardly anything is edited would prove nothing.
    let count = |is_so: &dyn Fn(&Value) -> bool| plans.iter().filter(|plan| is_so(plan)).count();
    let has = |list: &Value| !list.as_array().expect("a list").is_empty();
    assert!(count(&|plan| has(&plan["command_line"]["edits"])) > 150);
    assert!(count(&|plan| has(&plan["environment"]["edits"])) > 150);
    assert!(count(&|plan| has(&plan["skipped"])) > 100);
    assert!(count(&|plan| has(&plan["warnings"])) > 100);
    assert!(count(&|plan| plan["command_line"].to_string().contains("\"bytes\"")) > 30);
    assert!(count(&|plan| plan["environment"].to_string().contains("[redacted]")) > 20);
}
