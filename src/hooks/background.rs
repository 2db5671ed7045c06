//! A hook that nobody waits for. A process of its own, which is not the runtime's child, runs it
//! and says how it ended; both end with the runtime.

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

/// Most memory for the thread that waits for the end of the runtime; what it never touches costs
/// nothing.
const STACK: usize = 64 << 10;

/// Starts a hook.
///
/// # Errors
/// When there can be no process for it.
pub fn start(runner: &Runner, hook: &Hook, environ: &Environ) -> Result<(), Failure> {
    let start = || -> Result<()> {
        let runtime = Process::this()?;
        let keep: Vec<_> = runtime.pidfd().into_iter().collect();
        match double_fork(&keep).context("unable to make a process")? {
            Fork::Original => Ok(()),
            Fork::Detached => {
                let _ = run(runner, runtime, hook, environ);
                exit(0)
            }
        }
    };
    start().map_err(|cause| {
        Failure::of_phase(
            hook.phase,
            format!("hook {:?} ({}) could not be started: {cause:#}", hook.name, hook.phase.name()),
        )
    })?;
    debug!("{}: hook {:?} runs in the background", hook.place, hook.name);
    Ok(())
}

/// Runs it to its end, or to that of the runtime.
fn run(runner: &Runner, runtime: Process, hook: &Hook, environ: &Environ) -> Result<()> {
    // Before there is a thread, which inherits it: signals arrive here and nowhere else.
    let watch = Watch::start()?;
    let stop: &Latch = Box::leak(Box::new(Latch::new()?));
    Builder::new().stack_size(STACK).spawn(move || {
        runtime.ends_before(None);
        stop.set();
    })?;
    let threads = RefCell::new(Vec::new());
    let left = |left: OrphanOutput| threads.borrow_mut().extend(left.forward_in_thread().ok());
    let own = Runner { watch: &watch, until: None, stop: Some(stop), left: &left, ..*runner };
    match own.run_one(hook, environ) {
        Ok((end, _)) => {
            metrics::of_hook(&end, environ, own.context);
            log::success(&end);
        }
        Err(Stop::Failure(failure)) => {
            failure.hook.iter().for_each(|end| metrics::of_hook(end, environ, own.context));
            log::failure(&failure);
        }
        // The runtime has ended.
        Err(Stop::Signal(_) | Stop::Cancelled) => {}
    }
    // Those that it has left behind still write.
    threads.take().into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}
