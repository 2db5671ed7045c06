//! The timeline as programs read it: one JSON object a line.

use super::moment::{Caller, Moment, Stage};
use serde_json::{Value, json};
use std::time::Duration;

pub fn shown(moment: &Moment) -> String {
    let mut object = match moment {
        Moment::Environment { number, of } => {
            json!({"type": "environment", "environment": number, "of": of})
        }
        Moment::Stage { stage, limit } => {
            json!({"type": "begin", "stage": stage.name(), "limitMs": limit.map(milliseconds)})
        }
        Moment::Hook { hook, limit } => json!({
            "type": "hook", "phase": hook.phase.name(), "hook": hook.name, "outcome": hook.outcome.name(),
            "durationMs": hook.took.map(milliseconds), "limitMs": milliseconds(*limit), "message": hook.what,
        }),
        Moment::Runtime { what, took, limit } => {
            json!({"type": "runtime", "what": what, "durationMs": milliseconds(*took), "limitMs": milliseconds(*limit)})
        }
        Moment::Foreword(message) => json!({"type": "foreword", "message": message}),
        Moment::Log(line) => json!({"type": "log", "line": line}),
        Moment::Event { request, body, .. } => {
            json!({"type": "event", "requestId": request, "event": embedded(body.as_bytes())})
        }
        Moment::Answer { request, body, .. } => {
            json!({"type": "answer", "requestId": request, "answer": embedded(body)})
        }
        Moment::Error { caller, body } => {
            let caller = match caller {
                Caller::Invoker(_) => "invoker",
                Caller::Publisher => "publisher",
            };
            json!({"type": "error", "caller": caller, "error": embedded(body.as_bytes())})
        }
        Moment::Note(message) => json!({"type": "note", "message": message}),
        Moment::Problem(message) => json!({"type": "problem", "message": message}),
        Moment::End { stage, took, limit } => json!({
            "type": "end", "stage": stage.name(), "durationMs": milliseconds(*took), "limitMs": limit.map(milliseconds),
        }),
        Moment::Result { is_well } => {
            json!({"type": "result", "outcome": if *is_well { "success" } else { "failure" }})
        }
    };
    if let Some(number) = invocation(moment) {
        object["invocation"] = number.into();
    }
    object.to_string() + "\n"
}

fn invocation(moment: &Moment) -> Option<usize> {
    match moment {
        Moment::Stage { stage: Stage::Invocation(number), .. }
        | Moment::End { stage: Stage::Invocation(number), .. } => Some(*number),
        Moment::Event { invocation, .. }
        | Moment::Answer { invocation, .. }
        | Moment::Error { caller: Caller::Invoker(invocation), .. } => Some(*invocation),
        _ => None,
    }
}

/// JSON stays what it is; anything else becomes a text.
fn embedded(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
