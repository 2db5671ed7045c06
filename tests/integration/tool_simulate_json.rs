//! What `foreword simulate` tells programs, and with it what a function finds in its environment.

use crate::support::Test;
use crate::support::timeline::timeless;
use crate::tool_simulate::{HANDLER, all_hooks, objects, outside, python};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn simulation_in_json_has_one_object_per_line() {
    let test = python(&["--snap-start", "--format", "json", "--event", r#"{"n": 1}"#])
        .file("app.py", HANDLER);
    let mut told = objects(test.config(&all_hooks().to_string()), 0);
    for object in &mut told {
        if let Some(duration) = object.get_mut("durationMs") {
            assert!(duration.take().is_u64());
        }
        if let Some(message) = object.get_mut("message") {
            *message = timeless(message.as_str().expect("a text").as_bytes()).trim_end().into();
        }
    }
    let hook = |phase: &str, name: &str, limit: u64| {
        let command = json!({"type": "log", "line": format!("the command of {name}")});
        let hook = json!({
            "type": "hook", "phase": phase, "hook": name, "outcome": "success", "durationMs": null,
                "limitMs": limit,
            "message": "succeeded after N ms",
        });
        [command, hook]
    };
    let log = |line: &str| [json!({"type": "log", "line": line})];
    let begin =
        |stage: &str, limit: Value| [json!({"type": "begin", "stage": stage, "limitMs": limit})];
    let end = |stage: &str, limit: Value| {
        [json!({"type": "end", "stage": stage, "durationMs": null, "limitMs": limit})]
    };
    let runtime = |what: &str, limit: u64| {
        [json!({"type": "runtime", "what": what, "durationMs": null, "limitMs": limit})]
    };
    let request = "00000000-0000-4000-8000-000000000001";
    let numbered = |[mut object]: [Value; 1]| {
        object["invocation"] = json!(1);
        [object]
    };
    let expected: Vec<Value> = [
        &begin("init", json!(130_000))[..],
        &hook("initialize", "one", 10_000),
        &hook("initialize", "two", 10_000),
        &log("the handler loads"),
        &log("the handler's before_snapshot b"),
        &log("the handler's before_snapshot a"),
        &hook("before_snapshot", "four", 30_000),
        &hook("before_snapshot", "three", 30_000),
        &runtime("loads, its own hooks", 130_000),
        &end("init", json!(130_000)),
        &begin("snapshot", Value::Null),
        &end("snapshot", Value::Null),
        &begin("restore", json!(10_000)),
        &hook("after_restore", "five", 8_000),
        &hook("after_restore", "six", 8_000),
        &log("the handler's after_restore a"),
        &log("the handler's after_restore b"),
        &runtime("its own hooks", 10_000),
        &end("restore", json!(10_000)),
        &numbered(begin("invocation", json!(3_000))),
        &[json!({"type": "event", "invocation": 1, "requestId": request, "event": {"n": 1}})],
        &log("the handler handles {'n': 1}"),
        &[json!({"type": "answer", "invocation": 1, "requestId": request,
            "answer": {"event": {"n": 1}}})],
        &numbered(end("invocation", json!(3_000))),
        &begin("shutdown", Value::Null),
        &end("shutdown", Value::Null),
        &[json!({"type": "result", "outcome": "success"})],
    ]
    .concat();
    assert_eq!(told, expected);
}

/// Whatever foreword leaves in an environment that was restored, the next one does not find it.
#[test]
fn restores_of_several_environments_are_separate() {
    let hooks = json!({"hooks": {"after_restore": [{"name": "a",
        "command": "echo restored >>$OUT/order"}]}});
    let test =
        python(&["--snap-start", "--restores", "3", "--format", "json"]).file("app.py", HANDLER);
    let outside = outside();
    let (test, path) = (test.env("OUT", outside.path()), outside.path().join("order"));
    let run = test.config(&hooks.to_string()).start();
    let captured = run.finish();
    assert_eq!(captured.status, 0, "{}", String::from_utf8_lossy(&captured.stdout));
    assert_eq!(std::fs::read_to_string(path).expect("the order"), "restored\n".repeat(3));
    let told: Vec<Value> =
        captured.stdout.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
    let of = |kind: &str| {
        told.iter().filter(|object| object["type"] == kind).cloned().collect::<Vec<_>>()
    };
    assert_eq!(of("environment").len(), 3);
    assert_eq!(of("answer").len(), 3);
    let [first, second, third] = &of("event")[..] else { panic!("{told:?}") };
    assert!(first["requestId"] != second["requestId"] && second["requestId"] != third["requestId"]);
}

/// As Lambda gives it; what else there is comes from the user.
#[test]
fn function_finds_lambda_s_environment() {
    let handler = "import os\ndef handler(event, context):\n    return [dict(os.environ), \
                   context.memory_limit_in_mb]\n";
    let answer = |test: Test| {
        let told = objects(
            test.file("app.py", handler).env("MINE", "kept").env("AWS_LAMBDA_MAX_CONCURRENCY", "2"),
            0,
        );
        told.into_iter().find(|object| object["type"] == "answer").expect("an answer")["answer"]
            .clone()
    };
    let options = ["--format", "json", "--memory", "512", "--runtime", "python3.11"];
    let test =
        python(&options).env("FOREWORD_LOG", "off").env("AWS_DEFAULT_REGION", "eu-central-1");
    let directory = test.path("").display().to_string();
    let directory = directory.trim_end_matches('/').to_owned();
    let name = Path::new(&directory)
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name")
        .to_owned();
    let answer_on_demand = answer(test);
    let environ = &answer_on_demand[0];
    for (variable, value) in [
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11"),
        ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_NAME", &name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{name}")),
        ("AWS_REGION", "eu-central-1"),
        ("FOREWORD_LOG", "info"),
        ("LAMBDA_TASK_ROOT", &directory),
        ("MINE", "kept"),
        ("_HANDLER", "app.handler"),
    ] {
        assert_eq!(environ[variable], value, "{variable}");
    }
    assert!(environ.get("AWS_LAMBDA_MAX_CONCURRENCY").is_none());
    assert_eq!(answer_on_demand[1], "512");

    let test = python(&["--snap-start", "--format", "json", "--runtime", "provided.al2023"]);
    let environ = answer(
        test.env("AWS_EXECUTION_ENV", "x")
            .env("FOREWORD_LOG", "debug")
            .env("AWS_REGION", "eu-west-1"),
    );
    for (variable, value) in [
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"),
        ("AWS_REGION", "eu-west-1"),
        ("FOREWORD_LOG", "debug"),
    ] {
        assert_eq!(environ[0][variable], value, "{variable}");
    }
    assert!(environ[0].get("AWS_EXECUTION_ENV").is_none());
}

