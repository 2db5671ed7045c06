//! How far snapshot and restore have come, and what that means for each request of the runtime.
//! Pure: it decides, and everyone else in the relay acts on it.

use crate::lambda::api::Call;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It waits until the runtime may go on.
    Hold,
    /// It goes upstream over a connection of its own, and the next request of this client is looked
    /// at again.
    Pass,
    /// Nothing of this connection is looked at any more.
    Tunnel,
}

/// What becomes of a request that was held.
#[derive(Debug, PartialEq, Eq)]
pub enum Release {
    /// The runtime has nothing to ask for after a failure that was reported: 403.
    Forbid,
    /// A report that would be the second one is taken without being passed on: 202.
    Accept,
    /// The restore is over, which an empty 200 says.
    Restored,
    /// It is given what came from upstream, and its connection ends.
    Answer(Vec<u8>),
    /// It goes upstream at last.
    Tunnel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The runtime is on its way to its first request for something to do.
    Armed,
    /// before_snapshot hooks run.
    Before,
    /// The one restore/next is under way.
    Frozen,
    /// after_restore hooks run.
    After,
    /// What restore/next is answered with is there; nobody has taken it yet.
    Restored,
    Open,
    Failed,
}

/// Who wanted to know of the restore.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// The runtime, with this head.
    ByRuntime(Vec<u8>),
    /// Nobody: the runtime, with this head, wanted its first event.
    ByRelay(Vec<u8>),
}

/// How the one restore/next was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Restore {
    Done,
    /// With this, which is for the runtime to make something of.
    Refused(Vec<u8>),
}

