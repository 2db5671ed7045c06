//! A hook with `background`, which the wrapper does not wait for. A supervisor runs it and logs its
//! end: a process of its own, detached by a double fork, so that the runtime has no child that it does
//! not know. Hook and supervisor end with the runtime.

use super::Runner;
use crate::config::Hook;
use crate::environ::Environ;
use crate::log;
use crate::metrics;
use crate::process::{Fork, Latch, OrphanOutput, Process, Watch, double_fork};
use crate::report::{Failure, Stop};
use anyhow::{Context, Result};
use std::cell::RefCell;
use std::process::exit;
use std::thread::Builder;
use tracing::debug;

/// The stack of the thread that waits for the end of the runtime. The kernel provides memory only for
/// pages that the thread touches (mmap(2)).
const STACK: usize = 64 << 10;

/// Starts the supervisor of a hook.
///
/// # Errors
/// When the kernel refuses another process.
pub fn start(runner: &Runner, hook: &Hook, environ: &Environ) -> Result<(), Failure> {
    let start = || -> Result<()> {
        let runtime = Process::this()?;
        let keep: Vec<_> = runtime.pidfd().into_iter().collect();
        match double_fork(&keep).context("unable to make a process")? {
            Fork::Original => Ok(()),
            Fork::Detached => {
                let _ = supervise(runner, runtime, hook, environ);
                exit(0)
            }
        }
    };
    start().map_err(|cause| {
        Failure::in_phase(
            hook.phase,
            format!("hook {:?} ({}) could not be started: {cause:#}", hook.name, hook.phase.name()),
        )
    })?;
    debug!("{}: hook {:?} runs in the background", hook.place, hook.name);
    Ok(())
}

/// Runs a hook until it ends or the runtime does, and logs its end.
fn supervise(runner: &Runner, runtime: Process, hook: &Hook, environ: &Environ) -> Result<()> {
    // The threads below inherit the signal mask, so that signals reach only this thread.
    let watch = Watch::start()?;
    let runtime_ended: &Latch = Box::leak(Box::new(Latch::new()?));
    Builder::new().stack_size(STACK).spawn(move || {
        runtime.ends_before(None);
        runtime_ended.set();
    })?;
    let threads = RefCell::new(Vec::new());
    let forward =
        |output: OrphanOutput| threads.borrow_mut().extend(output.forward_in_thread().ok());
    let runner = Runner {
        watch: &watch,
        phase_deadline: None,
        cancel: Some(runtime_ended),
        forward_orphan_output: &forward,
        ..*runner
    };
    match runner.run_one(hook, environ) {
        Ok((end, _)) => {
            metrics::emit_hook(&end, environ, runner.context);
            log::log_success(&end);
        }
        Err(Stop::Failure(failure)) => {
            if let Some(end) = &failure.hook {
                metrics::emit_hook(end, environ, runner.context);
            }
            log::log_failure(&failure);
        }
        // The runtime has ended.
        Err(Stop::Signal(_) | Stop::Cancelled) => {}
    }
    // What the hook left behind would die of SIGPIPE if nobody read its output.
    threads.take().into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}
