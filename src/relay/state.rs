//! The state machine of the relay: how far snapshot and restore have come, and what that means for
//! each request of the runtime. It does no input or output: the rest of the relay acts on what it
//! returns.

use crate::lambda::api::Call;

/// What the relay does with a request of the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Keeps it until [`StateMachine::release`] is asked for.
    Hold,
    /// Sends it upstream over a connection of its own, and looks at the client's next request too.
    Pass,
    /// Forwards everything on this connection without a look at it.
    Tunnel,
}

/// What the relay does with a request that it held.
#[derive(Debug, PartialEq, Eq)]
pub enum Release {
    /// Responds with 403: a failure was reported, and the runtime is about to end.
    Forbid,
    /// Responds with 202 to a report of the runtime, without passing it on: the relay has reported.
    Accept,
    /// Responds with an empty 200: the restore is over.
    Restored,
    /// Responds with these bytes, which came from upstream.
    Respond(Vec<u8>),
    /// Sends it upstream.
    Tunnel,
}

/// How far snapshot and restore have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RelayState {
    /// The runtime starts; it has not asked for a restore or an invocation.
    Starting,
    /// The `before_snapshot` hooks run.
    BeforeSnapshot,
    /// The request restore/next is under way; its response comes after the restore.
    AwaitingRestore,
    /// The `after_restore` hooks run.
    AfterRestore,
    /// The requests that were held get their responses.
    Releasing,
    /// The relay only forwards bytes.
    Open,
    /// A hook has failed, or the restore.
    Failed,
}

/// The request restore/next that the relay has to send.
#[derive(Debug, PartialEq, Eq)]
pub enum RestoreRequest {
    /// The runtime's own, with this head.
    FromRuntime(Vec<u8>),
    /// One in the place of the runtime, which takes no part in SnapStart; the head is that of the
    /// runtime's invocation/next.
    ForRuntime(Vec<u8>),
}

/// The result of the request restore/next.
#[derive(Debug, PartialEq, Eq)]
pub enum RestoreOutcome {
    Restored,
    /// A response other than 200, which the runtime gets.
    Refused(Vec<u8>),
}

/// The state machine.
pub struct StateMachine {
    state: RelayState,
    /// The head of the first restore/next that was held.
    restore_next: Option<Vec<u8>>,
    /// The head of the first invocation/next that was held.
    invocation_next: Option<Vec<u8>>,
    outcome: Option<RestoreOutcome>,
    /// A response with an event, which came instead of the restore's, for the next request
    /// invocation/next.
    event: Option<Vec<u8>>,
    /// Whether a client is being sent the event. It may end before it has received all of it.
    is_sending_event: bool,
    /// Internal extensions' requests register without a response.
    registering: usize,
}

impl StateMachine {
    pub fn new() -> Self {
        Self {
            state: RelayState::Starting,
            restore_next: None,
            invocation_next: None,
            outcome: None,
            event: None,
            is_sending_event: false,
            registering: 0,
        }
    }

    /// Takes a request into account, and returns what the relay does with it.
    pub fn receive(&mut self, call: Option<Call>, head: &[u8]) -> Action {
        let Some(call) = call else {
            return if self.is_open() { Action::Tunnel } else { Action::Pass };
        };
        match (self.state, call) {
            (RelayState::Open, _) => Action::Tunnel,
            (RelayState::Failed, Call::InitError | Call::RestoreError) => Action::Hold,
            (_, Call::RestoreNext) => {
                self.restore_next.get_or_insert_with(|| head.to_owned());
                self.hold()
            }
            (_, Call::InvocationNext) => {
                self.invocation_next.get_or_insert_with(|| head.to_owned());
                self.hold()
            }
            // The runtime reports a failure of its own: there will be no snapshot.
            (RelayState::Starting | RelayState::BeforeSnapshot, Call::InitError) => {
                self.state = RelayState::Open;
                Action::Pass
            }
            (RelayState::Starting, Call::ExtensionRegister) => {
                self.registering += 1;
                Action::Pass
            }
            _ => Action::Pass,
        }
    }

    fn hold(&mut self) -> Action {
        if self.state == RelayState::Starting {
            self.state = RelayState::BeforeSnapshot;
        }
        Action::Hold
    }

