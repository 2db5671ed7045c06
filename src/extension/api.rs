//! A client of the Extensions API, with the calls that foreword needs
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).

use super::ASSUMED_TIME_LEFT;
use crate::lambda::api::{self, Call};
use crate::phase::Phase;
use crate::report::Failure;
use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
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
        let events: &[&str] = if wants_shutdown { &["SHUTDOWN"] } else { &[] };
        let header = (api::EXTENSION_NAME, &*name.to_string_lossy());
        let body = json!({"events": events}).to_string();
        let request = upstream.encode_request(Call::ExtensionRegister, &[header], &body);
        let response = upstream.send(&request)?;
        match (response.status, response.header(api::EXTENSION_IDENTIFIER)) {
            (200, Some(identifier)) => Ok(Self { upstream, identifier }),
            (status, _) => bail!("it answered {status} to the registration"),
        }
    }

    /// Waits for the next event, without a timeout. Returns `None` for an event other than SHUTDOWN.
    ///
    /// # Errors
    /// When there is no response, or one other than 200 with a JSON value.
    pub fn next_event(&self) -> Result<Option<Shutdown>> {
        let request = self.encode_request(Call::ExtensionNext, &[], "");
        let response = self.upstream.send(&request)?;
        if response.status != 200 {
            bail!("it answered {} to the request for an event", response.status);
        }
        let event: Value =
            serde_json::from_slice(&response.body()).context("it sent an event that is no JSON")?;
        Ok((event["eventType"] == "SHUTDOWN").then(|| parse_shutdown(&event, now_ms())))
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

/// Parses the event SHUTDOWN. The time left is at most that of the phase: Lambda keeps no promise of
/// more.
fn parse_shutdown(event: &Value, now_ms: f64) -> Shutdown {
    let most = Phase::PreStop.budget().unwrap_or_default();
    let left_ms = event["deadlineMs"]
        .as_f64()
        .map(|deadline| (deadline - now_ms).clamp(0.0, most.as_secs_f64() * 1e3));
    let time_left =
        left_ms.map_or(ASSUMED_TIME_LEFT, |left_ms| Duration::from_secs_f64(left_ms / 1e3));
    Shutdown { reason: event["shutdownReason"].as_str().unwrap_or_default().to_owned(), time_left }
}

/// Returns the milliseconds since the epoch.
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let event = json!({"deadlineMs": deadline, "shutdownReason": "spindown"});
            let expected =
                Shutdown { reason: "spindown".into(), time_left: Duration::from_millis(left) };
            assert_eq!(parse_shutdown(&event, 1_000_000.0), expected, "{event}");
        }
        let expected = Shutdown { reason: String::new(), time_left: ASSUMED_TIME_LEFT };
        assert_eq!(parse_shutdown(&json!([]), 0.0), expected);
    }
}
