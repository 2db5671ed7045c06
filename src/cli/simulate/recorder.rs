//! Tells a simulation as it happens. What the function and foreword say comes through one pipe, as
//! both go into one log on Lambda; it is read before anything else is state, so that each line
//! stands where it belongs.

use super::event::{LifecycleStage, TimelineEvent};
use super::hooks::ExpectedHooks;
use super::json;
use super::log_line::{self, HookLine, LogLine};
use super::text;
use crate::cli::printer::Colors;
use crate::phase::Phase;
use crate::process::{Latch, PollFd, PollFlags, is_ready, wait};
use crate::report::HookOutcome;
use crate::simulated_lambda::Lambda;
use crate::simulated_lambda::telemetry::LogSource;
use std::io::{PipeReader, PipeWriter, Read, Stdout, Write, pipe, stdout};
use std::mem::take;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a pipe holds at most (pipe(7)).
const PIPE: usize = 64 << 10;

/// A longer line is state in parts, as in Lambda's log.
const LONGEST: usize = 256 << 10;

/// How what happens is state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimelineFormat {
    Text(Colors),
    Json,
}

pub struct Recorder {
    /// What the function says, and what the extensions say.
    output: [(LogSource, PipeReader); 2],
    state: Mutex<RecorderState>,
}

/// The ends of the recorder's pipes for what is started.
pub struct OutputPipes {
    pub function: PipeWriter,
    pub extensions: PipeWriter,
}

struct RecorderState {
    format: TimelineFormat,
    to: Stdout,
    /// The beginning of a line that is not complete, of the function's and of the extensions'.
    partial_lines: [Vec<u8>; 2],
    stage: Option<RunningStage>,
    is_successful: bool,
    hooks: ExpectedHooks,
    /// The Lambda whose subscribers get the log.
    lambda: Weak<Lambda>,
}

struct RunningStage {
    stage: LifecycleStage,
    begin: Instant,
    limit: Option<Duration>,
    runtime: Option<RuntimeActivity>,
    /// When the last of its hooks ended.
    last_hook: Option<Instant>,
}

/// What the runtime does by itself while no hook of foreword's runs.
struct RuntimeActivity {
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
    pub fn new(
        format: TimelineFormat,
        hooks: ExpectedHooks,
    ) -> std::io::Result<(Self, OutputPipes)> {
        let (of_function, function) = pipe()?;
        let (of_extensions, extensions) = pipe()?;
        let state = RecorderState {
            format,
            to: stdout(),
            partial_lines: Default::default(),
            stage: None,
            is_successful: true,
            hooks,
            lambda: Weak::new(),
        };
        let output = [(LogSource::Function, of_function), (LogSource::Extension, of_extensions)];
        Ok((Self { output, state: Mutex::new(state) }, OutputPipes { function, extensions }))
    }

    /// From now on the log is that of this Lambda's environment.
    pub fn attach(&self, lambda: &Arc<Lambda>) {
        let mut state = self.lock();
        state.lambda = Arc::downgrade(lambda);
        state.hooks.reset();
    }

    /// Tells which hook was still running, in a process of foreword's, when its time was over.
    pub fn record_timed_out_hook(&self, phases: &[Phase], why: &str) -> Option<String> {
        let mut state = self.lock();
        let (phase, name) = state.hooks.next_due(phases)?;
        let since = state.stage.as_ref().map(|running| running.last_hook.unwrap_or(running.begin));
        let took = since.map(|since| since.elapsed());
        let what = format!("was cut off after {} ms: {why}", took.unwrap_or_default().as_millis());
        let shown = format!("hook {name:?} ({}) was still running", phase.name());
        state.record_hook(&HookLine { phase, name, outcome: HookOutcome::Timeout, took, what });
        Some(shown)
    }

    /// The hooks of a phase that should have run in this environment and did not end in it.
    pub fn missing_hooks(&self, phase: Phase) -> Vec<String> {
        self.lock().hooks.missing(phase)
    }

    /// Tells lines as they come, until it is over.
    pub fn follow(&self, over: &Latch) {
        while !over.is_set() {
            let watched = [self.output[0].1.as_fd(), self.output[1].1.as_fd(), over.as_fd()];
            if wait(&mut watched.map(|one| PollFd::new(one, PollFlags::POLLIN)), None).is_err() {
                return;
            }
            drop(self.lock());
        }
    }

    pub fn begin_stage(&self, stage: LifecycleStage, limit: Option<Duration>) {
        let mut state = self.lock();
        state.record(&TimelineEvent::StageBegin { stage, limit });
        state.stage = Some(RunningStage {
            stage,
            begin: Instant::now(),
            limit,
            runtime: None,
            last_hook: None,
        });
    }

    /// From now on the runtime does this.
    pub fn runtime_starts(&self, what: &'static str) {
        if let Some(running) = &mut self.lock().stage {
            running.runtime = Some(RuntimeActivity { what, since: Instant::now(), took: None });
        }
    }

