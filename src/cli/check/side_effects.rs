//! What edits do on the managed runtimes beside what they seem to: makes, of every start that the
//! conditions tell apart, what the wrapper makes of it.

use super::Diagnostic;
use super::rules::ReachableRule;
use super::scenarios::Scenarios;
use crate::cli::side_effects::{self, EditedStart, SideEffect, VARIABLES_WITH_SIDE_EFFECTS};
use crate::command_line::VARIABLES;
use crate::condition::{Facts, RuntimeName};
use crate::config::edit;
use crate::config::{EnvEdit, Place, Rule};
use crate::environ::Environ;
use crate::lambda::{self, INITIALIZATION, MANAGED_RUNTIMES, Runtime, python_path};
use crate::plan::Execution;
use std::ffi::OsString;
use std::io;

/// An effect, the place of its edit, and the runtimes that have it.
struct FoundEffect<'r> {
    place: Place<'r>,
    effect: SideEffect,
    runtime: &'static str,
    others: Vec<&'static str>,
}

pub fn check<'r>(rules: &[ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let edits = |name: &str| {
        rules
            .iter()
            .any(|rule_in_context| edits_of(rule_in_context.rule).any(|edit| edit.name == name))
    };
    let is_concerned = |identifier: &str| match Runtime::from_identifier(identifier.as_bytes()) {
        Runtime::Python => edits(python_path::VARIABLE),
        Runtime::Node => edits(VARIABLES[0].0),
        Runtime::Java => edits(VARIABLES[1].0) || edits(VARIABLES[2].0),
        _ => false,
    };
    let mut found = Vec::new();
    // Of several, the newest is named.
    for runtime in MANAGED_RUNTIMES.into_iter().rev().filter(|runtime| is_concerned(runtime)) {
        of_runtime(runtime, rules, &mut found);
    }
    for FoundEffect { place, effect, runtime, others } in found {
        diagnostics.push(Diagnostic::warning(place, effect.message(runtime, !others.is_empty())));
    }
}

fn of_runtime<'r>(
    runtime: &'static str,
    rules: &[ReachableRule<'r>],
    found: &mut Vec<FoundEffect<'r>>,
) {
    let name = RuntimeName::declared(runtime);
    let is_relevant = |rule_in_context: &&ReachableRule| {
        let options = !rule_in_context.rule.options.is_empty();
        options
            || edits_of(rule_in_context.rule)
                .any(|edit| VARIABLES_WITH_SIDE_EFFECTS.contains(&edit.name))
    };
    let relevant: Vec<_> = rules.iter().filter(is_relevant).collect();
    let conditions =
        relevant.iter().flat_map(|rule_in_context| rule_in_context.conditions.iter().copied());
    match Scenarios::of(conditions).filter(Scenarios::are_few) {
        Some(scenarios) => scenarios.each_on(std::slice::from_ref(&name), &mut |facts: &Facts| {
            let holds = |rule_in_context: &ReachableRule| {
                rule_in_context.conditions.iter().all(|when| when.holds(facts))
            };
            start(runtime, &relevant, facts.environ, &holds, found);
        }),
        // Too many, or more than can be known here: as if all held that let the runtime pass.
        None => {
            let holds = |rule_in_context: &ReachableRule| {
                rule_in_context.conditions.iter().all(|when| when.may_hold_for(&name))
            };
            start(runtime, &relevant, &Environ::default(), &holds, found);
        }
    }
}

/// Makes of one start what the wrapper makes of it.
fn start<'r>(
    runtime: &'static str,
    rules: &[&ReachableRule<'r>],
    scenario: &Environ,
    holds: &dyn Fn(&ReachableRule) -> bool,
    found: &mut Vec<FoundEffect<'r>>,
) {
    let Ok(mut environ) = lambda::initial_environ(runtime, scenario.value(INITIALIZATION)) else {
        return;
    };
    scenario.variables().for_each(|(name, value)| environ.set(name, value));
    let received: Vec<OsString> = lambda::bootstrap_command_line(runtime, &environ, &|_| false);
    lambda::add_bootstrap_exports(runtime, &mut environ);
    let mut last = environ.clone();
    let mut edits = Vec::new();
    let applying: Vec<_> = rules.iter().filter(|rule_in_context| holds(rule_in_context)).collect();
    // Those of wrappers come behind all others.
    let of_rules = applying.iter().flat_map(|rule_in_context| &rule_in_context.rule.env);
    let of_wrappers =
        applying.iter().flat_map(|rule_in_context| edits_of_wrappers(rule_in_context.rule));
    edit::apply(&mut last, of_rules.chain(of_wrappers), &mut |edit, change| {
        edits.extend(change.map(|_| (edit.name, edit.place)));
    });
    let mut execution = Execution::new(&received, &|_| Err(io::ErrorKind::NotFound.into()));
    applying.iter().for_each(|rule_in_context| execution.edit(rule_in_context.rule, &last));
    let start = EditedStart {
        runtime,
        received: &received,
        before: &environ,
        last: &last,
        line: &execution.line,
    };
    for (place, effect) in side_effects::side_effects(&start, &edits) {
        let is_same =
            |one: &&mut FoundEffect| is_at(one.place, place) && one.effect.is_same_kind(&effect);
        match found.iter_mut().find(is_same) {
            Some(known) if known.runtime == runtime || known.others.contains(&runtime) => {}
            Some(known) => known.others.push(runtime),
            None => found.push(FoundEffect { place, effect, runtime, others: Vec::new() }),
        }
    }
}

/// All edits of the environment in a rule.
fn edits_of<'r>(rule: &'r Rule<'r>) -> impl Iterator<Item = &'r EnvEdit<'r>> {
    rule.env.iter().chain(edits_of_wrappers(rule))
}

fn edits_of_wrappers<'r>(rule: &'r Rule<'r>) -> impl Iterator<Item = &'r EnvEdit<'r>> {
    rule.wrappers.iter().flat_map(|wrapper| &wrapper.env)
}

fn is_at(one: Place, other: Place) -> bool {
    match (one, other) {
        (Place::Read { source, node }, Place::Read { source: of, node: at }) => {
            std::ptr::eq(source, of) && node == at
        }
        _ => false,
    }
}
