//! Hooks around a snapshot that do not end well: one report, one line, an answer for whoever is
//! held, and half a second for the runtime to end by itself before it is ended.

use crate::support::client::{Client, INIT_ERROR, RESTORE_ERROR, RESTORE_NEXT, body_of, status_of};
use crate::support::lambda::{Call, Fault, Lambda, Report, Settings, State};
use crate::support::process::is_gone;
use crate::support::snap_start::noting;
use crate::support::{BUSY, Gate, LIMIT, Played, Test, wait_until};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// How long a runtime has to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// A hook called x.
fn x(command: &str) -> Value {
    json!({"name": "x", "command": command})
}

fn limited(command: &str, timeout_ms: u64) -> Value {
    json!({"name": "x", "command": command, "timeout_ms": timeout_ms})
}

/// What is reported is the line without its beginning; the duration is blank in both.
#[track_caller]
fn check(report: &Report, call: Call, message: &str) {
    let error_type = match call {
        Call::InitError => "Runtime.BeforeSnapshotError",
        _ => "Runtime.AfterRestoreError",
    };
    assert_eq!((report.call, report.error_type.as_str()), (call, error_type));
    let body: Value = serde_json::from_slice(&report.body).expect("JSON");
    let found = body["errorMessage"].as_str().expect("a message");
    let (start, rest) = found.split_once("after ").expect("a duration");
    let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    assert_eq!(format!("{start}after N{rest}"), message);
    assert_eq!(body, json!({"errorMessage": found, "errorType": error_type, "stackTrace": []}));
}

fn report(lambda: &Lambda) -> Report {
    lambda.wait("a report", |seen| seen.report.clone()).unwrap()
}

