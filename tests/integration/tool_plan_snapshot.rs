//! `foreword plan` on a start around a snapshot: the relay is planned where there is one, and
//! changes nothing else.

use crate::support::snap_start::noting;
use crate::support::{DUMP, Test};
use serde_json::{Value, json};
use std::fs;

/// What nobody connects to.
const NOWHERE: &str = "127.0.0.1:1";

/// The address is given: a shell that has it is in a function, where every word is a program.
const PLAN: [&str; 5] = ["plan", "--format", "json", "--env", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"];

fn hooked() -> Test {
    let hooks = |phase: &str| json!([noting(phase, "a"), noting(phase, "b")]);
    Test::new()
        .snap_start(NOWHERE)
        .snapshot_hooks(hooks("before"), hooks("after"))
        .script("runtime", DUMP)
}

fn plan_of_runtime() -> Vec<&'static str> {
    [&PLAN[..], &["--", "./runtime"]].concat()
}

fn unaddressed(test: Test) -> Test {
    test.env_remove("AWS_LAMBDA_RUNTIME_API")
}

#[test]
fn runtime_with_a_relay_receives_the_plan_except_for_the_address() {
    let test = unaddressed(hooked()).args(plan_of_runtime());
    let planned: Value = serde_json::from_slice(&test.capture().stdout).expect("JSON");
    assert_eq!(planned["relay"]["needed"], true);
    assert_eq!(
        (&planned["phases"][1]["run_by"], &planned["phases"][2]["run_by"]),
        (&json!("relay"), &json!("relay"))
    );
    let names =
        |phase: usize| [0, 1].map(|at| planned["phases"][phase]["hooks"][at]["name"].clone());
    assert_eq!((names(1), names(2)), ([json!("b"), json!("a")], [json!("a"), json!("b")]));

    let captured = test.runtime_api(NOWHERE).args(["./runtime"]).capture();
    let output = String::from_utf8(captured.stdout).expect("text");
    let (line, environment) = output.split_once("\0\n").expect("what a runtime received");
    let words: Vec<_> = line.split('\0').skip(1).collect();
    assert_eq!(json!(words), planned["command_line"]["words"]);
    let mut expected: Vec<String> =
        serde_json::from_value(planned["environment"]["entries"].clone()).expect("texts");
    let mut found: Vec<_> = environment.split_terminator('\0').map(str::to_owned).collect();
    let address = |list: &mut Vec<String>| {
        // The shell that lays out the run's directories has an order of its own.
        list.sort();
        let at = list.iter().position(|entry| entry.starts_with("AWS_LAMBDA_RUNTIME_API="));
        list.remove(at.expect("an address"))
    };
    assert_eq!(address(&mut expected), format!("AWS_LAMBDA_RUNTIME_API={NOWHERE}"));
    let address = address(&mut found);
    assert!(
        address.starts_with("AWS_LAMBDA_RUNTIME_API=127.0.0.1:") && !address.ends_with(":1"),
        "{address}"
    );
    // A configuration may hold secrets.
    found.iter_mut().filter(|entry| entry.starts_with("FOREWORD_CONFIG=")).for_each(|entry| {
        *entry = "FOREWORD_CONFIG=[redacted]".into();
    });
    assert_eq!(found, expected);
}

#[test]
fn hooks_after_a_reset_are_planned_for_the_wrapper() {
    let test = || {
        let test = hooked();
        fs::write(test.marker(), "").expect("unable to leave a marker");
        test
    };
    let captured = unaddressed(test()).args(plan_of_runtime()).capture();
    let planned: Value = serde_json::from_slice(&captured.stdout).expect("JSON");
    let run_by = |phase: usize| planned["phases"][phase]["run_by"].clone();
    assert_eq!((run_by(1), run_by(2)), (json!("nobody"), json!("wrapper")));
    assert_eq!(planned["relay"]["needed"], false);
    // What Lambda starts is fresh, whatever this machine has in /tmp.
    let arguments = ["--env", "AWS_LAMBDA_INITIALIZATION_TYPE", "--runtime", "ruby3.4"];
    let captured = unaddressed(test()).args([&PLAN[..], &arguments].concat()).capture();
    let planned: Value = serde_json::from_slice(&captured.stdout).expect("JSON");
    assert_eq!(planned["relay"]["needed"], true, "{planned:#}");
}

#[test]
fn snapshot_hooks_that_the_wrapper_refuses_have_no_plan() {
    let adapted =
        || hooked().script("opt/extensions/lambda-adapter", "#!/bin/sh\n").over("opt", "/opt");
    let refused = adapted().args(["./runtime"]).capture();
    let planned = unaddressed(adapted()).args(plan_of_runtime()).capture();
    assert_eq!((refused.status, planned.status, &planned.stdout[..]), (125, 1, &b""[..]));
    assert_eq!(planned.stderr, refused.stderr);
}
