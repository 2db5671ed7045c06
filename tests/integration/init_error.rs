//! What the Runtime API hears of a failure, and that a Runtime API with faults of its own changes
//! nothing else.

use crate::support::{REFUSED, Reaction, RuntimeApi, Test};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const FAILING_HOOK: &str = r#"{"hooks": {"initialize": [{"name": "x", "command": "exit 3"}]}}"#;
const MESSAGE: &str = r#"hook "x" (initialize) exited with status 3 after N ms"#;

fn failing() -> Test {
    let test = Test::new().config(FAILING_HOOK).args(["./runtime"]);
    test.script("runtime", "#!/bin/sh\necho started\n")
        .stderr(format!("foreword: {MESSAGE}\n"))
        .status(125)
}

#[test]
fn failure_with_a_runtime_api_is_posted_once() {
    let api = RuntimeApi::new(Reaction::Accept);
    failing().runtime_api(&api).run();
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert_eq!((&*request.method, &*request.path), ("POST", "/2018-06-01/runtime/init/error"));
    assert_eq!(
        request.header("lambda-runtime-function-error-type"),
        Some("Runtime.ForewordHookFailed")
    );
    assert_eq!(request.header("host"), Some(api.address()));
    let body: Value = serde_json::from_str(&request.body).expect("a body of JSON");
    let message = body["errorMessage"].as_str().expect("a message");
    assert!(
        message.starts_with(r#"hook "x" (initialize) exited with status 3 after "#),
        "{message}"
    );
    assert_eq!(
        body,
        json!({"errorMessage": message, "errorType": "Runtime.ForewordHookFailed",
            "stackTrace": []})
    );
}

#[test]
fn failure_without_a_runtime_api_is_the_same() {
    failing().run();
}

#[test]
fn failure_with_an_api_that_forbids_is_still_logged() {
    let api = RuntimeApi::new(Reaction::Forbid);
    failing().runtime_api(&api).run();
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn failure_with_an_api_that_closes_is_still_logged() {
    let api = RuntimeApi::new(Reaction::Close);
    failing().runtime_api(&api).run();
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn failure_with_an_api_that_refuses_is_still_logged() {
    failing().runtime_api(REFUSED).run();
}

#[test]
fn failure_with_an_api_that_hangs_gives_up_after_a_second() {
    let api = RuntimeApi::new(Reaction::Hang);
    let test = failing().runtime_api(&api);
    let start = Instant::now();
    test.run();
    // The rest of the limit is for a machine that is busy.
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    assert_eq!(api.requests().len(), 1);
}

#[test]
fn failure_is_posted_to_the_address_of_lambda() {
    let api = RuntimeApi::new(Reaction::Accept);
    let config =
        FAILING_HOOK.replacen('{', r#"{"env": {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"}, "#, 1);
    failing().config(&config).runtime_api(&api).run();
    assert_eq!(api.requests().len(), 1);
}
