//! Explanations of a plan in words: who takes part and why, what only a run can tell, what is
//! probably a mistake.

use super::secrets::SecretOverview;
use crate::cli::snap_start;
use crate::cli::unset_variables::UnsetVariable;
use crate::condition::Facts;
use crate::config::Rule;
use crate::environ::Environ;
use crate::lambda::{INITIALIZATION, MAX_CONCURRENCY, RUNTIME_API, SNAP_START};
use crate::phase::Phase;
use crate::plan::{Execution, NoSnapshot, Plan, SnapshotHooks};
use std::path::Path;

/// The participation of relay or extension, and its reason.
pub struct Participation {
    pub is_yes: bool,
    pub why: String,
}

pub fn about_relay(plan: &Plan, facts: &Facts) -> Participation {
    let why = match plan.snapshot_hooks {
        SnapshotHooks::Wrapper => "this environment was restored before; the wrapper itself runs \
                                   the after_restore hooks"
            .into(),
        SnapshotHooks::Relay | SnapshotHooks::WebAdapter => {
            "it runs the hooks around the snapshot".into()
        }
        SnapshotHooks::Nobody(NoSnapshot::NoHooks) => "there are no hooks around a snapshot".into(),
        SnapshotHooks::Nobody(NoSnapshot::NoSnapStart) => {
            let found = facts.environ.lossy(INITIALIZATION).unwrap_or("unset".into());
            format!("{INITIALIZATION} is {found}, not {SNAP_START}")
        }
        SnapshotHooks::Nobody(NoSnapshot::Concurrent) => {
            format!("{MAX_CONCURRENCY} is set: such an environment is never restored")
        }
        SnapshotHooks::Nobody(NoSnapshot::NoRuntimeApi) => format!("{RUNTIME_API} is not set"),
    };
    Participation { is_yes: plan.snapshot_hooks == SnapshotHooks::Relay, why }
}

pub fn about_extension(plan: &Plan, environ: &Environ) -> Participation {
    let count = plan.hooks(Phase::PreStop).len();
    let has_api = environ.non_empty(RUNTIME_API).is_some();
    let why = match (count, plan.has_pre_stop) {
        (0, false) => "there are no pre_stop hooks",
        (0, true) => "no pre_stop hook applies",
        _ if !has_api => {
            "AWS_LAMBDA_RUNTIME_API is not set, so nobody tells when the environment ends"
        }
        _ => "it runs the pre_stop hooks; the layer foreword-prestop has it",
    };
    Participation { is_yes: count > 0 && has_api, why: why.into() }
}

/// The facts and secrets on which warnings about unset variables depend.
pub struct UnsetContext<'u> {
    pub facts: &'u Facts<'u>,
    /// The paths of secrets whose variables the text sees.
    pub paths: &'u [SecretOverview],
}

impl UnsetContext<'_> {
    /// Returns the warning about an unset variable, which a hook or a path may set after all.
    pub fn describe(&self, unset: &UnsetVariable, may_be_exported: bool) -> String {
        let UnsetVariable { place, key, name } = unset;
        let key = key.map(|key| format!(" in {key:?}")).unwrap_or_default();
        let of_path = self.paths.iter().find(|path| name.starts_with(&path.name));
        let of_path = of_path.map(|path| format!("a parameter below {} sets it", path.reference));
        let of_hook = may_be_exported.then(|| "a hook exports it".to_owned());
        let setters: Vec<_> = of_path.into_iter().chain(of_hook).collect();
        let unless = match &setters[..] {
            [] => String::new(),
            setters => format!(", unless {}", setters.join(" or ")),
        };
        match snap_start::is_absent(name, self.facts) {
            true => format!("{place}: {}", snap_start::absent_in_text_message(name, &key)),
            false => format!("{place}: ${{{name}}}{key} is unset and counts as empty{unless}"),
        }
    }
}

/// Returns the warning about options for an unknown program, whose own options stand at an unknown
/// place.
pub fn about_unknown_program(
    plan: &Plan,
    execution: &Execution,
    environ: &Environ,
) -> Option<String> {
    let adds = |rule: &&&Rule| !rule.options.prepend.is_empty() || !rule.options.append.is_empty();
    let rule = plan.rules.iter().find(adds).filter(|_| execution.line.interpreter().is_none())?;
    let program = environ.redact(&plan.received[0]);
    Some(format!(
        "{}: {program:?} is no interpreter and no launcher of one that foreword knows, so \
         \"options\" stand directly behind it; if they are not its own, write them into \
         \"arguments\" or into a variable that the interpreter reads",
        rule.place
    ))
}

/// Returns the warning about a bootstrap that Lambda starts instead of foreword.
pub fn about_bootstrap(file: &Path) -> String {
    format!(
        "{}: Lambda starts this file in the place of foreword, unless it starts foreword itself; \
         give it another name, and let Handler name it",
        file.display()
    )
}

/// Returns notes about what only secrets, hooks and other wrappers determine.
pub fn notes(plan: &Plan, paths: &[SecretOverview], inferred: Option<&str>) -> Vec<String> {
    let mut notes: Vec<String> = inferred.into_iter().map(str::to_owned).collect();
    for path in paths {
        notes.push(format!(
            "what {} gives ({}*): edits, hooks, wrappers, the command line and the runtime see it",
            path.reference, path.name
        ));
    }
    for hook in plan.hooks(Phase::Initialize).iter().filter(|hook| hook.export.is_some()) {
        notes.push(format!(
            "what hook {:?} exports: it overwrites edits, and the hooks behind it, wrappers, the \
             command line and the runtime see it",
            hook.name
        ));
    }
    if let Some(wrapper) = plan.wrappers.last() {
        let what = match wrapper.is_last {
            true => {
                "what the last wrapper executes in the runtime's place, and what those before it \
                 change"
            }
            false => {
                "what the wrappers change: edits of the command line come behind them, and stand \
                 here on the one received"
            }
        };
        notes.push(what.into());
    }
    if plan.snapshot_hooks == SnapshotHooks::Relay {
        notes.push(format!("the relay's address, which the runtime finds in {RUNTIME_API}"));
    }
    notes
}
