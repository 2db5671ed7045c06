//! The configuration as a value: rules with their conditions, edits and hooks. `sources` finds and
//! reads the files, `json` parses them, `decode` turns them into the types below and reports every
//! mistake. Decides nothing about which rules apply.

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

/// The place of something in a configuration; formatted as `FILE:LINE:COLUMN`.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// A key or value of a source, by its number in the document. Line and column are looked for
    /// only when they are needed.
    Read { source: &'a Source, node: u32 },
    /// The place as another process of foreword formatted it; may be empty.
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

/// Edits, wrappers and hooks under one condition. A configuration file is a rule.
pub struct Rule<'a> {
    pub place: Place<'a>,
    pub when: When<'a>,
    /// Variables whose values are in AWS.
    pub secrets: Vec<Secret<'a>>,
    /// The limit of everything that is asked for secrets, if the rule names one.
    pub secrets_timeout: Option<Duration>,
    /// True if every variable is resolved whose whole value is a reference to a secret.
    pub resolves_references: bool,
    pub env: Vec<EnvEdit<'a>>,
    /// Edits of the interpreter's own options.
    pub options: WordEdits<'a>,
    /// Edits of the arguments after the entry.
    pub arguments: WordEdits<'a>,
    /// The entry that replaces the received one.
    pub entry: Option<Template<'a>>,
    /// The program that replaces the received one.
    pub program: Option<Template<'a>>,
    /// Words in front of the program; the first of them is executed.
    pub prefix: Vec<Template<'a>>,
    pub wrappers: Vec<Wrapper<'a>>,
    pub hooks: Vec<Hook<'a>>,
    /// Rules that apply only when this one does.
    pub rules: Vec<Rule<'a>>,
}

impl<'a> Rule<'a> {
    /// Returns a rule that always applies and does nothing.
    pub fn empty(place: Place<'a>) -> Self {
        Self {
            place,
            when: When::default(),
            secrets: Vec::new(),
            secrets_timeout: None,
            resolves_references: false,
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

/// Something in AWS's Parameter Store or Secrets Manager that becomes a variable, or several.
pub struct Secret<'a> {
    pub place: Place<'a>,
    /// The name of the variable, or the prefix of those of a path.
    pub name: &'a str,
    pub source: SecretSource<'a>,
}

/// Where a secret is, as `foreword_secrets::reference` reads it.
#[derive(Debug)]
pub enum SecretSource<'a> {
    /// One value.
    Reference(Template<'a>),
    /// A path of the Parameter Store, with a variable for each parameter below it.
    Path(Template<'a>),
}

/// Another exec wrapper, which gets the process before the runtime does.
pub struct Wrapper<'a> {
    pub place: Place<'a>,
    pub path: Template<'a>,
    /// `None` stands for the last part of the path.
    pub name: Option<&'a str>,
    pub when: When<'a>,
    /// Edits of the environment that the wrapper hands back.
    pub env: Vec<EnvEdit<'a>>,
    /// True for a wrapper that executes something else than the program that it was given, so that
    /// foreword never gets the process back.
    pub is_last: bool,
}

impl Wrapper<'_> {
    /// Returns the name for messages that are made before the path is expanded.
    pub fn display_name(&self) -> &str {
        self.name.unwrap_or(self.path.written())
    }

    /// Returns the message that something cannot be done after this wrapper, which never returns
    /// the process.
    pub fn refuse(&self, what: &str, way_out: &str) -> String {
        let name = self.display_name();
        format!(
            "unable to {what} behind the wrapper {name:?}: it is \"last\" and never comes back; \
             {way_out}"
        )
    }
}

/// Edits of the options or of the arguments, in the order in which they are performed.
#[derive(Debug, Default)]
pub struct WordEdits<'a> {
    /// Globs of the words to remove.
    pub remove: Vec<Template<'a>>,
    /// Words, each with the word that replaces it.
    pub replace: Vec<(Template<'a>, Template<'a>)>,
    /// Names of options, each with an edit of its value. Arguments have none.
    pub values: Vec<(&'a str, Edit<'a>)>,
    pub prepend: Vec<Template<'a>>,
    pub append: Vec<Template<'a>>,
}

