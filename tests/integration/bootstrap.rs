//! OS-only runtimes: the emulator starts `/opt/bootstrap`, which is a link to foreword, without
//! arguments; a real function's executable, which `_HANDLER` names, becomes the runtime.

use crate::support::{Emulator, RestoringProxy, Test, real_part};
use serde_json::json;

/// Real functions; each answers with the event, and writes into the file that `CLIENT_LOG` names or
/// fails.
const FUNCTIONS: [&str; 2] = ["go/client", "rust/release/client"];

/// A function under the emulator, with the layer's bootstrap.
fn function(client: &str, test: Test) -> Emulator {
    let client = std::fs::read(real_part(client)).expect("a function");
    let test = test.script("function", client).named("opt/bootstrap");
    let lambda = [("NAME", "function"), ("VERSION", "1"), ("MEMORY_SIZE", "128")];
    let test = lambda
        .iter()
        .fold(test, |test, (name, value)| test.env(format!("AWS_LAMBDA_FUNCTION_{name}"), value));
    test.env("_HANDLER", "function").env("TMPDIR", "<folder>").emulate()
}

/// Before the runtime runs, and so before a snapshot is made: hooks, then wrappers.
#[test]
fn function_with_exports_and_wrappers_sees_their_variables() {
    for client in FUNCTIONS {
        let export = "echo hook >>\"$LAMBDA_TASK_ROOT/log\"; echo CLIENT_LOG=$LAMBDA_TASK_ROOT/log";
        let config = json!({
            "rules": [{
                "when": {"runtime": "provided"},
                "hooks": {"initialize": [{"name": "log", "command": export, "export": "dotenv"}]},
                "wrappers": ["${LAMBDA_TASK_ROOT}/wrapper"]
            }]
        });
        let wrapper = "#!/bin/sh\necho \"wrapper of ${1##*/}\" >>\"$CLIENT_LOG\"\nexec \"$@\"\n";
        let test = Test::new().script("wrapper", wrapper).config(&config.to_string());
        let log = test.path("log");
        let emulator = function(client, test);
        for count in 1..=2 {
            let answer = emulator.invoke(r#"{"key":"value"}"#);
            assert_eq!(
                (answer.status, answer.body),
                (200, json!({"key": "value"})),
                "{client}: {}",
                emulator.log()
            );
            let invocations: String =
                (1..=count).map(|number| format!("invoke {number}\n")).collect();
            let expected = format!("hook\nwrapper of function\n{invocations}");
            assert_eq!(std::fs::read_to_string(&log).expect("a log"), expected, "{client}");
        }
    }
}

/// The function's own hooks are the inner ones, if its runtime has such. In front of all that a
/// hook exports where the function writes, and a wrapper sets whom it speaks to.
#[test]
fn function_with_snapshot_hooks_and_wrappers_answers_the_event() {
    for (client, [before, after]) in
        FUNCTIONS.into_iter().zip([["", ""], ["before b\nbefore a\n", "after a\nafter b\n"]])
    {
        let note = |what: &str| json!([{"name": what, "command": format!("echo {what} >>log")}]);
        let export = "echo initialize >>log; echo CLIENT_LOG=$LAMBDA_TASK_ROOT/log";
        let config = json!({
            "hooks": {
                "initialize": [{"name": "log", "command": export, "export": "dotenv"}],
                "before_snapshot": note("before_snapshot"),
                "after_restore": note("after_restore"),
            },
            "wrappers": ["${LAMBDA_TASK_ROOT}/proxied"],
        });
        let test = Test::new().snap_start("").config(&config.to_string());
        let proxy = RestoringProxy::in_front_of(test.path("upstream"));
        let emulator = function(client, test.script("proxied", proxy.wrapper()));
        for count in 1..=2 {
            let answer = emulator.invoke(r#"{"key":"value"}"#);
            assert_eq!(
                (answer.status, answer.body),
                (200, json!({"key": "value"})),
                "{client}: {}",
                emulator.log()
            );
            let invocations: String =
                (1..=count).map(|number| format!("invoke {number}\n")).collect();
            let expected =
                format!("initialize\n{before}before_snapshot\nafter_restore\n{after}{invocations}");
            assert_eq!(emulator.read("log"), expected, "{client}");
        }
    }
}

#[test]
fn handler_that_names_no_file_is_reported_to_the_caller() {
    let test = Test::new().named("opt/bootstrap").env("_HANDLER", "missing");
    let answer = test.emulate().invoke("{}");
    let message = "unable to execute \"<folder>/missing\": no such file; let Handler name the \
                   function's executable";
    assert_eq!(
        answer.body,
        json!({"errorType": "Runtime.InvalidEntrypoint", "errorMessage": message, "stackTrace": []})
    );
}
