//! The end of an environment: which hooks run, in which order and until when, and that the
//! extension ends in time.

use crate::support::extension::{echo, lambda, succeeded, waits};
use crate::support::{Test, wait_until};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// What is left before the deadline in most tests; the machine may be busy.
const LEFT: Duration = Duration::from_millis(1900);

/// What ends in time has ended long before, on the busiest machine; what does not, never would.
const LIMIT: Duration = Duration::from_secs(30);

/// Longer than any hook may take.
const SLEEP: &str = "exec sleep 100";

#[test]
fn hooks_run_in_reverse_whether_others_fail_or_not() {
    let lambda = lambda();
    let hooks = json!([
        echo("first"),
        {"name": "fails", "command": "echo fails; exit 3"},
        {"name": "continues", "command": "echo continues; kill -9 $$", "on_failure": "continue"},
        {"name": "missing", "command": ["/missing"]},
        echo("last"),
    ]);
    let run = Test::new().pre_stop(hooks).waits(&lambda);
    lambda.shutdown("spindown", LEFT);
    let log = succeeded("last")
        + "foreword: hook \"missing\" (pre_stop) could not be started: unable to execute \
           \"/missing\": no such file\nforeword: hook \"continues\" (pre_stop) was killed by \
           SIGKILL after N ms (on_failure: continue)\nforeword: hook \"fails\" (pre_stop) exited \
           with status 3 after N ms\n"
        + &succeeded("first");
    run.ends("last\ncontinues\nfails\nfirst\n", &log);
}

#[test]
fn hook_receives_shutdown_reason_and_deadline() {
    for reason in ["spindown", "timeout", "failure", "a \\\"new\\\" one"] {
        let lambda = lambda();
        let test = Test::new()
            .pre_stop(json!([{"name": "a", "command": "cat"}]))
            .env("FOREWORD_LOG", "warn");
        let run = test
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .waits(&lambda);
        let before = epoch_ms();
        lambda.shutdown(reason, LEFT);
        let captured = run.finish();
        let context: Value = serde_json::from_slice(&captured.stdout).expect("a context");
        assert_eq!(context["shutdown_reason"].as_str(), Some(&*reason.replace('\\', "")));
        assert_eq!((&context["phase"], &context["hook"]), (&json!("pre_stop"), &json!("a")));
        let function = json!({"name": "function", "version": null, "memory": 128, "handler": null});
        assert_eq!(context["function"], function);
        let deadline = context["deadline_ms"].as_u64().expect("a deadline");
        let earliest = before + 1900 - 150 - 10;
        assert!(
            (earliest..=epoch_ms() + 1900 - 150).contains(&deadline),
            "{deadline}, asked at {before}"
        );
    }
}

fn epoch_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time");
    u64::try_from(since.as_millis()).expect("a time")
}

#[test]
fn hook_that_overruns_leaves_the_rest_to_the_others() {
    let lambda = lambda();
    let hooks = json!([
        echo("first"),
        {"name": "over", "command": SLEEP, "timeout_ms": 50},
        {"name": "deaf", "command": "trap '' TERM; (trap '' TERM; while :; do sleep 100; done) & \
         while :; do sleep 100; done",
         "timeout_ms": 50},
        echo("last"),
    ]);
    let run = Test::new().pre_stop(hooks).waits(&lambda);
    lambda.shutdown("spindown", LEFT);
    let log = succeeded("last")
        + "foreword: hook \"deaf\" (pre_stop) timed out after N ms (timeout_ms)\nforeword: hook \
           \"over\" (pre_stop) timed out after N ms (timeout_ms)\n"
        + &succeeded("first");
    run.ends("last\nfirst\n", &log);
}

/// SIGTERM comes 150 ms before the end, SIGKILL 60 ms before it, and 30 ms before it the extension
/// ends in any case and kills what runs, on a busy machine without having said all that there is to
/// say of a hook that had to be killed.
#[test]
fn hook_without_timeout_is_stopped_at_the_end_of_the_phase() {
    for (command, fewest_lines) in [(SLEEP, 2), ("trap '' TERM; while :; do sleep 100; done", 0)] {
        let lambda = lambda();
        let hooks = json!([echo("first"), {"name": "over", "command": command}]);
        let run = Test::new().pre_stop(hooks).waits(&lambda);
        let begin = Instant::now();
        lambda.shutdown("spindown", Duration::from_millis(700));
        let captured = run.finish();
        let took = begin.elapsed();
        let log = String::from_utf8(captured.stderr).expect("text");
        let lines: Vec<_> = log.lines().collect();
        assert!((fewest_lines..=2).contains(&lines.len()), "{log}");
        if let Some(over) = lines.first() {
            assert!(
                over.starts_with("foreword: hook \"over\" (pre_stop) timed out after "),
                "{log}"
            );
            assert!(over.ends_with(" ms of the phase are over)"), "{log}");
        }
        if let Some(first) = lines.get(1) {
            assert!(
                first.starts_with("foreword: hook \"first\" (pre_stop) was not started: the "),
                "{log}"
            );
        }
        assert_eq!((captured.status, captured.stdout), (0, Vec::new()));
        assert!(took >= Duration::from_millis(540) && took < LIMIT, "{took:?}");
        assert!(run.finished.is_alone());
    }
}

