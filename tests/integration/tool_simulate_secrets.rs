//! Secrets in `foreword simulate`: resolved by the program beside the tool, with the credentials of
//! this shell.

use crate::support::{Test, foreword};
use crate::tool_simulate::{python, simulated};
use std::os::unix::fs::PermissionsExt;

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

/// Returns the note about secrets, if there is one.
#[track_caller]
fn note(found: &str) -> Option<&str> {
    let mut notes = found.lines().filter_map(|line| line.trim_start().strip_prefix("secrets: "));
    let note = notes.next();
    assert_eq!(notes.next(), None, "{found}");
    note
}

const WITHOUT_CREDENTIALS: &str = "cannot be resolved: this shell has no credentials; \
     eval \"$(aws configure export-credentials --format env)\" sets those of the AWS CLI";

#[test]
fn note_says_with_what_secrets_are_resolved_or_what_is_missing() {
    let prints = r#"echo '{"DB": "resolved"}'"#;
    let keys = |test: Test| test.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "x");
    let with_aws = "DB from AWS, with the credentials of this shell; --env DB=VALUE gives a \
                    value without AWS";

    let found = simulated(with_program(keys(function(&[])), prints), 0);
    assert_eq!(note(&found), Some(with_aws));
    for (name, value) in [("FULL", "http://127.0.0.1:1/"), ("RELATIVE", "/credentials")] {
        let endpoint = function(&[]).env(format!("AWS_CONTAINER_CREDENTIALS_{name}_URI"), value);
        assert_eq!(note(&simulated(with_program(endpoint, prints), 0)), Some(with_aws));
    }

    let expected = format!("DB {WITHOUT_CREDENTIALS}; --env DB=VALUE gives a value without AWS");
    let found = simulated(with_program(function(&[]), prints), 0);
    assert_eq!(note(&found), Some(&*expected));
    let one_key = function(&[]).env("AWS_ACCESS_KEY_ID", "AKIA");
    assert_eq!(note(&simulated(with_program(one_key, prints), 0)), Some(&*expected));

    // A value of one's own is no way out for what a path gives.
    let config =
        r#"{"secrets": {"DB": "ssm:/db", "P_": {"path": "ssm:/p/"}, "": {"path": "ssm:/q/"}}}"#;
    let test = with_program(function(&[]).config(config), prints);
    let expected = format!("DB, P_*, * {WITHOUT_CREDENTIALS}");
    assert_eq!(note(&simulated(test, 0)), Some(&*expected));

    let config = r#"{"references": true, "secrets": {"DB": "ssm:/db"}}"#;
    let test = function(&["--env", "OWN=ssm:/own", "--env", "DB=local"]).config(config);
    let expected = format!("OWN {WITHOUT_CREDENTIALS}; --env OWN=VALUE gives a value without AWS");
    assert_eq!(note(&simulated(with_program(test, prints), 0)), Some(&*expected));

    for test in [
        function(&["--env", "DB=local"]),
        function(&[]).env("DB", "local"),
        function(&[]).env("FOREWORD_DISABLED", "1"),
        function(&[]).config(r#"{"when": {"env": {"NO": true}}, "secrets": {"DB": "ssm:/db"}}"#),
        function(&[]).config("{}"),
    ] {
        assert_eq!(note(&simulated(with_program(test, "exit 1"), 0)), None);
    }
}

#[test]
fn note_in_json_is_one_object() {
    let test = python(&["--format", "json"]).file("app.py", HANDLER).config(CONFIG);
    let all = crate::tool_simulate::objects(with_program(test, "exit 1"), 1);
    let notes = all.iter().filter(|one| one["type"] == "note");
    let messages: Vec<_> = notes.filter_map(|note| note["message"].as_str()).collect();
    let expected =
        format!("secrets: DB {WITHOUT_CREDENTIALS}; --env DB=VALUE gives a value without AWS");
    assert!(messages.contains(&&*expected), "{messages:?}");
}

