//! A connection of the runtime. Its requests are held or passed on as `state` decides, until the
//! relay only forwards bytes.

use super::state::{Action, Release};
use super::{Relay, tunnel};
use crate::http::{self, Head};
use crate::lambda::api::Call;
use crate::process::{Latch, PEER_CLOSED, PollFd, PollFlags, is_ready, reset, wait};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Most bytes of the head of a request that the relay looks at. A request with a longer head is
/// forwarded as it is.
const MAX_HEAD: usize = 2 << 20;

/// The time for a client to close its connection after a response with `Connection: close`.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection, and the bytes that were read from it and not looked at yet.
type Unread = (TcpStream, Vec<u8>);

/// Serves a connection until it ends.
pub fn serve(relay: &Relay, client: TcpStream) {
    let mut next = Some((client, Vec::new()));
    while let Some(unread) = next {
        next = serve_request(relay, unread);
    }
}

/// Serves one request, or everything that follows. Returns a connection on which another request
/// may follow.
fn serve_request(relay: &Relay, (mut client, mut bytes): Unread) -> Option<Unread> {
    let Some((call, length)) = read_head(relay, &mut client, &mut bytes) else {
        tunnel(relay, client, bytes, || {});
        return None;
    };
    match (relay.receive(call, &bytes[..length]), call) {
        (Action::Tunnel, _) => tunnel(relay, client, bytes, || {}),
        (Action::Hold, Some(call)) => return hold(relay, client, call, bytes, length),
        (Action::Pass | Action::Hold, _) => {
            // The client connects again for its next request, which the relay then sees.
            let head = http::with_connection_close(&bytes[..length]);
            let request = [head, bytes.split_off(length)].concat();
            tunnel(relay, client, request, || relay.end_pass(call));
        }
    }
    None
}

/// Reads the head of a request into `bytes`; returns its call and its length. Returns `None` if the
/// connection is to be forwarded without a look at it.
fn read_head(
    relay: &Relay,
    client: &mut TcpStream,
    bytes: &mut Vec<u8>,
) -> Option<(Option<Call>, usize)> {
    let mut buffer = [0; 8192];
    loop {
        if !bytes.is_empty() && relay.is_open() {
            return None;
        }
        match http::parse_request_head(bytes) {
            Head::Complete(head) if head.length <= MAX_HEAD => {
                return Some((Call::from_request(&head.method, &head.target), head.length));
            }
            Head::Partial if bytes.len() <= MAX_HEAD => {}
            _ => return None,
        }
        match client.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The tunnel gets the same error, and passes it on as a reset.
            Err(_) => return None,
        }
    }
}

/// Holds a request until the relay releases it, unless the client closes the connection before.
fn hold(
    relay: &Relay,
    client: TcpStream,
    call: Call,
    mut bytes: Vec<u8>,
    length: usize,
) -> Option<Unread> {
    if !is_connected_when(&relay.released, &client) {
        return None;
    }
    let release = relay.release(call);
    if !is_connected_when(&relay.released, &client) {
        if let (Release::Respond(event), Call::InvocationNext) = (release, call) {
            relay.return_event(event);
        }
        return None;
    }
    match release {
        Release::Forbid => respond(&client, FORBIDDEN),
        Release::Accept => respond(&client, ACCEPTED),
        Release::Tunnel => {
            relay.end_release(call);
            tunnel(relay, client, bytes, || {});
        }
        Release::Restored => {
            if (&client).write_all(RESTORED.as_bytes()).is_ok() {
                relay.end_release(call);
                if !http::closes_connection(&bytes[..length]) {
                    return Some((client, bytes.split_off(length)));
                }
                linger(&client);
            }
        }
        Release::Respond(response) => {
            match send_response(&client, call, &response, &bytes[..length]) {
                Ok(IsReusable(is_reusable)) => {
                    relay.end_release(call);
                    if is_reusable {
                        return Some((client, bytes.split_off(length)));
                    }
                    linger(&client);
                }
                Err(_) if call == Call::InvocationNext => relay.return_event(response),
                Err(_) => {}
            }
        }
    }
    None
}

/// Whether a client may use its connection for another request.
struct IsReusable(bool);

/// Sends a response that came over another connection, with `Connection: close`. A client that gets
/// an event may expect to use its connection again, for its response to the event.
fn send_response(
    mut client: &TcpStream,
    call: Call,
    response: &[u8],
    request: &[u8],
) -> io::Result<IsReusable> {
    let expects_reuse = call == Call::InvocationNext && !http::closes_connection(request);
    let reusable = expects_reuse.then(|| http::without_connection_header(response)).flatten();
    client.write_all(reusable.as_deref().unwrap_or(response))?;
    Ok(IsReusable(reusable.is_some()))
}

/// Waits until a latch is set. Returns false if the client has closed its connection by then.
fn is_connected_when(latch: &Latch, client: &TcpStream) -> bool {
    loop {
        let mut watched = [
            PollFd::new(client.as_fd(), PEER_CLOSED),
            PollFd::new(latch.as_fd(), PollFlags::POLLIN),
        ];
        let waited = wait(&mut watched, None);
        match watched.each_ref().map(is_ready) {
            [false, false] if waited.is_ok() => {}
            [is_closed, is_set] => return waited.is_ok() && is_set && !is_closed,
        }
    }
}

/// The response to restore/next after a restore, as the Runtime API sends it.
const RESTORED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A status, and the JSON of the body.
const FORBIDDEN: (&str, &str) = (
    "403 Forbidden",
    r#"{"errorMessage":"a hook around the snapshot has failed, as reported","errorType":"InvalidStateTransition"}"#,
);
const ACCEPTED: (&str, &str) = ("202 Accepted", r#"{"status":"OK"}"#);

fn respond(mut client: &TcpStream, (status, body): (&str, &str)) {
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    );
    if client.write_all(response.as_bytes()).is_ok() {
        linger(client);
    }
}

/// Reads and drops what the client still sends, such as the body of its request. The kernel answers
/// unread bytes on a closed socket with a reset, which would discard the response (RFC 9112,
/// section 9.6, <https://www.rfc-editor.org/rfc/rfc9112#section-9.6>).
fn linger(mut client: &TcpStream) {
    let deadline = Instant::now() + LINGER_TIMEOUT;
    let mut buffer = [0; 8192];
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(LINGER_TIMEOUT));
    while Instant::now() < deadline && matches!(client.read(&mut buffer), Ok(1..)) {}
}

/// Connects upstream and forwards both ways, beginning with `first`. A client that has sent nothing
/// gets no connection. `on_response` is called once, when the response is complete or there is
/// none.
fn tunnel(relay: &Relay, client: TcpStream, first: Vec<u8>, on_response: impl FnOnce()) {
    if first.is_empty() {
        return;
    }
    if let Ok(upstream) = relay.upstream.connect() {
        tunnel::run(client, upstream, first, on_response);
    } else {
        reset(client);
        on_response();
    }
}
