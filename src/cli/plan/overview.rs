//! Everything that there is to say about a plan, as one value that the formats print: the plan that the wrapper makes of the
//! same command line, environment and sources. Nothing in it is secret any more.

use super::unset::Unset;
use crate::cli::function::Function;
use crate::command_line::{Parts, base_name};
use crate::condition::{ARCHITECTURE, Facts, RuntimeName};
use crate::config::{self, Command, EnvEdit, Export, Hook, INLINE, OnFailure, Phase, Rule, Source};
use crate::environ::{Change, Environ, REDACTED, says_secret};
use crate::glob::Glob;
use crate::hooks::{self, Received};
use crate::log::Log;
use crate::plan::{AroundSnapshot, NoSnapshot, Plan, Skipped};
use crate::relay;
use crate::report::Failure;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Bytes that may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(pub Vec<u8>);

pub struct Overview {
    /// Lambda's identifier.
    pub runtime: String,
    /// `FOREWORD_DISABLED` is set: nothing is read and nothing changed.
    pub is_disabled: bool,
    pub sources: Vec<String>,
    /// The folder on this machine that the code is taken to lie in.
    pub task_root: String,
    pub received: Vec<Shown>,
    pub command_line: CommandLine,
    pub word_edits: Vec<WordEdit>,
    /// All entries that the runtime receives, as far as they are known.
    pub environment: Vec<Shown>,
    pub env_edits: Vec<VariableEdit>,
    pub skipped: Vec<SkippedPart>,
    pub phases: Vec<PhaseOverview>,
    pub wrappers: Vec<WrapperOverview>,
    pub relay: Answer,
    pub extension: Answer,
    /// What only hooks and other wrappers can tell.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// The final command line: as it is executed, and in its parts.
pub struct CommandLine {
    pub words: Vec<Shown>,
    pub prefix: Vec<Shown>,
    pub program: Shown,
    pub options: Vec<Shown>,
    pub entry: Vec<Shown>,
    pub arguments: Vec<Shown>,
}

/// What a rule made of the command line.
pub struct WordEdit {
    pub rule: String,
    pub words: Vec<Shown>,
}

pub struct VariableEdit {
    pub name: String,
    /// `None` stands for unset.
    pub before: Option<Shown>,
    pub after: Option<Shown>,
    /// Of secrets, both look alike.
    pub is_changed: bool,
    /// Where the edit stands.
    pub place: String,
    /// Where the rule or the hook begins that it belongs to.
    pub owner: String,
}

pub struct SkippedPart {
    /// `rule`, `wrapper` or `hook`.
    pub kind: &'static str,
    pub name: Option<String>,
    pub place: String,
    pub why: Vec<String>,
}

pub struct PhaseOverview {
    pub phase: Phase,
    pub run_by: RunBy,
    /// What all of its hooks have together.
    pub limit: Option<Duration>,
    /// In the order in which they run.
    pub hooks: Vec<HookOverview>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunBy {
    Wrapper,
    Relay,
    Extension,
    Nobody,
}

pub struct HookOverview {
    pub name: String,
    pub words: Vec<Shown>,
    /// Whether the words are `/bin/sh -c` and a text of the configuration's.
    pub is_shell: bool,
    pub cwd: Option<Shown>,
    pub env: Vec<VariableEdit>,
    pub limit: Duration,
    /// Whether the limit is the hook's; otherwise it is what the phase leaves it.
    pub has_own_limit: bool,
    pub on_failure: OnFailure,
    pub export: Option<Export>,
    pub place: String,
}

pub struct WrapperOverview {
    pub name: Shown,
    pub path: Shown,
    pub place: String,
}

/// Whether something takes part, and why or why not.
pub struct Answer {
    pub is_yes: bool,
    pub why: String,
}

/// An edit as the plan met it, with secrets.
struct Met {
    name: String,
    before: Option<OsString>,
    after: Option<OsString>,
    place: String,
    owner: String,
}

impl Overview {
    /// # Errors
    /// What the wrapper would fail with.
    pub fn new(function: &Function, sources: &[Source]) -> Result<Self, Failure> {
        let (received, environ) = (&function.received, &function.environ);
        let documents = config::documents(sources);
        let rules = config::rules(&documents)?;
        let runtime = RuntimeName::of(environ, &received[0]);
        let exists = |glob: &Glob| function.has(glob);
        let facts = Facts { environ, runtime: &runtime, architecture: ARCHITECTURE, exists: &exists };
        let mut edits = Edits::new(environ);
        let plan = Plan::new(received, environ.clone(), &rules, &facts, |rule, edit, change| {
            edits.add(rule.place.to_string(), edit, change);
        });
        let around_snapshot = plan.around_snapshot(&facts, |path| function.is_there(path))?;

        let last = &plan.environ;
        let mut word_edits = Vec::new();
        let read = |path: &OsStr| fs::read(function.here(Path::new(path)));
        let execution = plan.execution(last, &read, |rule: &Rule, execution| {
            word_edits.push((rule.place.to_string(), execution.words()));
        });
        let mut is_known = received.clone();
        word_edits.retain(|(_, words)| std::mem::replace(&mut is_known, words.clone()) != *words);

        let mut warnings: Vec<String> =
            Log::unknown_level(environ).map(|word| Log::about_level(&word)).into_iter().collect();
        warnings.extend(edits.unset.iter().map(|unset| about_unset(unset, false)));
        let exports = plan.hooks(Phase::Initialize).iter().any(|hook| hook.export.is_some());
        let of_rules = plan.rules.iter().flat_map(|rule| Unset::in_rule(rule, last));
        let of_wrappers = plan.wrappers.iter().flat_map(|wrapper| Unset::in_wrapper(wrapper, last));
        warnings.extend(of_rules.chain(of_wrappers).map(|unset| about_unset(&unset, exports)));
        let handed_over = Received { environ, runtime: &runtime.identifier };
        let mut phases = Vec::new();
        for phase in Phase::ALL {
            let mut is_behind_export = phase != Phase::Initialize && exports;
            let mut hooks = Vec::new();
            for hook in plan.hooks(phase) {
                let (overview, unset) = HookOverview::new(hook, last, &handed_over);
                warnings.extend(unset.iter().map(|unset| about_unset(unset, is_behind_export)));
                is_behind_export |= hook.export.is_some();
                hooks.push(overview);
            }
            phases.push(PhaseOverview { phase, run_by: run_by(phase, around_snapshot), limit: limit(phase), hooks });
        }
        warnings.extend(execution.warnings.iter().cloned());

        let words = |words: &[OsString]| words.iter().map(|word| Shown::word(word, last)).collect::<Vec<_>>();
        let Parts { options, entry, arguments } = execution.line.parts();
        Ok(Self {
            runtime: runtime.identifier.clone(),
            is_disabled: false,
            sources: sources.iter().map(|source| source.name.clone()).collect(),
            task_root: function.task_root().display().to_string(),
            received: words(received),
            command_line: CommandLine {
                words: words(&execution.words()),
                prefix: words(&execution.prefix),
                program: Shown::word(&execution.line.program, last),
                options: words(&options),
                entry: words(&entry),
                arguments: words(&arguments),
            },
            word_edits: word_edits.into_iter().map(|(rule, made)| WordEdit { rule, words: words(&made) }).collect(),
            environment: environment(last),
            env_edits: edits.shown(last),
            skipped: plan.skipped.iter().map(|skipped| SkippedPart::new(*skipped, &facts)).collect(),
            wrappers: plan.wrappers.iter().map(|wrapper| WrapperOverview::new(wrapper, last)).collect(),
            relay: about_relay(&plan, &facts, around_snapshot),
            extension: about_extension(&plan),
            notes: notes(&plan, around_snapshot),
            phases,
            warnings,
        })
    }
}

/// The edits of one environment, as they come.
struct Edits<'e> {
    /// The environment at the place of the next one.
    here: Environ<'e>,
    met: Vec<Met>,
    unset: Vec<Unset>,
}

impl<'e> Edits<'e> {
    fn new(environ: &Environ<'e>) -> Self {
        Self { here: environ.clone(), met: Vec::new(), unset: Vec::new() }
    }

