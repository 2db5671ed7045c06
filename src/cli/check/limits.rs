//! The time that hooks may take, against what Lambda leaves them.

use super::Advice;
use super::rules::{Reached, has_phase};
use super::worlds::{INITIALIZATION, Worlds};
use crate::condition::{Facts, When};
use crate::config::inspect::Step;
use crate::config::{Document, Hook, Phase, Place};
use std::ffi::OsStr;
use std::time::Duration;

/// A hook, and what decides whether and how long it runs.
struct Limited<'r> {
    document: &'r Document<'r>,
    hook: &'r Hook<'r>,
    conditions: Vec<&'r When<'r>>,
    limit: Duration,
}

pub fn advise<'r>(rules: &[Reached<'r>], advice: &mut Vec<Advice<'r>>) {
    for phase in Phase::ALL {
        let of_phase = |reached: &Reached<'r>| {
            let document = reached.document;
            let hooks = reached.hooks().filter(|(hook, _)| hook.phase == phase);
            let limited = move |(hook, conditions)| Limited { document, hook, conditions, limit: limit(hook) };
            hooks.map(limited).collect::<Vec<_>>()
        };
        let hooks: Vec<_> = rules.iter().flat_map(of_phase).collect();
        advise_phase(phase, &hooks, advice);
    }
}

fn advise_phase<'r>(phase: Phase, hooks: &[Limited<'r>], advice: &mut Vec<Advice<'r>>) {
    let (most, whose) = all(phase);
    let counts = |facts: &Facts| {
        let is_on_demand = facts.environ.value(INITIALIZATION) == Some(OsStr::new("on-demand"));
        has_phase(facts, phase) && (phase != Phase::Initialize || is_on_demand)
    };
    let runs = |hook: &Limited, facts: &Facts| hook.conditions.iter().all(|when| when.holds(facts));
    let mut alone = false;
    for hook in hooks.iter().filter(|hook| hook.limit > most) {
        let worlds = Worlds::of(hook.conditions.iter().copied());
        if worlds.is_none_or(|worlds| worlds.any(|facts| counts(facts) && runs(hook, facts)) != Some(false)) {
            alone = true;
            let (name, limit, most) = (hook.hook.name, seconds(hook.limit), seconds(most));
            let message = format!("the hook {name:?} may take {limit}, and {whose} {most}; lower its \"timeout_ms\"");
            advice.push(Advice::warning(hook.place(), message));
        }
    }
    if alone {
        return;
    }
    // The sum of those that run in one world, where it is largest, and the hook that takes it past the limit.
    let mut worst: Option<(Duration, &Limited)> = None;
    let mut sum = |is_counted: &dyn Fn(&Limited) -> bool| {
        let (mut total, mut first) = (Duration::ZERO, None);
        for hook in hooks.iter().filter(|hook| is_counted(hook)) {
            total += hook.limit;
            first = first.or(Some(hook).filter(|_| total > most));
        }
        if let Some(hook) = first
            && worst.is_none_or(|(worst, _)| worst < total)
        {
            worst = Some((total, hook));
        }
    };
    match Worlds::of(hooks.iter().flat_map(|hook| hook.conditions.iter().copied())) {
        None => sum(&|hook| hook.conditions.is_empty()),
        Some(worlds) => worlds.each(&mut |facts| {
            if counts(facts) {
                sum(&|hook| runs(hook, facts));
            }
        }),
    }
    if let Some((total, hook)) = worst {
        let (name, total, most) = (phase.name(), seconds(total), seconds(most));
        let message =
            format!("with this one, the {name} hooks may take {total}, and {whose} {most}; lower their limits");
        advice.push(Advice::warning(hook.place(), format!("{message} (\"timeout_ms\")")));
    }
}

impl<'r> Limited<'r> {
    fn place(&self) -> Place<'r> {
        self.document.inside(self.hook.place, &[Step::Member("timeout_ms")])
    }
}

/// What a hook may take; one that has what is left to it takes nothing from others.
fn limit(hook: &Hook) -> Duration {
    match (hook.timeout, hook.phase) {
        (Some(limit), _) => limit,
        (None, Phase::Initialize | Phase::BeforeSnapshot) => hook.phase.default_timeout(),
        (None, Phase::AfterRestore | Phase::PreStop) => Duration::ZERO,
    }
}

/// What all hooks of a phase have together, and who says so (AWS's documentation, "Lambda execution environment").
fn all(phase: Phase) -> (Duration, &'static str) {
    match phase {
        Phase::Initialize => (Duration::from_secs(10), "an on-demand function has an init phase of"),
        Phase::BeforeSnapshot => (Duration::from_secs(120), "before a snapshot there are"),
        Phase::AfterRestore => (Duration::from_secs(8), "of the 10 s that Lambda gives a restore, hooks have"),
        Phase::PreStop => (Duration::from_secs(2), "Lambda ends an environment within"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
