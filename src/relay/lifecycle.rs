//! The relay's lifecycle: wait until the runtime is ready for the snapshot, run the
//! `before_snapshot` hooks, request the restore, run the `after_restore` hooks, release the
//! runtime. AWS documents the protocol for images with a runtime client of their own
//! (<https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html>).

use super::Relay;
use super::state::{RestoreOutcome, RestoreRequest};
use crate::config::Hook;
use crate::environ::Environ;
use crate::hooks::{Deadline, Runner};
use crate::http::{self, Response};
use crate::lambda::LambdaContext;
use crate::lambda::api::{self, Call};
use crate::log;
use crate::marker::{self, RESTORED};
use crate::phase::Phase;
use crate::process::Watch;
use crate::report::{Failure, Stop};
use anyhow::Result;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// The time that the snapshot waits for the response to an internal extension's registration, which
/// Lambda sends at once.
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(1);

/// The time for a runtime to end by itself after its request was refused.
const EXIT_TIMEOUT: Duration = Duration::from_millis(500);

/// The hooks around a snapshot, and what they run with.
pub struct Hooks<'h> {
    pub before_snapshot: Vec<&'h Hook<'h>>,
    pub after_restore: Vec<&'h Hook<'h>>,
    pub environ: &'h Environ<'h>,
    pub context: &'h LambdaContext<'h>,
}

/// Runs the lifecycle until the runtime is released, or has failed.
pub fn run(relay: &Relay, hooks: &Hooks, watch: &Watch) {
    let lifecycle = Lifecycle { relay, hooks, watch };
    if let Err(end) = lifecycle.run() {
        lifecycle.finish(end);
    }
}

struct Lifecycle<'l> {
    relay: &'l Relay,
    hooks: &'l Hooks<'l>,
    watch: &'l Watch,
}

/// An end of the lifecycle other than a restore.
enum EarlyEnd {
    /// The runtime has ended, or has reported a failure of its own.
    WithoutRuntime,
    /// The Runtime API refused the runtime's own restore/next with this response.
    Refused(Vec<u8>),
    /// A failure to report with this call, or a reason to stop without a report.
    Failed(Call, Stop),
}

