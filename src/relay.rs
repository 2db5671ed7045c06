//! The relay: a reverse proxy in front of the Runtime API that runs hooks around a SnapStart
//! snapshot, whether or not the runtime takes part in SnapStart. Until the restore is over it looks
//! at requests; afterwards it only forwards bytes. `state` decides; `connection` and `tunnel` serve
//! the runtime's connections, `lifecycle` runs the hooks.

mod connection;
mod lifecycle;
mod state;
mod tunnel;

pub use lifecycle::Hooks;

use crate::exit_status;
use crate::lambda::api::Call;
use crate::process::{self, Fork, Latch, Process, Watch, cause, sleep};
use crate::report::{ErrorType, Failure};
use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result, anyhow};
use state::{Action, Release, RestoreOutcome, StateMachine};
use std::io;
use std::mem;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::process::exit;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, scope};
use std::time::{Duration, Instant};

/// The time to forward what remains when the runtime has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// The pause before the next attempt to accept a connection when no file descriptor is left. A
/// process in Lambda has 1,024
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The stack of a connection's thread. The kernel provides memory only for pages that the thread
/// touches (mmap(2)).
const STACK: usize = 128 << 10;

struct Relay {
    listener: TcpListener,
    upstream: RuntimeApi,
    runtime: Process,
    state: Mutex<SharedState>,
    /// Notified when `state` has changed.
    changed: Condvar,
    /// Set when the requests that are held get their responses.
    released: Latch,
    /// Set when hooks are of no use any more.
    cancel: Latch,
}

/// The state that the relay's threads share.
struct SharedState {
    machine: StateMachine,
    /// Threads that wait for a connection.
    idle_workers: usize,
    /// Threads that serve a connection or run the lifecycle.
    busy_workers: usize,
}

/// Starts the relay of the calling process, which then becomes the runtime. Returns the address at
/// which the runtime reaches the relay, `HOST:PORT`. The relay itself, another process, ends in
/// here.
///
/// # Errors
/// When the address of the Runtime API is no IP address, or the kernel has no file descriptor, port
/// or process left.
pub fn start(hooks: &Hooks, upstream: &str) -> Result<String, Failure> {
    let start = || -> Result<String> {
        let upstream =
            RuntimeApi::parse(upstream).with_context(|| format!("unable to find {upstream:?}"))?;
        // Only the relay keeps them: what was closed must be closed in the runtime too.
        let standard_streams = process::fill_standard_streams()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("unable to listen")?;
        let address = listener.local_addr()?.to_string();
        let runtime = Process::this().context("unable to watch the runtime")?;
        let keep: Vec<_> =
            [Some(listener.as_fd()), runtime.pidfd()].into_iter().flatten().collect();
        match process::double_fork(&keep)
            .map_err(|errno| anyhow!("unable to fork a process: {}", cause(&errno.into())))?
        {
            Fork::Original => Ok(address),
            Fork::Detached => {
                mem::forget(standard_streams);
                // A runtime that cannot connect reports that itself.
                let _ = serve(listener, upstream, runtime, hooks);
                exit(1)
            }
        }
    };
    start().map_err(|cause| {
        Failure::new(
            ErrorType::BeforeSnapshot,
            exit_status::FAILED,
            format!("unable to start the relay: {cause:#}"),
        )
    })
}

/// Serves until the runtime has ended, then ends the process.
///
/// # Errors
/// When the relay cannot begin to serve.
fn serve(
    listener: TcpListener,
    upstream: RuntimeApi,
    runtime: Process,
    hooks: &Hooks,
) -> Result<()> {
    let relay = Relay::new(listener, upstream, runtime)?;
    // The threads below inherit the signal mask, so that signals reach only this thread.
    let watch = Watch::start()?;
    scope(|scope| {
        spawn_worker(scope, &relay)?;
        let run_lifecycle = || {
            lifecycle::run(&relay, hooks, &watch);
            relay.end_work();
        };
        if Builder::new().spawn_scoped(scope, run_lifecycle).is_err() {
            // Leaving the scope would wait for the worker.
            exit(1);
        }
        relay.runtime.wait_for_end(None);
        relay.cancel.set();
        relay.wait_for_work_to_end(Instant::now() + DRAIN_TIMEOUT);
        exit(0)
    })
}