    fn add(&mut self, owner: String, edit: &EnvEdit, change: Option<&Change>) {
        let place = edit.place.to_string();
        self.unset.extend(Unset::in_edit(&edit.edit, &place, &self.here, change.is_none()));
        let before = self.here.value(edit.name).map(OsStr::to_owned);
        let after = change.map_or_else(|| before.clone(), |change| change.after.map(OsStr::to_owned));
        match &after {
            _ if change.is_none() => {}
            Some(value) => self.here.set(edit.name, value),
            None => self.here.unset(edit.name),
        }
        self.met.push(Met { name: edit.name.into(), before, after, place, owner });
    }

    /// All of them; what is secret is known at the end.
    fn shown(self, last: &Environ) -> Vec<VariableEdit> {
        let shown = |met: Met| {
            let value = |value: Option<OsString>| value.map(|value| Shown::value(&met.name, &value, last));
            VariableEdit {
                is_changed: met.before != met.after,
                before: value(met.before),
                after: value(met.after),
                name: met.name.clone(),
                place: met.place,
                owner: met.owner,
            }
        };
        self.met.into_iter().map(shown).collect()
    }
}

impl Shown {
    fn word(word: &OsStr, environ: &Environ) -> Self {
        Self(environ.redacted(word))
    }

    fn value(name: &str, value: &OsStr, environ: &Environ) -> Self {
        match says_secret(name.as_bytes()) || is_inline(name.as_bytes(), value.as_bytes()) {
            true => Self(REDACTED.into()),
            false => Self(environ.redacted(value)),
        }
    }
}

/// Whether it is a whole configuration, which may hold secrets that no variable has.
fn is_inline(name: &[u8], value: &[u8]) -> bool {
    name == INLINE.as_bytes() && value.trim_ascii_start().starts_with(b"{")
}

/// All entries.
fn environment(environ: &Environ) -> Vec<Shown> {
    let hide = |entry: Vec<u8>| {
        let length = entry.iter().position(|&byte| byte == b'=').unwrap_or(entry.len());
        match entry.get(length + 1..) {
            Some(value) if is_inline(&entry[..length], value) => [&entry[..=length], REDACTED.as_bytes()].concat(),
            _ => entry,
        }
    };
    environ.redacted_entries().into_iter().map(hide).map(Shown).collect()
}

impl SkippedPart {
    fn new(skipped: Skipped, facts: &Facts) -> Self {
        let (kind, name, when) = match skipped {
            Skipped::Rule(rule) => ("rule", None, &rule.when),
            Skipped::Wrapper(wrapper) => {
                ("wrapper", Some(wrapper.name.unwrap_or(wrapper.path.written())), &wrapper.when)
            }
            Skipped::Hook(hook) => ("hook", Some(hook.name), &hook.when),
        };
        Self { kind, name: name.map(str::to_owned), place: skipped.place().to_string(), why: when.why_not(facts) }
    }
}

impl HookOverview {
    /// What is known of a hook before it runs, and what its texts take for empty.
    fn new(hook: &Hook, last: &Environ, received: &Received) -> (Self, Vec<Unset>) {
        let place = hook.place.to_string();
        let mut edits = Edits::new(last);
        let own = hooks::environment(hook, last, received, |edit, change| edits.add(place.clone(), edit, change));
        let mut unset = std::mem::take(&mut edits.unset);
        unset.extend(Unset::in_hook(hook, &own));
        let phase = limit(hook.phase).unwrap_or(Duration::MAX);
        let words = hooks::words(&hook.command, &own);
        let overview = Self {
            name: hook.name.into(),
            words: words.iter().map(|word| Shown::word(word, &own)).collect(),
            is_shell: matches!(hook.command, Command::Shell(_)),
            cwd: hook.cwd.as_ref().map(|cwd| Shown::word(&cwd.expand(&own), &own)),
            env: edits.shown(&own),
            limit: hook.timeout.unwrap_or(hook.phase.default_timeout()).min(phase),
            has_own_limit: hook.timeout.unwrap_or(hook.phase.default_timeout()) < phase,
            on_failure: hook.on_failure,
            export: hook.export,
            place,
        };
        (overview, unset)
    }
}

impl WrapperOverview {
    fn new(wrapper: &config::Wrapper, last: &Environ) -> Self {
        let path = wrapper.path.expand(last);
        let name = wrapper.name.map_or(OsStr::from_bytes(base_name(&path)), OsStr::new);
        Self { name: Shown::word(name, last), path: Shown::word(&path, last), place: wrapper.place.to_string() }
    }
}

fn run_by(phase: Phase, around_snapshot: AroundSnapshot) -> RunBy {
    match (phase, around_snapshot) {
        (Phase::Initialize, _) | (Phase::AfterRestore, AroundSnapshot::Wrapper) => RunBy::Wrapper,
        (Phase::BeforeSnapshot | Phase::AfterRestore, AroundSnapshot::Relay) => RunBy::Relay,
        (Phase::BeforeSnapshot | Phase::AfterRestore, _) => RunBy::Nobody,
        (Phase::PreStop, _) => RunBy::Extension,
    }
}

/// What all hooks of a phase have together.
fn limit(phase: Phase) -> Option<Duration> {
    match phase {
        Phase::Initialize => None,
        Phase::BeforeSnapshot => Some(relay::BEFORE_SNAPSHOT),
        Phase::AfterRestore => Some(relay::AFTER_RESTORE),
        // What Lambda leaves of this is known when it comes to that.
        Phase::PreStop => Some(phase.default_timeout()),
    }
}

fn about_relay(plan: &Plan, facts: &Facts, around_snapshot: AroundSnapshot) -> Answer {
    let why = match (plan.no_snapshot(facts), around_snapshot) {
        (None, AroundSnapshot::Wrapper) => {
            "this environment was restored before; the wrapper itself runs the after_restore hooks".into()
        }
        (None, _) => "it runs the hooks around the snapshot".into(),
        (Some(NoSnapshot::NoHooks), _) => "there are no hooks around a snapshot".into(),
        (Some(NoSnapshot::NoSnapStart), _) => {
            let found = facts.environ.lossy("AWS_LAMBDA_INITIALIZATION_TYPE").unwrap_or("unset".into());
            format!("AWS_LAMBDA_INITIALIZATION_TYPE is {found}, not snap-start")
        }
        (Some(NoSnapshot::Concurrent), _) => {
            "AWS_LAMBDA_MAX_CONCURRENCY is set: such an environment is never restored".into()
        }
        (Some(NoSnapshot::NoRuntimeApi), _) => "AWS_LAMBDA_RUNTIME_API is not set".into(),
    };
    Answer { is_yes: around_snapshot == AroundSnapshot::Relay, why }
}

fn about_extension(plan: &Plan) -> Answer {
    let count = plan.hooks(Phase::PreStop).len();
    let why = match (count, plan.has_pre_stop) {
        (0, false) => "there are no pre_stop hooks",
        (0, true) => "no pre_stop hook applies",
        _ => "it runs the pre_stop hooks; the layer foreword-prestop has it",
    };
    Answer { is_yes: count > 0, why: why.into() }
}

fn about_unset(unset: &Unset, may_be_exported: bool) -> String {
    let Unset { place, key, name } = unset;
    let key = key.map(|key| format!(" in {key:?}")).unwrap_or_default();
    let unless = if may_be_exported { ", unless a hook exports it" } else { "" };
    format!("{place}: ${{{name}}}{key} is unset and counts as empty{unless}")
}

fn notes(plan: &Plan, around_snapshot: AroundSnapshot) -> Vec<String> {
    let mut notes = Vec::new();
    for hook in plan.hooks(Phase::Initialize).iter().filter(|hook| hook.export.is_some()) {
        notes.push(format!(
            "what hook {:?} exports: it overwrites edits, and the hooks behind it, wrappers, the command line and the \
             runtime see it",
            hook.name
        ));
    }
    if !plan.wrappers.is_empty() {
        let what =
            "what the wrappers change: edits of the command line come behind them, and stand here on the one received";
        notes.push(what.into());
    }
    if around_snapshot == AroundSnapshot::Relay {
        notes.push("the relay's address, which the runtime finds in AWS_LAMBDA_RUNTIME_API".into());
    }
    notes
}
