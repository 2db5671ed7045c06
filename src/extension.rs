//! The extension: registers, waits until Lambda shuts the environment down, and runs the `pre_stop`
//! hooks in the time that is left. It never ends before that: Lambda takes the end of an extension
//! for a crash, and ends the environment
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>).

mod api;
mod handover;

pub use handover::{announce_wrapper, hand_over};

use crate::condition::{Facts, RuntimeName};
use crate::config::{self, Hook, Invalid, Rule};
use crate::environ::Environ;
use crate::exit_status;
use crate::files;
use crate::hooks::{Deadline, Runner};
use crate::lambda::{ARCHITECTURE, LambdaContext, RUNTIME_API, TASK_ROOT_VARIABLE};
use crate::log;
use crate::phase::Phase;
use crate::plan::{self, Plan};
use crate::process::{self, Latch, Signal, Watch, sleep};
use crate::report::Failure;
use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result};
use api::{ExtensionsApi, Shutdown};
use handover::{Handover, Listener};
use std::env::set_current_dir;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::exit;
use std::sync::OnceLock;
use std::thread::{Builder, park, scope};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// The time left to assume after a signal, or an event without a deadline. Lambda gives extensions
/// 2 s (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).
const ASSUMED_TIME_LEFT: Duration = Duration::from_millis(1500);

/// The times before the end of the environment at which hooks get SIGTERM, at which they get
/// SIGKILL, and at which the extension ends, whatever it waits for.
const TERMINATE: Duration = Duration::from_millis(150);
const KILL: Duration = Duration::from_millis(60);
const EXIT: Duration = Duration::from_millis(30);
const _: () =
    assert!(EXIT.as_millis() < KILL.as_millis() && KILL.as_millis() < TERMINATE.as_millis());

/// The pauses before a failed call of the Extensions API is tried again.
const RETRY_PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_secs(1)];

/// The stack of a thread, which is enough to parse JSON of any permitted depth. The kernel provides
/// memory only for pages that the thread touches (mmap(2)).
const STACK: usize = 512 << 10;

/// Runs the extension until the environment is shut down. Returns the exit status.
#[cold]
pub fn run(name: &OsStr, environ: &Environ) -> i32 {
    // A connection must not take the place of a closed standard error: log lines would go to it.
    let _standard_streams = process::fill_standard_streams();
    process::ignore_broken_pipes();
    let upstream = match find_api(environ) {
        Ok(upstream) => upstream,
        Err(cause) => {
            log::log_failure(&startup_failure(&cause));
            return exit_status::FAILED;
        }
    };
    // Lambda gives this variable and this working directory only to the runtime.
    let mut environ = environ.clone();
    let task_root = config::task_root(&environ).as_os_str().to_owned();
    environ.set(TASK_ROOT_VARIABLE, &task_root);
    let _ = set_current_dir(&task_root);

    let Err(failure) = run_until_shutdown(&upstream, name, &environ) else { return 0 };
    log::log_failure(&failure);
    let registered = retry(|| ExtensionsApi::register(&upstream, name, false));
    if let Err(error) = registered.and_then(|api| retry(|| api.report(&failure))) {
        debug!("unable to report the failure to the Extensions API: {error:#}");
    }
    1
}

fn find_api(environ: &Environ) -> Result<RuntimeApi> {
    let address =
        environ.lossy(RUNTIME_API).with_context(|| format!("{RUNTIME_API} is not set"))?;
    RuntimeApi::parse(&address).with_context(|| format!("unable to find {address:?}"))
}

/// Reads the configuration and serves until the environment is shut down.
///
/// # Errors
/// When the extension cannot start.
fn run_until_shutdown(
    upstream: &RuntimeApi,
    name: &OsStr,
    environ: &Environ,
) -> Result<(), Failure> {
    let sources =
        if config::is_disabled(environ) { Ok(Vec::new()) } else { config::read_sources(environ) };
    let documents = sources.as_deref().map(config::parse_sources);
    let rules =
        documents.as_deref().map_err(|&invalid| invalid.clone()).and_then(config::decode_rules);
    let configuration = match &rules {
        Ok(rules) => Configuration::Rules(rules),
        Err(mistake) => Configuration::Invalid(mistake),
    };
    serve(upstream, name, environ, configuration).map_err(|cause| startup_failure(&cause))
}

