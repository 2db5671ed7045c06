//! Whole lives in `foreword simulate`: what real runtimes go through, in which order it is told,
//! and that nothing is left.

use crate::support::timeline::{is_about_the_shell, timeless, with_python};
use crate::support::{Test, real_part};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lambda");

/// A handler with hooks of its own, each of which says so.
pub const HANDLER: &str = r#"
from snapshot_restore_py import register_after_restore, register_before_snapshot

print("the handler loads")
for name in ("a", "b"):
    register_before_snapshot(print, "the handler's before_snapshot " + name)
    register_after_restore(print, "the handler's after_restore " + name)

def handler(event, context):
    print("the handler handles", event)
    return {"event": event}
"#;

/// A directory that a function can write to and this test can read: the code is read-only, and /tmp
/// the simulation's.
pub fn outside() -> TempDir {
    // /tmp is another one in a simulation, also when the project lies there.
    let built = env!("CARGO_TARGET_TMPDIR");
    let place = if built.starts_with("/tmp/") { "/var/tmp" } else { built };
    TempDir::with_prefix_in("foreword-", place).expect("unable to make a directory")
}

/// A hook that says so.
pub fn says(name: &str) -> Value {
    json!({"name": name, "command": format!("echo the command of {name}")})
}

pub fn all_hooks() -> Value {
    json!({"hooks": {
        "initialize": [says("one"), says("two")],
        "before_snapshot": [says("three"), says("four")],
        "after_restore": [says("five"), says("six")],
    }})
}

/// Runs to an exit status; gives what stands on standard output, and finds nothing left of it.
#[track_caller]
pub fn simulated(test: Test, status: i32) -> String {
    let run = test.start();
    let captured = run.finish();
    let output = String::from_utf8_lossy(&captured.stdout).into_owned();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (status, "".into()),
        "{output}"
    );
    assert!(run.finished.is_alone(), "{output}");
    output
}

/// Runs to an exit status; compares the timeline.
#[track_caller]
pub fn tells(test: Test, status: i32, expected: &str) {
    let found = timeless(simulated(test, status).as_bytes());
    assert!(found == expected, "expected:\n{expected}\nfound:\n{found}");
}

/// The objects that are told in JSON.
#[track_caller]
pub fn objects(test: Test, status: i32) -> Vec<Value> {
    let output = simulated(test, status);
    let objects = output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    objects
        .filter(|object: &Value| !object["message"].as_str().is_some_and(is_about_the_shell))
        .collect()
}

pub fn python(options: &[&str]) -> Test {
    let command =
        [&["simulate"], options, &["--", "python3", "-m", "awslambdaric", "app.handler"]].concat();
    with_python(Test::new()).args(command).env("PYTHONDONTWRITEBYTECODE", "1")
}