/// The answer that whoever was held gets, in the form of the platform's own.
#[track_caller]
fn is_refused(client: &mut Client) {
    let reply = client.reply();
    assert_eq!(status_of(&reply), 403, "{reply}");
    assert!(reply.contains(r#""errorType":"#), "{reply}");
}

#[test]
fn before_snapshot_hook_that_fails_is_one_init_error() {
    let lambda = Lambda::new(Settings::default());
    let before = json!([noting("before", "first"), x("exit 3"), noting("before", "last")]);
    let test =
        Test::new().snap_start(&lambda).snapshot_hooks(before, json!([noting("after", "never")]));
    let runtime = test.play();
    let mut client = runtime.asking(RESTORE_NEXT);
    is_refused(&mut client);
    let start = Instant::now();
    let message = r#"hook "x" (before_snapshot) exited with status 3 after N ms"#;
    let runtime = runtime.ended(137, &format!("foreword: {message}\n"));
    let elapsed = start.elapsed();
    // A little of the half second is over before the answer is read.
    assert!(
        (GRACE - Duration::from_millis(100)..Duration::from_millis(600) + BUSY).contains(&elapsed),
        "{elapsed:?}"
    );
    check(&report(&lambda), Call::InitError, message);
    assert_eq!(lambda.seen().requests.len(), 1, "{}", lambda.seen());
    assert_eq!(runtime.order(), "before last\n");
    assert!(!runtime.is_marked());
}

#[test]
fn after_restore_hook_that_fails_is_one_restore_error() {
    let lambda = Lambda::new(Settings::default());
    let after = json!([noting("after", "first"), x("kill -KILL $$"), noting("after", "never")]);
    let runtime = Test::new().snap_start(&lambda).snapshot_hooks(json!([]), after).play();
    let mut client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    is_refused(&mut client);
    let start = Instant::now();
    let message = r#"hook "x" (after_restore) was killed by SIGKILL after N ms"#;
    let runtime = runtime.ended(137, &format!("foreword: {message}\n"));
    assert!(start.elapsed() < Duration::from_millis(600) + BUSY, "{:?}", start.elapsed());
    check(&report(&lambda), Call::RestoreError, message);
    assert_eq!(lambda.seen().requests.len(), 2, "{}", lambda.seen());
    assert_eq!(runtime.order(), "after first\n");
    assert!(!runtime.is_marked());
}

/// The relay's reports go where the runtime's would.
#[test]
fn report_goes_to_the_address_that_edits_set() {
    let (given, edited) = (Lambda::new(Settings::default()), Lambda::new(Settings::default()));
    let config = json!({
        "env": {"AWS_LAMBDA_RUNTIME_API": edited.address()},
        "hooks": {"before_snapshot": [x("exit 3")]},
    });
    let runtime = Test::new()
        .snap_start(&given)
        .config(&config.to_string())
        .env("FOREWORD_LOG", "warn")
        .play();
    is_refused(&mut runtime.asking(RESTORE_NEXT));
    let message = r#"hook "x" (before_snapshot) exited with status 3 after N ms"#;
    runtime.ended(137, &format!("foreword: {message}\n"));
    check(&report(&edited), Call::InitError, message);
    assert_eq!(given.seen().requests.len(), 0);
}

/// Whatever is logged, and how, the report is the same.
#[test]
fn log_of_the_relay_has_its_level_and_format() {
    let json = |level: &str, name: &str, what: &str, error_type: &str, outcome: &str| {
        format!(
            "{{\"timestamp\":\"T\",\"level\":\"{level}\",\"message\":\"hook \\\"{name}\\\" \
             (before_snapshot) {what} after N \
             ms\",{error_type}\"phase\":\"before_snapshot\",\"hook\":\"{name}\",\"outcome\":\"\
             {outcome}\",\"durationMs\":N}}\n"
        )
    };
    let error_type = r#""errorType":"Runtime.BeforeSnapshotError","#;
    let lines = json("INFO", "y", "succeeded", "", "success")
        + &json("ERROR", "x", "exited with status 3", error_type, "failure");
    for (name, value, lines) in
        [("FOREWORD_LOG", "off", ""), ("AWS_LAMBDA_LOG_FORMAT", "JSON", &lines)]
    {
        let lambda = Lambda::new(Settings::default());
        let hooks = json!([x("exit 3"), {"name": "y", "command": ["/bin/true"]}]);
        let test = Test::new().snap_start(&lambda).snapshot_hooks(hooks, json!([]));
        let runtime = test.env("FOREWORD_LOG", "info").env(name, value).play();
        is_refused(&mut runtime.asking(RESTORE_NEXT));
        runtime.ended(137, lines);
        check(
            &report(&lambda),
            Call::InitError,
            r#"hook "x" (before_snapshot) exited with status 3 after N ms"#,
        );
    }
}

#[test]
fn hook_that_cannot_be_started_is_reported() {
    for (phase, call) in
        [("before_snapshot", Call::InitError), ("after_restore", Call::RestoreError)]
    {
        let lambda = Lambda::new(Settings::default());
        let mut hooks = json!({"before_snapshot": [], "after_restore": []});
        hooks[phase] = json!([{"name": "x", "command": ["/nowhere/x"]}]);
        let test = Test::new().snap_start(&lambda).env("FOREWORD_LOG", "warn");
        let runtime = test.config(&json!({"hooks": hooks}).to_string()).play();
        let mut client = runtime.asking(RESTORE_NEXT);
        if call == Call::RestoreError {
            lambda.restore().unwrap();
        }
        is_refused(&mut client);
        let message = format!(
            r#"hook "x" ({phase}) could not be started: unable to execute "/nowhere/x": no such file"#
        );
        runtime.ended(137, &format!("foreword: {message}\n"));
        let report = report(&lambda);
        assert_eq!(report.call, call);
        assert_eq!(
            serde_json::from_slice::<Value>(&report.body).expect("JSON")["errorMessage"],
            message
        );
    }
}

/// A client that is told of the failure ends with its own status, as it always does.
#[test]
fn runtime_that_ends_by_itself_is_not_killed() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new().snap_start(&lambda).snapshot_hooks(json!([x("exit 3")]), json!([]));
    let mut gate = Gate::new(&test.path("gate"));
    let runtime = test.play_as("read -r go <gate; exit 64\n");
    let mut client = runtime.asking(RESTORE_NEXT);
    is_refused(&mut client);
    // Its own report comes too late to count.
    assert_eq!(status_of(&runtime.client().ask(INIT_ERROR, "{}")), 202);
    gate.open();
    runtime.ended(64, "foreword: hook \"x\" (before_snapshot) exited with status 3 after N ms\n");
    assert_eq!(lambda.seen().requests.len(), 1, "{}", lambda.seen());
}

/// The runtime is ended, and nothing else: what it has started is the platform's to end.
#[test]
fn runtime_after_a_failure_is_killed_alone() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new().snap_start(&lambda).snapshot_hooks(json!([x("exit 3")]), json!([]));
    let runtime = test.play_as("sleep 1000 & echo $! >child; exec sleep 1000\n");
    let mut child = String::new();
    assert!(wait_until(LIMIT, || {
        child = fs::read_to_string(runtime.path("child")).unwrap_or_default();
        child.ends_with('\n')
    }));
    is_refused(&mut runtime.asking(RESTORE_NEXT));
    let relay = runtime.relay();
    assert_eq!(runtime.run.finish().status, 137);
    runtime.is_over_within(Duration::from_millis(300), &[relay]);
    assert!(!is_gone(Pid::from_raw(child.trim_end().parse().expect("a process id"))));
}

