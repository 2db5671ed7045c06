//! What `foreword check` looks at: files, directories, layers; and what it says when it found
//! nothing.

use crate::support::Test;

const SCRIPT: &str = "#!/bin/sh\n";

fn test() -> Test {
    Test::new().on_the_machine().env_remove("FOREWORD_DROPIN_DIR").env_remove("LAMBDA_TASK_ROOT")
}

/// Refuses a key at 1:2.
const BROKEN: &str = r#"{"rlues": []}"#;

fn refused(name: &str) -> String {
    format!(
        "{name}:1:2: error: unknown key \"rlues\"; did you mean \"rules\"?\n 1 | {BROKEN}\n   |  \
         ^\n"
    )
}

#[test]
fn directory_is_checked_as_if_it_were_the_task_root() {
    let broken = || test().file("app/foreword.json", BROKEN);
    for directory in ["app", "app/", "./app"] {
        let name = format!("{}/foreword.json", directory.trim_end_matches('/'));
        broken().args(["check", directory]).stdout(refused(&name)).status(1).run();
    }
    // Whatever a function whose code lies there would load.
    let inline = broken().config(BROKEN).args(["check", "app"]);
    inline.stdout(refused("app/foreword.json") + &refused("FOREWORD_CONFIG")).status(1).run();
    let other_root = broken().file("other/foreword.json", "{}").env("LAMBDA_TASK_ROOT", "other");
    other_root.args(["check", "app"]).stdout(refused("app/foreword.json")).status(1).run();
    // With others, and with programs beside it.
    let both = broken().file("b/foreword.json", BROKEN).args(["check", "app", "b"]);
    both.stdout(refused("app/foreword.json") + &refused("b/foreword.json")).status(1).run();
    let program = test().file("app/foreword.json", r#"{"program": "./x"}"#).script("app/x", SCRIPT);
    program
        .args(["check", "app"])
        .stdout("checked 1 configuration, 1 program: no problems\n")
        .run();
    let missing = "app/foreword.json:1:13: warning: the program \"./x\" is not beside the code: \
                   there is no app/x; add it, or correct the path\n 1 | {\"program\": \"./x\"}\n   \
                   |             ^\n";
    let program = test().file("app/foreword.json", r#"{"program": "./x"}"#).script("x", SCRIPT);
    program.args(["check", "app"]).stdout(missing).run();
}

#[test]
fn directory_without_a_configuration_is_an_error() {
    let nothing = |name: &str| {
        format!(
            "foreword: error: there is nothing to check: {name} does not exist, there are no \
             drop-ins, and FOREWORD_CONFIG is not set; name the files\n"
        )
    };
    test()
        .file("app/x", "")
        .args(["check", "app"])
        .stdout(nothing("app/foreword.json"))
        .status(1)
        .run();
    test().args(["check"]).stdout(nothing("foreword.json")).status(1).run();
    let with_another =
        test().file("app/x", "").file("a.json", "{}").args(["check", "a.json", "app"]);
    let missing = "foreword: error: unable to read app/foreword.json: no such file or directory\n";
    with_another.stdout(missing).status(1).run();
}

#[test]
fn code_of_a_configuration_is_found_beside_it() {
    let config = r#"{"prefix": ["./x"]}"#;
    let two = test()
        .file("a/foreword.json", config)
        .script("a/x", SCRIPT)
        .file("b/foreword.json", config);
    let two = two.script("b/x", SCRIPT).args(["check", "a", "b/foreword.json"]);
    two.stdout("checked 2 configurations, 2 programs: no problems\n").run();
}

#[test]
fn layers_after_one_option_or_several_are_all_taken() {
    let layers = || {
        let test = test().file("foreword.json", r#"{"wrappers": ["/opt/a", "/opt/b"]}"#);
        test.script("one/a", SCRIPT).script("two/b", SCRIPT)
    };
    let clean = "checked 1 configuration, 2 layers, 2 programs: no problems\n";
    layers().args(["check", "--layer", "one", "two"]).stdout(clean).run();
    layers().args(["check", "--layer", "one", "--layer", "two"]).stdout(clean).run();
    layers().args(["check", "foreword.json", "--layer", "one", "two"]).stdout(clean).run();
    layers()
        .args(["check", "--layer", "one", "--layer=two", "--", "foreword.json"])
        .stdout(clean)
        .run();
}

#[test]
fn check_without_problems_says_what_it_looked_at() {
    let one = || test().file("foreword.json", "{}");
    one().args(["check"]).stdout("checked 1 configuration: no problems\n").run();
    one().config("{}").args(["check"]).stdout("checked 2 configurations: no problems\n").run();
    let layer = || {
        test()
            .script("layer/bin/x", SCRIPT)
            .file("layer/lib/y", "")
            .args(["check", "--layer", "layer"])
    };
    layer().stdout("checked 1 layer, 1 program: no problems\n").run();
    layer()
        .file("layer/foreword.d/x.json", "{}")
        .stdout("checked 1 configuration, 1 layer, 1 program: no problems\n")
        .run();
    // One program that is named twice is one; those in layers that nobody named were not looked at.
    let hooks = r#"{"hooks": {"initialize": [
        {"name": "a", "command": ["./x"], "timeout_ms": 1}, {"name": "b", "command": "./x; /opt/y", "timeout_ms": 1},
        {"name": "c", "command": ["/opt/z"], "timeout_ms": 1}, {"name": "d", "command": ["cat"], "timeout_ms": 1}
    ]}}"#;
    let programs = test().file("foreword.json", hooks).script("x", SCRIPT).args(["check"]);
    programs
        .stdout(
            "checked 1 configuration, 1 program: no problems; not looked at: 2 programs in layers \
             (--layer)\n",
        )
        .run();
    // A warning is no silence.
    let warned = test().file("foreword.json", r#"{"env": {"A": "1"}}"#).args(["check"]).capture();
    assert!(!String::from_utf8_lossy(&warned.stdout).contains("checked"), "{warned:?}");
}
