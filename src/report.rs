//! Failures and the ends of hooks as values: error type, exit status, message. Writes nothing:
//! `log` logs them, `runtime_api` and `extension` post them.

use crate::config::Invalid;
use crate::exit_status;
use crate::json;
use crate::phase::Phase;
use crate::process::Signal;
use std::fmt;
use std::time::Duration;

/// The type of an error, as Lambda and the caller of the function see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    AfterRestore,
    BeforeSnapshot,
    ConfigInvalid,
    HookFailed,
    HookTimedOut,
    InvalidEntrypoint,
    SecretFailed,
    WrapperFailed,
}

impl ErrorType {
    /// Returns the type for a failed hook of a phase, and for hooks that could not be run.
    pub fn from_phase(phase: Phase) -> Self {
        match phase {
            Phase::Initialize | Phase::PreStop => Self::HookFailed,
            Phase::BeforeSnapshot => Self::BeforeSnapshot,
            Phase::AfterRestore => Self::AfterRestore,
        }
    }

    /// Returns the value of `errorType` and of the header `Lambda-Runtime-Function-Error-Type`
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
    ///
    /// Lambda replaces a type that does not match `(Runtime|Function)\.[A-Z][a-zA-Z]+` with
    /// `Runtime.Unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AfterRestore => "Runtime.AfterRestoreError",
            Self::BeforeSnapshot => "Runtime.BeforeSnapshotError",
            Self::ConfigInvalid => "Runtime.ForewordConfigInvalid",
            Self::HookFailed => "Runtime.ForewordHookFailed",
            Self::HookTimedOut => "Runtime.ForewordHookTimedOut",
            Self::InvalidEntrypoint => "Runtime.InvalidEntrypoint",
            Self::SecretFailed => "Runtime.ForewordSecretFailed",
            Self::WrapperFailed => "Runtime.ForewordWrapperFailed",
        }
    }
}

/// Most characters of a reported message. Lambda accepts 64 KiB, and JSON may escape a character
/// as six bytes (`\u001f`).
const MAX_MESSAGE_CHARACTERS: usize = 10_000;

/// A reason not to start the runtime, or not to go on with it.
#[derive(Debug, Clone)]
pub struct Failure {
    pub error_type: ErrorType,
    /// The exit status of foreword.
    pub status: i32,
    /// The message, without the prefix `foreword: `.
    pub message: String,
    /// The hook that failed.
    pub hook: Option<HookEnd>,
    /// The last lines that the hook wrote to standard error, redacted. They are in the log already.
    pub stderr_tail: String,
}

impl Failure {
    /// Makes a failure of no hook.
    pub fn new(error_type: ErrorType, status: i32, message: String) -> Self {
        Self { error_type, status, message, hook: None, stderr_tail: String::new() }
    }

    /// Makes the failure of a mistake in the configuration.
    pub fn configuration(message: String) -> Self {
        Self::new(ErrorType::ConfigInvalid, exit_status::FAILED, message)
    }

    /// Makes the failure of a runtime that cannot be executed.
    pub fn entrypoint(status: i32, message: String) -> Self {
        Self::new(ErrorType::InvalidEntrypoint, status, message)
    }

    /// Makes the failure of another wrapper of the chain.
    pub fn wrapper(status: i32, message: String) -> Self {
        Self::new(ErrorType::WrapperFailed, status, message)
    }

    /// Makes the failure of a secret that cannot be had.
    pub fn secret(message: String) -> Self {
        Self::new(ErrorType::SecretFailed, exit_status::FAILED, message)
    }

    /// Makes the failure of a phase whose hooks could not be run.
    pub fn in_phase(phase: Phase, message: String) -> Self {
        Self::new(ErrorType::from_phase(phase), exit_status::FAILED, message)
    }

    /// Adds the last lines that the hook wrote to standard error.
    #[must_use]
    pub fn with_stderr_tail(self, stderr_tail: String) -> Self {
        Self { stderr_tail, ..self }
    }

    /// Serializes the failure as the JSON object that the Runtime API and the Extensions API
    /// accept.
    pub fn to_json(&self, error_type: &str) -> String {
        let mut message: String = self.message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
        if !self.stderr_tail.is_empty() {
            message += "; its standard error ends in:\n";
            message += &self.stderr_tail;
        }
        let (message, error_type) = (json::quote(&message), json::quote(error_type));
        format!(r#"{{"errorMessage":{message},"errorType":{error_type},"stackTrace":[]}}"#)
    }
}

/// A reason to stop before foreword has become the runtime, or before all hooks have run.
pub enum Stop {
    Failure(Failure),
    /// A signal that ends foreword arrived while a hook ran.
    Signal(Signal),
    /// The process that needed the hooks has ended.
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

/// The end of a hook.
#[derive(Debug, Clone)]
pub struct HookEnd {
    pub phase: Phase,
    pub name: String,
    pub outcome: HookOutcome,
    /// The time of all attempts and of the pauses between them.
    pub duration: Duration,
    /// The number of exported variables, if the hook has `export` and succeeded.
    pub exported: Option<usize>,
}

/// The result of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOutcome {
    Success,
    Failure,
    Timeout,
}

impl HookOutcome {
    /// Returns the value of the field `outcome` of a log line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Timeout => "timeout",
        }
    }
}

impl HookEnd {
    /// Returns the duration in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        milliseconds(self.duration)
    }

    /// Makes the failure of this hook; `problem` follows the hook's name in the message.
    pub fn into_failure(self, problem: &str) -> Failure {
        let error_type = match (self.outcome, ErrorType::from_phase(self.phase)) {
            (HookOutcome::Timeout, ErrorType::HookFailed) => ErrorType::HookTimedOut,
            (_, failed) => failed,
        };
        let status = if error_type == ErrorType::HookTimedOut {
            exit_status::TIMED_OUT
        } else {
            exit_status::FAILED
        };
        let message = format!("{self} {problem}");
        Failure { hook: Some(self), ..Failure::new(error_type, status, message) }
    }
}

/// Returns a duration in milliseconds.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
    fn report_of_a_long_message_is_smaller_than_64_kib() {
        for character in ["a", "\u{1}", "\"", "\u{1f980}"] {
            let failure = Failure::configuration(format!("start {}", character.repeat(1 << 17)));
            let body = failure.to_json(failure.error_type.name());
            assert!(body.len() < 64 << 10, "{character:?}: {}", body.len());
            assert!(body.starts_with("{\"errorMessage\":\"start "), "{character:?}");
        }
    }
}
