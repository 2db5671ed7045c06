//! The extension's story: register, wait until Lambda shuts the environment down, run the pre_stop
//! hooks in what is left of its life. Lambda takes any other end of an extension for a crash of the
//! whole function, so there is none.

mod api;
mod handover;

pub use handover::{hand_over, meet};

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
use api::{Api, Shutdown};
use handover::{Handover, Listener};
use std::env::set_current_dir;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::exit;
use std::sync::OnceLock;
use std::thread::{Builder, park, scope};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// What to count on when nobody says how much time is left.
const UNKNOWN: Duration = Duration::from_millis(1500);

/// So long before its end the hooks are told to end, so long before it they are killed, and so long
/// before it the extension ends, whatever still holds it up.
const TERMINATE: Duration = Duration::from_millis(150);
const KILL: Duration = Duration::from_millis(60);
const EXIT: Duration = Duration::from_millis(30);
const _: () =
    assert!(EXIT.as_millis() < KILL.as_millis() && KILL.as_millis() < TERMINATE.as_millis());

/// How long to wait before something is tried again that did not get the answer that it should.
const RETRIES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_secs(1)];

/// Most memory that a thread may need for its stack, also to read JSON as deep as it may be; what
/// is never touched costs nothing.
const STACK: usize = 512 << 10;

/// Lives as long as the environment; gives the exit status.
#[cold]
pub fn run(name: &OsStr, environ: &Environ) -> i32 {
    // A connection in the place of a closed standard error would be logged to.
    let _standard = process::fill_standard_streams();
    process::ignore_broken_pipes();
    let upstream = || -> Result<_> {
        let address =
            environ.lossy(RUNTIME_API).with_context(|| format!("{RUNTIME_API} is not set"))?;
        RuntimeApi::resolve(&address).with_context(|| format!("unable to find {address:?}"))
    };
    let upstream = match upstream() {
        Ok(upstream) => upstream,
        Err(cause) => {
            log::log_failure(&unable(&cause));
            return exit_status::FAILED;
        }
    };
    // What only the runtime is told.
    let mut environ = environ.clone();
    let task_root = config::task_root(&environ).as_os_str().to_owned();
    environ.set(TASK_ROOT_VARIABLE, &task_root);
    // Where the wrapper looks for a file that is named without its folder.
    let _ = set_current_dir(&task_root);

    let Err(failure) = live(&upstream, name, &environ) else { return 0 };
    log::log_failure(&failure);
    let registered = retried(|| Api::register(&upstream, name, false));
    let refused = registered.and_then(|api| retried(|| api.refuse(&failure)));
    if let Err(error) = refused {
        debug!("unable to report the failure to the Extensions API: {error:#}");
    }
    1
}

/// Comes back at the end of the environment, or at once with what keeps the extension from its
/// work.
fn live(upstream: &RuntimeApi, name: &OsStr, environ: &Environ) -> Result<(), Failure> {
    let sources =
        if config::is_disabled(environ) { Ok(Vec::new()) } else { config::read_sources(environ) };
    let documents = sources.as_deref().map(config::parse_sources);
    let rules =
        documents.as_deref().map_err(|&invalid| invalid.clone()).and_then(config::decode_rules);
    let rules = match &rules {
        Ok(rules) => Wanted::Rules(rules),
        Err(mistake) => Wanted::Nothing { mistake },
    };
    wait_and_stop(upstream, name, environ, rules).map_err(|cause| unable(&cause))
}

/// What the configuration asks for.
#[derive(Clone, Copy)]
enum Wanted<'w> {
    Rules(&'w [Rule<'w>]),
    /// It has a mistake. The wrapper reads it, too, and reports that so that the caller of the
    /// function sees it; an extension that did so would hide it behind its own end.
    Nothing {
        mistake: &'w Invalid,
    },
}

impl Wanted<'_> {
    /// Whether the extension has something to do, or to say, when the environment is shut down.
    fn wants_shutdown(self, environ: &Environ) -> bool {
        let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
        match self {
            Wanted::Rules(rules) => plan::may_run(rules, Phase::PreStop, environ, &exists),
            Wanted::Nothing { .. } => true,
        }
    }
}

fn unable(cause: &anyhow::Error) -> Failure {
    Failure::configuration(format!("unable to start the extension: {cause:#}"))
}

