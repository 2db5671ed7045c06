//! What foreword says, on standard error alone: one line at a time, as text or as JSON, each
//! written whole. No logging framework: setting one up cost a start with a hook as much as a third
//! of the hook itself.

use crate::environ::Environ;
use crate::lambda::{LOG_FORMAT, LOG_LEVEL};
use crate::process;
use crate::report::{Failure, HookEnd};
use serde_json::Value;
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// Lambda's `FATAL` has no level of its own here.
    fn of(name: &str) -> Option<Self> {
        const NAMES: [(&str, Level); 7] = [
            ("off", Level::Off),
            ("fatal", Level::Error),
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("info", Level::Info),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
        ];
        NAMES
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, level)| level)
    }

    /// As Lambda's own JSON logs have it.
    fn name(self) -> &'static str {
        match self {
            Level::Off => "OFF",
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }
}

/// How much is said, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    level: Level,
    json: bool,
}

/// The variable of foreword's own log level.
pub const LEVEL_VARIABLE: &str = "FOREWORD_LOG";

impl Log {
    /// Reads `FOREWORD_LOG`, else Lambda's `AWS_LAMBDA_LOG_LEVEL`, and `AWS_LAMBDA_LOG_FORMAT`.
    pub fn from_environ(environ: &Environ) -> Self {
        let named = |variable| environ.lossy(variable).and_then(|name| Level::of(&name));
        let level = named(LEVEL_VARIABLE).or_else(|| named(LOG_LEVEL)).unwrap_or(Level::Info);
        let json =
            environ.lossy(LOG_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json"));
        Self { level, json }
    }

    /// The value of `FOREWORD_LOG`, if it is no level.
    pub fn unknown_level<'e>(environ: &'e Environ) -> Option<Cow<'e, str>> {
        environ.lossy(LEVEL_VARIABLE).filter(|name| Level::of(name).is_none())
    }

    /// What is said about such a value.
    pub fn about_level(word: &str) -> String {
        format!("FOREWORD_LOG is {word:?}, none of off, error, warn, info, debug and trace")
    }

    /// Whether it is wanted to be said in detail what happens.
    pub fn is_detailed(self) -> bool {
        self.level >= Level::Debug
    }

    /// Says in detail what happens; the message is made only when that is wanted.
    pub fn debug(self, message: impl FnOnce() -> String) {
        if self.is_detailed() {
            self.say(Level::Debug, &message(), &Vec::new);
        }
    }

    pub fn warn(self, message: &str) {
        self.say(Level::Warn, message, &Vec::new);
    }

    /// The line of a hook that did what it should.
    pub fn success(self, hook: &HookEnd) {
        let mut message = format!("{hook} succeeded after {} ms", hook.milliseconds());
        if let Some(exported) = hook.exported {
            message +=
                &format!(", exported {exported} variable{}", if exported == 1 { "" } else { "s" });
        }
        self.say(Level::Info, &message, &|| fields(hook));
    }

    /// The one line about a failure, also of one that stops nothing.
    pub fn failure(self, failure: &Failure) {
        self.say(Level::Error, &failure.message, &|| {
            let mut all = vec![("errorType", failure.error_type.name().into())];
            all.extend(failure.hook.iter().flat_map(fields));
            all
        });
    }

    /// Says something; `fields` are for JSON alone.
    fn say(self, level: Level, message: &str, fields: &dyn Fn() -> Vec<Field>) {
        if level > self.level {
            return;
        }
        let mut line = String::with_capacity(128);
        if self.json {
            let start = [
                ("timestamp", timestamp(SystemTime::now()).into()),
                ("level", level.name().into()),
                ("message", message.into()),
            ];
            for (name, value) in start.into_iter().chain(fields()) {
                line += if line.is_empty() { "{" } else { "," };
                line += &format!("\"{name}\":{value}");
            }
            line.push('}');
        } else {
            line += "foreword: ";
            // Whatever a message quotes, it stays one line.
            for part in message.split_inclusive(char::is_control) {
                let text = part.trim_end_matches(char::is_control);
                line += text;
                line.extend(part[text.len()..].chars().flat_map(char::escape_default));
            }
        }
        line.push('\n');
        process::write_to_standard_error(line.as_bytes());
    }
}

/// A member of a line that is JSON.
type Field = (&'static str, Value);

fn fields(hook: &HookEnd) -> Vec<Field> {
    let mut fields = vec![
        ("phase", hook.phase.name().into()),
        ("hook", hook.name.as_str().into()),
        ("outcome", hook.outcome.name().into()),
        ("durationMs", hook.milliseconds().into()),
    ];
    fields.extend(hook.exported.map(|exported| ("exported", exported.into())));
    fields
}

/// A time as RFC 3339 has it, in UTC, to the microsecond.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Years are counted from March, so that a leap day is the last of one; 400 of them have 146,097
    // days (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z",
        since.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::new(seconds, 7_000)), expected);
        }
    }
}
