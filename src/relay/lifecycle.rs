//! The relay's way through the phases: it waits until the runtime is ready for the snapshot, runs
//! the before_snapshot hooks, asks for the restore, runs the after_restore hooks, and lets the
//! runtime go on.

use super::Relay;
use super::state::{Asked, Restore};
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

/// An internal extension's registration is answered at once; one that is not does not hold up the
/// snapshot for longer.
const REGISTRATION: Duration = Duration::from_secs(1);

/// How long a runtime that was refused its request has to end by itself.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The hooks of both phases, and what they are run with.
pub struct Hooks<'h> {
    pub before_snapshot: Vec<&'h Hook<'h>>,
    pub after_restore: Vec<&'h Hook<'h>>,
    pub environ: &'h Environ<'h>,
    pub context: &'h LambdaContext<'h>,
}

/// Goes through the phases. Comes back when nothing is left to do for the runtime.
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

/// Why the way through the phases ends before the runtime goes on restored.
enum End {
    /// The runtime has failed by itself, or is gone: nothing is left to do for it.
    Nothing,
    /// The runtime asked for the restore, and is given this answer to make something of.
    Refused(Vec<u8>),
    /// To be reported with this call.
    Failed(Call, Stop),
}

impl Lifecycle<'_> {
    fn run(&self) -> Result<(), End> {
        self.wait_for_runtime()?;
        self.run_hooks(Phase::BeforeSnapshot, &self.hooks.before_snapshot)
            .map_err(|stop| End::Failed(Call::InitError, stop))?;
        let answer = self.wait_for_restore()?;
        self.run_hooks(Phase::AfterRestore, &self.hooks.after_restore)
            .map_err(|stop| End::Failed(Call::RestoreError, stop))?;
        // After a reset, AWS's emulator answers with an event instead.
        let event = answer.header(api::REQUEST_ID).map(|_| answer.bytes);
        self.relay.go_on(Restore::Done, event);
        Ok(())
    }

    /// Waits until the runtime is ready for the snapshot.
    fn wait_for_runtime(&self) -> Result<(), End> {
        match self.relay.wait_until(None, |desk| desk.progress.is_asked()).progress.is_open() {
            true => Err(End::Nothing),
            false => Ok(()),
        }
    }

    fn run_hooks(&self, phase: Phase, hooks: &[&Hook]) -> Result<(), Stop> {
        let runner = Runner {
            context: self.hooks.context,
            watch: self.watch,
            phase_deadline: phase.budget().map(Deadline::after),
            cancel: Some(&self.relay.stop),
            kill_by: None,
            shutdown_reason: None,
            forward_orphan_output: &|output| drop(output.forward_in_thread()),
            on_start: &|_| {},
        };
        runner.run(hooks, &mut self.hooks.environ.clone())
    }

    /// Asks for the restore, which lets Lambda take the snapshot, and returns the answer.
    fn wait_for_restore(&self) -> Result<Response, End> {
        let relay = self.relay;
        let registered = Some(Instant::now() + REGISTRATION);
        let asked = relay
            .wait_until(registered, |desk| !desk.progress.is_registering())
            .progress
            .freeze()
            .ok_or(End::Nothing)?;
        let answer = match &asked {
            Asked::ByRuntime(head) => relay.upstream.send(&http::with_connection_close(head)),
            Asked::ByRelay(head) => {
                warn!(
                    "the runtime takes no part in SnapStart; values that must be unique have to \
                     be made anew in after_restore hooks"
                );
                relay.upstream.send(&restore_next(relay, head))
            }
        };
        let answer = match (answer, asked) {
            (Ok(answer), _) if answer.status == 200 => answer,
            // It hears what came, and reports by itself what it makes of that.
            (refused, Asked::ByRuntime(_)) => {
                warn!("after_restore hooks are not run: {}", refusal(&refused));
                return Err(End::Refused(
                    refused.map_or_else(|_| BAD_GATEWAY.into(), |answer| answer.bytes),
                ));
            }
            (refused, Asked::ByRelay(_)) => {
                let message = format!("unable to wait for the restore: {}", refusal(&refused));
                let failure = Failure::in_phase(Phase::BeforeSnapshot, message);
                return Err(End::Failed(Call::InitError, failure.into()));
            }
        };
        if relay.runtime.ends_before(Some(Instant::now())) {
            // Nobody is left to be restored.
            return Err(End::Nothing);
        }
        relay.desk().progress.thaw();
        Ok(answer)
    }

    fn finish(&self, end: End) {
        match end {
            End::Nothing => {}
            End::Refused(answer) => self.relay.go_on(Restore::Refused(answer), None),
            // A runtime that has ended, or reported a failure of its own, needs nothing more.
            End::Failed(_, Stop::Signal(_) | Stop::Cancelled) => {}
            End::Failed(call, Stop::Failure(failure)) => give_up(self.relay, call, &failure),
        }
    }
}

const BAD_GATEWAY: &str =
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The request that a runtime which knows nothing of SnapStart does not make. By these two headers
/// of a first request the platform knows the runtime.
fn restore_next(relay: &Relay, head: &[u8]) -> Vec<u8> {
    let value = |name| http::request_header(head, name).map(|value| (name, value));
    let headers: Vec<_> =
        ["User-Agent", api::RUNTIME_FEATURES].into_iter().filter_map(value).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    relay.upstream.encode_request(Call::RestoreNext, &headers, "")
}

fn refusal(answer: &Result<Response>) -> String {
    match answer {
        Ok(answer) => format!("the Runtime API answered restore/next with {}", answer.status),
        Err(cause) => format!("the Runtime API did not answer restore/next: {cause:#}"),
    }
}

/// Reports a failure once, refuses the runtime what it asked for, and sees to it that it ends.
fn give_up(relay: &Relay, call: Call, failure: &Failure) {
    // Before the report: from here on, one of the runtime's own does not pass.
    if !relay.desk().progress.fail() {
        return;
    }
    log::log_failure(failure);
    if let Err(error) = relay.upstream.report(call, failure) {
        debug!("unable to report the failure to the Runtime API: {error:#}");
    }
    relay.verdict.set();
    if !relay.runtime.ends_before(Some(Instant::now() + LAST_WORDS)) {
        relay.runtime.kill();
    }
}

/// Leaves the marker of a restored environment.
pub fn mark_restored() {
    if let Err(error) = marker::open(RESTORED) {
        warn!(
            "unable to write {RESTORED}, so no after_restore hook will run after a reset: {error}"
        );
    }
}
