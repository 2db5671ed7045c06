//! A wrapper that is known to execute something of its own: it gets the runtime's own program and
//! nothing of foreword's, and whatever would have to be done behind it is refused before anything
//! is started.

use crate::support::extension::{echo, lambda, succeeded};
use crate::support::{Reaction, RuntimeApi, Test, foreword};
use serde_json::{Value, json};
use std::time::Duration;

/// Says what it was given, and executes something of its own.
const LAST: &str = "#!/bin/sh
echo \"last [$*] $AWS_LAMBDA_EXEC_WRAPPER $OPTIONS $(env | grep -c ^FOREWORD_STAGE)\" >>log
ls -d $TMPDIR/foreword-stand-in-* >>log 2>/dev/null
exec ./own
";

const WRAPPER: &str = "#!/bin/sh\necho one >>log\nOPTIONS=one exec \"$@\" --one\n";

fn test(config: &Value) -> Test {
    let test = Test::new()
        .script("last", LAST)
        .script("one", WRAPPER)
        .script("own", "#!/bin/sh\necho own >>log\n");
    let test = test
        .script("bin/python3.12", "#!/bin/sh\necho runtime >>log\n")
        .config(&config.to_string());
    let test = test
        .file("tmp/x", "")
        .env("TMPDIR", "<folder>/tmp")
        .env("AWS_LAMBDA_EXEC_WRAPPER", foreword());
    test.env("FOREWORD_LOG", "warn").args(["bin/python3.12", "app.py"])
}

fn last() -> Value {
    json!({"path": "./last", "last": true})
}

#[test]
fn last_wrapper_receives_the_program_itself_and_no_stage() {
    let finished = test(&json!({"env": {"OPTIONS": "edited"}, "wrappers": [last()]})).run();
    assert_eq!(finished.read("log"), "last [bin/python3.12 app.py] ./last edited 0\nown\n");
}

#[test]
fn last_wrapper_after_another_receives_its_environment_and_no_stage() {
    let one = json!({"path": "./one", "env": {"OPTIONS": {"append": "edited", "separator": "-"}}});
    let finished = test(&json!({"wrappers": [one, last()]})).run();
    assert_eq!(
        finished.read("log"),
        "one\nlast [bin/python3.12 app.py --one] ./last one-edited 0\nown\n"
    );
    assert_eq!(std::fs::read_dir(finished.directory.path("tmp")).expect("a directory").count(), 1);
}

/// Whoever was wrong about it loses nothing but what is refused anyway.
#[test]
fn last_wrapper_that_comes_back_starts_the_runtime() {
    let config = json!({"wrappers": [{"path": "./one", "last": true}]});
    assert_eq!(test(&config).run().read("log"), "one\nruntime\n");
    assert_eq!(
        test(&json!({"wrappers": [{"path": "./one", "last": false}]})).run().read("log"),
        "one\nruntime\n"
    );
}

#[test]
fn last_wrapper_that_another_one_names_stays_last() {
    let naming = "#!/bin/sh\necho naming >>log\nAWS_LAMBDA_EXEC_WRAPPER=./last exec \"$@\"\n";
    let config = json!({"wrappers": ["./naming", "./one", last()]});
    let finished = test(&config).script("naming", naming).run();
    assert_eq!(
        finished.read("log"),
        "naming\none\nlast [bin/python3.12 app.py --one] ./last one 0\nown\n"
    );
}

#[test]
fn last_wrapper_that_cannot_be_executed_is_named() {
    for wrappers in [
        json!([{"path": "./none", "last": true}]),
        json!(["./one", {"path": "./none", "last": true}]),
    ] {
        let cause = "foreword: wrapper \"none\": unable to execute \"./none\": no such file\n";
        test(&json!({"wrappers": wrappers})).stderr(cause).status(127).run();
    }
}

/// It would be entered for ever.
#[test]
fn foreword_as_the_last_wrapper_is_refused() {
    for wrappers in [
        json!([{"path": foreword(), "last": true}]),
        json!(["./one", {"path": foreword(), "last": true}]),
    ] {
        let cause = format!(
            "foreword: the wrapper {:?} is foreword itself; take it out of \"wrappers\"\n",
            foreword()
        );
        test(&json!({"wrappers": wrappers})).stderr(cause).status(125).run();
    }
}

/// What is said about a configuration: by the wrapper, which starts nothing, by the plan, and by
/// `check`.
#[track_caller]
fn refuses(config: &str, prepare: impl Fn(Test) -> Test, message: &str) {
    let api = RuntimeApi::new(Reaction::Accept);
    let hook = r#"{"hooks": {"initialize": [{"name": "started", "command": ">started"}]}}"#;
    let test = || prepare(Test::new().config(config).file("foreword.d/a.json", hook));
    let wrapper = test()
        .runtime_api(&api)
        .args(["./python3.12"])
        .stderr(format!("foreword: {message}\n"))
        .status(125);
    assert!(!wrapper.run().directory.path("started").exists(), "something was started");
    let [request] = &api.requests()[..] else { panic!("{:?}", api.requests()) };
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(
        body,
        json!({"errorMessage": message, "errorType": "Runtime.ForewordConfigInvalid",
            "stackTrace": []})
    );
    #[cfg(feature = "tool")]
    {
        let captured = prepare(Test::new().config(config)).args(["check"]).capture();
        let (place, message) = message.split_once(": ").expect("a place");
        let output = String::from_utf8_lossy(&captured.stdout);
        // It knows where in a rule the key stands.
        let found = output.lines().next().expect("a line").to_owned();
        let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        assert_eq!(
            (shape(&found), captured.status),
            (shape(&format!("{place}: error: {message}")), 1),
            "{output}"
        );
        assert!(found.starts_with(place), "{found}");
    }
}

