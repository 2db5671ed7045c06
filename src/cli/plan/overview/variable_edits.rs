//! The edits of an environment in the plan, with the values before and after each.

use super::redacted::Redacted;
use crate::cli::unset_variables::UnsetVariable;
use crate::config::Change;
use crate::config::EnvEdit;
use crate::environ::Environ;
use std::ffi::{OsStr, OsString};

pub struct VariableEdit {
    pub name: String,
    /// `None` if unset.
    pub before: Option<Redacted>,
    pub after: Option<Redacted>,
    /// The redacted values of a secret look alike.
    pub is_changed: bool,
    /// The place of the edit.
    pub place: String,
    /// The place of the rule or the hook that has the edit.
    pub owner: String,
}

/// An edit with its values, secrets included.
struct RecordedEdit {
    name: String,
    before: Option<OsString>,
    after: Option<OsString>,
    place: String,
    owner: String,
}

/// Collects the edits of one environment.
pub struct EditRecorder<'e> {
    /// The environment before the next edit.
    here: Environ<'e>,
    met: Vec<RecordedEdit>,
    pub unset: Vec<UnsetVariable>,
}

impl<'e> EditRecorder<'e> {
    pub fn new(environ: &Environ<'e>) -> Self {
        Self { here: environ.clone(), met: Vec::new(), unset: Vec::new() }
    }

    pub fn add(&mut self, owner: String, edit: &EnvEdit, change: Option<&Change>) {
        let place = edit.place.to_string();
        self.unset.extend(UnsetVariable::in_edit(&edit.edit, &place, &self.here, change.is_none()));
        let before = self.here.value(edit.name).map(OsStr::to_owned);
        let after =
            change.map_or_else(|| before.clone(), |change| change.after.map(OsStr::to_owned));
        match &after {
            _ if change.is_none() => {}
            Some(value) => self.here.set(edit.name, value),
            None => self.here.unset(edit.name),
        }
        self.met.push(RecordedEdit { name: edit.name.into(), before, after, place, owner });
    }

    /// Returns all edits; which values are secret is known at the end.
    pub fn shown(self, last: &Environ) -> Vec<VariableEdit> {
        let shown = |met: RecordedEdit| {
            let value = |value: Option<OsString>| {
                value.map(|value| Redacted::value(&met.name, &value, last))
            };
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
