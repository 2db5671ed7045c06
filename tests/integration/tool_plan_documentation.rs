//! `foreword plan` on every configuration that the documentation shows has the effects that the
//! documentation describes.

use crate::documentation::{configurations, everything};
use crate::support::Test;
use serde_json::{Value, json};

/// Returns the plan of a configuration.
#[track_caller]
fn plan(configuration: &str, arguments: &[&str]) -> Value {
    let test = Test::new().env_remove("LAMBDA_TASK_ROOT").file("a.json", configuration);
    let all = [&["plan", "--format", "json", "--config", "a.json"], arguments].concat();
    let captured = test.args(all).capture();
    assert_eq!(
        (captured.status, String::from_utf8_lossy(&captured.stderr)),
        (0, "".into()),
        "{configuration}"
    );
    serde_json::from_slice(&captured.stdout).expect("JSON")
}

/// What the documentation says about an example: arguments for the runtime and the function, and
/// values at places of the plan.
type Said = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// Examples by a text that only this one contains.
const EXAMPLES: [(&str, &[Said]); 13] = [
    (
        "collector is up",
        &[(
            &["--runtime", "python3.12"],
            &[
                ("/phases/0/hooks/0/wait_for", r#""127.0.0.1:4318""#),
                ("/phases/0/hooks/0/command", "null"),
                ("/phases/0/hooks/0/on_failure", r#""continue""#),
            ],
        )],
    ),
    (
        "/tmp/credentials.json",
        &[(
            &["--runtime", "java21", "--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"],
            &[("/phases/2/run_by", r#""relay""#), ("/phases/2/hooks/0/name", r#""credentials""#)],
        )],
    ),
    (
        "warm up",
        &[(
            &["--runtime", "provided.al2023"],
            &[
                ("/phases/0/hooks/0/background", "true"),
                ("/phases/0/hooks/0/limit_ms", "null"),
                ("/phases/0/hooks/1/wait_for", r#""127.0.0.1:8080""#),
                ("/phases/0/hooks/1/http", r#""POST http://127.0.0.1:8080/initialize""#),
                ("/phases/3/hooks/0/http", r#""GET http://127.0.0.1:8080/pre-stop""#),
            ],
        )],
    ),
    (
        "\"migrate\"",
        &[
            (
                &["--runtime", "python3.12"],
                &[
                    (
                        "/command_line/words",
                        r#"["/var/lang/bin/python3.12", "-X", "importtime",
                            "/var/runtime/bootstrap.py"]"#,
                    ),
                    ("/environment/edits/0/after", r#""my-function""#),
                    ("/environment/edits/1/after", r#""deployment.environment.name=prod""#),
                    ("/warnings", "[]"),
                    ("/phases/0/hooks/0/limit_ms", "3000"),
                    ("/secrets/variables/0/name", r#""DB_PASSWORD""#),
                    ("/secrets/variables/0/reference", r#""ssm:/prod/orders/db-password""#),
                ],
            ),
            (
                &["--", "python3", "-m", "awslambdaric", "app.handler"],
                &[
                    (
                        "/command_line/words",
                        r#"["python3", "-X", "importtime", "-m", "awslambdaric", "app.handler"]"#,
                    ),
                    ("/environment/edits/1/after", r#""deployment.environment.name=prod""#),
                ],
            ),
        ],
    ),
    (
        "ssm:/prod/orders/settings/",
        &[(
            &["--runtime", "python3.12", "--env", "API_KEY=local"],
            &[
                ("/secrets/variables/0/kept", "false"),
                ("/secrets/variables/1/kept", "true"),
                ("/secrets/paths/0/prefix", r#""APP_""#),
                ("/secrets/timeout_ms", "3000"),
            ],
        )],
    ),
    (
        "\"--file\"",
        &[
            (
                &["--runtime", "java21", "--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"],
                &[("/secrets", "null"), ("/phases/2/hooks/0/name", r#""secrets""#)],
            ),
            (
                &["--runtime", "java21"],
                &[("/secrets/variables/0/name", r#""DB_PASSWORD""#), ("/phases/2/hooks", "[]")],
            ),
        ],
    ),
    (
        "/opt/mine",
        &[
            (
                &["--runtime", "python3.13"],
                &[
                    (
                        "/environment/edits/0/after",
                        r#""/opt/mine:/opt/python/lib/python3.13/site-packages:/opt/python:/var/lang/lib/python3.13/site-packages:/var/runtime""#,
                    ),
                    ("/warnings", "[]"),
                ],
            ),
            (&["--runtime", "python3.12"], &[("/environment/edits", "[]")]),
        ],
    ),
    (
        "\"UNSET\": null",
        &[(
            &[
                "--runtime",
                "java21",
                "--env",
                "DEFAULT=mine",
                "--env",
                "PATH=/bin",
                "--env",
                "UNSET=x",
            ],
            &[
                ("/environment/edits/1/after", "null"),
                ("/environment/edits/2/after", r#""mine""#),
                ("/environment/edits/3/after", r#""/bin:/opt/tools""#),
                // There is no separator if the variable was unset.
                ("/environment/edits/4/after", r#""-javaagent:/opt/agent.jar""#),
                ("/environment/edits/5/after", r#""app.Handler::handleRequest""#),
                ("/environment/edits/6/after", r#""wrapper.handler""#),
            ],
        )],
    ),
    (
        "\"remove\"",
        &[(
            &[
                "--env",
                "ORIG_HANDLER=a.H",
                "--env",
                "_HANDLER=w.H",
                "--",
                "java",
                "-XX:-TieredCompilation",
                "-Xshare:on",
                "-classpath",
                "a.jar",
                "Main",
                "a.H",
            ],
            &[
                (
                    "/command_line/options",
                    r#"["-XX:+TieredCompilation", "-Xshare:auto", "-classpath",
                        "a.jar:/opt/lib/agent.jar",
                        "-Djava.net.preferIPv4Stack=true"]"#,
                ),
                ("/command_line/arguments", r#"["w.H"]"#),
            ],
        )],
    ),
    (
        "\"architecture\"",
        &[(
            &["--runtime", "python3.12"],
            &[
                ("/command_line/edits", "[]"),
                ("/skipped/0/why/0", r#""the runtime is python3.12, wanted java or provided""#),
            ],
        )],
    ),
    (
        "\"wrappers\"",
        &[
            (
                &["--runtime", "python3.12"],
                &[
                    ("/wrappers/0/path", r#""/opt/datadog_wrapper""#),
                    ("/wrappers/0/name", r#""datadog_wrapper""#),
                    ("/wrappers/1/name", r#""otel""#),
                    ("/wrappers/1/env/0/after", r#""-Dmine=1""#),
                    ("/wrappers/1/last", "false"),
                ],
            ),
            (
                &["--runtime", "python3.12", "--env", "OTEL_OFF=1"],
                &[("/wrappers/1", "null"), ("/skipped/0/name", r#""otel""#)],
            ),
        ],
    ),
    (
        "\"before_snapshot\"",
        &[
            (
                &["--runtime", "nodejs22.x", "--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start"],
                &[
                    ("/relay/needed", "true"),
                    ("/phases/1/run_by", r#""relay""#),
                    ("/phases/1/limit_ms", "120000"),
                    ("/phases/2/limit_ms", "8000"),
                    ("/phases/2/hooks/0/limit_ms", "2000"),
                ],
            ),
            (
                &["--runtime", "nodejs22.x"],
                &[("/relay/needed", "false"), ("/phases/2/run_by", r#""nobody""#)],
            ),
        ],
    ),
    (
        "\"deregister\"",
        &[(
            &["--runtime", "ruby3.4", "--env", "SERVICE_ID=7"],
            &[
                ("/extension/needed", "true"),
                ("/phases/3/hooks/0/name", r#""flush""#),
                ("/phases/3/hooks/1/command", r#"["/opt/bin/deregister", "7"]"#),
            ],
        )],
    ),
];

#[test]
fn every_example_is_planned_as_described() {
    for configuration in configurations() {
        let known: Vec<_> =
            EXAMPLES.iter().filter(|(holding, _)| configuration.contains(holding)).collect();
        let [(_, said)] = known[..] else {
            panic!("{} rows are about this example: {configuration}", known.len())
        };
        for (arguments, expected) in *said {
            let plan = plan(&configuration, arguments);
            for (place, value) in *expected {
                let value: Value = serde_json::from_str(value).expect("JSON");
                assert_eq!(
                    plan.pointer(place).unwrap_or(&json!(null)),
                    &value,
                    "{place} of {configuration}"
                );
            }
        }
    }
}

#[test]
fn every_example_of_the_layer_has_a_plan() {
    for (example, runtime, expected) in [
        (
            include_str!("../../layer/examples/opentelemetry-java.json"),
            "java21",
            "JAVA_TOOL_OPTIONS",
        ),
        (
            include_str!("../../layer/examples/opentelemetry-node.json"),
            "nodejs22.x",
            "NODE_OPTIONS",
        ),
        (include_str!("../../layer/examples/opentelemetry-python.json"), "python3.12", "_HANDLER"),
    ] {
        let plan = plan(example, &["--runtime", runtime]);
        let edits = plan["environment"]["edits"].as_array().expect("a list");
        assert!(
            edits.iter().any(|edit| edit["name"] == expected && edit["changed"] == true),
            "{plan:#}"
        );
    }
}

#[test]
fn every_key_of_the_plan_in_json_is_documented() {
    fn keys(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                all.push(key.clone());
                keys(value, all);
            }),
            _ => {}
        }
    }
    let plan: Value =
        serde_json::from_str(include_str!("tool_plan/everything.json")).expect("JSON");
    let mut all = Vec::new();
    keys(&plan, &mut all);
    assert!(all.len() > 100);
    let documentation = everything();
    for key in all.iter().filter(|key| !["text", "bytes"].contains(&key.as_str())) {
        assert!(documentation.contains(&format!("`{key}`")), "{key}");
    }
}
