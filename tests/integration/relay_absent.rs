//! When there is no relay: where nothing is to be done around a snapshot, where it could do
//! nothing, and after a reset of an environment that was restored already.

use crate::support::client::{RESTORE_NEXT, status_of};
use crate::support::lambda::{Call, Lambda, Settings};
use crate::support::snap_start::noting;
use crate::support::{BUSY, Reaction, RuntimeApi, Test, epoch_milliseconds, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{Duration, Instant};

/// Says where its Runtime API is.
const TELL: [&str; 3] = ["/bin/sh", "-c", "echo ${AWS_LAMBDA_RUNTIME_API-unset}"];

/// What nobody connects to: a relay would show in the address, and needs no answer before its time.
const NOWHERE: &str = "127.0.0.1:1";

fn hooked() -> Test {
    let hooks = |phase: &str| json!([noting(phase, "a")]);
    Test::new().snap_start(NOWHERE).snapshot_hooks(hooks("before"), hooks("after")).args(TELL)
}

/// The runtime has the address that Lambda gave, no hook has run, and nothing is said about it.
#[track_caller]
fn leaves_alone(test: Test, address: &str) {
    let order = test.path("order");
    let finished = test.stdout(format!("{address}\n")).run();
    assert!(finished.is_alone() && !order.exists());
}

#[test]
fn on_demand_environment_has_no_relay() {
    for kind in ["on-demand", "provisioned-concurrency", "lambda-managed-instances", ""] {
        leaves_alone(hooked().env("AWS_LAMBDA_INITIALIZATION_TYPE", kind), NOWHERE);
    }
    leaves_alone(hooked().env_remove("AWS_LAMBDA_INITIALIZATION_TYPE"), NOWHERE);
}

#[test]
fn managed_instance_has_no_relay() {
    leaves_alone(hooked().env("AWS_LAMBDA_MAX_CONCURRENCY", "16"), NOWHERE);
}

#[test]
fn function_without_a_runtime_api_has_no_relay() {
    let warning = "foreword: the hooks around the snapshot are not run: AWS_LAMBDA_RUNTIME_API is \
                   not set; foreword simulate runs them\n";
    leaves_alone(hooked().env_remove("AWS_LAMBDA_RUNTIME_API").stderr(warning), "unset");
    leaves_alone(hooked().env("AWS_LAMBDA_RUNTIME_API", "").stderr(warning), "");
}

#[test]
fn function_without_a_hook_that_applies_has_no_relay() {
    let bare = || Test::new().snap_start(NOWHERE).args(TELL);
    leaves_alone(bare(), NOWHERE);
    leaves_alone(bare().snapshot_hooks(json!([]), json!([])), NOWHERE);
    let unmet = json!({"name": "x", "command": "echo x >>order", "when": {"env": {"PATH": false}}});
    leaves_alone(bare().snapshot_hooks(json!([unmet]), json!([unmet])), NOWHERE);
}

#[test]
fn foreword_that_is_disabled_starts_no_relay() {
    leaves_alone(hooked().env("FOREWORD_DISABLED", "1"), NOWHERE);
}

/// What applies in the first environment applies there alone.
#[test]
fn function_with_all_preconditions_has_a_relay() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked().snap_start(&lambda).play();
    assert_ne!(runtime.address, lambda.address());
    runtime.restored(&lambda);
    assert_eq!(runtime.order(), "before a\nafter a\n");
    runtime.end("");
}

