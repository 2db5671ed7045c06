//! The runtime clients that people use under snapshot hooks: their own hooks lie within ours, and
//! after the restore they live as without foreword.

use crate::clients::{Life, RuntimeClient, live, told};
use crate::support::lambda::{Call, Lambda, Parked, Settings};
use crate::support::{Captured, Test};
use serde_json::{Value, json};

/// What is said, once, of a client that never asks for the restore.
const NO_PART: &str = "takes no part in SnapStart";

/// What our hooks write.
const OURS: [&str; 2] =
    ["before_snapshot two\nbefore_snapshot one\n", "after_restore one\nafter_restore two\n"];

/// Hooks of both phases that write into the client's log, whose name is exported by an initialize
/// hook.
fn hooked(through: Test) -> Test {
    let export = json!({"name": "log", "command": ["/bin/echo", "CLIENT_LOG=<folder>/log"],
        "export": "dotenv"});
    let hook = |phase: &str, name: &str| {
        json!({
            "name": name, "command": format!("echo {phase} {name} >>$CLIENT_LOG")
        })
    };
    let hooks = |phase: &str| json!([hook(phase, "one"), hook(phase, "two")]);
    configured(
        through,
        json!({
            "initialize": [export],
            "before_snapshot": hooks("before_snapshot"),
            "after_restore": hooks("after_restore"),
        }),
    )
}

fn configured(through: Test, hooks: Value) -> Test {
    // The life to come sets the real address.
    let test = through.snap_start("127.0.0.1:1").env("FOREWORD_LOG", "warn");
    test.config(&json!({"hooks": hooks}).to_string())
}

/// The heads of all requests but for what the relay changes before the restore, which is whether
/// connections go on.
fn heads(life: &Life, with_restore_next: bool) -> Vec<String> {
    let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    let without = |head: &String| {
        head.lines().filter(|line| !is_connection(line)).collect::<Vec<_>>().join("\n")
    };
    let heads =
        life.requests.iter().filter(|head| with_restore_next || !head.contains("/restore/next"));
    heads.map(without).collect()
}

#[track_caller]
fn lives_within_hooks(client: &RuntimeClient) {
    lives_within_hooks_of(client, client.through());
}

#[track_caller]
fn lives_within_hooks_of(client: &RuntimeClient, through: Test) {
    let (direct, through) = (live(client.direct()), live(hooked(through)));
    client.check(&direct);
    client.check(&through);
    assert_ne!(through.addresses[1], through.addresses[0]);

    // The handler's before ours, and after ours.
    let [before, after] = client.hooks;
    let snapshot = format!("{before}{}", OURS[0]);
    assert_eq!(through.log[0], snapshot);
    assert_eq!(through.log[1], format!("{snapshot}{}{after}", OURS[1]));

    assert!(through.answers == direct.answers, "the answers are others than without foreword");
    assert_eq!(through.chunked, direct.chunked);
    // Whoever does not ask for the restore has it asked for.
    let asks = client.parked == Parked::RestoreNext;
    assert_eq!(through.parked, Parked::RestoreNext);
    assert_eq!(heads(&through, asks), heads(&direct, asks));
    assert_eq!(heads(&through, true).len(), heads(&direct, false).len() + 1);

    let is_warning =
        |line: &&[u8]| line.windows(NO_PART.len()).any(|part| part == NO_PART.as_bytes());
    let lines = || through.captured.stderr.split_inclusive(|byte| *byte == b'\n');
    assert_eq!(lines().filter(is_warning).count(), usize::from(!asks));
    let stderr = lines().filter(|line| !is_warning(line)).flatten().copied().collect();
    let Captured { stdout, status, .. } = through.captured.clone();
    assert_eq!(Captured { stdout, stderr, status }, direct.captured);
}

#[test]
fn snapshot_hooks_with_python_run_around_its_own() {
    lives_within_hooks(&RuntimeClient::python());
}

#[test]
fn snapshot_hooks_with_rust_run_around_its_own() {
    lives_within_hooks(&RuntimeClient::rust());
}

#[test]
fn snapshot_hooks_with_java_run_around_its_own() {
    lives_within_hooks(&RuntimeClient::java());
}

#[test]
fn snapshot_hooks_with_node_run_without_restore_next() {
    RuntimeClient::node().iter().for_each(lives_within_hooks);
}

/// It registers an internal extension and polls with the connections of one pool, across the
/// restore.
#[test]
fn snapshot_hooks_with_go_run_without_restore_next() {
    lives_within_hooks(&RuntimeClient::go());
}

#[test]
fn snapshot_hooks_with_a_shell_run_without_restore_next() {
    lives_within_hooks(&RuntimeClient::shell());
}

#[test]
fn snapshot_hooks_with_an_os_only_runtime_run() {
    for client in [RuntimeClient::rust(), RuntimeClient::go()] {
        lives_within_hooks_of(&client, client.through_bootstrap());
    }
}

/// What the client makes of the refusal is its own matter; its report, if it sends one, is not the
/// first.
#[test]
fn hook_that_fails_is_the_only_report_whatever_the_client_sends() {
    let [node, _] = RuntimeClient::node();
    for (name, client) in [
        ("python", RuntimeClient::python()),
        ("rust", RuntimeClient::rust()),
        ("java", RuntimeClient::java()),
        ("node", node),
        ("go", RuntimeClient::go()),
        ("shell", RuntimeClient::shell()),
    ] {
        for (phase, call, error_type) in [
            ("before_snapshot", Call::InitError, "Runtime.BeforeSnapshotError"),
            ("after_restore", Call::RestoreError, "Runtime.AfterRestoreError"),
        ] {
            let lambda = Lambda::new(Settings::default());
            let mut hooks = json!({"before_snapshot": [], "after_restore": []});
            hooks[phase] = json!([{"name": "x", "command": "exit 3"}]);
            let run = told(configured(client.through(), hooks), &lambda)
                .env("CLIENT_LOG", "<folder>/log")
                .start();
            if call == Call::RestoreError {
                lambda.restore().unwrap();
            }
            let captured = run.finish();
            assert!(run.finished.is_alone());
            assert_ne!(captured.status, 0, "{name}");
            let stderr = String::from_utf8_lossy(&captured.stderr);
            let line = format!("foreword: hook \"x\" ({phase}) exited with status 3 after ");
            assert_eq!(
                stderr.lines().filter(|found| found.starts_with(&line)).count(),
                1,
                "{name}: {stderr}"
            );
            let seen = lambda.seen();
            let report = seen.report.clone().expect("a report");
            assert_eq!((report.call, report.error_type.as_str()), (call, error_type), "{name}");
            assert_eq!(
                seen.count(Call::InitError) + seen.count(Call::RestoreError),
                1,
                "{name}: {seen}"
            );
            assert_eq!(seen.count(Call::InvocationNext), 0, "{name}: {seen}");
            assert_eq!(
                seen.count(Call::RestoreNext),
                usize::from(call == Call::RestoreError),
                "{name}: {seen}"
            );
        }
    }
}
