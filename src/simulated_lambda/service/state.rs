//! The state that the calls of a runtime share: parked requests, the current event, and responses.

use super::{epoch_ms, request_id};
use crate::simulated_lambda::extensions::Extensions;
use crate::simulated_lambda::recording::Recording;
use crate::simulated_lambda::runtime_state::RuntimeState;
use crate::simulated_lambda::{InvocationResult, Settings};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The driver's limit unless it sets one.
const LIMIT: Duration = Duration::from_secs(30);

pub struct ServiceState {
    pub seen: Recording,
    pub extensions: Extensions,
    /// The limit of the driver's waits.
    pub limit: Duration,
    /// The parked requests by number, oldest first.
    pub(super) parked: VecDeque<usize>,
    pub(super) released: HashMap<usize, ParkedResponse>,
    /// The event of the current invocation.
    pub(super) current: Option<Arc<QueuedEvent>>,
    pub(super) answers: HashMap<String, InvocationResult>,
    pub(super) events: usize,
    pub(super) is_ending: bool,
}

/// The response to a parked call.
pub enum ParkedResponse {
    Restored,
    Event(Arc<QueuedEvent>),
}

/// An invocation that invocation/next returns.
pub struct QueuedEvent {
    pub(super) id: String,
    pub(super) deadline_ms: u128,
    pub(super) body: Vec<u8>,
}

impl ServiceState {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            seen: Recording::new(),
            extensions: Extensions::new(settings.extensions.clone()),
            limit: LIMIT,
            parked: VecDeque::new(),
            released: HashMap::new(),
            current: None,
            answers: HashMap::new(),
            events: settings.events_before,
            is_ending: false,
        }
    }

    /// Answers the parked restore/next.
    pub fn restore(&mut self) {
        self.seen.state = RuntimeState::Restoring;
        self.release(ParkedResponse::Restored);
    }

    /// Answers the oldest parked call with an event; returns the request ID.
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

    /// Takes the response of an invocation, once it is there.
    pub fn answer(&mut self, id: &str) -> Option<InvocationResult> {
        self.answers.remove(id)
    }

    fn release(&mut self, release: ParkedResponse) {
        let number = self.parked.pop_front().expect("a parked call");
        self.seen.parked = self.parked.len();
        self.released.insert(number, release);
    }
}
