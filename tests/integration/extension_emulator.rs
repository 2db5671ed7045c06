//! Whole functions with foreword as wrapper and as extension, under AWS's emulator: it finds the
//! extension in `/opt/extensions`, which is a directory of the test's own there, and the machine's
//! `/opt` stays as it is. The emulator itself ends an environment that takes longer than Lambda
//! allows, so what hooks and extension have said and done was in time.

use crate::support::{Emulator, Test, foreword, wait_until};
use serde_json::{Value, json};
use std::fs::read;
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Answers each event with itself, but for one: that it never answers. What it does at SIGTERM is
/// in the script before it.
const RUNTIME: &str = r#"
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
    curl -sS --noproxy '*' -D head -o event "$api/next" & curl=$!
    wait $curl
    id=$(tr -d '\r' <head | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: *//p')
    while grep -q hang event; do sleep 100 & curl=$!; wait $curl; done
    curl -sS --noproxy '*' -o answered --data-binary @event "$api/$id/response"
done
"#;

const ENDS: &str = "trap 'echo runtime >>order; kill $curl; exit 0' TERM";
const IGNORES: &str = "trap 'echo ignored >>order' TERM";

/// The layer and a function, with a runtime that begins like this.
fn function(runtime: &str, config: &Value) -> Test {
    let test = Test::new()
        .over("opt", "/opt")
        .script("opt/bin/foreword", read(foreword()).expect("foreword"));
    let test = test.linked("opt/extensions/foreword", Path::new("../bin/foreword"));
    let test = test
        .script("runtime", format!("#!/bin/sh\n{runtime}\n{RUNTIME}"))
        .env_remove("FOREWORD_DROPIN_DIR");
    let test =
        test.without_foreword().args(["/opt/bin/foreword", "--", "./runtime", "app.handler"]);
    test.config(&config.to_string())
}

/// A hook that notes its name, and then goes on like this.
fn notes(name: &str, then: &str) -> Value {
    json!({"name": name, "command": format!("echo {name} >>order; {then}")})
}

#[track_caller]
fn answers(emulator: &Emulator) {
    assert_eq!(
        emulator.invoke(r#"{"key":"value"}"#).body,
        json!({"key": "value"}),
        "{}",
        emulator.log()
    );
}

#[track_caller]
fn says(emulator: &Emulator, line: &str) {
    assert!(emulator.log().contains(line), "{}", emulator.log());
}

#[test]
fn runtime_ends_before_the_hooks_run_in_reverse() {
    let exports = json!({"name": "exports", "command": "echo EXPORTED=of-the-hook SECRET=hunter2 \
     | tr ' ' '\\n'", "export": "dotenv"});
    let sees =
        r#"printf '%s %s %s\n' "$EXPORTED" "$_HANDLER" "$(pwd)" >>order; test "$SECRET" = hunter2"#;
    let reason = r#"sed 's/.*"shutdown_reason":"[A-Za-z]\{1,\}".*/with a reason/' >>order"#;
    let hooks = json!({"initialize": [exports],
        "pre_stop": [notes("first", ""), notes("second", reason), notes("last", sees)]});
    let emulator = function(ENDS, &json!({"hooks": hooks})).emulate();
    answers(&emulator);
    answers(&emulator);
    emulator.shut_down();
    assert_eq!(
        emulator.read("order"),
        "runtime\nlast\nof-the-hook app.handler <folder>\nsecond\nwith a reason\nfirst\n"
    );
    for name in ["first", "second", "last"] {
        says(&emulator, &format!("foreword: hook \"{name}\" (pre_stop) succeeded after N ms\n"));
    }
    assert!(
        !emulator.log().contains("hunter2") && !emulator.log().contains("of-the-hook"),
        "{}",
        emulator.log()
    );
}

#[test]
fn runtime_that_ignores_sigterm_does_not_prevent_the_hooks() {
    let emulator =
        function(IGNORES, &json!({"hooks": {"pre_stop": [notes("first", ""), notes("last", "")]}}))
            .emulate();
    answers(&emulator);
    emulator.shut_down();
    assert_eq!(emulator.read("order"), "ignored\nlast\nfirst\n");
}

#[test]
fn hook_that_overruns_is_stopped_before_the_environment() {
    let mut deaf = notes("deaf", "trap '' TERM; while :; do sleep 100; done");
    deaf["timeout_ms"] = json!(100);
    let hooks =
        json!([notes("never", ""), notes("over", "exec sleep 100"), deaf, notes("last", "")]);
    let emulator = function(ENDS, &json!({"hooks": {"pre_stop": hooks}})).emulate();
    answers(&emulator);
    emulator.shut_down();
    assert_eq!(emulator.read("order"), "runtime\nlast\ndeaf\nover\n");
    says(&emulator, "foreword: hook \"deaf\" (pre_stop) timed out after N ms (timeout_ms)\n");
    says(&emulator, "foreword: hook \"over\" (pre_stop) timed out after N ms (the ");
    says(&emulator, "foreword: hook \"never\" (pre_stop) was not started: the ");
}

/// A program in the extension's place that starts it and notes how it ended.
#[test]
fn extension_after_a_shutdown_exits_0() {
    for (hooks, noted) in [
        (json!([notes("fails", "exit 3")]), "runtime\nfails\nstatus 0\n"),
        (json!([]), "runtime\n"),
    ] {
        let test = function(ENDS, &json!({"hooks": {"pre_stop": hooks}}));
        std::fs::remove_file(test.path("opt/extensions/foreword")).expect("the link");
        let test = test.linked("opt/lib/extensions/foreword", Path::new("../../bin/foreword"));
        let observer = "#!/bin/sh\n/opt/lib/extensions/foreword\necho \"status $?\" >>order\n";
        let emulator = test.script("opt/extensions/foreword", observer).emulate();
        answers(&emulator);
        emulator.shut_down();
        // Whoever has not asked for the event is killed.
        assert_eq!(emulator.read("order"), noted);
    }
}

#[test]
fn environment_that_is_reset_runs_its_hooks_and_gets_a_new_extension() {
    let reason =
        r#"sed 's/.*"shutdown_reason":"\([A-Za-z]*\)".*/\1/' >>order; echo "$ONLY" >>order"#;
    let hooks = json!({
        "initialize": [{"name": "exports", "command": "echo >>starts; echo ONLY=$(wc -l <starts)",
            "export": "dotenv"}],
        "pre_stop": [notes("a", reason)],
    });
    let test = function(ENDS, &json!({"hooks": hooks})).env("AWS_LAMBDA_FUNCTION_TIMEOUT", "1");
    let emulator = test.emulate();
    answers(&emulator);
    let body = emulator.invoke(r#"{"hang": true}"#).body;
    assert!(body.to_string().contains("timed out"), "{body}");
    assert!(
        wait_until(LIMIT, || emulator.read("order").ends_with("1\n")),
        "{}",
        emulator.read("order")
    );
    answers(&emulator);
    emulator.shut_down();
    let order = emulator.read("order").to_lowercase();
    let runtime =
        |order: &str| order.strip_prefix("runtime\n").map_or(order.to_owned(), str::to_owned);
    assert!(runtime(&order).starts_with("a\ntimeout\n1\n"), "{order}");
    assert!(order.ends_with("\n2\n"), "{order}");
}

/// The wrapper reports it, and the extension waits: one line in the log, and the caller sees it.
#[test]
fn configuration_mistake_with_a_wrapper_is_reported_once() {
    let line = "unknown key \"hoks\"; did you mean \"hooks\"?";
    let emulator = function(ENDS, &json!({"hoks": {}})).emulate();
    let answer = emulator.invoke(r#"{"key":"value"}"#);
    let expected = json!({"errorMessage": format!("FOREWORD_CONFIG:1:2: {line}"),
        "errorType": "Runtime.ForewordConfigInvalid"});
    assert_eq!(
        (&answer.body["errorMessage"], &answer.body["errorType"]),
        (&expected["errorMessage"], &expected["errorType"])
    );
    emulator.shut_down();
    let log = emulator.log();
    assert_eq!(
        log.matches(&format!("foreword: FOREWORD_CONFIG:1:2: {line}\n")).count(),
        1,
        "{log}"
    );
    assert!(!log.contains("Extension."), "{log}");
}

/// Where no wrapper reads the configuration, the extension says what keeps it from its work.
#[test]
fn configuration_mistake_without_a_wrapper_is_reported_by_the_extension() {
    let test = function(ENDS, &json!({"hoks": {}})).args(["./runtime", "app.handler"]);
    let emulator = test.emulate();
    answers(&emulator);
    emulator.shut_down();
    says(
        &emulator,
        "foreword: FOREWORD_CONFIG:1:2: unknown key \"hoks\"; did you mean \"hooks\"?\n",
    );
}

/// The extension alone makes the difference: it registers for no event.
#[test]
fn runtime_without_hooks_receives_sigterm() {
    let test =
        function(ENDS, &json!({})).args(["./runtime", "app.handler"]).env_remove("FOREWORD_CONFIG");
    let emulator = test.emulate();
    answers(&emulator);
    emulator.shut_down();
    says(&emulator, "registered, subscribed to []");
    assert_eq!(emulator.read("order"), "runtime\n");
}

#[test]
fn extension_that_is_disabled_changes_nothing() {
    let test = function(ENDS, &json!({"hoks": {}})).env("FOREWORD_DISABLED", "1");
    let emulator = test.emulate();
    answers(&emulator);
    emulator.shut_down();
    assert_eq!(emulator.read("order"), "runtime\n");
}
