//! The Extensions API as far as foreword needs it (AWS's documentation, "Using the Lambda
//! Extensions API").

use super::UNKNOWN;
use crate::json::{self, NO_JSON, Number, Value};
use crate::lambda::api::{self, Call};
use crate::phase::Phase;
use crate::report::Failure;
use crate::runtime_api::RuntimeApi;
use anyhow::{Result, anyhow, bail};
use std::ffi::OsStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lambda shuts the environment down.
#[derive(Debug, PartialEq)]
pub struct Shutdown {
    /// Whatever Lambda says; nothing depends on it.
    pub reason: String,
    /// How long the environment will live on.
    pub left: Duration,
}

/// A registered extension.
pub struct Api<'a> {
    upstream: &'a RuntimeApi,
    identifier: String,
}

impl<'a> Api<'a> {
    /// Registers an extension by the name of its file, which is how Lambda knows it.
    ///
    /// # Errors
    /// When the Extensions API does not take it.
    pub fn register(upstream: &'a RuntimeApi, name: &OsStr, wants_shutdown: bool) -> Result<Self> {
        let body = if wants_shutdown { r#"{"events":["SHUTDOWN"]}"# } else { r#"{"events":[]}"# };
        let header = (api::EXTENSION_NAME, &*name.to_string_lossy());
        let answer =
            upstream.send(&upstream.encode_request(Call::ExtensionRegister, &[header], body))?;
        match (answer.status, answer.header(api::EXTENSION_IDENTIFIER)) {
            (200, Some(identifier)) => Ok(Self { upstream, identifier }),
            (status, _) => bail!("it answered {status} to the registration"),
        }
    }

    /// Waits, for as long as it takes, for the next event; gives nothing for one that is not known.
    ///
    /// # Errors
    /// When the answer is no event.
    pub fn next(&self) -> Result<Option<Shutdown>> {
        let answer = self.upstream.send(&self.request(Call::ExtensionNext, &[], ""))?;
        if answer.status != 200 {
            bail!("it answered {} to the request for an event", answer.status);
        }
        shutdown(&String::from_utf8_lossy(&answer.body()), now_ms())
    }

    /// Tells why this extension cannot do what it is there for.
    ///
    /// # Errors
    /// When the Extensions API does not take it.
    pub fn refuse(&self, failure: &Failure) -> Result<()> {
        const ERROR_TYPE: &str = "Extension.ConfigInvalid";
        let header = (api::EXTENSION_ERROR_TYPE, ERROR_TYPE);
        match self
            .upstream
            .send(&self.request(Call::ExtensionInitError, &[header], &failure.to_json(ERROR_TYPE)))?
            .status
        {
            202 => Ok(()),
            status => bail!("it answered {status} to the report"),
        }
    }

    fn request(&self, call: Call, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let identifier = (api::EXTENSION_IDENTIFIER, &*self.identifier);
        self.upstream.encode_request(call, &[headers, &[identifier]].concat(), body)
    }
}

/// Parses an event; returns `None` for another one than SHUTDOWN. A deadline that is farther away
/// than any that Lambda gives is not believed.
///
/// # Errors
/// When the event is not JSON.
#[allow(clippy::cast_precision_loss, reason = "milliseconds since the epoch are exact in an f64")]
fn shutdown(event: &str, now_ms: f64) -> Result<Option<Shutdown>> {
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
    let left = deadline_ms.map_or(UNKNOWN, |deadline_ms| {
        Duration::from_secs_f64((deadline_ms - now_ms).clamp(0.0, most_ms) / 1e3)
    });
    Ok(Some(Shutdown { reason: string("shutdownReason").to_owned(), left }))
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_before_the_deadline() {
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
                Shutdown { reason: "spindown".into(), left: Duration::from_millis(left) };
            let parsed = shutdown(&event, 1_000_000.0).expect("an event");
            assert_eq!(parsed, Some(expected), "{event}");
        }
        let parsed = |event| shutdown(event, 0.0).expect("an event");
        let bare = Shutdown { reason: String::new(), left: UNKNOWN };
        assert_eq!(parsed(r#"{"eventType": "SHUTDOWN"}"#), Some(bare));
        for other in ["[]", "{}", r#"{"eventType": "INVOKE"}"#, r#"{"eventType": ["SHUTDOWN"]}"#] {
            assert_eq!(parsed(other), None, "{other}");
        }
        assert!(shutdown("SHUTDOWN", 0.0).is_err());
    }
}
