//! `foreword simulate`: a Lambda on this machine that takes a function, its wrapper and its
//! extensions from the init through snapshot and restore to the shutdown, tells what happens as it
//! does, and fails when something did not go well.

mod base64;
mod credentials;
mod environment;
mod event;
mod failure;
mod function_env;
mod hooks;
mod interruption;
mod json;
mod lifecycle;
mod log_line;
mod packages;
mod platform;
mod recorder;
mod sandbox;
mod secrets;
mod start;
mod text;
mod wrapper_plan;

use super::USAGE_ERROR;
use super::layer::{Layer, MergedLayers};
use super::options::{EventSource, OutputFormat, SimulateOptions};
use super::printer::Colors;
use crate::config;
use crate::environ::Environ;
use crate::files;
use crate::lambda::{self, FOREWORD, FUNCTION_NAME};
use crate::phase::Phase;
use crate::plan;
use crate::process::{self, Descendants, Latch, Watch};
use event::TimelineEvent;
use hooks::ExpectedHooks;
use interruption::Interruption;
use recorder::{OutputPipes, Recorder, TimelineFormat};
use sandbox::Sandbox;
use secrets::ShellCredentials;
use start::RuntimeStart;
use std::ffi::OsString;
use std::fs;
use std::io::stderr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

/// The exit status when something did not go well.
const FAILED: i32 = 1;

pub struct Simulation<'s> {
    options: &'s SimulateOptions,
    given: Environ<'s>,
    /// Its name.
    function: String,
    events: Vec<String>,
    /// Names and programs.
    extensions: Vec<(String, OsString)>,
    /// True if a layer has the wrapper, which then runs in place of this program.
    wrapper_of_layer: bool,
    start: RuntimeStart,
    sandbox: Sandbox,
    recorder: Recorder,
    /// The pipes for the output of function and extensions.
    output: OutputPipes,
    descendants: Descendants,
    interruption: Interruption,
    /// The number of events that were handed out.
    event_count: AtomicUsize,
}

/// The reasons why there is no simulation.
enum SimulateError {
    /// A usage error.
    Usage(String),
    Unable(String),
}

impl From<String> for SimulateError {
    fn from(message: String) -> Self {
        Self::Unable(message)
    }
}

/// Gives the exit status.
pub fn run(options: &SimulateOptions, environ: &Environ) -> i32 {
    simulate(options, environ).unwrap_or_else(|refusal| match refusal {
        SimulateError::Usage(message) => {
            super::print(stderr(), &format!("error: {message}\n"), USAGE_ERROR)
        }
        SimulateError::Unable(message) => {
            super::print(stderr(), &format!("foreword: unable to simulate: {message}\n"), FAILED)
        }
    })
}

impl From<String> for EventSource {
    /// `@FILE`, or JSON.
    fn from(argument: String) -> Self {
        match argument.strip_prefix('@') {
            Some(file) => Self::File(file.into()),
            None => Self::Json(argument),
        }
    }
}

/// Reads the events; there is one empty object when none was given.
fn read_events(sources: &[EventSource]) -> Result<Vec<String>, String> {
    let read = |source: &EventSource| {
        let (event, name) = match source {
            EventSource::File(file) => {
                let event = fs::read_to_string(file).map_err(|error| {
                    format!("unable to read the event {file:?}: {}", process::cause(&error))
                })?;
                (event, format!("@{}", file.display()))
            }
            EventSource::Json(json) => (json.clone(), json.clone()),
        };
        let event = event.trim_start_matches('\u{feff}');
        match serde_json::from_str::<serde_json::Value>(event) {
            Ok(_) => Ok(event.trim().to_owned()),
            Err(error) => Err(format!(
                "unable to parse the event {name:?}: {error}; @FILE reads it from a file"
            )),
        }
    };
    let events: Vec<_> = sources.iter().map(read).collect::<Result<_, _>>()?;
    Ok(if events.is_empty() { vec!["{}".to_owned()] } else { events })
}

