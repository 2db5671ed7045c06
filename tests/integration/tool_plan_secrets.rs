//! What `foreword plan` shows of secrets: references, and nothing of any value.

use crate::support::Test;
use serde_json::{Value, json};

const CONFIG: &str = r#"{
  "secrets": {
    "DB_URL": "ssm:/${STAGE}/db",
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
                {"name": "DB_URL", "reference": "ssm://db", "kept": false, "place": "a.json:3:5"},
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
             DB_URL from ssm://db                                        a.json:3:5\n  \
             LOCAL keeps its value, secretsmanager:a#k is not asked for  a.json:4:5\n  \
             P_* from ssm:/p/                                            a.json:5:5"
        )
    );
}