#[test]
fn python_with_hooks_of_both_kinds_runs_them_nested() {
    let test = python(&["--snap-start", "--event", r#"{"n": 1}"#, "--event", "2"]);
    let test = test.file("app.py", HANDLER).config(&all_hooks().to_string());
    tells(
        test,
        0,
        "\
init (at most 130 s)
    │ the command of one
  initialize      one                  N ms of 10 s
    │ the command of two
  initialize      two                  N ms of 10 s
    │ the handler loads
    │ the handler's before_snapshot b
    │ the handler's before_snapshot a
    │ the command of four
  before_snapshot four                 N ms of 30 s
    │ the command of three
  before_snapshot three                N ms of 30 s
  runtime         loads, its own hooks N ms of 130 s
  init            in all               N ms of 130 s
snapshot
restore (at most 10 s)
    │ the command of five
  after_restore   five                 N ms of 8 s
    │ the command of six
  after_restore   six                  N ms of 8 s
    │ the handler's after_restore a
    │ the handler's after_restore b
  runtime         its own hooks        N ms of 10 s
  restore         in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {\"n\": 1}
    │ the handler handles {'n': 1}
  answer  {\"event\": {\"n\": 1}}
  invocation      in all               N ms of 3 s
invocation 2 (at most 3 s)
  event   2
    │ the handler handles 2
  answer  {\"event\": 2}
  invocation      in all               N ms of 3 s
shutdown
all went well
",
    );
}

/// What comes of a runtime that knows nothing of SnapStart.
fn without_part(answer: &str) -> String {
    format!(
        "\
init (at most 130 s)
    │ the command of one
  initialize      one                  N ms of 10 s
    │ the command of two
  initialize      two                  N ms of 10 s
    │ the command of four
  before_snapshot four                 N ms of 30 s
    │ the command of three
  before_snapshot three                N ms of 30 s
  foreword: the runtime takes no part in SnapStart; values that must be unique have to be made \
         anew in after_restore hooks
  runtime         loads, its own hooks N ms of 130 s
  init            in all               N ms of 130 s
snapshot
restore (at most 10 s)
    │ the command of five
  after_restore   five                 N ms of 8 s
    │ the command of six
  after_restore   six                  N ms of 8 s
  runtime         its own hooks        N ms of 10 s
  restore         in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {{\"key\":\"value\"}}
  answer  {answer}
  invocation      in all               N ms of 3 s
shutdown
all went well
"
    )
}

const EVENT: [&str; 4] = ["simulate", "--snap-start", "--event", r#"{"key":"value"}"#];

#[test]
fn node_function_goes_through_a_restore() {
    let bootstrap = format!("{FIXTURES}/bootstrap.mjs");
    let test = with_python(Test::new()).args([&EVENT[..], &["--", "node", &bootstrap]].concat());
    let test = test
        .file(
            "index.mjs",
            std::fs::read(format!("{SOURCES}/node/index.mjs")).expect("the function"),
        )
        .env("RUNTIME_CLIENT", real_part("node/node_modules/aws-lambda-ric/dist/index.mjs"))
        .env("_HANDLER", "index.handler")
        .env("CLIENT_LOG", "/tmp/log");
    tells(test.config(&all_hooks().to_string()), 0, &without_part(r#"{"key":"value"}"#));
}

#[test]
fn shell_script_function_goes_through_a_restore() {
    let bootstrap = format!("{SOURCES}/shell/bootstrap.sh");
    let test = Test::new().args([&EVENT[..], &["--", &bootstrap]].concat());
    let test = test.env("CLIENT_LOG", "/tmp/log");
    tells(test.config(&all_hooks().to_string()), 0, &without_part(r#"{"key":"value"}"#));
}

#[test]
fn runtime_that_only_asks_for_events_goes_through_a_restore() {
    let bootstrap = format!("{SOURCES}/shell/bootstrap.sh");
    let test = Test::new().args(["simulate", "--snap-start", "--", &bootstrap]);
    let test = test.env("CLIENT_LOG", "/tmp/log");
    tells(
        test,
        0,
        "\
init (at most 130 s)
  runtime         loads, its own hooks N ms of 130 s
  init            in all               N ms of 130 s
snapshot
  the runtime takes no part in it: it waits for events, and not to be restored
restore (at most 10 s)
  runtime         its own hooks        N ms of 10 s
  restore         in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {}
  answer  {}
  invocation      in all               N ms of 3 s
shutdown
all went well
",
    );
}

#[test]
fn on_demand_function_has_no_snapshot() {
    let test = python(&["--event", "@event.json"])
        .file("app.py", HANDLER)
        .file("event.json", "{\"from\":\n\"a file\"}\n");
    tells(
        test.config(&all_hooks().to_string()),
        0,
        "\
init (at most 10 s)
    │ the command of one
  initialize      one                  N ms of 10 s
    │ the command of two
  initialize      two                  N ms of 10 s
    │ the handler loads
  runtime         loads                N ms of 10 s
  init            in all               N ms of 10 s
invocation 1 (at most 3 s)
  event   {\"from\": \"a file\"}
    │ the handler handles {'from': 'a file'}
  answer  {\"event\": {\"from\": \"a file\"}}
  invocation      in all               N ms of 3 s
shutdown
all went well
",
    );
}

/// As Lambda's own lines are then; and a command whose last line has no end.
#[test]
fn hooks_with_a_json_log_are_still_in_the_timeline() {
    for format in ["JSON", "Text"] {
        let hooks =
            json!({"hooks": {"initialize": [{"name": "one", "command": "printf unended"}]}});
        let test = python(&[])
            .file("app.py", "def handler(event, context): pass\n")
            .config(&hooks.to_string());
        let output = timeless(simulated(test.env("AWS_LAMBDA_LOG_FORMAT", format), 0).as_bytes());
        let rows = "    │ unended\n  initialize      one                  N ms of 10 s\n";
        assert!(output.contains(rows), "{output}");
    }
}