impl Lifecycle<'_> {
    fn run(&self) -> Result<(), EarlyEnd> {
        self.wait_for_runtime()?;
        self.run_hooks(Phase::BeforeSnapshot, &self.hooks.before_snapshot)
            .map_err(|stop| EarlyEnd::Failed(Call::InitError, stop))?;
        let response = self.wait_for_restore()?;
        self.run_hooks(Phase::AfterRestore, &self.hooks.after_restore)
            .map_err(|stop| EarlyEnd::Failed(Call::RestoreError, stop))?;
        // After a reset, AWS's Runtime Interface Emulator responds with an event.
        let event = response.header(api::REQUEST_ID).map(|_| response.bytes);
        self.relay.begin_release(RestoreOutcome::Restored, event);
        Ok(())
    }

    /// Waits until the runtime is ready for the snapshot.
    fn wait_for_runtime(&self) -> Result<(), EarlyEnd> {
        let state = self.relay.wait_until(None, |state| state.machine.has_started());
        if state.machine.is_open() { Err(EarlyEnd::WithoutRuntime) } else { Ok(()) }
    }

    fn run_hooks(&self, phase: Phase, hooks: &[&Hook]) -> Result<(), Stop> {
        let runner = Runner {
            context: self.hooks.context,
            watch: self.watch,
            phase_deadline: phase.budget().map(Deadline::after),
            cancel: Some(&self.relay.cancel),
            kill_by: None,
            shutdown_reason: None,
            forward_orphan_output: &|output| drop(output.forward_in_thread()),
            on_start: &|_| {},
        };
        runner.run(hooks, &mut self.hooks.environ.clone())
    }

    /// Requests the restore, which lets Lambda take the snapshot, and returns the response, which
    /// comes after the restore.
    fn wait_for_restore(&self) -> Result<Response, EarlyEnd> {
        let relay = self.relay;
        let deadline = Some(Instant::now() + REGISTRATION_TIMEOUT);
        let request = relay
            .wait_until(deadline, |state| !state.machine.is_registering())
            .machine
            .request_restore()
            .ok_or(EarlyEnd::WithoutRuntime)?;
        let response = match &request {
            RestoreRequest::FromRuntime(head) => {
                relay.upstream.send(&http::with_connection_close(head))
            }
            RestoreRequest::ForRuntime(head) => {
                warn!(
                    "the runtime takes no part in SnapStart; values that must be unique have to \
                     be made anew in after_restore hooks"
                );
                relay.upstream.send(&encode_restore_next(relay, head))
            }
        };
        let response = match (response, request) {
            (Ok(response), _) if response.status == 200 => response,
            // The runtime gets the response, and reports what it makes of it.
            (refused, RestoreRequest::FromRuntime(_)) => {
                warn!("after_restore hooks are not run: {}", describe_refusal(&refused));
                return Err(EarlyEnd::Refused(
                    refused.map_or_else(|_| BAD_GATEWAY.into(), |response| response.bytes),
                ));
            }
            (refused, RestoreRequest::ForRuntime(_)) => {
                let cause = describe_refusal(&refused);
                let message = format!("unable to wait for the restore: {cause}");
                let failure = Failure::in_phase(Phase::BeforeSnapshot, message);
                return Err(EarlyEnd::Failed(Call::InitError, failure.into()));
            }
        };
        if relay.runtime.wait_for_end(Some(Instant::now())) {
            return Err(EarlyEnd::WithoutRuntime);
        }
        relay.lock().machine.begin_after_restore();
        Ok(response)
    }

    fn finish(&self, end: EarlyEnd) {
        match end {
            // In the second case, the runtime has ended or reported a failure of its own.
            EarlyEnd::WithoutRuntime | EarlyEnd::Failed(_, Stop::Signal(_) | Stop::Cancelled) => {}
            EarlyEnd::Refused(response) => {
                self.relay.begin_release(RestoreOutcome::Refused(response), None);
            }
            EarlyEnd::Failed(call, Stop::Failure(failure)) => {
                report_and_end_runtime(self.relay, call, &failure);
            }
        }
    }
}

/// The response to a runtime whose restore/next got none.
const BAD_GATEWAY: &str =
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Encodes restore/next for a runtime that does not send it. `head` is that of its first request:
/// Lambda recognizes the runtime by the two headers that are copied.
fn encode_restore_next(relay: &Relay, head: &[u8]) -> Vec<u8> {
    let value = |name| http::request_header(head, name).map(|value| (name, value));
    let headers: Vec<_> =
        ["User-Agent", api::RUNTIME_FEATURES].into_iter().filter_map(value).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    relay.upstream.encode_request(Call::RestoreNext, &headers, "")
}

fn describe_refusal(response: &Result<Response>) -> String {
    match response {
        Ok(response) => format!("the Runtime API answered restore/next with {}", response.status),
        Err(cause) => format!("the Runtime API did not answer restore/next: {cause:#}"),
    }
}

/// Reports a failure, refuses the runtime's requests that are held, and ends the runtime.
fn report_and_end_runtime(relay: &Relay, call: Call, failure: &Failure) {
    // Before the report: from here on, the relay holds back a report of the runtime's own.
    if !relay.lock().machine.fail() {
        return;
    }
    log::log_failure(failure);
    if let Err(error) = relay.upstream.report(call, failure) {
        debug!("unable to report the failure to the Runtime API: {error:#}");
    }
    relay.released.set();
    if !relay.runtime.wait_for_end(Some(Instant::now() + EXIT_TIMEOUT)) {
        relay.runtime.kill();
    }
}

/// Makes the marker of a restored environment, which outlives a reset.
pub fn mark_restored() {
    if let Err(error) = marker::open(RESTORED) {
        warn!(
            "unable to write {RESTORED}, so no after_restore hook will run after a reset: {error}"
        );
    }
}
