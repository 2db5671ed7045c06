//! What becomes of each request of the runtime's in each state of the relay: what is held, what is
//! passed on and how.

mod events;
mod held;
mod upstream;

use crate::support::client::{
    Client, INIT_ERROR, INVOCATION_NEXT, RESTORE_ERROR, RESTORE_NEXT, body_of, header_of,
    response_to, status_of,
};
use crate::support::lambda::{Call, Fault, Lambda, Parked, Request, Settings, State};
use crate::support::process::children;
use crate::support::snap_start::{noting, waiting};
use crate::support::{Gate, LIMIT, Played, Test, wait_until};
use serde_json::json;

const OTHER: &str = "GET /2018-06-01/runtime/other";

/// One hook for each phase, which are called `before` and `after` and wait until they are let go.
fn stepwise(lambda: &Lambda, log: &str) -> (Played, [Gate; 2]) {
    let hook = |phase: &str| json!([waiting("hook", phase)]);
    let test = Test::new()
        .snap_start(lambda)
        .snapshot_hooks(hook("before"), hook("after"))
        .env("FOREWORD_LOG", log);
    let gates = ["before", "after"].map(|name| Gate::new(&test.path(name)));
    (test.play(), gates)
}

/// One hook for each phase, which write down that they were run.
fn hooked(lambda: &Lambda) -> Test {
    Test::new()
        .snap_start(lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([noting("hook", "after")]))
}

/// Both hooks have run.
const BOTH: &str = "hook before\nhook after\n";

/// Sends a request that has to be answered by the Runtime API; the connection ends with the answer.
#[track_caller]
fn passes(runtime: &Played, lambda: &Lambda, call: &str, status: u16) {
    let known = lambda.seen().requests.len();
    let mut client = runtime.client();
    let reply = client.ask(call, "{}");
    assert_eq!(status_of(&reply), status, "{call}: {reply}");
    assert_eq!(client.rest(), b"");
    assert_eq!(new(lambda, known).len(), 1, "{call}");
}

/// Sends a request that has to wait, and with which the Runtime API must not be troubled. What
/// passes after it shows that the relay has seen it.
#[track_caller]
fn holds(runtime: &Played, lambda: &Lambda, call: &str) -> Client {
    let known = lambda.seen().requests.len();
    let client = runtime.asking(call);
    passes(runtime, lambda, OTHER, 404);
    assert_eq!(new(lambda, known).len(), 1, "{call}: {}", lambda.seen());
    assert!(client.has_nothing(), "{call}");
    client
}

/// The requests that came after so many.
fn new(lambda: &Lambda, known: usize) -> Vec<Request> {
    lambda.seen().requests.split_off(known)
}

/// Takes one event through a connection, to its end.
#[track_caller]
fn invokes(lambda: &Lambda, client: &mut Client) {
    let id = lambda.hand_out("event").unwrap();
    let reply = client.reply();
    assert_eq!(
        (header_of(&reply, "Lambda-Runtime-Aws-Request-Id"), body_of(&reply)),
        (Some(&*id), "event")
    );
    assert_eq!(status_of(&client.ask(&response_to(&id), "answer")), 202);
    assert_eq!(lambda.answer(&id).unwrap().body, b"answer");
}

/// The same, when several wait: the event goes to one of them.
#[track_caller]
fn invokes_one_of(lambda: &Lambda, clients: &mut [Client]) {
    let id = lambda.hand_out("event").unwrap();
    wait_until(LIMIT, || clients.iter().any(|client| !client.has_nothing()));
    let client = clients.iter_mut().find(|client| !client.has_nothing()).expect("an answer");
    assert_eq!(body_of(&client.reply()), "event");
    assert_eq!(status_of(&client.ask(&response_to(&id), "answer")), 202);
    assert_eq!(lambda.answer(&id).unwrap().body, b"answer");
    client.request(INVOCATION_NEXT, "");
}

