//! All rules of a configuration in the order in which they apply, each with the conditions that it
//! is under. Says which of them, and which hooks, no function will ever meet.

use super::Diagnostic;
use super::scenarios::Scenarios;
use crate::condition::{Facts, When};
use crate::config::inspect::Step;
use crate::config::{Document, Hook, Place, Rule};
use crate::lambda::{INITIALIZATION, SNAP_START};
use crate::phase::Phase;
use std::ffi::OsStr;

/// A rule among all.
pub struct ReachableRule<'r> {
    pub document: &'r Document<'r>,
    pub rule: &'r Rule<'r>,
    /// Those of the rules around it and its own, as far as they ask for something.
    pub conditions: Vec<&'r When<'r>>,
    /// The descriptions of the rules around it and its own.
    pub descriptions: Vec<&'r str>,
}

impl<'r> ReachableRule<'r> {
    /// A rule and all rules in it; of those that can never apply only the outermost.
    pub fn all(
        document: &'r Document<'r>,
        rule: &'r Rule<'r>,
        diagnostics: &mut Vec<Diagnostic<'r>>,
    ) -> Vec<Self> {
        let mut all = Vec::new();
        add(document, rule, (&[], &[]), &mut all, diagnostics);
        all
    }

    /// The hooks of the rule, with the conditions that they are under.
    pub fn hooks(&self) -> impl Iterator<Item = (&'r Hook<'r>, Vec<&'r When<'r>>)> {
        self.rule.hooks.iter().map(|hook| (hook, with(&self.conditions, &hook.when)))
    }

    /// Where a value of the rule stands.
    pub fn place(&self, name: &str) -> Place<'r> {
        self.document.inside(self.rule.place, &[Step::Member(name), Step::First])
    }
}

fn add<'r>(
    document: &'r Document<'r>,
    rule: &'r Rule<'r>,
    (around, described): (&[&'r When<'r>], &[&'r str]),
    all: &mut Vec<ReachableRule<'r>>,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let conditions = with(around, &rule.when);
    if possible(&conditions) == Some(false) {
        let place = document.inside(rule.place, &[Step::Member("when")]);
        let hooks = if has_hooks(rule) { ", and no phase will run its hooks" } else { "" };
        let message = format!(
            "this condition and those around it never hold together: the rule never \
             applies{hooks}; correct one of them or remove the rule"
        );
        return diagnostics.push(Diagnostic::warning(place, message));
    }
    let own = document.text(rule.place, "description");
    let descriptions = described.iter().copied().chain(own).collect();
    let rule_in_context = ReachableRule { document, rule, conditions, descriptions };
    for (hook, conditions) in rule_in_context.hooks() {
        diagnostics.extend(never_runs(document, hook, &conditions));
    }
    let (conditions, descriptions) =
        (rule_in_context.conditions.clone(), rule_in_context.descriptions.clone());
    all.push(rule_in_context);
    for nested in &rule.rules {
        add(document, nested, (&conditions, &descriptions), all, diagnostics);
    }
}

fn never_runs<'r>(
    document: &'r Document<'r>,
    hook: &'r Hook<'r>,
    conditions: &[&'r When<'r>],
) -> Option<Diagnostic<'r>> {
    if runs(hook.phase, conditions) != Some(false) {
        return None;
    }
    let why = match possible(conditions) {
        Some(false) => "its condition and those around it never hold together".into(),
        _ => format!(
            "the phase {} is there only where \"initialization\" is snap-start",
            hook.phase.name()
        ),
    };
    let place = document.inside(hook.place, &[Step::Member("when")]);
    Some(Diagnostic::warning(
        place,
        format!(
            "no phase will run the hook {:?}: {why}; correct the condition or remove the hook",
            hook.name
        ),
    ))
}

/// Whether an environment goes through a phase under all of these conditions, as far as that can be
/// told.
pub fn runs<'r>(phase: Phase, conditions: &[&'r When<'r>]) -> Option<bool> {
    let scenarios = Scenarios::of(conditions.iter().copied())?;
    scenarios
        .any(|facts| has_phase(facts, phase) && conditions.iter().all(|when| when.holds(facts)))
}

/// Whether an environment goes through a phase.
pub fn has_phase(facts: &Facts, phase: Phase) -> bool {
    let is_snap_start = facts.environ.value(INITIALIZATION) == Some(OsStr::new(SNAP_START));
    is_snap_start || matches!(phase, Phase::Initialize | Phase::PreStop)
}

/// Whether all conditions can hold at once, as far as that can be told.
pub fn possible<'r>(conditions: &[&'r When<'r>]) -> Option<bool> {
    Scenarios::of(conditions.iter().copied())?
        .any(|facts| conditions.iter().all(|when| when.holds(facts)))
}

fn with<'r>(conditions: &[&'r When<'r>], when: &'r When<'r>) -> Vec<&'r When<'r>> {
    conditions.iter().copied().chain(Some(when).filter(|when| !when.is_empty())).collect()
}

fn has_hooks(rule: &Rule) -> bool {
    !rule.hooks.is_empty() || rule.rules.iter().any(has_hooks)
}
