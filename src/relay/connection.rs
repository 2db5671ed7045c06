//! One connection of the runtime's: its first request is looked at, and held or passed on as
//! `state` says; once the relay is open, nothing is looked at any more.

use super::state::{Action, Release};
use super::{Relay, tunnel};
use crate::http::{self, Head};
use crate::lambda::api::Call;
use crate::process::{Latch, PEER_CLOSED, PollFd, PollFlags, is_ready, reset, wait};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A longer head is not looked at; it goes through as it is.
const LONGEST_HEAD: usize = 2 << 20;

/// How long a client that was answered has to end its connection.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, and what was read from it and not looked at yet.
type Unread = (TcpStream, Vec<u8>);

/// Serves a connection to its end.
pub fn serve(relay: &Relay, client: TcpStream) {
    let mut next = Some((client, Vec::new()));
    while let Some(unread) = next {
        next = serve_one(relay, unread);
    }
}

/// Serves one request, or all that is left; gives back a connection that may bring another request
/// to look at.
fn serve_one(relay: &Relay, (mut client, mut bytes): Unread) -> Option<Unread> {
    let Some((call, length)) = first_request(relay, &mut client, &mut bytes) else {
        tunnel(relay, client, bytes, || {});
        return None;
    };
    match (relay.receive(call, &bytes[..length]), call) {
        (Action::Tunnel, _) => tunnel(relay, client, bytes, || {}),
        (Action::Hold, Some(call)) => return hold(relay, client, call, bytes, length),
        (Action::Pass | Action::Hold, _) => {
            let closing =
                [http::with_connection_close(&bytes[..length]), bytes.split_off(length)].concat();
            tunnel(relay, client, closing, || relay.passed(call));
        }
    }
    None
}

/// Reads one head. Nothing when this connection is none to look at.
fn first_request(
    relay: &Relay,
    client: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> Option<(Option<Call>, usize)> {
    let mut piece = [0; 8192];
    loop {
        if !bytes.is_empty() && relay.is_open() {
            return None;
        }
        match http::parse_request_head(bytes) {
            Head::Complete(line) if line.length <= LONGEST_HEAD => {
                return Some((Call::from_request(&line.method, &line.target), line.length));
            }
            Head::Partial if bytes.len() <= LONGEST_HEAD => {}
            _ => return None,
        }
        match client.read(&mut piece) {
            Ok(0) => return None,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The tunnel meets the same error, and has a way to pass it on.
            Err(_) => return None,
        }
    }
}

/// Keeps a request until the runtime may go on. A client that goes away is nobody to give anything
/// to.
fn hold(
    relay: &Relay,
    client: TcpStream,
    call: Call,
    mut bytes: Vec<u8>,
    length: usize,
) -> Option<Unread> {
    if !lives_until(&client, &relay.verdict) {
        return None;
    }
    let release = relay.release(call);
    let lives = lives_until(&client, &relay.verdict);
    match release {
        Release::Answer(event) if !lives && call == Call::InvocationNext => relay.keep(event),
        _ if !lives => {}
        Release::Forbid => answer(&client, FORBIDDEN),
        Release::Accept => answer(&client, ACCEPTED),
        Release::Tunnel => {
            relay.delivered(call);
            tunnel(relay, client, bytes, || {});
        }
        Release::Restored => {
            if (&client).write_all(RESTORED.as_bytes()).is_ok() {
                relay.delivered(call);
                if !http::closes_connection(&bytes[..length]) {
                    return Some((client, bytes.split_off(length)));
                }
                linger(&client);
            }
        }
        Release::Answer(kept) => match give(&client, call, &kept, &bytes[..length]) {
            Ok(IsUsable(is_usable)) => {
                relay.delivered(call);
                if is_usable {
                    return Some((client, bytes.split_off(length)));
                }
                linger(&client);
            }
            Err(_) if call == Call::InvocationNext => relay.keep(kept),
            Err(_) => {}
        },
    }
    None
}

/// Whether a client may go on with its connection.
struct IsUsable(bool);

/// Gives an answer that came on another connection, which ended with it. A client that gets an
/// event expects its own to go on: it answers the event there.
fn give(mut client: &TcpStream, call: Call, answer: &[u8], request: &[u8]) -> io::Result<IsUsable> {
    let wants_more = call == Call::InvocationNext && !http::closes_connection(request);
    let keeping = wants_more.then(|| http::without_connection_header(answer)).flatten();
    client.write_all(keeping.as_deref().unwrap_or(answer))?;
    Ok(IsUsable(keeping.is_some()))
}

/// Waits until the latch is set; says whether the client is there then.
fn lives_until(client: &TcpStream, latch: &Latch) -> bool {
    loop {
        let mut watched = [
            PollFd::new(client.as_fd(), PEER_CLOSED),
            PollFd::new(latch.as_fd(), PollFlags::POLLIN),
        ];
        let waited = wait(&mut watched, None);
        match watched.each_ref().map(is_ready) {
            [false, false] if waited.is_ok() => {}
            [is_gone, is_set] => return waited.is_ok() && is_set && !is_gone,
        }
    }
}

/// As the platform says it.
const RESTORED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// The status, and the JSON that comes with it.
const FORBIDDEN: (&str, &str) = (
    "403 Forbidden",
    r#"{"errorMessage":"a hook around the snapshot has failed, as reported","errorType":"InvalidStateTransition"}"#,
);
const ACCEPTED: (&str, &str) = ("202 Accepted", r#"{"status":"OK"}"#);

fn answer(mut client: &TcpStream, (status, body): (&str, &str)) {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    );
    if client.write_all(answer.as_bytes()).is_ok() {
        linger(client);
    }
}

/// Takes what the client still sends, such as a body that nobody needs: closed over it, the
/// connection would be reset, and the answer lost.
fn linger(mut client: &TcpStream) {
    let until = Instant::now() + LINGER;
    let mut piece = [0; 8192];
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(LINGER));
    while Instant::now() < until && matches!(client.read(&mut piece), Ok(1..)) {}
}

/// Connects upstream and lets both sides speak. A client that has not begun to is not worth a
/// connection.
fn tunnel(relay: &Relay, client: TcpStream, first: Vec<u8>, answered: impl FnOnce()) {
    if first.is_empty() {
        return;
    }
    match relay.upstream.connect() {
        Ok(upstream) => tunnel::run(client, upstream, first, answered),
        Err(_) => {
            reset(client);
            answered();
        }
    }
}
