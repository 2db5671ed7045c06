//! The runtime's states and what each call does in each of them: snapshot and restore, and the
//! cycle of an invocation, after `core/states.go` of AWS's emulator. Pure: it parks nothing, and it
//! answers nothing.

use super::telemetry::SubscriptionApi;
use crate::lambda::api;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeState {
    Started,
    /// Parked in restore/next.
    RestoreReady,
    Restoring,
    RestoreError,
    InitError,
    /// Parked in invocation/next.
    Ready,
    Running,
    InvocationResponse,
    InvocationErrorResponse,
    ResponseSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiCall {
    RestoreNext,
    InvocationNext,
    InitError,
    RestoreError,
    InvocationResponse,
    InvocationError,
    ExtensionRegister,
    ExtensionNext,
    ExtensionInitError,
    ExtensionExitError,
    /// The subscription to telemetry, by either API.
    Subscribe(SubscriptionApi),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Parked in this state until the driver lets it go.
    Block(RuntimeState),
    /// Taken; the state afterwards.
    Accept(RuntimeState),
    /// The event that is being handled, once more.
    EventAgain,
    Forbid,
}

impl RuntimeState {
    /// What a call of the runtime's does; the extensions' calls have no part in these states.
    pub fn transition(self, call: ApiCall) -> Transition {
        match (self, call) {
            (Self::Started, ApiCall::RestoreNext) => Transition::Block(Self::RestoreReady),
            (
                Self::Started | Self::Restoring | Self::Ready | Self::ResponseSent,
                ApiCall::InvocationNext,
            ) => Transition::Block(Self::Ready),
            (Self::Running, ApiCall::InvocationNext) => Transition::EventAgain,
            (Self::Started, ApiCall::InitError) => Transition::Accept(Self::InitError),
            (Self::Restoring, ApiCall::InitError | ApiCall::RestoreError) => {
                Transition::Accept(Self::RestoreError)
            }
            (Self::Running, ApiCall::InvocationResponse) => {
                Transition::Accept(Self::InvocationResponse)
            }
            (Self::Running, ApiCall::InvocationError) => {
                Transition::Accept(Self::InvocationErrorResponse)
            }
            _ => Transition::Forbid,
        }
    }

    /// The name that the platform's messages have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::RestoreReady => "RestoreReady",
            Self::Restoring => "Restoring",
            Self::RestoreError => "RuntimeRestoreErrorState",
            Self::InitError => "InitError",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InvocationResponse => "InvocationResponse",
            Self::InvocationErrorResponse => "InvocationErrorResponse",
            Self::ResponseSent => "RuntimeResponseSentState",
        }
    }
}

impl ApiCall {
    /// The state that the call asks for, as the message of a refusal names it. That restore/next
    /// asks for Ready is the emulator's own wording.
    pub fn asks_for(self) -> RuntimeState {
        match self {
            Self::InitError => RuntimeState::InitError,
            Self::RestoreError => RuntimeState::RestoreError,
            Self::InvocationResponse => RuntimeState::InvocationResponse,
            Self::InvocationError => RuntimeState::InvocationErrorResponse,
            _ => RuntimeState::Ready,
        }
    }
}

/// What a method and a path stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// With the request id, where the path has one, else with an empty text.
    Known(ApiCall, &'a str),
    WrongMethod,
    Unknown,
}

impl<'a> Route<'a> {
    /// The two restore calls exist only where there is a snapshot.
    pub fn of(method: &str, target: &'a str, snap_start: bool) -> Self {
        let path = api::path_of(target);
        let Some((call, id)) = known(path) else { return Self::Unknown };
        let is_restore = matches!(call, ApiCall::RestoreNext | ApiCall::RestoreError);
        let expected = match call {
            ApiCall::RestoreNext | ApiCall::InvocationNext | ApiCall::ExtensionNext => "GET",
            ApiCall::Subscribe(_) => "PUT",
            _ => "POST",
        };
        if is_restore && !snap_start {
            Self::Unknown
        } else if method == expected {
            Self::Known(call, id)
        } else {
            Self::WrongMethod
        }
    }
}

/// Finds the call of a path, and the request id in it.
fn known(path: &str) -> Option<(ApiCall, &str)> {
    if let Some(call) = api::Call::ALL.into_iter().find(|call| call.path() == path) {
        return Some((call.into(), ""));
    }
    if path == "/2020-01-01/extension/exit/error" {
        return Some((ApiCall::ExtensionExitError, ""));
    }
    match path.strip_suffix('/').unwrap_or(path) {
        "/2022-07-01/telemetry" | "/2022-12-13/telemetry" | "/2025-01-29/telemetry" => {
            return Some((ApiCall::Subscribe(SubscriptionApi::Telemetry), ""));
        }
        "/2020-08-15/logs" | "/2021-03-18/logs" => {
            return Some((ApiCall::Subscribe(SubscriptionApi::Logs), ""));
        }
        _ => {}
    }
    let invocation = api::Call::InvocationNext.path().trim_end_matches("next");
    let (id, what) = path.strip_prefix(invocation)?.split_once('/')?;
    match what {
        "response" => Some((ApiCall::InvocationResponse, id)),
        "error" => Some((ApiCall::InvocationError, id)),
        _ => None,
    }
}

impl From<api::Call> for ApiCall {
    fn from(call: api::Call) -> Self {
        match call {
            api::Call::RestoreNext => Self::RestoreNext,
            api::Call::InvocationNext => Self::InvocationNext,
            api::Call::InitError => Self::InitError,
            api::Call::RestoreError => Self::RestoreError,
            api::Call::ExtensionRegister => Self::ExtensionRegister,
            api::Call::ExtensionNext => Self::ExtensionNext,
            api::Call::ExtensionInitError => Self::ExtensionInitError,
        }
    }
}