fn startup_failure(cause: &anyhow::Error) -> Failure {
    Failure::configuration(format!("unable to start the extension: {cause:#}"))
}

/// The configuration as the extension has read it.
#[derive(Clone, Copy)]
enum Configuration<'c> {
    Rules(&'c [Rule<'c>]),
    /// A configuration with a mistake. The wrapper reads it too, and reports the mistake to the
    /// caller of the function; a report of the extension would end the environment before that.
    Invalid(&'c Invalid),
}

impl Configuration<'_> {
    /// Tells whether the extension needs the event SHUTDOWN: to run hooks, or to log the mistake.
    fn needs_shutdown(self, environ: &Environ) -> bool {
        let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
        match self {
            Self::Rules(rules) => plan::may_run(rules, Phase::PreStop, environ, &exists),
            Self::Invalid(_) => true,
        }
    }
}

/// Registers and listens to the wrapper in threads of their own, waits for the shutdown, runs the
/// hooks, and ends the process.
///
/// # Errors
/// When the kernel refuses signals, a latch or a thread.
fn serve(
    upstream: &RuntimeApi,
    name: &OsStr,
    environ: &Environ,
    configuration: Configuration,
) -> Result<()> {
    // The threads below inherit the signal mask, so that signals reach only this thread.
    let watch = Watch::start()?;
    let needs_shutdown = configuration.needs_shutdown(environ);
    // Before the registration: Lambda starts the wrapper when all extensions have registered.
    let listener = needs_shutdown.then(|| Listener::new(upstream.address())).transpose();
    let warn_without_listener = |error: &io::Error| {
        warn!("pre_stop hooks will not see what the runtime sees: unable to listen: {error}");
    };
    let listener = listener.inspect_err(warn_without_listener).ok().flatten();
    let (shutdown, has_event) = (OnceLock::new(), Latch::new()?);
    scope(|scope| {
        Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            let _ = shutdown.set(wait_for_shutdown(upstream, name, needs_shutdown));
            has_event.set();
        })?;
        // No error may leave the scope from here on: its end would wait for the thread.
        let listener = listener.as_ref().and_then(|listener| {
            let thread = Builder::new().stack_size(STACK).spawn_scoped(scope, || listener.listen());
            thread.inspect_err(warn_without_listener).ok().map(|_| listener)
        });
        let signal = watch.wait_for(&has_event);
        let by_signal = Shutdown {
            reason: signal.map_or("", Signal::as_str).to_owned(),
            time_left: ASSUMED_TIME_LEFT,
        };
        // Where both have come, the event has the deadline.
        let shutdown = shutdown.get().unwrap_or(&by_signal);
        let message = listener.and_then(Listener::last);
        // Now, because the process may be killed while hooks run.
        if let Some(listener) = listener {
            listener.remove();
        }
        match configuration {
            Configuration::Rules(rules) => {
                let message = message.as_deref().map(Vec::as_slice);
                run_pre_stop_hooks(rules, environ, message, shutdown);
            }
            Configuration::Invalid(mistake) => {
                // A wrapper has reported the mistake.
                if !listener.is_some_and(Listener::has_met_wrapper) {
                    log::log_failure(&mistake.clone().into());
                }
            }
        }
        exit(0)
    })
}

/// Registers and waits for the event SHUTDOWN. Does not return without the event: a signal may
/// still arrive.
fn wait_for_shutdown(upstream: &RuntimeApi, name: &OsStr, needs_shutdown: bool) -> Shutdown {
    let api = retry(|| ExtensionsApi::register(upstream, name, needs_shutdown));
    let shutdown = api.and_then(|api| {
        loop {
            if let Some(shutdown) = retry(|| api.next_event())? {
                return Ok(shutdown);
            }
        }
    });
    shutdown.unwrap_or_else(|error| {
        warn!("pre_stop hooks run at SIGTERM only: unable to use the Extensions API: {error:#}");
        loop {
            park();
        }
    })
}

