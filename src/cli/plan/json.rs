//! The plan for programs. docs/plan.md describes the keys, which stay; new ones may be added.

use super::overview::{
    HookCommandKind, HookOverview, Overview, Participation, PhaseOverview, Redacted, RunBy,
    SecretOverview, SecretsOverview, VariableEdit, WrapperOverview,
};
use crate::config::{Export, OnFailure};
use serde_json::{Value, json};

pub fn render(overview: &Overview) -> String {
    let line = &overview.command_line;
    let edits = overview
        .word_edits
        .iter()
        .map(|edit| json!({"rule": edit.rule, "words": texts(&edit.words)}));
    let skipped = overview.skipped.iter().map(|skipped| {
        let (kind, name, description) = (skipped.kind, &skipped.name, &skipped.description);
        json!({
            "kind": kind,
            "name": name,
            "description": description,
            "place": skipped.place,
            "why": skipped.why,
        })
    });
    let descriptions = overview
        .descriptions
        .iter()
        .map(|described| json!({"rule": described.place, "description": described.description}));
    let wrappers = overview.wrappers.iter().map(wrapper);
    let shown = json!({
        "runtime": overview.runtime,
        "disabled": overview.is_disabled,
        "sources": overview.sources,
        "descriptions": descriptions.collect::<Value>(),
        "task_root": overview.task_root,
        "received": texts(&overview.received),
        "command_line": {
            "words": texts(&line.words),
            "prefix": texts(&line.prefix),
            "program": text(&line.program),
            "launched": texts(&line.launched),
            "options": texts(&line.options),
            "entry": texts(&line.entry),
            "arguments": texts(&line.arguments),
            "edits": edits.collect::<Value>(),
        },
        "secrets": overview.secrets.as_ref().map(secrets),
        "environment": {
            "entries": texts(&overview.environment),
            "edits": overview.env_edits.iter().map(edit).collect::<Value>(),
        },
        "skipped": skipped.collect::<Value>(),
        "phases": overview.phases.iter().map(phase).collect::<Value>(),
        "wrappers": wrappers.collect::<Value>(),
        "relay": answer(&overview.relay),
        "extension": answer(&overview.extension),
        "notes": overview.notes,
        "warnings": overview.warnings,
    });
    format!("{shown:#}\n")
}

/// Returns a string; bytes that are not UTF-8 are added in hexadecimal.
fn text(shown: &Redacted) -> Value {
    match str::from_utf8(&shown.0) {
        Ok(text) => text.into(),
        Err(_) => {
            let bytes: String = shown.0.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"text": String::from_utf8_lossy(&shown.0), "bytes": bytes})
        }
    }
}

fn secrets(secrets: &SecretsOverview) -> Value {
    let SecretsOverview { variables, paths, timeout_ms, is_needed: _ } = secrets;
    let variable = |variable: &SecretOverview| {
        let SecretOverview { name, reference, place, is_kept } = variable;
        json!({"name": name, "reference": reference, "kept": is_kept, "place": place})
    };
    let path = |path: &SecretOverview| {
        let SecretOverview { name, reference, place, is_kept: _ } = path;
        json!({"prefix": name, "reference": reference, "place": place})
    };
    json!({
        "variables": variables.iter().map(variable).collect::<Value>(),
        "paths": paths.iter().map(path).collect::<Value>(),
        "timeout_ms": timeout_ms,
    })
}

fn texts(all: &[Redacted]) -> Value {
    all.iter().map(text).collect()
}

fn edit(edit: &VariableEdit) -> Value {
    let value = |value: &Option<Redacted>| value.as_ref().map(text);
    json!({
        "name": edit.name,
        "before": value(&edit.before),
        "after": value(&edit.after),
        "changed": edit.is_changed,
        "place": edit.place,
        "rule": edit.owner,
    })
}

fn phase(phase: &PhaseOverview) -> Value {
    let run_by = match phase.run_by {
        RunBy::Wrapper => "wrapper",
        RunBy::Relay => "relay",
        RunBy::Extension => "extension",
        RunBy::Nobody => "nobody",
    };
    json!({
        "phase": phase.phase.name(),
        "run_by": run_by,
        "limit_ms": phase.limit.map(|limit| limit.as_millis() as u64),
        "hooks": phase.hooks.iter().map(hook).collect::<Value>(),
    })
}

fn hook(hook: &HookOverview) -> Value {
    let is_command = matches!(hook.action, HookCommandKind::Words | HookCommandKind::Shell);
    json!({
        "name": hook.name,
        "command": is_command.then(|| texts(&hook.words)),
        "http": (hook.action == HookCommandKind::Http).then(|| hook.words.first().map(text)),
        "wait_for": hook.wait_for.as_ref().map(text),
        "attempts": hook.attempts,
        "pause_ms": hook.pause.as_millis() as u64,
        "background": hook.background,
        "cwd": hook.cwd.as_ref().map(text),
        "env": hook.env.iter().map(edit).collect::<Value>(),
        "limit_ms": hook.limit.map(|limit| limit.as_millis() as u64),
        "on_failure": match hook.on_failure {
            OnFailure::Fail => "fail",
            OnFailure::Continue => "continue",
        },
        "export": hook.export.map(Export::name),
        "place": hook.place,
    })
}

fn wrapper(wrapper: &WrapperOverview) -> Value {
    json!({
        "name": text(&wrapper.name),
        "path": text(&wrapper.path),
        "env": wrapper.env.iter().map(edit).collect::<Value>(),
        "last": wrapper.is_last,
        "place": wrapper.place,
    })
}

fn answer(answer: &Participation) -> Value {
    json!({"needed": answer.is_yes, "why": answer.why})
}
