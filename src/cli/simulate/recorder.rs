//! Tells a simulation as it happens. What the function and foreword say comes through one pipe, as
//! both go into one log on Lambda; it is read before anything else is told, so that each line
//! stands where it belongs.

use super::hooks::Hooks;
use super::json;
use super::line::{self, HookLine, Line};
use super::moment::{Moment, Stage};
use super::text;
use crate::cli::colors::Colors;
use crate::config::Phase;
use crate::process::{Latch, PollFd, PollFlags, happened, wait};
use crate::report::HookOutcome;
use crate::simulated_lambda::Lambda;
use crate::simulated_lambda::telemetry::Source;
use std::io::{PipeReader, PipeWriter, Read, Stdout, Write, pipe, stdout};
use std::mem::take;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a pipe holds at most (pipe(7)).
const PIPE: usize = 64 << 10;

/// A longer line is told in parts, as in Lambda's log.
const LONGEST: usize = 256 << 10;

/// How what happens is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text(Colors),
    Json,
}

pub struct Recorder {
    /// What the function says, and what the extensions say.
    said: [(Source, PipeReader); 2],
    told: Mutex<Told>,
}

/// The ends of the recorder's pipes for what is started.
pub struct Writers {
    pub function: PipeWriter,
    pub extensions: PipeWriter,
}

struct Told {
    format: Format,
    to: Stdout,
    /// The beginning of a line that is not complete, of the function's and of the extensions'.
    rests: [Vec<u8>; 2],
    stage: Option<Running>,
    is_well: bool,
    hooks: Hooks,
    /// The Lambda whose subscribers get the log.
    lambda: Weak<Lambda>,
}

struct Running {
    stage: Stage,
    begin: Instant,
    limit: Option<Duration>,
    runtime: Option<Runtime>,
    /// When the last of its hooks ended.
    last_hook: Option<Instant>,
}

/// What the runtime does by itself while no hook of foreword's runs.
struct Runtime {
    what: &'static str,
    since: Instant,
    /// How long, once that is over.
    took: Option<Duration>,
}

impl Recorder {
    /// Comes with the ends of the pipes for what is started.
    ///
    /// # Errors
    /// When there is no descriptor left for them.
    pub fn new(format: Format, hooks: Hooks) -> std::io::Result<(Self, Writers)> {
        let (of_function, function) = pipe()?;
        let (of_extensions, extensions) = pipe()?;
        let told = Told {
            format,
            to: stdout(),
            rests: Default::default(),
            stage: None,
            is_well: true,
            hooks,
            lambda: Weak::new(),
        };
        let said = [(Source::Function, of_function), (Source::Extension, of_extensions)];
        Ok((Self { said, told: Mutex::new(told) }, Writers { function, extensions }))
    }

    /// From now on the log is that of this Lambda's environment.
    pub fn concerns(&self, lambda: &Arc<Lambda>) {
        let mut told = self.told();
        told.lambda = Arc::downgrade(lambda);
        told.hooks.begin();
    }

    /// Tells which hook was still running, in a process of foreword's, when its time was over.
    pub fn cut_off(&self, phases: &[Phase], why: &str) -> Option<String> {
        let mut told = self.told();
        let (phase, name) = told.hooks.next_of(phases)?;
        let since = told.stage.as_ref().map(|running| running.last_hook.unwrap_or(running.begin));
        let took = since.map(|since| since.elapsed());
        let what = format!("was cut off after {} ms: {why}", took.unwrap_or_default().as_millis());
        let shown = format!("hook {name:?} ({}) was still running", phase.name());
        told.hook(&HookLine { phase, name, outcome: HookOutcome::Timeout, took, what });
        Some(shown)
    }

    /// The hooks of a phase that should have run in this environment and did not end in it.
    pub fn missing(&self, phase: Phase) -> Vec<String> {
        self.told().hooks.missing(phase)
    }

    /// Tells lines as they come, until it is over.
    pub fn follow(&self, over: &Latch) {
        while !over.is_set() {
            let watched = [self.said[0].1.as_fd(), self.said[1].1.as_fd(), over.as_fd()];
            if wait(&mut watched.map(|one| PollFd::new(one, PollFlags::POLLIN)), None).is_err() {
                return;
            }
            drop(self.told());
        }
    }

    pub fn begin(&self, stage: Stage, limit: Option<Duration>) {
        let mut told = self.told();
        told.tell(&Moment::Stage { stage, limit });
        told.stage =
            Some(Running { stage, begin: Instant::now(), limit, runtime: None, last_hook: None });
    }

    /// From now on the runtime does this.
    pub fn runtime_runs(&self, what: &'static str) {
        if let Some(running) = &mut self.told().stage {
            running.runtime = Some(Runtime { what, since: Instant::now(), took: None });
        }
    }

    /// Ends the stage that has begun.
    pub fn end(&self) {
        let mut told = self.told();
        told.runtime_rests(Duration::ZERO);
        if let Some(Running { stage, begin, limit, runtime, .. }) = told.stage.take() {
            if let (Some(Runtime { what, took: Some(took), .. }), Some(limit)) = (runtime, limit) {
                told.tell(&Moment::Runtime { what, took, limit });
            }
            told.tell(&Moment::End { stage, took: begin.elapsed(), limit });
        }
    }