    /// Ends the stage that has begun.
    pub fn end_stage(&self) {
        let mut state = self.lock();
        state.runtime_pauses(Duration::ZERO);
        if let Some(RunningStage { stage, begin, limit, runtime, .. }) = state.stage.take() {
            if let (Some(RuntimeActivity { what, took: Some(took), .. }), Some(limit)) =
                (runtime, limit)
            {
                state.record(&TimelineEvent::Runtime { what, took, limit });
            }
            state.record(&TimelineEvent::StageEnd { stage, took: begin.elapsed(), limit });
        }
    }

    pub fn record(&self, event: &TimelineEvent) {
        self.lock().record(event);
    }

    /// Tells what went wrong, so that not all went well; what the runtime did then is not of
    /// interest any more.
    pub fn problem(&self, problem: &str) {
        let mut state = self.lock();
        state.mark_failed();
        state.record(&TimelineEvent::Problem(problem));
    }

    /// Tells of an error, with which not all went well.
    pub fn error(&self, event: &TimelineEvent) {
        let mut state = self.lock();
        state.mark_failed();
        state.record(event);
    }

    /// Tells whether all went well so far, when nothing more is to come; gives it.
    pub fn finish(&self) -> bool {
        let mut state = self.lock();
        let is_successful = state.is_successful;
        state.record(&TimelineEvent::Result { is_successful });
        is_successful
    }

    /// Tells what is left of a line that nobody will end.
    pub fn flush(&self) {
        let mut state = self.lock();
        for (index, (source, _)) in self.output.iter().enumerate() {
            if !state.partial_lines[index].is_empty() {
                let rest = take(&mut state.partial_lines[index]);
                state.record_line(*source, &rest);
            }
        }
    }

    /// What is in the pipe is state first.
    fn lock(&self) -> MutexGuard<'_, RecorderState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, (source, output)) in self.output.iter().enumerate() {
            let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
            if wait(&mut watched, Some(Instant::now())).is_ok() && is_ready(&watched[0]) {
                // To read until there is no more would never end with one who never stops.
                let mut piece = vec![0; PIPE];
                let length = { output }.read(&mut piece).unwrap_or_default();
                state.split_lines(index, *source, &piece[..length]);
            }
        }
        state
    }
}

impl RecorderState {
    fn split_lines(&mut self, index: usize, source: LogSource, piece: &[u8]) {
        self.partial_lines[index].extend_from_slice(piece);
        while let Some(end) = self.partial_lines[index].iter().position(|&byte| byte == b'\n') {
            let line: Vec<_> = self.partial_lines[index].drain(..=end).collect();
            self.record_line(source, &line[..end]);
        }
        if self.partial_lines[index].len() >= LONGEST {
            let rest = take(&mut self.partial_lines[index]);
            self.record_line(source, &rest);
        }
    }

    fn record_line(&mut self, source: LogSource, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if let Some(lambda) = self.lambda.upgrade() {
            lambda.shared.telemetry.log(source, &line);
        }
        // What a command wrote last may have no line end.
        let (unended, line) = log_line::split_hook_line(&line);
        if !unended.is_empty() {
            self.record(&TimelineEvent::LogLine(unended));
        }
        match log_line::parse(line) {
            LogLine::Hook(hook) => self.record_hook(&hook),
            LogLine::Foreword(message) => self.record(&TimelineEvent::ForewordLine(&message)),
            // Python's client keeps a record of several lines together in this way.
            LogLine::Other => line
                .trim_end_matches('\r')
                .split('\r')
                .for_each(|line| self.record(&TimelineEvent::LogLine(line))),
        }
    }

    fn record_hook(&mut self, hook: &HookLine) {
        let own = self.hooks.mark_ended(hook.phase, &hook.name);
        if let Some(running) = &mut self.stage {
            running.last_hook = Some(Instant::now());
        }
        if !hook.is_tolerated() {
            self.is_successful = false;
        }
        let now = Instant::now();
        match hook.phase {
            // The first of them ends what the runtime did by itself.
            Phase::BeforeSnapshot => self.runtime_pauses(hook.took.unwrap_or_default()),
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
        self.record(&TimelineEvent::Hook { hook, limit });
    }

    /// What the runtime does is over, so long ago.
    fn runtime_pauses(&mut self, ago: Duration) {
        if let Some(runtime) = self.stage.as_mut().and_then(|running| running.runtime.as_mut()) {
            runtime.took.get_or_insert_with(|| runtime.since.elapsed().saturating_sub(ago));
        }
    }

    fn mark_failed(&mut self) {
        self.is_successful = false;
        if let Some(running) = &mut self.stage {
            running.runtime = None;
        }
    }

    fn record(&mut self, event: &TimelineEvent) {
        let text = match self.format {
            TimelineFormat::Text(colors) => text::render(event, colors),
            TimelineFormat::Json => json::render(event),
        };
        // Whether anybody reads it changes nothing.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }
}