fn simulate(options: &SimulateOptions, user: &Environ) -> Result<i32, SimulateError> {
    let unable =
        |what: &str, error: std::io::Error| format!("unable to {what}: {}", process::cause(&error));
    let function = &options.function;
    function
        .runtime
        .as_deref()
        .map_or(Ok(()), lambda::check_runtime)
        .map_err(SimulateError::Usage)?;
    let events = read_events(&options.events).map_err(SimulateError::Usage)?;
    let variables = function.variables(user).map_err(SimulateError::Usage)?;
    let root = function
        .directory(&variables, user)
        .map_err(SimulateError::Usage)?
        .unwrap_or(Path::new("."));
    let root = root
        .canonicalize()
        .map_err(|error| unable(&format!("find the code in {}", root.display()), error))?;
    let layers: Vec<_> =
        options.layers.iter().map(|path| Layer::open(path)).collect::<Result<_, _>>()?;
    let opt = (!layers.is_empty()).then(|| MergedLayers::new(layers));
    let has_layers = opt.is_some();
    let mut given = function_env::function_environ(options, user, &variables, &root);
    let (sandbox, note) =
        Sandbox::prepare(options.snap_start, opt.as_ref(), &root, &function.command, &given)?;
    drop(opt);
    let mut notes = vec![about_sources(&given)];
    notes.extend(note);
    notes.extend(function_env::about_dropped_variable(user, &variables));
    let (mut start, about) = RuntimeStart::resolve(function, &mut given, &root, has_layers)
        .map_err(SimulateError::Usage)?;
    notes.extend(about);
    if let (Some(runtime), true) = (&function.runtime, has_layers) {
        let found = packages::add_layer_packages(runtime, &mut start, &mut given, &root, || {
            sandbox.directory()
        });
        notes.extend(found.unwrap_or_else(|error| {
            Some(format!("packages of layers are not looked for: {}", process::cause(&error)))
        }));
    }
    let shell_credentials = ShellCredentials::find(&given, options.snap_start);
    if options.snap_start {
        let about = credentials::serve_from_endpoint(&mut given)
            .map_err(|error| unable("hand out credentials", error))?;
        notes.extend(about);
    }
    let format = match options.format {
        OutputFormat::Text => TimelineFormat::Text(Colors::of(std::io::stdout(), user)),
        OutputFormat::Json => TimelineFormat::Json,
    };
    let hooks = ExpectedHooks::from_configuration(&start.received_command(), &given);
    let wrapper_of_layer = has_layers && Path::new(FOREWORD).exists();
    notes.extend(secrets::describe(&start, &given, shell_credentials, wrapper_of_layer));
    let extensions = environment::extensions(has_layers, !has_layers && has_pre_stop_hooks(&given));
    let has_own = extensions.iter().any(|(name, _)| name == environment::FOREWORD_EXTENSION);
    let lacks_extension = hooks.has(Phase::PreStop) && !has_own;

    let (recorder, output) =
        Recorder::new(format, hooks).map_err(|error| unable("make a pipe", error))?;
    let descendants =
        process::adopt_descendants().map_err(|error| unable("adopt processes", error))?;
    // Before there are threads, which inherit it: signals arrive in one of them and nowhere else.
    let watch = Watch::start().map_err(|errno| unable("watch signals", errno.into()))?;
    let over = Latch::new().map_err(|errno| unable("watch signals", errno.into()))?;
    let interruption = Interruption::default();
    let simulation = Simulation {
        options,
        function: given.lossy(FUNCTION_NAME).unwrap_or_default().into_owned(),
        given,
        events,
        extensions,
        wrapper_of_layer,
        start,
        sandbox,
        recorder,
        output,
        descendants,
        interruption,
        event_count: AtomicUsize::new(0),
    };
    let recorder = &simulation.recorder;
    notes.iter().for_each(|note| recorder.record(&TimelineEvent::Note(note)));
    if lacks_extension {
        recorder.problem(
            "pre_stop hooks do not run: none of these layers has foreword's extension; add the \
             layer foreword-prestop with --layer",
        );
    }
    scope(|scope| {
        scope.spawn(|| recorder.follow(&over));
        scope.spawn(|| {
            watch.wait_for(&over).inspect(|&signal| simulation.interruption.set_signal(signal))
        });
        for number in 1..=options.restores {
            if options.restores > 1 {
                recorder.record(&TimelineEvent::Environment { number, of: options.restores });
            }
            simulation.run_environment();
            if simulation.interruption.signal().is_some() {
                break;
            }
        }
        over.set();
    });
    let interrupted = simulation.interruption.signal();
    if let Some(signal) = interrupted {
        recorder.problem(&format!("interrupted by {signal}"));
    }
    let is_successful = recorder.finish();
    Ok(match interrupted {
        Some(signal) => 128 + signal as i32,
        None if is_successful => 0,
        None => FAILED,
    })
}

/// Returns a note with the configuration that the wrapper reads; if it reads none because of an
/// error, the wrapper says so.
fn about_sources(environ: &Environ) -> String {
    if config::is_disabled(environ) {
        return "configuration: none is read, FOREWORD_DISABLED is set".into();
    }
    match config::read_sources(environ) {
        Ok(sources) if sources.is_empty() => {
            let (dropins, root) = (config::dropin_dir(environ), config::task_root(environ));
            let unset = if environ.non_empty(config::CONFIG_VARIABLE).is_some() {
                "is empty"
            } else {
                "is not set"
            };
            format!(
                "configuration: none in {} and {}, and {} {unset}",
                dropins.display(),
                root.join("foreword.json").display(),
                config::CONFIG_VARIABLE
            )
        }
        Ok(sources) => {
            let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
            format!("configuration: {}", names.join(", "))
        }
        Err(_) => "configuration: it cannot be read".into(),
    }
}

/// Returns whether foreword's extension has anything to do. Of a configuration that is wrong the
/// wrapper tells.
fn has_pre_stop_hooks(environ: &Environ) -> bool {
    let Ok(sources) = config::read_sources(environ) else { return false };
    let documents = config::parse_sources(&sources);
    let exists = |glob: &_| files::has_match(glob, config::task_root(environ));
    !config::is_disabled(environ)
        && config::decode_rules(&documents)
            .is_ok_and(|rules| plan::may_run(&rules, Phase::PreStop, environ, &exists))
}

impl Simulation<'_> {
    fn events_before(&self) -> usize {
        self.event_count.load(Ordering::Relaxed)
    }

    /// Counts an event; returns its number, from 1.
    fn count_event(&self) -> usize {
        self.event_count.fetch_add(1, Ordering::Relaxed) + 1
    }
}