    /// Takes into account that an internal extension's registration has its response.
    pub fn end_registration(&mut self) {
        self.registering = self.registering.saturating_sub(1);
    }

    /// Tells whether an internal extension's registration has no response yet.
    pub fn is_registering(&self) -> bool {
        self.registering > 0
    }

    /// Tells whether the runtime has started: it is ready for the snapshot, or has failed.
    pub fn has_started(&self) -> bool {
        self.state != RelayState::Starting
    }

    /// Tells whether the relay only forwards bytes.
    pub fn is_open(&self) -> bool {
        self.state == RelayState::Open
    }

    /// Tells whether a client is being sent the event, so that it is not known yet whether other
    /// requests invocation/next get it.
    pub fn is_sending_event(&self) -> bool {
        self.is_sending_event
    }

    /// Ends the `before_snapshot` hooks. Returns the request restore/next to send; `None` if there
    /// is no snapshot to wait for.
    pub fn request_restore(&mut self) -> Option<RestoreRequest> {
        if self.state != RelayState::BeforeSnapshot {
            return None;
        }
        self.state = RelayState::AwaitingRestore;
        let for_runtime = || self.invocation_next.clone().map(RestoreRequest::ForRuntime);
        self.restore_next.clone().map(RestoreRequest::FromRuntime).or_else(for_runtime)
    }

    /// Begins the `after_restore` hooks.
    pub fn begin_after_restore(&mut self) {
        self.state = RelayState::AfterRestore;
    }

    /// Begins to release what was held. An event is for the runtime's request invocation/next.
    pub fn begin_release(&mut self, outcome: RestoreOutcome, event: Option<Vec<u8>>) {
        self.state = RelayState::Releasing;
        (self.outcome, self.event) = (Some(outcome), event);
    }

    /// Takes into account that a hook or the restore has failed. Returns whether the relay has to
    /// report it; it does not if the runtime has reported a failure before.
    pub fn fail(&mut self) -> bool {
        if self.state != RelayState::Open {
            self.state = RelayState::Failed;
        }
        self.state == RelayState::Failed
    }

    /// Returns what the relay does with a request that it held.
    pub fn release(&mut self, call: Call) -> Release {
        match call {
            Call::InitError | Call::RestoreError => Release::Accept,
            _ if self.state == RelayState::Failed => Release::Forbid,
            Call::InvocationNext => match self.event.take() {
                None => Release::Tunnel,
                Some(event) => {
                    self.is_sending_event = true;
                    Release::Respond(event)
                }
            },
            _ => match &self.outcome {
                None => Release::Tunnel,
                Some(RestoreOutcome::Restored) => Release::Restored,
                Some(RestoreOutcome::Refused(response)) => Release::Respond(response.clone()),
            },
        }
    }

    /// Takes into account that a client got the response to a request that was held. Returns
    /// whether that ends a restore.
    pub fn end_release(&mut self, call: Call) -> bool {
        self.is_sending_event &= call != Call::InvocationNext;
        let opens =
            self.state == RelayState::Releasing && self.event.is_none() && !self.is_sending_event;
        if opens {
            self.state = RelayState::Open;
        }
        opens && self.outcome == Some(RestoreOutcome::Restored)
    }

