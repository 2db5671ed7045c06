//! Hooks that are tried again, that wait for a port, and that nobody waits for; and what of a
//! failed one the caller sees.

use crate::support::{Gate, REFUSED, Reaction, RuntimeApi, Test, normalise, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// Counts how often it ran, and succeeds the third time.
const THIRD: &str = "echo try >>order; [ $(wc -l <order) -eq 3 ] || exit 4";

fn again(number: u32, ms: u32) -> String {
    format!(
        "foreword: hook \"x\" (initialize) exited with status 4 after N ms{}; it is tried again \
         in {ms} ms\n",
        if number > 1 { format!(" (attempt {number} of 4)") } else { String::new() }
    )
}

#[test]
fn hook_that_fails_is_tried_again_after_a_doubling_pause() {
    let hook = json!({"name": "x", "command": THIRD, "attempts": 4, "pause_ms": 20});
    let test = Test::new().hooks(json!([hook])).args(["/bin/echo", "runtime"]);
    let finished = test.stdout("runtime\n").stderr(again(1, 20) + &again(2, 40)).run();
    assert_eq!(finished.read("order"), "try\ntry\ntry\n");
}

#[test]
fn last_attempt_that_fails_has_its_number() {
    let hook = json!({"name": "x", "command": "exit 4", "attempts": 4, "pause_ms": 1});
    let last =
        "foreword: hook \"x\" (initialize) exited with status 4 after N ms (attempt 4 of 4)\n";
    let lines = again(1, 1) + &again(2, 2) + &again(3, 4) + last;
    Test::new().hooks(json!([hook])).args(["/bin/true"]).stderr(lines).status(125).run();
}

#[test]
fn pause_beyond_the_limit_is_not_started() {
    let hook = json!({"name": "x", "command": "exit 4", "attempts": 4, "pause_ms": 60000,
        "timeout_ms": 5000});
    let line = "foreword: hook \"x\" (initialize) exited with status 4 after N ms\n";
    Test::new().hooks(json!([hook])).args(["/bin/true"]).stderr(line).status(125).run();
}

#[test]
fn attempt_that_times_out_is_the_last() {
    let hook = json!({"name": "x", "command": "echo try >>order; sleep 600", "attempts": 3,
        "pause_ms": 1, "timeout_ms": 100});
    let line = "foreword: hook \"x\" (initialize) timed out after N ms (timeout_ms)\n";
    let finished =
        Test::new().hooks(json!([hook])).args(["/bin/true"]).stderr(line).status(124).run();
    assert_eq!(finished.read("order"), "try\n");
}

#[test]
fn export_that_cannot_be_parsed_is_tried_again() {
    let command =
        "echo try >>order; [ $(wc -l <order) -eq 2 ] && echo '{\"A\": \"2\"}' || echo '{'";
    let hook =
        json!({"name": "x", "command": command, "export": "json", "attempts": 2, "pause_ms": 1});
    let captured = Test::new().hooks(json!([hook])).args(["/usr/bin/printenv", "A"]).capture();
    assert_eq!((captured.stdout, captured.status), (b"2\n".to_vec(), 0));
}

#[test]
fn sigterm_during_a_pause_ends_foreword() {
    let hook = json!({"name": "x", "command": "echo try >>order; exit 4", "attempts": 2,
        "pause_ms": 5000});
    let run = Test::new().hooks(json!([hook])).args(["/bin/true"]).start();
    assert!(wait_until(Duration::from_secs(30), || run.stderr().ends_with(b"in 5000 ms\n")));
    assert_eq!(run.terminate().status, 143);
    assert_eq!(run.finished.read("order"), "try\n");
}

#[test]
fn port_that_stays_closed_times_out() {
    let hook = json!({"name": "x", "wait_for": REFUSED, "command": "echo never >order",
        "timeout_ms": 100});
    let line = format!(
        "foreword: hook \"x\" (initialize) timed out after N ms (timeout_ms): nothing accepts \
         connections at {REFUSED}\n"
    );
    let test = Test::new().hooks(json!([hook])).args(["/bin/true"]);
    let order = test.path("order");
    test.stderr(line).status(124).run();
    assert!(!order.exists());
}

#[test]
fn background_hook_is_not_waited_for_and_its_end_is_logged() {
    let hook =
        json!({"name": "x", "command": "read -r go <gate; exit ${STATUS}", "background": true});
    let config = json!({"hooks": {"initialize": [hook]}}).to_string();
    for (status, said) in [("0", "succeeded after N ms"), ("3", "exited with status 3 after N ms")]
    {
        let test = Test::new().config(&config).env("STATUS", status);
        let mut gate = Gate::new(&test.path("gate"));
        // The runtime waits for its line.
        let runtime = "echo runtime; until grep -q 'hook' .stderr; do sleep 0.01; done";
        let run = test.args(["/bin/bash", "-c", runtime]).start();
        assert!(
            wait_until(Duration::from_secs(30), || run.stdout() == b"runtime\n"),
            "nobody waits for the hook"
        );
        gate.open();
        let captured = run.finish();
        let log =
            String::from_utf8(normalise(&captured.stderr, &run.finished.directory)).expect("text");
        assert_eq!(
            (log, captured.status),
            (format!("foreword: hook \"x\" (initialize) {said}\n"), 0)
        );
        assert!(run.finished.is_alone());
    }
}

#[test]
fn background_hook_emits_a_metric() {
    let hook = json!({"name": "x", "command": "exit 3", "background": true});
    let runtime = "until grep -q Failures .stderr; do sleep 0.01; done";
    let test = Test::new()
        .hooks(json!([hook]))
        .env("FOREWORD_METRICS", "Start")
        .args(["/bin/sh", "-c", runtime]);
    let captured = test.capture();
    let log = String::from_utf8(captured.stderr).expect("text");
    assert!(log.contains("\"Failures\":1") && log.contains("\"hook\":\"x\""), "{log}");
    assert_eq!(captured.status, 0);
}

#[test]
fn background_hook_ends_with_the_runtime() {
    let hook = json!({"name": "x", "command": "echo $$ >started; trap '' TERM; while :; do sleep \
     0.01; done", "background": true});
    let runtime = "until [ -s started ]; do sleep 0.01; done; ps -o ppid= --ppid $$ | wc -l";
    let test = Test::new().hooks(json!([hook])).args(["/bin/sh", "-c", runtime]);
    // The pipeline's own, and none that foreword has left.
    assert!(test.stdout("2\n").run().is_alone());
}

#[test]
fn background_hook_that_cannot_be_started_stops_nothing() {
    let hook = json!({"name": "x", "command": ["/nowhere/x"], "background": true});
    let runtime = "until grep -q 'no such file' .stderr; do sleep 0.01; done; echo runtime";
    let line = "foreword: hook \"x\" (initialize) could not be started: unable to execute \
                \"/nowhere/x\": no such file\n";
    Test::new()
        .hooks(json!([hook]))
        .args(["/bin/sh", "-c", runtime])
        .stdout("runtime\n")
        .stderr(line)
        .run();
}

/// The message that the caller of the function gets, and the log.
fn told(hook: Value, environment: &[(&str, &str)]) -> (String, String) {
    let api = RuntimeApi::new(Reaction::Accept);
    let test = Test::new().hooks(json!([hook])).runtime_api(&api).args(["/bin/true"]);
    let test = environment.iter().fold(test, |test, (name, value)| test.env(name, value));
    let captured = test.capture();
    assert_ne!(captured.status, 0);
    let body: Value = serde_json::from_str(&api.requests()[0].body).expect("JSON");
    let message = body["errorMessage"].as_str().expect("a message").to_owned();
    (message, String::from_utf8_lossy(&captured.stderr).into_owned())
}

#[test]
fn last_lines_of_a_failed_hook_are_reported_to_the_caller() {
    let say =
        |command: &str| told(json!({"name": "x", "command": command, "timeout_ms": 300}), &[]);
    let (message, log) = say("for line in 1 2 3 4; do echo line $line >&2; echo >&2; done; exit 3");
    assert!(
        message.ends_with("; its standard error ends in:\nline 2\nline 3\nline 4"),
        "{message}"
    );
    assert!(log.starts_with("line 1\n\nline 2\n\nline 3\n\nline 4\n\nforeword: hook"), "{log}");
    assert!(!log.contains("its standard error"), "{log}");
    let (message, _) = say("echo killed >&2; kill -9 $$");
    assert!(message.ends_with("; its standard error ends in:\nkilled"), "{message}");
    let (message, _) = say("echo still busy >&2; sleep 600");
    assert!(
        message.ends_with("(timeout_ms); its standard error ends in:\nstill busy"),
        "{message}"
    );
    let (message, _) =
        say("head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2; exit 3");
    assert!(message.ends_with(" ms; its standard error ends in:\nend"), "{message}");
    let (message, _) =
        say("for line in 1 2; do head -c 400 /dev/zero | tr '\\0' $line; echo; done >&2; exit 3");
    let (_, said) = message.split_once("in:\n").expect("lines");
    assert_eq!(said, ["1".repeat(99), "2".repeat(400)].join("\n"));
    let (message, _) = say("exit 3");
    assert!(message.ends_with("ms"), "{message}");
}

#[test]
fn last_lines_of_a_failed_hook_are_redacted() {
    let secret = "a secret of some length";
    let hook = |command: &str| json!({"name": "x", "command": command});
    for command in [
        "echo \"no $DB_PASSWORD\" >&2; exit 3",
        "printf '%s' \"$DB_PASSWORD\" >&2; exit 3",
        "set -x; : \"$DB_PASSWORD\"; exit 3",
    ] {
        let (message, _) = told(hook(command), &[("DB_PASSWORD", secret)]);
        assert!(message.contains("[redacted]") && !message.contains(secret), "{message}");
    }
    let key =
        "-----BEGIN KEY-----\nfirst line of the key\nsecond line of the key\n-----END KEY-----";
    let (message, _) =
        told(hook("echo \"$PEM_KEY\" | grep -v BEGIN >&2; exit 3"), &[("PEM_KEY", key)]);
    assert!(message.contains("[redacted]") && !message.contains("line of the key"), "{message}");
    let exports = json!({"name": "x", "export": "json", "command": "echo '{\"A\": \
     \"fetched-value\"}'; echo got fetched-value >&2; exit 3"});
    let (message, _) = told(exports, &[]);
    assert!(message.ends_with("\ngot [redacted]"), "{message}");
    // It is cut, and not in the middle of a line.
    let (message, _) = told(
        hook(
            "i=0; while [ $i -lt 2000 ]; do printf '%s' \"$DB_PASSWORD\" >&2; i=$((i+1)); done; \
             exit 3",
        ),
        &[("DB_PASSWORD", secret)],
    );
    assert!(!message.contains("of some"), "{message}");
}

#[test]
fn hook_with_metrics_enabled_emits_a_metric() {
    let hooks = json!([
        {"name": "ok", "command": "exit 0"},
        {"name": "fails", "command": "exit 3", "on_failure": "continue"},
    ]);
    let test = Test::new()
        .hooks(hooks)
        .env("FOREWORD_METRICS", "Start")
        .env("AWS_LAMBDA_FUNCTION_NAME", "orders");
    let captured = test.env("FOREWORD_LOG", "off").args(["/bin/true"]).capture();
    let lines: Vec<Value> = captured
        .stderr
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    let [ok, fails, foreword] = &lines[..] else { panic!("{lines:?}") };
    for (line, hook, failures) in [(ok, "ok", 0), (fails, "fails", 1)] {
        let about = &line["_aws"]["CloudWatchMetrics"];
        assert_eq!(
            about,
            &json!([{
                "Namespace": "Start",
                "Dimensions": [["function", "phase", "hook"]],
                "Metrics": [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "Failures",
                    "Unit": "Count"}],
            }])
        );
        assert_eq!(
            (&line["function"], &line["phase"], &line["hook"]),
            (&json!("orders"), &json!("initialize"), &json!(hook))
        );
        assert_eq!(line["Failures"], json!(failures));
        assert!(
            line["Duration"].as_f64().is_some_and(|took| took > 0.0)
                && line["_aws"]["Timestamp"].is_u64()
        );
    }
    let about = &foreword["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(about["Dimensions"], json!([["function"]]));
    assert_eq!(about["Metrics"], json!([{"Name": "Duration", "Unit": "Milliseconds"}]));
    assert!(foreword["Duration"].as_f64().is_some_and(|took| took > 0.0), "{foreword}");
    let silent =
        Test::new().hooks(json!([{"name": "ok", "command": "exit 0"}])).args(["/bin/true"]);
    silent.run();
}
