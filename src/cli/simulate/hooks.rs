//! The hooks that the configuration gives an environment: the limit of each, and which have ended.

use super::wrapper_plan;
use crate::environ::Environ;
use crate::phase::Phase;
use crate::plan::Plan;
use std::ffi::OsString;
use std::time::Duration;

/// The hooks in execution order, phase by phase.
#[derive(Default)]
pub struct ExpectedHooks {
    expected: Vec<ExpectedHook>,
}

struct ExpectedHook {
    phase: Phase,
    name: String,
    /// `None` for a hook in the background without a limit of its own.
    limit: Option<Duration>,
    is_in_background: bool,
    has_ended: bool,
}

impl ExpectedHooks {
    /// Returns the hooks that the wrapper will find; none if the configuration has errors, which
    /// the wrapper reports.
    pub fn from_configuration(command: &[OsString], environ: &Environ) -> Self {
        wrapper_plan::read(command, environ, Self::from_plan).unwrap_or_default()
    }

    fn from_plan(plan: &Plan) -> Self {
        let hooks = Phase::ALL.into_iter().flat_map(|phase| plan.hooks(phase));
        let expected = hooks.map(|hook| ExpectedHook {
            phase: hook.phase,
            name: hook.name.to_string(),
            limit: hook.limit(),
            is_in_background: hook.background,
            has_ended: false,
        });
        Self { expected: expected.collect() }
    }

    pub fn has(&self, phase: Phase) -> bool {
        self.expected.iter().any(|hook| hook.phase == phase)
    }

    /// Begins another environment, in which no hook has run.
    pub fn reset(&mut self) {
        self.expected.iter_mut().for_each(|hook| hook.has_ended = false);
    }

    /// Notes that a hook has ended; returns its own limit, if it has one, or `None` for an unknown
    /// hook.
    pub fn mark_ended(&mut self, phase: Phase, name: &str) -> Option<Option<Duration>> {
        let is_it = |hook: &&mut ExpectedHook| hook.phase == phase && hook.name == name;
        let mut known = self.expected.iter_mut().filter(is_it);
        let hook = known.find(|hook| !hook.has_ended)?;
        hook.has_ended = true;
        Some(hook.limit)
    }

    /// Returns the first hook of these phases that foreword waits for and that has not ended.
    pub fn next_due(&self, phases: &[Phase]) -> Option<(Phase, String)> {
        let is_next = |hook: &&ExpectedHook| phases.contains(&hook.phase) && hook.is_due();
        let next = self.expected.iter().find(is_next)?;
        // foreword may be waiting for a hook in the background instead.
        let is_certain = next.phase == Phase::Initialize
            || !self.expected.iter().any(|hook| hook.is_in_background && !hook.has_ended);
        is_certain.then(|| (next.phase, next.name.clone()))
    }

    /// Returns the hooks of a phase that have not ended.
    pub fn missing(&self, phase: Phase) -> Vec<String> {
        let is_missing = |hook: &&ExpectedHook| hook.phase == phase && hook.is_due();
        self.expected.iter().filter(is_missing).map(|hook| hook.name.clone()).collect()
    }
}

impl ExpectedHook {
    fn is_due(&self) -> bool {
        !self.has_ended && !self.is_in_background
    }
}
