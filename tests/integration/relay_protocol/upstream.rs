//! What the Runtime API makes of restore/next other than the answer that all wait for.

use super::{BOTH, OTHER, hooked, invokes};
use crate::support::Played;
use crate::support::client::{
    Client, INIT_ERROR, INVOCATION_NEXT, RESTORE_NEXT, body_of, header_of, status_of,
};
use crate::support::lambda::{Call, End, Fault, Lambda, Settings, State};
use serde_json::Value;
use std::time::Duration;

/// Waits for the restore, unless the fault keeps it from ever being asked for.
fn restore(lambda: &Lambda, fault: &Fault) {
    if !matches!(fault, Fault::Status(_) | Fault::Reset) {
        lambda.restore().unwrap();
    }
}

/// A relay whose restore/next goes wrong, and the runtime's client that waits for what comes of it.
fn going_wrong(lambda: &Lambda, fault: &Fault, call: &str) -> (Played, Client) {
    lambda.fault(Call::RestoreNext, fault.clone());
    let runtime = hooked(lambda).play();
    let client = runtime.asking(call);
    restore(lambda, fault);
    (runtime, client)
}

#[test]
fn restore_next_answered_in_any_framing_is_read() {
    for fault in [Fault::Dribble, Fault::Continue, Fault::Chunked] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, client) = going_wrong(&lambda, &fault, RESTORE_NEXT);
        let mut client = runtime.is_restored(client);
        assert_eq!(runtime.order(), BOTH, "{fault:?}");
        runtime.wait_for_marker();
        client.request(INVOCATION_NEXT, "");
        invokes(&lambda, &mut client);
        runtime.end("");
    }
}

#[test]
fn event_in_any_framing_is_read() {
    for fault in [Fault::Dribble, Fault::Continue, Fault::Chunked] {
        let lambda = Lambda::new(Settings::default());
        lambda.fault(Call::RestoreNext, fault.clone());
        let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
        let mut client = runtime.asking(INVOCATION_NEXT);
        let id = lambda.restore_with_event("event").unwrap();
        let reply = client.message();
        assert_eq!((status_of(&reply), body_of(&reply)), (200, "event"), "{fault:?}");
        assert_eq!(header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), Some(&*id));
        assert_eq!(runtime.order(), BOTH, "{fault:?}");
        runtime.end("");
    }
}

/// No hook runs after it, and whatever the runtime then reports arrives.
#[test]
fn status_other_than_200_is_passed_to_a_runtime_that_asked() {
    for status in [403, 404, 500, 202] {
        let direct = Lambda::new(Settings::default());
        direct.fault(Call::RestoreNext, Fault::Status(status));
        let expected = Client::new(&direct).ask(RESTORE_NEXT, "");

        let lambda = Lambda::new(Settings::default());
        let (runtime, mut client) = going_wrong(&lambda, &Fault::Status(status), RESTORE_NEXT);
        let found = client.reply();
        assert_eq!((status_of(&found), body_of(&found)), (status, body_of(&expected)));
        assert_eq!(header_of(&found, "Content-Type"), header_of(&expected, "Content-Type"));
        goes_on_without_a_restore(&lambda, &runtime);
    }
}

#[test]
fn reset_or_refusal_is_a_502_to_a_runtime_that_asked() {
    for fault in [
        Fault::Reset,
        Fault::Cut(0, End::Close),
        Fault::Cut(0, End::Reset),
        Fault::Cut(20, End::Close),
    ] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, mut client) = going_wrong(&lambda, &fault, RESTORE_NEXT);
        assert_eq!(status_of(&client.reply()), 502, "{fault:?}");
        if fault == Fault::Reset {
            goes_on_without_a_restore(&lambda, &runtime);
        } else {
            runs_no_hook_of_the_restore(&runtime);
        }
    }

    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    lambda.refuse();
    let mut client = runtime.asking(RESTORE_NEXT);
    assert_eq!(status_of(&client.reply()), 502);
    lambda.listen();
    assert_eq!(status_of(&runtime.client().ask(INIT_ERROR, "{}")), 202);
    assert_eq!(lambda.seen().count(Call::RestoreNext), 0);
    runs_no_hook_of_the_restore(&runtime);
}

