//! Hooks that ask a server on this machine in the place of a command, whatever that server answers.

use crate::support::server::Server;
use crate::support::{REFUSED, Reaction, RuntimeApi, Test};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Reads a request; gives its head, without the lines that a test does not know, and its body.
fn request_of(stream: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().expect("a length");
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (head, body)
}

/// The heads and bodies of requests, in the order in which they came.
type Requests = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A server that answers every request with these bytes, and ends the connection.
fn answering(answer: &'static [u8]) -> (Server, Requests) {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let server = Server::new(move |mut stream| {
        seen.lock().unwrap().push(request_of(&stream));
        let _ = stream.write_all(answer);
    });
    (server, requests)
}

fn hook(server: &Server, call: &str) -> Value {
    let (method, path) = call.split_once(' ').expect("a method and a path");
    json!({"name": "x", "http": format!("{method} http://{}{path}", server.address), "timeout_ms": 5000})
}

#[track_caller]
fn fails(answer: &'static [u8], what: &str) {
    let (server, _) = answering(answer);
    let what = what.replace("<url>", &format!("\"POST http://{}/x\"", server.address));
    let test = Test::new().hooks(json!([hook(&server, "POST /x")])).args(["/bin/true"]);
    test.stderr(format!("foreword: hook \"x\" (initialize) {what}\n")).status(125).run();
}

