//! What foreword writes to standard error, in which form, and what it never writes. `Test` checks
//! that standard output stays empty.

use crate::support::{Captured, Test};
use serde_json::Value;

const FAILURE: &str =
    "foreword: hook \"b\" (initialize) exited with status 4 after N ms (on_failure: continue)\n";
const INFO: &str = "foreword: hook \"a\" (initialize) succeeded after N ms\n";
const WARNING: &str =
    "foreword: the command line has no entry that \"x\" could replace (\"entry\" of a rule)\n";
const ERROR: &str = "foreword: unable to execute \"./missing\": no such file\n";

/// Builds a run with a line at every level from info to error.
fn noisy() -> Test {
    let config = r#"{"entry": "x", "hooks": {"initialize": [
        {"name": "a", "command": "true"}, {"name": "b", "command": "exit 4", "on_failure": "continue"}
    ]}}"#;
    Test::new().config(config).args(["./missing"]).status(127)
}

#[test]
fn log_at_every_level_has_its_lines() {
    let nothing = String::new();
    // A failure is logged at every level but off, even if it stops nothing.
    let error = [FAILURE, ERROR].concat();
    let warn = [FAILURE, WARNING, ERROR].concat();
    let info = [INFO, FAILURE, WARNING, ERROR].concat();
    let command_line = "foreword: FOREWORD_CONFIG:1:1: command line becomes [\"./missing\"]\n";
    let debug =
        [INFO, FAILURE, command_line, WARNING, "foreword: executing [\"./missing\"]\n", ERROR]
            .concat();
    for (foreword, lambda, expected) in [
        (None, None, &info),
        (Some("off"), None, &nothing),
        (Some("error"), None, &error),
        (Some("warn"), None, &warn),
        (Some("info"), None, &info),
        (Some("debug"), None, &debug),
        (Some("trace"), None, &debug),
        (Some("ERROR"), None, &error),
        (Some("Warn"), None, &warn),
        (Some("OFF"), None, &nothing),
        (None, Some("TRACE"), &debug),
        (None, Some("DEBUG"), &debug),
        (None, Some("INFO"), &info),
        (None, Some("WARN"), &warn),
        (None, Some("ERROR"), &error),
        (None, Some("FATAL"), &error),
        (None, Some("error"), &error),
        (None, Some(""), &info),
        // The first variable that is set decides.
        (Some("off"), Some("DEBUG"), &nothing),
        (Some("debug"), Some("FATAL"), &debug),
        (Some(""), Some("WARN"), &warn),
    ] {
        let test =
            foreword.into_iter().fold(noisy(), |test, level| test.env("FOREWORD_LOG", level));
        let test =
            lambda.into_iter().fold(test, |test, level| test.env("AWS_LAMBDA_LOG_LEVEL", level));
        test.stderr(expected).run();
    }
}

