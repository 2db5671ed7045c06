//! The Runtime API that the relay is tested with, asked by plain sockets.

mod faults;

use crate::support::client::{
    Client, EVENT_NEXT, INIT_ERROR, INVOCATION_NEXT, REGISTER, RESTORE_ERROR, RESTORE_NEXT,
    body_of, response_to, status_of,
};
use crate::support::lambda::{
    Answer, Call, Connection, Failure, Lambda, Outcome, Parked, Seen, Settings, State, hash,
};
use serde_json::{Value, json};
use std::net::Shutdown;
use std::time::Duration;

const OK: &str = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: \
                  15\r\n\r\n{\"status\":\"OK\"}";
const RESTORED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// What one call does in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// It waits, in this state.
    Blocks(State),
    /// 202, and this state.
    Accepts(State),
    Forbids,
}

#[test]
fn every_call_in_every_state_has_lambda_s_reaction() {
    use Reaction::{Accepts, Blocks, Forbids};
    use State::{InitError, Ready, RestoreError, RestoreReady, Restoring, Started};
    for (call, row) in [
        (RESTORE_NEXT, [Blocks(RestoreReady), Forbids, Forbids, Forbids, Forbids, Forbids]),
        (INVOCATION_NEXT, [Blocks(Ready), Forbids, Blocks(Ready), Forbids, Forbids, Blocks(Ready)]),
        (
            INIT_ERROR,
            [Accepts(InitError), Forbids, Accepts(RestoreError), Forbids, Forbids, Forbids],
        ),
        (RESTORE_ERROR, [Forbids, Forbids, Accepts(RestoreError), Forbids, Forbids, Forbids]),
    ] {
        let states = [Started, RestoreReady, Restoring, RestoreError, InitError, Ready];
        for (state, expected) in states.into_iter().zip(row) {
            let lambda = Lambda::new(Settings::default());
            let _parked = bring_to(&lambda, state);
            assert_eq!(reaction(&lambda, call), expected, "{call} in {state:?}");
        }
    }
}

#[test]
fn call_that_is_refused_names_the_transition() {
    let lambda = Lambda::new(Settings::default());
    let _parked = bring_to(&lambda, State::RestoreReady);
    let body = "{\"errorMessage\":\"State transition from RestoreReady to InitError failed for \
                runtime. Error: State transition is not \
                allowed\",\"errorType\":\"InvalidStateTransition\"}";
    let head =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 162\r\n\r\n";
    assert_eq!(Client::new(&lambda).ask(INIT_ERROR, "{}"), format!("{head}{body}"));
}

#[test]
fn unknown_paths_and_methods_are_refused() {
    let lambda = Lambda::new(Settings::default());
    let on_demand = Lambda::new(Settings { snap_start: false, ..Settings::default() });
    for (lambda, request, status) in [
        (&lambda, "POST /2018-06-01/runtime/restore/next", 405),
        (&lambda, "GET /2018-06-01/runtime/init/error", 405),
        (&lambda, "GET /2018-06-01/runtime/other", 404),
        (&lambda, "GET /", 404),
        (&lambda, "POST /2018-06-01/runtime/invocation/1/response", 400),
        (&on_demand, RESTORE_NEXT, 404),
        (&on_demand, RESTORE_ERROR, 404),
    ] {
        assert_eq!(status_of(&Client::new(lambda).ask(request, "")), status, "{request}");
        assert_eq!(lambda.seen().state, State::Started, "{request}");
    }
}

#[test]
fn request_that_is_not_http_1_is_recorded_and_refused() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(
        client.rest(),
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(lambda.seen().requests[0].head.text, "PRI * HTTP/2.0");
}

#[test]
fn absolute_target_is_the_same_call_as_its_path() {
    for (target, status) in [
        ("http://127.0.0.1:9001/2018-06-01/runtime/init/error", 202),
        ("http://sandbox/2018-06-01/runtime/init/error?x=http://y/z", 202),
        ("http://127.0.0.1:9001/other", 404),
        ("http://127.0.0.1:9001", 404),
        ("/http://127.0.0.1:9001/2018-06-01/runtime/init/error", 404),
    ] {
        let lambda = Lambda::new(Settings::default());
        let request = format!("POST {target}");
        assert_eq!(status_of(&Client::new(&lambda).ask(&request, "{}")), status, "{target}");
        assert_eq!(lambda.seen().count(Call::InitError), usize::from(status == 202), "{target}");
    }
}

