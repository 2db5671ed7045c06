//! References to secrets: those that conflict with other rules and edits, those that nothing
//! resolves, and what has to be there to resolve them.

use super::Diagnostic;
use super::conflicts::{is_lost, names, overwrites, reads};
use super::executables;
use super::files::CodeDirectory;
use super::rules::{ReachableRule, runs};
use crate::cli::finding::Severity;
use crate::cli::layer::{LayerLookup, MergedLayers};
use crate::condition::When;
use crate::config::{Command, Edit, EnvEdit, Hook, Place, Secret, SecretSource};
use crate::lambda::variables::{HANDLER, is_reserved};
use crate::lambda::{LAYERS, SNAP_START};
use crate::phase::Phase;
use crate::secrets::PROGRAM;
use crate::template::Template;
use foreword_secrets::reference::Reference;

pub fn check<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    targets(rules, diagnostics);
    edits(rules, diagnostics);
    snap_start(rules, diagnostics);
}

/// Returns whether a rule has something to resolve.
pub fn has_secrets(rule_in_context: &ReachableRule) -> bool {
    let rule = rule_in_context.rule;
    rule.resolves_references || !rule.secrets.is_empty()
}

/// Returns the place of what a rule has to resolve.
pub fn secrets_place<'r>(rule_in_context: &ReachableRule<'r>) -> Place<'r> {
    let secret = rule_in_context.rule.secrets.first();
    secret.map_or_else(|| rule_in_context.place("references"), |secret| secret.place)
}

/// Checks the variables that get secrets.
fn targets<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let mut before: Vec<(&ReachableRule, &Secret)> = Vec::new();
    for rule_in_context in rules {
        for secret in &rule_in_context.rule.secrets {
            let is_replaced = |(other, earlier): &&(&ReachableRule, &Secret)| {
                let is_same = earlier.name == secret.name && is_reference(earlier);
                is_same && is_lost(other, rule_in_context)
            };
            // Of a path, only a start knows the variables.
            if is_reference(secret)
                && let Some((_, earlier)) = before.iter().rev().find(is_replaced)
            {
                let (place, name) = (earlier.place, secret.name);
                let message = format!(
                    "where both rules apply, this reference takes the place of the one for \
                     {name:?} at {place}; let their conditions exclude each other, or write one \
                     reference"
                );
                diagnostics.push(Diagnostic::warning(secret.place, message));
            }
            if is_reference(secret) && is_lambdas(secret.name) {
                let message = format!(
                    "{:?} is a variable of Lambda's: a variable that has a value keeps it, and \
                     this reference is not resolved; choose another name",
                    secret.name
                );
                diagnostics.push(Diagnostic::warning(secret.place, message));
            }
            before.push((rule_in_context, secret));
        }
    }
}

fn is_reference(secret: &Secret) -> bool {
    matches!(secret.source, SecretSource::Reference(_))
}

/// Returns whether Lambda gives every function the variable. Of the names that only begin like its
/// own, a start may set any.
fn is_lambdas(name: &str) -> bool {
    name == HANDLER || !name.starts_with('_') && is_reserved(name)
}

/// Checks edits that know nothing of secrets: edits come after them.
fn edits<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let resolves_references =
        rules.iter().any(|rule_in_context| rule_in_context.rule.resolves_references);
    let mut before: Vec<&EnvEdit> = Vec::new();
    for rule_in_context in rules {
        let rule = rule_in_context.rule;
        let is_unresolved = |edit: &&EnvEdit| is_unresolved(rule_in_context, edit);
        for edit in &rule.env {
            if is_unresolved(&edit) {
                let message = unresolved_message(edit.name, "", resolves_references);
                diagnostics.push(Diagnostic::warning(edit.place, message));
            } else if let Some(secret) = undone(rules, rule_in_context, edit, &before) {
                let does = if matches!(edit.edit, Edit::Unset) { "unsets" } else { "sets" };
                let message = format!(
                    "this {does} {:?} whatever its secret is, so that the one at {} is fetched \
                     for nothing; remove one of the two",
                    edit.name, secret.place
                );
                diagnostics.push(Diagnostic::warning(edit.place, message));
            }
            before.push(edit);
        }
        let of_wrappers = rule.wrappers.iter().flat_map(|wrapper| &wrapper.env);
        let of_hooks = rule.hooks.iter().flat_map(|hook| &hook.env);
        for edit in of_wrappers.chain(of_hooks).filter(is_unresolved) {
            let message = unresolved_message(
                edit.name,
                " of the rule, for everything that it starts",
                resolves_references,
            );
            diagnostics.push(Diagnostic::warning(edit.place, message));
        }
    }
}

/// Returns whether an edit gives a variable a reference that nothing resolves, and no description
/// of the rule says that it is meant.
fn is_unresolved(rule_in_context: &ReachableRule, edit: &EnvEdit) -> bool {
    let (Edit::Set(text) | Edit::Default(text)) = &edit.edit else { return false };
    Reference::is_meant_by(text.written())
        && !rule_in_context.descriptions.iter().any(|text| names(text, edit.name))
}

