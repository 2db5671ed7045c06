//! A wrapper's own edits of the environment: made when the process comes back from it, in order,
//! and lost to nobody.

use crate::support::Test;
use serde_json::{Value, json};

/// Overwrites what other wrappers set as well, and says what it finds.
const WRAPPER: &str = "#!/bin/sh
echo \"${0##*/}: $OPTIONS $SEEN\" >>log
export OPTIONS=\"of ${0##*/}\"
exec \"$@\"
";

const RUNTIME: &str =
    "#!/bin/sh\necho \"runtime [$*]: ${OPTIONS-none} $SEEN $AWS_LAMBDA_EXEC_WRAPPER\" >>log\n";

fn test(config: &Value) -> Test {
    test_of(&config.to_string())
}

/// The same, with edits in the order written.
fn test_of(config: &str) -> Test {
    let test =
        Test::new().script("one", WRAPPER).script("two", WRAPPER).script("bin/python3.12", RUNTIME);
    let test = test.config(config).env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword");
    test.env("FOREWORD_LOG", "warn").args(["bin/python3.12", "app.py"])
}

#[track_caller]
fn log(config: &Value, expected: &str) {
    assert_eq!(test(config).run().read("log"), expected);
}

#[test]
fn variable_that_a_wrapper_overwrites_is_set_again_by_its_env() {
    let edit = |edit: Value| {
        let wrapper = json!({"path": "./one", "env": {"OPTIONS": edit}});
        json!({"env": {"OPTIONS": "mine"}, "wrappers": [wrapper]})
    };
    let runs = |edited: Value, options: &str| {
        let expected = format!("one: mine \nruntime [app.py]: {options}  /opt/bin/foreword\n");
        log(&edit(edited), &expected);
    };
    runs(json!("mine again"), "mine again");
    runs(json!({"append": "-Dmine=1", "separator": " "}), "of one -Dmine=1");
    runs(json!({"prepend": "${OPTIONS}", "separator": ","}), "of one,of one");
    runs(json!({"default": "mine"}), "of one");
    runs(json!(null), "none");
    log(
        &json!({"env": {"OPTIONS": "mine"}, "wrappers": ["./one"]}),
        "one: mine \nruntime [app.py]: of one  /opt/bin/foreword\n",
    );
}

/// Each sees what its wrapper left and the edits above it; the next wrapper and the command line
/// see it.
#[test]
fn edits_of_two_wrappers_are_each_applied_after_their_own() {
    let config = r#"{
        "wrappers": [
            {"path": "./one", "env": {"SEEN": "1:${OPTIONS}", "OPTIONS": "${SEEN}!"}},
            {"path": "./two", "env": {"SEEN": {"append": "2:${OPTIONS}:${AWS_LAMBDA_EXEC_WRAPPER}", "separator": "|"}}}
        ],
        "arguments": {"append": ["${SEEN}"]}
    }"#;
    assert_eq!(
        test_of(config).run().read("log"),
        "one:  \ntwo: 1:of one! 1:of one\nruntime [app.py 1:of one|2:of two:./two]: of two 1:of \
         one|2:of two:./two /opt/bin/foreword\n",
    );
}

/// Also one that only applies under a condition, and one that starts the runtime as a child, once
/// for each time.
#[test]
fn edits_of_wrappers_that_do_not_apply_are_skipped_at_every_return() {
    let env = json!({"SEEN": {"append": "x", "separator": ""}});
    let child = "#!/bin/sh\n\"$@\" --version\nexec \"$@\"\n";
    let config = json!({"wrappers": [
        {"path": "./one", "env": {"SEEN": "never"}, "when": {"env": {"NEVER": true}}},
        {"path": "./child", "env": env}
    ]});
    let log = test(&config).script("child", child).run().read("log");
    let runs = "runtime [app.py --version]: none x /opt/bin/foreword\nruntime [app.py]: none x \
                /opt/bin/foreword\n";
    assert_eq!(log, runs);
}

/// What a wrapper names in Lambda's variable is what is left there behind its edits.
#[test]
fn edit_of_the_variable_decides_the_next_wrapper() {
    let naming = "#!/bin/sh\necho naming >>log\nAWS_LAMBDA_EXEC_WRAPPER=./two exec \"$@\"\n";
    let names = |env: Value| {
        let config = json!({"wrappers": [{"path": "./naming", "env": env}]});
        test(&config).script("naming", naming).run().read("log").lines().count()
    };
    assert_eq!(names(json!({})), 3);
    assert_eq!(names(json!({"AWS_LAMBDA_EXEC_WRAPPER": null})), 2);
    assert_eq!(names(json!({"AWS_LAMBDA_EXEC_WRAPPER": "./one"})), 3);
}

/// A path sees the environment at its place, with what Lambda named there.
#[test]
fn path_of_a_wrapper_sees_the_variables_of_the_one_before() {
    let config = json!({"wrappers": [
        {"path": "./one", "env": {"NEXT": "./tw"}},
        "${NEXT}o",
        {"path": "${AWS_LAMBDA_EXEC_WRAPPER}", "when": {"env": {"AWS_LAMBDA_EXEC_WRAPPER": true}}}
    ]});
    let test = test(&config).env("AWS_LAMBDA_EXEC_WRAPPER", "./one");
    let log = test.run().read("log");
    assert_eq!(log, "one:  \ntwo: of one \none: of two \nruntime [app.py]: of one  ./one\n");
}

#[test]
fn path_that_expands_to_nothing_is_refused() {
    let config = json!({"wrappers": [{"path": "./one", "env": {"NEXT": null}}, "${NEXT}"]});
    let cause = "foreword: the path of the wrapper, \"${NEXT}\", is empty behind the wrappers \
                 before it; set the variable, or give the wrapper a \"when\"\n";
    test(&config).env("NEXT", "./two").stderr(cause).status(125).run();
}

#[test]
fn edits_at_debug_are_logged_with_their_places() {
    let config =
        json!({"wrappers": [{"path": "./one", "env": {"SEEN": "1", "A_TOKEN": "hidden"}}]});
    let captured = test(&config).env("FOREWORD_LOG", "debug").capture();
    let log = String::from_utf8(captured.stderr).expect("UTF-8");
    for line in [
        "foreword: FOREWORD_CONFIG:1:22: env A_TOKEN: unset becomes [redacted]\n",
        "foreword: FOREWORD_CONFIG:1:41: env SEEN: unset becomes \"1\"\n",
    ] {
        assert!(log.contains(line), "{log}");
    }
    assert!(!log.contains("hidden"), "{log}");
}
