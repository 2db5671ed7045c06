//! What goes through the relay without a look at it: everything after the restore, and before it
//! what is no HTTP/1 or has a head beyond all measure. The test holds both ends.

mod bytes;

use crate::support::client::{RESTORE_NEXT, header_of, status_of};
use crate::support::lambda::{Call, Lambda, Settings};
use crate::support::process::descriptors;
use crate::support::snap_start::noting;
use crate::support::{LIMIT, Played, Test, wait_until};
use nix::sys::signal::{Signal, kill};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// How long libcurl's clients wait for a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// A relay and the Runtime API that the test plays.
struct Between {
    runtime: Played,
    upstream: TcpListener,
}

impl Between {
    fn armed() -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").expect("unable to listen");
        upstream.set_nonblocking(true).expect("unable to wait with a limit");
        let test = Test::new().snap_start(upstream.local_addr().unwrap().to_string());
        let runtime = test
            .snapshot_hooks(json!([noting("hook", "before")]), json!([noting("hook", "after")]))
            .play();
        Self { runtime, upstream }
    }

    fn open() -> Self {
        let between = Self::armed();
        between.restore();
        between
    }

    /// Leads the relay through the restore.
    fn restore(&self) {
        let client = self.runtime.asking(RESTORE_NEXT);
        let mut upstream = self.accept();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            upstream.read_exact(&mut byte).expect("a head");
            head.extend(byte);
        }
        assert!(head.starts_with(RESTORE_NEXT.as_bytes()), "{}", head.escape_ascii());
        upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("an answer");
        self.runtime.is_restored(client);
        self.runtime.wait_for_marker();
    }

    /// The next connection that the relay makes.
    #[track_caller]
    fn accept(&self) -> TcpStream {
        let mut accepted = None;
        wait_until(LIMIT, || {
            accepted = self.upstream.accept().ok();
            accepted.is_some()
        });
        let (stream, _) = accepted.expect("a connection of the relay's");
        stream.set_nonblocking(false).expect("unable to block");
        limited(stream)
    }

    /// A connection of the runtime's and what becomes of it; one byte has gone through.
    #[track_caller]
    fn pair(&self) -> (TcpStream, TcpStream) {
        let mut client = self.connect();
        client.write_all(b"x").expect("a byte");
        let mut upstream = self.accept();
        let mut byte = [0];
        upstream.read_exact(&mut byte).expect("a byte");
        assert_eq!(byte, *b"x");
        (client, upstream)
    }

    fn connect(&self) -> TcpStream {
        let address = self.runtime.address.parse().expect("an address");
        limited(TcpStream::connect_timeout(&address, CONNECT).expect("unable to connect"))
    }
}

fn limited(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(LIMIT)).expect("unable to set a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("unable to set a limit");
    stream
}

/// What comes from the one has to be this, sent from the other meanwhile.
#[track_caller]
fn carries(from: &TcpStream, to: &TcpStream, bytes: &[u8]) {
    let (mut from, mut to) = (from, to);
    let mut found = vec![0; bytes.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| from.write_all(bytes).expect("unable to send"));
        to.read_exact(&mut found).expect("unable to receive");
    });
    assert!(found == bytes);
}

/// Bytes of which none is where another could be.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

/// Before the restore, too, and it hinders nothing.
#[test]
fn garbage_and_the_http_2_preface_pass_unchanged() {
    for first in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 garbage",
        b"\0\0\0\0\0\0\0\0",
        b"GET\r\n\r\n",
        b"GET /2018-06-01/runtime/restore/next HTTP/9.9\r\n\r\n",
    ] {
        let between = Between::armed();
        let mut client = between.connect();
        client.write_all(first).expect("unable to send");
        let mut upstream = between.accept();
        let mut found = vec![0; first.len()];
        upstream.read_exact(&mut found).expect("unable to receive");
        assert_eq!(found.escape_ascii().to_string(), first.escape_ascii().to_string());
        carries(&upstream, &client, b"any answer");
        carries(&client, &upstream, b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n\r\n");
        assert_eq!(between.runtime.order(), "");
        between.restore();
        assert_eq!(between.runtime.order(), "hook before\nhook after\n");
        carries(&upstream, &client, b"still there");
        between.runtime.end("");
    }
}

#[test]
fn request_head_of_one_and_a_half_mebibytes_is_parsed() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new().snap_start(&lambda);
    let runtime = test
        .snapshot_hooks(json!([noting("hook", "before")]), json!([noting("hook", "after")]))
        .play();
    let long = format!("X-Long: {}\r\n", "l".repeat(3 << 19));
    let mut client = runtime.client();
    let reply = client.ask_with("POST /other", &long, "body");
    assert_eq!((status_of(&reply), header_of(&reply, "Connection")), (404, Some("close")));
    let request = &lambda.seen().requests[0];
    assert_eq!(request.header("X-Long").map(str::len), Some(3 << 19));
    assert_eq!(
        (request.header("Connection"), &request.body.bytes[..]),
        (Some("close"), &b"body"[..])
    );

    let mut client = runtime.client();
    client.request_with(RESTORE_NEXT, &long, "");
    lambda.snapshot().unwrap();
    assert_eq!(runtime.order(), "hook before\n");
    lambda.restore().unwrap();
    runtime.is_restored(client);
    runtime.end("");
}

