//! The Telemetry API and its predecessor, the Logs API: subscriptions, and the batches that they
//! get (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html>).

mod destination;

use super::http::{ReceivedHead, Reply};
use crate::lambda::api;
use crate::timestamp::{Precision, rfc3339};
use destination::{Destination, deliver};
use serde_json::{Value, json};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::SystemTime;

/// Most events that are kept for later subscribers.
const MOST_KEPT: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionApi {
    Telemetry,
    Logs,
}

impl SubscriptionApi {
    /// Returns the prefix of its error types.
    fn name(self) -> &'static str {
        match self {
            Self::Telemetry => "Telemetry",
            Self::Logs => "Logs",
        }
    }

    /// Returns whether this API has events of a type.
    fn has(self, kind: &str, schema: &str) -> bool {
        match (self, kind) {
            (
                _,
                "function" | "extension" | "platform.start" | "platform.report"
                | "platform.extension",
            ) => true,
            (Self::Telemetry, "platform.end" | "platform.fault" | "platform.logsSubscription") => {
                false
            }
            (Self::Telemetry, _) => true,
            (Self::Logs, "platform.end" | "platform.fault" | "platform.logsSubscription") => true,
            (Self::Logs, "platform.runtimeDone") => schema == "2021-03-18",
            (Self::Logs, _) => false,
        }
    }
}

/// The writer of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    Function,
    Extension,
}

#[derive(Default)]
pub struct Telemetry {
    inner: Mutex<TelemetryState>,
}

#[derive(Default)]
struct TelemetryState {
    /// The events for later subscribers.
    kept: Vec<Value>,
    subscriptions: Vec<Subscription>,
    /// True after the init, when nobody can subscribe any more.
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
    /// Sends the events so far immediately.
    Flush,
}

impl Telemetry {
    /// Answers a subscription; `name` is that of the extension, if it has registered.
    pub fn subscribe(
        &self,
        api: SubscriptionApi,
        head: &ReceivedHead,
        body: &[u8],
        name: Option<&str>,
    ) -> Reply {
        let Some(identifier) = head.header(api::EXTENSION_IDENTIFIER) else {
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
            let error_type = if api == SubscriptionApi::Logs {
                "Logs.ValidationError"
            } else {
                "ValidationError"
            };
            Reply::error(400, error_type, message)
        };
        let destination = match Destination::of(api, body) {
            Ok(destination) => destination,
            Err(message) => return invalid(&message),
        };
        let mut inner = self.lock();
        if let Some(known) = inner.subscriptions.iter().find(|known| known.identifier == identifier)
        {
            if known.destination.api != api {
                let (has, wants) = (known.destination.api.name(), api.name());
                let message = format!(
                    "{name} has subscribed by the {has} API, and cannot by the {wants} API as well"
                );
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
            SubscriptionApi::Telemetry => "platform.telemetrySubscription",
            SubscriptionApi::Logs => "platform.logsSubscription",
        };
        self.emit(kind, json!({"name": name, "state": "Subscribed", "types": types}));
        ok()
    }

    /// Sends an event to all subscribers, and keeps it for later ones.
    pub fn emit(&self, kind: &str, record: Value) {
        let time = rfc3339(SystemTime::now(), Precision::Milliseconds);
        let event = json!({"time": time, "type": kind, "record": record});
        let mut inner = self.lock();
        for subscription in
            inner.subscriptions.iter().filter(|subscription| subscription.destination.wants(&event))
        {
            if let Some(to) = &subscription.to {
                let _ = to.send(Message::Event(event.clone()));
            }
        }
        if !inner.is_closed && inner.kept.len() < MOST_KEPT {
            inner.kept.push(event);
        }
    }

    /// Sends a line of the log.
    pub fn log(&self, source: LogSource, line: &str) {
        let kind = match source {
            LogSource::Function => "function",
            LogSource::Extension => "extension",
        };
        self.emit(kind, line.into());
    }

    /// Ends the time for subscriptions, with the init.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.is_closed = true;
        inner.kept = Vec::new();
    }

    /// Sends incomplete batches.
    pub fn flush(&self) {
        for subscription in &self.lock().subscriptions {
            if let Some(to) = &subscription.to {
                let _ = to.send(Message::Flush);
            }
        }
    }

    /// Sends the rest; returns when all subscribers have it.
    pub fn end(&self) {
        let mut subscriptions = std::mem::take(&mut self.lock().subscriptions);
        for subscription in &mut subscriptions {
            drop(subscription.to.take());
        }
        for thread in subscriptions.iter_mut().filter_map(|subscription| subscription.thread.take())
        {
            let _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, TelemetryState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ok() -> Reply {
    Reply::json(200, "\"OK\"".to_owned())
}