/// Spawns a thread that serves connections one after the other. A worker that gets a connection
/// while no other is idle spawns one, so that one is always there to accept.
fn spawn_worker<'s>(scope: &'s Scope<'s, '_>, relay: &'s Relay) -> io::Result<()> {
    let work = move || {
        loop {
            let Ok((client, _)) = relay.listener.accept() else {
                sleep(ACCEPT_PAUSE);
                continue;
            };
            if relay.begin_work() == 0 {
                // Without another worker, the next connection waits until this one ends.
                let _ = spawn_worker(scope, relay);
            }
            connection::serve(relay, client);
            relay.end_work();
            relay.lock().idle_workers += 1;
        }
    };
    relay.lock().idle_workers += 1;
    let spawned = Builder::new().stack_size(STACK).spawn_scoped(scope, work);
    if spawned.is_err() {
        relay.lock().idle_workers -= 1;
    }
    spawned.map(drop)
}

impl Relay {
    fn new(listener: TcpListener, upstream: RuntimeApi, runtime: Process) -> Result<Self> {
        // The busy one runs the lifecycle.
        let state = SharedState { machine: StateMachine::new(), idle_workers: 0, busy_workers: 1 };
        Ok(Self {
            listener,
            upstream,
            runtime,
            state: Mutex::new(state),
            changed: Condvar::new(),
            released: Latch::new()?,
            cancel: Latch::new()?,
        })
    }

    fn lock(&self) -> MutexGuard<'_, SharedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a condition holds, or until a deadline.
    fn wait_until(
        &self,
        deadline: Option<Instant>,
        holds: impl Fn(&SharedState) -> bool,
    ) -> MutexGuard<'_, SharedState> {
        let mut state = self.lock();
        while !holds(&state) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return state,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state
    }

    /// Counts an idle worker as busy; returns the number of idle workers.
    fn begin_work(&self) -> usize {
        let mut state = self.lock();
        state.busy_workers += 1;
        state.idle_workers -= 1;
        state.idle_workers
    }

    fn end_work(&self) {
        self.lock().busy_workers -= 1;
        self.changed.notify_all();
    }

    fn wait_for_work_to_end(&self, deadline: Instant) {
        drop(self.wait_until(Some(deadline), |state| state.busy_workers == 0));
    }

    fn is_open(&self) -> bool {
        self.lock().machine.is_open()
    }

    /// Takes a request into account, and returns what to do with it.
    fn receive(&self, call: Option<Call>, head: &[u8]) -> Action {
        let action = self.lock().machine.receive(call, head);
        self.changed.notify_all();
        if call == Some(Call::InitError) && self.is_open() {
            self.cancel.set();
        }
        action
    }

    /// Takes into account that a request which was passed on has its response.
    fn end_pass(&self, call: Option<Call>) {
        match call {
            Some(Call::ExtensionRegister) => {
                self.lock().machine.end_registration();
                self.changed.notify_all();
            }
            // Not before the response: the runtime's report must reach the Runtime API before the
            // requests that are held.
            Some(Call::InitError) if self.is_open() => self.released.set(),
            _ => {}
        }
    }

    /// Returns what to do with a request that was held. While another client is being sent an
    /// event, waits for the outcome: this client may get the event.
    fn release(&self, call: Call) -> Release {
        let is_known =
            |state: &SharedState| call != Call::InvocationNext || !state.machine.is_sending_event();
        self.wait_until(None, is_known).machine.release(call)
    }

    /// Takes into account that a request that was held has its response.
    fn end_release(&self, call: Call) {
        let is_restored = self.lock().machine.end_release(call);
        self.changed.notify_all();
        if is_restored {
            lifecycle::mark_restored();
        }
    }

    /// Releases the requests that are held.
    fn begin_release(&self, outcome: RestoreOutcome, event: Option<Vec<u8>>) {
        self.lock().machine.begin_release(outcome, event);
        self.released.set();
    }

    /// Takes an event back that a client did not receive.
    fn return_event(&self, event: Vec<u8>) {
        self.lock().machine.return_event(event);
        self.changed.notify_all();
    }
}
