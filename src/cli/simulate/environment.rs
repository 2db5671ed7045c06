//! One execution environment: its Runtime API, its extensions and its runtime, from start to end.
//! Limits and order are Lambda's
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>).

mod shutdown;

use super::event::TimelineEvent;
use super::failure::EnvironmentFailure;
use super::start::RuntimeStart;
use super::{Simulation, function_env};
use crate::environ::Environ;
use crate::lambda::{EXTENSIONS, FOREWORD, LAYER_BOOTSTRAP, RUNTIME_API, api};
use crate::phase::Phase;
use crate::process::SpawnedCommand;
use crate::simulated_lambda::runtime_state::ApiCall;
use crate::simulated_lambda::{InvocationResult, Lambda, Parked, Settings, WaitFailure};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shutdown reason of an environment without a failure.
pub const SPINDOWN: &str = "spindown";

/// The name of foreword's extension.
pub const FOREWORD_EXTENSION: &str = "foreword";

/// The work of the runtime itself, also on behalf of the handler.
const LOADS: &str = "loads";
const LOADS_AND_HOOKS: &str = "loads, its own hooks";
const HOOKS: &str = "its own hooks";

/// The path of this program.
const THIS_PROGRAM: &str = "/proc/self/exe";

pub struct ExecutionEnvironment<'s> {
    simulation: &'s Simulation<'s>,
    lambda: Arc<Lambda>,
    extensions: Vec<(String, SpawnedCommand)>,
    runtime: Option<SpawnedCommand>,
    /// The durations of its init and its restore, for the report of its first invocation.
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

    /// Starts extensions and runtime; returns when all of them wait for an event.
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
                        .any(|request| request.header(api::EXTENSION_NAME) == Some(*name))
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
        // The init lasts until each extension asks for an event.
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

    /// Sends an event of the platform to the subscribers of telemetry.
    pub fn emit(&self, kind: &str, record: Value) {
        self.lambda.shared.telemetry.emit(kind, record);
    }

    /// Restores the runtime from the snapshot; returns when it is ready for events.
    pub fn restore(&self, until: Instant) -> Result<(), EnvironmentFailure> {
        self.simulation.recorder.runtime_starts(HOOKS);
        self.wait(until, Lambda::restore)?;
        self.wait(until, Lambda::ready)
    }

    /// Hands an event to the runtime; returns its response.
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

    /// Records the hook of these phases that was running when its time was over; returns that in
    /// words.
    pub fn record_timed_out_hook(&self, phases: &[Phase], why: &str) -> Option<String> {
        let is_running = self.simulation.descendants.has_wrapper_with_child(Path::new(FOREWORD));
        is_running.then(|| self.simulation.recorder.record_timed_out_hook(phases, why)).flatten()
    }

    /// Waits for the runtime; returns the failure if it will not come.
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
        // A report does not end the init: Lambda waits for the end of the runtime.
        let end = self.runtime.as_ref().and_then(|runtime| {
            runtime.wait_for_end(until);
            runtime.end()
        });
        Err(match (report, end) {
            (Some(report), _) => EnvironmentFailure::Reported(report),
            (None, Some(end)) => EnvironmentFailure::Exited(end),
            (None, None) => EnvironmentFailure::TimedOut,
        })
    }

    /// Returns the error type that an extension reported before it ended.
    fn report_of_extension(&self) -> Option<String> {
        let seen = self.lambda.seen();
        let report = seen
            .of(ApiCall::ExtensionInitError)
            .chain(seen.of(ApiCall::ExtensionExitError))
            .next()?;
        report.header(api::EXTENSION_ERROR_TYPE).map(str::to_owned)
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

/// Returns the names and programs of the extensions: those of the layers, or foreword's own.
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
