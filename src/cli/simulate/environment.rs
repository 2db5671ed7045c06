//! One execution environment: its Runtime API, its extensions and its runtime, from their start to
//! their end. Lambda's rules are those of AWS's documentation, "Understanding the Lambda execution
//! environment lifecycle".

use super::event::{LifecycleStage, TimelineEvent};
use super::failure::{EnvironmentFailure, describe_end};
use super::start::RuntimeStart;
use super::{Simulation, function_env};
use crate::environ::Environ;
use crate::lambda::{EXTENSIONS, FOREWORD, LAYER_BOOTSTRAP, RUNTIME_API};
use crate::phase::Phase;
use crate::process::{CommandEnd, Signal, SpawnedCommand};
use crate::simulated_lambda::runtime_state::ApiCall;
use crate::simulated_lambda::{InvocationResult, Lambda, Parked, Settings, WaitFailure};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the shutdown has with extensions, and with internal ones alone, in which case only the
/// runtime is told.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(2000);
const INTERNAL_SHUTDOWN_LIMIT: Duration = Duration::from_millis(500);

/// How long the runtime has after SIGTERM when extensions are to be told as well.
const RUNTIME_SHUTDOWN_LIMIT: Duration = Duration::from_millis(300);

/// How long processes may take to be gone after SIGKILL.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why environments end in which nothing broke.
pub const SPINDOWN: &str = "spindown";

/// The name of foreword's extension.
pub const FOREWORD_EXTENSION: &str = "foreword";

/// What the runtime does by itself, also on behalf of the handler.
const LOADS: &str = "loads";
const LOADS_AND_HOOKS: &str = "loads, its own hooks";
const HOOKS: &str = "its own hooks";

/// The program that this is.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub struct ExecutionEnvironment<'s> {
    simulation: &'s Simulation<'s>,
    lambda: Arc<Lambda>,
    extensions: Vec<(String, SpawnedCommand)>,
    runtime: Option<SpawnedCommand>,
    /// How long its init and its restore took, for the report of its first invocation.
    pub init: Option<Duration>,
    pub restore: Option<Duration>,
}

impl<'s> ExecutionEnvironment<'s> {
    pub fn new(simulation: &'s Simulation<'s>) -> Self {
        let settings = Settings {
            snap_start: simulation.options.snap_start,
            function: simulation.function.clone(),
            timeout: simulation.options.timeout,
            events_before: simulation.events_before(),
            extensions: simulation.extensions.iter().map(|(name, _)| name.clone()).collect(),
        };
        let lambda = Arc::new(Lambda::new(settings, ()));
        simulation.interruption.attach(&lambda);
        simulation.recorder.attach(&lambda);
        Self {
            simulation,
            lambda,
            extensions: Vec::new(),
            runtime: None,
            init: None,
            restore: None,
        }
    }

