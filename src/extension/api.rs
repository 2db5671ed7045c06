//! The Extensions API as far as foreword needs it (AWS's documentation, "Using the Lambda
//! Extensions API").

use super::UNKNOWN;
use crate::lambda::api::{self, Call};
use crate::phase::Phase;
use crate::report::Failure;
use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
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
        let events: &[&str] = if wants_shutdown { &["SHUTDOWN"] } else { &[] };
        let header = (api::EXTENSION_NAME, &*name.to_string_lossy());
        let body = json!({"events": events}).to_string();
        let answer =
            upstream.send(&upstream.encode_request(Call::ExtensionRegister, &[header], &body))?;
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
        let event: Value =
            serde_json::from_slice(&answer.body()).context("it sent an event that is no JSON")?;
        Ok((event["eventType"] == "SHUTDOWN").then(|| shutdown(&event, now_ms())))
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

/// What is left is in the body; a deadline that is far away is nobody's promise.
fn shutdown(event: &Value, now_ms: f64) -> Shutdown {
    let most = Phase::PreStop.budget().unwrap_or_default();
    let left = event["deadlineMs"]
        .as_f64()
        .map(|deadline| (deadline - now_ms).clamp(0.0, most.as_secs_f64() * 1e3));
    let left = left.map_or(UNKNOWN, |left| Duration::from_secs_f64(left / 1e3));
    Shutdown { reason: event["shutdownReason"].as_str().unwrap_or_default().to_owned(), left }
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let event = json!({"deadlineMs": deadline, "shutdownReason": "spindown"});
            let expected =
                Shutdown { reason: "spindown".into(), left: Duration::from_millis(left) };
            assert_eq!(shutdown(&event, 1_000_000.0), expected, "{event}");
        }
        assert_eq!(shutdown(&json!([]), 0.0), Shutdown { reason: String::new(), left: UNKNOWN });
    }
}
