//! The Telemetry API and its predecessor, the Logs API: who has subscribed to what, and the batches that they get. What
//! AWS defines of both is in its documentation, "Lambda Telemetry API reference", "Lambda Telemetry API Event schema
//! reference" and "Lambda Logs API".

use super::http::{Head, Reply};
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, spawn};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What happened before somebody subscribes is kept up to so many events.
const MOST_KEPT: usize = 10_000;

/// The names by which the environment knows itself.
const HOSTS: [&str; 5] = ["sandbox.localdomain", "sandbox.local", "sandbox", "localhost", "127.0.0.1"];

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Telemetry,
    Logs,
}

impl Api {
    /// The first word of its error types.
    fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "Telemetry",
            Self::Logs => "Logs",
        }
    }

    /// Whether this API has events of a type.
    fn has(self, kind: &str, schema: &str) -> bool {
        match (self, kind) {
            (_, "function" | "extension" | "platform.start" | "platform.report" | "platform.extension") => true,
            (Self::Telemetry, "platform.end" | "platform.fault" | "platform.logsSubscription") => false,
            (Self::Telemetry, _) => true,
            (Self::Logs, "platform.end" | "platform.fault" | "platform.logsSubscription") => true,
            (Self::Logs, "platform.runtimeDone") => schema == "2021-03-18",
            (Self::Logs, _) => false,
        }
    }
}

/// Who wrote a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Function,
    Extension,
}

#[derive(Default)]
pub struct Telemetry {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What whoever subscribes later gets as well.
    kept: Vec<Value>,
    subscriptions: Vec<Subscription>,
    /// Whether the init is over, behind which nobody can subscribe any more.
    is_closed: bool,
}

struct Subscription {
    identifier: String,
    destination: Destination,
    to: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

enum Message {
    Event(Value),
    /// Sends what there is at once.
    Flush,
}

/// What a subscriber asks for.
#[derive(Clone, Debug)]
struct Destination {
    api: Api,
    schema: String,
    types: Vec<String>,
    is_http: bool,
    method: &'static str,
    port: u16,
    path: String,
    timeout: Duration,
    most_items: usize,
    most_bytes: usize,
}

impl Telemetry {
    /// Answers a subscription; `name` is that of the extension, if it has registered.
    pub fn subscribe(&self, api: Api, head: &Head, body: &[u8], name: Option<&str>) -> Reply {
        let Some(identifier) = head.header("Lambda-Extension-Identifier") else {
            let message = "Missing Lambda-Extension-Identifier header";
            return Reply::error(403, "Extension.MissingExtensionIdentifier", message);
        };
        let Some(name) = name else {
            let message = format!("Unknown extension {identifier}");
            return Reply::error(403, "Extension.UnknownExtensionIdentifier", &message);
        };
        if self.lock().is_closed {
            let message = format!("{} API subscription is closed already", api.name());
            return Reply::error(403, &format!("{}.SubscriptionClosed", api.name()), &message);
        }
        let invalid = |message: &str| {
            let error_type = if api == Api::Logs { "Logs.ValidationError" } else { "ValidationError" };
            Reply::error(400, error_type, message)
        };
        let destination = match Destination::of(api, body) {
            Ok(destination) => destination,
            Err(message) => return invalid(&message),
        };
        let mut inner = self.lock();
        if let Some(known) = inner.subscriptions.iter().find(|known| known.identifier == identifier) {
            if known.destination.api != api {
                let (has, wants) = (known.destination.api.name(), api.name());
                let message = format!("{name} has subscribed by the {has} API, and cannot by the {wants} API as well");
                return invalid(&message);
            }
            return ok();
        }
        let (to, from) = channel();
        for event in inner.kept.iter().filter(|event| destination.wants(event)) {
            let _ = to.send(Message::Event(event.clone()));
        }
        let types = destination.types.clone();
        let thread = Some(spawn({
            let destination = destination.clone();
            move || deliver(&destination, &from)
        }));
        let identifier = identifier.to_owned();
        inner.subscriptions.push(Subscription { identifier, destination, to: Some(to), thread });
        drop(inner);
        let kind = match api {
            Api::Telemetry => "platform.telemetrySubscription",
            Api::Logs => "platform.logsSubscription",
        };
        self.emit(kind, json!({"name": name, "state": "Subscribed", "types": types}));
        ok()
    }

    /// Tells everybody who has subscribed, and who will.
    pub fn emit(&self, kind: &str, record: Value) {
        let event = json!({"time": timestamp(SystemTime::now()), "type": kind, "record": record});
        let mut inner = self.lock();
        for subscription in inner.subscriptions.iter().filter(|subscription| subscription.destination.wants(&event)) {
            if let Some(to) = &subscription.to {
                let _ = to.send(Message::Event(event.clone()));
            }
        }
        if !inner.is_closed && inner.kept.len() < MOST_KEPT {
            inner.kept.push(event);
        }
    }

    /// Tells a line of the log.
    pub fn log(&self, source: Source, line: &str) {
        let kind = match source {
            Source::Function => "function",
            Source::Extension => "extension",
        };
        self.emit(kind, line.into());
    }

    /// Ends the time in which extensions can subscribe: the init is over.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.kept = Vec::new();
    }

    /// Sends what waits for a full batch.
    pub fn flush(&self) {
        for subscription in &self.lock().subscriptions {
            if let Some(to) = &subscription.to {
                let _ = to.send(Message::Flush);
            }
        }
    }

    /// Sends the rest; comes back when nobody sends any more.
    pub fn end(&self) {
        let mut subscriptions = std::mem::take(&mut self.lock().subscriptions);
        for subscription in &mut subscriptions {
            drop(subscription.to.take());
        }
        for thread in subscriptions.iter_mut().filter_map(|subscription| subscription.thread.take()) {
            let _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ok() -> Reply {
    Reply::json(200, "\"OK\"".to_owned())
}

impl Destination {
    fn of(api: Api, body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "Body is not valid JSON".to_owned())?;
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
            Some(_) if !HOSTS.contains(&host) => problems.push(format!("URI host {host} is not allowed")),
            Some(_) => {}
        }
        let types = body["types"].as_array().map(Vec::as_slice).unwrap_or_default();
        let types: Vec<_> = types.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect();
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

    fn wants(&self, event: &Value) -> bool {
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
            "{method} {path} HTTP/1.1\r\nHost: sandbox.localdomain:{port}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
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
fn deliver(destination: &Destination, from: &Receiver<Message>) {
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

/// RFC 3339, in UTC and with milliseconds.
pub fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, days) = (since.as_secs() % 86_400, since.as_secs() / 86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Days since 1 March of the year 0, in which each cycle of 400 years begins.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let millisecond = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_name_days_of_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_210_096, "2024-02-29T12:34:56.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

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
