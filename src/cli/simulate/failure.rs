//! Failures of an environment, and the errors that the caller of the function gets, in Lambda's
//! words as AWS's emulator has them
//! (<https://github.com/aws/aws-lambda-runtime-interface-emulator>).

use super::base64;
use super::environment::SPINDOWN;
use crate::lambda::api::FUNCTION_ERROR_TYPE;
use crate::process::{CommandEnd, Signal};
use crate::simulated_lambda::runtime_state::ApiCall;
use crate::simulated_lambda::service::LARGEST_ANSWER;
use crate::simulated_lambda::{ErrorReport, InvocationResult, Outcome};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Largest event of a synchronous invocation, 6 MiB
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
pub const LARGEST_EVENT: usize = 6 << 20;

/// The trailer that holds the error of a stream, in Base64.
const ERROR_BODY: &str = "Lambda-Runtime-Function-Error-Body";

pub enum EnvironmentFailure {
    /// The runtime, or foreword before it was executed, reported an error to the Runtime API.
    Reported(ErrorReport),
    /// The runtime ended without a report.
    Exited(CommandEnd),
    /// An extension ended before the shutdown; with the type of an error that it reported.
    Extension {
        name: String,
        error_type: Option<String>,
        end: CommandEnd,
    },
    /// A process could not be started.
    NotStarted(String),
    TimedOut,
    /// The simulation was interrupted.
    Interrupted,
}

impl EnvironmentFailure {
    pub fn not_started(what: &str, cause: &io::Error) -> Self {
        EnvironmentFailure::NotStarted(format!(
            "unable to start {what}: {}",
            crate::process::cause(cause)
        ))
    }

    /// Returns Lambda's reason for the shutdown that follows.
    pub fn shutdown_reason(&self) -> &'static str {
        match self {
            EnvironmentFailure::TimedOut => "timeout",
            EnvironmentFailure::Interrupted => SPINDOWN,
            _ => "failure",
        }
    }

    /// Returns the status and the type of the error in the platform's events.
    pub fn status(&self) -> (&'static str, Option<String>) {
        match self {
            EnvironmentFailure::Reported(report) => ("error", Some(report.error_type.clone())),
            EnvironmentFailure::Exited(_) => ("failure", Some("Runtime.ExitError".into())),
            EnvironmentFailure::Extension { error_type, .. } => {
                ("failure", Some(error_type.clone().unwrap_or_else(|| "Extension.Crash".into())))
            }
            EnvironmentFailure::TimedOut => ("timeout", None),
            EnvironmentFailure::NotStarted(_) | EnvironmentFailure::Interrupted => {
                ("failure", None)
            }
        }
    }

    /// Describes the failure for the person who watches.
    pub fn description(&self, limit: Duration) -> String {
        match self {
            EnvironmentFailure::Reported(report) => {
                let when = if report.call == ApiCall::RestoreError { "restore" } else { "init" };
                format!("the runtime reported an error of the {when}: {}", report.error_type)
            }
            EnvironmentFailure::Exited(end) => format!("the runtime ended: {}", describe_end(*end)),
            EnvironmentFailure::Extension { name, end, .. } => {
                format!("the extension {name} ended: {}", describe_end(*end))
            }
            EnvironmentFailure::NotStarted(message) => message.clone(),
            EnvironmentFailure::TimedOut => {
                format!("it took longer than {} s", limit.as_secs_f64())
            }
            EnvironmentFailure::Interrupted => "interrupted".into(),
        }
    }

    /// Returns the JSON that the caller gets in place of a response; `None` where no caller sees
    /// the failure.
    pub fn caller_error(&self, request: Option<&str>, timeout: Duration) -> Option<String> {
        let prefix = request.map(|id| format!("RequestId: {id} ")).unwrap_or_default();
        fn error(error_type: &str, message: String) -> Value {
            json!({"errorType": error_type, "errorMessage": message})
        }
        let seen = match self {
            EnvironmentFailure::Reported(report) => {
                match serde_json::from_slice::<Value>(&report.body) {
                    Ok(body) => body,
                    Err(_) => error(
                        &report.error_type,
                        String::from_utf8_lossy(&report.body).into_owned(),
                    ),
                }
            }
            EnvironmentFailure::Exited(end) => {
                let cause = match end {
                    CommandEnd::Exited(0) => "Runtime exited without providing a reason".into(),
                    end => format!("Runtime exited with error: {}", describe_end(*end)),
                };
                error("Runtime.ExitError", format!("{prefix}Error: {cause}"))
            }
            EnvironmentFailure::Extension { error_type, end, .. } => {
                let error_type = error_type.as_deref().unwrap_or("Extension.Crash");
                error(error_type, format!("{prefix}Error: {}", describe_end(*end)))
            }
            EnvironmentFailure::TimedOut => {
                let seconds = timeout.as_secs_f64();
                error(
                    "Sandbox.Timedout",
                    format!("{prefix}Error: Task timed out after {seconds:.2} seconds"),
                )
            }
            EnvironmentFailure::NotStarted(_) | EnvironmentFailure::Interrupted => return None,
        };
        Some(seen.to_string())
    }
}

