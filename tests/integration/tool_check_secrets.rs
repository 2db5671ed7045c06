//! What `foreword check` says about secrets, and the IAM policy that `check --iam` prints for them.

use crate::support::Test;
use crate::tool_check::warns;
use crate::tool_layers::{ARM64, Layers, X86_64, static_program};
use std::fmt::Write;

#[test]
fn variable_that_two_rules_resolve_gives_a_warning() {
    let lost = |place: &str| {
        format!(
            "where both rules apply, this reference takes the place of the one for \"A\" at \
             foreword.json:{place}; let their conditions exclude each other, or write one reference"
        )
    };
    warns(&[
        (
            r#"{"secrets": {"A": "ssm:/a"}, "rules": [{"secrets": {»"A": "ssm:/b"}}]}"#,
            &[&lost("1:14")],
        ),
        (
            r#"{"rules": [{"when": {"runtime": "python"}, "secrets": {"A": "ssm:/a"}},
                {"when": {"architecture": "arm64"}, "secrets": {»"A": "ssm:/a"}}]}"#,
            &[&lost("1:56")],
        ),
        // Another variable, conditions that exclude each other, an exception from the rule around.
        (r#"{"secrets": {"A": "ssm:/a"}, "rules": [{"secrets": {"B": "ssm:/b"}}]}"#, &[]),
        (
            r#"{"rules": [{"when": {"runtime": "python"}, "secrets": {"A": "ssm:/a"}},
                {"when": {"runtime": "java"}, "secrets": {"A": "ssm:/b"}}]}"#,
            &[],
        ),
        (
            r#"{"secrets": {"A": "ssm:/a"},
                "rules": [{"when": {"env": {"STAGE": "dev"}}, "secrets": {"A": "ssm:/b"}}]}"#,
            &[],
        ),
        // Of a path, only a start knows the variables.
        (
            r#"{"secrets": {"A_": {"path": "ssm:/a/"}},
                "rules": [{"secrets": {"A_": {"path": "ssm:/a"}}}]}"#,
            &[],
        ),
        (
            r#"{"secrets": {"A_": {"path": "ssm:/a/"}},
                "rules": [{"secrets": {"A_": {"path": "ssm:/b"}, "B_": {"path": "ssm:/a"}}},
                          {"secrets": {"A_": "ssm:/a"}}]}"#,
            &[],
        ),
    ]);
}

