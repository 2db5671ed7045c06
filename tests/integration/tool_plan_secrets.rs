//! What `foreword plan` shows of secrets: references, and nothing of any value.

use crate::support::Test;
use serde_json::{Value, json};

const CONFIG: &str = r#"{
  "secrets": {
    "DB_URL": "ssm:/x${STAGE}/db",
    "LOCAL": "secretsmanager:a#k",
    "P_": {"path": "ssm:/p/"}
  },
  "references": true,
  "secrets_timeout_ms": 1500,
  "env": {"COPY": "<${DB_URL}>"}
}"#;

/// Returns a plan of a configuration with a program in the place of `foreword-secrets` that leaves
/// a trace.
fn plan(format: &str) -> (String, String) {
    let test = Test::new()
        .copied("bin/foreword")
        .on_the_machine()
        .script("bin/foreword-secrets", "#!/bin/sh\ntouch \"${0%/*}/started\"\n")
        .file("a.json", CONFIG)
        .args([
            "plan",
            "--format",
            format,
            "--runtime",
            "python3.13",
            "--config",
            "a.json",
            "--env",
            "LOCAL=planted",
            "--env",
            "OWN=ssm://own/x",
        ]);
    let captured = test.capture();
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
    assert!(!test.path("bin/started").exists(), "plan starts nothing");
    (String::from_utf8(captured.stdout).expect("UTF-8"), "planted".into())
}

#[test]
fn plan_in_json_has_the_references() {
    let (text, value) = plan("json");
    let plan: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        plan["secrets"],
        json!({
            "variables": [
                {"name": "OWN", "reference": "ssm://own/x", "kept": false, "place": null},
                {"name": "DB_URL", "reference": "ssm:/x/db", "kept": false, "place": "a.json:3:5"},
                {
                    "name": "LOCAL",
                    "reference": "secretsmanager:a#k",
                    "kept": true,
                    "place": "a.json:4:5",
                },
            ],
            "paths": [{"prefix": "P_", "reference": "ssm:/p/", "place": "a.json:5:5"}],
            "timeout_ms": 1500,
        })
    );
    let entries = plan["environment"]["entries"].as_array().expect("entries");
    assert!(entries.contains(&json!("DB_URL=[redacted]")), "{entries:?}");
    assert!(entries.contains(&json!("COPY=<[redacted]>")), "{entries:?}");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("a.json:3:5: ${STAGE} is unset"), "{warnings}");
    assert!(text.contains(&format!("LOCAL={value}")));
}

#[test]
fn plan_in_text_has_a_section_of_secrets() {
    let (text, _) = plan("text");
    let section = text.split("Secrets\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    assert_eq!(
        section,
        Some(
            "  resolved by foreword-secrets at the start, within 1500 ms\n  \
             OWN from ssm://own/x                                        the variable itself\n  \
             DB_URL from ssm:/x/db                                       a.json:3:5\n  \
             LOCAL keeps its value, secretsmanager:a#k is not asked for  a.json:4:5\n  \
             P_* from ssm:/p/                                            a.json:5:5"
        )
    );
}

/// Returns the plan, in text, of a start with this configuration and these variables.
fn shown(config: &str, variables: &[&str]) -> String {
    let environment = variables.iter().flat_map(|variable| ["--env", variable]);
    let test = Test::new().on_the_machine().file("a.json", config);
    let captured = test
        .args(
            ["plan", "--runtime", "python3.13", "--config", "a.json"]
                .into_iter()
                .chain(environment),
        )
        .capture();
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
    String::from_utf8(captured.stdout).expect("UTF-8")
}

/// Returns the lines of a section, without those before and after it.
fn section<'t>(text: &'t str, title: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("{title}\n"))?;
    rest.split("\n\n").next()
}

