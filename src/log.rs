//! What foreword says, on standard error alone: one line at a time, as text or as JSON. Nothing is set up until there
//! is something to say, because that costs time which a silent cold start need not pay.

use crate::environ::Environ;
use crate::process;
use crate::report::{Failure, HookEnd};
use std::borrow::Cow;
use std::fmt;
use std::sync::Once;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber, subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// How much is said, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    level: LevelFilter,
    json: bool,
}

impl Log {
    /// Reads `FOREWORD_LOG`, else Lambda's `AWS_LAMBDA_LOG_LEVEL`, and `AWS_LAMBDA_LOG_FORMAT`.
    pub fn from_environ(environ: &Environ) -> Self {
        let named = |variable| environ.lossy(variable).and_then(|name| level(&name));
        let level = named("FOREWORD_LOG").or_else(|| named("AWS_LAMBDA_LOG_LEVEL")).unwrap_or(LevelFilter::INFO);
        let json = environ.lossy("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
        Self { level, json }
    }

    /// The value of `FOREWORD_LOG`, if it is no level.
    pub fn unknown_level<'e>(environ: &'e Environ) -> Option<Cow<'e, str>> {
        environ.lossy("FOREWORD_LOG").filter(|name| level(name).is_none())
    }

    /// Says in detail what happens; the message is made only when that is wanted.
    pub fn debug(self, message: impl FnOnce() -> String) {
        if self.level >= LevelFilter::DEBUG {
            self.open();
            tracing::debug!("{}", message());
        }
    }

    pub fn warn(self, message: &str) {
        self.open();
        tracing::warn!("{message}");
    }

    /// The line of a hook that did what it should.
    pub fn success(self, hook: &HookEnd) {
        self.open();
        tracing::info!(
            phase = hook.phase.name(),
            hook = hook.name,
            outcome = hook.outcome.name(),
            durationMs = hook.milliseconds(),
            "{hook} succeeded after {} ms",
            hook.milliseconds()
        );
    }

    /// The one line about a failure, also of one that stops nothing.
    pub fn failure(self, failure: &Failure) {
        self.open();
        let hook = failure.hook.as_ref();
        tracing::error!(
            errorType = failure.error_type.name(),
            phase = hook.map(|hook| hook.phase.name()),
            hook = hook.map(|hook| hook.name.as_str()),
            outcome = hook.map(|hook| hook.outcome.name()),
            durationMs = hook.map(HookEnd::milliseconds),
            "{}",
            failure.message
        );
    }

    fn open(self) {
        static OPENED: Once = Once::new();
        OPENED.call_once(|| {
            // A line that cannot be written is lost; its loss must not stop the runtime.
            let lines = tracing_subscriber::fmt().with_max_level(self.level).with_writer(process::StandardError::open);
            let lines = lines.log_internal_errors(false);
            // Nobody else sets a subscriber, so this one is taken.
            let _ = match self.json {
                true => {
                    let objects = lines.json().flatten_event(true).with_target(false);
                    subscriber::set_global_default(objects.with_current_span(false).with_span_list(false).finish())
                }
                false => subscriber::set_global_default(lines.event_format(Line).finish()),
            };
        });
    }
}

/// Lambda's `FATAL` has no level of its own here.
fn level(name: &str) -> Option<LevelFilter> {
    const LEVELS: [(&str, LevelFilter); 7] = [
        ("off", LevelFilter::OFF),
        ("fatal", LevelFilter::ERROR),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    LEVELS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, level)| level)
}

/// Text: `foreword: `, and the message on one line, whatever it quotes.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        writer.write_str("foreword: ")?;
        for character in message.0.chars() {
            match character.is_control() {
                true => write!(writer, "{}", character.escape_default())?,
                false => writer.write_char(character)?,
            }
        }
        writer.write_char('\n')
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
