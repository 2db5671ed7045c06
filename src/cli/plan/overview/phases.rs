//! The hooks of a plan: who runs them, in which order, within which limits.

use super::explanations::UnsetContext;
use super::redacted::Redacted;
use super::variable_edits::{EditRecorder, VariableEdit};
use crate::cli::unset_variables::UnsetVariable;
use crate::config::{Command, Export, Hook, OnFailure};
use crate::environ::Environ;
use crate::hooks;
use crate::lambda::LambdaContext;
use crate::phase::Phase;
use crate::plan::{Plan, SnapshotHooks};
use std::time::Duration;

pub struct PhaseOverview {
    pub phase: Phase,
    pub run_by: RunBy,
    /// The budget of all of its hooks together.
    pub limit: Option<Duration>,
    /// In execution order.
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
    pub words: Vec<Redacted>,
    pub action: HookCommandKind,
    pub wait_for: Option<Redacted>,
    pub attempts: u32,
    pub pause: Duration,
    pub background: bool,
    pub cwd: Option<Redacted>,
    pub env: Vec<VariableEdit>,
    /// `None` for a hook in the background without a limit of its own.
    pub limit: Option<Duration>,
    /// True if the limit is the hook's; otherwise it is the time that the phase has left.
    pub has_own_limit: bool,
    pub on_failure: OnFailure,
    pub export: Option<Export>,
    pub place: String,
}

impl PhaseOverview {
    pub fn new(
        phase: Phase,
        plan: &Plan,
        edited: &Environ,
        behind_wrappers: &Environ,
        context: &LambdaContext,
        unset_context: &UnsetContext,
        warnings: &mut Vec<String>,
    ) -> Self {
        let exports = |hook: &&Hook| hook.export.is_some();
        let mut is_behind_export =
            phase != Phase::Initialize && plan.hooks(Phase::Initialize).iter().any(exports);
        let is_told = context.runtime_api().is_some();
        let run_by = match run_by(phase, plan.snapshot_hooks) {
            RunBy::Extension if !is_told => RunBy::Nobody,
            run_by => run_by,
        };
        let environ = if run_by == RunBy::Wrapper { edited } else { behind_wrappers };
        let mut hooks = Vec::new();
        for hook in plan.hooks(phase) {
            let (overview, unset) = HookOverview::new(hook, environ, context);
            warnings
                .extend(unset.iter().map(|unset| unset_context.describe(unset, is_behind_export)));
            is_behind_export |= exports(&hook);
            hooks.push(overview);
        }
        Self { phase, run_by, limit: phase.budget(), hooks }
    }
}

/// The kind of a hook's command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HookCommandKind {
    Words,
    /// `/bin/sh -c` and a string of the configuration.
    Shell,
    /// A single word, the request.
    Http,
    /// No words.
    Nothing,
}

impl HookOverview {
    /// Returns a hook before it runs, and the unset variables in its texts.
    fn new(hook: &Hook, last: &Environ, context: &LambdaContext) -> (Self, Vec<UnsetVariable>) {
        // The condition was decided when the plan was made.
        let Hook {
            place,
            phase: _,
            name,
            command,
            env: _,
            cwd,
            timeout: _,
            on_failure,
            when: _,
            export,
            wait_for,
            attempts,
            pause,
            background,
        } = hook;
        let place = place.to_string();
        let mut edits = EditRecorder::new(last);
        let own = hooks::environment(hook, last, context, |edit, change| {
            edits.add(place.clone(), edit, change);
        });
        let mut unset = std::mem::take(&mut edits.unset);
        unset.extend(UnsetVariable::in_hook(hook, &own));
        let limit = hook.limit();
        let of_phase = hook.phase.budget().unwrap_or(Duration::MAX);
        let words = hooks::command_words(command, &own);
        let overview = Self {
            name: (*name).into(),
            words: words.iter().map(|word| Redacted::word(word, &own)).collect(),
            action: match command {
                Command::Words(_) => HookCommandKind::Words,
                Command::Shell(_) => HookCommandKind::Shell,
                Command::Http(_) => HookCommandKind::Http,
                Command::Nothing => HookCommandKind::Nothing,
            },
            wait_for: wait_for.as_ref().map(|address| Redacted::word(&address.expand(&own), &own)),
            attempts: *attempts,
            pause: *pause,
            background: *background,
            cwd: cwd.as_ref().map(|cwd| Redacted::word(&cwd.expand(&own), &own)),
            env: edits.shown(&own),
            limit: limit.map(|limit| limit.min(of_phase)),
            has_own_limit: limit.is_some_and(|limit| limit < of_phase),
            on_failure: *on_failure,
            export: *export,
            place,
        };
        (overview, unset)
    }
}

fn run_by(phase: Phase, snapshot_hooks: SnapshotHooks) -> RunBy {
    match (phase, snapshot_hooks) {
        (Phase::Initialize, _) | (Phase::AfterRestore, SnapshotHooks::Wrapper) => RunBy::Wrapper,
        (Phase::BeforeSnapshot | Phase::AfterRestore, SnapshotHooks::Relay) => RunBy::Relay,
        (Phase::BeforeSnapshot | Phase::AfterRestore, _) => RunBy::Nobody,
        (Phase::PreStop, _) => RunBy::Extension,
    }
}
