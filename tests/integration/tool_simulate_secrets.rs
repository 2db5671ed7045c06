//! Secrets in `foreword simulate`: resolved by the program beside the tool, with the credentials of
//! this shell.

use crate::support::Test;
use crate::tool_simulate::{python, simulated};

const HANDLER: &str = "import os\ndef handler(event, context):\n    return os.environ.get('DB')\n";

const CONFIG: &str = r#"{"secrets": {"DB": "ssm:/db"}, "secrets_timeout_ms": 20000}"#;

fn function(arguments: &[&str]) -> Test {
    python(arguments).file("app.py", HANDLER).config(CONFIG)
}

/// Returns a run of a copy of the tool, with this program in the place of `foreword-secrets`.
fn with_program(test: Test, program: &str) -> Test {
    test.copied("bin/foreword").script("bin/foreword-secrets", format!("#!/bin/sh\n{program}\n"))
}

#[test]
fn secret_reaches_the_handler() {
    let test = with_program(function(&[]), r#"echo '{"DB": "resolved"}'"#);
    let found = simulated(test, 0);
    assert!(found.contains("answer  \"resolved\""), "{found}");
}

#[test]
fn variable_that_is_given_is_not_asked_for() {
    let test = with_program(function(&["--env", "DB=local"]), "exit 1");
    let found = simulated(test, 0);
    assert!(found.contains("answer  \"local\""), "{found}");
}

#[test]
fn secret_that_cannot_be_resolved_fails_the_init_with_its_reason() {
    let program = "echo 'foreword-secrets: unable to get DB from ssm:/db: x' >&2; exit 1";
    let found = simulated(with_program(function(&[]), program), 1);
    for part in [
        "foreword: unable to get DB from ssm:/db: x",
        "Runtime.ForewordSecretFailed",
        "not all went well",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

/// The real program says how to give it credentials.
#[test]
fn missing_credentials_are_named_with_the_way_out() {
    let found = simulated(function(&[]), 1);
    assert!(
        found.contains(
            "unable to get DB from ssm:/db: there are no credentials; set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_CONTAINER_CREDENTIALS_FULL_URI (on your own machine: \
             eval \"$(aws configure export-credentials --format env)\")"
        ),
        "{found}"
    );
}