#[test]
fn requests_after_a_failure_are_refused_and_reports_not_forwarded() {
    for after in [false, true] {
        let lambda = Lambda::new(Settings::default());
        let failing = json!([x("exit 3")]);
        let (before, after_restore) =
            if after { (json!([]), failing) } else { (failing, json!([])) };
        let runtime = Test::new().snap_start(&lambda).snapshot_hooks(before, after_restore).play();
        let mut client = runtime.asking(RESTORE_NEXT);
        if after {
            lambda.restore().unwrap();
        }
        is_refused(&mut client);
        let known = lambda.seen().requests.len();
        for (call, status) in [
            (RESTORE_NEXT, 403),
            ("GET /2018-06-01/runtime/invocation/next", 403),
            (INIT_ERROR, 202),
            (RESTORE_ERROR, 202),
        ] {
            let reply = runtime.client().ask(call, "{}");
            assert_eq!(status_of(&reply), status, "{call}: {reply}");
            let body: Value = serde_json::from_str(body_of(&reply)).expect("a whole body");
            match status {
                202 => assert_eq!(body, json!({"status": "OK"})),
                _ => assert_eq!(body["errorType"], "InvalidStateTransition"),
            }
        }
        assert_eq!(lambda.seen().requests.len(), known, "{}", lambda.seen());
        assert_eq!(status_of(&runtime.client().ask("GET /other", "")), 404);
        assert_eq!(lambda.seen().requests.len(), known + 1);
        let phase = if after { "after_restore" } else { "before_snapshot" };
        runtime.ended(
            137,
            &format!("foreword: hook \"x\" ({phase}) exited with status 3 after N ms\n"),
        );
    }
}

#[test]
fn hook_that_may_fail_stops_nothing() {
    let lambda = Lambda::new(Settings::default());
    let hooks = |phase: &str| {
        let mut hooks = [
            x("exit 3"),
            limited("exec sleep 1000", 50),
            json!({"name": "x", "command": ["/nowhere/x"]}),
        ];
        hooks.iter_mut().for_each(|hook| hook["on_failure"] = json!("continue"));
        let [status, limit, start] = hooks;
        json!([noting(phase, "first"), status, limit, start, noting(phase, "last")])
    };
    let runtime =
        Test::new().snap_start(&lambda).snapshot_hooks(hooks("before"), hooks("after")).play();
    runtime.restored(&lambda);
    assert_eq!(runtime.order(), "before last\nbefore first\nafter first\nafter last\n");
    let lines = |phase: &str| {
        [
            format!(
                "foreword: hook \"x\" ({phase}) exited with status 3 after N ms (on_failure: \
                 continue)\n"
            ),
            format!(
                "foreword: hook \"x\" ({phase}) timed out after N ms (timeout_ms) (on_failure: \
                 continue)\n"
            ),
            format!(
                "foreword: hook \"x\" ({phase}) could not be started: unable to execute \
                 \"/nowhere/x\": no such file (on_failure: continue)\n"
            ),
        ]
    };
    let [status, limit, start] = lines("before_snapshot");
    runtime.end(&([start, limit, status].concat() + &lines("after_restore").concat()));
    assert_eq!(lambda.seen().report, None);
}

