//! What `foreword check` finds in configurations that foreword accepts, and how it shows what it
//! finds. The mistakes that the wrapper refuses are in `mistakes`, which asks `check` about each of
//! them, too.

use crate::support::Test;

/// Marks the place in a configuration; it is taken out before the test.
const MARK: char = '»';

/// Every row is a configuration with a mark before each place that there is a warning about, and
/// the warnings.
#[track_caller]
pub fn warns(rows: &[(&str, &[&str])]) {
    for (marked, messages) in rows {
        let places = marked.match_indices(MARK).map(|(at, _)| {
            let before = marked[..at].replace(MARK, "");
            let line = before.matches('\n').count() + 1;
            (line, before.rsplit('\n').next().expect("a line").chars().count() + 1)
        });
        let expected: Vec<_> = places
            .zip(messages.iter())
            .map(|((line, column), message)| {
                format!("foreword.json:{line}:{column}: warning: {message}")
            })
            .collect();
        assert_eq!(expected.len(), messages.len(), "each warning has a mark: {marked}");
        let test = Test::new()
            .file("foreword.json", marked.replace(MARK, ""))
            .args(["check", "foreword.json"]);
        let captured = test.capture();
        let output = String::from_utf8(captured.stdout)
            .expect("UTF-8")
            .replace(&*test.path("").to_string_lossy(), "");
        let mut found: Vec<_> = output.lines().filter(|line| !line.starts_with(' ')).collect();
        let clean = found.pop_if(|line| line.starts_with("checked 1 configuration"));
        assert_eq!(found, expected, "{marked}");
        assert_eq!(clean.is_some(), expected.is_empty(), "{marked}");
        assert_eq!((captured.stderr, captured.status), (Vec::new(), 0), "{marked}");
    }
}