/// The message does not quote the text, which only looks like a reference.
fn unresolved_message(name: &str, whose: &str, resolves_references: bool) -> String {
    let why_not = match resolves_references {
        true => " (\"references\" sees only what Lambda hands over)",
        false => "",
    };
    format!(
        "{name:?} gets this reference and not its secret: edits come after secrets{why_not}; move \
         it to \"secrets\"{whose}; a \"description\" of the rule that names {name} says that the \
         reference itself is meant"
    )
}

/// Returns the secret that an edit drops before anything has used it.
fn undone<'r>(
    rules: &'r [ReachableRule<'r>],
    rule_in_context: &ReachableRule,
    edit: &EnvEdit,
    before: &[&EnvEdit],
) -> Option<&'r Secret<'r>> {
    if !overwrites(edit) || before.iter().any(|earlier| reads(&earlier.edit, edit.name)) {
        return None;
    }
    rules.iter().filter(|other| is_lost(other, rule_in_context)).find_map(|other| {
        let is_it = |secret: &&Secret| secret.name == edit.name && is_reference(secret);
        other.rule.secrets.iter().find(is_it)
    })
}

/// Checks secrets that become part of a snapshot, if something in the configuration is for
/// SnapStart.
fn snap_start<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let hooks = || rules.iter().flat_map(ReachableRule::hooks);
    let wrappers = rules.iter().flat_map(|rule_in_context| &rule_in_context.rule.wrappers);
    let asked = rules
        .iter()
        .flat_map(|rule_in_context| rule_in_context.conditions.iter().copied())
        .chain(
            rules
                .iter()
                .flat_map(|rule_in_context| &rule_in_context.rule.hooks)
                .map(|hook| &hook.when),
        )
        .chain(wrappers.map(|wrapper| &wrapper.when))
        .any(asks_for_snap_start);
    let is_fetched_again =
        hooks().any(|(hook, _)| hook.phase == Phase::AfterRestore && runs_program(hook));
    if is_fetched_again {
        return;
    }
    let mut warned: Vec<&[&When]> = Vec::new();
    for rule_in_context in rules.iter().filter(|rule_in_context| has_secrets(rule_in_context)) {
        let conditions = &rule_in_context.conditions;
        // One that applies only where another does is warned of there.
        if warned.iter().any(|others| is_covered(others, conditions)) {
            continue;
        }
        let is_with_hook = || {
            hooks().filter(|(hook, _)| hook.phase.is_around_snapshot()).any(|(hook, of_hook)| {
                let both: Vec<_> = conditions.iter().chain(&of_hook).copied().collect();
                runs(hook.phase, &both) == Some(true)
            })
        };
        let is_there = || runs(Phase::BeforeSnapshot, conditions) == Some(true);
        if asked && is_there() || is_with_hook() {
            let message = format!(
                "under SnapStart the secrets become part of the snapshot, and every environment \
                 has those of its init; resolve them there with an after_restore hook that runs \
                 \"{PROGRAM} --file\", and let this rule have \"not\": {{\"initialization\": \
                 \"{SNAP_START}\"}}"
            );
            diagnostics.push(Diagnostic::warning(secrets_place(rule_in_context), message));
            warned.push(conditions);
        }
    }
}

/// Returns whether all of some conditions are among others.
fn is_covered(conditions: &[&When], others: &[&When]) -> bool {
    conditions.iter().all(|when| others.iter().any(|other| std::ptr::eq(*when, *other)))
}

/// Returns whether a condition tells SnapStart from the other initializations by its name.
fn asks_for_snap_start(when: &When) -> bool {
    let When { initialization, not, any, runtime: _, architecture: _, file: _, env: _ } = when;
    let is_it = |text: &Template| text.written() == SNAP_START;
    initialization.iter().flatten().any(is_it)
        || not.iter().any(|when| asks_for_snap_start(when))
        || any.iter().flatten().any(asks_for_snap_start)
}

/// Returns whether a hook resolves secrets itself.
fn runs_program(hook: &Hook) -> bool {
    match &hook.command {
        Command::Words(words) => words.iter().any(|word| word.written().contains(PROGRAM)),
        Command::Shell(script) => script.contains(PROGRAM),
        Command::Http(_) | Command::Nothing => false,
    }
}

/// Checks that the layers have the program that resolves secrets.
pub fn check_layers<'r>(
    rules: &[ReachableRule<'r>],
    opt: &MergedLayers,
    code: &CodeDirectory,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let path = format!("{LAYERS}/bin/{PROGRAM}");
    let Some(rule_in_context) = rules.iter().find(|rule_in_context| has_secrets(rule_in_context))
    else {
        return;
    };
    if matches!(opt.look_up(&path), LayerLookup::File(_) | LayerLookup::Outside(_)) {
        return;
    }
    let expected = executables::expected(Some(opt), code, &rule_in_context.conditions);
    let layer = match expected.severity {
        Severity::Error => format!("{PROGRAM}-{}.zip", expected.name),
        // Only this machine's architecture is known.
        Severity::Warning => format!("{PROGRAM}-x86_64.zip or {PROGRAM}-arm64.zip"),
    };
    let message =
        format!("nothing resolves secrets: none of the layers has {path}; add the layer {layer}");
    diagnostics.push(Diagnostic::error(secrets_place(rule_in_context), message));
}
