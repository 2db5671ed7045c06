//! Texts and conditions that want a variable which a function has everywhere but at the init before
//! a snapshot.

use super::Diagnostic;
use super::rules::{ReachableRule, runs};
use super::scenarios::Scenarios;
use crate::cli::snap_start::{
    absent_in_condition_message, absent_in_text_message, required_variables,
};
use crate::cli::unset_variables::UnsetVariable;
use crate::condition::When;
use crate::config::Edit;
use crate::config::inspect::Step;
use crate::config::{Hook, Place};
use crate::environ::Environ;
use crate::lambda::{INITIALIZATION, SNAP_START, variables};
use crate::phase::Phase;
use std::ffi::OsStr;

pub fn check<'r>(rules: &[ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let own = Environ::from_entries([]);
    // What the configuration itself sets by then.
    let mut set: Vec<&str> = Vec::new();
    for rule_in_context in rules {
        conditions(rule_in_context, diagnostics);
        let is_met = is_met(&rule_in_context.conditions);
        for edit in &rule_in_context.rule.env {
            if is_met {
                tell(
                    UnsetVariable::in_edit(&edit.edit, "", &own, false),
                    edit.place,
                    &set,
                    diagnostics,
                );
            }
            if !matches!(edit.edit, Edit::Unset) {
                set.push(edit.name);
            }
        }
    }
    // All others see the final environment.
    for rule_in_context in rules {
        if is_met(&rule_in_context.conditions) {
            tell(
                UnsetVariable::in_rule(rule_in_context.rule, &own),
                rule_in_context.rule.place,
                &set,
                diagnostics,
            );
        }
        for wrapper in rule_in_context
            .rule
            .wrappers
            .iter()
            .filter(|wrapper| is_met(&with(rule_in_context, &wrapper.when)))
        {
            tell(UnsetVariable::in_wrapper(wrapper, &own), wrapper.place, &set, diagnostics);
        }
        for (hook, _) in rule_in_context.hooks().filter(|(_, conditions)| is_met(conditions)) {
            of_hook(hook, &set, diagnostics);
        }
    }
}

fn of_hook<'r>(hook: &'r Hook<'r>, set: &[&str], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let own = Environ::from_entries([]);
    let mut set = set.to_vec();
    for edit in &hook.env {
        tell(UnsetVariable::in_edit(&edit.edit, "", &own, false), edit.place, &set, diagnostics);
        set.push(edit.name);
    }
    tell(UnsetVariable::in_hook(hook, &own), hook.place, &set, diagnostics);
}

fn tell<'r>(
    unset: Vec<UnsetVariable>,
    place: Place<'r>,
    set: &[&str],
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let is_concerned = |unset: &UnsetVariable| {
        variables::is_absent_at_snap_start(&unset.name) && !set.contains(&&*unset.name)
    };
    for unset in unset.into_iter().filter(is_concerned) {
        let key = unset.key.map(|key| format!(" in {key:?}")).unwrap_or_default();
        diagnostics.push(Diagnostic::warning(place, absent_in_text_message(&unset.name, &key)));
    }
}

/// The conditions of a rule's own, of its hooks and of its wrappers.
fn conditions<'r>(rule_in_context: &ReachableRule<'r>, diagnostics: &mut Vec<Diagnostic<'r>>) {
    let rule = rule_in_context.rule;
    let hooks =
        rule.hooks.iter().map(|hook| (&hook.when, hook.place, with(rule_in_context, &hook.when)));
    let wrappers = rule
        .wrappers
        .iter()
        .map(|wrapper| (&wrapper.when, wrapper.place, with(rule_in_context, &wrapper.when)));
    let own = std::iter::once((&rule.when, rule.place, rule_in_context.conditions.clone()));
    for (when, place, all) in own.chain(hooks).chain(wrappers) {
        let required_variables = required_variables(when);
        if !required_variables.is_empty() && runs(Phase::BeforeSnapshot, &all) != Some(false) {
            for name in required_variables {
                let steps = [Step::Member("when"), Step::Member("env"), Step::Member(name)];
                let place = rule_in_context.document.inside(place, &steps);
                diagnostics.push(Diagnostic::warning(place, absent_in_condition_message(name)));
            }
        }
    }
}

fn with<'r>(rule_in_context: &ReachableRule<'r>, when: &'r When<'r>) -> Vec<&'r When<'r>> {
    rule_in_context.conditions.iter().copied().chain([when]).collect()
}

/// Whether conditions may hold at the init before a snapshot, without the variables that are
/// missing there.
fn is_met(conditions: &[&When]) -> bool {
    let Some(scenarios) = Scenarios::of(conditions.iter().copied()) else { return true };
    let met = scenarios.any(|facts| {
        facts.environ.value(INITIALIZATION) == Some(OsStr::new(SNAP_START))
            && variables::absent_at_snap_start().all(|name| facts.environ.value(name).is_none())
            && conditions.iter().all(|when| when.holds(facts))
    });
    met != Some(false)
}
