//! The timeline as people read it: a heading for each stage, a line for each hook with its duration
//! as a bar, and between them, further in, what everybody else has to say.

use super::event::{Caller, LifecycleStage, TimelineEvent};
use super::log_line::HookLine;
use crate::cli::printer::{
    BOLD, BOLD_RED, Colors, DIM, GREEN, PLAIN, Printer, YELLOW, printable, seconds,
};
use crate::report::HookOutcome;
use serde_json::Value;
use std::time::Duration;

/// How many characters a bar has that fills its limit.
const BAR: u128 = 16;

/// An eighth of a character more each.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Returns the lines of an event.
pub fn render(event: &TimelineEvent, colors: Colors) -> String {
    let mut printer = Printer::new(colors);
    match event {
        TimelineEvent::Environment { number, of } => {
            printer.heading(BOLD, &format!("environment {number} of {of}"));
        }
        TimelineEvent::StageBegin { stage, limit } => {
            let name = match stage {
                LifecycleStage::Invocation(number) => format!("invocation {number}"),
                stage => stage.name().to_owned(),
            };
            let most =
                limit.map(|limit| format!(" (at most {})", seconds(limit))).unwrap_or_default();
            let name = printer.paint(BOLD, &name);
            printer.raw(&(name + &most));
        }
        TimelineEvent::Hook { hook, limit } => add_hook(&mut printer, hook, *limit),
        TimelineEvent::Runtime { what, took, limit } => {
            printer.line(&row("runtime", what, Some(*took), *limit));
        }
        TimelineEvent::ForewordLine(message) => {
            printer.styled_line(YELLOW, &format!("foreword: {}", printable(message)));
        }
        TimelineEvent::LogLine(text) => {
            let mark = printer.paint(DIM, "│");
            printer.line(&format!("  {mark} {}", printable(text)));
        }
        TimelineEvent::Invocation { body, .. } => {
            let body = one_line(&truncated(body.as_bytes()));
            printer.styled_line(PLAIN, &format!("event   {body}"));
        }
        TimelineEvent::Response { body, .. } => {
            printer.styled_line(GREEN, &format!("answer  {}", one_line(&truncated(body))));
        }
        TimelineEvent::Error { caller, body } => {
            let who = match caller {
                Caller::Invoker(_) => "the caller gets",
                Caller::Publisher => "publishing the version fails with",
            };
            let error = printable(&error_summary(body));
            printer.styled_line(BOLD_RED, &format!("{who} {error}"));
        }
        TimelineEvent::Note(text) => printer.styled_line(DIM, &printable(text)),
        TimelineEvent::Problem(text) => printer.styled_line(BOLD_RED, &printable(text)),
        TimelineEvent::StageEnd { stage, took, limit: Some(limit) } => {
            printer.line(&row(stage.name(), "in all", Some(*took), *limit));
        }
        TimelineEvent::StageEnd { limit: None, .. } => {}
        TimelineEvent::Result { is_successful: true } => printer.heading(GREEN, "all went well"),
        TimelineEvent::Result { is_successful: false } => {
            printer.heading(BOLD_RED, "not all went well");
        }
    }
    printer.into_text()
}

fn add_hook(printer: &mut Printer, hook: &HookLine, limit: Duration) {
    let row = row(hook.phase.name(), &hook.name, hook.took, limit);
    let detail = match (hook.outcome, hook.exported()) {
        (HookOutcome::Success, Some(exported)) => Some(printer.paint(DIM, exported)),
        (HookOutcome::Success, None) => None,
        _ => Some(printer.paint(BOLD_RED, &printable(&hook.what))),
    };
    match detail {
        Some(detail) => printer.line(&format!("{row}  {detail}")),
        None => printer.line(&row),
    }
}

/// Returns what ran, how long it took as a bar and in milliseconds, and its limit.
fn row(what: &str, name: &str, took: Option<Duration>, limit: Duration) -> String {
    let bar = bar(took.unwrap_or_default(), limit);
    let gap = " ".repeat((BAR as usize).saturating_sub(bar.chars().count()));
    let took = took.map_or_else(|| "-".into(), |took| took.as_millis().to_string());
    let name = printable(name);
    format!("{what:<15} {name:<20} {bar}{gap} {took:>6} ms of {}", seconds(limit))
}

/// What took some time at all can be seen.
fn bar(took: Duration, limit: Duration) -> String {
    let eighths = took.as_micros() * BAR * 8 / limit.as_micros().max(1);
    let eighths = eighths.clamp(1, BAR * 8);
    let whole = usize::try_from(eighths / 8).expect("a short bar");
    "█".repeat(whole) + EIGHTHS[usize::try_from(eighths % 8).expect("less than eight")]
}

/// Type and message of an error; the rest, such as a stack trace, is for programs.
fn error_summary(body: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return body.to_owned() };
    let error_summary =
        ["errorType", "errorMessage"].map(|name| Some(format!("\"{name}\":{}", fields.get(name)?)));
    let more = if fields.len() > error_summary.iter().flatten().count() { ",…" } else { "" };
    format!("{{{}{more}}}", error_summary.into_iter().flatten().collect::<Vec<_>>().join(","))
}

/// JSON may have line ends where it may have spaces.
fn one_line(text: &str) -> String {
    printable(&text.lines().map(str::trim).collect::<Vec<_>>().join(" "))
}

/// An answer may have 6 MB, which nobody reads on a terminal.
fn truncated(body: &[u8]) -> String {
    const MOST: usize = 1000;
    let text = String::from_utf8_lossy(&body[..body.len().min(MOST)]).into_owned();
    if body.len() > MOST { format!("{text}… ({} bytes)", body.len()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_scaled_to_their_limit() {
        let second = Duration::from_secs(1);
        for (took, expected) in [
            (0, "▏"),
            (1, "▏"),
            (500, "████████"),
            (1000, "████████████████"),
            (2000, "████████████████"),
            (40, "▋"),
            (80, "█▎"),
        ] {
            assert_eq!(bar(Duration::from_millis(took), second), expected, "{took}");
        }
    }
}