#[test]
fn malformed_head_is_refused() {
    for head in [
        "GET\r\n\r\n",
        "GET /x HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /x HTTP/1.1\r\na b: c\r\n\r\n",
        "GET /x y HTTP/1.1\r\n\r\n",
    ] {
        let lambda = Lambda::new(Settings::default());
        let mut client = Client::new(&lambda);
        client.send(head.as_bytes());
        assert!(client.rest().starts_with(b"HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert_eq!(lambda.seen().requests[0].call, None, "{head}");
    }
}

#[test]
fn request_head_of_any_length_and_pieces_is_read() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    let long = format!("Long: {}\r\n", "\u{e9}".repeat(1 << 20));
    assert_eq!(client.ask_with(INIT_ERROR, &long, "{}"), OK);
    // Each byte of the two is one character of what is recorded.
    assert_eq!(lambda.seen().requests[0].header("Long").unwrap().chars().count(), 2 << 20);
    for byte in format!(
        "{RESTORE_ERROR} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    )
    .bytes()
    {
        client.send(&[byte]);
    }
    assert_eq!(status_of(&client.reply()), 403);
    let request = &lambda.seen().requests[1];
    assert_eq!(
        (request.body.bytes.as_slice(), request.body.is_chunked, request.body.is_complete),
        (&b"{}"[..], true, true)
    );
}

#[test]
fn events_with_two_calls_waiting_go_to_the_first() {
    let lambda = Lambda::new(Settings::default());
    let mut clients = [(); 2].map(|()| Client::new(&lambda));
    for (waiting, client) in (1..).zip(&mut clients) {
        client.request(INVOCATION_NEXT, "");
        lambda.wait("a parked call", |seen| (seen.parked == waiting).then_some(())).unwrap();
    }
    let id = lambda.hand_out("first").unwrap();
    assert_eq!(body_of(&clients[0].reply()), "first");
    assert_eq!(clients[0].ask(&response_to(&id), ""), OK);
    // The other one waits, but it has not said again that the runtime is ready.
    assert_eq!((lambda.seen().state, lambda.seen().parked), (State::ResponseSent, 1));
    clients[0].request(INVOCATION_NEXT, "");
    lambda.hand_out("second").unwrap();
    assert_eq!(body_of(&clients[1].reply()), "second");
}

#[test]
fn client_from_init_to_shutdown_is_served() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(RESTORE_NEXT, "");
    assert_eq!(lambda.snapshot().unwrap(), Parked::RestoreNext);
    assert_eq!(lambda.restore().unwrap(), Parked::RestoreNext);
    assert_eq!(client.reply(), RESTORED);
    assert_eq!(lambda.seen().state, State::Restoring);

    client.request(INVOCATION_NEXT, "");
    lambda.ready().unwrap();
    let event = vec![b'e'; 6 << 20];
    let id = lambda.hand_out(event.clone()).unwrap();
    let reply = client.reply();
    assert!(reply.contains(&format!("\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n")));
    for name in ["Deadline-Ms", "Invoked-Function-Arn", "Trace-Id"] {
        assert!(reply.contains(&format!("\r\nLambda-Runtime-{name}: ")), "{name}");
    }
    assert_eq!(body_of(&reply).len(), event.len());
    // As long as nothing has answered the event, it is handed out again.
    assert_eq!(body_of(&client.ask(INVOCATION_NEXT, "")).len(), event.len());

    let wrong_id =
        "POST /2018-06-01/runtime/invocation/00000000-0000-4000-8000-000000000009/response";
    assert_eq!(status_of(&client.ask(wrong_id, "late")), 400);
    let answer = "a".repeat(6 << 20);
    assert_eq!(client.ask(&response_to(&id), &answer), OK);
    assert_eq!(lambda.answer(&id).unwrap(), buffered(Outcome::Response, &answer));
    assert_eq!(status_of(&client.ask(&response_to(&id), &answer)), 400);

    client.request(INVOCATION_NEXT, "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    assert_eq!(client.ask(&response_to(&id).replace("response", "error"), "{}"), OK);
    assert_eq!(
        lambda.answer(&id).unwrap(),
        buffered(Outcome::Error("Runtime.Test".to_owned()), "{}")
    );

    let seen = lambda.seen();
    assert_eq!(seen.count(Call::RestoreNext), 1);
    assert_eq!(seen.count(Call::InvocationNext), 3);
    assert_eq!(seen.connections, [Connection::Open]);
    let large = seen.of(Call::InvocationResponse).nth(1).unwrap();
    assert_eq!((large.body.length, large.body.hash), (6 << 20, hash(answer.as_bytes())));
    assert!(large.body.bytes.is_empty());
    assert_eq!(seen.of(Call::InvocationError).next().unwrap().body.bytes, b"{}");
}

#[test]
fn streamed_response_with_trailers_is_recorded() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(INVOCATION_NEXT, "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    let head = "Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: \
                streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type\r\n";
    client.send(
        format!("{} HTTP/1.1\r\nHost: x\r\n{head}\r\n5\r\nfirst\r\n", response_to(&id)).as_bytes(),
    );
    // It can be seen while it comes.
    lambda
        .wait("the first chunk", |seen| (seen.requests.last()?.body.length == 5).then_some(()))
        .unwrap();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..7 {
        client.send(b"100000\r\n");
        client.send(&chunk);
        client.send(b"\r\n");
    }
    client.send(b"0\r\nLambda-Runtime-Function-Error-Type: Runtime.Late\r\n\r\n");
    assert_eq!(client.reply(), OK);
    let answer = lambda.answer(&id).unwrap();
    assert_eq!(answer.body.len(), 5 + (7 << 20));
    assert_eq!(answer.outcome, Outcome::Error("Runtime.Late".to_owned()));
    assert!(answer.is_streamed && answer.is_complete);
    assert_eq!(
        answer.trailers,
        [("Lambda-Runtime-Function-Error-Type".to_owned(), "Runtime.Late".to_owned())]
    );
}

#[test]
fn buffered_response_over_the_limit_or_truncated_is_refused() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(INVOCATION_NEXT, "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    assert_eq!(status_of(&client.ask(&response_to(&id), &"a".repeat(7 << 20))), 413);
    let outcome = lambda.answer(&id).unwrap().outcome;
    assert_eq!(outcome, Outcome::Error("Function.ResponseSizeTooLarge".to_owned()));

    client.request(INVOCATION_NEXT, "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    client.send(
        format!("{} HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf", response_to(&id)).as_bytes(),
    );
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(status_of(&client.reply()), 400);
    let answer = lambda.answer(&id).unwrap();
    assert_eq!((answer.body, answer.is_complete), (b"half".to_vec(), false));
}

#[test]
fn client_that_leaves_restore_next_loses_the_restore() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(RESTORE_NEXT, "");
    lambda.snapshot().unwrap();
    drop(client);
    let ended = |seen: &Seen| (seen.connections == [Connection::Ended]).then_some(());
    lambda.wait("the client's end", ended).unwrap();
    assert_eq!(status_of(&Client::new(&lambda).ask(RESTORE_NEXT, "")), 403);
}

#[test]
fn client_without_restore_next_gets_no_response_at_the_restore() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(INVOCATION_NEXT, "");
    assert_eq!(lambda.snapshot().unwrap(), Parked::InvocationNext);
    assert_eq!(lambda.restore().unwrap(), Parked::InvocationNext);
    assert_eq!((lambda.seen().state, lambda.seen().parked), (State::Ready, 1));
}

