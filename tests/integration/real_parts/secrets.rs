//! Secrets through foreword and the real `foreword-secrets`, from moto with authentication and TLS.

#[cfg(feature = "tool")]
use crate::support::timeline::with_python;
use crate::support::{Reaction, RuntimeApi, Test, foreword};
#[cfg(feature = "tool")]
use crate::tool_simulate::simulated;
use serde_json::{Value, json};
#[cfg(feature = "tool")]
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
#[cfg(feature = "tool")]
use std::io::{Read, Write};
#[cfg(feature = "tool")]
use std::net::TcpStream;
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

#[test]
fn no_variable_or_level_makes_a_start_tell_a_value() {
    let config = json!({
        "secrets": {"A": "ssm:/many/p1", "B": "secretsmanager:many/s1"},
        "secrets_timeout_ms": 30_000,
        "env": {"URL": "db://${A}@host"},
        "arguments": {"append": ["${A}", "${URL}"]}
    });
    for format in ["JSON", "Text"] {
        let captured = test(&config)
            .env("FOREWORD_LOG", "trace")
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .env("AWS_LAMBDA_LOG_LEVEL", "TRACE")
            .env("AWS_LAMBDA_LOG_FORMAT", format)
            .args(["./print", "A", "B"])
            .capture();
        let log = String::from_utf8(captured.stderr).expect("UTF-8");
        assert_eq!(captured.status, 0, "{log}");
        assert!(captured.stdout.starts_with(b"MARKER-1\nMARKER-secret-1\n"));
        assert!(log.contains("foreword-secrets exports A") && !log.contains("MARKER"), "{log}");
    }
}

/// Starts with the keys in the environment, and behind an endpoint before a snapshot.
#[cfg(feature = "tool")]
#[test]
fn simulation_resolves_with_the_credentials_of_the_shell() {
    let session: Value = serde_json::from_str(&control("/credentials")).expect("credentials");
    let config = json!({"secrets": {"A": "ssm:/many/p1"}, "secrets_timeout_ms": 30_000});
    for options in [&[][..], &["--snap-start"]] {
        let words =
            [&["simulate"], options, &["--", "python3", "-m", "awslambdaric", "app.handler"]];
        let test = with_python(test(&config)).args(words.concat()).file(
            "app.py",
            "import os\ndef handler(event, context):\n    return os.environ['A'].lower()\n",
        );
        let test = test
            .env("AWS_ACCESS_KEY_ID", session["AccessKeyId"].as_str().expect("a key"))
            .env("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"].as_str().expect("a key"))
            .env("AWS_SESSION_TOKEN", session["Token"].as_str().expect("a token"));
        let found = simulated(test, 0);
        assert!(found.contains("answer  \"marker-1\"") && !found.contains("MARKER"), "{found}");
        assert!(found.contains("secrets: A from AWS, with the credentials of this shell"));
    }
}

/// Returns what the server answers when the tests ask it for something.
#[cfg(feature = "tool")]
fn control(path: &str) -> String {
    let address = format!("127.0.0.1:{}", fact("/control"));
    let mut stream = TcpStream::connect(address).expect("the server's control");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: first-token\r\nConnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    body.to_owned()
}

