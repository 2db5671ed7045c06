//! The log: lines on standard error, text or JSON, through `tracing`. The level costs nothing to ask
//! for; the subscriber that formats lines is made when the first one is written, so that a start that
//! says nothing does not pay for it.

use crate::environ::Environ;
use crate::lambda::{LOG_FORMAT, LOG_LEVEL};
use crate::process;
use crate::report::{Failure, HookEnd};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Debug, Write as _};
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The variable of foreword's own log level.
pub const LEVEL_VARIABLE: &str = "FOREWORD_LOG";

/// Starts the log of this process with the level and the format that an environment names:
/// `FOREWORD_LOG`, else Lambda's `AWS_LAMBDA_LOG_LEVEL`, and `AWS_LAMBDA_LOG_FORMAT`. Does nothing
/// the second time.
pub fn start(environ: &Environ) {
    if SETTINGS.set(Settings::from_environ(environ)).is_ok() {
        // There is no other dispatcher in the program that could have been first.
        let _ = dispatcher::set_global_default(Dispatch::new(LazySubscriber));
    }
}

/// The value of `FOREWORD_LOG`, if it is no level.
pub fn unknown_level<'e>(environ: &'e Environ) -> Option<Cow<'e, str>> {
    environ.lossy(LEVEL_VARIABLE).filter(|name| level(name).is_none())
}

/// Returns the warning about such a value.
pub fn about_level(word: &str) -> String {
    format!("{LEVEL_VARIABLE} is {word:?}, none of off, error, warn, info, debug and trace")
}

/// Logs that a hook succeeded.
pub fn success(hook: &HookEnd) {
    let ms = hook.milliseconds();
    let exported = match hook.exported {
        None => String::new(),
        Some(1) => ", exported 1 variable".into(),
        Some(count) => format!(", exported {count} variables"),
    };
    tracing::info!(
        phase = hook.phase.name(),
        hook = hook.name,
        outcome = hook.outcome.name(),
        durationMs = ms,
        exported = hook.exported,
        "{hook} succeeded after {ms} ms{exported}"
    );
}

/// Logs a failure, also one that stops nothing.
pub fn failure(failure: &Failure) {
    let hook = failure.hook.as_ref();
    tracing::error!(
        errorType = failure.error_type.name(),
        phase = hook.map(|hook| hook.phase.name()),
        hook = hook.map(|hook| &*hook.name),
        outcome = hook.map(|hook| hook.outcome.name()),
        durationMs = hook.map(HookEnd::milliseconds),
        "{}",
        failure.message
    );
}

/// Finds a level by its name. Lambda's `FATAL` has no level of its own here.
fn level(name: &str) -> Option<LevelFilter> {
    const NAMES: [(&str, LevelFilter); 7] = [
        ("off", LevelFilter::OFF),
        ("fatal", LevelFilter::ERROR),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    NAMES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| level)
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Text,
    /// One object a line.
    Json,
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    level: LevelFilter,
    format: Format,
}

impl Settings {
    fn from_environ(environ: &Environ) -> Self {
        let named = |variable| environ.lossy(variable).and_then(|name| level(&name));
        let is_json =
            environ.lossy(LOG_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json"));
        Self {
            level: named(LEVEL_VARIABLE).or_else(|| named(LOG_LEVEL)).unwrap_or(LevelFilter::INFO),
            format: if is_json { Format::Json } else { Format::Text },
        }
    }
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

fn settings() -> Settings {
    const SILENT: Settings = Settings { level: LevelFilter::OFF, format: Format::Text };
    SETTINGS.get().copied().unwrap_or(SILENT)
}

/// Decides by the level alone, and makes the subscriber that formats lines for the first one.
struct LazySubscriber;

impl LazySubscriber {
    fn formatting(&self) -> &'static (dyn Subscriber + Send + Sync) {
        static FORMATTING: OnceLock<Box<dyn Subscriber + Send + Sync>> = OnceLock::new();
        &**FORMATTING.get_or_init(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(LevelFilter::TRACE)
                .with_writer(|| StandardError)
                .event_format(settings().format);
            Box::new(subscriber.finish())
        })
    }
}

impl Subscriber for LazySubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata) -> bool {
        *metadata.level() <= settings().level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(settings().level)
    }

    fn event(&self, event: &Event) {
        self.formatting().event(event);
    }

    fn new_span(&self, span: &Attributes) -> Id {
        self.formatting().new_span(span)
    }

    fn record(&self, span: &Id, values: &Record) {
        self.formatting().record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.formatting().record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.formatting().enter(span);
    }

    fn exit(&self, span: &Id) {
        self.formatting().exit(span);
    }
}

/// Standard error, as [`process::write_to_standard_error`] writes to it.
struct StandardError;

impl io::Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        process::write_to_standard_error(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<S, N>, mut to: Writer, event: &Event) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let Line { message, fields } = line;
        match self {
            Self::Text => {
                to.write_str("foreword: ")?;
                // Whatever a message quotes, it stays one line.
                for character in message.chars() {
                    match character.is_control() {
                        true => write!(to, "{}", character.escape_default())?,
                        false => to.write_char(character)?,
                    }
                }
                to.write_char('\n')
            }
            Self::Json => {
                let timestamp = timestamp(SystemTime::now());
                let level = event.metadata().level();
                let message = Value::from(message);
                writeln!(
                    to,
                    r#"{{"timestamp":"{timestamp}","level":"{level}","message":{message}{fields}}}"#,
                )
            }
        }
    }
}

/// What an event holds.
#[derive(Default)]
struct Line {
    message: String,
    /// The other fields as members of a JSON object, each with a comma before it.
    fields: String,
}

impl Line {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let _ = write!(self.fields, ",\"{}\":{}", field.name(), value.into());
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            _ => self.put(field, format!("{value:?}")),
        }
    }
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