/// The names of the variables that the function finds.
fn names(test: Test) -> Vec<String> {
    let handler = "import os\ndef handler(event, context):\n    return list(os.environ)\n";
    let told = objects(test.file("app.py", handler), 0);
    let answer = told.iter().find(|object| object["type"] == "answer").expect("an answer");
    serde_json::from_value(answer["answer"].clone()).expect("names")
}

#[test]
fn function_before_a_snapshot_finds_no_keys_and_no_log_names() {
    const MISSING: [&str; 7] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
    ];
    let with_keys = |options: &[&str]| {
        let test = python(&[options, &["--format", "json"]].concat());
        MISSING.iter().fold(test, |test, name| test.env(name, "given")).env("AWS_PROFILE", "mine")
    };
    let has = |names: &[String], wanted: &[&str]| {
        wanted.iter().filter(|name| names.iter().any(|known| known == *name)).count()
    };
    const INSTEAD: [&str; 2] =
        ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    const KEPT: [&str; 1] = ["AWS_PROFILE"];
    for (options, missing, instead) in [(&["--snap-start"][..], 0, 2), (&[], MISSING.len(), 0)] {
        let names = names(with_keys(options));
        let found = (has(&names, &MISSING), has(&names, &INSTEAD), has(&names, &KEPT));
        assert_eq!(found, (missing, instead, 1), "{names:?}");
    }
    // Without keys there is nothing to hand out, and that is said.
    let captured =
        python(&["--snap-start"]).file("app.py", "def handler(event, context): pass\n").capture();
    let output = String::from_utf8_lossy(&captured.stdout);
    assert!(output.contains("there are no credentials: "), "{output}");
}