#[track_caller]
fn succeeds(answer: &'static [u8]) {
    let (server, requests) = answering(answer);
    Test::new()
        .hooks(json!([hook(&server, "POST /x")]))
        .args(["/bin/echo", "runtime"])
        .stdout("runtime\n")
        .run();
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[test]
fn request_of_a_hook_has_the_context_as_its_body() {
    let (server, requests) = answering(b"HTTP/1.1 204 No Content\r\n\r\n");
    let test = Test::new()
        .hooks(json!([hook(&server, "POST /initialize?a=b"), hook(&server, "GET /ready")]));
    test.env("AWS_LAMBDA_FUNCTION_NAME", "orders").args(["/bin/true"]).run();
    let requests = requests.lock().unwrap();
    let [(post, context), (get, nothing)] = &requests[..] else { panic!("{requests:?}") };
    let context: Value = serde_json::from_slice(context).expect("JSON");
    assert_eq!((&context["hook"], &context["function"]["name"]), (&json!("x"), &json!("orders")));
    let version = env!("CARGO_PKG_VERSION");
    let common = format!("Host: {}\r\nUser-Agent: foreword/{version}\r\n", server.address);
    assert!(post.starts_with(&format!(
        "POST /initialize?a=b HTTP/1.1\r\n{common}Content-Type: application/json\r\n"
    )));
    assert_eq!(
        get,
        &format!("GET /ready HTTP/1.1\r\n{common}Accept: */*\r\nConnection: close\r\n")
    );
    assert_eq!(nothing, b"");
}

#[test]
fn response_with_any_2xx_succeeds() {
    succeeds(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    succeeds(b"HTTP/1.1 299 Whatever\r\nContent-Length: 0\r\n\r\n");
    succeeds(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    succeeds(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\nX: y\r\n\r\n");
    succeeds(b"HTTP/1.0 200 OK\r\n\r\nuntil the end");
}

/// Whatever the server does with the connection, and whether or not it says how long nothing is.
#[test]
fn response_without_a_body_is_complete_at_once() {
    let held = Mutex::new(Vec::new());
    let server = Server::new(move |mut stream| {
        request_of(&stream);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n");
        held.lock().unwrap().push(stream);
    });
    Test::new()
        .hooks(json!([hook(&server, "POST /x")]))
        .args(["/bin/echo", "runtime"])
        .stdout("runtime\n")
        .run();
}

#[test]
fn response_with_another_status_fails() {
    fails(
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "got the response 500 to <url> after N ms",
    );
    fails(
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
        "got the response 404 to <url> after N ms",
    );
    let redirect =
        b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n";
    fails(redirect, "got the response 302 to <url> after N ms; redirects are not followed");
}

#[test]
fn response_that_is_not_http_is_reported() {
    let none = "got no response to <url> after N ms: it";
    fails(b"", &format!("{none} closed the connection without an answer"));
    fails(
        b"HTTP/1.1 200 OK\r\nContent-Le",
        &format!("{none} closed the connection in the middle of an answer"),
    );
    fails(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1",
        &format!("{none} closed the connection in the middle of an answer"),
    );
    for length in ["-3", "3, 4", "3\r\nContent-Length: 4", "x"] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nbody");
        fails(
            answer.leak().as_bytes(),
            &format!("{none} answered with a Content-Length that is no number, or with two"),
        );
    }
    fails(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "got the response 101 to <url> after N ms");
    fails(
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &format!("{none} answered something else than HTTP (invalid HTTP version)"),
    );
    fails(
        b"\x16\x03\x01\x02\x00\x01",
        &format!("{none} answered something else than HTTP (invalid HTTP version)"),
    );
    fails(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        &format!("{none} answered in chunks that cannot be read"),
    );
}

#[test]
fn response_without_end_is_aborted() {
    let server = Server::new(|mut stream| {
        request_of(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let line = format!(
        "foreword: hook \"x\" (initialize) got no response to \"POST http://{}/\" after N ms: it \
         answered with more than 1114112 bytes\n",
        server.address
    );
    Test::new()
        .hooks(json!([hook(&server, "POST /")]))
        .args(["/bin/true"])
        .stderr(line)
        .status(125)
        .run();
}

#[test]
fn request_to_a_closed_port_is_reported() {
    let hook = json!({"name": "x", "http": format!("POST http://{REFUSED}/")});
    let line = format!(
        "foreword: hook \"x\" (initialize) got no response to \"POST http://{REFUSED}/\" after N \
         ms: connection refused\n"
    );
    Test::new().hooks(json!([hook])).args(["/bin/true"]).stderr(line).status(125).run();
}

#[test]
fn request_to_a_server_that_hangs_times_out() {
    let held = Mutex::new(Vec::new());
    let server = Server::new(move |stream| held.lock().unwrap().push(stream));
    let hook =
        json!({"name": "x", "http": format!("POST http://{}/", server.address), "timeout_ms": 200});
    let line = format!(
        "foreword: hook \"x\" (initialize) timed out after N ms (timeout_ms): no response to \"POST http://{}/\"\n",
        server.address
    );
    let api = RuntimeApi::new(Reaction::Accept);
    let test = Test::new().hooks(json!([hook])).runtime_api(&api).args(["/bin/true"]);
    test.stderr(line).status(124).run();
    assert_eq!(api.requests().len(), 1);
}

/// A signal that would have ended foreword does so while it waits for an answer.
#[test]
fn sigterm_during_a_request_ends_it() {
    let (sender, asked) = std::sync::mpsc::channel();
    let server = Server::new(move |stream| {
        request_of(&stream);
        sender.send(stream).expect("a test that waits");
    });
    let run = Test::new().hooks(json!([hook(&server, "POST /")])).args(["/bin/true"]).start();
    let _stream = asked.recv_timeout(Duration::from_secs(30)).expect("a request");
    assert_eq!(run.terminate().status, 143);
}

#[test]
fn response_body_with_export_is_exported() {
    let (server, _) = answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \
         chunked\r\n\r\n5\r\n{\"A\":\r\n4\r\n\"1\"}\r\n0\r\n\r\n",
    );
    let mut hook = hook(&server, "GET /env");
    hook["export"] = json!("json");
    Test::new().hooks(json!([hook])).args(["/bin/sh", "-c", "echo $A"]).stdout("1\n").run();
}

/// What the texts become is looked at when it is known.
#[test]
fn request_with_variables_stays_on_this_machine() {
    let (server, requests) = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let port = server.address.rsplit(':').next().expect("a port");
    let hook = json!({"name": "x", "http": "POST http://${HOST:-localhost}:${PORT}/${TOKEN}", "env": {"PORT": port}});
    let test = || Test::new().hooks(json!([hook])).env("TOKEN", "s3cret-token").args(["/bin/true"]);
    test().run();
    assert!(requests.lock().unwrap()[0].0.starts_with("POST /s3cret-token HTTP/1.1\r\n"));
    let line = format!(
        "foreword: hook \"x\" (initialize) cannot ask \"POST http://example.com:{port}/[redacted]\": \"example.com\" is not \
         this machine; a hook speaks to 127.0.0.1, [::1] or localhost only\n"
    );
    test().env("HOST", "example.com").stderr(line).status(125).run();
}
