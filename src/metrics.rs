//! Lines that CloudWatch takes for metrics, on standard error, when `FOREWORD_METRICS` names a
//! namespace for them (AWS's documentation, "Specification: Embedded metric format").

use crate::environ::Environ;
use crate::lambda::LambdaContext;
use crate::process;
use crate::report::{HookEnd, HookOutcome};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const NAMESPACE: &str = "FOREWORD_METRICS";

/// Says how long a hook took, and whether it failed.
pub fn of_hook(hook: &HookEnd, environ: &Environ, context: &LambdaContext) {
    let failures = u8::from(hook.outcome != HookOutcome::Success);
    say(
        environ,
        context,
        hook.took,
        &[("phase", hook.phase.name()), ("hook", &hook.name)],
        Some(failures),
    );
}

/// The time that the wrapper itself takes, without its hooks; it runs only when it is asked for.
pub struct Clock {
    running: Option<Instant>,
    took: Option<Duration>,
}

impl Clock {
    pub fn start(environ: &Environ) -> Self {
        let running = environ.non_empty(NAMESPACE).map(|_| Instant::now());
        Self { running, took: running.map(|_| Duration::ZERO) }
    }

    pub fn pause(&mut self) {
        if let (Some(since), Some(took)) = (self.running.take(), &mut self.took) {
            *took += since.elapsed();
        }
    }

    pub fn go_on(&mut self) {
        self.running = self.took.map(|_| Instant::now());
    }

    /// Says how long that was.
    pub fn tell(mut self, environ: &Environ, context: &LambdaContext) {
        self.pause();
        if let Some(took) = self.took {
            say(environ, context, took, &[], None);
        }
    }
}

/// The dimensions come behind that of the function.
fn say(
    environ: &Environ,
    context: &LambdaContext,
    took: Duration,
    dimensions: &[(&str, &str)],
    failures: Option<u8>,
) {
    let Some(namespace) = environ.non_empty(NAMESPACE) else { return };
    let function = context.function_name().unwrap_or_default();
    let names: Vec<_> =
        ["function"].into_iter().chain(dimensions.iter().map(|(name, _)| *name)).collect();
    let mut metrics = vec![json!({"Name": "Duration", "Unit": "Milliseconds"})];
    metrics.extend(failures.map(|_| json!({"Name": "Failures", "Unit": "Count"})));
    let timestamp =
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    let about = json!({"Namespace": namespace.to_string_lossy(), "Dimensions": [names], "Metrics": metrics});
    let mut line = json!({
        "_aws": {"Timestamp": timestamp, "CloudWatchMetrics": [about]},
        "function": function,
        "Duration": took.as_micros() as f64 / 1e3,
    });
    for (name, value) in dimensions {
        line[*name] = Value::from(*value);
    }
    if let Some(failures) = failures {
        line["Failures"] = failures.into();
    }
    process::write_to_standard_error(format!("{line}\n").as_bytes());
}
