//! Whoever is held gets its answer, whatever has come and gone meanwhile.

use super::{BOTH, OTHER, holds, hooked, invokes, invokes_one_of, passes, stepwise};
use crate::support::client::{
    EVENT_NEXT, INIT_ERROR, INVOCATION_NEXT, REGISTER, RESTORE_NEXT, body_of, header_of, status_of,
};
use crate::support::lambda::{Call, Connection, Lambda, Parked, Seen, Settings};
use crate::support::process::children;
use crate::support::{Gate, LIMIT, Played, wait_until};
use std::time::{Duration, Instant};

/// Less than the second that the relay leaves a client to close its side.
const AT_ONCE: Duration = Duration::from_millis(900);

/// What is said, once, where the runtime never asks for the restore.
const NO_PART: &str = "takes no part in SnapStart";

/// .NET's client, for one, asks for its events there.
#[test]
fn connection_of_restore_next_continues_as_a_tunnel() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.restored(&lambda);
    for _ in 0..3 {
        client.request(INVOCATION_NEXT, "");
        invokes(&lambda, &mut client);
    }
    assert_eq!(lambda.seen().count(Call::InvocationNext), 3);
    runtime.end("");
}

/// Such a client takes the end of the connection for that of the answer.
#[test]
fn connection_of_restore_next_with_close_ends_with_its_response() {
    for (version, headers) in
        [("1.0", ""), ("1.1", "Connection: close\r\n"), ("1.1", "connection: TE, Close\r\n")]
    {
        let lambda = Lambda::new(Settings::default());
        let runtime = hooked(&lambda).play();
        let mut client = runtime.client();
        client
            .send(format!("{RESTORE_NEXT} HTTP/{version}\r\nHost: x\r\n{headers}\r\n").as_bytes());
        lambda.snapshot().unwrap();
        lambda.restore().unwrap();
        assert_eq!(status_of(&client.reply()), 200, "{version} {headers}");
        assert_eq!(client.rest(), b"");
        runtime.wait_for_marker();
        let mut client = runtime.asking(INVOCATION_NEXT);
        invokes(&lambda, &mut client);
        runtime.end("");
    }
}

#[test]
fn client_that_only_calls_invocation_next_is_held() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.client();
    let own = "User-Agent: aws-lambda-go/1 (x)\r\nX-Other: x\r\nlambda-runtime-features: a b\r\n";
    client.request_with(INVOCATION_NEXT, own, "");
    assert_eq!(lambda.snapshot().unwrap(), Parked::RestoreNext);
    assert_eq!(runtime.order(), "hook before\n");
    let seen = lambda.seen();
    let [request] = &seen.requests[..] else { panic!("{seen}") };
    let header = |name: &str| {
        request.head.headers().filter(|(known, _)| known.eq_ignore_ascii_case(name)).count()
    };
    assert_eq!(
        (header("User-Agent"), header("Lambda-Runtime-Features"), header("X-Other")),
        (1, 1, 0)
    );
    assert_eq!(request.header("User-Agent"), Some("aws-lambda-go/1 (x)"));
    assert_eq!(request.header("Lambda-Runtime-Features"), Some("a b"));
    assert_eq!(request.header("Host"), Some(lambda.address()));

    lambda.restore().unwrap();
    lambda.ready().unwrap();
    assert_eq!(runtime.order(), BOTH);
    runtime.wait_for_marker();
    invokes(&lambda, &mut client);
    client.request(INVOCATION_NEXT, "");
    invokes(&lambda, &mut client);
    // What was held is sent as it was.
    let first = lambda.seen().of(Call::InvocationNext).next().expect("a call").clone();
    assert_eq!((first.header("X-Other"), first.header("Host")), (Some("x"), Some("lambda")));

    let captured = runtime.run.terminate();
    let stderr = String::from_utf8(captured.stderr).expect("text");
    assert!(stderr.starts_with("foreword: ") && stderr.contains(NO_PART), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(runtime.run.finished.is_alone());
}

