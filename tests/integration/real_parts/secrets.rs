//! Secrets through foreword and the real `foreword-secrets`, from moto with authentication and TLS.

use crate::support::{Reaction, RuntimeApi, Test, foreword};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// What the server prints about itself. It ends when its standard input is closed, which is when
/// the tests end.
static SERVER: LazyLock<(Value, Child)> = LazyLock::new(|| {
    let program = Path::new(foreword()).with_file_name("foreword-secrets");
    assert!(
        program.exists(),
        "there is no {}: cargo build --package foreword-secrets, for the same profile and target",
        program.display()
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/real-parts/moto/bin/python");
    let mut child = Command::new(&python)
        .arg(root.join("secrets/tests/integration/server.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{}: {error}; run scripts/real-parts.sh moto", python.display())
        });
    let mut line = String::new();
    let output = child.stdout.take().expect("standard output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    (serde_json::from_str(&line).expect("JSON"), child)
});

fn fact(pointer: &str) -> String {
    let value = SERVER.0.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns a start in Lambda's sandbox, with credentials that may read everything.
fn test(config: &Value) -> Test {
    let certificate = fs::read(Path::new(&fact("/folder")).join("ca.pem")).expect("a certificate");
    Test::new()
        .file("ca.pem", certificate)
        .config(&config.to_string())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", fact("/keys/all/0"))
        .env("AWS_SECRET_ACCESS_KEY", fact("/keys/all/1"))
        .env("AWS_CA_BUNDLE", "<folder>/ca.pem")
        .env("AWS_ENDPOINT_URL", format!("https://localhost:{}", fact("/ports/plain")))
        .env("FOREWORD_LOG", "warn")
        .script("print", "#!/bin/sh\nfor name; do eval \"printf '%s\\n' \\\"\\$$name\\\"\"; done\n")
}

#[test]
fn values_of_both_services_reach_the_runtime() {
    let config = json!({
        "secrets": {
            "A": "ssm:/many/p${NUMBER}",
            "B": "secretsmanager:many/s1",
            "PAGE_": {"path": "ssm:/pages/"}
        },
        "references": true,
        "secrets_timeout_ms": 30_000,
        "env": {"URL": "db://${A}@host"}
    });
    test(&config)
        .env("NUMBER", "2")
        .env("C", "x-crypteia-ssm:/many/p3")
        .env("D", "see ssm:/many/p3")
        .args(["./print", "A", "B", "C", "D", "URL", "PAGE_P_25", "PAGE_DEEPER_KEY"])
        .stdout(
            "MARKER-2\nMARKER-secret-1\nMARKER-3\nsee ssm:/many/p3\ndb://MARKER-2@host\n\
             MARKER-page-25\nMARKER-deeper\n",
        )
        .run();
}

#[test]
fn values_arrive_as_they_are_whatever_they_hold() {
    let names: Vec<String> =
        SERVER.0["awkward"].as_object().expect("values").keys().cloned().collect();
    assert!(names.len() > 3);
    let secrets: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| (format!("V_{name}"), json!(format!("ssm:/awkward/{name}"))))
        .collect();
    let variables: Vec<String> = secrets.keys().cloned().collect();
    let config = json!({"secrets": secrets, "secrets_timeout_ms": 30_000});
    let script =
        "import json, os, sys; json.dump({n: os.environ[n] for n in sys.argv[1:]}, sys.stdout)";
    let captured = test(&config)
        .args(
            ["/usr/bin/env", "python3", "-c", script]
                .into_iter()
                .map(str::to_owned)
                .chain(variables),
        )
        .capture();
    let found: Value = serde_json::from_slice(&captured.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&captured.stderr)));
    for name in names {
        assert_eq!(found[format!("V_{name}")], SERVER.0["awkward"][&name], "{name}");
    }
}

#[test]
fn all_references_that_fail_are_named_in_one_line_and_the_report() {
    let api = RuntimeApi::new(Reaction::Accept);
    let config = json!({
        "secrets": {
            "A": "ssm:/missing-1", "B": "ssm:/many/p1", "C": "secretsmanager:missing-2"
        },
        "secrets_timeout_ms": 30_000
    });
    let captured = test(&config).runtime_api(&api).args(["./print"]).capture();
    let line = String::from_utf8(captured.stderr).expect("UTF-8");
    assert_eq!((captured.stdout, captured.status, line.lines().count()), (Vec::new(), 125, 1));
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body["errorType"], "Runtime.ForewordSecretFailed");
    for part in [
        "unable to get A from ssm:/missing-1: ParameterNotFound",
        "; unable to get C from secretsmanager:missing-2: ResourceNotFoundException",
    ] {
        assert!(line.contains(part), "{line}");
        assert!(body["errorMessage"].as_str().expect("a message").contains(part));
    }
    assert!(!line.contains("MARKER") && !line.contains("get B"), "{line}");
}

#[test]
fn credentials_that_are_missing_are_named() {
    let config = json!({"secrets": {"A": "ssm:/many/p1"}, "secrets_timeout_ms": 30_000});
    let captured = test(&config).env_remove("AWS_ACCESS_KEY_ID").args(["./print"]).capture();
    let line = String::from_utf8(captured.stderr).expect("UTF-8");
    assert!(
        line.starts_with("foreword: unable to get A from ssm:/many/p1: there are no credentials;"),
        "{line}"
    );
    assert_eq!(captured.status, 125);
}