#[test]
fn edits_of_the_command_line_with_a_last_wrapper_are_refused() {
    for (key, edit) in [
        ("options", r#"{"append": ["-X"]}"#),
        ("arguments", r#"{"append": ["x"]}"#),
        ("entry", r#""x""#),
        ("program", r#""x""#),
        ("prefix", r#"["x"]"#),
    ] {
        let config =
            format!(r#"{{"wrappers": [{{"path": "/w", "last": true}}], "{key}": {edit}}}"#);
        let message = format!(
            "FOREWORD_CONFIG:1:15: unable to edit {key:?} (FOREWORD_CONFIG:1:1) behind the \
             wrapper \"/w\": it is \"last\" and never comes back; remove the edit, or let their \
             conditions exclude each other"
        );
        refuses(&config, |test| test, &message);
    }
}

#[test]
fn wrapper_after_a_last_one_is_refused() {
    let message = "FOREWORD_CONFIG:1:15: unable to run the wrapper \"second\" \
                   (FOREWORD_CONFIG:1:45) behind the wrapper \"/w\": it is \"last\" and never \
                   comes back; name it before that one, or let their conditions exclude each other";
    let config =
        r#"{"wrappers": [{"path": "/w", "last": true}, {"path": "/x", "name": "second"}]}"#;
    refuses(config, |test| test, message);
}

#[test]
fn snapshot_hooks_with_a_last_wrapper_are_refused() {
    for phase in ["before_snapshot", "after_restore"] {
        let config = format!(
            r#"{{"wrappers": [{{"path": "/w", "last": true}}], "hooks": {{"{phase}": [{{"name": "h", "command": "x"}}]}}}}"#
        );
        let place = config.find("{\"name\"").expect("a hook") + 1;
        let message = format!(
            "FOREWORD_CONFIG:1:15: unable to run the hook \"h\" ({phase}, \
             FOREWORD_CONFIG:1:{place}), which takes the relay, behind the wrapper \"/w\": it is \
             \"last\" and never comes back; remove the hook, or let their conditions exclude each \
             other"
        );
        refuses(&config, |test| test.env("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"), &message);
        // Where there is no snapshot they would not run anyway.
        let config = config.replace("\"/w\"", "\"./last\"");
        let test =
            test(&json!({})).config(&config).env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
        assert_eq!(test.run().read("log").lines().last(), Some("own"));
    }
}

/// Wherever the two meet.
#[test]
fn last_wrapper_s_own_env_is_refused() {
    for config in [
        r#"{"wrappers": [{"path": "/w", "last": true, "env": {"A": "1"}}]}"#,
        r#"{"wrappers": [{"path": "/w", "last": true, "env": {}, "when": {"file": "/none"}}]}"#,
    ] {
        let message = "FOREWORD_CONFIG:1:44: unable to edit \"env\" behind the wrapper \"/w\": it \
                       is \"last\" and never comes back; remove one of the two";
        refuses(config, |test| test, message);
    }
}

#[test]
fn rules_that_exclude_the_last_wrapper_are_accepted() {
    let when = json!({"env": {"ADAPTER": true}});
    let config = json!({
        "wrappers": [{"path": "./last", "last": true, "when": when}],
        "rules": [{"when": {"not": when}, "options": {"append": ["-X"]}, "wrappers": ["./one"]}]
    });
    assert_eq!(test(&config).env("ADAPTER", "1").run().read("log").lines().last(), Some("own"));
    assert_eq!(test(&config).run().read("log"), "one\nruntime\n");
    #[cfg(feature = "tool")]
    assert_eq!(test(&config).args(["check"]).capture().status, 0);
}

/// It is told of them before, with the environment that the wrapper is given.
#[test]
fn pre_stop_hooks_with_a_last_wrapper_are_handed_over_first() {
    for wrappers in [json!([last()]), json!(["./one", last()])] {
        let lambda = lambda();
        let told = json!({"name": "told", "command": "echo \"$EDITED $EXPORTED $OPTIONS\""});
        let config = json!({
            "env": {"EDITED": "edited"},
            "wrappers": wrappers,
            "hooks": {
                "initialize": [{"name": "h", "command": "echo EXPORTED=exported",
                    "export": "dotenv"}],
                "pre_stop": [echo("first"), told]
            }
        });
        let mut extension = Test::new().config(&config.to_string());
        let wrapper = test(&config).beside(&mut extension).runtime_api(&lambda);
        let run = extension.waits(&lambda);
        wrapper.run();
        lambda.shutdown("spindown", Duration::from_millis(1900));
        let option =
            if wrappers.as_array().is_some_and(|list| list.len() == 2) { "one" } else { "" };
        let stderr = [succeeded("told"), succeeded("first")].concat();
        run.ends(&format!("edited exported {option}\nfirst\n"), &stderr);
    }
}
