//! The platform's telemetry events about an environment
//! (<https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>). The Logs API
//! has the older of these events.

use super::environment::ExecutionEnvironment;
use super::failure::EnvironmentFailure;
use crate::simulated_lambda::{InvocationResult, Outcome};
use serde_json::{Value, json};
use std::time::Duration;

/// The status of a phase of the platform.
pub struct PlatformStatus {
    name: &'static str,
    error_type: Option<String>,
}

impl PlatformStatus {
    pub const SUCCESS: Self = Self { name: "success", error_type: None };

    pub fn of_failure(failure: &EnvironmentFailure) -> Self {
        let (name, error_type) = failure.status();
        Self { name, error_type }
    }

    pub fn of(answer: &InvocationResult) -> Self {
        match &answer.outcome {
            Outcome::Response if answer.is_complete => Self::SUCCESS,
            Outcome::Response => {
                Self { name: "error", error_type: Some("Runtime.TruncatedResponse".into()) }
            }
            Outcome::Error(error_type) => {
                let error_type =
                    Some(error_type.clone()).filter(|error_type| !error_type.is_empty());
                Self { name: "error", error_type }
            }
        }
    }

    fn add_to(&self, mut record: Value) -> Value {
        record["status"] = self.name.into();
        if let Some(error_type) = &self.error_type {
            record["errorType"] = error_type.as_str().into();
        }
        record
    }
}

/// The events of an init, at the start or inside an invocation.
pub struct InitEvents<'i> {
    pub initialization: &'i str,
    pub is_inside: bool,
    pub function: &'i str,
    pub version: &'i str,
    pub runtime: Option<&'i str>,
    pub memory: u64,
}

impl InitEvents<'_> {
    fn record(&self) -> Value {
        let phase = if self.is_inside { "invoke" } else { "init" };
        json!({"initializationType": self.initialization, "phase": phase})
    }

    pub fn starts(&self, environment: &ExecutionEnvironment) {
        let mut record = self.record();
        record["functionName"] = self.function.into();
        record["functionVersion"] = self.version.into();
        record["instanceMaxMemory"] = (self.memory << 20).into();
        if let Some(runtime) = self.runtime {
            record["runtimeVersion"] = runtime.into();
        }
        environment.emit("platform.initStart", record);
    }

    pub fn ends(
        &self,
        environment: &ExecutionEnvironment,
        status: &PlatformStatus,
        took: Duration,
    ) {
        environment.emit("platform.initRuntimeDone", status.add_to(self.record()));
        let mut report = status.add_to(self.record());
        report["metrics"] = json!({"durationMs": milliseconds(took)});
        environment.emit("platform.initReport", report);
    }
}

pub fn restore_starts(environment: &ExecutionEnvironment, init: &InitEvents) {
    let mut record = json!({"functionName": init.function, "functionVersion": init.version});
    record["instanceMaxMemory"] = (init.memory << 20).into();
    if let Some(runtime) = init.runtime {
        record["runtimeVersion"] = runtime.into();
    }
    environment.emit("platform.restoreStart", record);
}

pub fn restore_ends(environment: &ExecutionEnvironment, status: &PlatformStatus, took: Duration) {
    environment.emit("platform.restoreRuntimeDone", status.add_to(json!({})));
    let report = status.add_to(json!({"metrics": {"durationMs": milliseconds(took)}}));
    environment.emit("platform.restoreReport", report);
}

pub fn invocation_starts(environment: &ExecutionEnvironment, request: &str, version: &str) {
    environment.emit("platform.start", json!({"requestId": request, "version": version}));
}

/// The events of an invocation that is over, with the init or restore before the first one.
pub struct InvocationReport<'i> {
    pub request: &'i str,
    pub took: Duration,
    /// `None` without a response.
    pub produced: Option<usize>,
    pub memory: u64,
    pub init: Option<Duration>,
    pub restore: Option<Duration>,
}

impl InvocationReport<'_> {
    pub fn ends(&self, environment: &ExecutionEnvironment, status: &PlatformStatus) {
        let mut done = status.add_to(json!({"requestId": self.request}));
        done["metrics"] = json!({"durationMs": milliseconds(self.took)});
        if let Some(produced) = self.produced {
            done["metrics"]["producedBytes"] = produced.into();
        }
        environment.emit("platform.runtimeDone", done);
        environment.emit("platform.end", json!({"requestId": self.request}));
        let billed = u64::try_from(self.took.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let mut metrics = json!({
            "durationMs": milliseconds(self.took),
            "billedDurationMs": billed,
            "memorySizeMB": self.memory,
            "maxMemoryUsedMB": self.memory,
        });
        for (name, took) in [("initDurationMs", self.init), ("restoreDurationMs", self.restore)] {
            if let Some(took) = took {
                metrics[name] = milliseconds(took).into();
            }
        }
        let report = status.add_to(json!({"requestId": self.request, "metrics": metrics}));
        environment.emit("platform.report", report);
    }
}

/// Returns milliseconds with fractions, as the platform has them.
fn milliseconds(took: Duration) -> f64 {
    let hundredths = u32::try_from(took.as_micros() / 10).unwrap_or(u32::MAX);
    f64::from(hundredths) / 100.0
}