/// The adapter speaks to the Runtime API from an extension of its own, past the relay.
#[test]
fn lambda_web_adapter_with_snapshot_hooks_is_refused() {
    let api = RuntimeApi::new(Reaction::Accept);
    let adapted = |test: Test| {
        test.script("opt/extensions/lambda-adapter", "#!/bin/sh\n").over("opt", "/opt")
    };
    let captured = adapted(hooked()).runtime_api(&api).capture();
    let stderr = String::from_utf8(captured.stderr).expect("text");
    assert_eq!((captured.stdout.as_slice(), captured.status), (&b""[..], 125), "{stderr}");
    let message =
        stderr.strip_prefix("foreword: ").and_then(|line| line.strip_suffix('\n')).expect("a line");
    assert!(
        message.contains("/opt/extensions/lambda-adapter") && !message.contains('\n'),
        "{message}"
    );
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    assert_eq!((&*request.method, &*request.path), ("POST", "/2018-06-01/runtime/init/error"));
    let error_type = "Runtime.ForewordConfigInvalid";
    assert_eq!(request.header("lambda-runtime-function-error-type"), Some(error_type));
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body, json!({"errorMessage": message, "errorType": error_type, "stackTrace": []}));

    // Where there is no relay it does no harm.
    leaves_alone(adapted(hooked()).env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"), NOWHERE);
    leaves_alone(adapted(Test::new().snap_start(NOWHERE)).args(TELL), NOWHERE);
}

/// As the environment is after a reset: whatever the first life left is there.
fn reset(test: Test) -> Test {
    fs::write(test.marker(), "").expect("unable to leave a marker");
    test
}

#[test]
fn marker_is_made_after_the_restore() {
    let lambda = Lambda::new(Settings::default());
    let test = hooked().snap_start(&lambda);
    let marker = test.marker();
    let runtime = test.play();
    let mut client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    assert!(!marker.exists());
    lambda.restore().unwrap();
    assert_eq!(status_of(&client.reply()), 200);
    runtime.wait_for_marker();
    let metadata = fs::symlink_metadata(&marker).expect("a marker");
    assert!(metadata.is_file());
    assert_eq!(metadata.mode() & 0o777, 0o600);
    let first = runtime.end("");
    assert_eq!(first.order(), "before a\nafter a\n");
}

/// Whoever can write there could lead foreword elsewhere.
#[test]
fn marker_is_not_made_through_a_symlink() {
    let lambda = Lambda::new(Settings::default());
    let test = hooked().snap_start(&lambda);
    let (marker, elsewhere) = (test.marker(), test.path("elsewhere"));
    let runtime = test.play();
    let client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    symlink(&elsewhere, &marker).expect("unable to make a link");
    lambda.restore().unwrap();
    let mut client = runtime.is_restored(client);
    // The relay goes on: it is the one between them that has seen to the end of the restore.
    client.request("GET /2018-06-01/runtime/invocation/next", "");
    lambda.hand_out("{}").unwrap();
    assert_eq!(status_of(&client.reply()), 200);
    runtime.run.terminate();
    assert!(runtime.run.finished.is_alone() && !elsewhere.exists());
}

/// `/tmp` is empty when a function starts. Seen from inside, the test's directory is where it was.
#[test]
fn marker_directory_that_is_missing_is_made() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new();
    let made = test.path("tmp/.foreword");
    let runtime = test
        .over("tmp", "/tmp")
        .runtime_api(&lambda)
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        .snapshot_hooks(json!([]), json!([noting("after", "a")]))
        .play();
    let mut client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    assert_eq!(status_of(&client.reply()), 200);
    assert!(wait_until(BUSY, || made.join("restored").is_file()));
    assert_eq!(fs::metadata(&made).expect("a directory").mode() & 0o777, 0o700);
    runtime.end("");
}