    /// Takes an event back that a client did not receive, for the next one.
    pub fn return_event(&mut self, event: Vec<u8>) {
        self.is_sending_event = false;
        self.event = Some(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: [Option<Call>; 5] = [
        Some(Call::RestoreNext),
        Some(Call::InvocationNext),
        Some(Call::InitError),
        Some(Call::RestoreError),
        None,
    ];

    /// Returns the action for each call in the state that these steps lead to.
    fn actions(steps: fn(&mut StateMachine)) -> [Action; 5] {
        CALLS.map(|call| {
            let mut machine = StateMachine::new();
            steps(&mut machine);
            machine.receive(call, b"")
        })
    }

    fn restore(machine: &mut StateMachine) {
        machine.receive(Some(Call::RestoreNext), b"head");
        assert_eq!(machine.request_restore(), Some(RestoreRequest::FromRuntime(b"head".to_vec())));
        machine.begin_after_restore();
        machine.begin_release(RestoreOutcome::Restored, None);
    }

    #[test]
    fn call_in_each_state_has_its_action() {
        use Action::{Hold, Pass, Tunnel};
        assert_eq!(actions(|_| {}), [Hold, Hold, Pass, Pass, Pass]);
        let before = |machine: &mut StateMachine| {
            assert_eq!(machine.receive(Some(Call::InvocationNext), b""), Hold);
        };
        assert_eq!(actions(before), [Hold, Hold, Pass, Pass, Pass]);
        assert_eq!(actions(restore), [Hold, Hold, Pass, Pass, Pass]);
        assert_eq!(actions(|machine| assert!(machine.fail())), [Hold, Hold, Hold, Hold, Pass]);
        let open = |machine: &mut StateMachine| {
            restore(machine);
            assert!(machine.end_release(Call::RestoreNext));
        };
        assert_eq!(actions(open), [Tunnel; 5]);
    }

    #[test]
    fn runtime_that_reports_a_failure_before_the_snapshot_has_none() {
        for first in [None, Some(Call::RestoreNext)] {
            let mut machine = StateMachine::new();
            first.map(|call| machine.receive(Some(call), b""));
            assert_eq!(machine.receive(Some(Call::InitError), b""), Action::Pass);
            assert_eq!(machine.request_restore(), None);
            assert_eq!(machine.release(Call::RestoreNext), Release::Tunnel);
            assert_eq!(machine.receive(Some(Call::RestoreNext), b""), Action::Tunnel);
            assert!(!machine.end_release(Call::RestoreNext));
        }
    }

    #[test]
    fn event_instead_of_the_restore_goes_to_a_client_that_asks_for_an_event() {
        let mut machine = StateMachine::new();
        machine.receive(Some(Call::InvocationNext), b"next");
        assert_eq!(machine.request_restore(), Some(RestoreRequest::ForRuntime(b"next".to_vec())));
        machine.begin_after_restore();
        machine.begin_release(RestoreOutcome::Restored, Some(b"event".to_vec()));
        assert_eq!(machine.release(Call::RestoreNext), Release::Restored);
        assert!(!machine.end_release(Call::RestoreNext), "the event waits");
        assert_eq!(machine.release(Call::InvocationNext), Release::Respond(b"event".to_vec()));
        machine.return_event(b"event".to_vec());
        assert_eq!(machine.release(Call::InvocationNext), Release::Respond(b"event".to_vec()));
        assert!(!machine.end_release(Call::RestoreNext), "the event is being sent");
        assert!(machine.is_sending_event());
        assert!(machine.end_release(Call::InvocationNext));
        assert!(!machine.is_sending_event());
        assert_eq!(machine.release(Call::InvocationNext), Release::Tunnel);
        assert_eq!(machine.release(Call::RestoreNext), Release::Restored);
    }

    #[test]
    fn refused_restore_goes_to_the_runtime_and_is_no_restore() {
        let mut machine = StateMachine::new();
        machine.receive(Some(Call::RestoreNext), b"");
        machine.request_restore();
        machine.begin_release(RestoreOutcome::Refused(b"403".to_vec()), None);
        assert_eq!(machine.release(Call::RestoreNext), Release::Respond(b"403".to_vec()));
        assert!(!machine.end_release(Call::RestoreNext));
        assert!(machine.is_open());
    }

    #[test]
    fn failure_is_reported_once() {
        let mut machine = StateMachine::new();
        assert!(machine.fail());
        assert_eq!(machine.receive(Some(Call::InitError), b""), Action::Hold);
        assert_eq!(machine.release(Call::InitError), Release::Accept);
        assert_eq!(machine.release(Call::InvocationNext), Release::Forbid);

        let mut machine = StateMachine::new();
        assert_eq!(machine.receive(Some(Call::InitError), b""), Action::Pass);
        assert!(!machine.fail());
        assert!(machine.is_open());
    }

    #[test]
    fn registration_is_counted_until_its_response_unless_the_snapshot_has_begun() {
        let mut machine = StateMachine::new();
        assert_eq!(machine.receive(Some(Call::ExtensionRegister), b""), Action::Pass);
        machine.receive(Some(Call::InvocationNext), b"");
        assert!(machine.is_registering());
        machine.end_registration();
        assert!(!machine.is_registering());
        assert_eq!(machine.receive(Some(Call::ExtensionRegister), b""), Action::Pass);
        assert!(!machine.is_registering(), "it is too late for the snapshot");
        machine.end_registration();
    }
}
