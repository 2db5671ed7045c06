//! Metrics in CloudWatch's embedded metric format, on standard error, when `FOREWORD_METRICS` names
//! a namespace for them
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use crate::environ::Environ;
use crate::lambda::LambdaContext;
use crate::process;
use crate::report::{HookEnd, HookOutcome};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The environment variable that names the namespace of the metrics.
const NAMESPACE: &str = "FOREWORD_METRICS";

/// Writes the metrics of a hook: its duration, and 1 failure or 0.
pub fn emit_hook(hook: &HookEnd, environ: &Environ, context: &LambdaContext) {
    let failures = u8::from(hook.outcome != HookOutcome::Success);
    emit(
        environ,
        context,
        hook.duration,
        &[("phase", hook.phase.name()), ("hook", &hook.name)],
        Some(failures),
    );
}

/// Measures the time of the wrapper without its hooks, if there is a namespace.
pub struct Clock {
    running_since: Option<Instant>,
    elapsed: Option<Duration>,
}

impl Clock {
    /// Starts a clock, which reads no time unless there is a namespace.
    pub fn start(environ: &Environ) -> Self {
        let running_since = environ.non_empty(NAMESPACE).map(|_| Instant::now());
        Self { running_since, elapsed: running_since.map(|_| Duration::ZERO) }
    }

    /// Stops the clock until [`Clock::resume`].
    pub fn pause(&mut self) {
        if let (Some(since), Some(elapsed)) = (self.running_since.take(), &mut self.elapsed) {
            *elapsed += since.elapsed();
        }
    }

    /// Lets a paused clock run on.
    pub fn resume(&mut self) {
        self.running_since = self.elapsed.map(|_| Instant::now());
    }

    /// Stops the clock and writes the metric.
    pub fn emit(mut self, environ: &Environ, context: &LambdaContext) {
        self.pause();
        if let Some(elapsed) = self.elapsed {
            emit(environ, context, elapsed, &[], None);
        }
    }
}

/// Writes a line with the metrics `Duration` and, if given, `Failures`. The given dimensions follow
/// that of the function.
#[allow(
    clippy::cast_precision_loss,
    reason = "microseconds of less than 285 years are exact in an f64"
)]
fn emit(
    environ: &Environ,
    context: &LambdaContext,
    duration: Duration,
    dimensions: &[(&str, &str)],
    failures: Option<u8>,
) {
    let Some(namespace) = environ.non_empty(NAMESPACE) else { return };
    let function = context.function_name().unwrap_or_default();
    let names: Vec<_> =
        ["function"].into_iter().chain(dimensions.iter().map(|(name, _)| *name)).collect();
    let mut metrics = vec![json!({"Name": "Duration", "Unit": "Milliseconds"})];
    metrics.extend(failures.map(|_| json!({"Name": "Failures", "Unit": "Count"})));
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    let directive = json!({
        "Namespace": namespace.to_string_lossy(), "Dimensions": [names], "Metrics": metrics,
    });
    let mut line = json!({
        "_aws": {"Timestamp": timestamp, "CloudWatchMetrics": [directive]},
        "function": function,
        "Duration": duration.as_micros() as f64 / 1e3,
    });
    for (name, value) in dimensions {
        line[*name] = Value::from(*value);
    }
    if let Some(failures) = failures {
        line["Failures"] = failures.into();
    }
    process::write_to_standard_error(format!("{line}\n").as_bytes());
}
