//! A client made of one socket, which shows every byte of a response.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A test that waits longer for a byte hangs.
const LIMIT: Duration = Duration::from_secs(30);

pub const RESTORE_NEXT: &str = "GET /2018-06-01/runtime/restore/next";
pub const INVOCATION_NEXT: &str = "GET /2018-06-01/runtime/invocation/next";
pub const INIT_ERROR: &str = "POST /2018-06-01/runtime/init/error";
pub const RESTORE_ERROR: &str = "POST /2018-06-01/runtime/restore/error";
pub const REGISTER: &str = "POST /2020-01-01/extension/register";
pub const EVENT_NEXT: &str = "GET /2020-01-01/extension/event/next";

pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    #[track_caller]
    pub fn new(address: impl AsRef<str>) -> Self {
        let stream = TcpStream::connect(address.as_ref()).expect("unable to connect");
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
        let head =
            format!("{call} HTTP/1.1\r\nHost: lambda\r\n{headers}Content-Length: {length}\r\n\r\n");
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

    /// Reads one response: head and body.
    #[track_caller]
    pub fn reply(&mut self) -> String {
        let mut reply = String::new();
        while !reply.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut reply).expect("unable to read an answer");
            assert!(read > 0, "the connection ended within an answer: {reply:?}");
        }
        let length = header_of(&reply, "Content-Length");
        let body = self.exactly(length.map_or(0, |length| length.parse().expect("a length")));
        reply + &String::from_utf8(body).expect("an answer is text")
    }

    /// Reads one response as a client does: it skips `100 Continue` and joins chunks.
    #[track_caller]
    pub fn message(&mut self) -> String {
        let mut reply = self.reply();
        while status_of(&reply) == 100 {
            reply = self.reply();
        }
        if header_of(&reply, "Transfer-Encoding").is_some() {
            reply += &self.chunks();
        }
        reply
    }

    fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).expect("unable to read a chunk");
            let size = usize::from_str_radix(size.trim_end(), 16).expect("the size of a chunk");
            let chunk = self.exactly(size + "\r\n".len());
            body += std::str::from_utf8(&chunk[..size]).expect("an answer is text");
            if size == 0 {
                return body;
            }
        }
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

    /// Ends the connection at once. A dropped socket stays open while a process that is being
    /// started still has it.
    pub fn end(self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }

    /// Reports whether nothing has come so far, not even the end.
    pub fn has_nothing(&self) -> bool {
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).expect("unable to look");
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).expect("unable to look");
        self.stream.buffer().is_empty()
            && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits for the end of the connection, and reports whether it was an orderly one.
    pub fn ends_in_order(&mut self) -> bool {
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no end: {error}"),
        }
    }
}

pub fn status_of(reply: &str) -> u16 {
    reply.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status")
}

pub fn header_of<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = reply
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'));
    headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Returns the call that answers an event.
pub fn response_to(id: &str) -> String {
    format!("POST /2018-06-01/runtime/invocation/{id}/response")
}

pub fn body_of(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").expect("an answer has a head").1
}