/// The runtime's own report arrives, through a tunnel, and the runtime lives until it ends by
/// itself.
#[track_caller]
fn goes_on_without_a_restore(lambda: &Lambda, runtime: &Played) {
    assert_eq!(status_of(&runtime.client().ask(OTHER, "")), 404);
    assert_eq!(status_of(&runtime.client().ask(INIT_ERROR, r#"{"own":true}"#)), 202);
    lambda.wait_for_state(State::InitError).unwrap();
    assert_eq!(lambda.seen().report.expect("a report").body, br#"{"own":true}"#);
    runs_no_hook_of_the_restore(runtime);
}

/// One line tells what became of restore/next.
#[track_caller]
fn runs_no_hook_of_the_restore(runtime: &Played) {
    assert_eq!(runtime.run.terminate().status, 143);
    assert!(runtime.run.finished.is_alone());
    assert_eq!(runtime.order(), "hook before\n");
    assert!(!runtime.is_marked());
    let stderr = runtime.run.finished.read(".stderr");
    let is_line = stderr.starts_with("foreword: ")
        && stderr.contains("restore/next")
        && stderr.lines().count() == 1;
    assert!(is_line, "{stderr}");
}

/// Nobody else would tell.
#[test]
fn relay_that_asked_and_gets_another_status_fails() {
    for fault in [
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Reset,
        Fault::Cut(0, End::Close),
        Fault::Cut(20, End::Close),
    ] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, mut client) = going_wrong(&lambda, &fault, INVOCATION_NEXT);
        assert_eq!(status_of(&client.reply()), 403, "{fault:?}");
        assert_eq!(runtime.run.finish().status, 137, "{fault:?}");
        fails(&runtime, &format!("{fault:?}"));
        let [request] = &lambda.seen().of(Call::InitError).cloned().collect::<Vec<_>>()[..] else {
            panic!("{}", lambda.seen())
        };
        assert_eq!(
            request.header("Lambda-Runtime-Function-Error-Type"),
            Some("Runtime.BeforeSnapshotError")
        );
        let body: Value = serde_json::from_slice(&request.body.bytes).expect("JSON");
        assert!(
            body["errorMessage"].as_str().expect("a message").contains("restore/next"),
            "{body}"
        );
        assert_eq!(body["errorType"], "Runtime.BeforeSnapshotError");
    }

    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    lambda.refuse();
    assert_eq!(status_of(&runtime.asking(INVOCATION_NEXT).reply()), 403);
    assert_eq!(runtime.run.finish().status, 137);
    fails(&runtime, "refused");
}

/// One line says so, beside the one that the runtime takes no part.
#[track_caller]
fn fails(runtime: &Played, how: &str) {
    assert!(runtime.run.finished.is_alone());
    assert_eq!(runtime.order(), "hook before\n", "{how}");
    assert!(!runtime.is_marked());
    let stderr = runtime.run.finished.read(".stderr");
    let lines: Vec<_> =
        stderr.lines().filter(|line| !line.contains("takes no part in SnapStart")).collect();
    assert!(
        lines.len() == 1 && lines[0].starts_with("foreword: ") && lines[0].contains("restore/next"),
        "{how}: {stderr}"
    );
}

/// However long the snapshot lasts: nothing watches the clock.
#[test]
fn relay_asks_once_in_its_life() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.restored(&lambda);
    // A second restore/next is the runtime's own, and is refused as it would be without a relay.
    assert_eq!(status_of(&client.ask(RESTORE_NEXT, "")), 403);
    let calls: Vec<_> = lambda.seen().of(Call::RestoreNext).map(|request| request.status).collect();
    assert_eq!(calls, [Some(200), Some(403)]);
    assert_eq!(runtime.order(), BOTH);
    runtime.end("");
}

/// Its own requests keep no connection that a snapshot would break.
#[test]
fn connections_before_the_snapshot_end_with_their_response() {
    let lambda = Lambda::new(Settings::default());
    lambda.limit(Duration::from_secs(10));
    let runtime = hooked(&lambda).play();
    for _ in 0..3 {
        assert_eq!(status_of(&runtime.client().ask(OTHER, "")), 404);
    }
    let _client = runtime.asking(RESTORE_NEXT);
    lambda.snapshot().unwrap();
    lambda
        .wait("one connection", |seen| {
            let open = seen
                .connections
                .iter()
                .filter(|known| **known == crate::support::lambda::Connection::Open);
            (open.count() == 1).then_some(())
        })
        .unwrap();
    runtime.end("");
}