#[test]
fn log_that_is_off_hides_failures_and_keeps_the_status() {
    let test =
        |config: &str| Test::new().env("FOREWORD_LOG", "off").config(config).args(["/bin/true"]);
    test("{").status(125).run();
    test(r#"{"hooks": {"initialize": [{"name": "x", "command": "exit 1"}]}}"#).status(125).run();
    test(r#"{"hooks": {"initialize": [{"name": "x", "command": "kill $$"}]}, "x": 1}"#)
        .status(125)
        .run();
    test(r#"{"program": "missing"}"#).status(127).run();
    test(r#"{"program": "/"}"#).status(126).run();
}

#[test]
fn log_level_that_is_unknown_gets_one_warning() {
    let warning =
        "foreword: FOREWORD_LOG is \"loud\", none of off, error, warn, info, debug and trace\n";
    let loud = || Test::new().env("FOREWORD_LOG", "loud").args(["/bin/true"]);
    loud().stderr(warning).run();
    let hook = r#"{"hooks": {"initialize": [{"name": "a", "command": "true"}]}}"#;
    loud().config(hook).stderr(format!("{warning}{INFO}")).run();
    // Lambda's level then decides, even about the warning.
    loud().config(hook).env("AWS_LAMBDA_LOG_LEVEL", "WARN").stderr(warning).run();
    loud().config(hook).env("AWS_LAMBDA_LOG_LEVEL", "ERROR").run();
}

#[test]
fn log_without_hooks_is_empty_at_info() {
    let config = r#"{"env": {"A": "1"}, "options": {"append": ["-v"]},
        "rules": [{"when": {"runtime": "java"}}]}"#;
    for format in ["Text", "JSON"] {
        let test = Test::new().env("AWS_LAMBDA_LOG_FORMAT", format).env("FOREWORD_LOG", "info");
        test.config(config).args(["/bin/true"]).run();
    }
}

#[test]
fn json_log_has_one_object_per_line_with_its_fields() {
    let expected = concat!(
        r#"{"timestamp":"T","level":"INFO","message":"hook \"a\" (initialize) succeeded after N ms","#,
        r#""phase":"initialize","hook":"a","outcome":"success","durationMs":N}"#,
        "\n",
        r#"{"timestamp":"T","level":"ERROR","message":"hook \"b\" (initialize) exited with status 4 after N ms "#,
        r#"(on_failure: continue)","errorType":"Runtime.ForewordHookFailed","#,
        r#""phase":"initialize","hook":"b","outcome":"failure","durationMs":N}"#,
        "\n",
        r#"{"timestamp":"T","level":"WARN","message":"the command line has no entry that \"x\" could replace "#,
        r#"(\"entry\" of a rule)"}"#,
        "\n",
        r#"{"timestamp":"T","level":"ERROR","message":"unable to execute \"./missing\": no such file","#,
        r#""errorType":"Runtime.InvalidEntrypoint"}"#,
        "\n",
    );
    for format in ["JSON", "json"] {
        noisy().env("AWS_LAMBDA_LOG_FORMAT", format).stderr(expected).run();
    }
}

#[test]
fn json_log_of_failures_has_their_fields() {
    for (config, status, expected) in [
        (
            r#"{"hooks": {"initialize": [{"name": "x", "command": "exit 3"}]}}"#,
            125,
            r#""message":"hook \"x\" (initialize) exited with status 3 after N ms","errorType":"Runtime.ForewordHookFailed","phase":"initialize","hook":"x","outcome":"failure","durationMs":N"#,
        ),
        (
            r#"{"hooks": {"initialize": [{"name": "x", "command": "sleep 100",
                "timeout_ms": 7}]}}"#,
            124,
            r#""message":"hook \"x\" (initialize) timed out after N ms (timeout_ms)","errorType":"Runtime.ForewordHookTimedOut","phase":"initialize","hook":"x","outcome":"timeout","durationMs":N"#,
        ),
        (
            r#"{"program": 1}"#,
            125,
            r#""message":"FOREWORD_CONFIG:1:13: expected a string, found a number; put it in quotes","errorType":"Runtime.ForewordConfigInvalid""#,
        ),
    ] {
        let line = format!("{{\"timestamp\":\"T\",\"level\":\"ERROR\",{expected}}}\n");
        let test =
            Test::new().env("AWS_LAMBDA_LOG_FORMAT", "JSON").config(config).args(["/bin/true"]);
        test.stderr(line).status(status).run();
    }
}

/// RFC 3339 in UTC, like Lambda's own log lines.
#[test]
fn json_log_has_timestamps_in_utc() {
    let Captured { stderr, .. } = noisy().env("AWS_LAMBDA_LOG_FORMAT", "JSON").capture();
    for line in String::from_utf8(stderr).expect("text").lines() {
        let object: Value = serde_json::from_str(line).expect("an object");
        let timestamp = object["timestamp"].as_str().expect("a timestamp");
        let shape: String =
            timestamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let (seconds, fraction) = shape.split_once('.').expect("a fraction");
        assert_eq!(
            (seconds, fraction.trim_start_matches('0')),
            ("0000-00-00T00:00:00", "Z"),
            "{timestamp}"
        );
        assert!(object.get("durationMs").is_none_or(Value::is_u64), "{line}");
    }
}

