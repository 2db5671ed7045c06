//! A client made of one socket, which shows every byte of what it is answered.

use crate::support::lambda::Lambda;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A test that waits longer for a byte has hung.
const LIMIT: Duration = Duration::from_secs(30);

pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    pub fn new(lambda: &Lambda) -> Self {
        let stream = TcpStream::connect(lambda.address()).expect("unable to connect");
        stream.set_read_timeout(Some(LIMIT)).expect("unable to set a limit");
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("unable to send");
    }

    /// Sends a request; `call` is a method and a path.
    pub fn request(&mut self, call: &str, body: &str) {
        self.request_with(call, "Lambda-Runtime-Function-Error-Type: Runtime.Test\r\n", body);
    }

    pub fn request_with(&mut self, call: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("{call} HTTP/1.1\r\nHost: lambda\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.send(&[head.as_bytes(), body.as_bytes()].concat());
    }

    pub fn ask(&mut self, call: &str, body: &str) -> String {
        self.request(call, body);
        self.reply()
    }

    pub fn ask_with(&mut self, call: &str, headers: &str, body: &str) -> String {
        self.request_with(call, headers, body);
        self.reply()
    }

    /// Reads one answer: head and body.
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        while !reply.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut reply).expect("unable to read an answer");
            assert!(read > 0, "the connection ended within an answer: {reply:?}");
        }
        let length = reply.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let body = self.exactly(length.map_or(0, |length| length.parse().expect("a length")));
        reply + &String::from_utf8(body).expect("an answer is text")
    }

    pub fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).expect("unable to read an answer");
        bytes
    }

    /// Reads to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).expect("unable to read to the end");
        rest
    }
}

pub fn status_of(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status")
}

pub fn body_of(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").expect("an answer has a head").1
}
