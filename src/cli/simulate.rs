//! `foreword simulate`: a Lambda on this machine that takes a function, its wrapper and its extensions from the init through
//! snapshot and restore to the shutdown, tells what happens as it does, and fails when something did not go well.

mod broken;
mod environment;
mod given;
mod interruption;
mod json;
mod lambda;
mod life;
mod line;
mod moment;
mod place;
mod recorder;
mod text;

pub use recorder::Format;

use super::WRONG_USE;
use super::function;
use super::layer::{Layer, Opt};
use crate::config::{self, Phase};
use crate::environ::Environ;
use crate::files;
use crate::plan;
use crate::process::{self, Descendants, Latch, Watch};
use interruption::Interruption;
use moment::Moment;
use place::Place;
use recorder::Recorder;
use std::ffi::OsString;
use std::fs;
use std::io::{PipeWriter, stderr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::Duration;

/// The exit status when something did not go well.
const FAILED: i32 = 1;

pub struct Options {
    pub snap_start: bool,
    /// How many environments are started.
    pub restores: u64,
    /// JSON, or `@` and the file that has it.
    pub events: Vec<String>,
    pub timeout: Duration,
    /// In MB.
    pub memory: u64,
    /// Lambda's identifier, such as `python3.12`.
    pub runtime: Option<String>,
    pub layers: Vec<PathBuf>,
    pub format: Format,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

pub struct Simulation<'s> {
    options: &'s Options,
    given: Environ<'s>,
    events: Vec<String>,
    /// Names and programs.
    extensions: Vec<(String, OsString)>,
    /// Whether a layer has the wrapper, which then takes the place of this program.
    wrapper_of_layer: bool,
    place: Place,
    recorder: Recorder,
    /// Where the function's output goes.
    said: PipeWriter,
    descendants: Descendants,
    interruption: Interruption,
    /// How many there were so far.
    event_count: AtomicUsize,
}

/// Gives the exit status.
pub fn run(options: &Options, environ: &Environ) -> i32 {
    let known = options.runtime.as_deref().map_or(Ok(()), function::known);
    let events = match known.and_then(|()| events(&options.events)) {
        Ok(events) => events,
        Err(message) => return super::print(stderr(), &format!("error: {message}\n"), WRONG_USE),
    };
    simulate(options, events, environ)
        .unwrap_or_else(|message| super::print(stderr(), &format!("foreword: unable to simulate: {message}\n"), FAILED))
}

/// The events' texts; an empty object when there are none.
fn events(named: &[String]) -> Result<Vec<String>, String> {
    let read = |named: &String| {
        let event = match named.strip_prefix('@') {
            Some(file) => fs::read_to_string(file)
                .map_err(|error| format!("unable to read the event {file:?}: {}", process::cause(&error)))?,
            None => named.clone(),
        };
        match serde_json::from_str::<serde_json::Value>(&event) {
            Ok(_) => Ok(event.trim().to_owned()),
            Err(error) => Err(format!("the event {named:?} is no JSON: {error}; @FILE reads it from a file")),
        }
    };
    let events: Vec<_> = named.iter().map(read).collect::<Result<_, _>>()?;
    Ok(if events.is_empty() { vec!["{}".to_owned()] } else { events })
}

fn simulate(options: &Options, events: Vec<String>, user: &Environ) -> Result<i32, String> {
    let unable = |what: &str, error: std::io::Error| format!("unable to {what}: {}", process::cause(&error));
    let layers: Vec<_> = options.layers.iter().map(|path| Layer::open(path)).collect::<Result<_, _>>()?;
    let opt = (!layers.is_empty()).then(|| Opt::new(layers));
    let (place, note) = Place::prepare(options.snap_start, opt.as_ref())?;
    let given = given::environ(options, user).map_err(|error| unable("find the current folder", error))?;
    let wrapper_of_layer = opt.is_some() && Path::new(given::WRAPPER).exists();
    let wants_own = !wrapper_of_layer && has_pre_stop_hooks(&given);
    let extensions = environment::extensions(opt.is_some(), wants_own);
    drop(opt);

    let (recorder, said) = Recorder::new(options.format).map_err(|error| unable("make a pipe", error))?;
    let descendants = process::adopt_descendants().map_err(|error| unable("adopt processes", error))?;
    // Before there are threads, which inherit it: signals arrive in one of them and nowhere else.
    let watch = Watch::start().map_err(|errno| unable("watch signals", errno.into()))?;
    let over = Latch::new().map_err(|errno| unable("watch signals", errno.into()))?;
    let interruption = Interruption::default();
    let simulation = Simulation {
        options,
        given,
        events,
        extensions,
        wrapper_of_layer,
        place,
        recorder,
        said,
        descendants,
        interruption,
        event_count: AtomicUsize::new(0),
    };
    let recorder = &simulation.recorder;
    if let Some(note) = note {
        recorder.tell(&Moment::Note(&note));
    }
    scope(|scope| {
        scope.spawn(|| recorder.follow(&over));
        scope.spawn(|| watch.wait_for(&over).inspect(|&signal| simulation.interruption.arrives(signal)));
        for number in 1..=options.restores {
            if options.restores > 1 {
                recorder.tell(&Moment::Environment { number, of: options.restores });
            }
            simulation.live();
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
    let is_well = recorder.result();
    Ok(match interrupted {
        Some(signal) => 128 + signal as i32,
        None if is_well => 0,
        None => FAILED,
    })
}

/// Whether foreword's extension has anything to do. Of a configuration that is wrong the wrapper tells.
fn has_pre_stop_hooks(environ: &Environ) -> bool {
    let Ok(sources) = config::sources(environ) else { return false };
    let documents = config::documents(&sources);
    let exists = |glob: &_| files::exist(glob, config::task_root(environ));
    !config::disabled(environ)
        && config::rules(&documents).is_ok_and(|rules| plan::may_run(&rules, Phase::PreStop, environ, &exists))
}

impl Simulation<'_> {
    fn events_before(&self) -> usize {
        self.event_count.load(Ordering::Relaxed)
    }

    /// Counts another event; gives its number, from 1.
    fn count_event(&self) -> usize {
        self.event_count.fetch_add(1, Ordering::Relaxed) + 1
    }
}