#[test]
fn report_of_an_error_ends_every_wait_for_the_runtime() {
    let lambda = Lambda::new(Settings::default());
    assert_eq!(Client::new(&lambda).ask(INIT_ERROR, r#"{"errorType":"Runtime.Test"}"#), OK);
    let Err(Failure::Reported(report)) = lambda.snapshot() else {
        panic!("a snapshot without a runtime")
    };
    assert_eq!((report.call, report.error_type.as_str()), (Call::InitError, "Runtime.Test"));
    assert_eq!(report.body, br#"{"errorType":"Runtime.Test"}"#);

    let lambda = Lambda::new(Settings::default());
    let _parked = bring_to(&lambda, State::RestoreError);
    let Err(Failure::Reported(report)) = lambda.ready() else { panic!("ready without a runtime") };
    assert_eq!(report.call, Call::RestoreError);

    let lambda = Lambda::new(Settings::default());
    lambda.runtime_exited();
    assert!(matches!(lambda.invoke("{}"), Err(Failure::Exited(_))));

    let lambda = Lambda::new(Settings::default());
    lambda.limit(Duration::from_millis(1));
    assert!(matches!(
        lambda.invoke("{}"),
        Err(Failure::TimedOut("a runtime in invocation/next", _))
    ));
}

#[test]
fn event_as_the_response_to_restore_next_is_delivered() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(RESTORE_NEXT, "");
    let id = lambda.restore_with_event("{}").unwrap();
    assert!(client.reply().contains(&format!("\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n")));
    assert_eq!(client.ask(&response_to(&id), "answer"), OK);
    assert_eq!(lambda.answer(&id).unwrap().body, b"answer");

    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    client.request(RESTORE_NEXT, "");
    lambda.restore_with_event("{}").unwrap();
    client.reply();
    // A client that overlooks the event waits for ever.
    assert_eq!(reaction(&lambda, INVOCATION_NEXT), Reaction::Blocks(State::Ready));
}

#[test]
fn body_with_100_continue_and_connection_close_is_read() {
    let lambda = Lambda::new(Settings::default());
    let mut client = Client::new(&lambda);
    let head = "Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n";
    client.send(format!("{INIT_ERROR} HTTP/1.1\r\n{head}\r\n").as_bytes());
    assert_eq!(client.reply(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"{}");
    assert_eq!(
        client.rest(),
        OK.replace("Content-Length", "Connection: close\r\nContent-Length").as_bytes()
    );
}

#[test]
fn internal_extension_on_the_runtime_s_connection_is_served() {
    let lambda =
        Lambda::new(Settings { extensions: vec!["foreword".to_owned()], ..Settings::default() });
    let mut client = Client::new(&lambda);
    let name = |name: &str| format!("Lambda-Extension-Name: {name}\r\n");
    assert_eq!(status_of(&client.ask_with(REGISTER, "", "{}")), 403);
    assert_eq!(
        status_of(&client.ask_with(REGISTER, &name("inner"), r#"{"events":["SHUTDOWN"]}"#)),
        403
    );
    let inner = identifier(&client.ask_with(REGISTER, &name("inner"), r#"{"events":["INVOKE"]}"#));
    let outer =
        identifier(&client.ask_with(REGISTER, &name("foreword"), r#"{"events":["SHUTDOWN"]}"#));
    assert_eq!(status_of(&client.ask(EVENT_NEXT, "")), 403);
    client.request(INVOCATION_NEXT, "");
    lambda.hand_out("{}").unwrap();
    client.reply();
    assert_eq!(status_of(&client.ask_with(REGISTER, &name("late"), r#"{"events":[]}"#)), 403);

    let event: Value =
        serde_json::from_str(body_of(&client.ask_with(EVENT_NEXT, &inner, ""))).unwrap();
    assert_eq!(event["eventType"], "INVOKE");
    client.request_with(EVENT_NEXT, &outer, "");
    lambda.shutdown("spindown", Duration::from_secs(2));
    let event: Value = serde_json::from_str(body_of(&client.reply())).unwrap();
    assert_eq!(
        (&event["eventType"], &event["shutdownReason"]),
        (&json!("SHUTDOWN"), &json!("spindown"))
    );
    for call in ["init", "exit"] {
        assert_eq!(
            client.ask_with(&format!("POST /2020-01-01/extension/{call}/error"), &outer, "{}"),
            OK
        );
    }
}

/// Leads a runtime into a state; what it has parked there waits as long as the clients live.
fn bring_to(lambda: &Lambda, state: State) -> Vec<Client> {
    let mut client = Client::new(lambda);
    let park = |client: &mut Client, call| {
        client.request(call, "");
        lambda.snapshot().unwrap();
    };
    match state {
        State::RestoreReady => park(&mut client, RESTORE_NEXT),
        State::Ready => park(&mut client, INVOCATION_NEXT),
        State::InitError => assert_eq!(client.ask(INIT_ERROR, "{}"), OK),
        State::Restoring | State::RestoreError => {
            park(&mut client, RESTORE_NEXT);
            lambda.restore().unwrap();
            assert_eq!(client.reply(), RESTORED);
            if state == State::RestoreError {
                assert_eq!(client.ask(RESTORE_ERROR, "{}"), OK);
            }
        }
        _ => {}
    }
    assert_eq!(lambda.seen().state, state);
    vec![client]
}

fn reaction(lambda: &Lambda, call: &str) -> Reaction {
    let before = lambda.seen();
    let mut client = Client::new(lambda);
    client.request(call, "{}");
    let decided = |seen: &Seen| {
        let status = seen.requests.get(before.requests.len())?.status;
        (status.is_some() || seen.parked > before.parked).then_some((status, seen.state))
    };
    match lambda.wait("a reaction", decided).unwrap() {
        (None, state) => Reaction::Blocks(state),
        (Some(202), state) => {
            assert_eq!(client.reply(), OK);
            Reaction::Accepts(state)
        }
        (status, state) => {
            assert_eq!((status, state), (Some(403), before.state));
            assert!(body_of(&client.reply()).contains(r#""errorType":"InvalidStateTransition""#));
            Reaction::Forbids
        }
    }
}

fn buffered(outcome: Outcome, body: &str) -> Answer {
    let (content_type, body) = (String::new(), body.as_bytes().to_vec());
    Answer {
        outcome,
        body,
        content_type,
        is_streamed: false,
        trailers: Vec::new(),
        is_complete: true,
    }
}

/// The header by which a registered extension names itself.
fn identifier(reply: &str) -> String {
    assert_eq!(status_of(reply), 200, "{reply}");
    let line = reply
        .lines()
        .find(|line| line.starts_with("Lambda-Extension-Identifier: "))
        .expect("an identifier");
    format!("{line}\r\n")
}
