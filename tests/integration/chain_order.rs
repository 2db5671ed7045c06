//! What stands around the wrapper chain: hooks before it, edits of the command line behind it, and
//! what wrappers and the runtime find in their environment.

use crate::support::{DIRECTORY, DUMP, Test};
use serde_json::{Value, json};

/// Says what it was given and what it finds, and goes on.
const WRAPPER: &str = "#!/bin/sh
name=${0##*/}
echo \"$name ${1##*/} [$(shift; echo \"$*\")] $$ $AWS_LAMBDA_EXEC_WRAPPER\" >>log
export FROM_$name=1 STAGE=$name AWS_EXECUTION_ENV= FOREWORD_CONFIG={
: >made-by-$name
exec \"$@\"
";

const RUNTIME: &str = "#!/bin/sh
echo \"runtime [$*] $$ ${AWS_LAMBDA_EXEC_WRAPPER-none}\" >>log
env | grep ^FOREWORD_STAGE >>log
exec true
";

/// Two wrappers, and a runtime that goes by the name of an interpreter.
fn test(config: Value) -> Test {
    let test =
        Test::new().script("one", WRAPPER).script("two", WRAPPER).script("bin/python3.12", RUNTIME);
    let test =
        test.config(&config.to_string()).env("FOREWORD_LOG", "warn").env("TMPDIR", "<folder>");
    test.args(["<folder>/bin/python3.12", "bootstrap.py"])
}

/// What wrappers and runtime wrote, the process ID as `PID` where it is the same everywhere.
#[track_caller]
fn log(test: Test) -> String {
    let finished = test.run();
    let log = finished
        .read("log")
        .replace(finished.directory.path("").to_str().expect("UTF-8"), "<folder>/");
    let process = log
        .lines()
        .find_map(|line| line.split("] ").nth(1)?.split(' ').next())
        .expect("a process ID");
    log.replace(&format!(" {process} "), " PID ")
}

#[test]
fn hooks_and_wrappers_run_before_edits_of_the_command_line() {
    let config = json!({
        "env": {"EDITED": "env"},
        "hooks": {"initialize": [{"name": "h", "command": "echo hook >>log; echo HOOK=$EDITED",
            "export": "dotenv"}]},
        "wrappers": ["<folder>/one", "${TWO}"],
        "options": {"append": ["-X", "${EDITED}-${HOOK}-${FROM_one}${FROM_two}"]},
        "arguments": {"append": ["${AWS_LAMBDA_EXEC_WRAPPER}"]}
    });
    let test =
        test(config).env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword").env("TWO", "<folder>/two");
    assert_eq!(
        log(test),
        "hook\none python3.12 [bootstrap.py] PID <folder>/one\ntwo python3.12 [bootstrap.py] PID \
         <folder>/two\nruntime [-X env-env-11 bootstrap.py /opt/bin/foreword] PID \
         /opt/bin/foreword\n"
    );
}

#[test]
fn wrapper_variable_that_lambda_did_not_set_is_removed_again() {
    let expected = "one python3.12 [bootstrap.py] PID ./one\nruntime [bootstrap.py] PID none\n";
    assert_eq!(log(test(json!({"wrappers": ["./one"]}))), expected);
    let test = test(json!({"wrappers": ["./one"], "env": {"AWS_LAMBDA_EXEC_WRAPPER": null}}));
    assert_eq!(log(test.env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword")), expected);
}

/// What foreword put there for itself is gone, and everything else is in its place.
#[test]
fn environment_after_a_wrapper_without_changes_is_identical() {
    let start = |config: &str| {
        let test = Test::new().script("runtime", DUMP).file("foreword.json", config);
        let test = test.env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/bin/foreword");
        let entries = ["B=2", "A=1", "B=3", "no equals sign", "=no name", "E=", "SECRET_KEY=1"];
        let test =
            entries.iter().fold(test, |test, entry| test.raw_env(entry)).args(["./runtime", "x"]);
        let directory = test.path(".").display().to_string();
        let directory = directory.strip_suffix("/.").expect("a directory");
        String::from_utf8(test.capture().stdout).expect("UTF-8").replace(directory, DIRECTORY)
    };
    let one = start(r#"{"wrappers": ["/usr/bin/env"]}"#);
    assert_eq!(one, start("{}"));
    assert_eq!(start(r#"{"wrappers": ["/usr/bin/env", "/usr/bin/nohup", "/usr/bin/env"]}"#), one);
}

#[test]
fn conditions_after_wrappers_see_the_environment_of_the_start() {
    let config = json!({
        "wrappers": [
            {"path": "./one", "when": {"env": {"STAGE": "start"}}},
            {"path": "./two", "when": {"env": {"STAGE": "one"}}},
            {"path": "./two", "when": {"not": {"file": "made-by-one"}}, "name": "second"}
        ],
        "rules": [
            {"when": {"env": {"STAGE": "start"}}, "options": {"append": ["-1"]}},
            {"when": {"env": {"STAGE": "two"}}, "options": {"append": ["-2"]}},
            {"when": {"file": "made-by-one"}, "options": {"append": ["-3"]},
                "rules": [{"options": {"append": ["-4"]}}]},
            {"when": {"runtime": "python"}, "options": {"append": ["-5"]}}
        ]
    });
    assert_eq!(
        log(test(config).env("STAGE", "start").env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")),
        "one python3.12 [bootstrap.py] PID ./one\ntwo python3.12 [bootstrap.py] PID \
         ./two\nruntime [-1 -5 bootstrap.py] PID none\n"
    );
}

#[test]
fn wrappers_of_all_sources_and_rules_run_in_order() {
    let wrappers = ["dropin", "file", "nested", "last"];
    let config = json!({"wrappers": ["./file"], "rules": [{"wrappers": ["./nested"]}]}).to_string();
    let test = test(json!({"wrappers": ["./last"]})).file("foreword.json", config);
    let test = test.file("foreword.d/a.json", r#"{"wrappers": ["./dropin"]}"#);
    let log = log(wrappers.iter().fold(test, |test, name| test.script(name, WRAPPER)));
    let ran: Vec<_> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ran, ["dropin", "file", "nested", "last", "runtime"]);
}

/// Behind the chain the configuration is needed once more, whatever became of its files and
/// variables.
#[test]
fn configuration_that_a_wrapper_changes_stays_that_of_the_start() {
    let config = json!({
        "env": {"LAMBDA_TASK_ROOT": "/nowhere"},
        "hooks": {"initialize": [{"name": "h",
            "command": "rm foreword.json; echo FOREWORD_CONFIG=/missing", "export": "dotenv"}]},
        "wrappers": ["./one"],
        "options": {"append": ["-X"]},
        "description": "x".repeat(300_000)
    });
    let test =
        test(json!({"options": {"append": ["-é"]}})).file("foreword.json", config.to_string());
    assert!(log(test).ends_with("runtime [-X -é bootstrap.py] PID none\n"));
}

#[test]
fn hooks_before_wrappers_run_once_and_their_exports_stay() {
    let hook = json!({"name": "h", "command": "echo x >>hooks; echo KEPT=kept; echo TAKEN=taken",
        "export": "dotenv"});
    let config =
        json!({"hooks": {"initialize": [hook]}, "wrappers": ["./one", "./unset", "./two"]})
            .to_string();
    let runtime = "#!/bin/sh\necho $KEPT $TAKEN$FROM_one$FROM_two\n";
    let test = test(json!({})).script("bin/python3.12", runtime).config(&config);
    let finished =
        test.script("unset", "#!/bin/sh\nunset TAKEN\nexec \"$@\"\n").stdout("kept 11\n").run();
    assert_eq!(finished.read("hooks"), "x\n");
}

/// Neither what hooks exported, nor secrets, nor what an edit took away or a wrapper copied.
#[test]
fn secrets_in_the_log_of_a_chain_are_redacted() {
    let config = r#"{
        "env": {"URL": "pw=${DB_PASSWORD}", "DB_PASSWORD": null, "A_TOKEN": "edited-1", "B": "${A_TOKEN}"},
        "hooks": {"initialize": [
            {"name": "h", "command": "echo SESSION=exported-1", "export": "dotenv"},
            {"name": "h", "command": "echo SESSION=exported-2", "export": "dotenv"}
        ]},
        "wrappers": ["./copy", "./copy"],
        "options": {"append": ["-D${COPY}", "-D${URL}", "-D${B}", "-D${SESSION}"]}
    }"#;
    let wrapper =
        "#!/bin/sh\nexport COPY=${COPY-$SESSION} A_TOKEN=edited-2\nexec \"$@\" \"--word=$COPY\"\n";
    let test =
        Test::new().script("copy", wrapper).script("bin/python3.12", "#!/bin/sh\n").config(config);
    let test = test
        .env("DB_PASSWORD", "hunter22")
        .env("FOREWORD_LOG", "debug")
        .args(["bin/python3.12", "bootstrap.py"]);
    let log = String::from_utf8(test.capture().stderr).expect("text");
    for secret in ["exported-1", "exported-2", "hunter22", "edited-1"] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
    let options = r#""-D[redacted]", "-D[redacted]", "-D[redacted]", "-D[redacted]""#;
    let expected = format!(
        r#"foreword: executing ["bin/python3.12", {options}, "bootstrap.py", "--word=[redacted]", "--word=[redacted]"]"#
    );
    assert_eq!(log.lines().last(), Some(&*expected));
}