#[test]
fn every_request_in_every_state_has_its_reaction() {
    let lambda = Lambda::new(Settings::default());
    let (runtime, mut gates) = stepwise(&lambda, "warn");
    passes(&runtime, &lambda, OTHER, 404);
    passes(&runtime, &lambda, RESTORE_ERROR, 403);
    passes(&runtime, &lambda, &RESTORE_NEXT.replace("GET", "POST"), 405);
    passes(&runtime, &lambda, "GET /", 404);
    assert_eq!(runtime.order(), "");

    let mut restore_next = vec![holds(&runtime, &lambda, RESTORE_NEXT)];
    let mut invocation_next = Vec::new();
    runtime.wait_for_order("hook before\n");
    let mut hold = |runtime: &Played, lambda: &Lambda| {
        restore_next.push(holds(runtime, lambda, RESTORE_NEXT));
        invocation_next.push(holds(runtime, lambda, INVOCATION_NEXT));
        passes(runtime, lambda, OTHER, 404);
    };
    hold(&runtime, &lambda);
    passes(&runtime, &lambda, RESTORE_ERROR, 403);
    assert_eq!(lambda.seen().state, State::Started);

    gates[0].open();
    assert_eq!(lambda.snapshot().unwrap(), Parked::RestoreNext);
    hold(&runtime, &lambda);
    passes(&runtime, &lambda, INIT_ERROR, 403);
    passes(&runtime, &lambda, RESTORE_ERROR, 403);

    lambda.restore().unwrap();
    runtime.wait_for_order(BOTH);
    hold(&runtime, &lambda);

    gates[1].open();
    for client in restore_next {
        runtime.is_restored(client);
    }
    lambda.wait("all that was held", |seen| (seen.parked == 3).then_some(())).unwrap();
    let mut client = runtime.client();
    for (call, status) in
        [(RESTORE_NEXT, 403), (INIT_ERROR, 403), (RESTORE_ERROR, 403), (OTHER, 404)]
    {
        assert_eq!(status_of(&client.ask(call, "{}")), status, "{call}");
    }
    assert_eq!(lambda.seen().count(Call::RestoreNext), 2);
    invokes_one_of(&lambda, &mut invocation_next);
    runtime.end("");
}

/// Taken during a restore, the one counts as the other.
#[test]
fn reports_of_the_runtime_during_after_restore_hooks_pass() {
    for call in [INIT_ERROR, RESTORE_ERROR] {
        let lambda = Lambda::new(Settings::default());
        let (runtime, mut gates) = stepwise(&lambda, "warn");
        let _client = runtime.asking(RESTORE_NEXT);
        gates[0].open();
        lambda.restore().unwrap();
        runtime.wait_for_order(BOTH);
        passes(&runtime, &lambda, call, 202);
        let report = lambda.wait("a report", |seen| seen.report.clone()).unwrap();
        assert_eq!((report.call, report.error_type.as_str()), (Call::RestoreError, "Runtime.Test"));
    }
}

#[test]
fn init_error_of_the_runtime_prevents_the_hooks() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    // Also while its answer is still to come.
    lambda.fault(Call::InitError, Fault::Hold);
    let mut client = runtime.asking(INIT_ERROR);
    lambda.wait_for_held(1).unwrap();
    // As long as it takes to start something.
    for _ in 0..20 {
        assert_eq!(status_of(&runtime.client().ask(OTHER, "")), 404);
    }
    lambda.release();
    assert_eq!(status_of(&client.reply()), 202);
    let report = lambda.wait("a report", |seen| seen.report.clone()).unwrap();
    assert_eq!(
        (report.call, report.error_type.as_str(), report.body),
        (Call::InitError, "Runtime.Test", Vec::new())
    );
    // The Runtime API itself refuses it, as without a relay.
    let reply = runtime.client().ask(RESTORE_NEXT, "");
    assert!(status_of(&reply) == 403 && reply.contains("InvalidStateTransition"), "{reply}");
    assert_eq!(lambda.seen().count(Call::RestoreNext), 1);
    assert_eq!(runtime.order(), "");
    assert!(!runtime.is_marked());
    runtime.end("");
    assert_eq!(lambda.seen().count(Call::InitError), 1);
}

/// Another thread of the runtime's has failed while hooks run already.
#[test]
fn init_error_of_the_runtime_during_hooks_ends_them_without_a_report() {
    let lambda = Lambda::new(Settings::default());
    let before = json!([noting("before", "never"), waiting("before", "gate")]);
    let test =
        Test::new().snap_start(&lambda).snapshot_hooks(before, json!([noting("after", "never")]));
    let _gate = Gate::new(&test.path("gate"));
    let runtime = test.play();
    let mut client = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("before gate\n");
    assert_eq!(status_of(&runtime.client().ask(INIT_ERROR, "{}")), 202);
    // What was held passes behind it, and is refused as without a relay.
    assert_eq!(status_of(&client.reply()), 403);
    assert_eq!(runtime.order(), "before gate\n");
    assert_eq!(lambda.seen().count(Call::InitError), 1);
    assert_eq!(
        lambda.wait("a report", |seen| seen.report.clone()).unwrap().error_type,
        "Runtime.Test"
    );
    runtime.run.terminate();
    assert!(runtime.run.finished.is_alone() && !runtime.is_marked());
}

/// Whether the Runtime API has answered it yet makes no difference.
#[test]
fn hook_that_fails_beside_an_init_error_of_the_runtime_is_not_reported() {
    let lambda = Lambda::new(Settings::default());
    let failing = json!({"name": "x", "command": "echo x >>order; read -r go <gate; exit 3"});
    let test = Test::new().snap_start(&lambda).snapshot_hooks(json!([failing]), json!([]));
    let mut gate = Gate::new(&test.path("gate"));
    let runtime = test.play();
    let mut held = runtime.asking(RESTORE_NEXT);
    runtime.wait_for_order("x\n");
    lambda.fault(Call::InitError, Fault::Hold);
    let mut client = runtime.asking(INIT_ERROR);
    lambda.wait_for_held(1).unwrap();
    gate.open();
    let relay = runtime.relay();
    assert!(wait_until(LIMIT, || children(relay).is_empty()));
    // As long as it takes to report something.
    for _ in 0..20 {
        assert_eq!(status_of(&runtime.client().ask(OTHER, "")), 404);
    }
    lambda.release();
    assert_eq!(status_of(&client.reply()), 202);
    drop(client);
    assert_eq!(status_of(&held.reply()), 403);
    assert_eq!(lambda.seen().count(Call::InitError), 1, "{}", lambda.seen());
    runtime.end("");
}