#[test]
fn malformed_reference_is_an_error_at_its_place() {
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
            "1:19: error: expected a string, or an object with \"path\", found a number; put it in \
             quotes",
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
            "1:19: error: a \"${\" is not closed (a literal \"${\" is written \"$${\")",
        ),
    ] {
        let captured = Test::new()
            .file("foreword.json", format!(r#"{{"secrets": {secrets}}}"#))
            .args(["check", "foreword.json"])
            .capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        let found: Vec<_> = output.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(found, [format!("foreword.json:{expected}")], "{secrets}");
        assert_eq!((captured.stderr, captured.status), (Vec::new(), 1), "{secrets}");
    }
    // What variables make of it is known at the start.
    warns(&[(r#"{"secrets": {"A": "${A}", "": {"path": "ssm:/${B}"}}}"#, &[])]);
}

#[test]
fn variable_that_two_files_resolve_gives_a_warning_in_the_later() {
    let captured = Test::new()
        .file("a.json", r#"{"secrets": {"A": "ssm:/a", "B": "ssm:/b"}}"#)
        .file("b.json", r#"{"secrets": {"A": "ssm:/c", "C": "ssm:/b"}}"#)
        .args(["check", "a.json", "b.json"])
        .capture();
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    let found: Vec<_> = output.lines().filter(|line| !line.starts_with(' ')).collect();
    let expected = "b.json:1:14: warning: where both rules apply, this reference takes the place \
                    of the one for \"A\" at a.json:1:14; let their conditions exclude each \
                    other, or write one reference";
    assert_eq!(found, [expected]);
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
}

#[test]
fn secret_for_a_variable_of_lambda_gives_a_warning() {
    let kept = |name: &str| {
        format!(
            "\"{name}\" is a variable of Lambda's: a variable that has a value keeps it, and this \
             reference is not resolved; choose another name"
        )
    };
    warns(&[(
        r#"{"secrets": {»"AWS_REGION": "ssm:/a", »"_HANDLER": "ssm:/b", »"AWS_SECRET_ACCESS_KEY": "ssm:/c",
            "_MINE": "ssm:/d", "AWS_MINE": "ssm:/e", "AWS_REGION_": {"path": "ssm:/f"}}}"#,
        &[&kept("AWS_REGION"), &kept("_HANDLER"), &kept("AWS_SECRET_ACCESS_KEY")],
    )]);
}

#[test]
fn reference_in_an_edit_gives_a_warning() {
    let unresolved = |name: &str, why: &str, whose: &str| {
        format!(
            "\"{name}\" gets this reference and not its secret: edits come after secrets{why}; \
             move it to \"secrets\"{whose}; a \"description\" of the rule that names {name} says \
             that the reference itself is meant"
        )
    };
    let (a, b) = (unresolved("A", "", ""), unresolved("B", "", ""));
    let elsewhere = unresolved("A", "", " of the rule, for everything that it starts");
    let hides = "this hides whatever value of \"A\" the function's own variables have; \
                 {\"default\": …} lets it stand, \"prepend\" and \"append\" add to it, and a \
                 \"description\" of the rule that names it says that it is meant";
    let seen = unresolved("A", " (\"references\" sees only what Lambda hands over)", "");
    warns(&[
        (r#"{"env": {»»"A": "ssm:/a"}}"#, &[hides, &a]),
        (
            r#"{"env": {»"A": {"default": "secretsmanager:${STAGE}/a"},
                »"B": {"default": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:b"}}}"#,
            &[&a, &b],
        ),
        // Also one that cannot be read, and where other variables are resolved.
        (r#"{"env": {»"A": {"default": "ssm:not/absolute"}}}"#, &[&a]),
        (r#"{"references": true, "env": {»"A": {"default": "bref-ssm:/a"}}}"#, &[&seen]),
        (
            r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "env": {»"A": "ssm:/a"}}]}}"#,
            &[&elsewhere],
        ),
        (r#"{"wrappers": [{"path": "/opt/w", "env": {»"A": "ssm:/a"}}]}"#, &[&elsewhere]),
        // What is no reference, may be one only at the start, or becomes part of another text.
        (
            r#"{"env": {"A": {"default": "${REFERENCE}"}, "B": {"default": "/ssm:/a"},
                "C": {"default": "arn:aws:s3:eu-west-1:123456789012:b"},
                "D": {"append": "ssm:/a", "separator": " "}}}"#,
            &[],
        ),
        // The function resolves it itself.
        (r#"{"description": "A is read by the function", "env": {"A": "ssm:/a"}}"#, &[]),
    ]);
}

#[test]
fn edit_that_drops_a_secret_gives_a_warning() {
    let undone = |does: &str| {
        format!(
            "this {does} \"A\" whatever its secret is, so that the one at foreword.json:1:14 is \
             fetched for nothing; remove one of the two"
        )
    };
    let (sets, unsets) = (undone("sets"), undone("unsets"));
    let with = |edits: &str| format!(r#"{{"secrets": {{"A": "ssm:/a"}}, "env": {{{edits}}}}}"#);
    let set_under = r#"{"secrets": {"A": "ssm:/a"}, "description": "sets A",
        "rules": [{"env": {»"A": "1"}}]}"#;
    warns(&[
        (&with(r#"»"A": null"#), &[&unsets]),
        (set_under, &[&sets]),
        // It keeps or uses the secret, or edits another variable.
        (&with(r#""A": {"default": "1"}"#), &[]),
        (&with(r#""A": {"append": "1", "separator": ""}"#), &[]),
        (&with(r#""A": "<${A}>""#), &[]),
        (&with(r#""URL": {"default": "db://${A}@host"}, "A": null"#), &[]),
        (&with(r#""B": null"#), &[]),
        // Nothing is known of the variables of a path; wrappers and hooks have seen the secret.
        (r#"{"secrets": {"A": {"path": "ssm:/a"}}, "env": {"A": null}}"#, &[]),
        (
            r#"{"secrets": {"A": "ssm:/a"}, "wrappers": [{"path": "/opt/w", "env": {"A": null}}],
                "hooks": {"initialize": [{"name": "n", "command": "x",
                "timeout_ms": 1000, "env": {"A": null}}]}}"#,
            &[],
        ),
        // An exception, and rules that never apply together.
        (
            r#"{"secrets": {"A": "ssm:/a"},
                "rules": [{"when": {"env": {"STAGE": "dev"}}, "env": {"A": null}}]}"#,
            &[],
        ),
        (
            r#"{"rules": [{"when": {"runtime": "python"}, "secrets": {"A": "ssm:/a"}},
                {"when": {"runtime": "java"}, "env": {"A": null}}]}"#,
            &[],
        ),
    ]);
}

#[test]
fn secrets_in_a_snapshot_give_a_warning() {
    const KEPT: &str = "under SnapStart the secrets become part of the snapshot, and every \
        environment has those of its init; resolve them there with an after_restore hook that runs \
        \"foreword-secrets --file\", and let this rule have \"not\": {\"initialization\": \
        \"snap-start\"}";
    let restored = |command: &str| {
        format!(
            r#"{{"rules": [{{"when": {{"not": {{"initialization": "snap-start"}}}},
                "secrets": {{"A": "ssm:/a"}}}}],
                "hooks": {{"after_restore": [{{"name": "n", "command": {command}}}]}}}}"#
        )
    };
    let in_snapshot = |command: &str| {
        format!(
            r#"{{"secrets": {{"A": "ssm:/a"}},
                "hooks": {{"after_restore": [{{"name": "n", "command": {command}}}]}}}}"#
        )
    };
    let words = r#"["/opt/bin/foreword-secrets", "--file", "/tmp/s", "A=ssm:/a"]"#;
    let script = r#""foreword-secrets --file /tmp/s A=ssm:/a""#;
    warns(&[
        (&in_snapshot(r#""x""#).replace(r#""A":"#, r#"»"A":"#), &[KEPT]),
        (
            r#"{"references": »true,
                "hooks": {"before_snapshot": [{"name": "n", "command": "x"}]}}"#,
            &[KEPT],
        ),
        (
            r#"{"secrets": {»"A": "ssm:/a"},
                "rules": [{"when": {"initialization": "snap-start"}, "secrets": {"B": "ssm:/b"}}]}"#,
            &[KEPT],
        ),
        (&restored(words), &[]),
        (&restored(script), &[]),
        (&restored(r#""x""#), &[]),
        (&in_snapshot(words), &[]),
        // Nothing says that a function has SnapStart.
        (
            r#"{"secrets": {"A": "ssm:/a"}, "hooks": {"initialize": [{"name": "n", "command": "x",
                "timeout_ms": 1000, "when": {"initialization": "on-demand"}}]}}"#,
            &[],
        ),
        // No function has both.
        (
            r#"{"rules": [{"when": {"runtime": "java"}, "hooks": {"after_restore": [{"name": "n",
                "command": "x"}]}}, {"when": {"runtime": "python"}, "secrets": {"A": "ssm:/a"}}]}"#,
            &[],
        ),
    ]);
}