fn wait_and_stop(
    upstream: &RuntimeApi,
    name: &OsStr,
    environ: &Environ,
    wanted: Wanted,
) -> Result<()> {
    // Before there are threads, which inherit it: signals arrive here and nowhere else.
    let watch = Watch::start()?;
    let wants_shutdown = wanted.wants_shutdown(environ);
    // The wrapper is started when all extensions have registered, and finds this one.
    let listener = wants_shutdown.then(|| Listener::new(upstream.address())).transpose();
    let deaf = |error: &io::Error| {
        warn!("pre_stop hooks will not see what the runtime sees: unable to listen: {error}");
    };
    let listener = listener.inspect_err(deaf).ok().flatten();
    let (shutdown, has_come) = (OnceLock::new(), Latch::new()?);
    scope(|scope| {
        Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            let _ = shutdown.set(await_shutdown(upstream, name, wants_shutdown));
            has_come.set();
        })?;
        // From here on there is a thread that the end of the scope would wait for, so no failure
        // leaves it.
        let listener = listener.as_ref().and_then(|listener| {
            let thread = Builder::new().stack_size(STACK).spawn_scoped(scope, || listener.listen());
            thread.inspect_err(deaf).ok().map(|_| listener)
        });
        let signal = watch.wait_for(&has_come);
        let told = Shutdown { reason: signal.map_or("", Signal::as_str).to_owned(), left: UNKNOWN };
        // Who sends both a signal and an event says more in the event.
        let shutdown = shutdown.get().unwrap_or(&told);
        let handed_over = listener.and_then(Listener::last);
        // Nobody comes any more, and the end may be sudden.
        listener.inspect(|listener| listener.remove());
        match wanted {
            Wanted::Rules(rules) => {
                stop(rules, environ, handed_over.as_deref().map(Vec::as_slice), shutdown)
            }
            // Else it has said so.
            Wanted::Nothing { mistake } if !listener.is_some_and(Listener::has_met_wrapper) => {
                log::log_failure(&mistake.clone().into())
            }
            Wanted::Nothing { .. } => {}
        }
        exit(0)
    })
}

/// Comes back only when the environment is shut down.
fn await_shutdown(upstream: &RuntimeApi, name: &OsStr, wants_shutdown: bool) -> Shutdown {
    let api = retried(|| Api::register(upstream, name, wants_shutdown));
    let shutdown = api.and_then(|api| {
        loop {
            if let Some(shutdown) = retried(|| api.next())? {
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

fn retried<T>(attempt: impl Fn() -> Result<T>) -> Result<T> {
    for pause in RETRIES {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(_) => sleep(pause),
        }
    }
    attempt()
}

/// Runs the pre_stop hooks, in what time is left.
fn stop(rules: &[Rule], own: &Environ, handed_over: Option<&[u8]>, shutdown: &Shutdown) {
    let shutting_down = ShuttingDown::begin(shutdown);
    shutting_down.exit_in_time();
    match handed_over.and_then(Handover::decode) {
        // The hooks that the wrapper decided on, whatever the files say by now.
        Some(Handover { runtime, hooks, received, environ }) => {
            let context = LambdaContext { environ: &received, runtime };
            shutting_down.run(&hooks.iter().collect::<Vec<_>>(), environ, &context);
        }
        // Nobody knows better: the wrapper never came so far.
        None => {
            let no_command = [OsString::new()];
            let exists = |glob: &_| files::has_match(glob, config::task_root(own));
            let name = RuntimeName::from_program(own, &no_command[0]);
            let facts =
                Facts { environ: own, runtime: &name, architecture: ARCHITECTURE, exists: &exists };
            let mut environ = own.clone();
            let plan = Plan::new(&no_command, &mut environ, rules, &facts, |_, _, _| {});
            let context = LambdaContext { environ: own, runtime: &name.identifier };
            shutting_down.run(&plan.hooks(Phase::PreStop), environ, &context);
        }
    }
}

/// The last moments of the environment.
struct ShuttingDown<'s> {
    shutdown: &'s Shutdown,
    /// When the environment ends.
    end: Instant,
    /// When hooks are told to end.
    until: Deadline,
    /// Lives until the process ends. The signals that the first one holds back do not end hooks:
    /// they have been told already.
    watch: Option<&'static Watch>,
}

impl<'s> ShuttingDown<'s> {
    fn begin(shutdown: &'s Shutdown) -> Self {
        Self {
            shutdown,
            end: Instant::now() + shutdown.left,
            until: Deadline::after(shutdown.left.saturating_sub(TERMINATE)),
            watch: Watch::start().ok().map(|watch| &*Box::leak(Box::new(watch))),
        }
    }

    /// Ends the process in time whatever happens: a process that cannot be killed and a log that
    /// takes no line would hold up the end of the function.
    fn exit_in_time(&self) {
        let (left, watch) = (self.shutdown.left, self.watch);
        let Some(most) = left.checked_sub(EXIT).filter(|_| left > TERMINATE) else { return };
        let _ = Builder::new().stack_size(STACK).spawn(move || {
            sleep(most);
            if let Some(watch) = watch {
                watch.kill();
            }
            exit(0)
        });
    }

    fn run(&self, hooks: &[&Hook], mut environ: Environ, context: &LambdaContext) {
        // It is where the runtime would be started; without it, hooks run where the extension was.
        let _ = set_current_dir(config::task_root(context.environ));
        let Some(watch) = self.watch else {
            warn!("pre_stop hooks are not run: unable to watch them");
            return;
        };
        let runner = Runner {
            context,
            watch,
            phase_deadline: Some(self.until),
            cancel: None,
            kill_by: self.end.checked_sub(KILL),
            shutdown_reason: Some(&self.shutdown.reason),
            forward_orphan_output: &|output| drop(output.forward_in_thread()),
            on_start: &|_| {},
        };
        // Nobody is left to tell of what stops them.
        let _ = runner.run(hooks, &mut environ);
    }
}