    pub fn tell(&self, moment: &Moment) {
        self.told().tell(moment);
    }

    /// Tells what went wrong, so that not all went well; what the runtime did then is not of
    /// interest any more.
    pub fn problem(&self, problem: &str) {
        let mut told = self.told();
        told.fail();
        told.tell(&Moment::Problem(problem));
    }

    /// Tells of an error, with which not all went well.
    pub fn error(&self, moment: &Moment) {
        let mut told = self.told();
        told.fail();
        told.tell(moment);
    }

    /// Tells whether all went well so far, when nothing more is to come; gives it.
    pub fn result(&self) -> bool {
        let mut told = self.told();
        let is_well = told.is_well;
        told.tell(&Moment::Result { is_well });
        is_well
    }

    /// Tells what is left of a line that nobody will end.
    pub fn flush(&self) {
        let mut told = self.told();
        for (index, (source, _)) in self.said.iter().enumerate() {
            if !told.rests[index].is_empty() {
                let rest = take(&mut told.rests[index]);
                told.line(*source, &rest);
            }
        }
    }

    /// What is in the pipe is told first.
    fn told(&self) -> MutexGuard<'_, Told> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, (source, said)) in self.said.iter().enumerate() {
            let mut watched = [PollFd::new(said.as_fd(), PollFlags::POLLIN)];
            if wait(&mut watched, Some(Instant::now())).is_ok() && happened(&watched[0]) {
                // To read until there is no more would never end with one who never stops.
                let mut piece = vec![0; PIPE];
                let length = { said }.read(&mut piece).unwrap_or_default();
                told.take(index, *source, &piece[..length]);
            }
        }
        told
    }
}

impl Told {
    fn take(&mut self, index: usize, source: Source, piece: &[u8]) {
        self.rests[index].extend_from_slice(piece);
        while let Some(end) = self.rests[index].iter().position(|&byte| byte == b'\n') {
            let line: Vec<_> = self.rests[index].drain(..=end).collect();
            self.line(source, &line[..end]);
        }
        if self.rests[index].len() >= LONGEST {
            let rest = take(&mut self.rests[index]);
            self.line(source, &rest);
        }
    }

    fn line(&mut self, source: Source, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if let Some(lambda) = self.lambda.upgrade() {
            lambda.shared.telemetry.log(source, &line);
        }
        // What a command wrote last may have no line end.
        let (unended, line) = line::split(&line);
        if !unended.is_empty() {
            self.tell(&Moment::Log(unended));
        }
        match line::read(line) {
            Line::Hook(hook) => self.hook(&hook),
            Line::Foreword(message) => self.tell(&Moment::Foreword(&message)),
            // Python's client keeps a record of several lines together in this way.
            Line::Foreign => line
                .trim_end_matches('\r')
                .split('\r')
                .for_each(|line| self.tell(&Moment::Log(line))),
        }
    }

    fn hook(&mut self, hook: &HookLine) {
        let own = self.hooks.ended(hook.phase, &hook.name);
        if let Some(running) = &mut self.stage {
            running.last_hook = Some(Instant::now());
        }
        if !hook.is_tolerated() {
            self.is_well = false;
        }
        let now = Instant::now();
        match hook.phase {
            // The first of them ends what the runtime did by itself.
            Phase::BeforeSnapshot => self.runtime_rests(hook.took.unwrap_or_default()),
            // The last of them begins it.
            Phase::Initialize | Phase::AfterRestore => {
                if let Some(runtime) =
                    self.stage.as_mut().and_then(|running| running.runtime.as_mut())
                {
                    runtime.since = now;
                }
            }
            Phase::PreStop => {}
        }
        let limit = match hook.phase {
            Phase::Initialize => self.stage.as_ref().and_then(|running| running.limit),
            Phase::BeforeSnapshot | Phase::AfterRestore => hook.phase.budget(),
            Phase::PreStop => self.stage.as_ref().and_then(|running| running.limit),
        };
        let usual = hook.phase.default_timeout();
        let limit = match (own, limit) {
            (Some(None), limit) => limit.unwrap_or(usual),
            (Some(Some(own)), limit) => limit.map_or(own, |limit| limit.min(own)),
            (None, limit) => limit.map_or(usual, |limit| limit.min(usual)),
        };
        self.tell(&Moment::Hook { hook, limit });
    }

    /// What the runtime does is over, so long ago.
    fn runtime_rests(&mut self, ago: Duration) {
        if let Some(runtime) = self.stage.as_mut().and_then(|running| running.runtime.as_mut()) {
            runtime.took.get_or_insert_with(|| runtime.since.elapsed().saturating_sub(ago));
        }
    }

    fn fail(&mut self) {
        self.is_well = false;
        if let Some(running) = &mut self.stage {
            running.runtime = None;
        }
    }

    fn tell(&mut self, moment: &Moment) {
        let text = match self.format {
            Format::Text(colors) => text::shown(moment, colors),
            Format::Json => json::shown(moment),
        };
        // Whether anybody reads it changes nothing.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }
}