#[test]
fn hook_that_ignores_sigterm_is_killed_with_its_group() {
    let command = "trap '' TERM; sleep 1000 & echo $$ $! >pids; wait";
    for (phase, call) in
        [("before_snapshot", Call::InitError), ("after_restore", Call::RestoreError)]
    {
        let lambda = Lambda::new(Settings::default());
        let mut hooks = json!({"before_snapshot": [], "after_restore": []});
        hooks[phase] = json!([limited(command, 300)]);
        let test = Test::new().snap_start(&lambda).env("FOREWORD_LOG", "warn");
        let runtime = test.config(&json!({"hooks": hooks}).to_string()).play();
        let mut client = runtime.asking(RESTORE_NEXT);
        let start = Instant::now();
        if call == Call::RestoreError {
            lambda.restore().unwrap();
        }
        is_refused(&mut client);
        let elapsed = start.elapsed();
        let limit = Duration::from_millis(800);
        assert!(
            (limit - Duration::from_millis(50)..limit + 2 * BUSY).contains(&elapsed),
            "{elapsed:?}"
        );
        let pids = fs::read_to_string(runtime.path("pids")).expect("process ids");
        for pid in
            pids.split_whitespace().map(|pid| Pid::from_raw(pid.parse().expect("a process id")))
        {
            assert!(wait_until(BUSY, || is_gone(pid)), "{pid} of {pids}");
        }
        let message = format!(r#"hook "x" ({phase}) timed out after N ms (timeout_ms)"#);
        runtime.ended(137, &format!("foreword: {message}\n"));
        check(&report(&lambda), call, &message);
    }
}

/// Unlike one that ends by itself, it had no chance to end what it has started.
#[test]
fn hook_that_is_killed_leaves_nothing_of_its_group() {
    for phase in ["before_snapshot", "after_restore"] {
        let lambda = Lambda::new(Settings::default());
        let mut hooks = json!({"before_snapshot": [], "after_restore": []});
        hooks[phase] = json!([x("trap '' TERM; sleep 1000 & echo $! >child; kill -KILL $$")]);
        let test = Test::new().snap_start(&lambda).env("FOREWORD_LOG", "warn");
        let runtime = test.config(&json!({"hooks": hooks}).to_string()).play();
        let mut client = runtime.asking(RESTORE_NEXT);
        if phase == "after_restore" {
            lambda.restore().unwrap();
        }
        is_refused(&mut client);
        let child = fs::read_to_string(runtime.path("child")).expect("a child");
        let child = Pid::from_raw(child.trim_end().parse().expect("a process id"));
        assert!(wait_until(BUSY, || is_gone(child)), "{phase}");
        runtime.ended(
            137,
            &format!("foreword: hook \"x\" ({phase}) was killed by SIGKILL after N ms\n"),
        );
    }
}

/// One of the two reports is enough, whichever came first.
#[test]
fn report_of_the_runtime_beside_the_hook_s_is_not_forwarded() {
    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::InitError, Fault::Hold);
    let runtime =
        Test::new().snap_start(&lambda).snapshot_hooks(json!([x("exit 3")]), json!([])).play();
    let mut held = runtime.asking(RESTORE_NEXT);
    lambda.wait_for_held(1).unwrap();
    let mut client = runtime.asking(INIT_ERROR);
    assert_eq!(status_of(&client.reply()), 202);
    is_refused(&mut held);
    assert_eq!(lambda.seen().count(Call::InitError), 1, "{}", lambda.seen());
    runtime.ended(137, "foreword: hook \"x\" (before_snapshot) exited with status 3 after N ms\n");
}

/// Lambda gives ten seconds for a restore; what is left of them after these is for the runtime.
#[test]
fn after_restore_hooks_share_eight_seconds() {
    let lambda = Lambda::new(Settings::default());
    let after = json!([limited("exec sleep 2", 60_000), x("trap '' TERM; sleep 1000 & wait")]);
    let runtime = Test::new().snap_start(&lambda).snapshot_hooks(json!([]), after).play();
    let mut client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    let start = Instant::now();
    lambda.restore().unwrap();
    is_refused(&mut client);
    let elapsed = start.elapsed();
    assert!(
        (Duration::from_millis(8450)..Duration::from_millis(8500) + 2 * BUSY).contains(&elapsed),
        "{elapsed:?}"
    );
    let message =
        r#"hook "x" (after_restore) timed out after N ms (the 8000 ms of the phase are over)"#;
    runtime.ended(137, &format!("foreword: {message}\n"));
    check(&report(&lambda), Call::RestoreError, message);
}

/// A second for the report, and then the one that is held is answered all the same.
#[test]
fn report_that_is_not_accepted_delays_nothing() {
    let failing = || Test::new().snapshot_hooks(json!([x("exit 3")]), json!([]));
    let line = "foreword: hook \"x\" (before_snapshot) exited with status 3 after N ms\n";
    let refusal = |runtime: &Played, least: Duration| {
        let start = Instant::now();
        is_refused(&mut runtime.asking(RESTORE_NEXT));
        assert!(
            (least..Duration::from_secs(1) + 2 * BUSY).contains(&start.elapsed()),
            "{:?}",
            start.elapsed()
        );
    };

    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::InitError, Fault::Hold);
    let runtime = failing().snap_start(&lambda).play();
    refusal(&runtime, Duration::from_millis(900));
    runtime.ended(137, line);

    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::InitError, Fault::Reset);
    let runtime = failing().snap_start(&lambda).play();
    refusal(&runtime, Duration::ZERO);
    runtime.ended(137, line);

    let lambda = Lambda::new(Settings::default());
    let runtime = failing().snap_start(&lambda).play();
    lambda.refuse();
    refusal(&runtime, Duration::ZERO);
    runtime.ended(137, line);
    assert_eq!(lambda.seen().state, State::Started);
}
