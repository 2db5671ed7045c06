//! A client of the Extensions API, with the calls that foreword needs
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).

use super::ASSUMED_TIME_LEFT;
use crate::json::{self, NO_JSON, Number, Value};
use crate::lambda::api::{self, Call};
use crate::phase::Phase;
use crate::report::Failure;
use crate::runtime_api::RuntimeApi;
use anyhow::{Result, anyhow, bail};
use std::ffi::OsStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The event SHUTDOWN, or the signal in its place.
#[derive(Debug, PartialEq)]
pub struct Shutdown {
    /// Lambda's reason, which hooks receive.
    pub reason: String,
    /// The time until Lambda ends the environment.
    pub time_left: Duration,
}

/// A registered extension.
pub struct ExtensionsApi<'a> {
    upstream: &'a RuntimeApi,
    identifier: String,
}

impl<'a> ExtensionsApi<'a> {
    /// Registers an extension. Its name is that of its file, by which Lambda knows it.
    ///
    /// # Errors
    /// When there is no response, or one other than 200 with an identifier.
    pub fn register(upstream: &'a RuntimeApi, name: &OsStr, wants_shutdown: bool) -> Result<Self> {
        let body = if wants_shutdown { r#"{"events":["SHUTDOWN"]}"# } else { r#"{"events":[]}"# };
        let header = (api::EXTENSION_NAME, &*name.to_string_lossy());
        let request = upstream.encode_request(Call::ExtensionRegister, &[header], body);
        let response = upstream.send(&request)?;
        match (response.status, response.header(api::EXTENSION_IDENTIFIER)) {
            (200, Some(identifier)) => Ok(Self { upstream, identifier }),
            (status, _) => bail!("it answered {status} to the registration"),
        }
    }

    /// Waits for the next event, without a timeout. Returns `None` for an event other than
    /// SHUTDOWN.
    ///
    /// # Errors
    /// When there is no response, or one other than 200 with a JSON value.
    pub fn next_event(&self) -> Result<Option<Shutdown>> {
        let request = self.encode_request(Call::ExtensionNext, &[], "");
        let response = self.upstream.send(&request)?;
        if response.status != 200 {
            bail!("it answered {} to the request for an event", response.status);
        }
        parse_event(&String::from_utf8_lossy(&response.body()), now_ms())
    }

    /// Reports that the extension cannot work.
    ///
    /// # Errors
    /// When there is no response, or one other than 202.
    pub fn report(&self, failure: &Failure) -> Result<()> {
        const ERROR_TYPE: &str = "Extension.ConfigInvalid";
        let header = (api::EXTENSION_ERROR_TYPE, ERROR_TYPE);
        let body = failure.to_json(ERROR_TYPE);
        let request = self.encode_request(Call::ExtensionInitError, &[header], &body);
        match self.upstream.send(&request)?.status {
            202 => Ok(()),
            status => bail!("it answered {status} to the report"),
        }
    }

    fn encode_request(&self, call: Call, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let identifier = (api::EXTENSION_IDENTIFIER, &*self.identifier);
        self.upstream.encode_request(call, &[headers, &[identifier]].concat(), body)
    }
}

/// Parses an event; returns `None` for one other than SHUTDOWN. The time left is at most the budget
/// of the phase, whatever the deadline is.
///
/// # Errors
/// When the event is not JSON.
#[allow(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact in an f64")]
fn parse_event(event: &str, now_ms: f64) -> Result<Option<Shutdown>> {
    let event = json::parse(event).map_err(|problem| {
        anyhow!("it sent an event that is no JSON: {}", problem.message.trim_start_matches(NO_JSON))
    })?;
    let Value::Object(members) = &event.value else { return Ok(None) };
    let member = |name| {
        let found = members.iter().rfind(|(key, _)| key.as_key() == name);
        found.map(|(_, node)| &node.value)
    };
    let string = |name| match member(name) {
        Some(Value::String(string)) => &**string,
        _ => "",
    };
    if string("eventType") != "SHUTDOWN" {
        return Ok(None);
    }
    let deadline_ms = match member("deadlineMs") {
        Some(Value::Number(Number::Whole(deadline))) => Some(*deadline as f64),
        Some(Value::Number(Number::Other(deadline))) => Some(*deadline),
        _ => None,
    };
    let most_ms = Phase::PreStop.budget().unwrap_or_default().as_secs_f64() * 1e3;
    let time_left = deadline_ms.map_or(ASSUMED_TIME_LEFT, |deadline_ms| {
        Duration::from_secs_f64((deadline_ms - now_ms).clamp(0.0, most_ms) / 1e3)
    });
    Ok(Some(Shutdown { reason: string("shutdownReason").to_owned(), time_left }))
}

/// Returns the milliseconds since the epoch.
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn time_left_is_that_before_the_deadline_within_the_budget_of_the_phase() {
        for (deadline, left) in [
            (json!(1_000_700), 700),
            (json!(1_000_000), 0),
            (json!(999_999), 0),
            (json!(-1), 0),
            (json!(9_999_999_999_999_u64), 2000),
            (json!(1e300), 2000),
            (json!("1000700"), 1500),
            (json!(null), 1500),
        ] {
            let event = json!({
                "eventType": "SHUTDOWN", "deadlineMs": deadline, "shutdownReason": "spindown",
            })
            .to_string();
            let expected =
                Shutdown { reason: "spindown".into(), time_left: Duration::from_millis(left) };
            let parsed = parse_event(&event, 1_000_000.0).expect("an event");
            assert_eq!(parsed, Some(expected), "{event}");
        }
        let parsed = |event| parse_event(event, 0.0).expect("an event");
        let bare = Shutdown { reason: String::new(), time_left: ASSUMED_TIME_LEFT };
        assert_eq!(parsed(r#"{"eventType": "SHUTDOWN"}"#), Some(bare));
        for other in ["[]", "{}", r#"{"eventType": "INVOKE"}"#, r#"{"eventType": ["SHUTDOWN"]}"#] {
            assert_eq!(parsed(other), None, "{other}");
        }
        assert!(parse_event("SHUTDOWN", 0.0).is_err());
    }
}
