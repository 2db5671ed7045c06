//! A Lambda on one machine: Runtime API with snapshot and restore, the part of the Extensions API
//! that runtimes see, and the driver that takes a runtime through its life. It starts no process;
//! tests use it as well, and use nothing else of foreword's. The platform's rules are those of
//! AWS's documentation and of its emulator's state machine.

mod extensions;
pub mod http;
pub mod recording;
pub mod runtime_state;
pub mod server;
pub mod service;
#[cfg_attr(test, allow(dead_code, reason = "tests that play this Lambda have no log to tell of"))]
pub mod telemetry;

pub use recording::{ErrorReport, Recording};
pub use runtime_state::RuntimeState;

use server::{Faults, Server};
use service::{ServiceState, Shared, epoch_ms};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether the restore calls exist; without, they are unknown paths.
    pub snap_start: bool,
    pub function: String,
    /// The function's timeout: what the deadlines of events are made of.
    pub timeout: Duration,
    /// How many events there were before, in other environments.
    pub events_before: usize,
    /// The names of the extensions that the platform started by itself; others that register are
    /// internal.
    pub extensions: Vec<String>,
}

pub struct Lambda {
    pub shared: Arc<Shared>,
    pub server: Mutex<Server>,
    address: String,
}

/// Where the snapshot found the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parked {
    RestoreNext,
    /// It takes no part in the restore and gets no signal.
    InvocationNext,
}

/// What the caller of the function gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationResult {
    pub outcome: Outcome,
    pub body: Vec<u8>,
    pub content_type: String,
    pub is_streamed: bool,
    pub trailers: Vec<(String, String)>,
    /// Whether all of it came that was announced.
    pub is_complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Response,
    /// With the error type of the header, or of a stream's trailer; Python's client sends none,
    /// which is empty here.
    Error(String),
}

/// Why what the driver waited for will not come.
pub enum WaitFailure {
    Reported(ErrorReport),
    Exited(Box<Recording>),
    /// What was waited for, and all that was seen until then.
    TimedOut(&'static str, Box<Recording>),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            snap_start: true,
            function: "function".to_owned(),
            timeout: Duration::from_secs(3),
            events_before: 0,
            extensions: Vec::new(),
        }
    }
}

impl Settings {
    fn arn(&self) -> String {
        format!("arn:aws:lambda:us-east-1:012345678912:function:{}", self.function)
    }
}

impl Lambda {
    pub fn new(settings: Settings, faults: impl Faults + 'static) -> Self {
        let shared = Arc::new(Shared::new(settings, Box::new(faults)));
        let server = Server::start(Arc::clone(&shared));
        let address = server.address().to_string();
        Self { shared, server: Mutex::new(server), address }
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until the init is over: the runtime is parked in one of its two calls.
    pub fn snapshot(&self) -> Result<Parked, WaitFailure> {
        self.wait_runtime("the end of the init", |inner| parked(inner))
    }

    /// Lets restore/next go; a runtime parked in invocation/next gets no signal. The restore ends
    /// with `ready`.
    pub fn restore(&self) -> Result<Parked, WaitFailure> {
        self.wait_runtime("a runtime to restore", |inner| {
            let parked = parked(inner)?;
            if parked == Parked::RestoreNext {
                inner.restore();
            }
            Some(parked)
        })
    }

    /// Waits until the runtime is parked in invocation/next.
    pub fn ready(&self) -> Result<(), WaitFailure> {
        self.wait_runtime("a runtime in invocation/next", |inner| is_ready(inner).then_some(()))
    }

    /// Hands an event out as soon as the runtime is ready; returns the request id.
    pub fn hand_out(&self, event: impl Into<Vec<u8>>) -> Result<String, WaitFailure> {
        let mut event = Some(event.into());
        self.wait_runtime("a runtime in invocation/next", |inner| {
            is_ready(inner)
                .then(|| inner.invoke(event.take().unwrap_or_default(), &self.shared.settings))
        })
    }

    pub fn answer(&self, id: &str) -> Result<InvocationResult, WaitFailure> {
        self.wait_runtime("the answer to an event", |inner| inner.answer(id))
    }

    /// Gives SHUTDOWN to the extensions that asked for it, with so long to live.
    pub fn shutdown(&self, reason: &str, left: Duration) {
        let deadline_ms = epoch_ms() + left.as_millis();
        self.send_to_extensions(&format!(
            r#"{{"eventType":"SHUTDOWN","deadlineMs":{deadline_ms},"shutdownReason":"{reason}"}}"#
        ));
    }

    /// Gives this event to the extensions that asked for SHUTDOWN, whatever it is.
    pub fn send_to_extensions(&self, event: &str) {
        self.shared.update(|inner| inner.extensions.shut_down(event));
    }

    /// Tells that the runtime's process has ended: nothing more is waited for.
    pub fn runtime_exited(&self) {
        self.shared.update(|inner| inner.seen.has_exited = true);
    }

    /// From now on, each method of the driver waits so long at most for what it waits for.
    pub fn limit(&self, limit: Duration) {
        self.shared.update(|inner| inner.limit = limit);
    }

    /// All that was seen so far.
    pub fn seen(&self) -> Recording {
        self.shared.update(|inner| inner.seen.clone())
    }

    /// A condition on the runtime: a report of its own or its end makes it hopeless.
    pub fn wait_runtime<T>(
        &self,
        what: &'static str,
        mut condition: impl FnMut(&mut ServiceState) -> Option<T>,
    ) -> Result<T, WaitFailure> {
        let found = self.shared.wait(|inner| {
            let found = condition(inner).map(Ok);
            let reported =
                || inner.seen.report.clone().map(|report| Err(WaitFailure::Reported(report)));
            let exited = || {
                inner
                    .seen
                    .has_exited
                    .then(|| Err(WaitFailure::Exited(Box::new(inner.seen.clone()))))
            };
            found.or_else(reported).or_else(exited)
        });
        found.unwrap_or_else(|| Err(WaitFailure::TimedOut(what, Box::new(self.seen()))))
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.shared.end();
        self.shared.telemetry.end();
        self.server.lock().unwrap_or_else(PoisonError::into_inner).end();
    }
}

impl Debug for WaitFailure {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        match self {
            Self::Reported(report) => {
                let body = String::from_utf8_lossy(&report.body);
                write!(formatter, "{:?} of type {}: {body}", report.call, report.error_type)
            }
            Self::Exited(seen) => write!(formatter, "the runtime has ended: {seen}"),
            Self::TimedOut(what, seen) => write!(formatter, "waited in vain for {what}: {seen}"),
        }
    }
}

pub fn parked(inner: &ServiceState) -> Option<Parked> {
    match inner.seen.state {
        _ if inner.seen.parked == 0 => None,
        RuntimeState::RestoreReady => Some(Parked::RestoreNext),
        RuntimeState::Ready => Some(Parked::InvocationNext),
        _ => None,
    }
}

fn is_ready(inner: &ServiceState) -> bool {
    parked(inner) == Some(Parked::InvocationNext)
}
