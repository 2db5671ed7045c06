//! The timeline for programs: one JSON object a line.

use super::event::{Caller, LifecycleStage, TimelineEvent};
use serde_json::{Value, json};
use std::time::Duration;

pub fn render(event: &TimelineEvent) -> String {
    let mut object = match event {
        TimelineEvent::Environment { number, of } => {
            json!({"type": "environment", "environment": number, "of": of})
        }
        TimelineEvent::StageBegin { stage, limit } => {
            json!({"type": "begin", "stage": stage.name(), "limitMs": limit.map(milliseconds)})
        }
        TimelineEvent::Hook { hook, limit } => json!({
            "type": "hook",
            "phase": hook.phase.name(),
            "hook": hook.name,
            "outcome": hook.outcome.name(),
            "durationMs": hook.took.map(milliseconds),
            "limitMs": milliseconds(*limit),
            "message": hook.what,
        }),
        TimelineEvent::Runtime { what, took, limit } => json!({
            "type": "runtime",
            "what": what,
            "durationMs": milliseconds(*took),
            "limitMs": milliseconds(*limit),
        }),
        TimelineEvent::ForewordLine(message) => json!({"type": "foreword", "message": message}),
        TimelineEvent::LogLine(line) => json!({"type": "log", "line": line}),
        TimelineEvent::Invocation { request, body, .. } => {
            json!({"type": "event", "requestId": request, "event": embedded(body.as_bytes())})
        }
        TimelineEvent::Response { request, body, .. } => {
            json!({"type": "answer", "requestId": request, "answer": embedded(body)})
        }
        TimelineEvent::Error { caller, body } => {
            let caller = match caller {
                Caller::Invoker(_) => "invoker",
                Caller::Publisher => "publisher",
            };
            json!({"type": "error", "caller": caller, "error": embedded(body.as_bytes())})
        }
        TimelineEvent::Note(message) => json!({"type": "note", "message": message}),
        TimelineEvent::Problem(message) => json!({"type": "problem", "message": message}),
        TimelineEvent::StageEnd { stage, took, limit } => json!({
            "type": "end",
            "stage": stage.name(),
            "durationMs": milliseconds(*took),
            "limitMs": limit.map(milliseconds),
        }),
        TimelineEvent::Result { is_successful } => {
            json!({"type": "result", "outcome": if *is_successful { "success" } else { "failure" }})
        }
    };
    if let Some(number) = invocation(event) {
        object["invocation"] = number.into();
    }
    object.to_string() + "\n"
}

fn invocation(event: &TimelineEvent) -> Option<usize> {
    match event {
        TimelineEvent::StageBegin { stage: LifecycleStage::Invocation(number), .. }
        | TimelineEvent::StageEnd { stage: LifecycleStage::Invocation(number), .. } => {
            Some(*number)
        }
        TimelineEvent::Invocation { invocation, .. }
        | TimelineEvent::Response { invocation, .. }
        | TimelineEvent::Error { caller: Caller::Invoker(invocation), .. } => Some(*invocation),
        _ => None,
    }
}

/// Embeds a body: JSON as it is, anything else as a string.
fn embedded(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