/// A connection of its own for each, which ends with the answer: the next request is looked at
/// again.
#[test]
fn request_that_passes_differs_in_its_connection_header_only() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    for (sent, headers) in [
        ("Connection: keep-alive\r\n", "keep-alive"),
        ("", "none"),
        ("connection: Close\r\n", "close"),
        ("Connection: keep-alive\r\nConnection: TE\r\n", "two"),
    ] {
        let known = lambda.seen();
        let own = "hOST:  odd \r\nX-Bytes: \u{e9}\r\nX-Empty:\r\nx-twice: 1\r\nX-Twice: \
                   2\r\nUser-Agent: a (b)\r\n";
        let mut client = runtime.client();
        let head =
            format!("POST /2018-06-01/a?b=%20c#d HTTP/1.1\r\n{own}{sent}Content-Length: 4\r\n\r\n");
        client.send(head.as_bytes());
        client.send(b"body");
        assert_eq!(status_of(&client.reply()), 404, "{headers}");
        assert_eq!(client.rest(), b"");
        let [request] = &new(&lambda, known.requests.len())[..] else {
            panic!("{}", lambda.seen())
        };
        assert_eq!(request.body.bytes, b"body");
        assert_eq!(request.connection, known.connections.len(), "{headers}");
        let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
        let found: Vec<_> = request.head.text.lines().filter(|line| !is_connection(line)).collect();
        // Each byte is a character of what is recorded.
        let sent: String = head.bytes().map(char::from).collect();
        assert_eq!(
            found,
            sent.trim_end().lines().filter(|line| !is_connection(line)).collect::<Vec<_>>()
        );
        let connection: Vec<_> = request.head.text.lines().filter(is_connection).collect();
        assert_eq!(connection.len(), 1, "{connection:?}");
        assert!(connection[0].to_ascii_lowercase().ends_with(": close"), "{connection:?}");
    }
    runtime.end("");
}

/// As RFC 9112 wants of a server, and the Runtime API is none the wiser.
#[test]
fn empty_line_before_a_request_changes_nothing() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.client();
    client.send(b"\r\nGET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(status_of(&client.reply()), 404);
    assert_eq!(lambda.seen().requests[0].head.request_line(), Some(("GET", "/other")));
    let mut client = runtime.client();
    client.send(format!("\r\n{RESTORE_NEXT} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    runtime.is_restored(client);
    runtime.end("");
}

/// RFC 9112 wants that of every server, section 3.2.2.
#[test]
fn request_with_an_absolute_target_is_recognized() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.client();
    let target = RESTORE_NEXT.replace("GET ", &format!("GET HTTP://{}", runtime.address));
    client.send(format!("{target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    runtime.wait_for_order("hook before\n");
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    runtime.is_restored(client);
    runtime.end("");
}

#[test]
fn body_that_waits_for_100_continue_passes() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.client();
    let head = "Host: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n";
    client.send(format!("POST /other HTTP/1.1\r\n{head}\r\n").as_bytes());
    assert_eq!(client.reply(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"body");
    assert_eq!(status_of(&client.reply()), 404);
    assert_eq!(client.rest(), b"");
    assert_eq!(lambda.seen().requests[0].body.bytes, b"body");
    runtime.end("");
}

#[test]
fn request_head_in_any_pieces_is_recognized() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let mut client = runtime.client();
    for byte in format!("{RESTORE_NEXT} HTTP/1.1\r\nHost: x\r\n\r\n").bytes() {
        client.send(&[byte]);
    }
    lambda.snapshot().unwrap();
    lambda.restore().unwrap();
    runtime.is_restored(client);
    assert_eq!(runtime.order(), BOTH);
    runtime.end("");
}

/// None of them keeps others waiting, and the bytes that are there are not lost.
#[test]
fn connections_without_a_whole_request_become_tunnels() {
    let lambda = Lambda::new(Settings::default());
    let runtime = hooked(&lambda).play();
    let (mut silent, mut half) = (runtime.client(), runtime.client());
    half.send(b"GET /2018-06-01/runtime/invo");
    runtime.restored(&lambda);
    half.send(b"cation/next HTTP/1.1\r\nHost: x\r\n\r\n");
    lambda.ready().unwrap();
    invokes(&lambda, &mut half);
    assert_eq!(status_of(&silent.ask(OTHER, "")), 404);
    assert_eq!(status_of(&silent.ask(OTHER, "")), 404);
    runtime.end("");
}
