//! Edits and hooks that conflict with each other, or with the function's own variables.

use super::Diagnostic;
use super::rules::{ReachableRule, possible, runs};
use crate::condition::When;
use crate::config::Edit;
use crate::config::inspect::Step;
use crate::config::{EnvEdit, Hook, Place};
use crate::lambda::variables::is_reserved;

/// The path of foreword in its layer.
const FOREWORD: &str = "/opt/bin/foreword";

pub fn check<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    edits(rules, diagnostics);
    single(rules, "program", |rule_in_context| rule_in_context.rule.program.is_some(), diagnostics);
    single(rules, "entry", |rule_in_context| rule_in_context.rule.entry.is_some(), diagnostics);
    hooks(rules, diagnostics);
    itself(rules, diagnostics);
}

/// An edit, and its rule.
type Edited<'r> = (&'r ReachableRule<'r>, &'r EnvEdit<'r>);

/// Checks edits that overwrite the edit of an earlier rule, or a variable of the function.
fn edits<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let mut before: Vec<Edited> = Vec::new();
    let mut hiding: Vec<Vec<Edited>> = Vec::new();
    for rule_in_context in rules {
        for edit in &rule_in_context.rule.env {
            let is_lost = |(other, earlier): &&Edited| {
                earlier.name == edit.name && is_lost(other, rule_in_context)
            };
            let lost = if overwrites(edit) { before.iter().rev().find(is_lost) } else { None };
            if let Some((_, earlier)) = lost {
                let message = format!(
                    "where both rules apply, this edit of {:?} undoes the one at {}; let their \
                     conditions exclude each other, or write one edit",
                    edit.name, earlier.place
                );
                diagnostics.push(Diagnostic::warning(edit.place, message));
            } else if hides(rule_in_context, edit, &before) {
                match hiding
                    .last_mut()
                    .filter(|hiding| std::ptr::eq(hiding[0].0.document, rule_in_context.document))
                {
                    Some(of_document) => of_document.push((rule_in_context, edit)),
                    None => hiding.push(vec![(rule_in_context, edit)]),
                }
            }
            before.push((rule_in_context, edit));
        }
    }
    diagnostics.extend(hiding.iter().map(|of_document| hidden(of_document)));
}

/// Returns one diagnostic about all edits of a document that hide values, at the first of them.
fn hidden<'r>(edits: &[Edited<'r>]) -> Diagnostic<'r> {
    let mut names: Vec<_> = edits.iter().map(|(_, edit)| format!("{:?}", edit.name)).collect();
    names.dedup();
    let (values, it, they_are) = match names.len() {
        1 => ("value", "it", "it is"),
        _ => ("values", "them", "they are"),
    };
    let message = format!(
        "this hides whatever {values} of {} the function's own variables have; {{\"default\": …}} \
         lets {it} stand, \"prepend\" and \"append\" add to {it}, and a \"description\" of the \
         rule that names {it} says that {they_are} meant",
        names.join(", ")
    );
    Diagnostic::warning(edits[0].1.place, message)
}

/// Returns whether an edit drops the value that it finds.
pub(super) fn overwrites(edit: &EnvEdit) -> bool {
    match &edit.edit {
        Edit::Set(text) => !mentions(text.written(), edit.name),
        Edit::Unset => true,
        Edit::Default(_) | Edit::Prepend { .. } | Edit::Append { .. } => false,
    }
}

/// Returns whether an edit unintentionally hides a value of the function: one that no earlier edit
/// kept or used.
fn hides(rule_in_context: &ReachableRule, edit: &EnvEdit, before: &[Edited]) -> bool {
    let Edit::Set(text) = &edit.edit else { return false };
    let is_known =
        |(_, earlier): &Edited| earlier.name == edit.name || reads(&earlier.edit, edit.name);
    overwrites(edit)
        && !is_reference(text.written())
        && !before.iter().any(is_known)
        && !rule_in_context.conditions.iter().any(|when| asks_for(when, edit.name))
        && !rule_in_context.descriptions.iter().any(|text| names(text, edit.name))
        && !is_reserved(edit.name)
}