    /// Starts extensions and runtime; comes back when all of them wait for what comes.
    pub fn initialize(&mut self, until: Instant) -> Result<Parked, EnvironmentFailure> {
        let mut environ = self.simulation.given.clone();
        environ.set(RUNTIME_API, self.lambda.address().as_ref());
        let own = function_env::extension_environ(&environ);
        if let [(first, _), others @ ..] = &self.simulation.extensions[..] {
            let others: String = others.iter().map(|(name, _)| format!(", {name}")).collect();
            self.simulation
                .recorder
                .record(&TimelineEvent::Note(&format!("extensions: {first}{others}")));
        }
        for (name, program) in &self.simulation.extensions {
            let words = [format!("{EXTENSIONS}/{name}").into()];
            let started = self.start(program, &words, &own, &self.simulation.output.extensions);
            let started = started.map_err(|cause| {
                EnvironmentFailure::not_started(&format!("the extension {name}"), &cause)
            })?;
            self.extensions.push((name.clone(), started));
        }
        let names: Vec<_> = self.extensions.iter().map(|(name, _)| name.as_str()).collect();
        self.wait(until, |lambda| {
            lambda.wait_runtime("extensions that have registered", |inner| {
                let registered: Vec<_> = inner
                    .seen
                    .of(ApiCall::ExtensionRegister)
                    .filter(|request| request.status == Some(200))
                    .collect();
                let is_there = |name: &&str| {
                    registered
                        .iter()
                        .any(|request| request.header("Lambda-Extension-Name") == Some(*name))
                };
                names.iter().all(is_there).then_some(())
            })
        })?;

        self.simulation.recorder.runtime_starts(if self.simulation.options.snap_start {
            LOADS_AND_HOOKS
        } else {
            LOADS
        });
        let own =
            |path: &str| OsString::from(if Path::new(path).exists() { path } else { THIS_PROGRAM });
        let (program, words) = match &self.simulation.start {
            RuntimeStart::Wrapper(command) => {
                let program =
                    if self.simulation.wrapper_of_layer { FOREWORD } else { THIS_PROGRAM };
                (program.into(), [&["foreword".into(), "--".into()][..], command].concat())
            }
            RuntimeStart::Bootstrap(path, arguments) => {
                let program = path.clone().into_os_string();
                (program.clone(), [&[program][..], arguments].concat())
            }
            RuntimeStart::ForewordBootstrap(_) => {
                (own(LAYER_BOOTSTRAP), vec![LAYER_BOOTSTRAP.into()])
            }
        };
        let started = self.start(&program, &words, &environ, &self.simulation.output.function);
        let started = started
            .map_err(|cause| EnvironmentFailure::not_started(&program.to_string_lossy(), &cause))?;
        self.runtime = Some(started);
        let parked = self.wait(until, Lambda::snapshot)?;
        // An extension has its turn until it asks for an event.
        self.wait(until, |lambda| {
            lambda.wait_runtime("extensions that ask for an event", |inner| {
                let asks = inner
                    .seen
                    .of(ApiCall::ExtensionNext)
                    .filter(|request| request.status.is_none());
                (asks.count() >= names.len()).then_some(())
            })
        })?;
        self.lambda.shared.telemetry.close();
        Ok(parked)
    }

    /// Tells whoever has subscribed to telemetry what the platform does.
    pub fn emit(&self, kind: &str, record: Value) {
        self.lambda.shared.telemetry.emit(kind, record);
    }

    /// Lets the runtime go on behind the snapshot; comes back when it is ready for events.
    pub fn restore(&self, until: Instant) -> Result<(), EnvironmentFailure> {
        self.simulation.recorder.runtime_starts(HOOKS);
        self.wait(until, Lambda::restore)?;
        self.wait(until, Lambda::ready)
    }

    /// Gives the runtime an event; comes back with the answer.
    pub fn invoke(
        &self,
        event: &str,
        until: Instant,
    ) -> Result<InvocationResult, EnvironmentFailure> {
        let request = self.wait(until, |lambda| lambda.hand_out(event))?;
        self.simulation.count_event();
        self.wait(until, |lambda| lambda.answer(&request))
    }

    /// Waits until the runtime wants the next event.
    pub fn ready(&self, until: Instant) -> Result<(), EnvironmentFailure> {
        self.wait(until, Lambda::ready)
    }

