//! A Runtime API for tests of faults: it keeps every request and always reacts in the same way.

use super::server::Server;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

/// An address where nothing listens, so that connections are refused.
pub const REFUSED: &str = "127.0.0.1:1";

#[derive(Clone, Copy)]
pub enum Reaction {
    /// 202, as Lambda answers `init/error`.
    Accept,
    /// 403, as Lambda answers when the error comes at the wrong time.
    Forbid,
    /// No response, and the connection stays open.
    Hang,
    /// No response, and the connection is closed.
    Close,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// In the order sent, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

pub struct RuntimeApi {
    requests: Arc<Mutex<Vec<Request>>>,
    server: Server,
}

impl RuntimeApi {
    pub fn new(reaction: Reaction) -> Self {
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let kept = Arc::clone(&requests);
        // Connections without a response are kept until the end.
        let mut held = Vec::new();
        let server = Server::new(move |mut connection| {
            let Some(request) = read_request(&connection) else { return };
            kept.lock().unwrap().push(request);
            let _ = match reaction {
                Reaction::Accept => answer(&mut connection, "202 Accepted", r#"{"status":"OK"}"#),
                Reaction::Forbid => answer(
                    &mut connection,
                    "403 Forbidden",
                    r#"{"errorMessage":"State transition is not allowed","errorType":"InvalidStateTransition"}"#,
                ),
                Reaction::Close => connection.shutdown(Shutdown::Both),
                Reaction::Hang => {
                    held.push(connection);
                    Ok(())
                }
            };
        });
        Self { requests, server }
    }

    pub fn address(&self) -> &str {
        &self.server.address
    }

    /// Returns the requests so far, in the order of the connections.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl AsRef<OsStr> for RuntimeApi {
    fn as_ref(&self) -> &OsStr {
        self.server.address.as_ref()
    }
}

impl Request {
    /// Returns the value of a header, named in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn answer(connection: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    );
    connection.write_all(format!("{head}\r\n{body}").as_bytes())
}

/// Reads a request; returns nothing if the connection ends first.
fn read_request(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = || {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|read| *read > 0)
            .map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let (method, rest) = first.split_once(' ')?;
    let path = rest.strip_suffix(" HTTP/1.1")?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request =
        Request { method: method.to_owned(), path: path.to_owned(), headers, body: String::new() };
    let length =
        request.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    reader.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