#[test]
fn runtime_without_a_user_agent_has_none_sent_for_it() {
    for call in [RESTORE_NEXT, INVOCATION_NEXT] {
        let lambda = Lambda::new(Settings::default());
        let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
        let _client = runtime.asking(call);
        lambda.snapshot().unwrap();
        let request = &lambda.seen().requests[0];
        assert_eq!(
            (request.header("User-Agent"), request.header("Lambda-Runtime-Features")),
            (None, None),
            "{call}"
        );
        runtime.end("");
    }
}

#[test]
fn two_invocation_next_at_once_are_both_answered() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
    let mut clients = [(); 2].map(|()| runtime.asking(INVOCATION_NEXT));
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    lambda.wait("both", |seen| (seen.parked == 2).then_some(())).unwrap();
    assert_eq!(
        (lambda.seen().count(Call::RestoreNext), lambda.seen().count(Call::InvocationNext)),
        (1, 2)
    );
    assert_eq!(runtime.order(), BOTH);
    invokes_one_of(&lambda, &mut clients);
    invokes_one_of(&lambda, &mut clients);
    runtime.end("");
}

#[test]
fn restore_next_and_invocation_next_at_once_are_both_answered() {
    for calls in [[RESTORE_NEXT, INVOCATION_NEXT], [INVOCATION_NEXT, RESTORE_NEXT]] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, mut gates) = stepwise(&lambda, "warn");
        let mut clients = calls.map(|call| (call, holds(&runtime, &lambda, call)));
        clients.sort_by_key(|(call, _)| *call == INVOCATION_NEXT);
        let [(_, restore), (_, mut invocation)] = clients;
        gates.iter_mut().for_each(Gate::open);
        lambda.snapshot().unwrap();
        lambda.restore().unwrap();
        runtime.is_restored(restore);
        invokes(&lambda, &mut invocation);
        assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
        assert_eq!(runtime.order(), BOTH);
        runtime.run.terminate();
        assert!(runtime.run.finished.is_alone());
    }
}

/// Java's client asks again when it was closed without an answer; the restore would be lost. Before
/// the hooks have ended, during the snapshot, while the hooks of the restore run, and after all of
/// them.
#[test]
fn client_that_closes_in_any_state_may_come_back() {
    for (steps, call) in (0..4).flat_map(|steps| [(steps, RESTORE_NEXT), (steps, INVOCATION_NEXT)])
    {
        let lambda = Lambda::new(Settings::default());
        let (runtime, mut gates) = stepwise(&lambda, "error");
        let client = runtime.asking(call);
        runtime.wait_for_order("hook before\n");
        if steps > 0 {
            gates[0].open();
            lambda.snapshot().unwrap();
        }
        if steps > 1 {
            lambda.restore().unwrap();
            runtime.wait_for_order(BOTH);
        }
        client.end();
        if steps > 2 {
            gates[1].open();
            let relay = runtime.relay();
            assert!(wait_until(LIMIT, || children(relay).is_empty()));
            passes(&runtime, &lambda, OTHER, 404);
            // Nobody has taken the answer.
            assert!(!runtime.is_marked());
        }
        let mut again = runtime.asking(call);
        if steps < 1 {
            gates[0].open();
        }
        if steps < 2 {
            lambda.snapshot().unwrap();
            lambda.restore().unwrap();
        }
        if steps < 3 {
            gates[1].open();
        }
        if call == RESTORE_NEXT {
            again = runtime.is_restored(again);
            again.request(INVOCATION_NEXT, "");
        }
        invokes(&lambda, &mut again);
        runtime.wait_for_marker();
        assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
        assert_eq!(runtime.order(), BOTH);
        runtime.end("");
    }
}

