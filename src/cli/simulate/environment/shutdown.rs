//! The shutdown of an environment: runtime, extensions, and what is left of both.

use super::{ExecutionEnvironment, FOREWORD_EXTENSION, SPINDOWN};
use crate::cli::simulate::event::{LifecycleStage, TimelineEvent};
use crate::cli::simulate::failure::describe_end;
use crate::lambda::api;
use crate::phase::Phase;
use crate::process::{CommandEnd, Signal};
use crate::simulated_lambda::runtime_state::ApiCall;
use std::time::{Duration, Instant};

/// The limit of the shutdown with external extensions, and with internal ones only.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(2000);
const INTERNAL_SHUTDOWN_LIMIT: Duration = Duration::from_millis(500);

/// The time that the runtime has after SIGTERM when extensions are shut down as well.
const RUNTIME_SHUTDOWN_LIMIT: Duration = Duration::from_millis(300);

/// The time that processes may take to end after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

impl ExecutionEnvironment<'_> {
    /// Shuts everything down in Lambda's order and within its limits. No process is left
    /// afterwards.
    pub fn shut_down(self, reason: &str) {
        let recorder = &self.simulation.recorder;
        let seen = self.lambda.seen();
        let registered = seen
            .of(ApiCall::ExtensionRegister)
            .filter(|request| request.status == Some(200))
            .count();
        let limit = match (self.extensions.is_empty(), registered) {
            (true, 0) => None,
            (true, _) => Some(INTERNAL_SHUTDOWN_LIMIT),
            (false, _) => Some(SHUTDOWN_LIMIT),
        };
        recorder.begin_stage(LifecycleStage::Shutdown, limit);
        let begin = Instant::now();
        let runtime = self.runtime.iter();
        if let Some(limit) = limit {
            let patience = if self.extensions.is_empty() { limit } else { RUNTIME_SHUTDOWN_LIMIT };
            for runtime in runtime.clone().filter(|runtime| runtime.end().is_none()) {
                runtime.signal(Signal::SIGTERM);
                if !runtime.wait_for_end(begin + patience) {
                    let patience = patience.as_millis();
                    recorder.record(&TimelineEvent::Note(&format!(
                        "the runtime goes on {patience} ms after SIGTERM: SIGKILL"
                    )));
                }
            }
        }
        runtime.for_each(|runtime| runtime.signal(Signal::SIGKILL));

        // A failed extension was recorded before.
        let crashed = self
            .extensions
            .iter()
            .filter(|(_, extension)| reason == SPINDOWN && extension.end().is_some());
        crashed.for_each(|(name, _)| {
            recorder.problem(&format!("the extension {name} ended before the shutdown"));
        });
        self.lambda.shared.telemetry.flush();
        self.lambda.shutdown(reason, SHUTDOWN_LIMIT.saturating_sub(begin.elapsed()));
        for (name, extension) in &self.extensions {
            let wants = |request: &&crate::simulated_lambda::recording::RecordedRequest| {
                let body = String::from_utf8_lossy(&request.body.bytes);
                request.header(api::EXTENSION_NAME) == Some(name) && body.contains("\"SHUTDOWN\"")
            };
            let is_told = seen.of(ApiCall::ExtensionRegister).any(|request| wants(&request))
                && extension.end().is_none();
            if is_told && !extension.wait_for_end(begin + SHUTDOWN_LIMIT) {
                let limit = SHUTDOWN_LIMIT.as_millis();
                recorder.problem(&format!(
                    "the extension {name} goes on {limit} ms after the shutdown began: SIGKILL"
                ));
            }
            if let Some(end) =
                extension.end().filter(|end| is_told && *end != CommandEnd::Exited(0))
            {
                recorder.problem(&format!("the extension {name} ended: {}", describe_end(end)));
            }
            extension.signal(Signal::SIGKILL);
        }
        let left = self.simulation.descendants.kill(Instant::now() + KILL_TIMEOUT);
        // The last output of the processes that have ended.
        recorder.flush();
        if left > 0 {
            recorder.problem(&format!("{left} processes of the environment cannot be ended"));
        }
        if reason == SPINDOWN && self.simulation.interruption.signal().is_none() {
            self.report_missing_hooks();
        }
        if let Err(message) = self.simulation.sandbox.remove_restored_mark() {
            recorder.problem(&message);
        }
        recorder.end_stage();
    }

    /// Records the hooks that did not run in an environment without a failure.
    fn report_missing_hooks(&self) {
        let recorder = &self.simulation.recorder;
        let has_own = self.extensions.iter().any(|(name, _)| name == FOREWORD_EXTENSION);
        let is_due = |phase: &Phase| match phase {
            Phase::Initialize => true,
            Phase::BeforeSnapshot | Phase::AfterRestore => self.simulation.options.snap_start,
            // A missing extension was recorded at the start.
            Phase::PreStop => has_own,
        };
        for phase in Phase::ALL.into_iter().filter(is_due) {
            for name in recorder.missing_hooks(phase) {
                let phase = phase.name();
                recorder.problem(&format!("hook {name:?} ({phase}) did not run, or did not end"));
            }
        }
    }
}