    /// Ends everything, in Lambda's order and within its limits. Afterwards nothing is left.
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
                if !runtime.ends_before(begin + patience) {
                    let patience = patience.as_millis();
                    recorder.record(&TimelineEvent::Note(&format!(
                        "the runtime goes on {patience} ms after SIGTERM: SIGKILL"
                    )));
                }
            }
        }
        runtime.for_each(|runtime| runtime.signal(Signal::SIGKILL));

        // Of one that ended before, and broke something, was told already.
        let crashed = self
            .extensions
            .iter()
            .filter(|(_, extension)| reason == SPINDOWN && extension.end().is_some());
        crashed.for_each(|(name, _)| {
            recorder.problem(&format!("the extension {name} ended before the shutdown"))
        });
        self.lambda.shared.telemetry.flush();
        self.lambda.shutdown(reason, SHUTDOWN_LIMIT.saturating_sub(begin.elapsed()));
        for (name, extension) in &self.extensions {
            let wants = |request: &&crate::simulated_lambda::recording::RecordedRequest| {
                let body = String::from_utf8_lossy(&request.body.bytes);
                request.header("Lambda-Extension-Name") == Some(name)
                    && body.contains("\"SHUTDOWN\"")
            };
            let is_told = seen.of(ApiCall::ExtensionRegister).any(|request| wants(&request))
                && extension.end().is_none();
            if is_told && !extension.ends_before(begin + SHUTDOWN_LIMIT) {
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
        // The last words of those that have ended.
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

    /// Tells of the hook of these phases that runs right now, when its time is over; gives that in
    /// words.
    pub fn record_timed_out_hook(&self, phases: &[Phase], why: &str) -> Option<String> {
        let is_running = self.simulation.descendants.has_wrapper_with_child(Path::new(FOREWORD));
        is_running.then(|| self.simulation.recorder.record_timed_out_hook(phases, why)).flatten()
    }

    /// Tells which hooks should have run in a life in which nothing broke.
    fn report_missing_hooks(&self) {
        let recorder = &self.simulation.recorder;
        let has_own = self.extensions.iter().any(|(name, _)| name == FOREWORD_EXTENSION);
        let is_due = |phase: &Phase| match phase {
            Phase::Initialize => true,
            Phase::BeforeSnapshot | Phase::AfterRestore => self.simulation.options.snap_start,
            // Of an extension that is not there was told at the beginning.
            Phase::PreStop => has_own,
        };
        for phase in Phase::ALL.into_iter().filter(is_due) {
            for name in recorder.missing_hooks(phase) {
                let phase = phase.name();
                recorder.problem(&format!("hook {name:?} ({phase}) did not run, or did not end"));
            }
        }
    }

    /// Waits for something of the runtime's; says what broke when it will not come.
    fn wait<T>(
        &self,
        until: Instant,
        what: impl FnOnce(&Lambda) -> Result<T, WaitFailure>,
    ) -> Result<T, EnvironmentFailure> {
        self.lambda.limit(until.saturating_duration_since(Instant::now()));
        let failure = match what(&self.lambda) {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        if self.simulation.interruption.signal().is_some() {
            return Err(EnvironmentFailure::Interrupted);
        }
        let of_extension = self
            .extensions
            .iter()
            .find_map(|(name, extension)| Some((name.clone(), extension.end()?)));
        if let Some((name, end)) = of_extension {
            return Err(EnvironmentFailure::Extension {
                name,
                error_type: self.report_of_extension(),
                end,
            });
        }
        let report = match failure {
            WaitFailure::TimedOut(..) => return Err(EnvironmentFailure::TimedOut),
            WaitFailure::Reported(report) => Some(report),
            WaitFailure::Exited(seen) => seen.report,
        };
        // The report alone does not end anything: Lambda waits for the runtime's own end.
        let end = self.runtime.as_ref().and_then(|runtime| {
            runtime.ends_before(until);
            runtime.end()
        });
        Err(match (report, end) {
            (Some(report), _) => EnvironmentFailure::Reported(report),
            (None, Some(end)) => EnvironmentFailure::Exited(end),
            (None, None) => EnvironmentFailure::TimedOut,
        })
    }

    /// What the extension calls its failure, if it output that before it ended.
    fn report_of_extension(&self) -> Option<String> {
        let seen = self.lambda.seen();
        let report = seen
            .of(ApiCall::ExtensionInitError)
            .chain(seen.of(ApiCall::ExtensionExitError))
            .next()?;
        report.header("Lambda-Extension-Function-Error-Type").map(str::to_owned)
    }

    fn start(
        &self,
        program: &OsString,
        words: &[OsString],
        environ: &Environ,
        output: &PipeWriter,
    ) -> io::Result<SpawnedCommand> {
        let lambda = Arc::downgrade(&self.lambda);
        SpawnedCommand::new(program, words, environ, output, move || {
            if let Some(lambda) = lambda.upgrade() {
                lambda.runtime_exited();
            }
        })
    }
}

/// The extensions that there are: those of the layers, or foreword's own.
pub fn extensions(has_layers: bool, wants_own: bool) -> Vec<(String, OsString)> {
    let mut found = Vec::new();
    if has_layers {
        let listed = std::fs::read_dir(EXTENSIONS).into_iter().flatten().flatten();
        let files = listed.filter(|entry| entry.path().is_file());
        found.extend(
            files.map(|entry| {
                (entry.file_name().to_string_lossy().into_owned(), entry.path().into())
            }),
        );
        found.sort();
    }
    if wants_own && !found.iter().any(|(name, _)| name == FOREWORD_EXTENSION) {
        found.push((FOREWORD_EXTENSION.to_owned(), THIS_PROGRAM.into()));
    }
    found
}