#[test]
fn deadlines_that_are_far_away_or_invalid_are_replaced() {
    let hook = || json!([{"name": "a", "command": SLEEP}]);
    for (deadline, left) in [
        ("99999999999999".to_owned(), 2000),
        ("1e300".to_owned(), 2000),
        ("null".to_owned(), 1500),
        ("\"soon\"".to_owned(), 1500),
        ("[]".to_owned(), 1500),
    ] {
        let lambda = lambda();
        let run = Test::new().pre_stop(hook()).waits(&lambda);
        let begin = Instant::now();
        lambda.send_to_extensions(&format!(
            r#"{{"eventType":"SHUTDOWN","deadlineMs":{deadline},"shutdownReason":"spindown"}}"#
        ));
        let log = format!(
            "foreword: hook \"a\" (pre_stop) timed out after N ms (the {} ms of the phase are \
             over)\n",
            left - 150
        );
        run.ends("", &log);
        assert!(begin.elapsed() >= Duration::from_millis(left - 150), "{deadline}");
    }
    let lambda = lambda();
    let run = Test::new().pre_stop(hook()).waits(&lambda);
    lambda.send_to_extensions(r#"{"eventType":"SHUTDOWN"}"#);
    run.ends(
        "",
        "foreword: hook \"a\" (pre_stop) timed out after N ms (the 1350 ms of the phase are \
         over)\n",
    );
}

#[test]
fn deadline_in_the_past_starts_no_hook() {
    for deadline in ["0", "-1", "1000000000000"] {
        let lambda = lambda();
        let run = Test::new().pre_stop(json!([echo("a"), echo("b")])).waits(&lambda);
        lambda.send_to_extensions(&format!(
            r#"{{"eventType":"SHUTDOWN","deadlineMs":{deadline},"shutdownReason":"timeout"}}"#
        ));
        let not_started = |name| {
            format!(
                "foreword: hook \"{name}\" (pre_stop) was not started: the 0 ms of the phase are \
                 over\n"
            )
        };
        run.ends("", &(not_started("b") + &not_started("a")));
    }
}

#[test]
fn events_of_unknown_types_are_skipped() {
    let lambda = lambda();
    let run = Test::new().pre_stop(json!([echo("a")])).waits(&lambda);
    for (number, event) in
        [r#"{"eventType":"INVOKE","deadlineMs":1}"#, r#"{"eventType":["SHUTDOWN"]}"#, "[]", "7"]
            .iter()
            .enumerate()
    {
        lambda.send_to_extensions(event);
        waits(&lambda, number + 2);
    }
    lambda.shutdown("spindown", LEFT);
    run.ends("a\n", &succeeded("a"));
}

#[test]
fn signal_counts_as_a_shutdown_with_1500_ms() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let lambda = lambda();
        let run = Test::new()
            .pre_stop(json!([echo("first"), {"name": "last", "command": SLEEP}]))
            .waits(&lambda);
        let begin = Instant::now();
        run.signal(signal);
        let log = String::from_utf8(run.finish().stderr).expect("text");
        assert!(log.contains("(the 1350 ms of the phase are over)\n"), "{log}");
        assert!(
            log.contains(
                "hook \"first\" (pre_stop) was not started: the 1350 ms of the phase are over\n"
            ),
            "{log}"
        );
        assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
    }
    let lambda = lambda();
    let command = r#"sed 's/.*"shutdown_reason":"\([^"]*\)".*/\1/'"#;
    let run = Test::new().pre_stop(json!([{"name": "a", "command": command}])).waits(&lambda);
    run.signal(Signal::SIGTERM);
    run.ends("SIGTERM\n", &succeeded("a"));
}

/// Whoever asks twice must not end the hooks that have begun.
#[test]
fn signal_during_the_shutdown_ends_nothing() {
    let lambda = lambda();
    let wait = "echo begun >begun; until [ -e go ]; do sleep 0.01; done; echo done";
    let run = Test::new()
        .pre_stop(json!([echo("first"), {"name": "last", "command": wait}]))
        .waits(&lambda);
    lambda.shutdown("spindown", LEFT);
    assert!(wait_until(LIMIT, || run.finished.directory.path("begun").exists()));
    run.signal(Signal::SIGTERM);
    run.signal(Signal::SIGTERM);
    run.finished.directory.write("go", b"", 0o644);
    run.ends("done\nfirst\n", &(succeeded("last") + &succeeded("first")));
}

/// The line of the hook that fails meets a pipe that is full.
#[test]
fn log_that_nobody_reads_does_not_delay_the_end() {
    let lambda = lambda();
    let hooks = json!([echo("first"), {"name": "last", "command": "exit 3"}]);
    let test = Test::new().pre_stop(hooks).extension(&lambda);
    let test = test.without_foreword().args([
        "/bin/sh",
        "-c",
        "mkfifo log && exec ./extensions/foreword 2<>log",
    ]);
    let run = test.start();
    waits(&lambda, 1);
    // Who holds it open reads nothing.
    let mut log = OpenOptions::new();
    let log = log.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
    let mut log = log.open(run.finished.directory.path("log")).expect("a pipe");
    while log.write(b".").is_ok() {}
    let begin = Instant::now();
    lambda.shutdown("spindown", Duration::from_millis(1500));
    let captured = run.finish();
    assert_eq!((captured.status, captured.stdout), (0, Vec::new()));
    assert!(begin.elapsed() < LIMIT, "{:?}", begin.elapsed());
}