/// Checks a key that only one rule can decide.
fn single<'r>(
    rules: &[ReachableRule<'r>],
    key: &str,
    says: impl Fn(&ReachableRule<'r>) -> bool,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let saying: Vec<_> = rules.iter().filter(|rule_in_context| says(rule_in_context)).collect();
    for (index, later) in saying.iter().enumerate() {
        if let Some(earlier) = saying[..index].iter().rev().find(|earlier| is_lost(earlier, later))
        {
            let message = format!(
                "where both rules apply, this takes the place of the {key} at {}; let their \
                 conditions exclude each other",
                earlier.place(key)
            );
            diagnostics.push(Diagnostic::warning(later.place(key), message));
        }
    }
}

/// Finds hooks that run twice.
fn hooks<'r>(rules: &[ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let mut before: Vec<(&Hook, Vec<&When>)> = Vec::new();
    for rule_in_context in rules {
        for (hook, conditions) in rule_in_context.hooks() {
            let is_same = |(other, others): &&(&Hook, Vec<&When>)| {
                let both: Vec<&When> = others.iter().chain(&conditions).copied().collect();
                other.phase == hook.phase
                    && other.name == hook.name
                    && runs(hook.phase, &both) == Some(true)
            };
            if let Some((other, _)) = before.iter().rev().find(is_same) {
                let place: Place =
                    rule_in_context.document.inside(hook.place, &[Step::Member("name")]);
                let message = format!(
                    "{} has a hook {:?} at {} already, and both run; remove one, or give this one \
                     a name of its own",
                    hook.phase.name(),
                    hook.name,
                    other.place
                );
                diagnostics.push(Diagnostic::warning(place, message));
            }
            before.push((hook, conditions));
        }
    }
}

/// Finds a foreword that would start itself: it is no wrapper that can be chained, and no runtime.
fn itself<'r>(rules: &[ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    for rule_in_context in rules {
        let prefix = rule_in_context.rule.prefix.iter().map(|text| ("prefix", text));
        let program = rule_in_context.rule.program.iter().map(|text| ("program", text));
        for (name, _) in prefix.chain(program).filter(|(_, text)| text.written() == FOREWORD) {
            let message = format!("{FOREWORD:?} is foreword itself; take it out of {name:?}");
            diagnostics.push(Diagnostic::error(rule_in_context.place(name), message));
        }
        for wrapper in rule_in_context
            .rule
            .wrappers
            .iter()
            .filter(|wrapper| wrapper.path.written() == FOREWORD)
        {
            let place = rule_in_context.document.inside(wrapper.place, &[Step::Member("path")]);
            let message =
                format!("the wrapper {FOREWORD:?} is foreword itself; take it out of \"wrappers\"");
            diagnostics.push(Diagnostic::error(place, message));
        }
    }
}

/// Returns whether a later rule unintentionally overrides an earlier one. A rule with more
/// conditions is an intended exception.
pub(super) fn is_lost(earlier: &ReachableRule, later: &ReachableRule) -> bool {
    let is_among = |when: &&When| later.conditions.iter().any(|other| std::ptr::eq(*when, *other));
    let is_exception = earlier.conditions.iter().all(is_among)
        && later.conditions.len() > earlier.conditions.len();
    let both: Vec<&When> = earlier.conditions.iter().chain(&later.conditions).copied().collect();
    !is_exception && possible(&both) == Some(true)
}

/// Returns whether a condition tests a variable.
fn asks_for(when: &When, name: &str) -> bool {
    let When { env, not, any, runtime: _, initialization: _, architecture: _, file: _ } = when;
    env.iter().any(|(asked, _)| *asked == name)
        || not.iter().any(|when| asks_for(when, name))
        || any.iter().flatten().any(|when| asks_for(when, name))
}

/// Returns whether an edit uses a variable's value.
pub(super) fn reads(edit: &Edit, name: &str) -> bool {
    match edit {
        Edit::Set(text)
        | Edit::Default(text)
        | Edit::Prepend { text, .. }
        | Edit::Append { text, .. } => mentions(text.written(), name),
        Edit::Unset => false,
    }
}

/// Returns whether a text is another variable's value and nothing else: a place to keep it.
fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
    name.is_some_and(|name| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()))
}

/// Returns whether a description names a variable as a word of its own.
pub(super) fn names(description: &str, name: &str) -> bool {
    let is_of_name = |c: char| c == '_' || c.is_alphanumeric();
    description.match_indices(name).any(|(at, _)| {
        let (before, after) = (&description[..at], &description[at + name.len()..]);
        !before.ends_with(is_of_name) && !after.starts_with(is_of_name)
    })
}

fn mentions(text: &str, name: &str) -> bool {
    text.contains(&format!("${{{name}}}")) || text.contains(&format!("${{{name}:-"))
}