#[test]
fn debug_log_has_every_edit_and_the_final_command_line() {
    Test::new()
        .env("FOREWORD_LOG", "debug")
        .env("OLD", "1")
        .env("GONE", "1")
        .file(
            "foreword.json",
            "{\n  \"env\": {\n    \"NEW\": \"a b\", \"OLD\": {\"append\": \"2\", \"separator\": \
             \":\"},\n    \"GONE\": null,\n    \"OLD2\": {\"default\": \"${OLD}\"}, \"PATH\": \
             {\"default\": \"x\"}\n  },\n  \"rules\": [{\"when\": {\"runtime\": \"java\"}}, \
             {\"options\": {\"append\": [\"-c\", \"x y\"]}}]\n}",
        )
        .config(r#"{"program": "/bin/true", "arguments": {"remove": ["*"]}}"#)
        .args(["./tool", "--flag"])
        .stderr(
            "foreword: <folder>/foreword.json:3:5: env NEW: unset becomes \"a b\"\nforeword: \
             <folder>/foreword.json:3:19: env OLD: \"1\" becomes \"1:2\"\nforeword: \
             <folder>/foreword.json:4:5: env GONE: \"1\" becomes unset\nforeword: \
             <folder>/foreword.json:5:5: env OLD2: unset becomes \"1:2\"\nforeword: \
             <folder>/foreword.json:7:13: this does not apply\nforeword: \
             <folder>/foreword.json:7:44: command line becomes [\"./tool\", \"-c\", \"x y\", \
             \"--flag\"]\nforeword: FOREWORD_CONFIG:1:1: command line becomes [\"/bin/true\", \
             \"-c\", \"x y\"]\nforeword: executing [\"/bin/true\", \"-c\", \"x y\"]\n",
        )
        .run();
}

#[test]
fn debug_log_of_exports_has_names_and_places() {
    Test::new()
        .env("FOREWORD_LOG", "debug")
        .config(
            r#"{"hooks": {"initialize": [{"name": "h", "command": "echo A=swordfish",
            "export": "dotenv"}]}}"#,
        )
        .args(["/bin/true"])
        .stderr(
            "foreword: FOREWORD_CONFIG:1:27: hook \"h\" exports A\n\
             foreword: hook \"h\" (initialize) succeeded after N ms, exported 1 variable\n\
             foreword: executing [\"/bin/true\"]\n",
        )
        .run();
}

#[test]
fn debug_log_without_a_configuration_has_the_command_line() {
    let test = Test::new().env("FOREWORD_LOG", "debug").args(["/bin/true", "a b"]);
    test.stderr("foreword: executing [\"/bin/true\", \"a b\"]\n").run();
}

/// Secrets in Lambda's environment, and in what hooks export or one edit sets.
const SECRETS: [&str; 2] = ["hunter2", "swordfish"];

/// Returns a configuration with a hook that exports something.
fn exporting(format: &str, output: &str, rest: &str) -> String {
    let hook =
        format!(r#"{{"name": "x", "command": ["/bin/echo", "{output}"], "export": "{format}"}}"#);
    format!(r#"{{"hooks": {{"initialize": [{hook}]}}, {rest}}}"#)
}

/// Tries every configuration at the most detailed level, as text and as JSON; the secret is in
/// `TOKEN`.
#[track_caller]
fn show_no_secret(configurations: &[&str]) {
    for config in configurations {
        for format in ["Text", "JSON"] {
            let test =
                Test::new().script("python3", "#!/bin/sh\n").args(["./python3", "-I", "app.py"]);
            let test = test.env("FOREWORD_LOG", "trace").env("AWS_LAMBDA_LOG_FORMAT", format);
            let captured = test.env("TOKEN", SECRETS[0]).file("foreword.json", config).capture();
            let said = String::from_utf8(captured.stderr).expect("text");
            let leaks = SECRETS.iter().any(|secret| said.contains(secret));
            assert!(!said.is_empty() && !leaks, "{config}\n{said}");
        }
    }
}

#[test]
fn secrets_in_edits_are_redacted() {
    show_no_secret(&[
        // Only the name tells that these are secret.
        r#"{"env": {"DB_PASSWORD": "swordfish"}}"#,
        r#"{"env": {"Client_Secret": "swordfish"}}"#,
        r#"{"env": {"tokenizer": "swordfish"}}"#,
        r#"{"env": {"MyKeyId": "swordfish"}}"#,
        r#"{"env": {"AWS_CREDENTIALS": {"default": "swordfish"}}}"#,
        r#"{"env": {"TOKEN": {"append": "x", "separator": "-"}}}"#,
        r#"{"env": {"TOKEN": null}}"#,
        r#"{"env": {"COPY": "${TOKEN}", "AGAIN": "a${COPY}b",
            "THIRD": {"default": "${NO:-${AGAIN}}"}}}"#,
        r#"{"env": {"COPY": "${TOKEN}"}, "rules": [{"env": {"COPY": {"append": "x",
            "separator": ","}}}]}"#,
        r#"{"env": {"COPY": "${TOKEN}"}, "rules": [{"env": {"COPY": {"prepend": "x",
            "separator": ","}}}]}"#,
        r#"{"env": {"COPY": "${TOKEN}"}, "rules": [{"env": {"COPY": "public"}}]}"#,
        r#"{"env": {"A": "a"}, "rules": [{"env": {"A": {"append": "b",
            "separator": "${TOKEN}"}}}]}"#,
    ]);
}

