//! Side effects of environment edits on Lambda: a `PYTHONPATH` that hides the layers' packages,
//! options in variables that the command line overrides. `plan` looks at one start, `check` at all
//! possible ones.

use crate::command_line::{
    CommandLine, Interpreter, OPTIONS_VARIABLES, SuggestedEdit, find_overridden,
};
use crate::environ::Environ;
use crate::lambda::python_path::{self, Python};
use std::ffi::OsString;

/// The variables whose edits can have side effects.
pub const VARIABLES_WITH_SIDE_EFFECTS: [&str; 4] =
    [python_path::VARIABLE, OPTIONS_VARIABLES[0].0, OPTIONS_VARIABLES[1].0, OPTIONS_VARIABLES[2].0];

/// A side effect of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SideEffect {
    /// The packages of layers are not found any more.
    LayerPackagesHidden { missing: Vec<String>, whole: String, has_others: bool },
    Overridden {
        variable: &'static str,
        option: String,
        winner: String,
        is_fatal: bool,
        instead: SuggestedEdit,
    },
}

/// The start of a runtime after all edits.
pub struct EditedStart<'s> {
    /// Lambda's identifier.
    pub runtime: &'s str,
    pub received: &'s [OsString],
    /// The environment that was received, and the final one.
    pub before: &'s Environ<'s>,
    pub last: &'s Environ<'s>,
    pub line: &'s CommandLine,
}

/// Returns the side effects of edits; `edits` are those that changed something, in their order,
/// with a place each.
pub fn side_effects<P: Clone>(start: &EditedStart, edits: &[(&str, P)]) -> Vec<(P, SideEffect)> {
    let last_edit = |name: &str| {
        edits.iter().rev().find(|(edited, _)| *edited == name).map(|(_, place)| place.clone())
    };
    let mut effects = Vec::new();
    if let (Some(place), Some(effect)) =
        (last_edit(python_path::VARIABLE), hidden_layer_packages(start))
    {
        effects.push((place, effect));
    }
    let Some(interpreter) = Interpreter::from_program(&start.line.program) else { return effects };
    let options: Vec<String> =
        start.line.parts().options.iter().map(|word| start.last.redact(word)).collect();
    for (variable, _) in OPTIONS_VARIABLES.into_iter().filter(|(_, of)| *of == interpreter) {
        let (Some(place), Some(value)) = (last_edit(variable), start.last.value(variable)) else {
            continue;
        };
        let value = start.last.redact(value);
        let before = start.before.lossy(variable).unwrap_or_default();
        let is_new = |option: &str| !before.split_ascii_whitespace().any(|word| word == option);
        for one in find_overridden(interpreter, &value, &options)
            .into_iter()
            .filter(|one| is_new(&one.option))
        {
            let effect = SideEffect::Overridden {
                variable,
                option: one.option,
                winner: one.winner,
                is_fatal: one.is_fatal,
                instead: one.instead,
            };
            effects.push((place.clone(), effect));
        }
    }
    effects
}

fn hidden_layer_packages(start: &EditedStart) -> Option<SideEffect> {
    let is_bootstrap = start.received.iter().any(|word| word == python_path::BOOTSTRAP);
    let program = start.received.first().and_then(|program| program.to_str()).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let python = Python::from_identifier(start.runtime)
        .or(Python::from_identifier(program))
        .filter(|_| is_bootstrap)?;
    let value = start.last.redact(start.last.value(python_path::VARIABLE)?);
    let missing = python.missing_directories(&value);
    let whole = python.completed_value(&value);
    let has_others = whole != python.completed_value("");
    (!missing.is_empty()).then_some(SideEffect::LayerPackagesHidden { missing, whole, has_others })
}

impl SideEffect {
    /// Returns whether it differs at most in the runtime, so that one message serves both.
    pub fn is_same_kind(&self, other: &SideEffect) -> bool {
        match (self, other) {
            (SideEffect::LayerPackagesHidden { .. }, SideEffect::LayerPackagesHidden { .. }) => {
                true
            }
            (
                SideEffect::Overridden { option, .. },
                SideEffect::Overridden { option: other, .. },
            ) => option == other,
            _ => false,
        }
    }

    /// Returns the message for a runtime, which may be one of several.
    pub fn message(&self, runtime: &str, is_one_of_several: bool) -> String {
        match self {
            SideEffect::LayerPackagesHidden { missing, whole, has_others } => {
                let missing = missing.join(" and ");
                let unset = if *has_others { "" } else { "leave PYTHONPATH unset, or " };
                let each = match is_one_of_several {
                    true => format!(
                        ", in a rule for each version (\"when\": {{\"runtime\": {runtime:?}}})"
                    ),
                    false => String::new(),
                };
                format!(
                    "with PYTHONPATH set, {runtime} does not find what layers have in {missing}; \
                     {unset}write {whole:?}{each}"
                )
            }
            SideEffect::Overridden { variable, option, winner, is_fatal: false, instead } => {
                format!(
                    "{option} in {variable} has no effect on {runtime}: {winner} on its command \
                     line wins; write \"options\": {instead}"
                )
            }
            SideEffect::Overridden { variable, option, winner, is_fatal: true, instead } => {
                format!(
                    "{option} in {variable} ends the start of {runtime}, whose command line has \
                 {winner}, and there can be one collector; write \"options\": {instead}, too"
                )
            }
        }
    }
}