#[test]
fn environment_is_as_received_only_without_secrets_to_resolve() {
    let config = r#"{"secrets": {"DB": "ssm:/db"}}"#;
    let text = shown(config, &[]);
    assert_eq!(section(&text, "Environment"), Some("  as received, with the secrets"), "{text}");

    let text = shown(config, &["DB=local"]);
    assert_eq!(section(&text, "Environment"), Some("  as received"), "{text}");
    assert_eq!(
        section(&text, "Secrets"),
        Some(
            "  none to resolve: foreword-secrets is not started\n  \
             DB keeps its value, ssm:/db is not asked for  a.json:1:14"
        )
    );

    let text = shown(r#"{"secrets": {"": {"path": "ssm:/p"}}}"#, &["DB=local"]);
    assert_eq!(section(&text, "Environment"), Some("  as received, with the secrets"), "{text}");
    assert_eq!(section(&shown("{}", &[]), "Secrets"), None);
}

#[test]
fn edit_of_a_value_from_secrets_is_redacted() {
    let config = r#"{
      "secrets": {"DB": "ssm:/db"},
      "env": {"DB": {"append": "x", "separator": ","}, "COPY": "${DB}"},
      "arguments": {"append": ["--db=${DB}"]}
    }"#;
    let text = shown(config, &[]);
    for part in
        ["~ DB    [redacted] → \"[redacted],x\"", "+ COPY  \"[redacted],x\"", "--db=[redacted],x"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("value of ssm"), "{text}");
}

/// Which variables a path gives is not known before the start.
#[test]
fn variable_that_a_path_may_give_is_not_said_to_be_unset() {
    let config = r#"{
      "secrets": {"P_": {"path": "ssm:/${P_A}p/"}},
      "env": {"A": "${P_A}", "B": "${Q}"},
      "arguments": {"append": ["${P_C}"]},
      "hooks": {"initialize": [
        {"name": "a", "command": ["a", "${P_D}"], "export": "json"}, {"name": "b", "command": ["b", "${P_D}"]}
      ]}
    }"#;
    let text = shown(config, &[]);
    let warnings = section(&text, "Warnings").expect("warnings");
    for part in [
        "a.json:2:19: ${P_A} is unset and counts as empty\n",
        "a.json:3:15: ${P_A} is unset and counts as empty, unless a parameter below ssm:/p/ sets \
         it\n",
        "a.json:3:30: ${Q} is unset and counts as empty\n",
        "${P_C} in \"arguments\" is unset and counts as empty, unless a parameter below ssm:/p/ \
         sets it or a hook exports it\n",
        "a.json:6:9: ${P_D} in \"command\" is unset and counts as empty, unless a parameter below \
         ssm:/p/ sets it\n",
    ] {
        assert!(format!("{warnings}\n").contains(part), "{part}: {warnings}");
    }
    let notes = section(&text, "Only a run can tell").expect("notes");
    assert!(
        notes.contains(
            "what ssm:/p/ gives (P_*): edits, hooks, wrappers, the command line and the runtime \
             see it"
        ),
        "{notes}"
    );
}

#[test]
fn malformed_reference_is_refused_with_its_place() {
    let test = Test::new().on_the_machine().file("a.json", r#"{"secrets": {"A": "ssm:a/${B}"}}"#);
    test.args(["plan", "--runtime", "python3.13", "--config", "a.json", "--env", "B=b"])
        .stderr("foreword: a.json:1:14: a name with / in it begins with /; write ssm:/a/b\n")
        .status(1)
        .run();
}

/// With credentials, so that nothing but the plan's own restraint keeps it from AWS.
#[cfg(feature = "real-parts")]
#[test]
fn plan_executes_nothing_and_opens_no_socket() {
    let test = Test::new()
        .copied("bin/foreword")
        .on_the_machine()
        .script("bin/foreword-secrets", "#!/bin/sh\n")
        .file("a.json", CONFIG)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .within(["strace", "-f", "-qq", "-o", "calls", "-e", "trace=process,network", "--"])
        .args(["plan", "--runtime", "python3.13", "--config", "a.json"]);
    assert_eq!(test.capture().status, 0);
    let calls = test.finished().read("calls");
    let names = calls.lines().filter_map(|line| line.split_whitespace().nth(1)?.split('(').next());
    assert_eq!(names.collect::<Vec<_>>(), ["execve", "exit_group"], "{calls}");
}