#[test]
fn request_head_of_three_mebibytes_passes_unchanged() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new().snap_start(&lambda);
    let runtime = test
        .snapshot_hooks(json!([noting("hook", "before")]), json!([noting("hook", "after")]))
        .play();
    let long = format!("X-Long: {}\r\n", "l".repeat(3 << 20));
    let mut client = runtime.client();
    for _ in 0..2 {
        let reply = client.ask_with("POST /other", &long, "body");
        assert_eq!((status_of(&reply), header_of(&reply, "Connection")), (404, None));
    }
    let seen = lambda.seen();
    assert_eq!(seen.connections.len(), 1);
    for request in &seen.requests {
        assert_eq!(request.header("X-Long").map(str::len), Some(3 << 20));
        assert_eq!((request.header("Connection"), &request.body.bytes[..]), (None, &b"body"[..]));
    }
    runtime.restored(&lambda);
    runtime.end("");
}

/// Such as those of a runtime with many threads, before the relay has come to its first accept.
#[test]
fn connections_before_the_first_accept_are_queued() {
    let lambda = Lambda::new(Settings::default());
    let test = Test::new().snap_start(&lambda);
    let runtime = test.snapshot_hooks(json!([]), json!([noting("hook", "after")])).play();
    let relay = runtime.relay();
    kill(relay, Signal::SIGSTOP).expect("unable to stop the relay");
    let address = runtime.address.parse().expect("an address");
    let mut clients: Vec<_> = (0..128)
        .map(|number| {
            let mut client =
                TcpStream::connect_timeout(&address, CONNECT).expect("unable to connect");
            write!(client, "GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n").expect("unable to send");
            limited(client)
        })
        .collect();
    kill(relay, Signal::SIGCONT).expect("unable to let the relay go on");
    for client in &mut clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an answer");
        assert_eq!(status_of(&answer), 404);
    }
    assert_eq!(lambda.seen().requests.len(), 128);
    runtime.restored(&lambda);
    runtime.end("");
}

#[test]
fn six_mebibytes_buffered_each_way_pass() {
    let lambda = Lambda::new(Settings::default());
    let runtime = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([]))
        .play();
    let mut client = runtime.restored(&lambda);
    let body = "b".repeat(6 << 20);
    for _ in 0..2 {
        client.request("GET /2018-06-01/runtime/invocation/next", "");
        let id = lambda.hand_out(body.clone()).unwrap();
        assert!(client.reply().ends_with(&body));
        assert_eq!(status_of(&client.ask(&crate::support::client::response_to(&id), &body)), 202);
        assert!(lambda.answer(&id).unwrap().body == body.as_bytes());
    }
    runtime.end("");
}

#[test]
fn fifty_mebibytes_in_chunks_with_trailers_pass() {
    let lambda = Lambda::new(Settings::default());
    let runtime = Test::new()
        .snap_start(&lambda)
        .snapshot_hooks(json!([noting("hook", "before")]), json!([]))
        .play();
    let mut client = runtime.restored(&lambda);
    client.request("GET /2018-06-01/runtime/invocation/next", "");
    let id = lambda.hand_out("{}").unwrap();
    client.reply();
    let head = "Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: \
                streaming\r\nTrailer: Lambda-Runtime-Function-Error-Type, \
                Lambda-Runtime-Function-Error-Body\r\n";
    let call = crate::support::client::response_to(&id);
    client.send(format!("{call} HTTP/1.1\r\nHost: x\r\n{head}\r\n5\r\nfirst\r\n").as_bytes());
    // What is streamed is not kept until there is more.
    lambda
        .wait("the first chunk", |seen| (seen.requests.last()?.body.length == 5).then_some(()))
        .unwrap();
    let noise = noise(50 << 20);
    for chunk in noise.chunks(123_457) {
        client.send(format!("{:x}\r\n", chunk.len()).as_bytes());
        client.send(chunk);
        client.send(b"\r\n");
    }
    let trailers = [
        ("Lambda-Runtime-Function-Error-Type", "Runtime.Late"),
        ("Lambda-Runtime-Function-Error-Body", "e30="),
    ];
    client.send(b"0\r\n");
    trailers
        .iter()
        .for_each(|(name, value)| client.send(format!("{name}: {value}\r\n").as_bytes()));
    client.send(b"\r\n");
    assert_eq!(status_of(&client.reply()), 202);
    let answer = lambda.answer(&id).unwrap();
    assert!(answer.is_streamed && answer.is_complete);
    assert!(answer.body == [b"first", &noise[..]].concat());
    assert_eq!(answer.trailers, trailers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(lambda.seen().count(Call::InvocationResponse), 1);
    runtime.end("");
}

#[test]
fn connections_that_ended_leave_nothing_in_the_relay() {
    let between = Between::open();
    let relay = between.runtime.relay();
    for turn in 0..20 {
        let (client, upstream) = between.pair();
        if turn % 2 == 0 {
            drop((client, upstream));
        } else {
            drop((upstream, client));
        }
    }
    // The one at which it listens.
    let sockets = || descriptors(relay).values().filter(|what| what.starts_with("socket:")).count();
    assert!(wait_until(LIMIT, || sockets() == 1), "{:?}", descriptors(relay));
    between.runtime.end("");
}
