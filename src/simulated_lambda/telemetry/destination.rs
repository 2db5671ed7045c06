//! Where a subscriber of telemetry wants its events, which of them, and in what batches they are
//! sent there.

use super::{Message, SubscriptionApi};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The names by which the environment knows itself.
const HOSTS: [&str; 5] =
    ["sandbox.localdomain", "sandbox.local", "sandbox", "localhost", "127.0.0.1"];

/// Lambda's own port.
const RESERVED: u16 = 9001;

/// How long a subscriber may take for one batch.
const DELIVERY: Duration = Duration::from_secs(1);

/// How long to wait before a batch that was not taken is sent again.
const PAUSE: Duration = Duration::from_millis(50);

/// What batches are made of unless the subscriber says otherwise.
const TIMEOUT: Duration = Duration::from_millis(1000);

const MOST_ITEMS: usize = 10_000;

const MOST_BYTES: usize = 262_144;

/// What a subscriber asks for.
#[derive(Clone, Debug)]
pub struct Destination {
    pub api: SubscriptionApi,
    schema: String,
    pub types: Vec<String>,
    is_http: bool,
    method: &'static str,
    port: u16,
    path: String,
    timeout: Duration,
    most_items: usize,
    most_bytes: usize,
}

impl Destination {
    pub fn of(api: SubscriptionApi, body: &[u8]) -> Result<Self, String> {
        let body: Value =
            serde_json::from_slice(body).map_err(|_| "Body is not valid JSON".to_owned())?;
        let mut problems = Vec::new();
        let destination = &body["destination"];
        let is_http = match destination["protocol"].as_str() {
            Some("HTTP") => true,
            Some("TCP") => false,
            _ => {
                problems.push("destination.protocol should be HTTP or TCP".to_owned());
                true
            }
        };
        let (host, port, path) = match (destination["URI"].as_str(), destination["port"].as_u64()) {
            (Some(uri), _) => parts(uri),
            // The oldest subscribers by TCP name the port alone.
            (None, port) => ("sandbox", port.and_then(|port| u16::try_from(port).ok()), "/"),
        };
        match port {
            None => problems.push("URI port is not provided".to_owned()),
            Some(RESERVED) => problems.push(format!("URI port {RESERVED} is reserved")),
            Some(_) if !HOSTS.contains(&host) => {
                problems.push(format!("URI host {host} is not allowed"))
            }
            Some(_) => {}
        }
        let types = body["types"].as_array().map(Vec::as_slice).unwrap_or_default();
        let types: Vec<_> =
            types.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect();
        let is_known = |one: &String| ["platform", "function", "extension"].contains(&one.as_str());
        if types.is_empty() {
            problems.push("types should not be empty".to_owned());
        } else if let Some(unknown) = types.iter().find(|one| !is_known(one)) {
            problems.push(format!("type {unknown} is not known"));
        }
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        let number = |name: &str| body["buffering"][name].as_u64();
        let count = |name: &str| number(name).and_then(|number| usize::try_from(number).ok());
        Ok(Self {
            api,
            schema: body["schemaVersion"].as_str().unwrap_or("2020-08-15").to_owned(),
            types,
            is_http,
            method: if destination["method"] == "PUT" { "PUT" } else { "POST" },
            port: port.unwrap_or_default(),
            path: path.to_owned(),
            timeout: number("timeoutMs").map_or(TIMEOUT, Duration::from_millis),
            most_items: count("maxItems").unwrap_or(MOST_ITEMS).max(1),
            most_bytes: count("maxBytes").unwrap_or(MOST_BYTES).max(1),
        })
    }

    pub fn wants(&self, event: &Value) -> bool {
        let kind = event["type"].as_str().unwrap_or_default();
        let family = kind.split('.').next().unwrap_or_default();
        self.types.iter().any(|wanted| wanted == family) && self.api.has(kind, &self.schema)
    }

    fn send(&self, batch: &[Value]) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, DELIVERY)?;
        stream.set_read_timeout(Some(DELIVERY))?;
        stream.set_write_timeout(Some(DELIVERY))?;
        if !self.is_http {
            let lines: String = batch.iter().map(|event| event.to_string() + "\n").collect();
            return stream.write_all(lines.as_bytes());
        }
        let body = Value::from(batch).to_string();
        let (method, path, port, length) = (self.method, &self.path, self.port, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: sandbox.localdomain:{port}\r\nContent-Type: \
             application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        // Whoever has the status has the batch; to end with something unread would be a reset.
        let _ = io::copy(&mut stream, &mut io::sink());
        if answer.starts_with(b"HTTP/1.") && answer[9] == b'2' {
            Ok(())
        } else {
            Err(io::Error::other("the subscriber refuses the batch"))
        }
    }
}

/// Sends batches until nobody sends events any more.
pub fn deliver(destination: &Destination, from: &Receiver<Message>) {
    let mut is_open = true;
    while is_open {
        let Ok(first) = from.recv() else { return };
        let Message::Event(first) = first else { continue };
        let until = Instant::now() + destination.timeout;
        let mut bytes = first.to_string().len();
        let mut batch = vec![first];
        while batch.len() < destination.most_items && bytes < destination.most_bytes {
            match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Event(event)) => {
                    bytes += event.to_string().len();
                    batch.push(event);
                }
                Ok(Message::Flush) | Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    is_open = false;
                    break;
                }
            }
        }
        // A subscriber may listen later than it subscribes; one that never does loses what is sent.
        let give_up = Instant::now() + DELIVERY;
        while destination.send(&batch).is_err() && is_open && Instant::now() < give_up {
            thread::sleep(PAUSE);
        }
    }
}

/// Host, port and path.
fn parts(uri: &str) -> (&str, Option<u16>, &str) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (authority, path) = rest.find('/').map_or((rest, "/"), |start| rest.split_at(start));
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok(), path),
        None => (authority, None, path),
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn destinations_name_host_port_and_path() {
        for (uri, expected) in [
            ("http://sandbox.localdomain:8080", ("sandbox.localdomain", Some(8080), "/")),
            ("http://sandbox:1/a/b", ("sandbox", Some(1), "/a/b")),
            ("http://sandbox.local/a", ("sandbox.local", None, "/a")),
        ] {
            assert_eq!(parts(uri), expected, "{uri}");
        }
    }
}