#[test]
fn after_restore_hooks_after_a_reset_run_after_initialize_hooks() {
    let export = json!({"name": "export", "command": "echo initialize >>order; echo A=1",
        "export": "dotenv"});
    let look = json!({"name": "look", "command": "echo after $A $AWS_LAMBDA_RUNTIME_API >>order; \
     cat >context"});
    let hooks = json!({
        "initialize": [export],
        "before_snapshot": [noting("before", "never")],
        "after_restore": [noting("after", "first"), look],
    });
    let config = json!({"hooks": hooks}).to_string();
    let test = reset(Test::new().snap_start(NOWHERE)).config(&config).args(TELL);
    let start = epoch_milliseconds();
    let finished = test
        .stdout(format!("{NOWHERE}\n"))
        .stderr(
            "foreword: hook \"export\" (initialize) succeeded after N ms, exported 1 \
             variable\nforeword: hook \"first\" (after_restore) succeeded after N ms\nforeword: \
             hook \"look\" (after_restore) succeeded after N ms\n",
        )
        .run();
    let end = epoch_milliseconds();
    assert!(finished.is_alone());
    assert_eq!(finished.read("order"), format!("initialize\nafter first\nafter 1 {NOWHERE}\n"));
    let context: Value = serde_json::from_str(&finished.read("context")).expect("JSON");
    assert_eq!((&context["phase"], &context["hook"]), (&json!("after_restore"), &json!("look")));
    let deadline = context["deadline_ms"].as_u64().expect("a time");
    assert!((start + 8000..=end + 8000).contains(&deadline), "{start} {deadline} {end}");
}

#[test]
fn after_restore_hook_that_fails_after_a_reset_prevents_the_runtime() {
    for (hook, what) in [
        (json!({"name": "x", "command": "exit 3"}), "exited with status 3 after N ms"),
        (
            json!({"name": "x", "command": "exec sleep 1000", "timeout_ms": 50}),
            "timed out after N ms (timeout_ms)",
        ),
    ] {
        let lambda = Lambda::new(Settings::default());
        let hooks = json!([hook, noting("after", "never")]);
        let test =
            reset(Test::new().snap_start(&lambda)).snapshot_hooks(json!([]), hooks).args(TELL);
        let message = format!("hook \"x\" (after_restore) {what}");
        let order = test.path("order");
        let finished = test.stderr(format!("foreword: {message}\n")).status(125).run();
        assert!(finished.is_alone() && !order.exists());
        let report = lambda.wait("a report", |seen| seen.report.clone()).unwrap();
        assert_eq!(
            (report.call, report.error_type.as_str()),
            (Call::InitError, "Runtime.AfterRestoreError")
        );
        let body: Value = serde_json::from_slice(&report.body).expect("JSON");
        let found = body["errorMessage"].as_str().expect("a message");
        assert!(
            found.starts_with("hook \"x\" (after_restore) ") && !found.ends_with('\n'),
            "{found}"
        );
        assert_eq!(lambda.seen().requests.len(), 1);
    }
}

#[test]
fn after_restore_hook_that_may_fail_after_a_reset_stops_nothing() {
    let hook = json!({"name": "x", "command": "exit 3", "on_failure": "continue"});
    let test = reset(Test::new().snap_start(NOWHERE))
        .snapshot_hooks(json!([]), json!([hook, noting("after", "b")]));
    let line = "foreword: hook \"x\" (after_restore) exited with status 3 after N ms (on_failure: \
                continue)\n";
    let finished = test.args(TELL).stdout(format!("{NOWHERE}\n")).stderr(line).run();
    assert_eq!(finished.read("order"), "after b\n");
}

#[test]
fn after_restore_hooks_after_a_reset_share_eight_seconds() {
    let first = json!({"name": "first", "command": "exec sleep 1", "timeout_ms": 60_000});
    let hooks = json!([first, {"name": "x", "command": "exec sleep 1000"}]);
    let test = reset(Test::new().snap_start(NOWHERE)).snapshot_hooks(json!([]), hooks).args(TELL);
    let start = Instant::now();
    let line = "foreword: hook \"x\" (after_restore) timed out after N ms (the 8000 ms of the \
                phase are over)\n";
    test.stderr(line).status(125).run();
    // The wait for the Runtime API that is not there is short: it refuses.
    assert!(
        (Duration::from_millis(7950)..Duration::from_millis(9500)).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
}