impl WordEdits<'_> {
    /// Tells whether there is no edit.
    pub fn is_empty(&self) -> bool {
        let Self { remove, replace, values, prepend, append } = self;
        remove.is_empty()
            && replace.is_empty()
            && values.is_empty()
            && prepend.is_empty()
            && append.is_empty()
    }
}

/// A lifecycle command, which foreword runs in a phase.
pub struct Hook<'a> {
    pub place: Place<'a>,
    pub phase: Phase,
    pub name: &'a str,
    pub command: Command<'a>,
    pub env: Vec<EnvEdit<'a>>,
    pub cwd: Option<Template<'a>>,
    /// `None` stands for the default of the phase.
    pub timeout: Option<Duration>,
    pub on_failure: OnFailure,
    pub when: When<'a>,
    /// The format of the variables that the hook prints; `None` if it exports none.
    pub export: Option<Export>,
    /// `HOST:PORT` of this machine that has to accept connections before the command runs.
    pub wait_for: Option<Template<'a>>,
    /// The most attempts, at least 1.
    pub attempts: u32,
    /// The pause before the second attempt. Each later pause is twice as long as the one before it.
    pub pause: Duration,
    /// True for a hook whose end foreword does not wait for.
    pub background: bool,
}

impl<'a> Hook<'a> {
    /// The pause before the second attempt of a hook that names none.
    pub const PAUSE: Duration = Duration::from_millis(200);

    /// Returns a hook that does nothing.
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

    /// Returns the timeout of all attempts together. A hook in the background has only the one that
    /// it names.
    pub fn limit(&self) -> Option<Duration> {
        self.timeout.or((!self.background).then(|| self.phase.default_timeout()))
    }
}

/// The command of a hook.
#[derive(Debug)]
pub enum Command<'a> {
    /// Program and arguments, which are executed without a shell.
    Words(Vec<Template<'a>>),
    /// A script for `/bin/sh -c`, which expands the variables in it.
    Shell(&'a str),
    /// A request to a server on this machine, as `loopback::Request` parses it.
    Http(Template<'a>),
    /// No command: the hook only waits for `wait_for`.
    Nothing,
}

/// The consequence of a hook's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The phase fails.
    #[default]
    Fail,
    /// The next hook runs.
    Continue,
}

/// The format in which a hook prints the variables that it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    Json,
    Dotenv,
}

#[cfg(feature = "tool")]
impl Export {
    /// Returns the format's name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Export::Json => "json",
            Export::Dotenv => "dotenv",
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Begins with the place or the file, and ends with what to do about it.
    pub message: String,
}

impl Invalid {
    pub fn new(message: String) -> Self {
        Self { message }
    }
}

/// A source, and the result of parsing it as JSON.
pub struct Document<'a> {
    source: &'a Source,
    root: Result<json::Node<'a>, json::Problem>,
}

/// Parses all sources. A source that is not JSON stays in its place, with the problem.
pub fn parse_sources(sources: &[Source]) -> Vec<Document<'_>> {
    sources.iter().map(|source| Document { source, root: json::parse(&source.text) }).collect()
}

/// Decodes all documents; each becomes one rule.
///
/// # Errors
/// Reports the first mistake in the first document that has one.
pub fn decode_rules<'a>(documents: &'a [Document<'a>]) -> Result<Vec<Rule<'a>>, Invalid> {
    let mut rules = Vec::with_capacity(documents.len());
    for document in documents {
        if let Some(problem) = decode::decode_rule(document, &mut rules).first() {
            return Err(document.source.invalid(problem));
        }
    }
    Ok(rules)
}

/// Tells whether the operator disabled foreword: `FOREWORD_DISABLED` has a value, which is neither
/// `0` nor `false`.
pub fn is_disabled(environ: &Environ) -> bool {
    environ
        .lossy("FOREWORD_DISABLED")
        .is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
}