/// Java's second request for the same, while the first is still there.
#[test]
fn duplicate_restore_next_is_answered() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let clients = [(); 2].map(|()| runtime.asking(RESTORE_NEXT));
    lambda.snapshot().unwrap();
    let late = holds(&runtime, &lambda, RESTORE_NEXT);
    lambda.restore().unwrap();
    for client in clients.into_iter().chain([late]) {
        runtime.is_restored(client);
    }
    assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
    assert_eq!(runtime.order(), BOTH);
    runtime.end("");
}

/// Registers an internal extension over a connection of its own; the header by which it is known
/// from then on.
#[track_caller]
fn registers(runtime: &Played) -> String {
    let mut client = runtime.client();
    let name = "Connection: keep-alive\r\nLambda-Extension-Name: inner\r\n";
    let reply = client.ask_with(REGISTER, name, r#"{"events":["INVOKE"]}"#);
    assert_eq!(status_of(&reply), 200, "{reply}");
    // It is told that the connection ends, as any client understands.
    assert_eq!(header_of(&reply, "Connection"), Some("close"));
    assert_eq!(client.rest(), b"");
    let identifier = header_of(&reply, "Lambda-Extension-Identifier").expect("an identifier");
    format!("Lambda-Extension-Identifier: {identifier}\r\n")
}

#[test]
fn keep_alive_client_that_registers_an_extension_may_poll() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
    let identifier = registers(&runtime);
    let mut client = runtime.asking(INVOCATION_NEXT);
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    invokes(&lambda, &mut client);
    // From here on its connection is kept for whatever it asks.
    let event = client.ask_with(EVENT_NEXT, &identifier, "");
    assert!(body_of(&event).contains(r#""eventType":"INVOKE""#), "{event}");
    client.request(INVOCATION_NEXT, "");
    invokes(&lambda, &mut client);
    assert_eq!(lambda.seen().count(Call::ExtensionRegister), 1);
    runtime.end("");
}

#[test]
fn long_poll_of_an_internal_extension_crosses_the_restore() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).env("FOREWORD_LOG", "error").play();
    let identifier = registers(&runtime);
    let mut extension = runtime.client();
    extension.request_with(EVENT_NEXT, &identifier, "");
    lambda
        .wait("a long poll", |seen| (seen.count(Call::ExtensionNext) == 1).then_some(()))
        .unwrap();
    let mut client = runtime.asking(INVOCATION_NEXT);
    lambda.snapshot().unwrap();
    // No connection crosses the snapshot but those that wait for their answer.
    let open = |seen: &Seen| {
        seen.connections.iter().filter(|connection| **connection == Connection::Open).count()
    };
    lambda.wait("two connections", |seen| (open(seen) == 2).then_some(())).unwrap();
    lambda.restore().unwrap();
    lambda.ready().unwrap();
    assert!(extension.has_nothing());
    invokes(&lambda, &mut client);
    assert!(body_of(&extension.reply()).contains(r#""eventType":"INVOKE""#));
    assert_eq!(extension.rest(), b"");
    assert_eq!(lambda.seen().count(Call::ExtensionNext), 1);
    runtime.end("");
}

/// Some clients leave their side of a connection open for as long as they live.
#[test]
fn request_that_was_answered_is_over_whether_its_client_closes_or_not() {
    let lambda = Lambda::new(Settings::default());
    let (runtime, mut gates) = stepwise(&lambda, "warn");
    let mut kept = runtime.client();
    kept.request_with(REGISTER, "Lambda-Extension-Name: x\r\n", r#"{"events":["INVOKE"]}"#);
    assert_eq!(status_of(&kept.reply()), 200);
    let held = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("hook before\n");
    let start = Instant::now();
    gates[0].open();
    lambda.snapshot().unwrap();
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    drop((kept, held));

    let lambda = Lambda::new(Settings::default());
    let (runtime, _gates) = stepwise(&lambda, "warn");
    let mut held = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("hook before\n");
    let mut kept = runtime.client();
    assert_eq!(status_of(&kept.ask(INIT_ERROR, "")), 202);
    assert_eq!(status_of(&held.reply()), 403);
    drop(kept);
}