fn retry<T>(attempt: impl Fn() -> Result<T>) -> Result<T> {
    for pause in RETRY_PAUSES {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(_) => sleep(pause),
        }
    }
    attempt()
}

/// Runs the `pre_stop` hooks: those of the wrapper's message, or without one those of the
/// configuration in the extension's own environment.
fn run_pre_stop_hooks(
    rules: &[Rule],
    own_environ: &Environ,
    message: Option<&[u8]>,
    shutdown: &Shutdown,
) {
    let phase = ShutdownPhase::begin(shutdown);
    phase.exit_in_time();
    if let Some(handover) = message.and_then(Handover::decode) {
        let Handover { runtime, hooks, received, environ } = handover;
        let context = LambdaContext { environ: &received, runtime };
        phase.run(&hooks.iter().collect::<Vec<_>>(), environ, &context);
        return;
    }
    let no_command = [OsString::new()];
    let exists = |glob: &_| files::has_match(glob, config::task_root(own_environ));
    let runtime = RuntimeName::from_program(own_environ, &no_command[0]);
    let facts = Facts {
        environ: own_environ,
        runtime: &runtime,
        architecture: ARCHITECTURE,
        exists: &exists,
    };
    let mut environ = own_environ.clone();
    let mut plan = Plan::new(&no_command, rules, &facts);
    plan.edit_environ(&mut environ, &facts, |_, _, _| {});
    let context = LambdaContext { environ: own_environ, runtime: &runtime.identifier };
    phase.run(&plan.hooks(Phase::PreStop), environ, &context);
}

/// The time between the event SHUTDOWN and the end of the environment.
struct ShutdownPhase<'s> {
    shutdown: &'s Shutdown,
    /// The end of the environment.
    end: Instant,
    /// The time at which hooks get SIGTERM.
    deadline: Deadline,
    /// Lives until the process ends. A signal that `serve` has seen does not end the hooks.
    watch: Option<&'static Watch>,
}

impl<'s> ShutdownPhase<'s> {
    fn begin(shutdown: &'s Shutdown) -> Self {
        Self {
            shutdown,
            end: Instant::now() + shutdown.time_left,
            deadline: Deadline::after(shutdown.time_left.saturating_sub(TERMINATE)),
            watch: Watch::start().ok().map(|watch| &*Box::leak(Box::new(watch))),
        }
    }

    /// Starts a thread that ends the process before the environment ends. A process that survives
    /// SIGKILL, or a log that blocks, would delay the end of the function.
    fn exit_in_time(&self) {
        let (time_left, watch) = (self.shutdown.time_left, self.watch);
        let Some(limit) = time_left.checked_sub(EXIT).filter(|_| time_left > TERMINATE) else {
            return;
        };
        let _ = Builder::new().stack_size(STACK).spawn(move || {
            sleep(limit);
            if let Some(watch) = watch {
                watch.kill();
            }
            exit(0)
        });
    }

    fn run(&self, hooks: &[&Hook], mut environ: Environ, context: &LambdaContext) {
        // The working directory of the runtime. If it cannot be entered, hooks run in the
        // extension's.
        let _ = set_current_dir(config::task_root(context.environ));
        let Some(watch) = self.watch else {
            warn!("pre_stop hooks are not run: unable to watch them");
            return;
        };
        let runner = Runner {
            context,
            watch,
            phase_deadline: Some(self.deadline),
            cancel: None,
            kill_by: self.end.checked_sub(KILL),
            shutdown_reason: Some(&self.shutdown.reason),
            forward_orphan_output: &|output| drop(output.forward_in_thread()),
            on_start: &|_| {},
        };
        // The runner has logged every failure, and the process ends now.
        let _ = runner.run(hooks, &mut environ);
    }
}
