//! Answers the calls: asks the state machine, parks what blocks, and hands the runtime's answers to
//! the driver.

use super::extensions::Extensions;
use super::http::{Body, Reply, RequestHead};
use super::recording::{Connection, ErrorReport, Recording};
use super::runtime_state::{ApiCall, RuntimeState, Transition};
use super::server::Faults;
use super::telemetry::Telemetry;
use super::{InvocationResult, Outcome, Settings};
use crate::lambda::api::{self, FUNCTION_ERROR_TYPE};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The platform's limit for a buffered answer: 6 MiB and 100 bytes.
pub const LARGEST_ANSWER: usize = (6 << 20) + 100;

/// How long the driver waits unless it is told otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// How often a request that waits looks whether its client is still there.
const LOOK: Duration = Duration::from_millis(10);

pub struct Shared {
    pub settings: Settings,
    pub faults: Box<dyn Faults>,
    pub telemetry: Telemetry,
    inner: Mutex<ServiceState>,
    changed: Condvar,
}

pub struct ServiceState {
    pub seen: Recording,
    pub extensions: Extensions,
    /// How long the driver waits.
    pub limit: Duration,
    /// The parked requests by number, the longest first.
    parked: VecDeque<usize>,
    released: HashMap<usize, ParkedResponse>,
    /// The event that the runtime works on.
    current: Option<Arc<QueuedEvent>>,
    answers: HashMap<String, InvocationResult>,
    events: usize,
    is_ending: bool,
}

/// What a parked call is answered with.
enum ParkedResponse {
    Restored,
    Event(Arc<QueuedEvent>),
}

/// One invocation, as invocation/next hands it out.
struct QueuedEvent {
    id: String,
    deadline_ms: u128,
    body: Vec<u8>,
}

impl Shared {
    pub fn new(settings: Settings, faults: Box<dyn Faults>) -> Self {
        let inner = ServiceState {
            seen: Recording::new(),
            extensions: Extensions::new(settings.extensions.clone()),
            limit: LIMIT,
            parked: VecDeque::new(),
            released: HashMap::new(),
            current: None,
            answers: HashMap::new(),
            events: settings.events_before,
            is_ending: false,
        };
        Self {
            settings,
            faults,
            telemetry: Telemetry::default(),
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        }
    }

