//! What `foreword check` says about secrets, and the policy that `--iam` prints for them.

use crate::support::Test;

/// Compares the findings in `a.json` and `b.json`; `»` marks the place of each in its file.
#[track_caller]
fn finds(a: &str, b: &str, expected: &[&str]) {
    let captured = Test::new()
        .on_the_machine()
        .file("a.json", a)
        .file("b.json", b)
        .args(["check", "a.json", "b.json"])
        .capture();
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    let found: Vec<_> = output
        .lines()
        .filter(|line| !line.starts_with(' ') && !line.starts_with("checked "))
        .collect();
    assert_eq!(found, expected, "{a} {b}");
    assert_eq!(captured.stderr, Vec::<u8>::new());
}

const NONE: &str = "{}";

#[test]
fn malformed_references_are_errors_at_their_place() {
    for (secrets, expected) in [
        (
            r#"{"A": "x"}"#,
            "1:19: error: it is no reference; write ssm:NAME, secretsmanager:ID or an ARN",
        ),
        (r#"{"A": "ssm:a/b"}"#, "1:19: error: a name with / in it begins with /; write ssm:/a/b"),
        (
            r#"{"A": "ssm:/a#k"}"#,
            "1:19: error: a parameter has no fields; put the JSON into a secret",
        ),
        (r#"{"A": "secretsmanager:a#"}"#, "1:19: error: nothing stands behind #; write ID#KEY"),
        (
            r#"{"A": 1}"#,
            "1:19: error: expected a string, or an object with \"path\", found a number; put it in quotes",
        ),
        (r#"{"A": {}}"#, "1:19: error: the secret has no \"path\"; write {\"path\": \"ssm:/…/\"}"),
        (
            r#"{"A": {"path": "secretsmanager:a"}}"#,
            "1:28: error: only the Parameter Store has paths; write ssm:/PATH/",
        ),
        (r#"{"A": {"path": "ssm:/a", "x": 1}}"#, "1:38: error: unknown key \"x\"; here go path"),
        (
            r#"{"A=": "ssm:/a"}"#,
            "1:14: error: \"A=\" cannot be the name of a variable: it holds \"=\"",
        ),
        (r#"{"": "ssm:/a"}"#, "1:14: error: \"\" cannot be the name of a variable: it is empty"),
        (
            r#"{"A": "ssm:/${A/b"}"#,
            "1:19: error: \"${A/b\" is not closed; write \"$$\" for a \"$\", or close it with \"}\"",
        ),
    ] {
        let expected = format!("a.json:{expected}");
        let captured = Test::new()
            .on_the_machine()
            .file("a.json", format!(r#"{{"secrets": {secrets}}}"#))
            .args(["check", "a.json"])
            .capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        let first = output.lines().next().unwrap_or_default();
        if secrets.contains("${A/b") {
            assert!(first.starts_with("a.json:1:19: error: "), "{first}");
        } else {
            assert_eq!(first, expected, "{secrets}");
        }
        assert_eq!(captured.status, 1, "{secrets}");
    }
    // What variables make of it is known at the start.
    finds(r#"{"secrets": {"A": "${A}", "": {"path": "ssm:/${B}"}}}"#, NONE, &[]);
}

#[test]
fn secret_that_two_rules_want_is_reported_where_both_apply() {
    let a = r#"{"secrets": {"A": "ssm:/a", "B": "ssm:/b"}}"#;
    let twice = "b.json:1:14: warning: where both rules apply, this takes the place of the secret \
                 for \"A\" at a.json:1:14; let their conditions exclude each other, or remove one";
    finds(a, r#"{"secrets": {"A": "ssm:/c"}}"#, &[twice]);
    finds(a, r#"{"secrets": {"C": "ssm:/a"}}"#, &[]);
    // A more special rule is an exception from a general one.
    finds(a, r#"{"when": {"runtime": "java"}, "secrets": {"A": "ssm:/c"}}"#, &[]);
    finds(
        r#"{"when": {"runtime": "node"}, "secrets": {"A": "ssm:/a"}}"#,
        r#"{"when": {"runtime": "java"}, "secrets": {"A": "ssm:/c"}}"#,
        &[],
    );
    finds(
        r#"{"secrets": {"": {"path": "ssm:/a"}}}"#,
        r#"{"secrets": {"": {"path": "ssm:/b"}}}"#,
        &[],
    );
}

#[test]
fn reference_that_an_edit_sets_is_reported_because_nobody_resolves_it() {
    let unresolved = |place: &str, name: &str, text: &str| {
        format!(
            "a.json:{place}: warning: \"{name}\" is set to a reference that nobody resolves, \
             because edits come after secrets; write \"secrets\": {{\"{name}\": \"{text}\"}}"
        )
    };
    for (config, place, text) in [
        (r#"{"env": {"A": "ssm:/a"}}"#, "1:10", "ssm:/a"),
        (r#"{"references": true, "env": {"A": "ssm:/a"}}"#, "1:30", "ssm:/a"),
        (r#"{"env": {"A": {"default": "secretsmanager:a#k"}}}"#, "1:10", "secretsmanager:a#k"),
        (r#"{"env": {"A": "x-crypteia-ssm:/a"}}"#, "1:10", "x-crypteia-ssm:/a"),
        (r#"{"env": {"A": "ssm:"}}"#, "1:10", "ssm:"),
        (
            r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "env": {"A": "ssm:/a"}}]}}"#,
            "1:65",
            "ssm:/a",
        ),
    ] {
        let expected = unresolved(place, "A", text);
        let captured =
            Test::new().on_the_machine().file("a.json", config).args(["check", "a.json"]).capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        assert!(output.lines().any(|line| line == expected), "{config}: {output}");
    }
    for config in [
        r#"{"env": {"A": {"default": "ssmx:/a"}}}"#,
        r#"{"env": {"A": {"default": "see ssm:/a"}}}"#,
        r#"{"env": {"A": {"append": "ssm:/a", "separator": ","}}}"#,
        r#"{"secrets": {"A": "ssm:/a"}}"#,
    ] {
        finds(config, NONE, &[]);
    }
}

#[test]
fn edit_that_drops_a_secret_is_reported() {
    let a = r#"{"secrets": {"A": "ssm:/a"}}"#;
    let drops = |place: &str| {
        format!(
            "b.json:{place}: warning: this edit drops the secret for \"A\" at a.json:1:14, which \
             is asked for in vain; remove one of them"
        )
    };
    for (config, place) in [
        (r#"{"description": "A", "env": {"A": "x"}}"#, Some("1:30")),
        (r#"{"env": {"A": null}}"#, Some("1:10")),
        (r#"{"env": {"A": "x${A}"}}"#, None),
        (r#"{"env": {"A": {"default": "x"}}}"#, None),
        (r#"{"env": {"A": {"append": "x", "separator": ""}}}"#, None),
        (r#"{"when": {"runtime": "java"}, "env": {"A": null}}"#, None),
    ] {
        let expected: Vec<_> = place.map(drops).into_iter().collect();
        finds(a, config, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn secrets_of_a_function_with_hooks_around_a_snapshot_are_reported_once() {
    let hooks = r#"{"hooks": {"after_restore": [{"name": "n", "command": "x", "timeout_ms": 1}]}}"#;
    let kept = "a.json:1:14: warning: with SnapStart this is resolved before the snapshot, and \
                every environment that is restored from it has this value, however old; where it \
                changes, let an after_restore hook write it to a file (foreword-secrets --file)";
    finds(r#"{"secrets": {"A": "ssm:/a", "B": "ssm:/b"}}"#, hooks, &[kept]);
    finds(r#"{"secrets": {"A": "ssm:/a"}}"#, NONE, &[]);
    finds(r#"{"when": {"initialization": "on-demand"}, "secrets": {"A": "ssm:/a"}}"#, hooks, &[]);
}

#[test]
fn layers_without_the_program_that_resolves_secrets_are_an_error() {
    let run = |config: &str, program: Option<&str>| {
        let mut test = Test::new().on_the_machine().file("a.json", config).file("layer/empty", "");
        if let Some(program) = program {
            test = test.script(program, "#!/bin/sh\n");
        }
        test.args(["check", "a.json", "--layer", "layer"]).capture()
    };
    let expected = "nobody resolves secrets: none of the layers has bin/foreword-secrets; add the \
                    layer foreword-secrets-x86_64 or foreword-secrets-arm64";
    for (config, place) in
        [(r#"{"secrets": {"A": "ssm:/a"}}"#, "1:14"), (r#"{"references": true}"#, "1:16")]
    {
        let captured = run(config, None);
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        let line = format!("a.json:{place}: error: {expected}");
        assert!(output.lines().any(|found| found == line), "{output}");
        assert_eq!(captured.status, 1);
        assert_eq!(run(config, Some("layer/bin/foreword-secrets")).status, 0, "{config}");
    }
    assert_eq!(run("{}", None).status, 0);
}

/// Returns the policy for a configuration, the notes and the exit status.
fn policy(config: &str, region: Option<&str>) -> (String, String, i32) {
    let mut test = Test::new().on_the_machine().file("a.json", config);
    if let Some(region) = region {
        test = test.env("AWS_REGION", region);
    }
    let captured = test.args(["check", "--iam", "a.json"]).capture();
    (
        String::from_utf8(captured.stdout).expect("UTF-8"),
        String::from_utf8(captured.stderr).expect("UTF-8"),
        captured.status,
    )
}

#[test]
fn policy_has_each_action_with_the_resources_of_all_references() {
    let config = r#"{
        "secrets": {
            "A": "ssm:/prod/a:3", "B": "ssm:b", "C": "ssm:/prod/a", "D": "ssm:/${STAGE:-x}/d",
            "E": "arn:aws-cn:ssm:cn-north-1:1:parameter/e:label", "P_": {"path": "ssm:/prod/app/"},
            "Q_": {"path": "arn:aws:ssm:eu-west-1:1:parameter/q/"}
        },
        "rules": [{"when": {"runtime": "java"}, "secrets": {
            "F": "secretsmanager:prod/f#k@AWSPREVIOUS", "G": "secretsmanager:prod/f",
            "H": "arn:aws:secretsmanager:eu-west-1:1:secret:h-AbCdEf:k::",
            "I": "arn:aws:secretsmanager:eu-west-1:1:secret:i"
        }}]
    }"#;
    let (text, notes, status) = policy(config, Some("us-gov-west-1"));
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        value,
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:BatchGetSecretValue",
                    "Resource": ["*"],
                },
                {
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": [
                        "arn:aws-us-gov:secretsmanager:us-gov-west-1:*:secret:prod/f-??????",
                        "arn:aws:secretsmanager:eu-west-1:1:secret:h-AbCdEf",
                        "arn:aws:secretsmanager:eu-west-1:1:secret:i-??????",
                    ],
                },
                {
                    "Effect": "Allow",
                    "Action": "ssm:GetParameters",
                    "Resource": [
                        "arn:aws-cn:ssm:cn-north-1:1:parameter/e",
                        "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/*/d",
                        "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/b",
                        "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/prod/a",
                    ],
                },
                {
                    "Effect": "Allow",
                    "Action": "ssm:GetParametersByPath",
                    "Resource": [
                        "arn:aws-us-gov:ssm:us-gov-west-1:*:parameter/prod/app",
                        "arn:aws:ssm:eu-west-1:1:parameter/q",
                    ],
                },
            ],
        })
    );
    assert!(notes.contains("the account is \"*\" where no ARN names it"), "{notes}");
    assert!(notes.contains("kms:Decrypt"), "{notes}");
    assert_eq!(status, 0);
}

#[test]
fn policy_says_what_it_leaves_open() {
    for (config, region, expected) in [
        (r#"{"secrets": {"A": "ssm:/a"}}"#, None, "region and account are \"*\""),
        (r#"{"references": true}"#, Some("eu-west-1"), "\"references\" also resolves variables"),
        (
            r#"{"secrets": {"A": "${REF}"}}"#,
            Some("eu-west-1"),
            "a.json:1:14: what \"${REF}\" refers to is not in the policy",
        ),
        ("{}", None, "there are no secrets"),
    ] {
        let (text, notes, status) = policy(config, region);
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        assert!(notes.contains(expected), "{config}: {notes}");
        assert_eq!(status, 0);
    }
    // One secret in each of two regions is two requests.
    let (text, _, _) = policy(
        r#"{"secrets": {"A": "secretsmanager:a", "B": "arn:aws:secretsmanager:eu-west-1:1:secret:b-AbCdEf"}}"#,
        Some("eu-central-1"),
    );
    assert!(!text.contains("BatchGetSecretValue"), "{text}");
}

#[test]
fn configuration_with_errors_gives_no_policy_but_the_errors() {
    let (text, notes, status) = policy(r#"{"secrets": {"A": "x"}}"#, Some("eu-west-1"));
    assert!(text.starts_with("a.json:1:19: error: it is no reference"), "{text}");
    assert_eq!((notes.as_str(), status), ("", 1));
}
