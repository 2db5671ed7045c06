//! What is reported when foreword does not become the runtime, or when a hook ended: error type,
//! exit status, message. Says nothing by itself; `log` writes it, `runtime_api` posts it.

use crate::config::Invalid;
use crate::exit_status;
use crate::phase::Phase;
use crate::process::Signal;
use serde_json::json;
use std::fmt;
use std::time::Duration;

/// What Lambda and the caller of the function are told went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    AfterRestore,
    BeforeSnapshot,
    ConfigInvalid,
    HookFailed,
    HookTimedOut,
    InvalidEntrypoint,
    WrapperFailed,
}

impl ErrorType {
    /// The type of a failure of a hook, or of what runs the hooks of a phase.
    pub fn of_hook_failure(phase: Phase) -> Self {
        match phase {
            Phase::Initialize | Phase::PreStop => Self::HookFailed,
            Phase::BeforeSnapshot => Self::BeforeSnapshot,
            Phase::AfterRestore => Self::AfterRestore,
        }
    }

    /// The value of `errorType` and of the header `Lambda-Runtime-Function-Error-Type`. Lambda
    /// turns what does not match `(Runtime|Function)\.[A-Z][a-zA-Z]+` into `Runtime.Unknown`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorType::AfterRestore => "Runtime.AfterRestoreError",
            ErrorType::BeforeSnapshot => "Runtime.BeforeSnapshotError",
            ErrorType::ConfigInvalid => "Runtime.ForewordConfigInvalid",
            ErrorType::HookFailed => "Runtime.ForewordHookFailed",
            ErrorType::HookTimedOut => "Runtime.ForewordHookTimedOut",
            ErrorType::InvalidEntrypoint => "Runtime.InvalidEntrypoint",
            ErrorType::WrapperFailed => "Runtime.ForewordWrapperFailed",
        }
    }
}

/// Most characters of a message that are reported. Lambda takes 64 KiB at most, in which a
/// character may need six bytes.
const LONGEST_MESSAGE: usize = 10_000;

/// Why the runtime is not started.
#[derive(Debug, Clone)]
pub struct Failure {
    pub error_type: ErrorType,
    pub status: i32,
    /// What follows `foreword: `.
    pub message: String,
    pub hook: Option<HookEnd>,
    /// The end of what a hook wrote to standard error. It is in the log already.
    pub said: String,
}

impl Failure {
    pub fn new(error_type: ErrorType, status: i32, message: String) -> Self {
        Self { error_type, status, message, hook: None, said: String::new() }
    }

    pub fn configuration(message: String) -> Self {
        Self::new(ErrorType::ConfigInvalid, exit_status::FAILED, message)
    }

    pub fn entrypoint(status: i32, message: String) -> Self {
        Self::new(ErrorType::InvalidEntrypoint, status, message)
    }

    pub fn wrapper(status: i32, message: String) -> Self {
        Self::new(ErrorType::WrapperFailed, status, message)
    }

    /// One that keeps the hooks of a phase from running at all.
    pub fn of_phase(phase: Phase, message: String) -> Self {
        Self::new(ErrorType::of_hook_failure(phase), exit_status::FAILED, message)
    }

    /// The same, with the end of what the hook wrote to standard error.
    pub fn saying(self, said: String) -> Self {
        Self { said, ..self }
    }

    /// The JSON object that Lambda's APIs are told.
    pub fn body(&self, error_type: &str) -> String {
        let mut message: String = self.message.chars().take(LONGEST_MESSAGE).collect();
        if !self.said.is_empty() {
            message += "; its standard error ends in:\n";
            message += &self.said;
        }
        json!({"errorMessage": message, "errorType": error_type, "stackTrace": []}).to_string()
    }
}

/// Why foreword ends without having become the runtime.
pub enum Stop {
    Failure(Failure),
    /// It was told to end while a hook ran.
    Signal(Signal),
    /// Nobody waits any more for what it does.
    Cancelled,
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::configuration(invalid.message)
    }
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Failure::from(invalid).into()
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

/// How a hook ended.
#[derive(Debug, Clone)]
pub struct HookEnd {
    pub phase: Phase,
    pub name: String,
    pub outcome: HookOutcome,
    pub took: Duration,
    /// How many variables it exported, if it was to export some and did.
    pub exported: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOutcome {
    Success,
    Failure,
    Timeout,
}

impl HookOutcome {
    pub fn name(self) -> &'static str {
        match self {
            HookOutcome::Success => "success",
            HookOutcome::Failure => "failure",
            HookOutcome::Timeout => "timeout",
        }
    }
}

impl HookEnd {
    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }

    /// The failure that this end is; `what` follows the hook's name.
    pub fn failure(self, what: &str) -> Failure {
        let error_type = match (self.outcome, ErrorType::of_hook_failure(self.phase)) {
            (HookOutcome::Timeout, ErrorType::HookFailed) => ErrorType::HookTimedOut,
            (_, failed) => failed,
        };
        let status = if error_type == ErrorType::HookTimedOut {
            exit_status::TIMED_OUT
        } else {
            exit_status::FAILED
        };
        let message = format!("{self} {what}");
        Failure { hook: Some(self), ..Failure::new(error_type, status, message) }
    }
}

impl fmt::Display for HookEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "hook {:?} ({})", self.name, self.phase.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reported_has_less_than_64_kib_whatever_it_quotes() {
        for character in ["a", "\u{1}", "\"", "\u{1f980}"] {
            let failure = Failure::configuration(format!("start {}", character.repeat(1 << 17)));
            let body = failure.body(failure.error_type.name());
            assert!(body.len() < 64 << 10, "{character:?}: {}", body.len());
            assert!(body.starts_with("{\"errorMessage\":\"start "), "{character:?}");
        }
    }
}
