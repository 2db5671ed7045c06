//! The relay's way through the phases: it waits until the runtime is ready for the snapshot, runs
//! the before_snapshot hooks, asks for the restore, runs the after_restore hooks, and lets the
//! runtime go on.

use super::Relay;
use super::progress::{Asked, Restore};
use crate::config::Hook;
use crate::environ::Environ;
use crate::exit_status;
use crate::hooks::{Deadline, Runner};
use crate::http::{self, Answer};
use crate::lambda::LambdaContext;
use crate::log;
use crate::phase::Phase;
use crate::plan::RESTORED;
use crate::process::{self, Watch};
use crate::report::{ErrorType, Failure, Stop};
use crate::runtime_api::Report;
use anyhow::Result;
use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
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
pub fn tell(relay: &Relay, hooks: &Hooks, watch: &Watch) {
    let run = |phase: Phase, hooks_of_phase: &[&Hook]| {
        let (until, stop) = (phase.budget().map(Deadline::after), Some(&relay.stop));
        let runner = Runner {
            context: hooks.context,
            watch,
            until,
            stop,
            kill_by: None,
            shutdown_reason: None,
            left: &|left| drop(left.go_on_in_thread()),
            runs: &|_| {},
        };
        runner.run(hooks_of_phase, &mut hooks.environ.clone())
    };
    if relay.wait_until(None, |desk| desk.progress.is_asked()).progress.is_open() {
        // The runtime has failed by itself.
        return;
    }
    if let Err(stop) = run(Phase::BeforeSnapshot, &hooks.before_snapshot) {
        return give_up(relay, Report::InitError, stop);
    }
    let registered = Some(Instant::now() + REGISTRATION);
    let asked =
        relay.wait_until(registered, |desk| !desk.progress.is_registering()).progress.freeze();
    let answer = match &asked {
        None => return,
        Some(Asked::ByRuntime(head)) => relay.upstream.ask(&http::closing(head)),
        Some(Asked::ByRelay(head)) => {
            warn!(
                "the runtime takes no part in SnapStart; values that must be unique have to be \
                 made anew in after_restore hooks"
            );
            relay.upstream.ask(&restore_next(relay, head))
        }
    };
    let answer = match (answer, &asked) {
        (Ok(answer), _) if answer.status == 200 => answer,
        // It hears what came, and reports by itself what it makes of that.
        (refused, Some(Asked::ByRuntime(_))) => {
            warn!("after_restore hooks are not run: {}", refusal(&refused));
            let answer = refused.map_or_else(|_| BAD_GATEWAY.into(), |answer| answer.bytes);
            return relay.go_on(Restore::Refused(answer), None);
        }
        (refused, _) => {
            let message = format!("unable to wait for the restore: {}", refusal(&refused));
            let error_type = ErrorType::BeforeSnapshot;
            let failure = Failure::new(error_type, exit_status::FAILED, message);
            return give_up(relay, Report::InitError, failure.into());
        }
    };
    if relay.runtime.ends_before(Some(Instant::now())) {
        // Nobody is left to be restored.
        return;
    }
    relay.desk().progress.thaw();
    if let Err(stop) = run(Phase::AfterRestore, &hooks.after_restore) {
        return give_up(relay, Report::RestoreError, stop);
    }
    // After a reset, AWS's emulator answers with an event instead.
    let event = answer.header("Lambda-Runtime-Aws-Request-Id").map(|_| answer.bytes);
    relay.go_on(Restore::Done, event);
}

const BAD_GATEWAY: &str =
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The request that a runtime which knows nothing of SnapStart does not make. By these two headers
/// of a first request the platform knows the runtime.
fn restore_next(relay: &Relay, head: &[u8]) -> Vec<u8> {
    let value = |name| http::request_header(head, name).map(|value| (name, value));
    let headers: Vec<_> =
        ["User-Agent", "Lambda-Runtime-Features"].into_iter().filter_map(value).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
    relay.upstream.request("GET", "/2018-06-01/runtime/restore/next", &headers, "")
}

fn refusal(answer: &Result<Answer>) -> String {
    match answer {
        Ok(answer) => format!("the Runtime API answered restore/next with {}", answer.status),
        Err(cause) => format!("the Runtime API did not answer restore/next: {cause:#}"),
    }
}

/// Reports a failure once, refuses the runtime what it asked for, and sees to it that it ends.
fn give_up(relay: &Relay, report: Report, stop: Stop) {
    // A runtime that has ended, or reported a failure of its own, needs nothing more.
    let Stop::Failure(failure) = stop else { return };
    // Before the report: from here on, one of the runtime's own does not pass.
    if !relay.desk().progress.fail() {
        return;
    }
    log::failure(&failure);
    if let Err(error) = relay.upstream.report(report, &failure) {
        debug!("unable to report the failure to the Runtime API: {error:#}");
    }
    relay.verdict.set();
    if !relay.runtime.ends_before(Some(Instant::now() + LAST_WORDS)) {
        relay.runtime.kill();
    }
}

/// Leaves the marker of a restored environment.
pub fn mark_restored() {
    let mark = || {
        let folder = Path::new(RESTORED).parent().expect("it is in a folder");
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => {
                let mut options = OpenOptions::new();
                options
                    .write(true)
                    .create(true)
                    .mode(0o600)
                    .custom_flags(process::WITHOUT_FOLLOWING)
                    .open(RESTORED)
            }
        }
    };
    if let Err(error) = mark() {
        warn!(
            "unable to write {RESTORED}, so no after_restore hook will run after a reset: {error}"
        );
    }
}