/// A layer is where the wrapper looks that comes from a layer, and where this one looks next.
#[test]
fn program_of_a_layer_is_used() {
    let program = "#!/bin/sh\necho \"{\\\"DB\\\": \\\"by $0\\\"}\"\n";
    let by_layer = "answer  \"by /opt/bin/foreword-secrets\"";
    let foreword = std::fs::read(foreword()).expect("foreword");
    let test = || {
        function(&["--layer", "layer"])
            .copied("bin/foreword")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "x")
    };

    let alone = test().script("layer/bin/foreword-secrets", program);
    assert!(simulated(alone, 0).contains(by_layer));
    let both = test()
        .script("layer/bin/foreword", &foreword)
        .script("layer/bin/foreword-secrets", program)
        .script("bin/foreword-secrets", "#!/bin/sh\nexit 1\n");
    assert!(simulated(both, 0).contains(by_layer));

    let beside = test()
        .script("layer/bin/other", "")
        .script("bin/foreword-secrets", "#!/bin/sh\necho '{\"DB\": \"beside\"}'\n");
    assert!(simulated(beside, 0).contains("answer  \"beside\""));

    // As on Lambda, where what lies beside the tool does not count.
    let without = test()
        .script("layer/bin/foreword", &foreword)
        .script("bin/foreword-secrets", "#!/bin/sh\necho '{\"DB\": \"beside\"}'\n");
    let found = simulated(without, 1);
    assert_eq!(
        note(&found),
        Some(
            "DB cannot be resolved: none of these layers has foreword-secrets; add the layer \
             foreword-secrets with --layer; --env DB=VALUE gives a value without AWS"
        )
    );
    assert!(
        found.contains("foreword: there is no /opt/bin/foreword-secrets, which resolves secrets"),
        "{found}"
    );
}

#[test]
fn missing_program_is_named_with_the_ways_to_have_it() {
    let test = function(&[]).copied("bin/foreword");
    let path = test.path("bin/foreword-secrets").display().to_string();
    let found = simulated(test, 1);
    assert_eq!(
        note(&found),
        Some(&*format!(
            "DB cannot be resolved: there is no {path}; install it (cargo install --path \
             secrets), or add the layer foreword-secrets with --layer; --env DB=VALUE gives a \
             value without AWS"
        ))
    );
    assert!(found.contains("Runtime.ForewordSecretFailed"), "{found}");
}

/// A simulation has a /tmp of its own.
#[test]
fn program_beside_a_tool_in_tmp_is_found() {
    let tool = tempfile::TempDir::with_prefix("foreword-tool-").expect("a directory");
    let path = |name: &str| tool.path().join(name);
    {
        let _writing = crate::support::process::no_start();
        std::fs::copy(foreword(), path("foreword")).expect("a copy");
        std::fs::write(path("foreword-secrets"), "#!/bin/sh\necho '{\"DB\": \"in /tmp\"}'\n")
            .expect("a program");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path("foreword-secrets"), executable).expect("its mode");
    }
    let words = ["simulate", "--", "python3", "-m", "awslambdaric", "app.handler"];
    let words = [path("foreword").into_os_string()].into_iter().chain(words.map(Into::into));
    let test = function(&[]).without_foreword().args(words).on_the_machine();
    let found = simulated(test, 0);
    assert!(found.contains("answer  \"in /tmp\""), "{found}");
}

/// Before a snapshot the keys of the shell are behind an endpoint, which the program is told of.
#[test]
fn program_gets_credentials_from_the_endpoint_before_a_snapshot() {
    let program = r#"
        [ -z "$AWS_ACCESS_KEY_ID$AWS_SECRET_ACCESS_KEY$AWS_SESSION_TOKEN" ] || exit 3
        keys=$(curl -sS --noproxy '*' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI") || exit 4
        case $keys in *planted-key*planted-token*) echo '{"DB": "from the endpoint"}' ;; *) exit 5 ;; esac"#;
    let test = with_program(function(&["--snap-start"]), program)
        .env("AWS_ACCESS_KEY_ID", "planted-id")
        .env("AWS_SECRET_ACCESS_KEY", "planted-key")
        .env("AWS_SESSION_TOKEN", "planted-token");
    let found = simulated(test, 0);
    assert!(found.contains("answer  \"from the endpoint\""), "{found}");
    assert!(note(&found).is_some_and(|note| note.starts_with("DB from AWS, ")), "{found}");

    let keys = function(&["--snap-start"])
        .env("AWS_ACCESS_KEY_ID", "planted-id")
        .env("AWS_SECRET_ACCESS_KEY", "planted-key");
    let found = simulated(keys, 1);
    let expected = "DB cannot be resolved: this shell has no AWS_SESSION_TOKEN, without which \
         foreword-secrets takes no keys from an endpoint, where they are with --snap-start; \"aws \
         sts get-session-token\" gives keys with one; --env DB=VALUE gives a value without AWS";
    assert_eq!(note(&found), Some(expected));
    assert!(found.contains("Expected field `Token` in response but it was missing"), "{found}");
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