#[test]
fn time_for_secrets_counts_with_the_initialize_hooks() {
    const INIT: &str = "an on-demand function has an init phase of 10 s";
    let alone = format!("the secrets may take 10.001 s, and {INIT}; lower \"secrets_timeout_ms\"");
    let together = |took: &str| {
        format!(
            "with this one, the secrets and the initialize hooks may take {took}, and {INIT}; \
             lower their limits (\"secrets_timeout_ms\", \"timeout_ms\")"
        )
    };
    let (by_default, lower, longest) = (together("10.5 s"), together("10.1 s"), together("11 s"));
    let config = |more: &str, hook: &str| {
        format!(
            r#"{{"secrets": {{"A": "ssm:/a"}}, {more}
                "hooks": {{"initialize": [{{"name": "n", "command": "x", {hook}}}]}}}}"#
        )
    };
    warns(&[
        (r#"{"secrets": {"A": "ssm:/a"}, "secrets_timeout_ms": »10001}"#, &[&alone]),
        (r#"{"references": true, "secrets_timeout_ms": »10001}"#, &[&alone]),
        (r#"{"secrets": {"A": "ssm:/a"}, "secrets_timeout_ms": 10000}"#, &[]),
        // Without a reference, nothing takes time.
        (r#"{"secrets_timeout_ms": 10001}"#, &[]),
        (&config("", r#""timeout_ms": »7500"#), &[&by_default]),
        (&config("", r#""timeout_ms": 7000"#), &[]),
        (&config(r#""secrets_timeout_ms": 100,"#, r#""timeout_ms": »10000"#), &[&lower]),
        (&config(r#""secrets_timeout_ms": 100,"#, r#""timeout_ms": 9900"#), &[]),
        // The last limit counts of the rules that apply, for the secrets of all.
        (
            &config(
                r#""secrets_timeout_ms": 1, "rules": [{"when": {"runtime": "java"},
                    "secrets_timeout_ms": 4000}, {"when": {"runtime": "java"},
                    "secrets_timeout_ms": 2000}],"#,
                r#""timeout_ms": »9000"#,
            ),
            &[&longest],
        ),
        (
            r#"{"rules": [{"when": {"initialization": "provisioned-concurrency"},
                "secrets": {"A": "ssm:/a"}, "secrets_timeout_ms": 60000}]}"#,
            &[],
        ),
    ]);
    for (timeout, status) in [("2", "warning: the secrets may take 3 s, and "), ("3", "checked ")] {
        let test = Test::new().file("foreword.json", r#"{"secrets": {"A": "ssm:/a"}}"#).args([
            "check",
            "foreword.json",
            "--timeout",
            timeout,
        ]);
        let output = String::from_utf8(test.capture().stdout).expect("UTF-8");
        assert!(output.contains(status), "{output}");
    }
}

#[test]
fn layers_without_the_program_for_secrets_give_an_error() {
    let missing = |place: &str, layer: &str| {
        format!(
            "foreword.json:{place}: error: nothing resolves secrets: none of the layers has \
             /opt/bin/foreword-secrets; add the layer {layer}"
        )
    };
    let (x86_64, arm64) = ("foreword-secrets-x86_64.zip", "foreword-secrets-arm64.zip");
    let either = format!("{x86_64} or {arm64}");
    let secrets = r#"{"secrets": {"A": "ssm:/a"}}"#;
    Layers::new(secrets).finds(&[&missing("1:14", &either)]);
    Layers::new(r#"{"references": true}"#).finds(&[&missing("1:16", &either)]);
    for (machine, layer) in [(X86_64, x86_64), (ARM64, arm64)] {
        Layers::new(secrets)
            .script("a/bin/foreword", static_program(machine))
            .finds(&[&missing("1:14", layer)]);
        Layers::new(secrets)
            .script("a/bin/foreword", static_program(machine))
            .script("a/bin/foreword-secrets", static_program(machine))
            .finds(&[]);
    }
    let on_arm = r#"{"when": {"architecture": "arm64"}, "secrets": {"A": "ssm:/a"}}"#;
    Layers::new(on_arm).finds(&[&missing("1:49", arm64)]);
    Layers::new(r#"{"secrets": {}, "references": false}"#).finds(&[]);
    // A rule that never applies needs nothing.
    let never = "foreword.json:1:38: warning: this condition and those around it never hold \
                 together: the rule never applies; correct one of them or remove the rule";
    Layers::new(
        r#"{"references": false, "rules": [{"when": {"not": {}}, "secrets": {"A": "ssm:/a"}}]}"#,
    )
    .finds(&[&never.replace("1:38", "1:42")]);
}

/// Expects a policy of these statements, an action and its resources, and the note.
#[track_caller]
fn allows(config: &str, region: Option<&str>, statements: &[(&str, &[&str])], note: &str) {
    let mut policy = String::from("{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [");
    for (index, (action, resources)) in statements.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let resources: Vec<_> =
            resources.iter().map(|resource| format!("        \"{resource}\"")).collect();
        write!(
            policy,
            "{comma}\n    {{\n      \"Effect\": \"Allow\",\n      \"Action\": \"{action}\",\n      \
             \"Resource\": [\n{}\n      ]\n    }}",
            resources.join(",\n")
        )
        .expect("a string");
    }
    policy += if statements.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" };
    serde_json::from_str::<serde_json::Value>(&policy).expect("JSON");
    let mut test = Test::new()
        .file("foreword.json", config)
        .args(["check", "--iam", "foreword.json"])
        .stdout(policy)
        .stderr(format!("foreword: {note}\n"));
    if let Some(region) = region {
        test = test.env("AWS_REGION", region);
    }
    test.run();
}

const KMS: &str = "add kms:Decrypt for keys that are customer managed";
const PARAMETERS: &str = "ssm:GetParameters";
const PATHS: &str = "ssm:GetParametersByPath";
const SECRET: &str = "secretsmanager:GetSecretValue";
const SECRETS: (&str, &[&str]) = ("secretsmanager:BatchGetSecretValue", &["*"]);

#[test]
fn policy_has_every_reference_once() {
    let config = r#"{
      "secrets": {
        "B": "ssm:/prod/b:3", "A": "ssm:/prod/b:stable", "C": "ssm://prod/c", "D": "ssm:plain",
        "E": "arn:aws:ssm:eu-west-1:123456789012:parameter/far:7",
        "S": "secretsmanager:prod/s#user@AWSCURRENT", "T": "secretsmanager:prod/s#password",
        "U": "secretsmanager:prod/u@AWSPREVIOUS",
        "P_": {"path": "ssm:/prod/app/"},
        "Q_": {"path": "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/q/"}
      },
      "rules": [
        {"when": {"runtime": "java"}, "secrets": {"B": "ssm:/java/b", "Q": "x-crypteia-ssm:/prod/b"},
         "rules": [{"when": {"runtime": "python"}, "secrets": {"B": "ssm:/never/b"}}]}
      ]
    }"#;
    allows(
        config,
        None,
        &[
            (
                SECRET,
                &[
                    "arn:aws:secretsmanager:*:*:secret:prod/s-??????",
                    "arn:aws:secretsmanager:*:*:secret:prod/u-??????",
                ],
            ),
            (
                PARAMETERS,
                &[
                    "arn:aws:ssm:*:*:parameter/java/b",
                    "arn:aws:ssm:*:*:parameter/never/b",
                    "arn:aws:ssm:*:*:parameter/plain",
                    "arn:aws:ssm:*:*:parameter/prod/b",
                    "arn:aws:ssm:*:*:parameter/prod/c",
                    "arn:aws:ssm:eu-west-1:123456789012:parameter/far",
                ],
            ),
            (
                PATHS,
                &[
                    "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/q",
                    "arn:aws:ssm:*:*:parameter/prod/app",
                ],
            ),
        ],
        &format!("\"*\" stands for the account, for the region, which AWS_REGION can name; {KMS}"),
    );
}

#[test]
fn policy_has_the_partition_of_the_region() {
    for (region, partition) in [
        ("eu-west-1", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
        ("eusc-de-east-1", "aws-eusc"),
    ] {
        allows(
            r#"{"secrets": {"A": "ssm:/a", "": {"path": "ssm:/"}}}"#,
            Some(region),
            &[
                (PARAMETERS, &[&format!("arn:{partition}:ssm:{region}:*:parameter/a")]),
                (PATHS, &[&format!("arn:{partition}:ssm:{region}:*:parameter/*")]),
            ],
            &format!("{region} is this shell's region; \"*\" stands for the account; {KMS}"),
        );
    }
}

#[test]
fn policy_allows_one_request_for_several_current_secrets_of_a_region() {
    let west = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf";
    let east = "arn:aws:secretsmanager:us-east-1:123456789012:secret:b-AbCdEf";
    let named = "arn:aws:secretsmanager:us-east-1:*:secret:c-??????";
    let config = |references: &[&str]| {
        let variables: Vec<_> = references
            .iter()
            .enumerate()
            .map(|(index, reference)| format!(r#""V{index}": "{reference}""#))
            .collect();
        format!(r#"{{"secrets": {{{}}}}}"#, variables.join(", "))
    };
    let here = Some("us-east-1");
    let note = format!("us-east-1 is this shell's region; \"*\" stands for the account; {KMS}");
    allows(&config(&[west, east]), here, &[(SECRET, &[west, east])], KMS);
    let of_west = config(&[west, "secretsmanager:c"]);
    allows(&of_west, here, &[(SECRET, &[west, named])], &note);
    let of_east = config(&[east, "secretsmanager:c"]);
    allows(&of_east, here, &[SECRETS, (SECRET, &[named, east])], &note);
    let old = config(&[east, "secretsmanager:c@AWSPREVIOUS"]);
    allows(&old, here, &[(SECRET, &[named, east])], &note);
    // A region that is not known may be any.
    allows(
        &of_west,
        None,
        &[SECRETS, (SECRET, &["arn:aws:secretsmanager:*:*:secret:c-??????", west])],
        &format!("\"*\" stands for the account, for the region, which AWS_REGION can name; {KMS}"),
    );
}

#[test]
fn policy_completes_an_arn_without_its_six_characters() {
    let arn = |name: &str| format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}");
    for (name, expected) in [
        ("a-AbCdEf", &["a-AbCdEf"][..]),
        ("a-AbCdEf:key::", &["a-AbCdEf"]),
        ("prod/a", &["prod/a-??????"]),
        ("a-abc", &["a-abc-??????"]),
        // Either.
        ("a-secret", &["a-secret", "a-secret-??????"]),
    ] {
        let expected: Vec<_> = expected.iter().map(|name| arn(name)).collect();
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        let config = format!(r#"{{"secrets": {{"A": "{}"}}}}"#, arn(name));
        allows(&config, None, &[(SECRET, &expected)], KMS);
    }
}

#[test]
fn policy_has_a_wildcard_for_each_variable() {
    allows(
        r#"{"secrets": {
            "A": "ssm:/${STAGE}/a:${VERSION:-1}", "B": "ssm:${ROOT}/b",
            "C": "secretsmanager:${STAGE:-x${Y}}/c#key", "D": "secretsmanager:${D}",
            "E": "arn:aws:ssm:${AWS_REGION}:${ACCOUNT}:parameter/VARIABLE/${E}",
            "P_": {"path": "ssm:/${STAGE}/app/"}, "Q_": {"path": "ssm:/q/${STAGE}/"},
            "Z": "${Z}"}, "references": true}"#,
        Some("eu-west-1"),
        &[
            SECRETS,
            (
                SECRET,
                &[
                    "arn:aws:secretsmanager:eu-west-1:*:secret:*-??????",
                    "arn:aws:secretsmanager:eu-west-1:*:secret:*/c-??????",
                ],
            ),
            (
                PARAMETERS,
                &[
                    "arn:aws:ssm:*:*:parameter/VARIABLE/*",
                    "arn:aws:ssm:eu-west-1:*:parameter/*/a",
                    "arn:aws:ssm:eu-west-1:*:parameter/*/b",
                ],
            ),
            (
                PATHS,
                &[
                    "arn:aws:ssm:eu-west-1:*:parameter/*/app",
                    "arn:aws:ssm:eu-west-1:*:parameter/q/*",
                ],
            ),
        ],
        &format!(
            "eu-west-1 is this shell's region; \"*\" stands for the account, for each ${{NAME}}; \
             add what the reference at foreword.json:6:13 means; add the references in variables, \
             which \"references\" resolves; {KMS}"
        ),
    );
}

#[test]
fn policy_without_references_allows_nothing() {
    let nothing = "no reference in \"secrets\" needs a permission";
    allows("{}", None, &[], nothing);
    allows(
        r#"{"references": true}"#,
        None,
        &[],
        &format!(
            "{nothing}; add the references in variables, which \"references\" resolves; {KMS}"
        ),
    );
}

#[test]
fn policy_of_a_mistaken_configuration_is_its_errors() {
    Test::new()
        .file("foreword.json", r#"{"secrets": {"A": "ssm:not/absolute", "B": 1}}"#)
        .args(["check", "--iam", "foreword.json"])
        .stderr(
            "foreword.json:1:19: error: a name with / in it begins with /; write \
             ssm:/not/absolute\n 1 | {\"secrets\": {\"A\": [redacted], \"B\": 1}}\n   |          \
             \x20        ^\nforeword.json:1:44: error: expected a string, or an object with \
             \"path\", found a number; put it in quotes\n 1 | {\"secrets\": {\"A\": [redacted], \
             \"B\": 1}}\n   |                                    ^\n",
        )
        .status(1)
        .run();
    let captured = Test::new().args(["check", "--iam", "missing.json"]).capture();
    assert_eq!((captured.stdout, captured.status), (Vec::new(), 1));
    // What is only a warning without the option is not told.
    allows(
        r#"{"secrets": {"AWS_REGION": "ssm:/a"}}"#,
        Some("eu-west-1"),
        &[(PARAMETERS, &["arn:aws:ssm:eu-west-1:*:parameter/a"])],
        &format!("eu-west-1 is this shell's region; \"*\" stands for the account; {KMS}"),
    );
}
