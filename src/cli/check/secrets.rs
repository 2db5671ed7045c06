//! Secrets that are asked for twice or for nothing, references where nobody resolves them, and
//! secrets that a snapshot keeps.

use super::Diagnostic;
use super::conflicts::{is_lost, overwrites};
use super::rules::{ReachableRule, runs};
use crate::cli::layer::MergedLayers;
use crate::config::{Edit, EnvEdit, Place, Secret, SecretSource};
use crate::phase::Phase;
use crate::secrets::PROGRAM;
use foreword_secrets::reference::Reference;

pub fn check<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    wanted_twice(rules, diagnostics);
    for rule_in_context in rules {
        let rule = rule_in_context.rule;
        let of_wrappers = rule.wrappers.iter().flat_map(|wrapper| &wrapper.env);
        let of_hooks = rule.hooks.iter().flat_map(|hook| &hook.env);
        for edit in rule.env.iter().chain(of_wrappers).chain(of_hooks) {
            diagnostics.extend(unresolved(edit));
        }
        for edit in &rule.env {
            diagnostics.extend(overwritten(rule_in_context, edit, rules));
        }
    }
    diagnostics.extend(in_snapshot(rules));
}

/// Adds the diagnostic about layers without the program that resolves secrets.
pub fn check_layers<'r>(
    rules: &[ReachableRule<'r>],
    opt: &MergedLayers,
    diagnostics: &mut Vec<Diagnostic<'r>>,
) {
    let path = format!("bin/{PROGRAM}");
    if let Some(place) = first(rules)
        && !opt.files().iter().any(|file| file.path == path)
    {
        let message = format!(
            "nobody resolves secrets: none of the layers has {path}; add the layer \
             {PROGRAM}-x86_64 or {PROGRAM}-arm64"
        );
        diagnostics.push(Diagnostic::error(place, message));
    }
}

/// Returns the place of the first thing that is resolved.
fn first<'r>(rules: &[ReachableRule<'r>]) -> Option<Place<'r>> {
    rules.iter().find_map(|rule_in_context| {
        let rule = rule_in_context.rule;
        let references = || rule.resolves_references.then(|| rule_in_context.place("references"));
        rule.secrets.first().map(|secret| secret.place).or_else(references)
    })
}

fn wanted_twice<'r>(rules: &'r [ReachableRule<'r>], diagnostics: &mut Vec<Diagnostic<'r>>) {
    let mut before: Vec<(&ReachableRule, &Secret)> = Vec::new();
    for rule_in_context in rules {
        for secret in &rule_in_context.rule.secrets {
            let is_same = |(other, earlier): &&(&ReachableRule, &Secret)| {
                earlier.name == secret.name
                    && is_path(earlier) == is_path(secret)
                    && is_lost(other, rule_in_context)
            };
            if !is_path(secret)
                && let Some((_, earlier)) = before.iter().rev().find(is_same)
            {
                let message = format!(
                    "where both rules apply, this takes the place of the secret for {:?} at {}; \
                     let their conditions exclude each other, or remove one",
                    secret.name, earlier.place
                );
                diagnostics.push(Diagnostic::warning(secret.place, message));
            }
            before.push((rule_in_context, secret));
        }
    }
}

fn is_path(secret: &Secret) -> bool {
    matches!(secret.source, SecretSource::Path(_))
}

/// Returns the diagnostic about an edit whose text is a reference: edits come after secrets.
fn unresolved<'r>(edit: &EnvEdit<'r>) -> Option<Diagnostic<'r>> {
    let (Edit::Set(text) | Edit::Default(text)) = &edit.edit else { return None };
    if !Reference::is_meant_by(text.written()) {
        return None;
    }
    let message = format!(
        "{:?} is set to a reference that nobody resolves, because edits come after secrets; write \
         \"secrets\": {{{:?}: {:?}}}",
        edit.name,
        edit.name,
        text.written()
    );
    Some(Diagnostic::warning(edit.place, message))
}

/// Returns the diagnostic about an edit that drops a secret which was asked for.
fn overwritten<'r>(
    rule_in_context: &ReachableRule<'r>,
    edit: &EnvEdit<'r>,
    rules: &[ReachableRule<'r>],
) -> Option<Diagnostic<'r>> {
    let is_secret = |other: &&ReachableRule<'r>| {
        std::ptr::eq(other.rule, rule_in_context.rule) || is_lost(other, rule_in_context)
    };
    let secret = rules
        .iter()
        .filter(|_| overwrites(edit))
        .filter(is_secret)
        .flat_map(|other| &other.rule.secrets)
        .find(|secret| secret.name == edit.name && !is_path(secret))?;
    let message = format!(
        "this edit drops the secret for {:?} at {}, which is asked for in vain; remove one of them",
        edit.name, secret.place
    );
    Some(Diagnostic::warning(edit.place, message))
}

/// Returns the diagnostic about secrets that become part of a snapshot: a configuration with hooks
/// around one is for functions with SnapStart.
fn in_snapshot<'r>(rules: &[ReachableRule<'r>]) -> Option<Diagnostic<'r>> {
    let hooks = || rules.iter().flat_map(ReachableRule::hooks).map(|(hook, _)| hook);
    let is_for_snap_start = hooks().any(|hook| hook.phase.is_around_snapshot());
    let restores = |rule_in_context: &ReachableRule| {
        runs(Phase::BeforeSnapshot, &rule_in_context.conditions) != Some(false)
    };
    let place = rules
        .iter()
        .filter(|rule| restores(rule))
        .find_map(|rule_in_context| first(std::slice::from_ref(rule_in_context)));
    let message = format!(
        "with SnapStart this is resolved before the snapshot, and every environment that is \
         restored from it has this value, however old; where it changes, let an after_restore hook \
         write it to a file ({PROGRAM} --file)"
    );
    place.filter(|_| is_for_snap_start).map(|place| Diagnostic::warning(place, message))
}