/// Returns what a role has to be allowed for the requests that came in through a door: each action
/// and resource, as IAM sees them.
#[cfg(feature = "tool")]
fn needed(door: &str) -> BTreeSet<(String, String)> {
    let log: Vec<Value> = serde_json::from_str(&control("/log")).expect("the log");
    let mut needed = BTreeSet::new();
    let here = |service: &str, resource: &str| {
        format!("arn:aws:{service}:us-east-1:123456789012:{resource}")
    };
    for request in log.iter().filter(|request| request["door"] == door) {
        let operation = request["operation"].as_str().expect("an operation");
        for identifier in request["identifiers"].as_array().expect("identifiers") {
            let asked = identifier.as_str().expect("a text");
            let resource = match (operation, asked.strip_prefix("arn:")) {
                // Neither a version nor a label is part of a resource.
                ("GetParameters", Some(_)) => {
                    asked.splitn(7, ':').take(6).collect::<Vec<_>>().join(":")
                }
                ("GetParameters" | "GetParametersByPath", None) => {
                    let name = asked.split(':').next().expect("a name");
                    here("ssm", &format!("parameter/{}", name.trim_start_matches('/')))
                }
                // What is asked for with an ARN that is not whole has a whole one.
                (_, Some(_)) if asked.ends_with(":staged") => format!("{asked}-AbCdEf"),
                (_, Some(_)) => asked.to_owned(),
                (_, None) => here("secretsmanager", &format!("secret:{asked}-AbCdEf")),
            };
            if operation.starts_with("GetParameters") {
                needed.insert((format!("ssm:{operation}"), resource));
                continue;
            }
            needed.insert(("secretsmanager:GetSecretValue".into(), resource));
            if operation == "BatchGetSecretValue" {
                needed.insert((format!("secretsmanager:{operation}"), "*".into()));
            }
        }
    }
    needed
}

/// Reports whether a resource of a policy is or matches another: `*` stands for any text, `?` for
/// one character (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>).
#[cfg(feature = "tool")]
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| matches(rest, &text[taken..])),
        ([b'?', rest @ ..], [_, text @ ..]) => matches(rest, text),
        ([one, rest @ ..], [other, text @ ..]) => one == other && matches(rest, text),
        _ => false,
    }
}

#[cfg(feature = "tool")]
#[test]
fn policy_of_check_allows_every_request_and_nothing_else() {
    let staged = fact("/arns/staged");
    let (partial, _) = staged.rsplit_once('-').expect("the six characters");
    let config = json!({
        "secrets": {
            "A": "ssm:/many/p1", "B": "ssm:/versions/x:stable", "C": "ssm:plain.name",
            "D": "arn:aws:ssm:eu-west-1:123456789012:parameter/far/x",
            "E": "secretsmanager:many/s1", "F": "secretsmanager:prod/orders#password",
            "G": partial, "H": fact("/arns/far"), "I": "secretsmanager:many/s2@AWSCURRENT",
            "P_": {"path": "ssm:/pages/"}
        },
        "secrets_timeout_ms": 30_000
    });
    test(&config)
        .env("AWS_ENDPOINT_URL", format!("https://localhost:{}", fact("/ports/tens")))
        .args(["./print", "F", "H"])
        .stdout("MARKER-field\nMARKER-far-secret\n")
        .run();
    let captured = Test::new()
        .on_the_machine()
        .env("AWS_REGION", "us-east-1")
        .file("a.json", config.to_string())
        .args(["check", "--iam", "a.json"])
        .capture();
    let policy: Value = serde_json::from_slice(&captured.stdout).expect("JSON");
    let mut allowed = Vec::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        let resources = statement["Resource"].as_array().expect("resources");
        let action = statement["Action"].as_str().expect("an action");
        allowed.extend(resources.iter().map(|one| (action, one.as_str().expect("a resource"))));
    }
    // Where a secret's ARN may be whole or not, it is allowed as both.
    let is_spare = |&(action, resource): &(&str, &str)| {
        let whole = resource.strip_suffix("-??????").unwrap_or_default();
        allowed.contains(&(action, whole))
    };
    let allowed: Vec<_> = allowed.iter().copied().filter(|one| !is_spare(one)).collect();
    let allows = |(action, resource): (&str, &str), (needed, of): &(String, String)| {
        action == needed && matches(resource.as_bytes(), of.as_bytes())
    };
    let needed = needed("tens");
    for one in &needed {
        assert!(allowed.iter().any(|&allowed| allows(allowed, one)), "{one:?}: {policy:#}");
    }
    for &one in &allowed {
        assert!(needed.iter().any(|needed| allows(one, needed)), "{one:?}: {needed:#?}");
    }
    assert_eq!(needed.len(), allowed.len());
}