pub struct Progress {
    state: State,
    /// The head of the first request of each kind that was held.
    restore_next: Option<Vec<u8>>,
    invocation_next: Option<Vec<u8>>,
    restore: Option<Restore>,
    /// An event that came in the place of the restore's answer, for the next who asks for one.
    event: Option<Vec<u8>>,
    /// Somebody is being given it, who may not live to take all of it.
    delivers: bool,
    /// Requests of internal extensions that are not answered yet.
    registering: usize,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            state: State::Armed,
            restore_next: None,
            invocation_next: None,
            restore: None,
            event: None,
            delivers: false,
            registering: 0,
        }
    }

    /// Takes note of a request.
    pub fn receive(&mut self, call: Option<Call>, head: &[u8]) -> Action {
        let Some(call) = call else {
            return if self.is_open() { Action::Tunnel } else { Action::Pass };
        };
        match (self.state, call) {
            (State::Open, _) => Action::Tunnel,
            (State::Failed, Call::InitError | Call::RestoreError) => Action::Hold,
            (_, Call::RestoreNext) => self.hold(|progress| &mut progress.restore_next, head),
            (_, Call::InvocationNext) => self.hold(|progress| &mut progress.invocation_next, head),
            // The runtime has failed by itself: there will be no snapshot.
            (State::Armed | State::Before, Call::InitError) => {
                self.state = State::Open;
                Action::Pass
            }
            (State::Armed, Call::ExtensionRegister) => {
                self.registering += 1;
                Action::Pass
            }
            _ => Action::Pass,
        }
    }

    fn hold(&mut self, kind: fn(&mut Self) -> &mut Option<Vec<u8>>, head: &[u8]) -> Action {
        kind(self).get_or_insert_with(|| head.to_owned());
        if self.state == State::Armed {
            self.state = State::Before;
        }
        Action::Hold
    }

    /// An internal extension's request is answered.
    pub fn registered(&mut self) {
        self.registering = self.registering.saturating_sub(1);
    }

    /// Whether the runtime has nothing left to do before the snapshot, or fails and will not get
    /// there.
    pub fn is_asked(&self) -> bool {
        self.state != State::Armed
    }

    /// Whether it is still open what becomes of others who ask for an event.
    pub fn delivers(&self) -> bool {
        self.delivers
    }

    pub fn is_registering(&self) -> bool {
        self.registering > 0
    }

    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// The before_snapshot hooks have run. Nothing when there is no snapshot to wait for.
    pub fn freeze(&mut self) -> Option<Asked> {
        if self.state != State::Before {
            return None;
        }
        self.state = State::Frozen;
        let by_relay = || self.invocation_next.clone().map(Asked::ByRelay);
        self.restore_next.clone().map(Asked::ByRuntime).or_else(by_relay)
    }

    /// The restore is over: the after_restore hooks run.
    pub fn thaw(&mut self) {
        self.state = State::After;
    }

    /// The runtime may go on; an event is for its invocation/next, if there is one already.
    pub fn go_on(&mut self, restore: Restore, event: Option<Vec<u8>>) {
        self.state = State::Restored;
        (self.restore, self.event) = (Some(restore), event);
    }

    /// A hook has failed, or there is no restore. Says whether that is to be reported, which the
    /// runtime itself may have done before.
    pub fn fail(&mut self) -> bool {
        if self.state != State::Open {
            self.state = State::Failed;
        }
        self.state == State::Failed
    }

    /// What becomes of a request that was held and whose client still lives.
    pub fn release(&mut self, call: Call) -> Release {
        match call {
            Call::InitError | Call::RestoreError => Release::Accept,
            _ if self.state == State::Failed => Release::Forbid,
            Call::InvocationNext => match self.event.take() {
                None => Release::Tunnel,
                Some(event) => {
                    self.delivers = true;
                    Release::Answer(event)
                }
            },
            _ => match &self.restore {
                None => Release::Tunnel,
                Some(Restore::Done) => Release::Restored,
                Some(Restore::Refused(answer)) => Release::Answer(answer.clone()),
            },
        }
    }

    /// A client was given what it waited for. Says whether that was the end of a restore.
    pub fn delivered(&mut self, call: Call) -> bool {
        self.delivers &= call != Call::InvocationNext;
        let opens = self.state == State::Restored && self.event.is_none() && !self.delivers;
        if opens {
            self.state = State::Open;
        }
        opens && self.restore == Some(Restore::Done)
    }

    /// A client did not take all of an event: that waits for the next one.
    pub fn keep(&mut self, event: Vec<u8>) {
        self.delivers = false;
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

    /// What becomes of each call in a state that these steps lead to.
    fn actions(steps: fn(&mut Progress)) -> [Action; 5] {
        CALLS.map(|call| {
            let mut progress = Progress::new();
            steps(&mut progress);
            progress.receive(call, b"")
        })
    }

    fn until_restored(progress: &mut Progress) {
        progress.receive(Some(Call::RestoreNext), b"head");
        assert_eq!(progress.freeze(), Some(Asked::ByRuntime(b"head".to_vec())));
        progress.thaw();
        progress.go_on(Restore::Done, None);
    }

    #[test]
    fn every_call_in_every_state() {
        use Action::{Hold, Pass, Tunnel};
        assert_eq!(actions(|_| {}), [Hold, Hold, Pass, Pass, Pass]);
        let before = |progress: &mut Progress| {
            assert_eq!(progress.receive(Some(Call::InvocationNext), b""), Hold)
        };
        assert_eq!(actions(before), [Hold, Hold, Pass, Pass, Pass]);
        assert_eq!(actions(until_restored), [Hold, Hold, Pass, Pass, Pass]);
        assert_eq!(actions(|progress| assert!(progress.fail())), [Hold, Hold, Hold, Hold, Pass]);
        let open = |progress: &mut Progress| {
            until_restored(progress);
            assert!(progress.delivered(Call::RestoreNext));
        };
        assert_eq!(actions(open), [Tunnel; 5]);
    }

    #[test]
    fn a_runtime_that_fails_by_itself_before_the_snapshot_is_left_alone() {
        for first in [None, Some(Call::RestoreNext)] {
            let mut progress = Progress::new();
            first.map(|call| progress.receive(Some(call), b""));
            assert_eq!(progress.receive(Some(Call::InitError), b""), Action::Pass);
            assert_eq!(progress.freeze(), None);
            assert_eq!(progress.release(Call::RestoreNext), Release::Tunnel);
            assert_eq!(progress.receive(Some(Call::RestoreNext), b""), Action::Tunnel);
            assert!(!progress.delivered(Call::RestoreNext));
        }
    }

    #[test]
    fn an_event_in_the_place_of_the_restore_s_answer_goes_to_one_who_asks_for_one() {
        let mut progress = Progress::new();
        progress.receive(Some(Call::InvocationNext), b"next");
        assert_eq!(progress.freeze(), Some(Asked::ByRelay(b"next".to_vec())));
        progress.thaw();
        progress.go_on(Restore::Done, Some(b"event".to_vec()));
        assert_eq!(progress.release(Call::RestoreNext), Release::Restored);
        assert!(!progress.delivered(Call::RestoreNext), "the event waits");
        assert_eq!(progress.release(Call::InvocationNext), Release::Answer(b"event".to_vec()));
        progress.keep(b"event".to_vec());
        assert_eq!(progress.release(Call::InvocationNext), Release::Answer(b"event".to_vec()));
        assert!(!progress.delivered(Call::RestoreNext), "it is under way");
        assert!(progress.delivers());
        assert!(progress.delivered(Call::InvocationNext));
        assert!(!progress.delivers());
        assert_eq!(progress.release(Call::InvocationNext), Release::Tunnel);
        assert_eq!(progress.release(Call::RestoreNext), Release::Restored);
    }

    #[test]
    fn a_refusal_is_handed_on_and_is_no_restore() {
        let mut progress = Progress::new();
        progress.receive(Some(Call::RestoreNext), b"");
        progress.freeze();
        progress.go_on(Restore::Refused(b"403".to_vec()), None);
        assert_eq!(progress.release(Call::RestoreNext), Release::Answer(b"403".to_vec()));
        assert!(!progress.delivered(Call::RestoreNext));
        assert!(progress.is_open());
    }

    #[test]
    fn a_failure_is_reported_once() {
        let mut progress = Progress::new();
        assert!(progress.fail());
        assert_eq!(progress.receive(Some(Call::InitError), b""), Action::Hold);
        assert_eq!(progress.release(Call::InitError), Release::Accept);
        assert_eq!(progress.release(Call::InvocationNext), Release::Forbid);

        let mut progress = Progress::new();
        assert_eq!(progress.receive(Some(Call::InitError), b""), Action::Pass);
        assert!(!progress.fail());
        assert!(progress.is_open());
    }

    #[test]
    fn a_registration_before_the_snapshot_is_waited_for() {
        let mut progress = Progress::new();
        assert_eq!(progress.receive(Some(Call::ExtensionRegister), b""), Action::Pass);
        progress.receive(Some(Call::InvocationNext), b"");
        assert!(progress.is_registering());
        progress.registered();
        assert!(!progress.is_registering());
        assert_eq!(progress.receive(Some(Call::ExtensionRegister), b""), Action::Pass);
        assert!(!progress.is_registering(), "it comes too late anyway");
        progress.registered();
    }
}