    /// Changes something; everyone who waits looks again.
    pub fn update<T>(&self, change: impl FnOnce(&mut ServiceState) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until the condition gives something; `None` when the driver's limit has passed.
    pub fn wait<T>(&self, mut condition: impl FnMut(&mut ServiceState) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut inner = self.lock();
        loop {
            if let Some(result) = condition(&mut inner) {
                drop(inner);
                self.changed.notify_all();
                return Some(result);
            }
            let left = inner.limit.checked_sub(start.elapsed())?;
            inner =
                self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same without a limit but the end of this Lambda. Notes when the client of a request goes
    /// away meanwhile.
    pub fn park<T>(
        &self,
        number: usize,
        has_ended: &dyn Fn() -> bool,
        mut condition: impl FnMut(&mut ServiceState) -> Option<T>,
    ) -> Option<T> {
        let mut inner = self.lock();
        loop {
            if let Some(result) = condition(&mut inner) {
                drop(inner);
                self.changed.notify_all();
                return Some(result);
            }
            if inner.is_ending {
                return None;
            }
            let (woken, timeout) =
                self.changed.wait_timeout(inner, LOOK).unwrap_or_else(PoisonError::into_inner);
            inner = woken;
            let connection = inner.seen.requests[number].connection;
            let known = &mut inner.seen.connections[connection];
            if timeout.timed_out() && *known == Connection::Open && has_ended() {
                *known = Connection::Ended;
                self.changed.notify_all();
            }
        }
    }

    pub fn end(&self) {
        self.update(|inner| inner.is_ending = true);
    }

    /// Answers one call; its body is read when the state machine has had its say. `None` at the end
    /// of this Lambda.
    pub fn answer(
        &self,
        call: ApiCall,
        id: &str,
        head: &RequestHead,
        number: usize,
        read: impl Fn() -> Body,
        has_ended: &dyn Fn() -> bool,
    ) -> Option<Reply> {
        match call {
            ApiCall::RestoreNext | ApiCall::InvocationNext => {
                read();
                self.next(call, number, has_ended)
            }
            ApiCall::InitError | ApiCall::RestoreError => Some(self.report(call, head, read())),
            ApiCall::InvocationResponse | ApiCall::InvocationError => {
                Some(self.take_answer(call, id, head, read))
            }
            ApiCall::ExtensionRegister => {
                let body = read();
                Some(self.update(|inner| {
                    inner.extensions.register(
                        head,
                        &body.bytes,
                        inner.seen.state,
                        &self.settings.function,
                    )
                }))
            }
            ApiCall::ExtensionNext => {
                read();
                if let Some((name, events)) =
                    self.update(|inner| inner.extensions.becomes_ready(head))
                {
                    let record = json!({"name": name, "state": "Ready", "events": events});
                    self.telemetry.emit("platform.extension", record);
                }
                self.park(number, has_ended, |inner| inner.extensions.next(head))
            }
            ApiCall::ExtensionInitError | ApiCall::ExtensionExitError => {
                read();
                Some(Reply::accepted())
            }
            ApiCall::Subscribe(api) => {
                let body = read();
                let name = self.update(|inner| inner.extensions.name(head));
                Some(self.telemetry.subscribe(api, head, &body.bytes, name.as_deref()))
            }
        }
    }

    fn next(&self, call: ApiCall, number: usize, has_ended: &dyn Fn() -> bool) -> Option<Reply> {
        let refused = self.update(|inner| match inner.seen.state.transition(call) {
            Transition::Block(state) => {
                inner.seen.state = state;
                inner.parked.push_back(number);
                inner.seen.parked = inner.parked.len();
                None
            }
            Transition::EventAgain => inner.current.as_ref().map(|event| self.hand_out(event)),
            Transition::Accept(_) | Transition::Forbid => Some(forbidden(inner.seen.state, call)),
        });
        if refused.is_some() {
            return refused;
        }
        let release = self.park(number, has_ended, |inner| inner.released.remove(&number))?;
        Some(match release {
            ParkedResponse::Restored => Reply { status: 200, ..Reply::default() },
            ParkedResponse::Event(event) => self.hand_out(&event),
        })
    }

    /// Taken during a restore, an init/error counts as a restore/error.
    fn report(&self, call: ApiCall, head: &RequestHead, body: Body) -> Reply {
        self.update(|inner| match inner.seen.state.transition(call) {
            Transition::Accept(state) => {
                inner.seen.state = state;
                let call =
                    if state == RuntimeState::RestoreError { ApiCall::RestoreError } else { call };
                let error_type = error_type(head);
                inner.seen.report = Some(ErrorReport { call, error_type, body: body.bytes });
                Reply::accepted()
            }
            _ => forbidden(inner.seen.state, call),
        })
    }

    fn take_answer(
        &self,
        call: ApiCall,
        id: &str,
        head: &RequestHead,
        read: impl Fn() -> Body,
    ) -> Reply {
        let refused = self.update(|inner| {
            if inner.current.as_ref().is_none_or(|event| event.id != id) {
                return Some(Reply::error(400, "InvalidRequestID", "Invalid request ID"));
            }
            // An event that restore/next was answered with is answered without an invocation/next
            // of its own.
            let is_early = inner.seen.state == RuntimeState::Restoring;
            match if is_early { RuntimeState::Running } else { inner.seen.state }.transition(call) {
                Transition::Accept(state) => {
                    inner.seen.state = state;
                    None
                }
                _ => Some(forbidden(inner.seen.state, call)),
            }
        });
        let body = read();
        if let Some(refused) = refused {
            return refused;
        }
        let is_streamed = head.says("Lambda-Runtime-Function-Response-Mode", "streaming");
        // A stream that has begun tells in its trailers that it failed.
        let late_error =
            body.trailers.iter().find(|(name, _)| name.eq_ignore_ascii_case(FUNCTION_ERROR_TYPE));
        let (outcome, reply) = if body.bytes.len() > LARGEST_ANSWER && !is_streamed {
            let message =
                format!("Exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes).");
            let reply = Reply::error(413, "RequestEntityTooLarge", &message);
            (Outcome::Error("Function.ResponseSizeTooLarge".to_owned()), reply)
        } else {
            let outcome = match (call, late_error) {
                (_, Some((_, error_type))) => Outcome::Error(error_type.clone()),
                (ApiCall::InvocationResponse, None) => Outcome::Response,
                _ => Outcome::Error(error_type(head)),
            };
            let truncated =
                || Reply::error(400, "TruncatedHTTPRequest", "HTTP request detected as truncated");
            (outcome, if body.is_complete { Reply::accepted() } else { truncated() })
        };
        let content_type = head.header("Content-Type").unwrap_or_default().to_owned();
        let Body { bytes, trailers, is_complete, .. } = body;
        let answer = InvocationResult {
            outcome,
            body: bytes,
            content_type,
            is_streamed,
            trailers,
            is_complete,
        };
        self.update(|inner| {
            inner.seen.state = RuntimeState::ResponseSent;
            inner.current = None;
            inner.answers.insert(id.to_owned(), answer);
        });
        reply
    }

    fn hand_out(&self, event: &QueuedEvent) -> Reply {
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            (api::REQUEST_ID, event.id.clone()),
            ("Lambda-Runtime-Deadline-Ms", event.deadline_ms.to_string()),
            ("Lambda-Runtime-Invoked-Function-Arn", self.settings.arn()),
            (
                "Lambda-Runtime-Trace-Id",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned(),
            ),
        ];
        Reply { status: 200, headers, body: event.body.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, ServiceState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceState {
    /// Lets the parked restore/next go.
    pub fn restore(&mut self) {
        self.seen.state = RuntimeState::Restoring;
        self.release(ParkedResponse::Restored);
    }

    /// Gives an event to the call that is parked longest, whichever it is; returns the request id.
    pub fn invoke(&mut self, body: Vec<u8>, settings: &Settings) -> String {
        self.events += 1;
        let id = request_id(self.events);
        let deadline_ms = epoch_ms() + settings.timeout.as_millis();
        let event = Arc::new(QueuedEvent { id: id.clone(), deadline_ms, body });
        self.current = Some(Arc::clone(&event));
        let is_restore = self.seen.state == RuntimeState::RestoreReady;
        self.seen.state = if is_restore { RuntimeState::Restoring } else { RuntimeState::Running };
        self.release(ParkedResponse::Event(event));
        self.extensions.invoke(&format!(
            r#"{{"eventType":"INVOKE","deadlineMs":{deadline_ms},"requestId":"{id}","invokedFunctionArn":"{}"}}"#,
            settings.arn()
        ));
        id
    }

    /// Takes the answer of an invocation when it is there.
    pub fn answer(&mut self, id: &str) -> Option<InvocationResult> {
        self.answers.remove(id)
    }

    fn release(&mut self, release: ParkedResponse) {
        let number = self.parked.pop_front().expect("a parked call");
        self.seen.parked = self.parked.len();
        self.released.insert(number, release);
    }
}

/// The id of the nth event, from 1.
pub fn request_id(nth: usize) -> String {
    format!("00000000-0000-4000-8000-{nth:012x}")
}

pub fn epoch_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

fn error_type(head: &RequestHead) -> String {
    head.header(FUNCTION_ERROR_TYPE).unwrap_or_default().to_owned()
}

fn forbidden(state: RuntimeState, call: ApiCall) -> Reply {
    let (from, to) = (state.name(), call.asks_for().name());
    let message = format!(
        "State transition from {from} to {to} failed for runtime. Error: State transition is not \
         allowed"
    );
    Reply::error(403, "InvalidStateTransition", &message)
}
