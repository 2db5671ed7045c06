//! What goes wrong on demand.

use super::{OK, RESTORED};
use crate::support::client::{
    Client, INIT_ERROR, INVOCATION_NEXT, RESTORE_ERROR, RESTORE_NEXT, status_of,
};
use crate::support::lambda::{Call, End, Fault, Lambda, Settings, State};
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

#[test]
fn faults_in_responses_reach_the_client() {
    for (fault, expected) in [
        (Fault::Dribble, RESTORED.to_owned()),
        (Fault::Continue, format!("HTTP/1.1 100 Continue\r\n\r\n{RESTORED}")),
        (
            Fault::Chunked,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        (Fault::Cut(20, End::Close), RESTORED[..20].to_owned()),
        (Fault::Cut(0, End::Close), String::new()),
    ] {
        let lambda = Lambda::new(Settings::default());
        lambda.fault(Call::RestoreNext, fault.clone());
        let mut client = Client::new(&lambda);
        client.request(RESTORE_NEXT, "");
        lambda.restore().unwrap();
        if let Fault::Cut(..) = fault {
            assert_eq!(client.rest(), expected.as_bytes(), "{fault:?}");
        } else {
            assert_eq!(client.exactly(expected.len()), expected.as_bytes(), "{fault:?}");
            // The next one is answered as ever, over the same connection.
            client.request(INVOCATION_NEXT, "");
            lambda.hand_out("{}").unwrap();
            assert_eq!(status_of(&client.reply()), 200, "{fault:?}");
        }
    }
}

#[test]
fn faults_in_place_of_responses_reach_the_client() {
    for status in [403, 404, 500] {
        let lambda = Lambda::new(Settings::default());
        lambda.fault(Call::RestoreNext, Fault::Status(status));
        assert_eq!(status_of(&Client::new(&lambda).ask(RESTORE_NEXT, "")), status);
        assert_eq!(lambda.seen().state, State::Started);
    }
    // Faults wait for their call, and are taken in order.
    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::InitError, Fault::Status(500));
    lambda.fault(Call::InitError, Fault::Status(404));
    let mut client = Client::new(&lambda);
    let statuses = [RESTORE_ERROR, INIT_ERROR, INIT_ERROR, INIT_ERROR]
        .map(|call| status_of(&client.ask(call, "{}")));
    assert_eq!(statuses, [403, 500, 404, 202]);
}

#[test]
fn fault_reset_reaches_the_client_as_a_reset() {
    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::RestoreNext, Fault::Reset);
    lambda.fault(Call::RestoreNext, Fault::Cut(0, End::Reset));
    lambda.fault(Call::InitError, Fault::Reset);
    for call in [RESTORE_NEXT, INIT_ERROR] {
        let mut client = Client::new(&lambda);
        client.request(call, "{}");
        let error = client.stream.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{call}");
        assert_eq!(lambda.seen().state, State::Started, "{call}");
    }
    let mut client = Client::new(&lambda);
    client.request(RESTORE_NEXT, "");
    lambda.restore().unwrap();
    assert_eq!(
        client.stream.read_to_end(&mut Vec::new()).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(lambda.seen().state, State::Restoring);
}

#[test]
fn held_request_is_not_seen_before_its_release() {
    let lambda = Lambda::new(Settings::default());
    lambda.fault(Call::InitError, Fault::Hold);
    let mut client = Client::new(&lambda);
    client.request(INIT_ERROR, "{}");
    lambda.wait_for_held(1).unwrap();
    assert_eq!(lambda.seen().state, State::Started);
    lambda.release();
    assert_eq!(client.reply(), OK);
    assert_eq!(lambda.wait_for_call(Call::InitError, 1).unwrap().status, Some(202));
    lambda.wait_for_state(State::InitError).unwrap();

    // One that is never released keeps neither the driver nor the end of the test waiting.
    lambda.fault(Call::RestoreError, Fault::Hold);
    Client::new(&lambda).request(RESTORE_ERROR, "{}");
    lambda.wait_for_held(1).unwrap();
}

#[test]
fn connections_that_are_to_be_refused_are_refused() {
    let lambda = Lambda::new(Settings::default());
    let mut known = Client::new(&lambda);
    assert_eq!(status_of(&known.ask(RESTORE_ERROR, "")), 403);
    lambda.refuse();
    assert_eq!(
        TcpStream::connect(lambda.address()).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(status_of(&known.ask(RESTORE_ERROR, "")), 403);
    lambda.listen();
    assert_eq!(Client::new(&lambda).ask(INIT_ERROR, "{}"), OK);
    assert_eq!(lambda.seen().requests.last().unwrap().connection, 1);
}