#[test]
fn secrets_in_command_lines_are_redacted() {
    show_no_secret(&[
        r#"{"options": {"append": ["--password=${TOKEN}", "x${TOKEN}y"]},
            "arguments": {"append": ["${TOKEN}"]}}"#,
        r#"{"env": {"COPY": "${TOKEN}"}, "options": {"append": ["-D${COPY}"]}}"#,
        r#"{"options": {"replace": {"-I": "${TOKEN}"}}, "entry": "${TOKEN}"}"#,
        r#"{"program": "./${TOKEN}"}"#,
        r#"{"program": "${TOKEN}"}"#,
        r#"{"prefix": ["/bin/${TOKEN}"]}"#,
        r#"{"hooks": {"initialize": [{"name": "x", "command": ["/bin/${TOKEN}"]}]}}"#,
    ]);
}

#[test]
fn secrets_in_exports_are_redacted() {
    let (dotenv, json) = (
        |output, rest| exporting("dotenv", output, rest),
        |output, rest| exporting("json", output, rest),
    );
    let configurations = [
        dotenv("PLAIN=swordfish", r#""options": {"append": ["-D${PLAIN}"]}"#),
        dotenv("PLAIN=swordfish", r#""program": "/bin/${PLAIN}""#),
        dotenv("A='swordfish", r#""env": {}"#),
        dotenv("swordfish", r#""env": {}"#),
        json(r#"{\"PLAIN\": \"swordfish\"}"#, r#""arguments": {"append": ["a${PLAIN}"]}"#),
        json(r#"{\"PLAIN\": [\"swordfish\"]}"#, r#""env": {}"#),
        json("swordfish", r#""env": {}"#),
    ];
    show_no_secret(&configurations.each_ref().map(String::as_str));
}

#[test]
fn secrets_in_a_hook_s_cwd_are_redacted() {
    show_no_secret(&[r#"{"hooks": {"initialize": [{"name": "x", "command": "true",
            "cwd": "/nowhere/${TOKEN}"}]}}"#]);
}

#[test]
fn path_that_a_hook_exported_is_redacted() {
    show_no_secret(&[&exporting("dotenv", "PATH=/opt/swordfish", r#""program": "missing""#)]);
}

#[test]
fn secrets_within_a_text_are_replaced_in_place() {
    let config = r#"{"env": {"COPY": "${API_KEY}", "API_KEY": "swordfish", "OPEN": "1"},
        "arguments": {"append": ["-p=${COPY}", "${OPEN}"]}}"#;
    Test::new()
        .env("FOREWORD_LOG", "debug")
        .env("API_KEY", "hunter2")
        .config(config)
        .args(["/bin/true", "xswordfish"])
        .stderr(
            "foreword: FOREWORD_CONFIG:1:10: env COPY: unset becomes \"[redacted]\"\nforeword: \
             FOREWORD_CONFIG:1:32: env API_KEY: [redacted] becomes [redacted]\nforeword: \
             FOREWORD_CONFIG:1:56: env OPEN: unset becomes \"1\"\nforeword: FOREWORD_CONFIG:1:1: \
             command line becomes [\"/bin/true\", \"x[redacted]\", \"-p=[redacted]\", \
             \"1\"]\nforeword: executing [\"/bin/true\", \"x[redacted]\", \"-p=[redacted]\", \
             \"1\"]\n",
        )
        .run();
}

#[test]
fn control_characters_in_a_message_break_no_line() {
    let name = r"a\nforeword: forged\r\u001b[31m\u007f\u0085é";
    let hook =
        format!(r#"{{"hooks": {{"initialize": [{{"name": "{name}", "command": "true"}}]}}}}"#);
    let shown = r"a\nforeword: forged\r\u{1b}[31m\u{7f}\u{85}é";
    let expected = format!("foreword: hook \"{shown}\" (initialize) succeeded after N ms\n");
    Test::new().config(&hook).args(["/bin/true"]).stderr(expected).run();

    let expected =
        "foreword: FOREWORD_CONFIG names \"<folder>/a\\u{1b}\", and there is no such file\n";
    let missing =
        || Test::new().env("FOREWORD_CONFIG", "<folder>/a\u{1b}").args(["/bin/true"]).status(125);
    missing().stderr(expected).run();
    let json = missing().env("AWS_LAMBDA_LOG_FORMAT", "JSON").capture();
    assert_eq!(json.stderr.split_inclusive(|byte| *byte == b'\n').count(), 1);

    let expected = "foreword: FOREWORD_CONFIG:1:2: unknown key \"a\\nb\"; here go when, secrets, \
                    secrets_timeout_ms, references, env, options, arguments, program, prefix, \
                    entry, wrappers, hooks, rules\n";
    Test::new().config(r#"{"a\nb": 1}"#).args(["/bin/true"]).stderr(expected).status(125).run();
}