/// Describes an end as Go's `os.ProcessState` does, whose text Lambda passes on
/// (<https://pkg.go.dev/os#ProcessState>).
pub fn describe_end(end: CommandEnd) -> String {
    match end {
        CommandEnd::Exited(status) => format!("exit status {status}"),
        CommandEnd::Killed(Some(Signal::SIGABRT)) => "signal: aborted".into(),
        CommandEnd::Killed(Some(Signal::SIGKILL)) => "signal: killed".into(),
        CommandEnd::Killed(Some(Signal::SIGSEGV)) => "signal: segmentation fault".into(),
        CommandEnd::Killed(Some(Signal::SIGTERM)) => "signal: terminated".into(),
        CommandEnd::Killed(signal) => {
            format!("signal: {}", signal.map_or("real-time", Signal::as_str))
        }
        CommandEnd::TimedOut
        | CommandEnd::TooMuchOutput
        | CommandEnd::Interrupted(_)
        | CommandEnd::Cancelled => "stopped".into(),
    }
}

/// Returns the error in the trailers of a streamed response.
fn stream_error(answer: &InvocationResult, error_type: &str) -> Option<Value> {
    let trailer =
        |name: &str| answer.trailers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    trailer(FUNCTION_ERROR_TYPE)?;
    let body = trailer(ERROR_BODY).and_then(|(_, body)| base64::decode(body)).unwrap_or_default();
    let unnamed = |message: String| json!({"errorType": error_type, "errorMessage": message});
    Some(match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(mut fields)) => {
            fields.entry("errorType").or_insert_with(|| error_type.into());
            fields.into()
        }
        _ if body.is_empty() => {
            unnamed("Response stream ended with an error that has no message".into())
        }
        _ => unnamed(String::from_utf8_lossy(&body).into_owned()),
    })
}

/// Returns the error for an event that is too large, which the platform refuses.
pub fn event_too_large(length: usize) -> String {
    let message = format!(
        "{length} byte payload is too large for the RequestResponse invocation type (limit \
         {LARGEST_EVENT} bytes)"
    );
    json!({"errorType": "RequestEntityTooLargeException", "errorMessage": message}).to_string()
}

/// Returns the error for a response that the caller does not get.
pub fn invocation_error(answer: &InvocationResult) -> String {
    let error = |error_type: &str, message: &str| {
        json!({"errorType": error_type, "errorMessage": message}).to_string()
    };
    match &answer.outcome {
        Outcome::Error(error_type) if error_type == "Function.ResponseSizeTooLarge" => {
            let most = LARGEST_ANSWER;
            error(
                error_type,
                &format!(
                    "Response payload size exceeded maximum allowed payload size ({most} bytes)."
                ),
            )
        }
        Outcome::Error(error_type) => match stream_error(answer, error_type) {
            Some(late) => late.to_string(),
            None => match serde_json::from_slice::<Value>(&answer.body) {
                Ok(body) => body.to_string(),
                Err(_) => error(error_type, &String::from_utf8_lossy(&answer.body)),
            },
        },
        Outcome::Response => error("Runtime.TruncatedResponse", "Response is truncated"),
    }
}
