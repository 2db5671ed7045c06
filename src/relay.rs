//! The relay: a process between the runtime and the Runtime API that runs hooks around a SnapStart
//! snapshot, whatever the runtime knows of SnapStart. Until the restore is over it looks at
//! requests; from then on it only carries bytes. `state` decides, `connection` and `tunnel` act
//! on the runtime's connections, `lifecycle` goes through the phases.

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
use state::{Action, Progress, Release, Restore};
use std::io;
use std::mem;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::process::exit;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, scope};
use std::time::{Duration, Instant};

/// What is left to carry when the runtime has ended has this long.
const DRAIN: Duration = Duration::from_millis(200);

/// How long to wait for descriptors, of which a process in Lambda has 1,024, when there are none
/// left.
const NO_DESCRIPTOR: Duration = Duration::from_millis(10);

/// Most memory that a connection's thread may need for its stack; what it never touches costs
/// nothing.
const STACK: usize = 128 << 10;

struct Relay {
    listener: TcpListener,
    upstream: RuntimeApi,
    runtime: Process,
    desk: Mutex<Desk>,
    /// Something on the desk has changed.
    changed: Condvar,
    /// Set when what is held may go on.
    verdict: Latch,
    /// Set when hooks are of no use any more.
    stop: Latch,
}

/// What the threads share.
struct Desk {
    progress: Progress,
    /// Threads that wait for a connection.
    idle: usize,
    /// Threads that are at work.
    busy: usize,
}

/// Starts the relay for the process that calls this, which then becomes the runtime; gives the
/// address at which the runtime finds it. In the relay itself, this does not come back.
///
/// # Errors
/// When there is no such address upstream, or the kernel has no descriptor, port or process for it.
pub fn start(hooks: &Hooks, upstream: &str) -> Result<String, Failure> {
    let start = || -> Result<String> {
        let upstream = RuntimeApi::resolve(upstream)
            .with_context(|| format!("unable to find {upstream:?}"))?;
        // The relay keeps them; the runtime finds closed what it would find closed.
        let standard = process::fill_standard_streams()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("unable to listen")?;
        let address = listener.local_addr()?.to_string();
        let runtime = Process::this().context("unable to watch the runtime")?;
        let keep: Vec<_> =
            [Some(listener.as_fd()), runtime.pidfd()].into_iter().flatten().collect();
        match process::double_fork(&keep)
            .map_err(|errno| anyhow!("unable to make a process: {}", cause(&errno.into())))?
        {
            Fork::Original => Ok(address),
            Fork::Detached => {
                mem::forget(standard);
                // A runtime that finds nobody at its address reports that by itself.
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

/// Serves until the runtime has ended. Comes back when it cannot even begin.
fn serve(
    listener: TcpListener,
    upstream: RuntimeApi,
    runtime: Process,
    hooks: &Hooks,
) -> Result<()> {
    let relay = Relay::new(listener, upstream, runtime)?;
    // Before there are threads, which inherit it: signals arrive here and nowhere else.
    let watch = Watch::start()?;
    scope(|scope| {
        spawn_worker(scope, &relay)?;
        let tell = || {
            lifecycle::run(&relay, hooks, &watch);
            relay.rest();
        };
        if Builder::new().spawn_scoped(scope, tell).is_err() {
            // The worker would be waited for.
            exit(1);
        }
        relay.runtime.ends_before(None);
        relay.stop.set();
        relay.wait_for_work_to_end(Instant::now() + DRAIN);
        exit(0)
    })
}

/// A thread serves one connection after the other; there is always one more than there are
/// connections.
fn spawn_worker<'s>(scope: &'s Scope<'s, '_>, relay: &'s Relay) -> io::Result<()> {
    let work = move || {
        loop {
            let Ok((client, _)) = relay.listener.accept() else {
                sleep(NO_DESCRIPTOR);
                continue;
            };
            if relay.take_up_work() == 0 {
                // Without another thread, the next connection waits until this one ends.
                let _ = spawn_worker(scope, relay);
            }
            connection::serve(relay, client);
            relay.rest();
            relay.desk().idle += 1;
        }
    };
    relay.desk().idle += 1;
    let spawned = Builder::new().stack_size(STACK).spawn_scoped(scope, work);
    if spawned.is_err() {
        relay.desk().idle -= 1;
    }
    spawned.map(drop)
}

impl Relay {
    fn new(listener: TcpListener, upstream: RuntimeApi, runtime: Process) -> Result<Self> {
        // The one at work runs the lifecycle.
        let desk = Mutex::new(Desk { progress: Progress::new(), idle: 0, busy: 1 });
        let (verdict, stop) = (Latch::new()?, Latch::new()?);
        Ok(Self { listener, upstream, runtime, desk, changed: Condvar::new(), verdict, stop })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so, or the time has come.
    fn wait_until(
        &self,
        until: Option<Instant>,
        is_so: impl Fn(&Desk) -> bool,
    ) -> MutexGuard<'_, Desk> {
        let mut desk = self.desk();
        while !is_so(&desk) {
            desk = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return desk,
                Some(left) => {
                    self.changed.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        desk
    }

    /// Gives the number of threads that are left to wait for a connection.
    fn take_up_work(&self) -> usize {
        let mut desk = self.desk();
        desk.busy += 1;
        desk.idle -= 1;
        desk.idle
    }

    fn rest(&self) {
        self.desk().busy -= 1;
        self.changed.notify_all();
    }

    fn wait_for_work_to_end(&self, until: Instant) {
        drop(self.wait_until(Some(until), |desk| desk.busy == 0));
    }

    fn is_open(&self) -> bool {
        self.desk().progress.is_open()
    }

    fn receive(&self, call: Option<Call>, head: &[u8]) -> Action {
        let action = self.desk().progress.receive(call, head);
        self.changed.notify_all();
        if call == Some(Call::InitError) && self.is_open() {
            self.stop.set();
        }
        action
    }

    /// A request was answered by the upstream.
    fn passed(&self, call: Option<Call>) {
        match call {
            Some(Call::ExtensionRegister) => {
                self.desk().progress.registered();
                self.changed.notify_all();
            }
            // Only now: what was held must not get there before the report of the runtime's own.
            Some(Call::InitError) if self.is_open() => self.verdict.set(),
            _ => {}
        }
    }

    /// Waits, where one event may be for several who asked, until it is known whether this one gets
    /// it.
    fn release(&self, call: Call) -> Release {
        let is_known = |desk: &Desk| call != Call::InvocationNext || !desk.progress.delivers();
        self.wait_until(None, is_known).progress.release(call)
    }

    fn delivered(&self, call: Call) {
        let is_restored = self.desk().progress.delivered(call);
        self.changed.notify_all();
        if is_restored {
            lifecycle::mark_restored();
        }
    }

    /// Lets everyone go on who was held.
    fn go_on(&self, restore: Restore, event: Option<Vec<u8>>) {
        self.desk().progress.go_on(restore, event);
        self.verdict.set();
    }

    fn keep(&self, event: Vec<u8>) {
        self.desk().progress.keep(event);
        self.changed.notify_all();
    }
}
