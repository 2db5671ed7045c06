//! What the user writes, as a value: rules with their conditions, edits and hooks. `sources` finds the
//! files, `json` reads them, `decode` turns them into the types below and finds every mistake.

mod decode;
pub mod edit;
pub mod encode;
#[cfg(feature = "tool")]
pub mod inspect;
mod json_hints;
mod sources;
mod suggest;

#[cfg(feature = "tool")]
pub use sources::{
    CONFIG_VARIABLE, SourceResult, Sources, UnreadableSource, dropin_dir, local_path,
};
pub use sources::{Source, handler_path, read_sources, task_root};
pub use suggest::find_nearest;

use crate::condition::When;
use crate::environ::Environ;
use crate::json;
use crate::phase::Phase;
use crate::template::Template;
pub use edit::{Change, Edit, Effect, EnvEdit};
use std::fmt;
use std::time::Duration;

/// Where something stands; shown as `FILE:LINE:COLUMN`.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// The key or value of a source, by its number in the document.
    Read { source: &'a Source, node: u32 },
    /// As another process of foreword's showed it.
    Formatted(&'a str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Place::Read { source, node } => {
                formatter.write_str(&source.place(json::offset(&source.text, *node)))
            }
            Place::Formatted(place) => formatter.write_str(place),
        }
    }
}

/// Edits and hooks under one condition; a file is one, and holds more of them in `rules`.
pub struct Rule<'a> {
    pub place: Place<'a>,
    pub when: When<'a>,
    pub env: Vec<EnvEdit<'a>>,
    pub options: WordEdits<'a>,
    pub arguments: WordEdits<'a>,
    pub entry: Option<Template<'a>>,
    pub program: Option<Template<'a>>,
    pub prefix: Vec<Template<'a>>,
    pub wrappers: Vec<Wrapper<'a>>,
    pub hooks: Vec<Hook<'a>>,
    pub rules: Vec<Rule<'a>>,
}

impl<'a> Rule<'a> {
    /// A rule that always applies and does nothing.
    pub fn empty(place: Place<'a>) -> Self {
        Self {
            place,
            when: When::default(),
            env: Vec::new(),
            options: WordEdits::default(),
            arguments: WordEdits::default(),
            entry: None,
            program: None,
            prefix: Vec::new(),
            wrappers: Vec::new(),
            hooks: Vec::new(),
            rules: Vec::new(),
        }
    }
}

/// Another exec wrapper, which runs before the runtime.
pub struct Wrapper<'a> {
    pub place: Place<'a>,
    pub path: Template<'a>,
    /// `None`: the last part of its path.
    pub name: Option<&'a str>,
    pub when: When<'a>,
    /// Edits of the environment that it hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// Whether it executes something of its own and never comes back.
    pub is_last: bool,
}

impl Wrapper<'_> {
    /// What it is called in messages that are made before its turn.
    pub fn display_name(&self) -> &str {
        self.name.unwrap_or(self.path.written())
    }

    /// Says that something would have to be done behind a wrapper that never comes back.
    pub fn refuse(&self, what: &str, way_out: &str) -> String {
        let name = self.display_name();
        format!(
            "unable to {what} behind the wrapper {name:?}: it is \"last\" and never comes back; \
             {way_out}"
        )
    }
}

/// Changes to the options or to the arguments, in the order in which they are made.
#[derive(Debug, Default)]
pub struct WordEdits<'a> {
    /// Globs.
    pub remove: Vec<Template<'a>>,
    pub replace: Vec<(Template<'a>, Template<'a>)>,
    /// Options only: the option's name, and what happens to its value.
    pub values: Vec<(&'a str, Edit<'a>)>,
    pub prepend: Vec<Template<'a>>,
    pub append: Vec<Template<'a>>,
}

impl WordEdits<'_> {
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty()
            && self.replace.is_empty()
            && self.values.is_empty()
            && self.prepend.is_empty()
            && self.append.is_empty()
    }
}

/// Something that is done in a phase.
pub struct Hook<'a> {
    pub place: Place<'a>,
    pub phase: Phase,
    pub name: &'a str,
    pub command: Command<'a>,
    pub env: Vec<EnvEdit<'a>>,
    pub cwd: Option<Template<'a>>,
    /// `None`: the default of the phase.
    pub timeout: Option<Duration>,
    pub on_failure: OnFailure,
    pub when: When<'a>,
    pub export: Option<Export>,
    /// `HOST:PORT` of this machine that has to accept connections first.
    pub wait_for: Option<Template<'a>>,
    /// How often it is tried, at least once, and how long to wait before the second time; each
    /// time twice as long.
    pub attempts: u32,
    pub pause: Duration,
    /// Nobody waits for its end.
    pub background: bool,
}

impl<'a> Hook<'a> {
    /// How long to wait before a hook is tried again that says nothing about that.
    pub const PAUSE: Duration = Duration::from_millis(200);

    /// A hook that does nothing.
    pub fn empty(phase: Phase, place: Place<'a>) -> Self {
        Self {
            place,
            phase,
            name: "",
            command: Command::Nothing,
            env: Vec::new(),
            cwd: None,
            timeout: None,
            on_failure: OnFailure::Fail,
            when: When::default(),
            export: None,
            wait_for: None,
            attempts: 1,
            pause: Self::PAUSE,
            background: false,
        }
    }

    /// Most time that it may take, as far as it has a limit of its own.
    pub fn limit(&self) -> Option<Duration> {
        self.timeout.or((!self.background).then(|| self.phase.default_timeout()))
    }
}

#[derive(Debug)]
pub enum Command<'a> {
    /// Executed as it is.
    Words(Vec<Template<'a>>),
    /// Given to `/bin/sh -c`, which expands what it holds.
    Shell(&'a str),
    /// Asked of a server on this machine, as `loopback::Request` reads it.
    Http(Template<'a>),
    /// There is only something to wait for.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    #[default]
    Fail,
    Continue,
}

/// How a hook writes the variables that it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    Json,
    Dotenv,
}

#[cfg(feature = "tool")]
impl Export {
    pub fn name(self) -> &'static str {
        match self {
            Export::Json => "json",
            Export::Dotenv => "dotenv",
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Begins with the place or the file, and ends with the way out.
    pub message: String,
}

impl Invalid {
    pub fn new(message: String) -> Self {
        Self { message }
    }
}

/// A source, and the JSON in it or why it holds none.
pub struct Document<'a> {
    source: &'a Source,
    root: Result<json::Node<'a>, json::Problem>,
}

pub fn parse_sources(sources: &[Source]) -> Vec<Document<'_>> {
    sources.iter().map(|source| Document { source, root: json::parse(&source.text) }).collect()
}

/// Returns the rules of all documents, one a document.
///
/// # Errors
/// The first mistake in the first document that has one.
pub fn decode_rules<'a>(documents: &'a [Document<'a>]) -> Result<Vec<Rule<'a>>, Invalid> {
    let mut rules = Vec::with_capacity(documents.len());
    for document in documents {
        if let Some(problem) = decode::rule(document, &mut rules).first() {
            return Err(document.source.invalid(problem));
        }
    }
    Ok(rules)
}

/// Whether the operator switched foreword off (`FOREWORD_DISABLED`, anything but empty, `0` and
/// `false`).
pub fn is_disabled(environ: &Environ) -> bool {
    environ
        .lossy("FOREWORD_DISABLED")
        .is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
}
