//! Texts and conditions that want a variable which a function has everywhere but at the init before
//! a snapshot.

use super::Advice;
use super::rules::{Reached, runs};
use super::worlds::Worlds;
use crate::cli::snapshot::{about_condition, about_text, wanted};
use crate::cli::unset::Unset;
use crate::condition::When;
use crate::config::Edit;
use crate::config::inspect::Step;
use crate::config::{Hook, Phase, Place};
use crate::environ::Environ;
use crate::lambda::{INITIALIZATION, SNAP_START, variables};
use std::ffi::OsStr;

pub fn advise<'r>(rules: &[Reached<'r>], advice: &mut Vec<Advice<'r>>) {
    let own = Environ::from_entries([]);
    // What the configuration itself sets by then.
    let mut set: Vec<&str> = Vec::new();
    for reached in rules {
        conditions(reached, advice);
        let is_met = is_met(&reached.conditions);
        for edit in &reached.rule.env {
            if is_met {
                tell(Unset::in_edit(&edit.edit, "", &own, false), edit.place, &set, advice);
            }
            if !matches!(edit.edit, Edit::Unset) {
                set.push(edit.name);
            }
        }
    }
    // All others see the final environment.
    for reached in rules {
        if is_met(&reached.conditions) {
            tell(Unset::in_rule(reached.rule, &own), reached.rule.place, &set, advice);
        }
        for wrapper in
            reached.rule.wrappers.iter().filter(|wrapper| is_met(&with(reached, &wrapper.when)))
        {
            tell(Unset::in_wrapper(wrapper, &own), wrapper.place, &set, advice);
        }
        for (hook, _) in reached.hooks().filter(|(_, conditions)| is_met(conditions)) {
            of_hook(hook, &set, advice);
        }
    }
}

fn of_hook<'r>(hook: &'r Hook<'r>, set: &[&str], advice: &mut Vec<Advice<'r>>) {
    let own = Environ::from_entries([]);
    let mut set = set.to_vec();
    for edit in &hook.env {
        tell(Unset::in_edit(&edit.edit, "", &own, false), edit.place, &set, advice);
        set.push(edit.name);
    }
    tell(Unset::in_hook(hook, &own), hook.place, &set, advice);
}

fn tell<'r>(unset: Vec<Unset>, place: Place<'r>, set: &[&str], advice: &mut Vec<Advice<'r>>) {
    let is_concerned = |unset: &Unset| {
        variables::is_absent_at_snap_start(&unset.name) && !set.contains(&&*unset.name)
    };
    for unset in unset.into_iter().filter(is_concerned) {
        let key = unset.key.map(|key| format!(" in {key:?}")).unwrap_or_default();
        advice.push(Advice::warning(place, about_text(&unset.name, &key)));
    }
}

/// The conditions of a rule's own, of its hooks and of its wrappers.
fn conditions<'r>(reached: &Reached<'r>, advice: &mut Vec<Advice<'r>>) {
    let rule = reached.rule;
    let hooks = rule.hooks.iter().map(|hook| (&hook.when, hook.place, with(reached, &hook.when)));
    let wrappers = rule
        .wrappers
        .iter()
        .map(|wrapper| (&wrapper.when, wrapper.place, with(reached, &wrapper.when)));
    let own = std::iter::once((&rule.when, rule.place, reached.conditions.clone()));
    for (when, place, all) in own.chain(hooks).chain(wrappers) {
        let wanted = wanted(when);
        if !wanted.is_empty() && runs(Phase::BeforeSnapshot, &all) != Some(false) {
            for name in wanted {
                let steps = [Step::Member("when"), Step::Member("env"), Step::Member(name)];
                let place = reached.document.inside(place, &steps);
                advice.push(Advice::warning(place, about_condition(name)));
            }
        }
    }
}

fn with<'r>(reached: &Reached<'r>, when: &'r When<'r>) -> Vec<&'r When<'r>> {
    reached.conditions.iter().copied().chain([when]).collect()
}

/// Whether conditions may hold at the init before a snapshot, without the variables that are
/// missing there.
fn is_met(conditions: &[&When]) -> bool {
    let Some(worlds) = Worlds::of(conditions.iter().copied()) else { return true };
    let met = worlds.any(|facts| {
        facts.environ.value(INITIALIZATION) == Some(OsStr::new(SNAP_START))
            && variables::ABSENT_AT_SNAP_START
                .iter()
                .all(|name| facts.environ.value(name).is_none())
            && conditions.iter().all(|when| when.holds(facts))
    });
    met != Some(false)
}
