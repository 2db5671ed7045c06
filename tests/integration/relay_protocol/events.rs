//! After a reset of the environment restore/next may be answered with an event, which nobody hands
//! out a second time.

use super::{BOTH, OTHER, hooked, invokes, stepwise};
use crate::support::client::{
    INVOCATION_NEXT, RESTORE_NEXT, body_of, header_of, response_to, status_of,
};
use crate::support::lambda::{Call, Lambda, Settings};
use crate::support::{LIMIT, wait_until};

#[test]
fn event_for_a_relay_that_asked_goes_to_the_held_invocation_next() {
    for event in ["event".to_owned(), "e".repeat(6 << 20)] {
        let lambda = Lambda::new(Settings::default());
        let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
        let mut client = runtime.asking(INVOCATION_NEXT);
        let id = lambda.restore_with_event(event.clone()).unwrap();
        let reply = client.reply();
        assert_eq!(status_of(&reply), 200);
        assert_eq!(header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), Some(&*id));
        for name in ["Deadline-Ms", "Invoked-Function-Arn", "Trace-Id"] {
            assert!(header_of(&reply, &format!("Lambda-Runtime-{name}")).is_some(), "{name}");
        }
        assert!(body_of(&reply) == event);
        assert_eq!(runtime.order(), BOTH);
        runtime.wait_for_marker();
        assert_eq!(lambda.seen().count(Call::InvocationNext), 0);

        // A client that keeps its connection answers the event there.
        assert_eq!(header_of(&reply, "Connection"), None);
        assert_eq!(status_of(&client.ask(&response_to(&id), "answer")), 202);
        assert_eq!(lambda.answer(&id).unwrap().body, b"answer");
        client.request(INVOCATION_NEXT, "");
        invokes(&lambda, &mut client);
        runtime.end("");
    }
}

#[test]
fn event_for_a_client_that_ends_its_connection_ends_it() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
    let mut client = runtime.client();
    client.request_with(INVOCATION_NEXT, "Connection: close\r\n", "");
    let id = lambda.restore_with_event("event").unwrap();
    let reply = client.reply();
    assert_eq!(header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), Some(&*id));
    assert!(client.ends_in_order());
    assert_eq!(status_of(&runtime.client().ask(&response_to(&id), "answer")), 202);
    runtime.end("");
}

#[test]
fn event_for_a_runtime_that_asked_comes_with_its_next_invocation_next() {
    // Over the connection of restore/next, or another.
    for same in [true, false] {
        let lambda = Lambda::new(Settings::default());
        let runtime = hooked(&lambda).play();
        let client = runtime.asking(RESTORE_NEXT);
        let id = lambda.restore_with_event("event").unwrap();
        let client = runtime.is_restored(client);
        assert_eq!(runtime.order(), BOTH);
        let mut next = if same { client } else { runtime.client() };
        next.request(INVOCATION_NEXT, "");
        let reply = next.reply();
        assert_eq!(
            (header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), body_of(&reply)),
            (Some(&*id), "event")
        );
        runtime.wait_for_marker();
        assert_eq!(lambda.seen().count(Call::InvocationNext), 0);

        let mut client = runtime.client();
        assert_eq!(status_of(&client.ask(&response_to(&id), "answer")), 202);
        assert_eq!(lambda.answer(&id).unwrap().body, b"answer");
        client.request(INVOCATION_NEXT, "");
        invokes(&lambda, &mut client);
        client.request(INVOCATION_NEXT, "");
        invokes(&lambda, &mut client);
        runtime.end("");
    }
}

#[test]
fn event_waits_for_a_client_that_has_gone() {
    let lambda = Lambda::new(Settings::default());
    let (runtime, mut gates) = stepwise(&lambda, "warn");
    let client = runtime.asking(INVOCATION_NEXT);
    gates[0].open();
    let id = lambda.restore_with_event("event").unwrap();
    runtime.wait_for_order(BOTH);
    drop(client);
    gates[1].open();
    let mut client = runtime.asking(INVOCATION_NEXT);
    let reply = client.reply();
    assert_eq!(
        (header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), body_of(&reply)),
        (Some(&*id), "event")
    );
    assert_eq!(lambda.seen().count(Call::InvocationNext), 0);
    assert_eq!(status_of(&runtime.client().ask(&response_to(&id), "answer")), 202);
    assert_eq!(lambda.answer(&id).unwrap().body, b"answer");
}

/// A client that was cut off in the middle of it has not got it, whether the next one came before
/// that or after.
#[test]
fn event_that_was_not_taken_whole_goes_to_the_next_request() {
    for is_early in [true, false] {
        let lambda = Lambda::new(Settings::default());
        let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
        let client = runtime.asking(INVOCATION_NEXT);
        // More than the kernel keeps for one who does not read.
        let event = "e".repeat(64 << 20);
        let id = lambda.restore_with_event(event.clone()).unwrap();
        assert!(wait_until(LIMIT, || !client.has_nothing()));
        let early = is_early.then(|| runtime.asking(INVOCATION_NEXT));
        assert_eq!(status_of(&runtime.client().ask(OTHER, "")), 404);
        drop(client);
        let reply = early.unwrap_or_else(|| runtime.asking(INVOCATION_NEXT)).reply();
        assert_eq!(header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), Some(&*id));
        assert!(body_of(&reply) == event);
        assert_eq!(lambda.seen().count(Call::InvocationNext), 0);
        runtime.end("");
    }
}

/// Other calls between the two are not what the event waits for.
#[test]
fn event_is_for_invocation_next_only() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let client = runtime.asking(RESTORE_NEXT);
    let id = lambda.restore_with_event("event").unwrap();
    let mut client = runtime.is_restored(client);
    let other = runtime.client().ask(OTHER, "");
    assert_eq!(
        (status_of(&other), header_of(&other, "Lambda-Runtime-Aws-Request-Id")),
        (404, None)
    );
    client.request(INVOCATION_NEXT, "");
    let reply = client.reply();
    assert_eq!(header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), Some(&*id));
    runtime.end("");
}

/// A hook that fails has the last word; the event has gone to a runtime that does not live.
#[test]
fn event_for_a_runtime_whose_hook_failed_is_not_delivered() {
    let lambda = Lambda::new(Settings::default());
    let failing = serde_json::json!([{"name": "x", "command": "exit 3"}]);
    let runtime = hooked(&lambda).snapshot_hooks(serde_json::json!([]), failing).play();
    let mut client = runtime.asking(RESTORE_NEXT);
    lambda.restore_with_event("event").unwrap();
    assert_eq!(status_of(&client.reply()), 403);
    assert_eq!(lambda.seen().count(Call::RestoreError), 1);
    let runtime = runtime
        .ended(137, "foreword: hook \"x\" (after_restore) exited with status 3 after N ms\n");
    assert!(!runtime.is_marked());
}