fn initialize(hooks: &str) -> String {
    format!(r#"{{"hooks": {{"initialize": [{hooks}]}}}}"#)
}

#[test]
fn limits_of_initialize_hooks_over_10_s_give_a_warning() {
    const MOST: &str = "an on-demand function has an init phase of 10 s";
    let alone = format!(r#"the hook "a" may take 10.001 s, and {MOST}; lower its "timeout_ms""#);
    let together = |total: &str| {
        format!(
            r#"with this one, the initialize hooks may take {total} s, and {MOST}; lower their limits ("timeout_ms")"#
        )
    };
    let (twenty, eleven) = (together("20"), together("11"));
    warns(&[
        (&initialize(r#"{"name": "a", "command": "x"}"#), &[]),
        (&initialize(r#"{"name": "a", "command": "x", "timeout_ms": 10000}"#), &[]),
        (&initialize(r#"{"name": "a", "command": "x", "timeout_ms": »10001}"#), &[&alone]),
        (
            &initialize(r#"{"name": "a", "command": "x"}, »{"name": "b", "command": "x"}"#),
            &[&twenty],
        ),
        (
            &initialize(
                r#"{"name": "a", "command": "x", "timeout_ms": 4000},
                   {"name": "b", "command": "x", "timeout_ms": 6000},
                   {"name": "c", "command": "x", "timeout_ms": »1000}"#,
            ),
            &[&eleven],
        ),
        // No function has both, or none that runs on demand.
        (
            &initialize(
                r#"{"name": "a", "command": "x", "when": {"runtime": "java"}},
                   {"name": "b", "command": "x", "when": {"runtime": "python"}}"#,
            ),
            &[],
        ),
        (
            &initialize(
                r#"{"name": "a", "command": "x", "timeout_ms": 60000, "when": {"initialization": "snap-start"}}"#,
            ),
            &[],
        ),
    ]);
}

#[test]
fn limits_of_other_hooks_over_their_phase_give_a_warning() {
    let phase = |name: &str, hooks: &str| format!(r#"{{"hooks": {{"{name}": [{hooks}]}}}}"#);
    warns(&[
        (
            &phase(
                "after_restore",
                r#"»{"name": "a", "command": "x"}, {"name": "b", "command": "x"}"#,
            ),
            &[
                r#"the hook "a" has no limit and may use up the 8 s that all after_restore hooks have; "b", which runs after it, is then not started; give it a "timeout_ms""#,
            ],
        ),
        (&phase("after_restore", r#"{"name": "a", "command": "x"}"#), &[]),
        (&phase("after_restore", r#"{"name": "a", "command": "x", "timeout_ms": 8000}"#), &[]),
        (
            &phase("after_restore", r#"{"name": "a", "command": "x", "timeout_ms": »8500}"#),
            &[
                r#"the hook "a" may take 8.5 s, and of the 10 s that Lambda gives a restore, hooks have 8 s; lower its "timeout_ms""#,
            ],
        ),
        (
            &phase(
                "after_restore",
                r#"{"name": "a", "command": "x", "timeout_ms": 5000}, {"name": "b", "command": "x", "timeout_ms": »5000}"#,
            ),
            &[
                r#"with this one, the after_restore hooks may take 10 s, and of the 10 s that Lambda gives a restore, hooks have 8 s; lower their limits ("timeout_ms")"#,
            ],
        ),
        (
            &phase("before_snapshot", r#"{"name": "a", "command": "x", "timeout_ms": »130000}"#),
            &[
                r#"the hook "a" may take 130 s, and before a snapshot there are 120 s; lower its "timeout_ms""#,
            ],
        ),
        (
            &phase("pre_stop", r#"{"name": "a", "command": "x", "timeout_ms": »3000}"#),
            &[
                r#"the hook "a" may take 3 s, and Lambda ends an environment within 2 s; lower its "timeout_ms""#,
            ],
        ),
    ]);
}

#[test]
fn set_that_hides_the_function_s_value_gives_a_warning() {
    let hides = |name: &str| {
        format!(
            "this hides whatever value of \"{name}\" the function's own variables have; \
             {{\"default\": …}} lets it stand, \"prepend\" and \"append\" add to it, and a \
             \"description\" of the rule that names it says that it is meant"
        )
    };
    let (options, a) = (hides("NODE_OPTIONS"), hides("A"));
    warns(&[
        ("{\n  \"env\": {\n    »\"NODE_OPTIONS\": \"--x\"\n  }\n}", &[&options]),
        (r#"{"rules": [{"when": {"runtime": "node"}, "env": {»"A": "1"}}]}"#, &[&a]),
        (
            r#"{"env": {"A": {"default": "1"}, "B": {"append": "1", "separator": ":"}, "C": null}}"#,
            &[],
        ),
        // Nothing is hidden: the value is in it, kept, asked for, or Lambda's own.
        (r#"{"env": {"A": "${A}1", "B": "${B:-x}"}}"#, &[]),
        (r#"{"env": {"ORIG_HANDLER": "${_HANDLER}", "_HANDLER": "wrapper.handler"}}"#, &[]),
        (r#"{"env": {"OLD_A": {"default": "${A}"}, "A": "1"}}"#, &[]),
        // No function's own configuration can set these.
        (
            r#"{"env": {"AWS_LAMBDA_METADATA_TOKEN": "1", "_MINE": "1", "_X_AMZN_TRACE_ID": "1", "LAMBDA_TASK_ROOT": "/"}}"#,
            &[],
        ),
        (r#"{"when": {"env": {"A": false}}, "env": {"A": "1"}}"#, &[]),
        // All of a file come at once, at the first.
        (
            "{\n \"env\": {»\"A\": \"1\", \"B\": \"2\", \"C\": null},\n \"rules\": [{\"env\": \
             {\"D\": \"4\"}}]}",
            &["this hides whatever values of \"A\", \"B\", \"D\" the function's own variables \
               have; {\"default\": …} lets them stand, \"prepend\" and \"append\" add to them, \
               and a \"description\" of the rule that names them says that they are meant"],
        ),
        // It is said in the file that it is meant, of the rule or of one around it, by name.
        (r#"{"description": "A is ours, whatever the function says", "env": {"A": "1"}}"#, &[]),
        (
            r#"{"description": "A and B are ours.", "rules": [{"rules": [{"env": {"A": "1", "B": "2"}}]}]}"#,
            &[],
        ),
        (
            r#"{"rules": [{"description": "sets A", "env": {"A": "1"}}, {"env": {"B": "${A}"}}]}"#,
            &[],
        ),
        (r#"{"description": "sets what AB and A_B need", "env": {»"A": "1"}}"#, &[&a]),
        (r#"{"rules": [{"description": "A", "env": {}}, {"env": {»"A": "1"}}]}"#, &[&a]),
        // A hook's own environment hides nothing from anybody else.
        (r#"{"hooks": {"initialize": [{"name": "n", "command": "x", "env": {"A": "1"}}]}}"#, &[]),
    ]);
}

#[test]
fn hooks_and_rules_that_never_apply_give_a_warning() {
    let never = |hook: &str, why: &str| {
        format!(
            "no phase will run the hook \"{hook}\": {why}; correct the condition or remove the \
             hook"
        )
    };
    let phase = never(
        "a",
        "the phase before_snapshot is there only where \"initialization\" is snap-start",
    );
    let conditions = never("a", "its condition and those around it never hold together");
    let rule = |hooks: &str| {
        format!(
            "this condition and those around it never hold together: the rule never \
             applies{hooks}; correct one of them or remove the rule"
        )
    };
    let (rule, with_hooks) = (rule(""), rule(", and no phase will run its hooks"));
    warns(&[
        (
            r#"{"hooks": {"before_snapshot": [{"name": "a", "command": "x", "when": »{"initialization": "on-demand"}}]}}"#,
            &[&phase],
        ),
        (
            r#"{"when": {"initialization": "on-demand"}, "hooks": {"before_snapshot": [»{"name": "a", "command": "x"}]}}"#,
            &[&phase],
        ),
        (
            r#"{"hooks": {"before_snapshot": [{"name": "a", "command": "x", "when": {"runtime": "java"}}]}}"#,
            &[],
        ),
        (
            "{\"when\": {\"runtime\": \"java\"}, \"hooks\": {\"pre_stop\": [\n {\"name\": \"a\", \
             \"command\": \"x\", \"when\": »{\"runtime\": \"python\"}}]}}",
            &[&conditions],
        ),
        (
            r#"{"when": {"runtime": "java"}, "rules": [{"when": »{"runtime": "python3.*"}, "program": "x"}]}"#,
            &[&rule],
        ),
        (
            r#"{"when": {"env": {"A": true}}, "rules": [{"when": »{"env": {"A": false}}, "hooks": {"pre_stop": [{"name": "a", "command": "x"}]}}]}"#,
            &[&with_hooks],
        ),
        (
            r#"{"when": {"env": {"A": true}}, "rules": [{"when": {"env": {"A": "x*"}}, "program": "x"}]}"#,
            &[],
        ),
    ]);
}

#[test]
fn rules_that_undo_each_other_give_a_warning() {
    let undoes = |name: &str, place: &str| {
        format!(
            "where both rules apply, this edit of \"{name}\" undoes the one at \
             foreword.json:{place}; let their conditions exclude each other, or write one edit"
        )
    };
    let takes = |key: &str, place: &str| {
        format!(
            "where both rules apply, this takes the place of the {key} at foreword.json:{place}; \
             let their conditions exclude each other"
        )
    };
    let rules = |first: &str, second: &str| format!("{{\"rules\": [\n{first},\n{second}]}}");
    let (a, program, entry) =
        (undoes("A", "2:39"), takes("program", "2:44"), takes("entry", "2:11"));
    let default = r#"{"when": {"runtime": "java"}, "env": {"A": {"default": "1"}}}"#;
    let java = r#"{"when": {"runtime": "java1*"}, "program": "a"}"#;
    warns(&[
        (&rules(default, r#"{"when": {"file": "/a"}, "env": {»"A": "2"}}"#), &[&a]),
        (&rules(default, r#"{"when": {"file": "/a"}, "env": {»"A": null}}"#), &[&a]),
        (&rules(java, r#"{"when": {"runtime": "java"}, "program": »"b"}"#), &[&program]),
        (&rules(r#"{"entry": "a"}"#, r#"{"entry": »"b"}"#), &[&entry]),
        // One adds to the other, they exclude each other, or one is an exception from the other.
        (
            &rules(
                default,
                r#"{"when": {"file": "/a"}, "env": {"A": {"append": "2", "separator": ""}}}"#,
            ),
            &[],
        ),
        (&rules(default, r#"{"when": {"file": "/a"}, "env": {"A": "${A}2"}}"#), &[]),
        (&rules(default, r#"{"when": {"runtime": "node"}, "env": {"A": null}}"#), &[]),
        (&rules(java, r#"{"when": {"not": {"runtime": "java1*"}}, "program": "b"}"#), &[]),
        (
            r#"{"env": {"A": {"default": "1"}}, "rules": [{"when": {"file": "/a"}, "env": {"A": "2"}}]}"#,
            &[],
        ),
    ]);
}

#[test]
fn hooks_that_are_listed_twice_give_a_warning() {
    let hook = r#"{"name": "a", "command": "x", "timeout_ms": 1}"#;
    let twice = hook.replace(r#""a""#, r#"»"a""#);
    let under =
        |runtime: &str| hook.replace("1}", &format!(r#"1, "when": {{"runtime": "{runtime}"}}}}"#));
    let message = "initialize has a hook \"a\" at foreword.json:1:27 already, and both run; \
                   remove one, or give this one a name of its own";
    warns(&[
        (&initialize(&format!("{hook}, {twice}")), &[message]),
        (
            &format!(r#"{{"hooks": {{"after_restore": [{hook}], "before_snapshot": [{hook}]}}}}"#),
            &[],
        ),
        (&initialize(&format!("{}, {}", under("java"), under("python"))), &[]),
    ]);
}

#[test]
fn foreword_that_would_start_itself_is_an_error() {
    let itself = "\"/opt/bin/foreword\" is foreword itself; take it out of";
    for (config, column, message) in [
        (
            r#"{"wrappers": ["/opt/a", {"path": "/opt/bin/foreword"}]}"#,
            34,
            format!("the wrapper {itself} \"wrappers\""),
        ),
        (r#"{"prefix": ["/opt/bin/foreword", "--"]}"#, 13, format!("{itself} \"prefix\"")),
        (r#"{"program": "/opt/bin/foreword"}"#, 13, format!("{itself} \"program\"")),
    ] {
        let caret = format!(" 1 | {config}\n   | {}^\n", " ".repeat(column - 1));
        let test = Test::new().file("a.json", config).args(["check", "a.json"]);
        test.stdout(format!("a.json:1:{column}: error: {message}\n{caret}")).status(1).run();
    }
}

/// Lambda Web Adapter's executes the function's handler.
#[test]
fn wrappers_that_are_known_never_to_come_back_give_a_warning() {
    let message = |name: &str| {
        format!(
            "a bootstrap, such as Lambda Web Adapter's, executes something of its own and never \
             comes back, so that nothing is done behind the wrapper {name:?}; let it stand last \
             and add \"last\": true"
        )
    };
    warns(&[
        (r#"{"wrappers": [»"/opt/bootstrap"]}"#, &[&message("/opt/bootstrap")]),
        (
            r#"{"wrappers": [{"name": "lwa", "path": »"/opt/bootstrap"}, "/opt/x"]}"#,
            &[&message("lwa")],
        ),
        (
            r#"{"rules": [{"wrappers": [»"/opt/${DIRECTORY}/bootstrap"]}]}"#,
            &[&message("/opt/${DIRECTORY}/bootstrap")],
        ),
        (r#"{"wrappers": [{"path": "/opt/bootstrap", "last": true}]}"#, &[]),
        (
            r#"{"wrappers": ["/opt/bootstrapper", "/opt/x", "/opt/datadog_wrapper", "/opt/otel-handler"]}"#,
            &[],
        ),
    ]);
}

/// What the wrapper refuses where both apply; with the place of the other one.
#[test]
fn everything_after_a_last_wrapper_is_an_error() {
    let last =
        r#""wrappers": [{"path": "/opt/bootstrap", "last": true, "when": {"runtime": "node"}}"#;
    let hook = |runtime: &str| {
        format!(
            r#""hooks": {{"after_restore": [»{{"name": "h", "command": "x", "when": {{"runtime": "{runtime}"}}}}]}}"#
        )
    };
    let entry = |runtime: &str| {
        format!(r#""rules": [{{"when": {{"runtime": "{runtime}"}}, "entry": »"x"}}]"#)
    };
    let before = Some(("run the wrapper \"/opt/x\" (@)", "name it before that one"));
    let edit = |key: &'static str| Some((key, "remove the edit"));
    let relay =
        Some(("run the hook \"h\" (after_restore, @), which takes the relay,", "remove the hook"));
    for (marked, refused) in [
        (format!(r#"{{{last}, »"/opt/x"]}}"#), before),
        (format!(r#"{{{last}, {{"path": "/opt/x", "when": {{"runtime": "java"}}}}]}}"#), None),
        (format!(r#"{{{last}], "prefix": [»"x"]}}"#), edit("edit \"prefix\" (@)")),
        (format!(r#"{{{last}], {}}}"#, entry("nodejs22.x")), edit("edit \"entry\" (@)")),
        (format!(r#"{{{last}], {}}}"#, entry("java")), None),
        (format!(r#"{{{last}], {}}}"#, hook("node")), relay),
        (format!(r#"{{{last}], {}}}"#, hook("java")), None),
        (format!(r#"{{{last}], "env": {{"A": {{"default": "x"}}}}}}"#), None),
    ] {
        let place = format!("a.json:1:{}", marked.find(MARK).unwrap_or_default() + 1);
        let config = marked.replace(MARK, "");
        let expected = refused.map(|(what, way_out)| {
            format!(
                "a.json:1:15: error: unable to {} behind the wrapper \"/opt/bootstrap\": it is \
                 \"last\" and never comes back; {way_out}, or let their conditions exclude each \
                 other",
                what.replace('@', &place)
            )
        });
        let expected: Vec<_> = expected.into_iter().collect();
        let captured = Test::new().file("a.json", &config).args(["check", "a.json"]).capture();
        let output = String::from_utf8(captured.stdout).expect("UTF-8");
        let found: Vec<_> = output.lines().filter(|line| line.starts_with("a.json")).collect();
        assert_eq!(found, expected, "{config}");
    }
}

#[test]
fn problems_are_all_reported_and_warnings_fail_nothing() {
    let broken = "{\n  \"optons\": {},\n  \"env\": {\"A\": 1}\n}\n";
    let expected = "\
a.json:2:3: error: unknown key \"optons\"; did you mean \"options\"?
 2 |   \"optons\": {},
   |   ^
a.json:3:16: error: expected a string, null, or an object with \"default\", \"prepend\" or \
                    \"append\", found a number; put it in quotes
 3 |   \"env\": {\"A\": 1}
   |                ^
b.json:1:10: warning: this hides whatever value of \"B\" the function's own variables have; \
                    {\"default\": …} lets it stand, \"prepend\" and \"append\" add to it, and a \
                    \"description\" of the rule that names it says that it is meant
 1 | {\"env\": {\"B\": \"2\"}}
   |          ^
";
    let warning = expected.split_once("b.json").expect("the warning").1;
    let test = || Test::new().file("a.json", broken).file("b.json", r#"{"env": {"B": "2"}}"#);
    test().args(["check", "a.json", "b.json"]).stdout(expected).status(1).run();
    test().args(["check", "b.json"]).stdout(format!("b.json{warning}")).run();
    let missing = "foreword: error: unable to read c.json: no such file or directory\n";
    test()
        .args(["check", "c.json", "a.json", "b.json"])
        .stdout(format!("{missing}{expected}"))
        .status(1)
        .run();
    let not_text = Test::new().file("a.json", b"{\"\xff\"").args(["check", "a.json"]);
    not_text
        .stdout("a.json:1:3: error: this is not UTF-8\n 1 | {\"\u{fffd}\"\n   |   ^\n")
        .status(1)
        .run();
}

#[test]
fn check_without_files_checks_what_a_function_here_would_load() {
    let shown = |name: &str| {
        format!(
            "{name}:1:2: error: unknown key \"rlues\"; did you mean \"rules\"?\n 1 | {{\"rlues\": \
             []}}\n   |  ^\n"
        )
    };
    let broken = r#"{"rlues": []}"#;
    let test = || Test::new().args(["check"]);
    let here = || test().env_remove("LAMBDA_TASK_ROOT").file("foreword.json", broken);
    here().stdout(shown("./foreword.json")).status(1).run();
    here()
        .config(broken)
        .stdout(shown("./foreword.json") + &shown("FOREWORD_CONFIG"))
        .status(1)
        .run();
    test()
        .file("foreword.d/a.json", broken)
        .stdout(shown("<folder>/foreword.d/a.json"))
        .status(1)
        .run();
    let clean = "checked 1 configuration: no problems\n";
    here().file("good.json", "{}").args(["check", "good.json"]).stdout(clean).run();
    let nothing = "foreword: error: there is nothing to check: <folder>/foreword.json does not \
                   exist, there are no drop-ins, and FOREWORD_CONFIG is not set; name the files\n";
    test().stdout(nothing).status(1).run();
}

#[test]
fn secrets_in_findings_are_redacted() {
    let config = r#"{"env": {"API_TOKEN": "hidden", "DB_PASSWORD": {"default": "hid${"}}, "x": 1}"#;
    let captured = Test::new().config(config).args(["check"]).capture();
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    assert_eq!(
        (output.matches(": error: ").count(), output.contains("hid")),
        (2, false),
        "{output}"
    );
    let shown =
        r#""env": {"API_TOKEN": [redacted], "DB_PASSWORD": {"default": [redacted]}}, "x": 1}"#;
    assert!(output.contains(shown), "{output}");
}
