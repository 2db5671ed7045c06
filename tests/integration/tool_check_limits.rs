//! What `foreword check` says of limits that cannot be kept, given the function's timeout or not.

use crate::support::Test;

/// Runs `check` on a configuration, with a timeout of the function if one is given.
#[track_caller]
fn finds(config: &str, timeout: Option<&str>, expected: &[&str]) {
    let timeout: Vec<_> =
        timeout.map(|seconds| ["--timeout", seconds]).into_iter().flatten().collect();
    let test = Test::new()
        .on_the_machine()
        .file("foreword.json", config)
        .args(["check", "foreword.json"].iter().chain(&timeout));
    let captured = test.capture();
    let output = String::from_utf8(captured.stdout).expect("UTF-8");
    let found: Vec<_> = output
        .lines()
        .filter(|line| !line.starts_with(' ') && !line.starts_with("checked "))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|line| format!("foreword.json:{}", line.replacen(": ", ": warning: ", 1)))
        .collect();
    assert_eq!(found, expected, "{config}");
    assert_eq!((captured.stderr, captured.status), (Vec::new(), 0));
}

fn hooks(phase: &str, hooks: &str) -> String {
    format!(r#"{{"hooks": {{"{phase}": [{hooks}]}}}}"#)
}

#[test]
fn pre_stop_hook_without_a_limit_takes_the_time_of_those_after_it() {
    let starves = |place: &str, name: &str, after: &str| {
        format!(
            "{place}: the hook \"{name}\" has no limit and may use up the 2 s that all pre_stop \
             hooks have; \"{after}\", which runs after it, is then not started; give it a \
             \"timeout_ms\""
        )
    };
    let hook = |name: &str, more: &str| format!(r#"{{"name": "{name}", "command": "x"{more}}}"#);
    let limited = r#", "timeout_ms": 500"#;
    let both = |first: &str, second: &str| {
        hooks("pre_stop", &format!("{}, {}", hook("a", first), hook("b", second)))
    };
    // The one registered last runs first.
    finds(&both("", ""), None, &[&starves("1:56", "b", "a")]);
    finds(&both(limited, ""), None, &[&starves("1:75", "b", "a")]);
    finds(&both("", limited), None, &[]);
    finds(&both(limited, limited), None, &[]);
    finds(&hooks("pre_stop", &hook("a", "")), None, &[]);
    let three = format!("{}, {}, {}", hook("a", ""), hook("b", ""), hook("c", limited));
    finds(&hooks("pre_stop", &three), None, &[&starves("1:56", "b", "a")]);
    // In two files, or in rules under other conditions.
    let rules = r#"{"hooks": {"pre_stop": [{"name": "a", "command": "x"}]},
"rules": [{"when": {"runtime": "java"}, "hooks": {"pre_stop": [{"name": "b", "command": "x"}]}}]}"#;
    finds(rules, None, &[&starves("2:64", "b", "a")]);
    let (java, node) = (r#", "when": {"runtime": "java"}"#, r#", "when": {"runtime": "node"}"#);
    finds(&both(java, node), None, &[]);
}

#[test]
fn after_restore_hook_without_a_limit_takes_the_time_of_those_after_it() {
    let starves = |place: &str, name: &str, after: &str| {
        format!(
            "{place}: the hook \"{name}\" has no limit and may use up the 8 s that all \
             after_restore hooks have; \"{after}\", which runs after it, is then not started; \
             give it a \"timeout_ms\""
        )
    };
    let hook = |name: &str, more: &str| format!(r#"{{"name": "{name}", "command": "x"{more}}}"#);
    let limited = r#", "timeout_ms": 500"#;
    let both = |first: &str, second: &str| {
        hooks("after_restore", &format!("{}, {}", hook("a", first), hook("b", second)))
    };
    // The one registered first runs first.
    finds(&both("", ""), None, &[&starves("1:30", "a", "b")]);
    finds(&both("", limited), None, &[&starves("1:30", "a", "b")]);
    finds(&both(limited, ""), None, &[]);
    finds(&both(limited, limited), None, &[]);
    finds(&hooks("after_restore", &hook("a", "")), None, &[]);
    let (java, node) = (r#", "when": {"runtime": "java"}"#, r#", "when": {"runtime": "node"}"#);
    finds(&both(java, node), None, &[]);
}

#[test]
fn attempts_that_do_not_all_fit_into_the_limit_are_a_warning() {
    let hook = |phase: &str, more: &str| {
        hooks(phase, &format!(r#"{{"name": "a", {more}, "command": "x"}}"#))
    };
    let fit = |place: &str, all: u32, fit: u32, limit: &str| {
        format!(
            "{place}: of the {all} attempts of the hook \"a\", at most {fit} fit into its limit \
             of {limit}, because the pause between them doubles each time; lower \"attempts\" or \
             \"pause_ms\", or raise \"timeout_ms\""
        )
    };
    // They begin after 0, 200, 600, 1400 and 3000 ms.
    let limited = |attempts: u32, limit: u32| {
        hook("initialize", &format!(r#""attempts": {attempts}, "timeout_ms": {limit}"#))
    };
    finds(&limited(5, 3000), None, &[&fit("1:53", 5, 4, "3 s")]);
    finds(&limited(5, 3001), None, &[]);
    finds(&limited(100, 3001), None, &[&fit("1:53", 100, 5, "3.001 s")]);
    // Unless it has a limit, that of the phase counts.
    finds(&hook("initialize", r#""attempts": 7"#), None, &[&fit("1:53", 7, 6, "10 s")]);
    finds(&hook("initialize", r#""attempts": 6"#), None, &[]);
    finds(&hook("pre_stop", r#""attempts": 5"#), None, &[&fit("1:51", 5, 4, "2 s")]);
    let pause = |pause: u32| hook("pre_stop", &format!(r#""attempts": 2, "pause_ms": {pause}"#));
    finds(&pause(2000), None, &[&fit("1:51", 2, 1, "2 s")]);
    finds(&pause(1999), None, &[]);
}

#[test]
fn initialize_hooks_longer_than_the_timeout_give_a_warning() {
    let again = |subject: &str, took: &str, timeout: &str, way_out: &str| {
        format!(
            "{subject} may take {took}, and an init that fails or takes more than 10 s runs again \
             inside the first invocation, within the function's timeout of {timeout}; {way_out}"
        )
    };
    let (one, many) = ("lower its \"timeout_ms\"", "lower their limits (\"timeout_ms\")");
    let hook = |name: &str, milliseconds: u32| {
        format!(r#"{{"name": "{name}", "timeout_ms": {milliseconds}, "command": "x"}}"#)
    };
    let a = |milliseconds| hooks("initialize", &hook("a", milliseconds));
    let alone = |took: &str, timeout: &str| again("1:55: the hook \"a\"", took, timeout, one);
    finds(&a(4000), Some("3"), &[&alone("4 s", "3 s")]);
    finds(&a(3000), Some("3"), &[]);
    finds(&a(4000), None, &[]);
    finds(&a(40_000), Some("30"), &[&alone("40 s", "30 s")]);
    // One that the invocation has time for is only slow.
    let slow = "1:55: the hook \"a\" may take 20 s, and an on-demand function has an init phase \
                of 10 s; lower its \"timeout_ms\"";
    finds(&a(20_000), Some("30"), &[slow]);
    finds(&a(20_000), None, &[slow]);
    // Without a limit of its own a hook has 10 s.
    let without = hooks("initialize", r#"{"name": "a", "command": "x"}"#);
    finds(&without, Some("3"), &[&again("1:27: the hook \"a\"", "10 s", "3 s", one)]);
    finds(&without, Some("10"), &[]);
    let two = hooks("initialize", &format!("{}, {}", hook("a", 2000), hook("b", 2000)));
    finds(
        &two,
        Some("3"),
        &[&again("1:106: with this one, the initialize hooks", "4 s", "3 s", many)],
    );
    finds(&two, Some("4"), &[]);
    // Other environments' init never runs again.
    let restored = r#", "when": {"initialization": "snap-start"}}"#;
    finds(&a(4000).replacen('}', restored, 1), Some("3"), &[]);
}

#[test]
fn initialize_hooks_longer_than_130_s_before_a_snapshot_give_a_warning() {
    let hook = |milliseconds: u32| {
        hooks(
            "initialize",
            &format!(
                r#"{{"name": "a", "timeout_ms": {milliseconds}, "command": "x", "when": {{"initialization": "snap-start"}}}}"#
            ),
        )
    };
    let longer = |took: &str, has: &str| {
        format!(
            "1:55: the hook \"a\" may take {took}, and for SnapStart and provisioned concurrency \
             an init has the function's timeout, at least 130 s: here {has}; lower its \
             \"timeout_ms\""
        )
    };
    finds(&hook(131_000), Some("3"), &[&longer("131 s", "130 s")]);
    finds(&hook(130_000), Some("3"), &[]);
    finds(&hook(131_000), Some("200"), &[]);
    finds(&hook(201_000), Some("200"), &[&longer("201 s", "200 s")]);
    finds(&hook(131_000), None, &[]);
}

#[test]
fn timeouts_that_lambda_does_not_have_are_a_usage_error() {
    for timeout in ["0", "901", "x"] {
        let test = Test::new().on_the_machine().file("a.json", "{}").args([
            "check",
            "a.json",
            "--timeout",
            timeout,
        ]);
        let captured = test.capture();
        assert_eq!((captured.stdout, captured.status), (Vec::new(), 2), "{timeout}");
    }
}
