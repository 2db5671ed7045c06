//! The timeline as people read it: a heading for each stage, a line for each hook with its duration
//! as a bar, and between them, further in, what everybody else has to say.

use super::event::{Caller, LifecycleStage, TimelineEvent};
use super::log_line::HookLine;
use crate::cli::colors::Colors;
use crate::cli::finding::printable;
use crate::report::HookOutcome;
use serde_json::Value;
use std::time::Duration;

/// How many characters a bar has that fills its limit.
const BAR: u128 = 16;

/// An eighth of a character more each.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

pub fn render(event: &TimelineEvent, colors: Colors) -> String {
    let line = |color: &str, text: String| format!("  {}\n", colors.paint(color, &text));
    match event {
        TimelineEvent::Environment { number, of } => {
            colors.paint(BOLD, &format!("environment {number} of {of}")) + "\n"
        }
        TimelineEvent::StageBegin { stage, limit } => {
            let name = match stage {
                LifecycleStage::Invocation(number) => format!("invocation {number}"),
                stage => stage.name().to_owned(),
            };
            let most =
                limit.map(|limit| format!(" (at most {})", seconds(limit))).unwrap_or_default();
            colors.paint(BOLD, &name) + &most + "\n"
        }
        TimelineEvent::Hook { hook, limit } => self::hook(hook, *limit, colors),
        TimelineEvent::Runtime { what, took, limit } => {
            row("runtime", what, Some(*took), *limit, "", colors)
        }
        TimelineEvent::ForewordLine(message) => {
            line(YELLOW, format!("foreword: {}", printable(message)))
        }
        TimelineEvent::LogLine(text) => {
            format!("    {} {}\n", colors.paint(DIM, "│"), printable(text))
        }
        TimelineEvent::Invocation { body, .. } => {
            line("", format!("event   {}", one_line(&truncated(body.as_bytes()))))
        }
        TimelineEvent::Response { body, .. } => {
            line(GREEN, format!("answer  {}", one_line(&truncated(body))))
        }
        TimelineEvent::Error { caller, body } => {
            let who = match caller {
                Caller::Invoker(_) => "the caller gets",
                Caller::Publisher => "publishing the version fails with",
            };
            line(RED, format!("{who} {}", printable(&error_summary(body))))
        }
        TimelineEvent::Note(text) => line(DIM, printable(text)),
        TimelineEvent::Problem(text) => line(RED, printable(text)),
        TimelineEvent::StageEnd { stage, took, limit } => match limit {
            Some(limit) => row(stage.name(), "in all", Some(*took), *limit, "", colors),
            None => String::new(),
        },
        TimelineEvent::Result { is_successful: true } => {
            colors.paint(GREEN, "all went well") + "\n"
        }
        TimelineEvent::Result { is_successful: false } => {
            colors.paint(RED, "not all went well") + "\n"
        }
    }
}

fn hook(hook: &HookLine, limit: Duration, colors: Colors) -> String {
    let what = if hook.outcome == HookOutcome::Success { "" } else { &hook.what };
    let row = row(hook.phase.name(), &hook.name, hook.took, limit, what, colors);
    match hook.exported() {
        Some(exported) => format!("{}  {}\n", row.trim_end(), colors.paint(DIM, exported)),
        None => row,
    }
}

fn row(
    what: &str,
    name: &str,
    took: Option<Duration>,
    limit: Duration,
    problem: &str,
    colors: Colors,
) -> String {
    let bar = bar(took.unwrap_or_default(), limit);
    let gap = " ".repeat((BAR as usize).saturating_sub(bar.chars().count()));
    let took = took.map_or_else(|| "-".into(), |took| took.as_millis().to_string());
    let row = format!(
        "  {what:<15} {:<20} {}{gap} {took:>6} ms of {}",
        printable(name),
        bar,
        seconds(limit)
    );
    match problem {
        "" => row + "\n",
        problem => format!("{row}  {}\n", colors.paint(RED, &printable(problem))),
    }
}

/// What took some time at all can be seen.
fn bar(took: Duration, limit: Duration) -> String {
    let eighths = took.as_micros() * BAR * 8 / limit.as_micros().max(1);
    let eighths = eighths.clamp(1, BAR * 8);
    let whole = usize::try_from(eighths / 8).expect("a short bar");
    "█".repeat(whole) + EIGHTHS[usize::try_from(eighths % 8).expect("less than eight")]
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
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
