//! The log: lines on standard error, as text or JSON, through `tracing`. [`start`] only stores
//! level and format; the subscriber that formats lines is made for the first line, so that a start
//! that logs nothing does not pay for it.

use crate::environ::Environ;
use crate::json;
use crate::lambda::{LOG_FORMAT, LOG_LEVEL};
use crate::process;
use crate::report::{Failure, HookEnd, milliseconds};
use crate::timestamp::{Precision, rfc3339};
use std::fmt::{self, Debug, Write as _};
use std::io;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::{Extensions, ExtensionsMut, LookupSpan, SpanData};

/// The environment variable that names foreword's log level.
pub const LEVEL_VARIABLE: &str = "FOREWORD_LOG";

/// Starts the log of this process. The level is that of `FOREWORD_LOG`, else that of Lambda's
/// `AWS_LAMBDA_LOG_LEVEL`, else `info`; the format is that of `AWS_LAMBDA_LOG_FORMAT`
/// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>).
/// A second call has no effect.
pub fn start(environ: &Environ) {
    if SETTINGS.set(LogSettings::from_environ(environ)).is_ok() {
        // It fails only where another dispatcher was set, and nothing else sets one.
        let _ = dispatcher::set_global_default(Dispatch::new(LazySubscriber));
    }
}

/// Returns a warning if `FOREWORD_LOG` names no level.
pub fn describe_unknown_level(environ: &Environ) -> Option<String> {
    let word = environ.lossy(LEVEL_VARIABLE).filter(|name| level_from_name(name).is_none())?;
    Some(format!("{LEVEL_VARIABLE} is {word:?}, none of off, error, warn, info, debug and trace"))
}

/// Logs that a hook succeeded.
pub fn log_success(hook: &HookEnd) {
    let ms = hook.duration_ms();
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

/// Logs that secrets were resolved: how many variables they are, and how long it took.
pub fn log_secrets(count: usize, duration: Duration) {
    let ms = milliseconds(duration);
    let variables = if count == 1 { "variable" } else { "variables" };
    tracing::info!(
        outcome = "success",
        durationMs = ms,
        exported = count,
        "secrets were resolved after {ms} ms: {count} {variables}"
    );
}

/// Logs a failure as an error, also one after which foreword goes on.
pub fn log_failure(failure: &Failure) {
    let hook = failure.hook.as_ref();
    tracing::error!(
        errorType = failure.error_type.name(),
        phase = hook.map(|hook| hook.phase.name()),
        hook = hook.map(|hook| &*hook.name),
        outcome = hook.map(|hook| hook.outcome.name()),
        durationMs = hook.map(HookEnd::duration_ms),
        "{}",
        failure.message
    );
}

/// Finds a level by its name, in upper or lower case. Lambda's `FATAL` is `error` here.
fn level_from_name(name: &str) -> Option<LevelFilter> {
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

/// The format of a line of the log.
#[derive(Debug, Clone, Copy)]
enum Format {
    /// `foreword: MESSAGE`.
    Text,
    /// One JSON object for each line.
    Json,
}

#[derive(Debug, Clone, Copy)]
struct LogSettings {
    level: LevelFilter,
    format: Format,
}

impl LogSettings {
    fn from_environ(environ: &Environ) -> Self {
        let named = |variable| environ.lossy(variable).and_then(|name| level_from_name(&name));
        let is_json =
            environ.lossy(LOG_FORMAT).is_some_and(|format| format.eq_ignore_ascii_case("json"));
        Self {
            level: named(LEVEL_VARIABLE).or_else(|| named(LOG_LEVEL)).unwrap_or(LevelFilter::INFO),
            format: if is_json { Format::Json } else { Format::Text },
        }
    }
}

static SETTINGS: OnceLock<LogSettings> = OnceLock::new();

/// Returns the settings of the log; before [`start`], those of a log that is off.
fn settings() -> LogSettings {
    const SILENT: LogSettings = LogSettings { level: LevelFilter::OFF, format: Format::Text };
    SETTINGS.get().copied().unwrap_or(SILENT)
}

/// A subscriber that filters by level and passes what remains to `tracing_subscriber`'s, which it
/// makes when it needs it.
struct LazySubscriber;

impl LazySubscriber {
    fn formatter() -> &'static (dyn Subscriber + Send + Sync) {
        static FORMATTER: OnceLock<Box<dyn Subscriber + Send + Sync>> = OnceLock::new();
        &**FORMATTER.get_or_init(|| {
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(|| StandardError)
                .event_format(settings().format);
            Box::new(layer.with_subscriber(NoSpans))
        })
    }
}

impl Subscriber for LazySubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata) -> bool {
        !metadata.is_span() && *metadata.level() <= settings().level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(settings().level)
    }

    fn event(&self, event: &Event) {
        Self::formatter().event(event);
    }

    fn new_span(&self, span: &Attributes) -> Id {
        NoSpans.new_span(span)
    }

    fn record(&self, _: &Id, _: &Record) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The subscriber under the formatting layer, without spans: foreword only logs events. With
/// `tracing_subscriber`'s registry of spans, which touches eight pages when it is made, a hook
/// costs 1.52 times `posix_spawn` in the place of 1.45 (`scripts/bench.sh`, "one hook"), and the
/// binary has 24 KB more.
struct NoSpans;

impl Subscriber for NoSpans {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl LookupSpan<'_> for NoSpans {
    type Data = NoSpan;

    fn span_data(&self, _: &Id) -> Option<NoSpan> {
        None
    }
}

/// The data of a span, of which there is none.
enum NoSpan {}

impl SpanData<'_> for NoSpan {
    fn id(&self) -> Id {
        match *self {}
    }

    fn metadata(&self) -> &'static Metadata<'static> {
        match *self {}
    }

    fn parent(&self) -> Option<&Id> {
        match *self {}
    }

    fn extensions(&self) -> Extensions<'_> {
        match *self {}
    }

    fn extensions_mut(&self) -> ExtensionsMut<'_> {
        match *self {}
    }
}

/// Standard error, written to by [`process::write_to_standard_error`].
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
        let mut recorded = EventFields::default();
        event.record(&mut recorded);
        let EventFields { message, fields } = recorded;
        match self {
            Self::Text => {
                to.write_str("foreword: ")?;
                // A message that quotes a line break must stay one line.
                for character in message.chars() {
                    if character.is_control() {
                        write!(to, "{}", character.escape_default())?;
                    } else {
                        to.write_char(character)?;
                    }
                }
                to.write_char('\n')
            }
            Self::Json => {
                let timestamp = rfc3339(SystemTime::now(), Precision::Microseconds);
                let level = event.metadata().level();
                let message = json::quote(&message);
                writeln!(
                    to,
                    r#"{{"timestamp":"{timestamp}","level":"{level}","message":{message}{fields}}}"#,
                )
            }
        }
    }
}

/// The fields of an event.
#[derive(Default)]
struct EventFields {
    message: String,
    /// The other fields as members of a JSON object, each with a comma before it.
    fields: String,
}

impl EventFields {
    /// Adds a field whose value is JSON.
    fn put(&mut self, field: &Field, value: &str) {
        self.fields.extend([",\"", field.name(), "\":", value]);
    }
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, &json::quote(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            _ => self.put(field, &json::quote(&format!("{value:?}"))),
        }
    }
}
