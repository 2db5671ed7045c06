//! Recognises foreword's own lines in what comes out of a function, be they text or JSON: `log`
//! writes them.

use crate::phase::Phase;
use crate::report::HookOutcome;
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub enum LogLine {
    /// A hook has ended.
    Hook(HookLine),
    /// Something else that foreword says.
    Foreword(String),
    Other,
}

#[derive(Debug, PartialEq, Eq)]
pub struct HookLine {
    pub phase: Phase,
    pub name: String,
    pub outcome: HookOutcome,
    /// Nothing for one that was not started.
    pub took: Option<Duration>,
    /// What became of it, in foreword's words.
    pub what: String,
}

impl HookLine {
    /// Whether it may be as it is: it did what it should, or the configuration lets the others go
    /// on.
    pub fn is_tolerated(&self) -> bool {
        self.outcome == HookOutcome::Success || self.what.ends_with("(on_failure: continue)")
    }

    /// What it exported, in foreword's words: `exported 3 variables`.
    pub fn exported(&self) -> Option<&str> {
        let (_, exported) =
            self.what.split_once(" ms, ").filter(|_| self.outcome == HookOutcome::Success)?;
        Some(exported)
    }
}

pub fn parse(line: &str) -> LogLine {
    if let Some(message) = line.strip_prefix("foreword: ") {
        return parse_hook(message)
            .map_or_else(|| LogLine::Foreword(message.to_owned()), LogLine::Hook);
    }
    let Ok(Value::Object(fields)) = serde_json::from_str(line) else { return LogLine::Other };
    let text = |name| fields.get(name).and_then(Value::as_str);
    match (text("timestamp"), text("level"), text("message")) {
        (Some(_), Some(_), Some(message)) if text("hook").is_some() => {
            parse_hook(message).map_or(LogLine::Other, LogLine::Hook)
        }
        _ => LogLine::Other,
    }
}

/// Parts the line of a hook from what somebody left in front of it without a line end.
pub fn split_hook_line(line: &str) -> (&str, &str) {
    let starts = ["foreword: hook \"", "{\"timestamp\":"]
        .into_iter()
        .flat_map(|start| line.match_indices(start));
    let is_hook = |at: &usize| matches!(parse(&line[*at..]), LogLine::Hook(_));
    line.split_at(starts.map(|(at, _)| at).find(is_hook).unwrap_or_default())
}

/// `hook "NAME" (PHASE) WHAT`.
fn parse_hook(message: &str) -> Option<HookLine> {
    let rest = message.strip_prefix("hook \"")?;
    let (phase, (name, what)) = Phase::ALL
        .into_iter()
        .filter_map(|phase| Some((phase, rest.split_once(&format!("\" ({}) ", phase.name()))?)))
        .min_by_key(|(_, (name, _))| name.len())?;
    // Only the last attempt is an end.
    if what.contains("; it is tried again in ") {
        return None;
    }
    let outcome = match what {
        _ if what.starts_with("succeeded ") => HookOutcome::Success,
        _ if what.starts_with("timed out ") || what.starts_with("was not started: ") => {
            HookOutcome::Timeout
        }
        _ => HookOutcome::Failure,
    };
    let took = what.split_once(" after ").and_then(|(_, after)| after.split_once(" ms"));
    let took = took.and_then(|(number, _)| number.parse().ok()).map(Duration::from_millis);
    Some(HookLine { phase, name: name.to_owned(), outcome, took, what: what.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> (Phase, String, &'static str, Option<u64>, bool) {
        match parse(line) {
            LogLine::Hook(hook) => {
                let took = hook.took.map(|took| took.as_millis() as u64);
                (hook.phase, hook.name.clone(), hook.outcome.name(), took, hook.is_tolerated())
            }
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn hooks() {
        for (line, name, outcome, took, is_tolerated) in [
            (
                r#"foreword: hook "a b" (initialize) succeeded after 12 ms"#,
                "a b",
                "success",
                Some(12),
                true,
            ),
            (
                r#"foreword: hook "a" (initialize) succeeded after 12 ms, exported 3 variables"#,
                "a",
                "success",
                Some(12),
                true,
            ),
            (
                r#"foreword: hook "a" (initialize) exited with status 3 after 120 ms"#,
                "a",
                "failure",
                Some(120),
                false,
            ),
            (
                r#"foreword: hook "a" (initialize) timed out after 9 ms (timeout_ms)"#,
                "a",
                "timeout",
                Some(9),
                false,
            ),
            (
                r#"foreword: hook "a" (initialize) exited with status 1 after 0 ms (on_failure: continue)"#,
                "a",
                "failure",
                Some(0),
                true,
            ),
            (
                r#"foreword: hook "a" (initialize) was not started: the 8000 ms of the phase are over"#,
                "a",
                "timeout",
                None,
                false,
            ),
            (
                r#"{"timestamp":"T","level":"INFO","message":"hook \"a\" (initialize) succeeded after 3 ms","phase":"initialize","hook":"a","outcome":"success","durationMs":3}"#,
                "a",
                "success",
                Some(3),
                true,
            ),
        ] {
            assert_eq!(
                told(line),
                (Phase::Initialize, name.to_owned(), outcome, took, is_tolerated),
                "{line}"
            );
        }
        assert_eq!(told(r#"foreword: hook "a" (pre_stop) succeeded after 3 ms"#).0, Phase::PreStop);
    }

    #[test]
    fn an_exporting_hook_says_how_many_variables_came() {
        for (what, expected) in [
            ("succeeded after 12 ms, exported 1 variable", Some("exported 1 variable")),
            ("succeeded after 12 ms", None),
            ("exported something unreadable: after 12 ms, x", None),
        ] {
            let LogLine::Hook(hook) = parse(&format!("foreword: hook \"a\" (initialize) {what}"))
            else {
                panic!("{what}")
            };
            assert_eq!(hook.exported(), expected, "{what}");
        }
    }

    #[test]
    fn lines_that_do_not_begin_at_the_beginning() {
        let text = r#"foreword: hook "a" (pre_stop) succeeded after 3 ms"#;
        let json = r#"{"timestamp":"T","level":"INFO","message":"hook \"a\" (pre_stop) succeeded after 3 ms","hook":"a"}"#;
        for hook in [text, json] {
            assert_eq!(split_hook_line(&format!("{{\"ok\":1}}{hook}")), ("{\"ok\":1}", hook));
            assert_eq!(split_hook_line(hook), ("", hook));
        }
        assert_eq!(split_hook_line("of foreword: no hook"), ("", "of foreword: no hook"));
    }

    #[test]
    fn other_lines() {
        for (line, expected) in [
            ("foreword: hook \"a\" is late", LogLine::Foreword("hook \"a\" is late".into())),
            ("foreword: unable", LogLine::Foreword("unable".into())),
            (
                "foreword: hook \"a\" (initialize) exited with status 1 after 2 ms; it is tried \
                 again in 200 ms",
                LogLine::Foreword(
                    "hook \"a\" (initialize) exited with status 1 after 2 ms; it is tried again \
                     in 200 ms"
                        .into(),
                ),
            ),
            ("foreword", LogLine::Other),
            (r#"{"timestamp":"T","level":"INFO","message":"mine"}"#, LogLine::Other),
            ("{", LogLine::Other),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
