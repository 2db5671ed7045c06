//! What foreword says, on standard error alone: log lines as text or JSON, and the one line about a failure,
//! with its error type and exit status. Nothing is set up until there is something to say.

use crate::config::Phase;
use crate::environ::Environ;
use crate::process::Signal;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber, subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// What Lambda and the caller of the function are told went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    ConfigInvalid,
    HookFailed,
    HookTimedOut,
    InvalidEntrypoint,
}

impl ErrorType {
    /// The value of `errorType` and of the header `Lambda-Runtime-Function-Error-Type`. Lambda turns what does not
    /// match `(Runtime|Function)\.[A-Z][a-zA-Z]+` into `Runtime.Unknown`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorType::ConfigInvalid => "Runtime.ForewordConfigInvalid",
            ErrorType::HookFailed => "Runtime.ForewordHookFailed",
            ErrorType::HookTimedOut => "Runtime.ForewordHookTimedOut",
            ErrorType::InvalidEntrypoint => "Runtime.InvalidEntrypoint",
        }
    }
}

/// Exit statuses, as `env`, `timeout` and `nohup` have them.
pub mod status {
    pub const TIMED_OUT: i32 = 124;
    /// foreword itself failed.
    pub const FAILED: i32 = 125;
    pub const CANNOT_EXECUTE: i32 = 126;
    pub const NOT_FOUND: i32 = 127;
}

/// Why the runtime is not started.
#[derive(Debug)]
pub struct Failure {
    pub error_type: ErrorType,
    pub status: i32,
    /// What follows `foreword: `.
    pub message: String,
    pub hook: Option<HookEnd>,
}

impl Failure {
    pub fn configuration(message: String) -> Self {
        Self { error_type: ErrorType::ConfigInvalid, status: status::FAILED, message, hook: None }
    }

    pub fn entrypoint(status: i32, message: String) -> Self {
        Self { error_type: ErrorType::InvalidEntrypoint, status, message, hook: None }
    }
}

/// Why foreword ends without having become the runtime.
pub enum Stop {
    Failure(Failure),
    /// It was told to end while a hook ran.
    Signal(Signal),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

/// How a hook ended, for the fields of its log line.
#[derive(Debug, Clone)]
pub struct HookEnd {
    pub phase: Phase,
    pub name: String,
    pub outcome: &'static str,
    pub took: Duration,
}

impl fmt::Display for HookEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "hook {:?} ({})", self.name, self.phase.name())
    }
}

impl HookEnd {
    /// Says that the hook did what it should.
    pub fn succeeded(&self) {
        tracing::info!(
            phase = self.phase.name(),
            hook = self.name,
            outcome = self.outcome,
            durationMs = self.milliseconds(),
            "{self} succeeded after {} ms",
            self.milliseconds()
        );
    }

    /// Says that the hook failed, and that this stops nothing.
    pub fn continued(&self, failure: &Failure) {
        tracing::warn!(
            phase = self.phase.name(),
            hook = self.name,
            outcome = self.outcome,
            durationMs = self.milliseconds(),
            errorType = failure.error_type.name(),
            "{} (on_failure: continue)",
            failure.message
        );
    }

    pub fn milliseconds(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }
}

/// How much is said, and in which form (DESIGN: text, or one JSON object a line).
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

    /// Whether what happens in detail is wanted.
    pub fn is_detailed(self) -> bool {
        self.level >= LevelFilter::DEBUG
    }

    /// Sends what is said from here on to standard error. Before that nothing is: setting this up costs time that
    /// a cold start with nothing to say need not pay.
    pub fn open(self) {
        let lines = tracing_subscriber::fmt().with_max_level(self.level).with_writer(io::stderr);
        // Opening twice changes nothing, so that whoever has something to say may open.
        let _ = match self.json {
            true => {
                let objects = lines.json().flatten_event(true).with_target(false);
                subscriber::set_global_default(objects.with_current_span(false).with_span_list(false).finish())
            }
            false => subscriber::set_global_default(lines.event_format(Line).finish()),
        };
    }

    /// The one line about a failure.
    pub fn failure(self, failure: &Failure) {
        self.open();
        let hook = failure.hook.as_ref();
        tracing::error!(
            errorType = failure.error_type.name(),
            phase = hook.map(|hook| hook.phase.name()),
            hook = hook.map(|hook| hook.name.as_str()),
            outcome = hook.map(|hook| hook.outcome),
            durationMs = hook.map(HookEnd::milliseconds),
            "{}",
            failure.message
        );
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
